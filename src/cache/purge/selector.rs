//! What a purge names, and by which names an answer can be reached.
//!
//! A name becomes a mark of 64 bits. An order leaves its marks in the ledger;
//! an entry carries the marks of all its names from the moment it is made, so
//! that looking them up on a hit takes no digest and no URL.

use super::groups;
use crate::cache::config::rule::Rule;
use crate::cache::key::cache_key;
use crate::http::url::Url;
use sha2::{Digest, Sha256};
use std::fmt;

/// What a purge names. The host is lower-case and the URL canonical; schemes
/// do not count, so that a purge of a page reaches it over http and https.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// One URL with all its variants: `host/path?query`.
    Url(String),
    /// A path with all its queries: `host/path`. It stands for a URL where the
    /// origin says which parameters matter, and for `X-Purge-Method: default`
    /// of Varnish's callers; no list of an order names it.
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
    /// Every page of a host, on all its ports: a reader may ask for any of
    /// those, and a purge of the host must reach what is stored then.
    Host(String),
    /// Everything.
    Everything,
}

/// The selector of everything, as text.
pub const EVERYTHING: &str = "everything";

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
    /// 64 bits that stand for it in ledger, index and entries. A collision
    /// costs a needless fetch.
    pub fn mark(&self) -> u64 {
        mark_of(&self.to_string())
    }
}

/// The mark of a selector's text: the start of its SHA-256, because anybody
/// can make marks of URLs (by writes), and must not hit upon the mark of
/// something else.
pub fn mark_of(text: &str) -> u64 {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
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
    Selector::Url(url_text(&cache_key::canonical_query(url, rule)))
}

/// The marks of every name by which an answer can be purged, but for
/// "everything", which is the floor.
pub fn marks(url: &Url, tags: &[String], groups: &[String]) -> Vec<u64> {
    let Url { host, path, .. } = url;
    let mut names = vec![
        Selector::Url(url_text(url)),
        Selector::Path(format!("{host}{path}")),
        Selector::Host(url.host_name().to_owned()),
    ];
    let ends = path.match_indices('/').map(|(at, _)| at);
    let ends = ends.take(PREFIX_DEPTH_MAX + 1).chain([path.len()]);
    names.extend(ends.filter_map(|end| {
        let prefix = path.get(..end)?.trim_end_matches('/');
        Some(Selector::Prefix(format!("{host}{prefix}")))
    }));
    names.extend(tags.iter().cloned().map(Selector::Tag));
    let origin = groups::origin(url);
    names.extend(groups.iter().map(|group| Selector::Group {
        origin: origin.clone(),
        group: group.clone(),
    }));
    names.dedup();
    names.iter().map(Selector::mark).collect()
}
