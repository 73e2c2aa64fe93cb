//! Carries out the plan of a request: lookup, hit, miss, pass or admin.

use crate::cache::key::variant;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{key_of_kind, kind_of, may_share};
use crate::cache::request::classify::{Lookup, Plan};
use crate::flow::endpoints::purge_calls;
use crate::flow::endpoints::routes;
use crate::flow::fetch::background_refresh::refresh_later;
use crate::flow::fetch::collapse;
use crate::flow::fetch::collapse::{fetch_or_complete, fill, fill_in_addition};
use crate::flow::fetch::collapse_decision::{CollapseDecision, WantedResponse, decide_collapse};
use crate::flow::fetch::fetch_outcome::FetchContext;
use crate::flow::fetch::hit::from_cache;
use crate::flow::fetch::next_step::{
    NextStep, is_sent_whole, log_forward_reason, log_refusal, next_step,
};
use crate::flow::fetch::pass::{PassRequest, pass};
use crate::flow::fetch::stale_candidate::{StaleCandidate, stale_fallback};
use crate::flow::fetch::withheld;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::purge::writes;
use crate::flow::response::error_pages::{error_page, failure_answer};
use crate::flow::response::reply::{Answer, Client};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, StoreObserver};
use crate::flow::store::lookup::{MissReason, Search, find};
use crate::flow::store::memory_tier;
use crate::flow::store::part_lookup::find_part;
use crate::flow::store::query_alias;
use crate::http::head::RequestHead;
use std::cell::Cell;
use std::rc::Rc;

/// Carries out the plan of a request and returns the client's response.
pub async fn execute_plan<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    plan: Plan,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    match plan {
        Plan::Admin if isolate.rules.misconfigured => {
            log.cache = "admin";
            log.event = "purge";
            routes::misconfigured(log)
        }
        Plan::Admin => {
            log.cache = "admin";
            boxed(routes::admin(host, isolate, request, body, log)).await
        }
        Plan::Purge(call) => {
            log.cache = "admin";
            let answer = purge_calls::handle_call(host, isolate, &call, request, body, log);
            boxed(answer).await
        }
        Plan::Bypass(reason, to_origin, rule) => {
            let request = PassRequest {
                reason,
                request,
                rule: &rule,
                to_origin: &to_origin,
            };
            boxed(pass(host, isolate, request, body, log)).await.0
        }
        Plan::Lookup(lookup) => {
            let cx = RequestCx {
                host,
                isolate,
                lookup: &Rc::from(lookup),
                ledger_wait_ms: &Cell::default(),
                observation: None,
            };
            look_up(cx, request, log).await
        }
    }
}

/// Serves a request from memory or from a tier. Otherwise it [`obtain`]s a
/// response, and repeats the lookup when another request has fetched it.
async fn look_up<H: Host>(
    cx: RequestCx<'_, H>,
    request: &RequestHead,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    let index_state = sync::update_index(cx).await;
    writes::resend_later(cx.host, cx.isolate);
    log.set_index_state(index_state.word());
    if index_state.may_decide(cx.isolate)
        && let Some(answer) = memory_tier::serve_from_memory(cx, log)
    {
        return answer;
    }
    log.key = Some(cx.lookup.key.slot().digest.clone());
    let mut rounds = 0;
    loop {
        let resolved = query_alias::resolve_alias(cx, log).await.map(Rc::new);
        let cx = cx.with_lookup(resolved.as_ref().unwrap_or(cx.lookup));
        let lookup_began_ms = cx.now_ms();
        let Search {
            found,
            placement,
            tiers_read,
        } = find(cx, log).await;
        let (stale, missing) = match next_step(found, cx.lookup) {
            NextStep::Refuse => {
                log_refusal(log);
                return not_cached();
            }
            NextStep::Serve(hit, refresh) => {
                if let Some(word) = refresh {
                    refresh_later(cx, &hit);
                    log.detail.push(word);
                }
                let observer = StoreObserver::default();
                return from_cache(cx, hit, &placement, &observer, rounds > 0, log).answer;
            }
            NextStep::Obtain(stale, missing) => (stale, missing),
        };
        let miss = Miss {
            context: FetchContext::alone(stale, placement, tiers_read),
            missing,
            lookup_began_ms,
            rounds,
        };
        match boxed(obtain(cx, miss, request, log)).await {
            Some(answer) => return answer,
            None => rounds += 1,
        }
    }
}

/// A lookup that found nothing to serve.
struct Miss<B> {
    context: FetchContext<B>,
    missing: Option<MissReason>,
    /// When the lookup began, in milliseconds since 1970.
    lookup_began_ms: u64,
    /// How many times this request has waited for another request's fetch.
    rounds: u32,
}

/// Obtains the response for a miss. `None` means that another request has
/// fetched it, and the caller must repeat the lookup.
async fn obtain<H: Host>(
    cx: RequestCx<'_, H>,
    miss: Miss<H::Body>,
    request: &RequestHead,
    log: &mut RequestLog,
) -> Option<Answer<H::Body>> {
    let Miss {
        mut context,
        missing,
        lookup_began_ms,
        rounds,
    } = miss;
    if is_sent_whole(cx, context.stale.as_ref()) {
        return Some(boxed(withheld::send_whole(cx, request, log)).await);
    }
    if missing == Some(MissReason::Uri) {
        context.part = find_part(cx, log).await;
        if let Some(part) = context.part.take_if(|_| cx.lookup.range.is_some()) {
            let (placement, observer) = (&context.placement, &context.observer);
            return Some(from_cache(cx, part, placement, observer, rounds > 0, log).answer);
        }
    }
    let stale = context.stale.as_ref();
    log_forward_reason(cx, stale, missing.as_ref(), log);
    let digest = slot_to_fill(cx.lookup, stale, missing.as_ref());
    let wanted = WantedResponse {
        key: &digest,
        known: context.part.is_some() || missing != Some(MissReason::Uri),
        range: cx.lookup.range_to_send(stale.is_none()),
        lookup_began_ms,
        rounds,
    };
    match decide_collapse(cx, wanted, log).await {
        CollapseDecision::RepeatLookup => None,
        CollapseDecision::Lead(flight) => Some(fill(cx, context, flight, log).await),
        CollapseDecision::LeadInAddition(flight) => {
            fill_in_addition(cx, context, flight, log).await
        }
        // The leader's response has shown that responses depend on the client.
        CollapseDecision::Alone if is_sent_whole(cx, context.stale.as_ref()) => {
            log.collapsed = false;
            Some(boxed(withheld::send_whole(cx, request, log)).await)
        }
        CollapseDecision::Alone => Some(fetch_alone(cx, context, &digest, log).await),
        CollapseDecision::Failed(failure) => {
            Some(after_failure(cx, context, failure, &digest, log).await)
        }
    }
}

/// The digest of the slot where the response would be stored.
fn slot_to_fill<B>(
    lookup: &Lookup,
    stale: Option<&StaleCandidate<B>>,
    missing: Option<&MissReason>,
) -> String {
    match (stale, missing) {
        (Some(stale), _) => stale.hit.slot.digest.clone(),
        (_, Some(MissReason::Variant(others))) => {
            let choices = lookup.choices(&others.names);
            let variant = variant::variant_text(&choices);
            lookup.key.variant_slot(&variant).digest
        }
        _ => lookup.key.slot().digest.clone(),
    }
}

/// Fetches the response for this request alone. `digest` is the slot where it
/// would be stored.
async fn fetch_alone<H: Host>(
    cx: RequestCx<'_, H>,
    context: FetchContext<H::Body>,
    digest: &str,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    log.collapsed = false;
    let holds_nothing = context.stale.is_none() && context.part.is_none();
    let conditional = (holds_nothing && stores_nothing(cx, digest))
        .then(|| cx.lookup.with_conditions())
        .flatten()
        .map(Rc::new);
    let cx = cx.with_lookup(conditional.as_ref().unwrap_or(cx.lookup));
    let fetched = fetch_or_complete(cx, context, log).await;
    if !fetched.outcome.stored.is_empty() && fetched.outcome.is_fresh() {
        collapse::mark_shared(cx, &cx.lookup.key.slot().digest);
    }
    collapse::renew_unshared(cx, digest, &fetched.outcome);
    fetched.answer
}

/// Whether the response is known in advance not to be stored: a response to
/// HEAD never is, and a URL with an unshared response is remembered for a
/// minute (hit-for-miss).
fn stores_nothing<H: Host>(cx: RequestCx<'_, H>, digest: &str) -> bool {
    let lookup = cx.lookup;
    let is_unshared = |key: &str| cx.isolate.flights.is_unshared(key, cx.now_ms());
    let of_kind = || key_of_kind(digest, kind_of(lookup));
    lookup.head_only || (may_share(lookup) && (is_unshared(digest) || is_unshared(&of_kind())))
}

/// The response for a follower whose leader's fetch failed: the stored response
/// if it may be served, otherwise the same error.
///
/// If the origin sent an error response of its own (`failure` is `None`), each
/// follower fetches alone: an intermittently failing origin may succeed for
/// some of them.
async fn after_failure<H: Host>(
    cx: RequestCx<'_, H>,
    mut context: FetchContext<H::Body>,
    failure: Option<OriginFailure>,
    digest: &str,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    let stale = stale_fallback(cx, context.stale, context.tiers_read, log);
    let stale = boxed(stale).await;
    if let Some(candidate) = &stale
        && candidate.may_be_served(cx, log).await
        && let Some(candidate) = stale
    {
        let failure = failure.unwrap_or(OriginFailure::Unreachable);
        log.add_note(format!("origin: {failure}"));
        return candidate.serve(cx, Client::Waiting, log).0;
    }
    let Some(failure) = failure else {
        context.stale = stale;
        return fetch_alone(cx, context, digest, log).await;
    };
    log.cache = "error";
    failure_answer(failure, stale.is_some())
}

/// The response to `only-if-cached` when no stored response can be used (RFC
/// 9111 §5.2.1.7).
fn not_cached<B>() -> Answer<B> {
    error_page(
        504,
        "Gateway timeout: there is no stored copy that fits, and the request is only-if-cached.\n",
    )
}
