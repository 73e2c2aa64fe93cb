//! Redirects that lead to the URL which they answer.
//!
//! An origin that is asked under a name or scheme of its own, and builds its
//! URLs from that, answers a page by a redirect to the page. Each reader
//! follows it back to the cache. As long as nothing is stored, that ends when
//! the origin is mended; so such an answer is never stored.

use crate::cache::config::rule::Rule;
use crate::cache::key::cache_key;
use crate::cache::key::no_vary_search::Policy;
use crate::cache::request::classify::Lookup;
use crate::http::head::ResponseHead;
use crate::http::url::Url;

/// Whether an answer redirects (RFC 9110 §15.4) to what it was asked for: the
/// URL as the visitor has it, or as the origin was asked for it.
///
/// Schemes do not count, because the edge may ask the origin by another than
/// the visitor did; ports that are the default of either scheme do not count
/// either, nor a dot at a host's end, a fragment, user names, and whatever the
/// cache key leaves out of a query. Of several `Location` lines any may be the
/// one that a browser follows.
pub fn is_to_itself(lookup: &Lookup, head: &ResponseHead) -> bool {
    if !(300..400).contains(&head.status) || !head.fields.has("location") {
        return false;
    }
    let rule = &lookup.rule;
    // Where the origin's own policy makes one entry of several URLs, one of
    // those is as good as the other.
    let policy = Policy::of(&head.fields).filter(|_| rule.no_vary_search);
    let place = |url: &Url| match &policy {
        Some(policy) => place(&policy.reduce(url), rule),
        None => place(url, rule),
    };
    let asked = &lookup.asked.url;
    let sent = Url::parse(&lookup.origin().url);
    let known = [Some(place(asked)), sent.ok().as_ref().map(place)];
    head.fields.all("location").any(|location| {
        let target = asked.join(&without_user(location));
        target.is_some_and(|target| known.contains(&Some(place(&target))))
    })
}

/// What a URL means to the cache, without its scheme.
fn place(url: &Url, rule: &Rule) -> String {
    let url = cache_key::canonical_query(cache_key::canonical_path(url), rule);
    let host = [":80", ":443"]
        .iter()
        .find_map(|port| url.host.strip_suffix(port))
        .unwrap_or(&url.host);
    let query = url.query.as_deref().map(|query| ["?", query].concat());
    [host, &url.path, query.as_deref().unwrap_or_default()].concat()
}

/// A reference without `user:password@`, which goes to the same place.
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
