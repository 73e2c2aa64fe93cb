//! A stored answer's head and bookkeeping, and its compact text form.
//!
//! The body lies beside it, opaque. The text is printable ASCII on one line,
//! so that it fits a response field in the Cache API and a prefix in KV.

use super::freshness::Terms;
use super::window;
use crate::cache::key::cache_key::CacheKey;
use crate::cache::key::variant::Choice;
use crate::cache::ledger::sequence::PurgeState;
use crate::cache::purge::index::{PurgeIndex, Purgeable};
use crate::cache::purge::selector::Selector;
use crate::cache::purge::unconfirmed_writes::Fetched;
use crate::http::fields::Fields;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;

/// What is stored of an answer beside its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key it was stored under: a hit with another key is a miss.
    pub key: String,
    /// The purge number its isolate had seen before it asked the origin. Any
    /// matching purge with a larger number kills the entry.
    pub seen: u64,
    /// When its head came from the origin, in milliseconds since 1970.
    pub received_ms: u64,
    /// How old it was then, in seconds.
    pub initial_age: u64,
    /// What its fetch cost: so many milliseconds it took until its head came.
    pub cost_ms: u64,
    /// For how long it may be used.
    pub terms: Terms,
    /// Whether requests with `Authorization` may be answered by it (§3.5).
    pub for_authorized: bool,
    /// Whether it was made for a request with `Authorization`, and the origin
    /// did not call it `public`: no rule lengthens its life, and only its ETag
    /// tells that it is another request's answer, too.
    pub by_credentials: bool,
    /// The origin's status code.
    pub status: u16,
    /// Length of the body in bytes, where the origin said so.
    pub length: Option<u64>,
    /// Surrogate keys.
    pub tags: Vec<String>,
    /// The marks of every name by which it can be purged (`selector::marks`).
    pub marks: Vec<u64>,
    /// The request fields that chose it.
    pub choices: Vec<Choice>,
    /// The fields that clients get.
    pub fields: Fields,
}

/// Why a text is no entry. In every case the entry counts as missing.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EntryError {
    /// It is of another format version, or something else altogether.
    #[error("entry of another format")]
    Version,
    /// It ends too early, goes on too long, or holds what it must not.
    #[error("garbled entry")]
    Garbled,
}

/// Format version; another one is a miss. It is raised, too, when a rule of
/// what may be stored becomes stricter: what was stored by the old rule must
/// not be served by the new one. (E5: restrictive words in any spelling, an
/// unreadable `Vary`, no fallback by what was never fresh, redirects to
/// themselves, the tags of Drupal.)
const VERSION: &str = "E5";

/// The longest text of an entry.
///
/// It is a field of the wrapper in the Cache API, and Cloudflare allows 128 KB
/// for all fields of a response. There are the text (72 KiB), the answer's own
/// fields once more (at most [`FIELDS_BYTES_MAX`]) and the tags for the zone
/// (16 KB, `cache::purge::zone_purge`): 120 KiB, which leaves 8 for what the platform adds.
/// 28 KiB of tags of 10 bytes are 2,867 tags; with a mark of 8 bytes each, as
/// base64, they take 58 KiB.
pub const ENTRY_BYTES_MAX: usize = 72 * 1024;

/// How much the names and values of an answer's own fields may be: a quarter
/// of Cloudflare's 128 KB. (See [`ENTRY_BYTES_MAX`].)
pub const FIELDS_BYTES_MAX: usize = 32 * 1024;

/// An entry that has a validator is kept a day beyond its use, because a 304
/// is cheaper than a body.
const KEEP_FOR_VALIDATION_SECONDS: u64 = 86_400;

impl Entry {
    /// Current age in seconds (RFC 9111 §4.2.3).
    pub fn age(&self, now_ms: u64) -> u64 {
        let resident = now_ms.saturating_sub(self.received_ms) / 1000;
        self.initial_age.saturating_add(resident)
    }

    /// For how many seconds after its arrival it is worth keeping.
    pub fn retention_seconds(&self) -> u64 {
        let mut until = window::gone_at(&self.terms);
        if self.has_validator() {
            let lifetime = self.terms.lifetime;
            until = until.max(lifetime.saturating_add(KEEP_FOR_VALIDATION_SECONDS));
        }
        until.saturating_sub(self.initial_age)
    }

    /// Whether the tiers take its head: [`ENTRY_BYTES_MAX`] and
    /// [`FIELDS_BYTES_MAX`] hold.
    pub fn fits_the_tiers(&self) -> bool {
        // Two bytes stand between a name, its value and the next.
        let line = |(name, value): (&str, &str)| {
            let bytes = name.len().saturating_add(value.len());
            bytes.saturating_add(2)
        };
        let fields = self.fields.iter().map(line).fold(0, usize::saturating_add);
        fields <= FIELDS_BYTES_MAX && self.encode().len() <= ENTRY_BYTES_MAX
    }

    /// Whether the origin can be asked if it is still good.
    pub fn has_validator(&self) -> bool {
        self.fields.has("etag") || self.fields.has("last-modified")
    }

    /// Adds tags, and their marks.
    pub fn add_tags(&mut self, tags: &[String]) {
        for tag in tags {
            if !self.tags.contains(tag) {
                self.tags.push(tag.clone());
                self.marks.push(Selector::Tag(tag.clone()).mark());
            }
        }
        self.tags.sort();
        self.tags.dedup();
    }

    /// What a purge may reach it by.
    pub fn purgeable(&self) -> Purgeable<'_> {
        // A key begins with its URL (`cache::key::cache_key`).
        let (_, place) = self.key.split_once("://").unwrap_or_default();
        Purgeable {
            seen: self.seen,
            marks: &self.marks,
            host: place.split(['/', '?', '\n']).next().unwrap_or_default(),
            tags: &self.tags,
        }
    }

    /// The fetch that it came by.
    pub fn fetched(&self) -> Fetched<'_> {
        Fetched {
            key: &self.key,
            marks: &self.marks,
            received_ms: self.received_ms,
            cost_ms: self.cost_ms,
        }
    }

    /// What became of it, by the purges in an index and by unconfirmed writes.
    pub fn purge_state(&self, index: &PurgeIndex) -> PurgeState {
        match index.unconfirmed.kill(self.fetched()) {
            true => PurgeState::Hard,
            false => index.state_of(self.purgeable()),
        }
    }

    /// Whether it was stored under this key.
    pub fn is_of(&self, key: &CacheKey) -> bool {
        self.key == key.text
    }

    /// The text form.
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(512);
        text.push_str(VERSION);
        let terms = &self.terms;
        for number in [
            self.seen,
            self.received_ms,
            self.initial_age,
            terms.lifetime,
            terms.stale_while_revalidate,
            terms.stale_if_error,
            u64::from(terms.stale_allowed),
            u64::from(self.for_authorized) | u64::from(self.by_credentials) << 1,
            u64::from(self.status),
            self.cost_ms,
        ] {
            put_number(&mut text, number);
        }
        match self.length {
            Some(length) => put_number(&mut text, length),
            None => text.push('|'),
        }
        put(&mut text, &self.key);
        put_number(&mut text, self.tags.len() as u64);
        for tag in &self.tags {
            put(&mut text, tag);
        }
        text.push('|');
        let marks: Vec<u8> = self.marks.iter().flat_map(|m| m.to_be_bytes()).collect();
        URL_SAFE_NO_PAD.encode_string(&marks, &mut text);
        put_number(&mut text, self.choices.len() as u64);
        for (name, value) in &self.choices {
            put(&mut text, name);
            // A mark tells an absent field from an empty one.
            match value {
                Some(value) => put(&mut text, &format!("={value}")),
                None => put(&mut text, ""),
            }
        }
        put_number(&mut text, self.fields.len() as u64);
        for (name, value) in self.fields.iter() {
            put(&mut text, name);
            put(&mut text, value);
        }
        // The end, by which a cut text is known.
        text.push_str("|.");
        text
    }

    /// Reads the text form.
    pub fn decode(text: &str) -> Result<Self, EntryError> {
        let (version, rest) = text.split_once('|').unwrap_or((text, ""));
        if version != VERSION {
            return Err(EntryError::Version);
        }
        let entry = rest.strip_suffix('.').and_then(|rest| Reader(rest).entry());
        entry.ok_or(EntryError::Garbled)
    }
}

fn put_number(text: &mut String, number: u64) {
    // Writing to a String cannot fail.
    let _ = write!(text, "|{number}");
}

/// Adds a piece: `|` and `\` and whatever is not printable ASCII become
/// `\` and the code point in hexadecimal, closed by `;`.
fn put(text: &mut String, piece: &str) {
    text.push('|');
    for c in piece.chars() {
        if (' '..='~').contains(&c) && c != '|' && c != '\\' {
            text.push(c);
        } else {
            let _ = write!(text, "\\{:x};", u32::from(c));
        }
    }
}

fn unescape(piece: &str) -> Option<String> {
    let Some((plain, mut rest)) = piece.split_once('\\') else {
        return Some(piece.to_owned());
    };
    let mut text = plain.to_owned();
    loop {
        let (code, after) = rest.split_once(';')?;
        text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        match after.split_once('\\') {
            Some((plain, next)) => {
                text.push_str(plain);
                rest = next;
            }
            None => {
                text.push_str(after);
                return Some(text);
            }
        }
    }
}

/// What is left of a text, each piece of which ends with a `|`.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn entry(&mut self) -> Option<Entry> {
        let seen = self.number()?;
        let received_ms = self.number()?;
        let initial_age = self.number()?;
        let terms = Terms {
            lifetime: self.number()?,
            stale_while_revalidate: self.number()?,
            stale_if_error: self.number()?,
            stale_allowed: self.number()? == 1,
        };
        let authorization = self.number()?;
        if authorization > 3 {
            return None;
        }
        let status = u16::try_from(self.number()?).ok()?;
        let cost_ms = self.number()?;
        let length = match self.next()? {
            "" => None,
            digits => Some(digits.parse().ok()?),
        };
        let key = self.piece()?;
        let tags = self.several(Self::piece)?;
        let marks = self.marks()?;
        let choices = self.several(|reader| {
            let name = reader.piece()?;
            let value = reader.piece()?;
            Some((name, value.strip_prefix('=').map(str::to_owned)))
        })?;
        let fields = self.fields()?;
        Some(Entry {
            key,
            seen,
            received_ms,
            initial_age,
            cost_ms,
            terms,
            for_authorized: authorization & 1 == 1,
            by_credentials: authorization & 2 == 2,
            status,
            length,
            tags,
            marks,
            choices,
            fields,
        })
    }

    fn next(&mut self) -> Option<&'a str> {
        let (piece, rest) = self.0.split_once('|')?;
        self.0 = rest;
        Some(piece)
    }

    fn number(&mut self) -> Option<u64> {
        self.next()?.parse().ok()
    }

    /// The fields, which are all that is left.
    fn fields(&mut self) -> Option<Fields> {
        let count = self.number()?;
        let text = self.0.strip_suffix('|').unwrap_or_default();
        let fields = match text.contains('\\') {
            _ if text.is_empty() => Fields::new(),
            false => Fields::read(text, b'|'),
            true => {
                let mut fields = Fields::new();
                let mut pieces = text.split('|').map(unescape);
                while let (Some(name), Some(value)) = (pieces.next(), pieces.next()) {
                    fields.add(&name?, value?);
                }
                fields
            }
        };
        let pieces = match text.is_empty() {
            true => 0,
            false => text.bytes().filter(|byte| *byte == b'|').count() as u64 + 1,
        };
        let whole = fields.len() as u64 == count && count.checked_mul(2) == Some(pieces);
        whole.then_some(fields)
    }

    fn marks(&mut self) -> Option<Vec<u64>> {
        let bytes = URL_SAFE_NO_PAD.decode(self.next()?).ok()?;
        let (marks, rest) = bytes.as_chunks::<8>();
        rest.is_empty()
            .then(|| marks.iter().map(|mark| u64::from_be_bytes(*mark)).collect())
    }

    fn piece(&mut self) -> Option<String> {
        unescape(self.next()?)
    }

    /// A count and as many items. The count is not trusted with memory: the
    /// list grows as items are read.
    fn several<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(one(self)?);
        }
        Some(items)
    }
}
