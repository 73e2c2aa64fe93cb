//! A request of the probe, its response, and what the response says about the
//! cache.

use crate::http::fields::Fields;

/// A request.
#[derive(Clone, Debug)]
pub struct ProbeRequest {
    /// Whether it is HEAD instead of GET.
    pub is_head: bool,
    /// The URL as text.
    pub url: String,
    /// The value of the query parameter that makes the URL unique.
    pub buster: String,
    /// The fields beside those of every request, as (name, value).
    pub fields: Vec<(String, String)>,
}

impl ProbeRequest {
    /// The same URL with other fields.
    pub fn with(&self, fields: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            fields: fields.iter().map(owned).collect(),
            ..self.clone()
        }
    }
}

/// A request and its response.
#[derive(Clone, Debug)]
pub struct ProbeExchange {
    /// The request.
    pub request: ProbeRequest,
    /// The status; 0 if there was no response.
    pub status: u16,
    /// The fields of the response.
    pub fields: Fields,
    /// The first bytes of the body (`session::BODY_BYTES_MAX`).
    pub body: String,
    /// When the request was sent, in milliseconds since 1970.
    pub sent_ms: u64,
}

/// Fields in which caches say whether a response is a hit.
const RESULT_FIELDS: [&str; 16] = [
    "x-cache",
    "x-cache-status",
    "cf-cache-status",
    "x-vercel-cache",
    "x-proxy-cache",
    "x-nginx-cache",
    "x-varnish-cache",
    "x-litespeed-cache",
    "x-fastcgi-cache",
    "x-drupal-cache",
    "x-rack-cache",
    "x-cache-remote",
    "x-cache-lookup",
    "x-edge-cache",
    "x-sucuri-cache",
    "cdn-cache",
];

/// `Date` has whole seconds, so two responses that were made this long apart
/// have different dates.
pub const DATE_STEP_MS: u64 = 1_100;

impl ProbeExchange {
    /// The field that says that the response is a hit.
    pub fn hit_mark(&self) -> Option<String> {
        let marks = |name: &str, value: &str| match name {
            "cache-status" => value.split([';', ',']).any(|part| part.trim() == "hit"),
            "age" => value.trim().parse::<u64>().is_ok_and(|age| age > 0),
            "x-cache-hits" => value
                .split(',')
                .any(|n| n.trim().parse().is_ok_and(|n: u64| n > 0)),
            _ => RESULT_FIELDS.contains(&name) && is_hit_word(value),
        };
        let mut fields = self.fields.iter();
        let (name, value) = fields.find(|(name, value)| marks(name, value))?;
        Some(format!("{name}: {value}"))
    }

    /// The field that says whether the response is a hit.
    pub fn result_mark(&self) -> Option<String> {
        let is_result = |name: &str| name == "cache-status" || RESULT_FIELDS.contains(&name);
        let mut fields = self.fields.iter();
        let (name, value) = fields.find(|(name, _)| is_result(name))?;
        Some(format!("{name}: {value}"))
    }

    /// Whether a cache says anything about the response.
    pub fn reports_cache(&self) -> bool {
        let says = |name: &str| self.fields.has(name);
        self.result_mark().is_some() || says("x-cache-hits") || says("age")
    }

    /// Why the response is known to come from the cache: it says so, or has the
    /// `Date` of an earlier response.
    pub fn cached_since(&self, earlier: &Self) -> Option<String> {
        let date = self.fields.get("date");
        let is_late = self.sent_ms.saturating_sub(earlier.sent_ms) >= DATE_STEP_MS;
        let has_its_date = date.is_some() && date == earlier.fields.get("date") && is_late;
        let text = || {
            format!(
                "the same Date as the first response: {}",
                date.unwrap_or_default()
            )
        };
        self.hit_mark().or_else(|| has_its_date.then(text))
    }

    /// Whether both responses are of one kind: equal in status, `Location` and
    /// `Content-Type`, and about equally long.
    pub fn is_like(&self, other: &Self) -> bool {
        self.status == other.status
            && self.without_buster("location") == other.without_buster("location")
            && self.fields.get("content-type") == other.fields.get("content-type")
            && is_about(self.body.len(), other.body.len())
    }

    /// A field's value without the part that is unique to the request.
    fn without_buster(&self, name: &str) -> Option<String> {
        let value = self.fields.get(name)?;
        Some(value.replace(&self.request.buster, ""))
    }

    /// Where a text is in the response.
    pub fn place_of(&self, text: &str) -> Option<String> {
        let mut fields = self.fields.iter();
        let field = fields.find(|(_, value)| value.contains(text));
        match field {
            Some((name, value)) => Some(format!("{name}: {value}")),
            None => self
                .body
                .contains(text)
                .then(|| format!("{text} in the body")),
        }
    }
}

/// Whether a value such as `HIT from a.test` or `MISS, HIT` has the word `hit`.
fn is_hit_word(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    !value.contains("hit-for")
        && value
            .split(|c: char| !c.is_alphanumeric())
            .any(|w| w == "hit")
}

/// Whether two lengths are of one class: they differ by at most an eighth of the
/// longer one and 64 bytes, as pages with a clock, a token or a name do.
fn is_about(a: usize, b: usize) -> bool {
    a.abs_diff(b) <= (a.max(b) / 8).saturating_add(64)
}
