//! Cache keys: what a request asks for, in one spelling.

use super::rules::{Query, Rule};
use crate::http::sort::sort_by;
use crate::http::url::{self, Url};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Query parameters that tell where a visitor came from and change no page.
/// Names; a trailing `*` stands for any ending.
const TRACKING: [&str; 33] = [
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

/// The longest URL that is cached. Keys travel in a stored entry's head, of
/// which a quarter may be the key.
pub const URL_BYTES_MAX: usize = 8192;

/// What a request asks for. Two requests with equal keys may share an entry,
/// as far as `Vary` allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheKey {
    /// The canonical URL, which the origin is asked for.
    pub url: Url,
    /// The URL as text, and a line for each field and cookie in the key.
    pub text: String,
}

/// Where an entry lies in the tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// 128 bits of SHA-256 in hexadecimal. A collision costs a miss: an entry
    /// knows its own key.
    pub digest: String,
    /// The Cache API's key. Host and path are the entry's own, so that a purge
    /// of the zone by host or prefix reaches it.
    pub entry_url: String,
}

impl CacheKey {
    /// The key of a canonical URL alone.
    pub fn of_url(url: Url) -> Self {
        let text = url.to_string();
        Self { url, text }
    }

    /// Adds a request field or cookie to the key. `kind` keeps fields and
    /// cookies apart; a missing one is told from an empty one.
    pub fn add(&mut self, kind: &str, name: &str, value: Option<&str>) {
        // Values of fields hold no line feed, so lines cannot be forged.
        let line = match value {
            Some(value) => format!("\n{kind}:{name}={value}"),
            None => format!("\n{kind}:{name}"),
        };
        self.text.push_str(&line);
    }

    /// The key of another URL, with the same fields and cookies.
    pub fn with_url(&self, url: Url) -> Self {
        let mut text = url.to_string();
        if let Some((_, rest)) = self.text.split_once('\n') {
            text.push('\n');
            text.push_str(rest);
        }
        Self { url, text }
    }

    /// Where the answer without regard to `Vary` lies.
    pub fn slot(&self) -> Slot {
        self.slot_of(&self.text)
    }

    /// Where the variant of this text lies (see `negotiation`).
    pub fn variant_slot(&self, variant: &str) -> Slot {
        self.slot_of(&format!("{}\n\n{variant}", self.text))
    }

    /// Where a part of the answer lies.
    pub fn part_slot(&self) -> Slot {
        self.slot_of(&format!("{}\n\n\npart", self.text))
    }

    fn slot_of(&self, text: &str) -> Slot {
        let digest = digest(text);
        let (scheme, host, path) = (self.url.scheme, &self.url.host, &self.url.path);
        let entry_url = format!("{scheme}://{host}{path}?edgekeep={digest}");
        Slot { digest, entry_url }
    }
}

/// 128 bits of SHA-256 as 32 hexadecimal digits.
pub fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let mut hex = String::with_capacity(32);
    for byte in hash.iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The URL in its normal form, before any rule: path canonical, query as it
/// came. Rules are matched against this, so that no spelling evades them.
pub fn canonical_path(url: &Url) -> Url {
    Url {
        path: url::canonical_path(&url.path),
        ..url.clone()
    }
}

/// A URL of canonical path with its query as `rule` wants it: parameters
/// dropped, sorted stably by name (equal names keep their order); no query
/// rather than an empty one.
pub fn canonical_query(url: Url, rule: &Rule) -> Url {
    let query = url.query.as_deref().unwrap_or_default();
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let parameter = url::canonical_parameter(parameter);
            let name = parameter.split('=').next().unwrap_or_default().to_owned();
            (name, parameter)
        })
        .filter(|(name, _)| is_kept(name, rule))
        .collect();
    if rule.sort_query {
        sort_by(&mut parameters, |(a, _), (b, _)| a.cmp(b));
    }
    let parameters: Vec<String> = parameters.into_iter().map(|(_, text)| text).collect();
    Url {
        query: (!parameters.is_empty()).then(|| parameters.join("&")),
        ..url
    }
}

fn is_kept(name: &str, rule: &Rule) -> bool {
    let named = |list: &[String]| list.iter().any(|wanted| wanted == name);
    let listed = match &rule.query {
        Query::All => true,
        // A parameter that the site names is kept even if trackers use it too.
        Query::Allow(names) => return named(names),
        Query::Deny(names) => !named(names),
    };
    listed && !(rule.drop_tracking && is_tracking(name))
}

fn is_tracking(name: &str) -> bool {
    TRACKING.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}
