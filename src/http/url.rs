//! Absolute http(s) URLs and their normal form (RFC 3986 §6.2.2).

use percent_encoding::percent_decode_str;
use std::fmt;
use thiserror::Error;

/// An absolute `http` or `https` URL. Scheme and host are lower-case, a
/// default port is dropped; path and query are as they came until
/// [`canonical_path`] and [`canonical_piece`] are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host, with `:port` unless it is the scheme's default.
    pub host: String,
    /// The path, beginning with `/`.
    pub path: String,
    /// What follows the first `?`, without it; `None` if there is no `?`.
    pub query: Option<String>,
}

/// Why a text is not a URL that Edgekeep can use.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    /// It does not begin with `http://` or `https://`.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// The host is missing, or holds characters that no host has.
    #[error("has no valid host name")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("has an invalid port")]
    Port,
    /// It holds a user name or password, which no cache key may.
    #[error("must not hold a user name")]
    UserInfo,
}

impl Url {
    /// Reads an absolute URL. A fragment is dropped.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => "http",
            "https" => "https",
            _ => return Err(UrlError::Scheme),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let host = authority_of(scheme, authority)?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            scheme,
            host,
            path: path.to_owned(),
            query,
        })
    }

    /// The URL that a reference means here (RFC 3986 §5.2); `None` for one
    /// that is no http(s) URL. The path is not yet canonical.
    pub fn join(&self, reference: &str) -> Option<Self> {
        let reference = reference.trim().split('#').next().unwrap_or_default();
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme)).ok();
        }
        let before_path = reference.split(['/', '?']).next().unwrap_or_default();
        if before_path.contains(':') {
            return Self::parse(reference).ok();
        }
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (reference, None),
        };
        let (path, query) = if path.is_empty() {
            (self.path.clone(), query.or_else(|| self.query.clone()))
        } else if path.starts_with('/') {
            (path.to_owned(), query)
        } else {
            let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            (format!("{folder}/{path}"), query)
        };
        Some(Self {
            path,
            query,
            ..self.clone()
        })
    }

    /// The URL as text, as `to_string` makes it, by the shortest way.
    pub fn to_text(&self) -> String {
        let mut text = [self.scheme, "://", &self.host, &self.path].concat();
        if let Some(query) = &self.query {
            text.push('?');
            text.push_str(query);
        }
        text
    }

    /// Whether both have one scheme, host and port (RFC 6454 §5).
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.host == other.host
    }

    /// The host without its port.
    pub fn host_name(&self) -> &str {
        host_name(&self.host)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// `host` without a `:port`. The brackets of an IPv6 address stay.
pub fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Host and port of an authority, lower-case, without the default port.
fn authority_of(scheme: &str, authority: &str) -> Result<String, UrlError> {
    if authority.contains('@') {
        return Err(UrlError::UserInfo);
    }
    let name = host_name(authority);
    let port = authority.get(name.len() + 1..).unwrap_or_default();
    if !is_host_name(name) {
        let parts = authority.rsplit_once(':');
        if parts.is_some_and(|(name, _)| is_host_name(name)) {
            return Err(UrlError::Port);
        }
        return Err(UrlError::Host);
    }
    let name = name.to_ascii_lowercase();
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

/// Letters, digits, `-`, `_` and dots, or an IPv6 address in brackets. Names
/// in other scripts must come in their `xn--` form.
pub fn is_host_name(name: &str) -> bool {
    // 253 characters are the longest DNS name (RFC 1035 §2.3.4).
    if name.is_empty() || name.len() > 253 {
        return false;
    }
    match name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        Some(address) => {
            !address.is_empty()
                && address
                    .bytes()
                    .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
        }
        None => name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')),
    }
}

/// A path in its normal form: percent-encoding canonical, dot segments
/// removed. Two paths that some server may tell apart stay apart: `//`, `%2F`,
/// `%5C`, `;` and an incomplete escape (`%zz`) are left as they are.
pub fn canonical_path(path: &str) -> String {
    let escaped = canonical_piece(path, |b| is_unreserved(b) || is_path_reserved(b));
    remove_dot_segments(escaped)
}

/// A path pattern with `*` in the spelling of [`canonical_path`].
pub fn canonical_path_pattern(pattern: &str) -> String {
    canonical_piece(pattern, |b| is_unreserved(b) || is_path_reserved(b))
}

/// One query parameter in its normal form.
pub fn canonical_parameter(text: &str) -> String {
    canonical_piece(text, |b| is_unreserved(b) || is_query_reserved(b))
}

/// Escapes in upper case; escapes of unreserved characters undone
/// (RFC 3986 §6.2.2.1 and .2); bytes that may not stand in a URI escaped.
fn canonical_piece(text: &str, may_stand: impl Fn(u8) -> bool) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    // Nearly all are in their normal form as they come.
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
                    // A digit that would make an escape of a stray `%` stays
                    // escaped: `%%341` is not `%41`.
                    escape = !is_unreserved(meant)
                        || (meant.is_ascii_hexdigit() && would_complete(&canonical));
                }
                // A stray `%` stays one: escaping it would merge it with `%25`.
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

/// A piece with its escapes undone; `None` if that is no UTF-8. A stray `%`
/// stays one.
pub fn decoded(text: &str) -> Option<String> {
    let plain = percent_decode_str(text).decode_utf8().ok()?;
    Some(plain.into_owned())
}

/// Whether a hexadecimal digit put after this text would make a new escape of
/// a stray `%`.
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

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What else may stand unescaped in a path: sub-delims, `:`, `@` and `/`
/// (RFC 3986 §3.3); and the backslash, which servers disagree on.
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
            | b'\\'
    )
}

/// In a query `?` may stand too (RFC 3986 §3.4).
fn is_query_reserved(byte: u8) -> bool {
    byte == b'?' || is_path_reserved(byte)
}

/// RFC 3986 §5.2.4, for a path that begins with `/`.
fn remove_dot_segments(path: String) -> String {
    if path.starts_with('/') && !path.contains("/.") {
        return path;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
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
