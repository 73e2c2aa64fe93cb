//! Absolute http(s) URLs and their normal form (RFC 3986 §6.2.2).
//!
//! `fetch` parses URLs by the URL standard (WHATWG), which reads `\` as `/` and
//! resolves dot segments. Rules, keys and purges must see the URL that `fetch`
//! would request, so this module parses in the same way. It refuses a host that
//! the standard would convert to another one, such as `127.1`. A test compares
//! both parsers in the runtime (`tests/workerd/addresses.test.mjs`).

use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// An absolute `http` or `https` URL. Scheme and host are lower-case, a
/// default port is dropped, and the path has neither `\` nor dot segments. The
/// escapes of the path, and the query, are unchanged; [`canonical_path`] and
/// [`canonical_parameter`] normalize them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host without a final dot, with `:port` unless that is the scheme's
    /// default.
    pub host: String,
    /// The path, beginning with `/`.
    pub path: String,
    /// The text after the first `?`; `None` if there is no `?`.
    pub query: Option<String>,
}

/// Why a text is not a URL that Edgekeep accepts.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// It does not begin with `http://` or `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// The host is missing, or contains characters that no host has.
    #[error("has no valid host name")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("has an invalid port")]
    Port,
    /// It contains a user name or password, which must not be in a cache key.
    #[error("must not hold a user name")]
    UserInfo,
}

impl Url {
    /// Parses an absolute URL, and drops its fragment.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => "http",
            "https" => "https",
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '\\', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let host = authority_of(scheme, authority)?;
        let target = cleaned(target);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (&*target, None),
        };
        let path = standard_path(path);
        Ok(Self {
            scheme,
            host,
            path,
            query,
        })
    }

    /// Resolves a reference against this URL (RFC 3986 §5.2). `None` if the
    /// result is not an http(s) URL.
    pub fn join(&self, reference: &str) -> Option<Self> {
        let reference = cleaned(reference.trim());
        let reference = reference.split('#').next().unwrap_or_default();
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (slashed(path), Some(query.to_owned())),
            None => (slashed(reference), None),
        };
        let absolute = |start: &str| {
            let query = query.iter().flat_map(|query| ["?", query]);
            let text: String = [start, &path].into_iter().chain(query).collect();
            Self::parse(&text).ok()
        };
        if path.starts_with("//") {
            return absolute(&format!("{}:", self.scheme));
        }
        if path.split('/').next().unwrap_or_default().contains(':') {
            return absolute("");
        }
        let (path, query) = if path.is_empty() {
            (self.path.clone(), query.or_else(|| self.query.clone()))
        } else if path.starts_with('/') {
            (standard_path(&path), query)
        } else {
            let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            (standard_path(&format!("{folder}/{path}")), query)
        };
        Some(Self {
            path,
            query,
            ..self.clone()
        })
    }

    /// The URL as text: the same as `to_string`, but faster.
    pub fn to_text(&self) -> String {
        let mut text = [self.scheme, "://", &self.host, &self.path].concat();
        if let Some(query) = &self.query {
            text.push('?');
            text.push_str(query);
        }
        text
    }

    /// Path and query, joined by `?`.
    pub fn path_and_query(&self) -> String {
        let path = &self.path;
        match &self.query {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        }
    }

    /// Whether both have the same scheme, host and port (RFC 6454 §5).
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host == other.host
    }

    /// The host without its port.
    pub fn host_name(&self) -> &str {
        host_name(&self.host)
    }
}

/// Removes the tabs and line breaks of a text, as the URL standard does.
fn cleaned(text: &str) -> Cow<'_, str> {
    match text.contains(['\t', '\n', '\r']) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace(['\t', '\n', '\r'], "")),
    }
}

/// Replaces each `\` of a path by `/`.
fn slashed(path: &str) -> Cow<'_, str> {
    match path.contains('\\') {
        false => Cow::Borrowed(path),
        true => Cow::Owned(path.replace('\\', "/")),
    }
}

/// A path in the URL standard's form, but with its percent-encoding unchanged.
fn standard_path(path: &str) -> String {
    let path = slashed(path);
    // Nearly all paths begin with `/` and have no dot segment.
    let may_have_dots = path.contains("/.") || path.contains("/%2");
    match path.starts_with('/') {
        true if !may_have_dots => path.into_owned(),
        true => remove_dot_segments(&path),
        false => remove_dot_segments(&format!("/{path}")),
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// Returns `host` without `:port`. The brackets of an IPv6 address stay.
pub fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The canonical host and port of an authority, without the default port.
fn authority_of(scheme: &str, authority: &str) -> Result<String, UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let name = host_name(authority);
    let port = authority.get(name.len() + 1..).unwrap_or_default();
    let Some(name) = canonical_host(name) else {
        let parts = authority.rsplit_once(':');
        if parts.is_some_and(|(name, _)| canonical_host(name).is_some()) {
            return Err(UrlError::Port);
        }
        return Err(UrlError::Host);
    };
    let default = if scheme == "https" { 443 } else { 80 };
    match port {
        "" => Ok(name),
        _ => match port.parse::<u16>() {
            Ok(0) | Err(_) => Err(UrlError::Port),
            Ok(number) if number == default => Ok(name),
            Ok(number) => Ok(format!("{name}:{number}")),
        },
    }
}

/// Converts a host name (without a port) to the form of the URL standard, and
/// drops a final dot: lower case, IPv6 addresses in brackets in their shortest
/// form. `None` if it is not a host name: its labels must be non-empty and
/// consist of letters, digits, `-` and `_`. Names in other scripts must be in
/// `xn--` form.
pub fn canonical_host(name: &str) -> Option<String> {
    if let Some(address) = name.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(match address.to_ipv4_mapped() {
            None => format!("[{address}]"),
            // Rust prints an IPv4-mapped address in another form than the
            // standard.
            Some(_) => {
                let [.., high, low] = address.segments();
                format!("[::ffff:{high:x}:{low:x}]")
            }
        });
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let mut labels = name.split('.');
    // A DNS name has at most 253 characters (RFC 1035 §2.3.4).
    if name.len() > 253 || !labels.all(|label| !label.is_empty() && label.bytes().all(valid)) {
        return None;
    }
    // The standard reads a name whose last label is a number as an IPv4
    // address, in any notation: `127.1`, `0x7f.1`, `2130706433`. Only the usual
    // notation is accepted here.
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let readable = !is_number || name.parse::<Ipv4Addr>().is_ok();
    readable.then_some(name)
}

/// Normalizes a pattern of host names (with `*`) as [`canonical_host`] does.
pub fn host_pattern(pattern: &str) -> String {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    pattern.to_ascii_lowercase()
}

/// Normalizes a path: canonical percent-encoding, `/` for `\`, no dot segments.
/// Two paths that a server may distinguish stay different: `//`, `%2F`, `%5C`,
/// `;` and an incomplete escape (`%zz`) are unchanged.
pub fn canonical_path(path: &str) -> String {
    let escaped = canonical_path_pattern(path);
    match escaped.starts_with('/') && !escaped.contains("/.") {
        true => escaped,
        false => remove_dot_segments(&escaped),
    }
}

/// Normalizes a path pattern (with `*`) as [`canonical_path`] does, but keeps
/// dot segments.
pub fn canonical_path_pattern(pattern: &str) -> String {
    canonical_piece(&slashed(pattern), |b| {
        is_unreserved(b) || is_path_reserved(b)
    })
}

/// Normalizes the percent-encoding of one query parameter.
pub fn canonical_parameter(text: &str) -> String {
    canonical_piece(text, |b| is_unreserved(b) || is_query_reserved(b))
}

/// Normalizes percent-encoding: escapes in upper case, unreserved characters
/// unescaped (RFC 3986 §6.2.2.1 and .2), and every byte escaped for which
/// `may_stand` is false.
fn canonical_piece(text: &str, may_stand: impl Fn(u8) -> bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    // Nearly all texts are in normal form already.
    if text.bytes().all(|byte| byte != b'%' && may_stand(byte)) {
        return text.to_owned();
    }
    let hex = |nibble: u8| char::from(HEX[usize::from(nibble & 15)]);
    let mut canonical = String::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let mut byte = *first;
        let mut escape = !may_stand(byte);
        if byte == b'%' {
            match escaped_byte(rest) {
                Some(meant) => {
                    bytes = rest.get(2..).unwrap_or_default();
                    byte = meant;
                    // A digit that would complete a stray `%` to an escape
                    // stays escaped: `%%341` is not `%41`.
                    escape = !is_unreserved(meant)
                        || (meant.is_ascii_hexdigit() && would_complete(&canonical));
                }
                // A stray `%` is unchanged: escaped, it would equal `%25`.
                None => escape = false,
            }
        }
        if escape {
            canonical.push('%');
            canonical.push(hex(byte >> 4));
            canonical.push(hex(byte));
        } else {
            canonical.push(char::from(byte));
        }
    }
    canonical
}

/// Decodes the escapes of a text. `None` if the result is not UTF-8. A stray
/// `%` is unchanged.
pub fn decoded(text: &str) -> Option<String> {
    let plain = percent_decode_str(text).decode_utf8().ok()?;
    Some(plain.into_owned())
}

/// Whether a hexadecimal digit after this text would be read as part of an
/// escape, because the text ends with a stray `%` or with `%` and one digit.
fn would_complete(text: &str) -> bool {
    text.rsplit_once('%')
        .is_some_and(|(_, after)| after.len() < 2 && after.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn escaped_byte(after_percent: &[u8]) -> Option<u8> {
    let [high, low, ..] = after_percent else {
        return None;
    };
    let digit = |b: &u8| {
        char::from(*b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// Whether a byte is unreserved (RFC 3986 §2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether a reserved byte is allowed unescaped in a path: sub-delims, `:`, `@`
/// and `/` (RFC 3986 §3.3).
fn is_path_reserved(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'='
            | b':'
            | b'@'
            | b'/'
    )
}

/// Whether a reserved byte is allowed unescaped in a query: as in a path, and
/// `?` (RFC 3986 §3.4) and `\`, which `fetch` does not change in a query. `'`
/// is not: `fetch` escapes it to `%27`.
fn is_query_reserved(byte: u8) -> bool {
    matches!(byte, b'?' | b'\\') || (is_path_reserved(byte) && byte != b'\'')
}

/// Removes the dot segments of a path that begins with `/` (RFC 3986 §5.2.4).
/// As in the URL standard, a dot may be escaped.
fn remove_dot_segments(path: &str) -> String {
    let is_one = |segment: &str| segment == "." || segment.eq_ignore_ascii_case("%2e");
    let is_two = |segment: &str| {
        segment == ".."
            || [".%2e", "%2e.", "%2e%2e"]
                .iter()
                .any(|dots| segment.eq_ignore_ascii_case(dots))
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let two = is_two(segment);
        if two {
            kept.pop();
        }
        if !two && !is_one(segment) {
            kept.push(segment);
        } else if last {
            kept.push("");
        }
    }
    let mut canonical = String::with_capacity(path.len());
    for segment in &kept {
        canonical.push('/');
        canonical.push_str(segment);
    }
    if canonical.is_empty() {
        canonical.push('/');
    }
    canonical
}
