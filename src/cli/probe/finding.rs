//! A fault: what it is, the requests that show it, and what mends it.

use super::exchange::ProbeExchange;
use serde::Serialize;

/// The kind of a fault. Its name is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value of a request field comes back to a request without it.
    PoisonedContent,
    /// A request field changes the response to a request without it.
    PoisonedResponse,
    /// A path that looks like a file makes a page cached.
    PathDeception,
    /// `Set-Cookie` is in a hit.
    StoredSetCookie,
    /// What belongs to one cookie comes back to another one.
    SharedCookieContent,
    /// A `private` or `no-store` response is a hit.
    StoredPrivate,
    /// The page has no lifetime.
    MissingLifetime,
    /// The page has a lifetime and no validator.
    MissingValidator,
    /// The encoding depends on a field that is not in `Vary`.
    MissingVary,
    /// A 304 has other fields than the 200.
    NotModifiedDiffers,
    /// HEAD and GET differ.
    HeadDiffers,
    /// An error is cached for more than a minute.
    LongLivedError,
}

/// How much harm a fault can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Readers get another reader's content, or an attacker's.
    High,
    /// It becomes one of those with another mistake, or the page breaks.
    Medium,
    /// The page is slower or costs more than it must.
    Low,
}

impl Severity {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What mends a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// A setting of Edgekeep.
    pub edgekeep: &'static str,
    /// A field or a change of the origin.
    pub origin: &'static str,
}

impl Kind {
    /// Its name, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::PoisonedContent => "poisoned-content",
            Self::PoisonedResponse => "poisoned-response",
            Self::PathDeception => "path-deception",
            Self::StoredSetCookie => "stored-set-cookie",
            Self::SharedCookieContent => "shared-cookie-content",
            Self::StoredPrivate => "stored-private",
            Self::MissingLifetime => "missing-lifetime",
            Self::MissingValidator => "missing-validator",
            Self::MissingVary => "missing-vary",
            Self::NotModifiedDiffers => "not-modified-differs",
            Self::HeadDiffers => "head-differs",
            Self::LongLivedError => "long-lived-error",
        }
    }

    /// How much harm it can do.
    pub fn severity(self) -> Severity {
        match self {
            Self::PoisonedContent
            | Self::PoisonedResponse
            | Self::PathDeception
            | Self::SharedCookieContent
            | Self::StoredSetCookie => Severity::High,
            Self::StoredPrivate | Self::MissingVary | Self::HeadDiffers => Severity::Medium,
            Self::LongLivedError => Severity::Medium,
            Self::MissingLifetime | Self::MissingValidator | Self::NotModifiedDiffers => {
                Severity::Low
            }
        }
    }

    /// What mends it.
    pub fn remedy(self) -> Remedy {
        let (edgekeep, origin) = match self {
            Self::PoisonedContent | Self::PoisonedResponse => (
                "do not list the field in forward_headers; if the page needs it, key_headers = [\"name\"]",
                "do not build pages from the field, or send Vary with its name",
            ),
            Self::PathDeception => (
                "a rule for the page's paths with cache = false",
                "answer 404 to paths that the page does not have, and send Cache-Control: private, no-store",
            ),
            Self::StoredSetCookie => (
                "cache = false for the page, or strip_set_cookie if the cookie is not needed",
                "send no Set-Cookie with public pages, or Cache-Control: private",
            ),
            Self::SharedCookieContent => (
                "name the cookie in bypass_cookies, or in key_cookies if it has few values",
                "send Cache-Control: private, or Vary: Cookie",
            ),
            Self::StoredPrivate => (
                "it never stores such a response: remove the rule of the other cache that overrides Cache-Control",
                "if the page is public, send Cache-Control: no-cache and CDN-Cache-Control: max-age=60",
            ),
            Self::MissingLifetime => (
                "set the lifetime at the origin: edge_ttl changes a lifetime, and never makes a response storable",
                "send Cache-Control: public, max-age=60 (or private, no-store if the page is personal)",
            ),
            Self::MissingValidator => (
                "none: a validator is the origin's",
                "send ETag or Last-Modified, so that an old copy is revalidated instead of sent again",
            ),
            Self::MissingVary => (
                "none: it keeps encodings apart by Vary",
                "send Vary: Accept-Encoding with every response that may be compressed",
            ),
            Self::NotModifiedDiffers => (
                "none: it makes its own 304 from the stored fields",
                "send the same ETag, Cache-Control, Vary and Expires with 304 as with 200",
            ),
            Self::HeadDiffers => (
                "cache = false for the page, until the origin is mended",
                "answer HEAD with the status and fields of GET",
            ),
            Self::LongLivedError => (
                "negative_ttl = { 404 = 10 }, for errors to which the origin gives no lifetime",
                "send Cache-Control: max-age=10 with errors",
            ),
        };
        Remedy { edgekeep, origin }
    }
}

/// A request and what its response showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The method, the URL and the special fields.
    pub request: String,
    /// The status and what matters of the response.
    pub response: String,
}

impl Evidence {
    /// What a response showed; `shown` is the part of it that matters.
    pub fn of(exchange: &ProbeExchange, shown: &str) -> Self {
        let request = &exchange.request;
        let method = if request.is_head { "HEAD" } else { "GET" };
        let mut text = format!("{method} {}", request.url);
        for (name, value) in &request.fields {
            let value = match name.eq_ignore_ascii_case("cookie") {
                true => cookie_names(value),
                false => value.clone(),
            };
            let short: String = value.chars().take(VALUE_CHARS_MAX).collect();
            text += &format!("\n{name}: {short}");
        }
        let status = match exchange.status {
            0 => "no response".to_owned(),
            status => status.to_string(),
        };
        let length = exchange.body.len();
        let shown = if shown.is_empty() {
            String::new()
        } else {
            format!(", {shown}")
        };
        let hit = exchange.hit_mark().or_else(|| exchange.result_mark());
        let hit = hit.filter(|hit| !shown.contains(hit.as_str()));
        let hit = hit.map(|hit| format!(", {hit}")).unwrap_or_default();
        Self {
            request: text,
            response: format!("{status}, {length} bytes{hit}{shown}"),
        }
    }
}

/// A `Cookie` value without the values of its cookies.
fn cookie_names(value: &str) -> String {
    let names = value.split(';').map(|pair| pair.split('=').next());
    let names = names.map(|name| format!("{}=…", name.unwrap_or_default().trim()));
    names.collect::<Vec<_>>().join("; ")
}

/// How much of a field's value is shown.
const VALUE_CHARS_MAX: usize = 100;

/// A fault that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind.
    pub kind: Kind,
    /// The severity.
    pub severity: Severity,
    /// What is wrong, as a sentence.
    pub what: String,
    /// The requests that show it.
    pub evidence: Vec<Evidence>,
    /// What mends it.
    pub remedy: Remedy,
}

impl Finding {
    /// A finding of a kind.
    pub fn new(kind: Kind, what: String, evidence: Vec<Evidence>) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            what,
            evidence,
            remedy: kind.remedy(),
        }
    }
}
