//! Selectors of purges, and the selectors that match a response.
//!
//! A selector is stored as a mark of 64 bits. The ledger stores the marks of
//! orders. An entry stores the marks of all its selectors from its creation, so
//! that a hit computes no digest and parses no URL.

use super::groups;
use crate::cache::config::rule::Rule;
use crate::cache::key::cache_key;
use crate::http::url::Url;
use sha2::{Digest, Sha256};
use std::fmt;

/// A selector of a purge. The host is lower-case and the URL canonical. Schemes
/// are ignored, so that a purge of a page matches it over http and https.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// One URL with all its variants: `host/path?query`.
    Url(String),
    /// A path with all its queries: `host/path`. It replaces the URL where the
    /// origin selects the query parameters that matter, and for
    /// `X-Purge-Method: default` of Varnish clients. Orders cannot list it.
    Path(String),
    /// A cache tag (surrogate key).
    Tag(String),
    /// A cache group of an origin (RFC 9875).
    Group {
        /// Scheme and host.
        origin: String,
        /// Name of the group.
        group: String,
    },
    /// A path and all paths below it: `host/path`, without a slash at the end.
    Prefix(String),
    /// All pages of a host, on all its ports: a reader may request any port,
    /// and a purge of the host must match those entries.
    Host(String),
    /// Everything.
    Everything,
}

/// The text of the selector of everything.
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
    /// Returns the 64 bits that represent it in ledger, index and entries. A
    /// collision causes an unnecessary fetch.
    pub fn mark(&self) -> u64 {
        mark_of(&self.to_string())
    }
}

/// Returns the mark of a selector's text: the first 64 bits of its SHA-256. The
/// digest is cryptographic because any client can create marks of URLs (by
/// writes), and must not be able to match the mark of something else.
pub fn mark_of(text: &str) -> u64 {
    Sha256::digest(text.as_bytes())
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// How many `/` of a path are considered for prefixes. A deeper prefix in an
/// order is an error.
pub const PREFIX_DEPTH_MAX: usize = 32;

/// Returns `host/path?query` of a canonical URL.
pub fn url_text(url: &Url) -> String {
    let text = format!("{}{}", url.host, url.path);
    match &url.query {
        Some(query) => format!("{text}?{query}"),
        None => text,
    }
}

/// Returns the selector of a canonical URL under its rule.
pub fn url_selector(url: Url, rule: &Rule) -> Selector {
    if rule.no_vary_search {
        // An entry may have been stored under fewer parameters. The whole path
        // purges too much, but never too little.
        return Selector::Path(format!("{}{}", url.host, url.path));
    }
    Selector::Url(url_text(&cache_key::canonical_query(url, rule)))
}

/// Returns the marks of all selectors that match a response ([`selectors`]).
pub fn marks(url: &Url, tags: &[String], groups: &[String]) -> Vec<u64> {
    let names = selectors(url, tags, groups);
    names.iter().map(Selector::mark).collect()
}

/// Returns all selectors that match a response, except "everything", which is
/// the floor.
pub fn selectors(url: &Url, tags: &[String], groups: &[String]) -> Vec<Selector> {
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
    names
}
