//! What a write does to what is stored: a successful unsafe request
//! invalidates its target (RFC 9111 §4.4), and the cache groups that the
//! answer names (RFC 9875).
//!
//! It is an order to the ledger like any other, so that it reaches all
//! variants, both tiers and every isolate, and cannot lose a race. It is done
//! before the client gets its answer: who posts a comment then sees it. Where
//! a host has very many (`cache::write_rate`), they go together, some seconds
//! later.

use super::host::{Host, Ordered};
use super::isolate::Isolate;
use super::report::log_problem;
use super::sync;
use crate::cache::groups;
use crate::cache::key;
use crate::cache::ledger::Order;
use crate::cache::news::News;
use crate::cache::rules::Rules;
use crate::cache::selector::{Selector, url_selector};
use crate::cache::write_rate::{Names, Turn};
use crate::http::head::{Method, RequestHead, ResponseHead};
use crate::http::url::Url;
use std::rc::Rc;

/// Invalidates what a request's success made old, if it was one of those.
/// Returns a note for the log.
pub async fn after_write<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
    answer: &ResponseHead,
) -> Option<String> {
    let selectors = selectors(&isolate.rules, request, answer);
    if selectors.is_empty() {
        return None;
    }
    let names = Names::new(selectors.iter().map(Selector::to_string).collect());
    let site = &request.url.host;
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let turn = {
        let mut writes = isolate.writes.borrow_mut();
        writes.take(site, names, lag_ms, host.now_ms())
    };
    match turn {
        Turn::Now(names) => Some(match order(host, isolate, site, names).await {
            Ok(note) => note,
            Err(problem) => format!("ledger: {problem}; nothing was invalidated"),
        }),
        Turn::Begins(pause_ms) => {
            let (host_then, isolate, site) = (host.clone(), Rc::clone(isolate), site.clone());
            host.later(async move {
                host_then.sleep(pause_ms).await;
                let names = isolate.writes.borrow_mut().gathered(&site);
                if !names.is_empty()
                    && let Err(problem) = order(&host_then, &isolate, &site, names).await
                {
                    let problem = format!("{problem}; some writes have invalidated nothing");
                    log_problem(&host_then, "ledger", &problem);
                }
            });
            Some(format!("many writes: invalidates in {pause_ms} ms"))
        }
        Turn::Joins => Some("many writes: invalidates with others".to_owned()),
    }
}

/// Has the ledger invalidate names of a host, and obeys at once here: where the
/// host has too many, the ledger tells the others somewhat later. (Not of the
/// whole host: it would be purged here each time.)
async fn order<H: Host>(
    host: &H,
    isolate: &Isolate,
    site: &str,
    names: Names,
) -> Result<String, String> {
    let whole_host = names
        .whole_host
        .then(|| Selector::Host(site.to_owned()).to_string());
    let order = Order {
        via: "write".to_owned(),
        hard: names.hard,
        soft: whole_host.into_iter().collect(),
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        ..Order::default()
    };
    match sync::append(host, isolate, site, &order).await? {
        Ordered::Done(receipt, _) => {
            if receipt.soft.is_empty() {
                let own = News::of_receipt(&receipt);
                isolate.index.borrow_mut().learn(&own);
            }
            Ok(format!(
                "invalidated {:?}",
                [receipt.hard, receipt.soft].concat()
            ))
        }
        Ordered::Conflict => Ok("invalidated nothing".to_owned()),
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
        urls.extend(named.filter(|url| answer.status == 201 && lies_below(url, &request.url)));
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

/// Whether a URL that an answer names may be invalidated by a write to
/// `target`: of the same origin (§4.4: else it could be used to empty another's
/// cache), and at the target's path or below it. (§4.4 makes such URLs
/// candidates, no more: where a redirect leads, the client often chooses, and
/// what it has created lies below the collection that it was sent to.)
fn lies_below(url: &Url, target: &Url) -> bool {
    let (path, target_path) = (
        key::canonical_path(url).path,
        key::canonical_path(target).path,
    );
    let rest = path.strip_prefix(target_path.trim_end_matches('/'));
    url.same_origin(target) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
