//! The request fields that caches leave out of their keys and origins use.

use super::session::USER_AGENT;
use crate::http::url::Url;
use Sample::{
    Address, Fixed, Forwarded, Host, HostAndPort, HostWithPort, Language, Location, OtherScheme,
    Path, Port, Text, Token,
};

/// What a field's value is made of. All but `Fixed` and `OtherScheme` have a
/// canary: a unique text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// A host name that cannot exist (RFC 2606).
    Host,
    /// The site's own host with another port.
    HostWithPort,
    /// A host name that cannot exist, with a port.
    HostAndPort,
    /// A port.
    Port,
    /// The scheme that the site is not requested by.
    OtherScheme,
    /// A path.
    Path,
    /// The URL of a host that cannot exist.
    Location,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// An address of a documentation network (RFC 5737).
    Address,
    /// A text.
    Text,
    /// A language tag.
    Language,
    /// Credentials.
    Token,
    /// This value.
    Fixed(&'static str),
}

/// A field with a value for one trial.
#[derive(Clone, Debug)]
pub struct SentField {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: String,
    /// The unique part of the value.
    pub canary: Option<String>,
}

/// The fields, with methods that change nothing only: `HEAD` instead of `POST`.
pub const REQUEST_FIELDS: [(&str, Sample); 72] = [
    ("X-Forwarded-Host", Host),
    ("X-Host", Host),
    ("X-Original-Host", Host),
    ("X-Forwarded-Server", Host),
    ("X-HTTP-Host-Override", Host),
    ("X-Host-Override", Host),
    ("X-Backend-Host", Host),
    ("X-Real-Host", Host),
    ("X-Proxy-Host", Host),
    ("X-Gateway-Host", Host),
    ("X-Forwarded-Domain", Host),
    ("X-Forwarded-By", Host),
    ("Forwarded", Forwarded),
    ("X-Forwarded-Host", HostWithPort),
    ("Host", HostWithPort),
    ("X-Host", HostAndPort),
    ("X-Forwarded-Port", Port),
    ("X-Port", Port),
    ("X-Forwarded-Scheme", OtherScheme),
    ("X-Forwarded-Proto", OtherScheme),
    ("X-Forwarded-Protocol", OtherScheme),
    ("X-Scheme", OtherScheme),
    ("X-Url-Scheme", OtherScheme),
    ("X-Forwarded-SSL", Fixed("off")),
    ("Front-End-Https", Fixed("off")),
    ("CloudFront-Forwarded-Proto", OtherScheme),
    ("X-Original-URL", Path),
    ("X-Rewrite-URL", Path),
    ("X-Original-URI", Path),
    ("X-Forwarded-URI", Path),
    ("X-Forwarded-Path", Path),
    ("X-Forwarded-Prefix", Path),
    ("X-Script-Name", Path),
    ("X-Envoy-Original-Path", Path),
    ("X-Invoke-Path", Path),
    ("X-Matched-Path", Path),
    ("Request-URI", Path),
    ("Base-URL", Location),
    ("X-Proxy-URL", Location),
    ("Destination", Location),
    ("X-WAP-Profile", Location),
    ("X-Amz-Website-Redirect-Location", Location),
    ("Origin", Location),
    ("Referer", Location),
    ("X-HTTP-Method-Override", Fixed("HEAD")),
    ("X-HTTP-Method", Fixed("HEAD")),
    ("X-Method-Override", Fixed("HEAD")),
    ("X-Forwarded-For", Address),
    ("X-Real-IP", Address),
    ("X-Client-IP", Address),
    ("True-Client-IP", Address),
    ("Client-IP", Address),
    ("X-Forwarded-User", Text),
    ("X-Requested-With", Fixed("XMLHttpRequest")),
    ("X-PJAX", Fixed("true")),
    ("HX-Request", Fixed("true")),
    ("X-Inertia", Fixed("true")),
    ("Turbo-Frame", Text),
    ("RSC", Fixed("1")),
    ("X-Nextjs-Data", Fixed("1")),
    ("X-Middleware-Prefetch", Fixed("1")),
    ("Purpose", Fixed("prefetch")),
    ("Save-Data", Fixed("on")),
    ("User-Agent", Text),
    ("Accept-Language", Language),
    ("Accept", Fixed("application/json")),
    ("Authorization", Token),
    ("Range", Fixed("bytes=0-0")),
    ("If-None-Match", Fixed("*")),
    ("Content-Type", Text),
    ("X-Padding", Fixed(PADDING)),
    ("Max-Forwards", Fixed("0")),
];

/// A field of 8,192 bytes: more than the head that many origins accept, and less
/// than what many caches accept.
const PADDING: &str = {
    const BYTES: [u8; 8192] = [b'x'; 8192];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

impl SentField {
    /// A field for one trial; `unique` has been in no other one.
    pub fn new((name, sample): (&'static str, Sample), url: &Url, unique: &str) -> Self {
        let host = format!("{unique}.invalid");
        let digits = number_of(unique);
        let port = 49_152_u32.saturating_add(digits % 16_000);
        let address = format!("203.0.{}.{}", 113, digits % 254 + 1);
        let other = if url.scheme == "https" {
            "http"
        } else {
            "https"
        };
        let (value, canary) = match sample {
            Host => (host.clone(), Some(host)),
            HostWithPort => (
                format!("{}:{port}", url.host_name()),
                Some(format!(":{port}")),
            ),
            HostAndPort => (format!("{host}:{port}"), Some(host)),
            Port => (port.to_string(), Some(format!(":{port}"))),
            OtherScheme => (other.to_owned(), None),
            Path => (format!("/{unique}"), Some(unique.to_owned())),
            Location => (format!("https://{host}/"), Some(host)),
            Forwarded => (
                format!("for={address};host={host};proto={other}"),
                Some(host),
            ),
            Address => (address.clone(), Some(address)),
            Text if name == "User-Agent" => {
                (format!("{USER_AGENT} {unique}"), Some(unique.to_owned()))
            }
            Text => (unique.to_owned(), Some(unique.to_owned())),
            Language => (format!("en-x-{digits}"), Some(format!("en-x-{digits}"))),
            Token => (format!("Basic {unique}"), Some(unique.to_owned())),
            Fixed(value) => (value.to_owned(), None),
        };
        Self {
            name,
            value,
            canary,
        }
    }
}

/// A number of five digits or more from the text's own digits.
fn number_of(unique: &str) -> u32 {
    let digits = unique.bytes().filter(u8::is_ascii_digit);
    digits.fold(1, |number: u32, digit| {
        number.wrapping_mul(31).wrapping_add(u32::from(digit)) % 10_000_000
    })
}
