//! Invalidation by writes: a successful unsafe request invalidates its target
//! (RFC 9111 §4.4) and the cache groups that the response names (RFC 9875).
//!
//! The invalidation is an order to the ledger like any other, so it applies to
//! all variants, both tiers and every isolate, and cannot lose a race. This
//! isolate applies it before the client gets its response, so that a client
//! sees its own write. If a host has too many writes
//! (`cache::purge::write_rate`), they are sent to the ledger together, some
//! seconds later.

use crate::cache::config::rule::Rule;
use crate::cache::config::rules::Rules;
use crate::cache::key::cache_key;
use crate::cache::ledger::wire::Order;
use crate::cache::purge::groups;
use crate::cache::purge::selector::{Selector, url_selector};
use crate::cache::purge::write_rate::{GATHER_MS_MAX, InvalidationNames};
use crate::flow::isolate::state::Isolate;
use crate::flow::runtime::host::Host;
use crate::http::head::{Method, RequestHead, ResponseHead};
use crate::http::url::{Url, host_name};

/// When a write's invalidation is sent to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteDelivery {
    /// Immediately.
    Now(InvalidationNames),
    /// Batched: this write sends the batch after this many milliseconds.
    StartsBatch(u64),
    /// Batched: an earlier write sends the batch.
    JoinsBatch,
}

/// When to send the invalidation that a successful request requires; `None` if
/// it requires none. `flow::purge::writes` sends it. A batched one is applied
/// in this isolate from now on.
pub fn plan_delivery<H: Host>(
    host: &H,
    isolate: &Isolate,
    rule: &Rule,
    request: &RequestHead,
    answer: &ResponseHead,
) -> Option<WriteDelivery> {
    let selectors = selectors(&isolate.rules, rule, request, answer);
    if selectors.is_empty() {
        return None;
    }
    let names = InvalidationNames::new(selectors.iter().map(Selector::to_string).collect());
    let lag_ms = isolate.rules.max_purge_lag_seconds.saturating_mul(1000);
    let (site, now_ms) = (&request.url.host, host.now_ms());
    if isolate.writes.borrow_mut().take(site, now_ms) {
        return Some(WriteDelivery::Now(names));
    }
    let pause_ms = lag_ms.min(GATHER_MS_MAX);
    let mut index = isolate.index.borrow_mut();
    Some(
        match index.unconfirmed.gather(site, names, pause_ms, now_ms) {
            true => WriteDelivery::StartsBatch(pause_ms),
            false => WriteDelivery::JoinsBatch,
        },
    )
}

/// The order that invalidates these names of a host.
pub fn order_of(isolate: &Isolate, site: &str, names: &InvalidationNames) -> Order {
    let whole_host = names
        .whole_host
        .then(|| Selector::Host(host_name(site).to_owned()).to_string());
    Order {
        via: "write".to_owned(),
        hard: names.hard.clone(),
        soft: whole_host.into_iter().collect(),
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        ..Order::default()
    }
}

/// Whether a method may change a resource: any that is not registered as safe
/// (RFC 9110 §9.2.1, and the RFCs of the WebDAV family).
pub fn is_unsafe(method: &Method) -> bool {
    const SAFE: [&str; 6] = ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"];
    match method {
        Method::Get | Method::Head => false,
        Method::Other(name) => !SAFE.contains(&name.as_str()),
    }
}

fn selectors(
    rules: &Rules,
    rule: &Rule,
    request: &RequestHead,
    answer: &ResponseHead,
) -> Vec<Selector> {
    // §4.4: a successful response is a 2xx or 3xx.
    if !is_unsafe(&request.method) || !(200..400).contains(&answer.status) {
        return Vec::new();
    }
    if !rule.invalidate_on_write {
        return Vec::new();
    }
    let mut urls = vec![request.url.clone()];
    for name in ["location", "content-location"] {
        let named = answer
            .fields
            .get(name)
            .and_then(|value| request.url.join(value));
        urls.extend(named.filter(|url| answer.status == 201 && lies_below(url, &request.url)));
    }
    let mut selectors: Vec<Selector> = urls
        .into_iter()
        .filter_map(|url| {
            let url = cache_key::canonical_path(&url);
            let rule = rules.rule_for(&url);
            // URLs that are never stored need no invalidation.
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

/// Whether a URL named by a response may be invalidated by a write to `target`.
///
/// It must have the same origin (§4.4; otherwise a write could invalidate
/// another origin's responses), and be at the target's path or below it. (§4.4
/// makes such URLs candidates only. The client often chooses the target of a
/// redirect, and a created resource is below the collection that it was posted
/// to.)
fn lies_below(url: &Url, target: &Url) -> bool {
    let (path, target_path) = (
        cache_key::canonical_path(url).path,
        cache_key::canonical_path(target).path,
    );
    let rest = path.strip_prefix(target_path.trim_end_matches('/'));
    url.same_origin(target) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
