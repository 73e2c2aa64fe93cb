//! Detects redirects to the requested URL itself.
//!
//! An origin that receives requests under a host or scheme of its own, and
//! builds its URLs from them, may redirect a page to itself. Each client then
//! repeats the request to the cache. If nothing is stored, this ends as soon as
//! the origin is repaired; so such a response is never stored.

use crate::cache::config::rule::Rule;
use crate::cache::key::cache_key;
use crate::cache::key::no_vary_search::Policy;
use crate::cache::request::classify::Lookup;
use crate::http::head::ResponseHead;
use crate::http::url::Url;

/// Whether a response redirects (RFC 9110 §15.4) to the requested URL, as the
/// client sent it or as the origin received it.
///
/// Ignored are the scheme, because the edge may contact the origin by another
/// one than the client used; the default ports of both schemes; a dot at the
/// end of the host; the fragment; user names; and the query parameters that the
/// cache key ignores. With several `Location` lines any one counts, because a
/// browser may follow it.
pub fn is_to_itself(lookup: &Lookup, head: &ResponseHead) -> bool {
    if !(300..400).contains(&head.status) || !head.fields.has("location") {
        return false;
    }
    let rule = &lookup.rule;
    // If the origin's own policy (`No-Vary-Search`) maps several URLs to one
    // entry, those URLs are equal.
    let policy = Policy::of(&head.fields).filter(|_| rule.no_vary_search);
    let place = |url: &Url| match &policy {
        Some(policy) => place(&policy.reduce(url), rule),
        None => place(url, rule),
    };
    let requested = &lookup.requested.url;
    let sent = Url::parse(&lookup.origin().url);
    let known = [Some(place(requested)), sent.ok().as_ref().map(place)];
    head.fields.all("location").any(|location| {
        let target = requested.join(&without_user(location));
        target.is_some_and(|target| known.contains(&Some(place(&target))))
    })
}

/// Returns a URL as the cache compares it, without its scheme.
fn place(url: &Url, rule: &Rule) -> String {
    let url = cache_key::canonical_query(cache_key::canonical_path(url), rule);
    let host = [":80", ":443"]
        .iter()
        .find_map(|port| url.host.strip_suffix(port))
        .unwrap_or(&url.host);
    let query = url.query.as_deref().map(|query| ["?", query].concat());
    [host, &url.path, query.as_deref().unwrap_or_default()].concat()
}

/// Removes `user:password@` from a reference; the target is the same.
fn without_user(reference: &str) -> String {
    let reference = reference.trim().replace('\\', "/");
    let Some((scheme, rest)) = reference.split_once("//") else {
        return reference;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) if !scheme.contains(['/', '?', '#']) => {
            [scheme, "//", host, target].concat()
        }
        _ => reference,
    }
}
