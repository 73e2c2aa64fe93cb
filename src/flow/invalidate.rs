//! What a write does to what is stored: a successful unsafe request
//! invalidates its target (RFC 9111 §4.4), and the cache groups that the
//! answer names (RFC 9875).
//!
//! It is an order to the ledger like any other, so that it reaches all
//! variants, both tiers and every isolate, and cannot lose a race. It is done
//! before the client gets its answer: who posts a comment then sees it.

use super::host::{Host, Ordered};
use super::isolate::Isolate;
use super::sync;
use crate::cache::groups;
use crate::cache::key;
use crate::cache::ledger::Order;
use crate::cache::rules::Rules;
use crate::cache::selector::{Selector, url_selector};
use crate::http::head::{Method, RequestHead, ResponseHead};

/// Invalidates what a request's success made old, if it was one of those.
/// Returns a note for the log.
pub async fn after_write<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    answer: &ResponseHead,
) -> Option<String> {
    let selectors = selectors(&isolate.rules, request, answer);
    if selectors.is_empty() {
        return None;
    }
    let order = Order {
        via: "write".to_owned(),
        hard: selectors.iter().map(Selector::to_string).collect(),
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        ..Order::default()
    };
    match sync::append(host, isolate, &request.url.host, &order).await {
        Ok(Ordered::Done(receipt, _)) => Some(format!("invalidated {:?}", receipt.hard)),
        Ok(Ordered::Conflict) => None,
        Err(problem) => Some(format!("ledger: {problem}; nothing was invalidated")),
    }
}

/// Whether a method may change something: any that is not registered as safe
/// (RFC 9110 §9.2.1, and the WebDAV family's own RFCs).
pub fn is_unsafe(method: &Method) -> bool {
    const SAFE: [&str; 6] = ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"];
    match method {
        Method::Get | Method::Head => false,
        Method::Other(name) => !SAFE.contains(&name.as_str()),
    }
}

fn selectors(rules: &Rules, request: &RequestHead, answer: &ResponseHead) -> Vec<Selector> {
    // §4.4: a successful answer is a 2xx or 3xx.
    if !is_unsafe(&request.method) || !(200..400).contains(&answer.status) {
        return Vec::new();
    }
    let target = key::canonical_path(&request.url);
    let rule = rules.rule_for(&target);
    if !rule.invalidate_on_write {
        return Vec::new();
    }
    let mut urls = vec![request.url.clone()];
    for name in ["location", "content-location"] {
        let named = answer
            .fields
            .get(name)
            .and_then(|value| request.url.join(value));
        // §4.4: of another origin, it could be used to empty its cache.
        urls.extend(named.filter(|url| url.same_origin(&request.url)));
    }
    let mut selectors: Vec<Selector> = urls
        .into_iter()
        .filter_map(|url| {
            let url = key::canonical_path(&url);
            let rule = rules.rule_for(&url);
            // What is never stored needs no invalidation.
            rule.cache.then(|| url_selector(url, &rule))
        })
        .collect();
    let origin = groups::origin(&request.url);
    let named = groups::named(&answer.fields, "cache-group-invalidation");
    selectors.extend(named.into_iter().map(|group| Selector::Group {
        origin: origin.clone(),
        group,
    }));
    selectors.dedup();
    selectors
}
