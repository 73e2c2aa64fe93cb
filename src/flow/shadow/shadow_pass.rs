//! Passes a request under a rule in shadow mode. The client gets what it would
//! get without a cache.

use super::compare::Comparison;
use crate::cache::config::rule::Rule;
use crate::cache::esi::parser::is_marked;
use crate::cache::request::classify::{Bypass, shadow_lookup};
use crate::cache::request::origin_request::OriginRequest;
use crate::cache::shadow::record::BODY_BYTES_MAX;
use crate::cache::shadow::verdict::NotCompared;
use crate::flow::fetch::pass::{PassRequest, ReceivedHead, pass};
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::{Answer, Content};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::http::head::{Method, RequestHead};
use std::rc::Rc;

/// Passes a request ([`Bypass::Shadow`]). Returns the client's response, and
/// what is to be compared behind it, or why that is nothing.
pub async fn shadow_pass<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    rule: &Rc<Rule>,
    to_origin: &OriginRequest,
    request: &RequestHead,
    log: &mut RequestLog,
) -> (Answer<H::Body>, Result<Comparison<H>, NotCompared>) {
    let passed = PassRequest {
        reason: Bypass::Shadow,
        request,
        rule,
        to_origin,
    };
    let (mut answer, received) = pass(host, isolate, passed, None, log).await;
    let comparison = begin(host, isolate, rule, request, &mut answer, received);
    (answer, comparison)
}

/// Begins a comparison, if the response can be compared.
fn begin<H: Host>(
    host: &H,
    isolate: &Isolate,
    rule: &Rc<Rule>,
    request: &RequestHead,
    answer: &mut Answer<H::Body>,
    received: Option<ReceivedHead>,
) -> Result<Comparison<H>, NotCompared> {
    let received = received.ok_or(NotCompared::OriginError)?;
    let head = &received.head;
    let length = head.fields.get("content-length");
    let length: Option<u64> = length.and_then(|n| n.trim().parse().ok());
    let is_ranged = request.fields.has("range");
    let unfit = [
        (request.method == Method::Head, NotCompared::Head),
        // Also a 200 that became a 304 by the client's conditions.
        (
            head.status == 304 || answer.status == 304,
            NotCompared::Conditional,
        ),
        (
            head.status == 206 || (is_ranged && head.status != 200),
            NotCompared::Range,
        ),
        // A response that has neither a status nor a body of HTTP.
        (head.status < 200, NotCompared::OriginError),
        (rule.esi && is_marked(&head.fields), NotCompared::Fragments),
        (
            length.is_some_and(|n| n > u64::from(BODY_BYTES_MAX)),
            NotCompared::TooLarge,
        ),
    ];
    if let Some((_, reason)) = unfit.into_iter().find(|(is_unfit, _)| *is_unfit) {
        return Err(reason);
    }
    let (lookup, key) = shadow_lookup(&isolate.rules, rule, request);
    let mut comparisons = isolate.comparisons.borrow_mut();
    if !comparisons.begin(&key, host.now_ms()) {
        return Err(NotCompared::Busy);
    }
    let body = match &mut answer.content {
        Content::Body(body) => {
            let copy = host.fork_body(body);
            if copy.is_none() {
                comparisons.end(&key);
                return Err(NotCompared::Broken);
            }
            copy
        }
        _ => None,
    };
    Ok(Comparison {
        lookup: Rc::new(lookup),
        key,
        received,
        length,
        is_ranged,
        body,
    })
}
