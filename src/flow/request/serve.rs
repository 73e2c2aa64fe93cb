//! What is done for a request, from top to bottom.

use crate::cache::key::variant;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{key_of_kind, kind_of, may_share};
use crate::cache::request::classify::{Lookup, Plan};
use crate::flow::endpoints::purge_calls;
use crate::flow::endpoints::routes;
use crate::flow::fetch::background_refresh::refresh_later;
use crate::flow::fetch::collapse;
use crate::flow::fetch::collapse::{FetchContext, ask, fill, fill_too};
use crate::flow::fetch::collapse_turn::{CollapseTurn, WantedResponse, take_turn};
use crate::flow::fetch::exchange::serve_stale;
use crate::flow::fetch::hit::from_cache;
use crate::flow::fetch::pass::bypass;
use crate::flow::fetch::stale_candidate::{StaleCandidate, is_usable};
use crate::flow::fetch::stale_fallback::last_look;
use crate::flow::fetch::withheld;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::purge::writes;
use crate::flow::response::error_pages::{error_page, no_answer};
use crate::flow::response::reply::{Answer, Client};
use crate::flow::response::request_log::Report;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::{Found, MissReason, Search, find};
use crate::flow::store::memory_tier;
use crate::flow::store::part_lookup::find_part;
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::cache_control::RequestControl;
use crate::http::head::RequestHead;
use std::rc::Rc;

/// Does what is planned for a request.
pub async fn follow<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    plan: Plan,
    request: &RequestHead,
    body: Option<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    match plan {
        Plan::Admin if isolate.rules.misconfigured => {
            report.cache = "admin";
            report.event = "purge";
            routes::misconfigured(report)
        }
        Plan::Admin => {
            report.cache = "admin";
            boxed(routes::admin(host, isolate, request, body, report)).await
        }
        Plan::Purge(call) => {
            report.cache = "admin";
            let answer = purge_calls::answer(host, isolate, &call, request, body, report);
            boxed(answer).await
        }
        Plan::Bypass(reason, origin) => {
            let answer = bypass(host, isolate, reason, request, &origin, body, report);
            boxed(answer).await.0
        }
        Plan::Lookup(lookup) => look_up(host, isolate, Rc::from(lookup), request, report).await,
    }
}

async fn look_up<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: Rc<Lookup>,
    request: &RequestHead,
    report: &mut Report,
) -> Answer<H::Body> {
    let site = &lookup.key.url.host;
    let knowledge = sync::bring_up_to_date(host, isolate, site, &mut report.ledger_ms).await;
    writes::resend_later(host, isolate);
    report.set_knowledge(knowledge.word());
    if knowledge.counts(isolate)
        && let Some(answer) = memory_tier::answer(host, isolate, &lookup, report)
    {
        return answer;
    }
    report.key = Some(lookup.key.slot().digest.clone());
    // Again when another request has fetched it.
    let mut rounds = 0;
    loop {
        let lookup = match query_alias::follow(host, isolate, &lookup, report).await {
            Some(led) => Rc::new(led),
            None => Rc::clone(&lookup),
        };
        let looked_ms = host.now_ms();
        let Search { found, taken } = find(host, isolate, &lookup, report).await;
        let (old, missing) = match found {
            Found::Stale(..) | Found::Nothing(_) if lookup.wishes.only_if_cached => {
                report.cache = "error";
                report.detail.push("only-if-cached");
                return not_cached();
            }
            Found::Fresh(hit) => {
                if hit.early {
                    refresh_later(host, isolate, &lookup, &hit);
                    report.detail.push("early-refresh");
                }
                return from_cache(host, isolate, &lookup, hit, &taken, report);
            }
            Found::WhileRevalidate(hit) => {
                refresh_later(host, isolate, &lookup, &hit);
                report.detail.push("stale-while-revalidate");
                return from_cache(host, isolate, &lookup, hit, &taken, report);
            }
            Found::Stale(hit, on_error) => (Some(StaleCandidate { hit, on_error }), None),
            Found::Nothing(missing) => (None, Some(missing)),
        };
        if is_sent_whole(host, isolate, &lookup, old.as_ref()) {
            let answer = withheld::send_whole(host, isolate, &lookup, request, report);
            return boxed(answer).await;
        }
        let miss = Miss {
            old,
            missing,
            taken,
            looked_ms,
            rounds,
        };
        match boxed(obtain(host, isolate, &lookup, miss, request, report)).await {
            Some(answer) => return answer,
            None => rounds += 1,
        }
    }
}

/// Whether a request for which there is nothing to serve goes to the origin
/// whole: not if there is a copy that stands by for an outage.
fn is_sent_whole<H: Host>(
    host: &H,
    isolate: &Isolate,
    lookup: &Lookup,
    old: Option<&StaleCandidate<H::Body>>,
) -> bool {
    old.is_none_or(|old| !old.on_error) && withheld::is_sent_whole(isolate, lookup, host.now_ms())
}

/// What a look came to that found nothing to serve.
struct Miss<B> {
    old: Option<StaleCandidate<B>>,
    missing: Option<MissReason>,
    taken: StorePlacement,
    /// When it began.
    looked_ms: u64,
    /// How often another request has asked for this one before.
    rounds: u32,
}

/// The answer to a request for which there is nothing to serve; `None` if it is
/// to look again, because another one has asked.
async fn obtain<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Rc<Lookup>,
    miss: Miss<H::Body>,
    request: &RequestHead,
    report: &mut Report,
) -> Option<Answer<H::Body>> {
    let Miss {
        old,
        missing,
        taken,
        looked_ms,
        rounds,
    } = miss;
    let part = match missing {
        Some(MissReason::Uri) => find_part(host, isolate, lookup, report).await,
        _ => None,
    };
    let part = match part {
        Some(part) if lookup.range.is_some() => {
            return Some(from_cache(host, isolate, lookup, part, &taken, report));
        }
        part => part,
    };
    log_forward_reason(host, lookup, old.as_ref(), missing.as_ref(), report);
    let digest = slot_to_fill(lookup, old.as_ref(), missing.as_ref());
    let wanted = WantedResponse {
        key: &digest,
        known: part.is_some() || missing != Some(MissReason::Uri),
        range: lookup.range_to_send(old.is_none()),
        looked_ms,
        rounds,
    };
    let turn = take_turn(host, isolate, lookup, wanted, report).await;
    let held = FetchContext { old, part, taken };
    let answer = match turn {
        CollapseTurn::LookAgain => return None,
        CollapseTurn::Lead(flight) => fill(host, isolate, lookup, held, flight, report).await,
        CollapseTurn::LeadToo(flight) => {
            return fill_too(host, isolate, lookup, held, flight, report).await;
        }
        // The one that it waited for has shown that answers are somebody's.
        CollapseTurn::Alone if is_sent_whole(host, isolate, lookup, held.old.as_ref()) => {
            report.collapsed = false;
            boxed(withheld::send_whole(host, isolate, lookup, request, report)).await
        }
        CollapseTurn::Alone => ask_alone(host, isolate, lookup, held, &digest, report).await,
        CollapseTurn::Failed(failure) => {
            match after_failure(host, isolate, lookup, held, failure, report).await {
                Ok(answer) => answer,
                Err(held) => ask_alone(host, isolate, lookup, held, &digest, report).await,
            }
        }
    };
    Some(answer)
}

/// Says why the origin is asked (RFC 9211 §2.2).
fn log_forward_reason<H: Host>(
    host: &H,
    lookup: &Lookup,
    old: Option<&StaleCandidate<H::Body>>,
    missing: Option<&MissReason>,
    report: &mut Report,
) {
    // Fresh, but the request would not have it.
    let unwanted = |old: &StaleCandidate<_>| {
        let entry = &old.hit.entry;
        lookup.wishes != RequestControl::default()
            && entry.age(host.now_ms()) < entry.terms.lifetime
    };
    report.fwd = Some(match (old, missing) {
        (Some(old), _) if unwanted(old) => "request",
        (Some(_), _) => "stale",
        (_, Some(MissReason::Variant(_))) => "vary-miss",
        (_, Some(MissReason::Unauthorized)) => "request",
        _ => "uri-miss",
    });
    let purged = matches!(missing, Some(MissReason::Purged | MissReason::Written));
    if purged && !report.detail.contains(&"purged") {
        report.detail.push("purged");
    }
}

/// The digest of the slot where the answer that is asked for will lie.
fn slot_to_fill<B>(
    lookup: &Lookup,
    old: Option<&StaleCandidate<B>>,
    missing: Option<&MissReason>,
) -> String {
    match (old, missing) {
        (Some(old), _) => old.hit.slot.digest.clone(),
        (_, Some(MissReason::Variant(others))) => {
            let choices = lookup.choices(&others.names);
            let variant = variant::variant_text(&choices);
            lookup.key.variant_slot(&variant).digest
        }
        _ => lookup.key.slot().digest.clone(),
    }
}

/// Asks the origin for this request alone. Its answer will lie in the slot of
/// this digest, if at all.
async fn ask_alone<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    held: FetchContext<H::Body>,
    digest: &str,
    report: &mut Report,
) -> Answer<H::Body> {
    report.collapsed = false;
    let holds_nothing = held.old.is_none() && held.part.is_none();
    let conditional = (holds_nothing && stores_nothing(host, isolate, lookup, digest))
        .then(|| lookup.with_conditions())
        .flatten();
    let lookup = conditional.as_ref().unwrap_or(lookup);
    let answer = ask(host, isolate, lookup, held, report).await;
    if !report.stores.is_empty() && report.ttl.is_some_and(|ttl| ttl > 0) {
        let digest = &lookup.key.slot().digest;
        collapse::shared(host, isolate, &lookup.key.url.host, digest);
    }
    collapse::remember(host, isolate, lookup, digest, report);
    answer
}

/// Whether it is known before the origin is asked that its answer will not be
/// stored: that of HEAD never is, and what has turned out to be somebody's is
/// remembered for a minute (hit-for-miss).
fn stores_nothing<H: Host>(host: &H, isolate: &Isolate, lookup: &Lookup, digest: &str) -> bool {
    let flights = &isolate.flights;
    let is_unshared = |key: &str| flights.is_unshared(key, host.now_ms());
    let of_kind = || key_of_kind(digest, kind_of(lookup));
    lookup.head_only || (may_share(lookup) && (is_unshared(digest) || is_unshared(&of_kind())))
}

/// The answer to a request for which another one has asked the origin, which
/// failed. Where it gave an error of its own and there is no old copy, each
/// asks for itself: an origin that flaps has a page for some of them.
async fn after_failure<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    held: FetchContext<H::Body>,
    failure: Option<OriginFailure>,
    report: &mut Report,
) -> Result<Answer<H::Body>, FetchContext<H::Body>> {
    let FetchContext { old, part, taken } = held;
    let old = boxed(last_look(host, isolate, lookup, old, report)).await;
    let may_serve = match &old {
        Some(old) => old.on_error && is_usable(host, isolate, lookup, old, report).await,
        None => false,
    };
    match (old, failure) {
        (Some(old), _) if may_serve => {
            let failure = failure.unwrap_or(OriginFailure::Unreachable);
            report.note(format!("origin: {failure}"));
            let waiting = Client::Waiting;
            Ok(serve_stale(host, lookup, Some(old), waiting, report))
        }
        (old, None) => Err(FetchContext { old, part, taken }),
        (old, Some(failure)) => {
            report.cache = "error";
            Ok(no_answer(failure, old.is_some()))
        }
    }
}

/// The answer to `only-if-cached` where nothing stored will do
/// (RFC 9111 §5.2.1.7).
fn not_cached<B>() -> Answer<B> {
    error_page(
        504,
        "Gateway timeout: there is no stored copy that fits, and the request is only-if-cached.\n",
    )
}
