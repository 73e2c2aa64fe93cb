//! Completes stored parts of bodies for requests for the whole body.

use super::exchange::fetch;
use super::fetch_outcome::{FetchContext, FetchOutcome, FetchResult};
use super::forward::{Evaluate, by_conditions, forward};
use super::origin_response::OriginResponse;
use super::store_response::store;
use crate::cache::policy::partial_content::{self, Part};
use crate::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::reply::Client;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::Host;
use crate::flow::store::kv;
use crate::flow::store::lookup::{Hit, placement_by_response};
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::range;
use std::rc::Rc;

/// Fetches the rest of a stored start of a body, joins both, and stores the
/// whole response. If the origin sends a 200 instead, that is used. If it sends
/// anything else than the rest of this body, everything is fetched anew.
pub async fn complete<H: Host>(
    cx: RequestCx<'_, H>,
    start: Hit<H::Body>,
    mut context: FetchContext<H::Body>,
    log: &mut RequestLog,
) -> FetchResult<H::Body> {
    let client = Client::Waiting;
    // A part is looked up only if the key's own slot is free.
    context.placement = StorePlacement::default();
    context.placement.seen_before = true;
    let rest = Part::of(&start.entry.fields).and_then(|part| part.rest());
    let mut request = cx.lookup.origin().clone();
    if let (Some(rest), Some(tie)) = (rest, range::strong_validator(&start.entry.fields)) {
        request.fields.set("range", rest);
        request.fields.set("if-range", tie);
    }
    let mut again = |_: &mut RequestLog| {
        if let Some(flight) = &context.flight {
            flight.set_sent(cx.now_ms());
        }
        request.clone()
    };
    let response = OriginResponse::fetch_origin(cx, &mut again, log).await;
    let (times, seen) = (response.times, response.seen);
    let Ok(head) = response.head else {
        return fetch(cx, context, client, log).await;
    };
    let whole = partial_content::completed(&start.entry, &head);
    let status = Some(head.status);
    let joined = match (whole, head.status, start.body, response.body) {
        (Some(whole), _, Some(one), Some(other)) => {
            let body = cx.host.join(one, other).await;
            body.map(|body| (whole, Some(body)))
        }
        (None, 200, _, body) => Some((head, body)),
        _ => None,
    };
    let Some((head, body)) = joined else {
        return fetch(cx, context, client, log).await;
    };
    let keyed = query_alias::lookup_by_response(cx.lookup, &head.fields).map(Rc::new);
    let keyed = keyed.as_ref().unwrap_or(cx.lookup);
    let there = placement_by_response(cx, keyed, &context.placement, log);
    let there = boxed(there).await;
    let (cx, placement) = (cx.with_lookup(keyed), there.unwrap_or(context.placement));
    let exchange = Exchange {
        lookup: cx.lookup,
        seen,
        times,
        stored: None,
        on_error: false,
        ranged: false,
    };
    log.cache = "miss";
    match decide_response(&exchange, Ok(&head)) {
        ResponseDecision::Store(mut entry) => {
            // A response to a range request usually lacks the cache tags.
            entry.add_tags(&start.entry.tags);
            let copies = kv::copies_of(cx, *entry, &placement, &context.observer, log);
            let FetchResult { answer, outcome } = store(cx, copies, body, client, log);
            let outcome = FetchOutcome { status, ..outcome };
            FetchResult { answer, outcome }
        }
        _ => {
            let answer = forward(Ok(head), body, times.response_ms);
            let evaluate = Evaluate::of(cx.lookup);
            let outcome = FetchOutcome {
                status,
                ..FetchOutcome::default()
            };
            FetchResult {
                answer: by_conditions(answer, &cx.lookup.client, &cx.lookup.rule, evaluate),
                outcome,
            }
        }
    }
}
