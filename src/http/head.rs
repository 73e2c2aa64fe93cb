//! Heads of requests and responses: method, URL or status, and fields.

use super::fields::Fields;
use super::url::Url;

/// A request method, unchanged: methods are case-sensitive (RFC 9110 §9.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
    /// Any other method, including lower-case spellings of these two.
    Other(String),
}

impl Method {
    /// The method of this name. Only the exact text `GET` is GET: an unknown
    /// method must never be answered from the cache.
    pub fn named(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            _ => Self::Other(name.to_owned()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Other(name) => name,
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The target URI.
    pub url: Url,
    /// The fields.
    pub fields: Fields,
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code as the origin sent it, usually 100 to 599.
    pub status: u16,
    /// The fields.
    pub fields: Fields,
}
