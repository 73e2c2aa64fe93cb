//! Evaluation of the preconditions that a cache may answer (RFC 9110 §13,
//! RFC 9111 §4.3.2).

use super::fields::{Fields, is_unreadable};
use super::{date, list};

/// Whether a conditional request gets 304 (Not Modified) for a stored response
/// with these fields.
///
/// `If-None-Match` is compared weakly and takes precedence over
/// `If-Modified-Since` (RFC 9110 §13.2.2).
pub fn not_modified(request: &Fields, stored: &Fields) -> bool {
    // RFC 9111 §4.3.2: without Last-Modified, the response's Date is used.
    let modified = stored.get("last-modified").or_else(|| stored.get("date"));
    holds(request, stored, modified)
}

/// Whether a conditional request gets 304 for a response that the origin has
/// just sent, as the origin could have answered itself. Without `Last-Modified`
/// there is no date to compare (RFC 9110 §13.1.3).
pub fn not_modified_now(request: &Fields, response: &Fields) -> bool {
    holds(request, response, response.get("last-modified"))
}

fn holds(request: &Fields, stored: &Fields, modified: Option<&str>) -> bool {
    if request.has("if-none-match") {
        let etag = stored.get("etag").map(opaque);
        let etag = etag.filter(|etag| !is_unreadable(etag));
        return request
            .all("if-none-match")
            .flat_map(list::members)
            .any(|wanted| wanted == "*" || Some(opaque(wanted)) == etag);
    }
    let Some(since) = request.joined("if-modified-since") else {
        return false;
    };
    let since = date::parse(&since);
    match (since, modified.and_then(date::parse)) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// An entity tag without `W/`. Two tags match weakly if these are equal
/// (RFC 9110 §8.8.3.2).
fn opaque(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/")
}
