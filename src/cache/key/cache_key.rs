//! Cache keys: what a request asks for, in one spelling.

use crate::cache::config::rule::{Query, Rule};
use crate::http::url::{self, Url};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;

/// Query parameters that tell where a visitor came from and change no page.
/// Names; a trailing `*` stands for any ending.
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

/// The longest URL that is cached. Keys travel in a stored entry's head, of
/// which a quarter may be the key.
pub const URL_BYTES_MAX: usize = 8192;

/// What a request asks for. Two requests with equal keys may share an entry,
/// as far as `Vary` allows.
#[derive(Clone, Debug)]
pub struct CacheKey {
    /// The canonical URL, which the origin is asked for.
    pub url: Url,
    /// The URL as text, and a line for each field and cookie in the key.
    pub text: String,
    /// Where the answer lies, once somebody has asked.
    slot: OnceCell<Slot>,
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
        let text = url.to_text();
        Self::new(url, text)
    }

    fn new(url: Url, text: String) -> Self {
        let slot = OnceCell::new();
        Self { url, text, slot }
    }

    /// Adds a request field or cookie to the key. `kind` keeps fields and
    /// cookies apart; a missing one is told from an empty one.
    pub fn add(&mut self, kind: &str, name: &str, value: Option<&str>) {
        self.slot.take();
        // Values of fields hold no line feed, so lines cannot be forged.
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

    /// Where the answer without regard to `Vary` lies.
    pub fn slot(&self) -> &Slot {
        self.slot.get_or_init(|| self.slot_of(&self.text))
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

/// The URL in its normal form, before any rule: path canonical, query as it
/// came. Rules are matched against this, so that no spelling evades them.
pub fn canonical_path(url: &Url) -> Url {
    Url {
        scheme: url.scheme,
        host: url.host.clone(),
        path: url::canonical_path(&url.path),
        query: url.query.clone(),
    }
}

/// A URL of canonical path with its query as `rule` wants it: parameters
/// dropped, sorted stably by name (equal names keep their order); no query
/// rather than an empty one.
pub fn canonical_query(url: Url, rule: &Rule) -> Url {
    let query = url.query.as_deref().unwrap_or_default();
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(url::canonical_parameter)
        .filter(|parameter| is_kept(name_of(parameter), rule))
        .collect();
    if rule.sort_query {
        parameters.sort_by(|one, other| name_of(one).cmp(name_of(other)));
    }
    Url {
        query: (!parameters.is_empty()).then(|| parameters.join("&")),
        ..url
    }
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or_default()
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
