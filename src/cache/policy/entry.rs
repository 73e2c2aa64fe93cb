//! The head and bookkeeping of a stored response, and its compact text form.
//!
//! The body is stored beside it and is opaque. The text is printable ASCII on
//! one line, so that it fits into a response field in the Cache API and into a
//! prefix in KV.

use super::freshness::Terms;
use super::window;
use crate::cache::key::cache_key::CacheKey;
use crate::cache::key::variant::Choice;
use crate::cache::ledger::sequence::PurgeState;
use crate::cache::purge::index::{PurgeIndex, Purgeable};
use crate::cache::purge::selector::Selector;
use crate::cache::purge::unconfirmed_writes::FetchedEntry;
use crate::http::fields::Fields;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write;

/// A stored response without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole cache key it was stored under. A lookup with another key is a
    /// miss.
    pub key: String,
    /// The sequence number that its isolate had seen before the request to the
    /// origin. Any matching purge with a larger number applies to the entry.
    pub seen: u64,
    /// When its head arrived from the origin, in milliseconds since 1970.
    pub received_ms: u64,
    /// Its age at that time, in seconds.
    pub initial_age: u64,
    /// The cost of its fetch: the milliseconds until its head arrived.
    pub cost_ms: u64,
    /// Its freshness lifetime and stale windows.
    pub terms: Terms,
    /// Whether it may be used for requests with `Authorization` (§3.5).
    pub for_authorized: bool,
    /// Whether it is the response to a request with `Authorization`, without
    /// `public`. Then no rule extends its lifetime, and only its ETag can show
    /// that it is also the response to another request.
    pub by_credentials: bool,
    /// The origin's status code.
    pub status: u16,
    /// Length of the body in bytes, if the origin sent it.
    pub length: Option<u64>,
    /// Surrogate keys.
    pub tags: Vec<String>,
    /// The marks of all selectors by which it can be purged
    /// (`selector::marks`).
    pub marks: Vec<u64>,
    /// The request fields that selected it as a variant.
    pub choices: Vec<Choice>,
    /// The fields that clients receive.
    pub fields: Fields,
}

/// Why a text is not an entry. In every case the lookup is a miss.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EntryError {
    /// It has another format version, or is something else.
    #[error("entry of another format")]
    Version,
    /// It is too short, too long, or has invalid content.
    #[error("garbled entry")]
    Garbled,
}

/// Format version; another version is a miss. It also changes when a rule of
/// storability becomes stricter: what was stored by the old rule must not be
/// served by the new one. (E5: restrictive directives in any spelling, an
/// unreadable `Vary`, no stale fallback to responses that were never fresh,
/// redirects to themselves, the tags of Drupal.)
const VERSION: &str = "E5";

/// The longest text of an entry, in bytes.
///
/// The text is a field of the wrapper in the Cache API, and Cloudflare allows
/// 128 KB for all fields of a response. They consist of the text (72 KiB), the
/// response's own fields once more (at most [`FIELDS_BYTES_MAX`]) and the tags
/// for the zone (16 KB, `cache::purge::zone_purge`): 120 KiB, which leaves 8
/// for what the platform adds. 28 KiB of tags of 10 bytes are 2,867 tags; with
/// a mark of 8 bytes each, as base64, they take 58 KiB.
pub const ENTRY_BYTES_MAX: usize = 72 * 1024;

/// The largest size of the names and values of a response's own fields, in
/// bytes: a quarter of Cloudflare's 128 KB. (See [`ENTRY_BYTES_MAX`].)
pub const FIELDS_BYTES_MAX: usize = 32 * 1024;

/// How long an entry with a validator is kept after its freshness lifetime, in
/// seconds: a day, because a 304 is cheaper than a body.
const KEEP_FOR_VALIDATION_SECONDS: u64 = 86_400;

impl Entry {
    /// Current age in seconds (RFC 9111 §4.2.3).
    pub fn age(&self, now_ms: u64) -> u64 {
        let resident = now_ms.saturating_sub(self.received_ms) / 1000;
        self.initial_age.saturating_add(resident)
    }

    /// Returns the seconds after its arrival for which it is worth storing.
    pub fn retention_seconds(&self) -> u64 {
        let mut until = window::unusable_at(&self.terms);
        if self.has_validator() {
            let lifetime = self.terms.lifetime;
            until = until.max(lifetime.saturating_add(KEEP_FOR_VALIDATION_SECONDS));
        }
        until.saturating_sub(self.initial_age)
    }

    /// Whether its head is within [`ENTRY_BYTES_MAX`] and [`FIELDS_BYTES_MAX`],
    /// so that the tiers can store it.
    pub fn fits_the_tiers(&self) -> bool {
        // Two bytes separate a name, its value and the next name.
        let line = |(name, value): (&str, &str)| {
            let bytes = name.len().saturating_add(value.len());
            bytes.saturating_add(2)
        };
        let fields = self.fields.iter().map(line).fold(0, usize::saturating_add);
        fields <= FIELDS_BYTES_MAX && self.encode().len() <= ENTRY_BYTES_MAX
    }

    /// Whether it can be revalidated with the origin.
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
        self.tags.sort_unstable();
        self.tags.dedup();
    }

    /// Returns the parts of the entry that purges are matched against.
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

    /// Returns the data of its fetch, for comparison with unconfirmed writes.
    pub fn fetched(&self) -> FetchedEntry<'_> {
        FetchedEntry {
            key: &self.key,
            marks: &self.marks,
            received_ms: self.received_ms,
            cost_ms: self.cost_ms,
        }
    }

    /// Returns its state by the purges in an index and by unconfirmed writes.
    pub fn purge_state(&self, index: &PurgeIndex) -> PurgeState {
        match index.unconfirmed.purges(self.fetched()) {
            true => PurgeState::Hard,
            false => index.state_of(self.purgeable()),
        }
    }

    /// Whether it was stored under this key.
    pub fn is_of(&self, key: &CacheKey) -> bool {
        self.key == key.text
    }

    /// Returns the text form.
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
            // `=` distinguishes an empty field from an absent one.
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
        // The end mark, by which a truncated text is detected.
        text.push_str("|.");
        text
    }

    /// Parses the text form.
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

/// Appends a piece. `|`, `\` and all characters that are not printable ASCII
/// become `\`, the code point in hexadecimal, and `;`.
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

/// The rest of a text; each of its pieces ends with a `|`.
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

    /// Parses the fields, which are the rest of the text.
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

    /// Parses a count and as many items. The list grows as items are parsed, so
    /// a wrong count cannot allocate memory.
    fn several<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(one(self)?);
        }
        Some(items)
    }
}
