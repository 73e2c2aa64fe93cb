//! Cache keys: the normalized URL of a request, and its keyed fields and
//! cookies.

use crate::cache::config::rule::{Query, Rule};
use crate::http::url::{self, Url};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;

/// The names of tracking query parameters, which do not change a page. A
/// trailing `*` matches any ending.
pub const TRACKING: [&str; 33] = [
    "utm_*",
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "gad_source",
    "gad_campaignid",
    "_ga",
    "_gl",
    "fbclid",
    "msclkid",
    "yclid",
    "ysclid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "_hsenc",
    "_hsmi",
    "hsCtaTracking",
    "mkt_tok",
    "vero_id",
    "oly_anon_id",
    "oly_enc_id",
    "_openstat",
    "s_kwcid",
    "epik",
    "srsltid",
    "rb_clickid",
];

/// The longest URL that is cached, in bytes (path and query). A stored entry's
/// head contains its key, which may be a quarter of the head.
pub const URL_BYTES_MAX: usize = 8192;

/// A cache key. Two requests with equal keys may share an entry, if `Vary`
/// allows it.
#[derive(Clone, Debug)]
pub struct CacheKey {
    /// The canonical URL, which is requested from the origin.
    pub url: Url,
    /// The URL as text, then a line for each field and cookie in the key.
    pub text: String,
    /// The result of [`CacheKey::slot`], computed at the first call.
    slot: OnceCell<Slot>,
}

/// The address of an entry in the tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// 128 bits of SHA-256 in hexadecimal. A collision costs only a miss,
    /// because an entry contains its key, which is compared.
    pub digest: String,
    /// The key in the Cache API. It has the host and path of the entry, so that
    /// a purge of the zone by host or prefix reaches it.
    pub entry_url: String,
}

impl CacheKey {
    /// The key of a canonical URL, without fields and cookies.
    pub fn of_url(url: Url) -> Self {
        let text = url.to_text();
        Self::new(url, text)
    }

    fn new(url: Url, text: String) -> Self {
        let slot = OnceCell::new();
        Self { url, text, slot }
    }

    /// Adds a request field or cookie to the key. `kind` distinguishes fields
    /// from cookies. A missing value (`None`) differs from an empty one.
    pub fn add(&mut self, kind: &str, name: &str, value: Option<&str>) {
        self.slot.take();
        // The value of a field cannot contain a line feed, so a client cannot
        // forge a line.
        for piece in ["\n", kind, ":", name] {
            self.text.push_str(piece);
        }
        if let Some(value) = value {
            self.text.push('=');
            self.text.push_str(value);
        }
    }

    /// The key of another URL, with the same fields and cookies.
    pub fn with_url(&self, url: Url) -> Self {
        let mut text = url.to_text();
        if let Some((_, rest)) = self.text.split_once('\n') {
            text.push('\n');
            text.push_str(rest);
        }
        Self::new(url, text)
    }

    /// The same key in the namespace of shadow mode. A real key has no such
    /// line, so the slots and the texts of the two namespaces differ: an entry
    /// of one is never used for a lookup in the other.
    pub fn in_shadow(mut self) -> Self {
        self.add("shadow", "", None);
        self
    }

    /// The slot of the response that does not vary.
    pub fn slot(&self) -> &Slot {
        self.slot.get_or_init(|| self.slot_of(&self.text))
    }

    /// The slot of a variant (see [`super::variant::variant_text`]).
    pub fn variant_slot(&self, variant: &str) -> Slot {
        self.slot_of(&format!("{}\n\n{variant}", self.text))
    }

    /// The slot of a partial response.
    pub fn part_slot(&self) -> Slot {
        self.slot_of(&format!("{}\n\n\npart", self.text))
    }

    fn slot_of(&self, text: &str) -> Slot {
        let digest = digest(text);
        let (scheme, host, path) = (self.url.scheme, &self.url.host, &self.url.path);
        let entry_url = [scheme, "://", host, path, "?edgekeep=", &digest].concat();
        Slot { digest, entry_url }
    }
}

/// 128 bits of SHA-256 as 32 hexadecimal digits.
pub fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let nibbles = hash.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
    let digit = |nibble| char::from_digit(u32::from(nibble), 16);
    nibbles.filter_map(digit).collect()
}

/// The URL with a canonical path and an unchanged query. Rules are matched
/// against this URL, so that another spelling of a path does not evade them.
pub fn canonical_path(url: &Url) -> Url {
    Url {
        scheme: url.scheme,
        host: url.host.clone(),
        path: url::canonical_path(&url.path),
        query: url.query.clone(),
    }
}

/// Normalizes the query of a URL by `rule`: drops parameters, and sorts them by
/// name (parameters of equal names keep their order). An empty query becomes
/// none.
pub fn canonical_query(url: Url, rule: &Rule) -> Url {
    let query = url.query.as_deref().unwrap_or_default();
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(url::canonical_parameter)
        .filter(|parameter| dropped_by(name_of(parameter), rule).is_none())
        .collect();
    if rule.sort_query {
        parameters.sort_by(|one, other| name_of(one).cmp(name_of(other)));
    }
    Url {
        query: (!parameters.is_empty()).then(|| parameters.join("&")),
        ..url
    }
}

/// The name of a query parameter.
pub fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
}

/// The setting that keeps a query parameter of this name (canonical) out of the
/// key; `None` if the parameter is in the key.
pub fn dropped_by(name: &str, rule: &Rule) -> Option<&'static str> {
    let named = |list: &[String]| list.iter().any(|wanted| wanted == name);
    match &rule.query {
        // A parameter that the rule names is kept even if it is a tracking one.
        Query::Allow(names) => return (!named(names)).then_some("query"),
        Query::Deny(names) if named(names) => return Some("query"),
        Query::All | Query::Deny(_) => {}
    }
    (rule.drop_tracking && is_tracking(name)).then_some("drop_tracking")
}

fn is_tracking(name: &str) -> bool {
    TRACKING.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}
