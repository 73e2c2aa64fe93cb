//! Refreshes of stored responses: in the background of a stale or early hit, or
//! for a warming order.

use super::collapse;
use super::exchange::fetch;
use super::fetch_outcome::{FetchContext, FetchOutcome};
use super::hit::from_cache;
use super::stale_candidate::StaleCandidate;
use crate::cache::config::rule::Kv;
use crate::cache::config::rules::Rules;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::purge::zone_purge::ZoneOutcome;
use crate::cache::request::classify::Lookup;
use crate::cache::warm::warm_order::lookup_to_warm;
use crate::flow::isolate::inflight::Flight;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::reply::Client;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, StoreObserver, Tier};
use crate::flow::stats::record;
use crate::flow::store::kv::KvRefusal;
use crate::flow::store::lookup::{Found, Hit, Search, find_fresh, find_in_kv};
use crate::flow::store::query_alias;
use crate::http::url::Url;
use futures_channel::oneshot;
use std::cell::Cell;
use std::rc::Rc;

/// Refreshes an entry in the background; at most one refresh per slot at a
/// time.
pub fn refresh_later<H: Host>(cx: RequestCx<'_, H>, hit: &Hit<H::Body>) {
    let flights = &cx.isolate.flights;
    let Some(flight) = flights.begin(&hit.slot.digest, cx.now_ms()) else {
        return;
    };
    let (host, isolate, lookup) = (cx.host.clone(), Rc::clone(cx.isolate), Rc::clone(cx.lookup));
    // An early refresh starts from a fresh entry. Only a newer entry makes it
    // unnecessary.
    let after_ms = hit.early.then_some(hit.entry.received_ms);
    cx.host.later(async move {
        let cx = RequestCx {
            host: &host,
            isolate: &isolate,
            lookup: &lookup,
            ledger_wait_ms: &Cell::default(),
            observation: None,
        };
        let (sender, stored) = oneshot::channel();
        let observer = collapse::flight_observer(cx, &flight, sender);
        let work = refresh(cx, after_ms, observer, &flight);
        let outcome = collapse::lead(cx, &flight, false, work).await;
        if collapse::conclude(cx, &flight, &outcome) {
            collapse::wait_until_stored(&host, &isolate, &flight, stored).await;
        }
    });
}

async fn refresh<H: Host>(
    cx: RequestCx<'_, H>,
    after_ms: Option<u64>,
    observer: StoreObserver,
    flight: &Rc<Flight>,
) -> FetchOutcome {
    // The current body goes to the client; a 304 needs a second copy, which is
    // read again. The refresh of a HEAD request is a GET, and that of a range
    // request fetches the whole body.
    let lookup = Rc::new(Lookup {
        head_only: false,
        range: None,
        ..(**cx.lookup).clone()
    });
    let cx = cx.with_lookup(&lookup);
    let mut log = refresh_log(cx.host, &lookup);
    let mut search = find_fresh(cx, after_ms, &mut log).await;
    let newer = |hit: &Hit<_>| after_ms.is_none_or(|ms| hit.entry.received_ms > ms);
    // Another isolate, perhaps in another data centre, has refreshed it
    // already.
    search.found = match search.found {
        Found::Fresh(hit) if newer(&hit) => {
            return from_cache(cx, hit, &search.placement, &observer, false, &mut log).outcome;
        }
        found => found,
    };
    let context = FetchContext {
        flight: Some(Rc::clone(flight)),
        observer,
        ..context_of(search)
    };
    fetch_and_log(cx, context, &mut log).await
}

fn refresh_log<H: Host>(host: &H, lookup: &Lookup) -> RequestLog {
    RequestLog {
        event: "refresh",
        host: lookup.key.url.host.clone(),
        method: "GET".to_owned(),
        path: lookup.key.url.path.clone(),
        key: Some(lookup.key.slot().digest.clone()),
        began_ms: host.now_ms(),
        ..RequestLog::default()
    }
}

/// The context of a fetch that revalidates or replaces what the search found.
fn context_of<B>(search: Search<B>) -> FetchContext<B> {
    let stale = match search.found {
        Found::Fresh(hit) | Found::WhileRevalidate(hit) => Some(StaleCandidate::new(hit, true)),
        Found::Stale(hit, usable_on_error) => Some(StaleCandidate::new(hit, usable_on_error)),
        Found::Nothing(_) => None,
    };
    FetchContext::alone(stale, search.placement, search.tiers_read)
}

/// Fetches in the background and writes the log line.
async fn fetch_and_log<H: Host>(
    cx: RequestCx<'_, H>,
    context: FetchContext<H::Body>,
    log: &mut RequestLog,
) -> FetchOutcome {
    let fetched = fetch(cx, context, Client::None, log).await;
    log.status = fetched.answer.status;
    record::count(cx.host, cx.isolate, Some(&cx.lookup.rule), log, None);
    log.write(cx.host);
    fetched.outcome
}

/// Fetches a URL into the tiers as a first request by a client would, unless KV
/// has it fresh.
///
/// It is done when KV holds the response, because the Cache API is per data
/// centre. KV admission is skipped (`kv = "always"`); the daily write budget
/// applies.
pub async fn refresh_url<H: Host>(host: &H, isolate: &Rc<Isolate>, url: &str) -> ZoneOutcome {
    let lookup = match lookup_of(&isolate.rules, url) {
        Ok(lookup) => Rc::new(lookup),
        Err(problem) => return ZoneOutcome::Refused(problem),
    };
    if let Err(problem) = sync::sync_all(host, isolate).await {
        return retry_because(format!("ledger: {problem}"));
    }
    let mut log = refresh_log(host, &lookup);
    let cx = RequestCx {
        host,
        isolate,
        lookup: &lookup,
        ledger_wait_ms: &Cell::default(),
        observation: None,
    };
    let resolved = query_alias::resolve_alias(cx, &mut log).await.map(Rc::new);
    let cx = cx.with_lookup(resolved.as_ref().unwrap_or(&lookup));
    let search = find_in_kv(cx, &mut log).await;
    if matches!(&search.found, Found::Fresh(hit) if hit.tier == Tier::Kv) {
        return ZoneOutcome::Done;
    }
    let outcome = fetch_and_log(cx, context_of(search), &mut log).await;
    let result = host.wait_for_background().await;
    if isolate.kv.budget.get().unreported() > 0 {
        // This isolate may not get another request. A failed report is repeated
        // by the next query.
        let _ = sync::sync_all(host, isolate).await;
    }
    match result {
        Ok(()) => zone_outcome(&outcome),
        Err(problem) => retry_because(problem),
    }
}

fn retry_because(problem: String) -> ZoneOutcome {
    ZoneOutcome::Again {
        problem,
        pause_seconds: None,
    }
}

fn lookup_of(rules: &Rules, url: &str) -> Result<Lookup, String> {
    let url = Url::parse(url).map_err(|error| format!("the URL {error}"))?;
    let mut lookup = lookup_to_warm(rules, &url).map_err(|problem| problem.to_string())?;
    let mut rule = (*lookup.rule).clone();
    rule.kv = Kv::Always;
    lookup.rule = Rc::new(rule);
    Ok(lookup)
}

/// The result of a refresh, for the ledger.
fn zone_outcome(outcome: &FetchOutcome) -> ZoneOutcome {
    if outcome.stored.contains(&Tier::Kv) {
        return ZoneOutcome::Done;
    }
    if let Some(refusal) = outcome.kv_refusal {
        let word = refusal.word();
        return match refusal {
            KvRefusal::Paused => retry_because(format!("kv: {word}")),
            KvRefusal::Spent => ZoneOutcome::Refused(format!("not kept in KV: {word}")),
        };
    }
    match (outcome.status, outcome.failure) {
        (_, Some(failure @ OriginFailure::CutOff)) => {
            retry_because(format!("origin: it {failure}"))
        }
        (_, Some(_)) | (None, None) => retry_because("the origin gave no answer".to_owned()),
        // These statuses may be temporary.
        (Some(status @ (304 | 408 | 425 | 429 | 500..)), None) => {
            retry_because(format!("origin: status {status}"))
        }
        (Some(status), None) => ZoneOutcome::Refused(format!(
            "origin: status {status}; not kept in KV: {}",
            match outcome.refusal {
                Some(word) if outcome.stored.is_empty() => word,
                _ => "for a data centre alone",
            }
        )),
    }
}
