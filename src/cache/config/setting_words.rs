//! Settings that are one of several words, and deserializers for such settings
//! and for those that are not `null`.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// `"off"`, `"isolate"` or `"data-centre"`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collapse {
    /// Each request fetches for itself.
    Off,
    /// The requests in one isolate share a fetch.
    Isolate,
    /// The requests in one data centre share a fetch, by a note in the Cache
    /// API.
    DataCentre,
}

/// `"serve"` or `"revalidate"`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerOutage {
    /// Serve stored responses, and report `old-purge-index`.
    Serve,
    /// Revalidate with the origin first.
    Revalidate,
}

/// The dialect of a purge call: another cache whose calls a rule can accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `PURGE <url>` and `BAN` (`cache::purge::varnish`).
    Varnish,
    /// `POST /service/<id>/purge` and related calls.
    Fastly,
    /// `POST /client/v4/zones/<id>/purge_cache`
    Cloudflare,
    /// Orders to Edgekeep's own URL, signed as GitHub signs its webhooks.
    Github,
}

impl Dialect {
    /// Its name in settings and receipts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Varnish => "varnish",
            Self::Fastly => "fastly",
            Self::Cloudflare => "cloudflare",
            Self::Github => "github",
        }
    }
}

/// Reads an optional field; `null` is an error.
pub fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Reads one of `words`, and returns its value.
pub fn one_of<'de, T: Copy, D: Deserializer<'de>>(
    from: D,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    let text = String::deserialize(from).ok();
    let found = words.iter().find(|(word, _)| text.as_deref() == Some(word));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = words
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        D::Error::custom(format_args!("must be {}", words.join(" or ")))
    })
}

/// Reads the word `"all"`.
pub fn all_word<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    one_of(from, &[("all", ())])
}

/// Reads the word `"earned"`.
pub fn earned_word<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    one_of(from, &[("earned", ())])
}
