//! Purge selectors, and the index of purges that an isolate has seen.
//!
//! Purges are ordered by the ledger's numbers, never by clocks. An entry notes
//! the number its isolate had seen before it asked the origin; it is dead to
//! any matching purge with a larger one. A fill in flight during a purge is
//! therefore dead on arrival.

use super::rules::Rule;
use super::{groups, key};
use crate::http::url::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;

/// What a purge names. The host is lower-case and the URL canonical; schemes
/// do not count, so that a purge of a page reaches it over http and https.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// One URL with all its variants: `host/path?query`.
    Url(String),
    /// A path with all its queries: `host/path`. No order names it; it stands
    /// for a URL where the origin says which parameters matter.
    Path(String),
    /// A surrogate key.
    Tag(String),
    /// A cache group of an origin (RFC 9875).
    Group {
        /// Scheme and host.
        origin: String,
        /// Its name there.
        group: String,
    },
    /// Every path that is this or lies below it: `host/path`, no slash at the
    /// end.
    Prefix(String),
    /// Every page of a host.
    Host(String),
    /// Everything.
    Everything,
}

/// The selector of everything, as text.
const EVERYTHING: &str = "everything";

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "url:{url}"),
            Self::Path(path) => write!(f, "path:{path}"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
            Self::Group { origin, group } => write!(f, "group:{origin} {group}"),
            Self::Prefix(prefix) => write!(f, "prefix:{prefix}"),
            Self::Host(host) => write!(f, "host:{host}"),
            Self::Everything => f.write_str(EVERYTHING),
        }
    }
}

impl Selector {
    /// 64 bits of SHA-256 that stand for it in ledger and index. A collision
    /// costs a needless fetch.
    pub fn mark(&self) -> u64 {
        mark_of(&self.to_string())
    }
}

fn mark_of(text: &str) -> u64 {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What an entry may be named by.
#[derive(Clone, Debug)]
pub struct Covered<'a> {
    /// Its canonical URL.
    pub url: Url,
    /// Its surrogate keys.
    pub tags: &'a [String],
    /// Its cache groups.
    pub groups: &'a [String],
}

/// How many `/` of a path are looked at for prefixes. A prefix order may not
/// be deeper.
pub const PREFIX_DEPTH_MAX: usize = 32;

/// `host/path?query` of a canonical URL.
pub fn url_text(url: &Url) -> String {
    let text = format!("{}{}", url.host, url.path);
    match &url.query {
        Some(query) => format!("{text}?{query}"),
        None => text,
    }
}

/// The selector of a canonical URL under its rule.
pub fn url_selector(url: Url, rule: &Rule) -> Selector {
    if rule.no_vary_search {
        // An entry may have been stored under fewer parameters: all of the
        // path is too much, but never too little.
        return Selector::Path(format!("{}{}", url.host, url.path));
    }
    Selector::Url(url_text(&key::canonical_query(url, rule)))
}

impl Covered<'_> {
    fn selectors(&self) -> impl Iterator<Item = Selector> {
        let tags = self.tags.iter().map(|tag| Selector::Tag(tag.clone()));
        let host = std::iter::once(Selector::Host(self.url.host.clone()));
        let path = Selector::Path(format!("{}{}", self.url.host, self.url.path));
        let url = [Selector::Url(url_text(&self.url)), path].into_iter();
        let path = self.url.path.as_str();
        let ends = path.match_indices('/').map(|(at, _)| at);
        let ends = ends.take(PREFIX_DEPTH_MAX + 1).chain([path.len()]);
        let prefixes = ends.filter_map(move |end| {
            let prefix = path.get(..end)?.trim_end_matches('/');
            Some(Selector::Prefix(format!("{}{prefix}", self.url.host)))
        });
        let origin = groups::origin(&self.url);
        let groups = self.groups.iter().map(move |group| Selector::Group {
            origin: origin.clone(),
            group: group.clone(),
        });
        url.chain(tags).chain(groups).chain(host).chain(prefixes)
    }
}

/// The largest numbers under which something was purged; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// Hard: the entry is gone.
    pub hard: u64,
    /// Soft: the entry is stale.
    pub soft: u64,
}

impl Numbers {
    fn raise(&mut self, other: Self) {
        self.hard = self.hard.max(other.hard);
        self.soft = self.soft.max(other.soft);
    }
}

/// What the ledger tells of purges after some number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// The ledger's last number: this news is complete up to it.
    pub sequence: u64,
    /// Everything with a smaller number is dead (or stale).
    pub floor: Numbers,
    /// Marks as hexadecimal digits, because JSON numbers hold 53 bits only.
    pub marks: Vec<(String, Numbers)>,
}

/// What purges say of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeState {
    /// None since its fill began.
    Alive,
    /// Softly purged: it counts as stale.
    Soft,
    /// Gone.
    Hard,
}

/// The purges an isolate has seen: complete up to [`PurgeIndex::sequence`].
#[derive(Debug, Default)]
pub struct PurgeIndex {
    sequence: u64,
    floor: Numbers,
    marks: HashMap<u64, Numbers>,
}

impl PurgeIndex {
    /// The number up to which the index is complete.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Takes in what the ledger told. News may come in any order and twice.
    pub fn learn(&mut self, news: &News) {
        self.sequence = self.sequence.max(news.sequence);
        self.floor.raise(news.floor);
        for (mark, numbers) in &news.marks {
            if let Ok(mark) = u64::from_str_radix(mark, 16) {
                self.marks.entry(mark).or_default().raise(*numbers);
            }
        }
        let (hard, soft) = (self.floor.hard, self.floor.soft.max(self.floor.hard));
        self.marks
            .retain(|_, numbers| numbers.hard > hard || numbers.soft > soft);
    }

    /// What became of an entry whose fill had seen the number `seen`.
    pub fn state(&self, seen: u64, covered: &Covered<'_>) -> PurgeState {
        // The usual case: nothing was purged since.
        if seen >= self.sequence {
            return PurgeState::Alive;
        }
        let mut found = self.floor;
        if !self.marks.is_empty() {
            for selector in covered.selectors() {
                if let Some(numbers) = self.marks.get(&selector.mark()) {
                    found.raise(*numbers);
                }
            }
        }
        if found.hard > seen {
            PurgeState::Hard
        } else if found.soft > seen {
            PurgeState::Soft
        } else {
            PurgeState::Alive
        }
    }
}

/// How long a tag may be: Cloudflare's limit for purge by tag.
const TAG_BYTES_MAX: usize = 1024;
/// How many tags of an entry count; more are a reason not to store it.
pub const TAGS_MAX: usize = 1000;

/// Whether a text may be a tag: printable ASCII without spaces and commas,
/// which separate tags in response fields.
pub fn is_tag(tag: &str) -> bool {
    let valid = |b: u8| b.is_ascii_graphic() && b != b',';
    !tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag.bytes().all(valid)
}
