//! Requests parsed from a line of text.

use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;

/// Parses a request from `METHOD URL[ | Name: value]…`; without a URL it is
/// `http://a.test/`.
#[track_caller]
pub fn head(request: &str) -> RequestHead {
    let mut parts = request.split(" | ");
    let first = parts.next().unwrap_or_default();
    let (method, url) = first.split_once(' ').unwrap_or((first, "http://a.test/"));
    RequestHead {
        method: Method::named(method),
        url: Url::parse(url).expect(request),
        fields: parts
            .map(|line| line.split_once(": ").expect("Name: value"))
            .collect(),
    }
}
