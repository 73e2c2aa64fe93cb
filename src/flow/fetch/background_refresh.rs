//! Fetching again what is stored: behind a stale answer, or because an order
//! wants it warm.

use super::collapse;
use super::exchange::fetch;
use super::hit::from_cache;
use super::stale_candidate::StaleCandidate;
use crate::cache::config::rule::Kv;
use crate::cache::config::rules::Rules;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::purge::zone_purge::ZoneOutcome;
use crate::cache::request::classify::Lookup;
use crate::cache::warm::warm_order::visit;
use crate::flow::isolate::inflight::Flight;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::reply::Client;
use crate::flow::response::request_log::Report;
use crate::flow::runtime::host::{Host, StoreObserver, Tier};
use crate::flow::store::kv;
use crate::flow::store::lookup::{Found, Hit, find_fresh, find_in_kv};
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::url::Url;
use futures_channel::oneshot;
use std::rc::Rc;

/// Refreshes an entry behind the response, once at a time for each slot.
pub fn refresh_later<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Rc<Lookup>,
    hit: &Hit<H::Body>,
) {
    let Some(flight) = isolate.flights.begin(&hit.slot.digest, host.now_ms()) else {
        return;
    };
    let (host_then, isolate, lookup) = (host.clone(), Rc::clone(isolate), Rc::clone(lookup));
    // What is refreshed early is fresh still: only a newer one will do.
    let after_ms = hit.early.then_some(hit.entry.received_ms);
    host.later(async move {
        let (host, site) = (&host_then, &lookup.key.url.host);
        let (sender, landing) = oneshot::channel();
        let landed = collapse::landed(host, &isolate, &flight, site, sender);
        let work = refresh(host, &isolate, &lookup, after_ms, landed, &flight);
        let report = collapse::lead(host, &flight, site, false, work).await;
        if collapse::conclude(host, &isolate, &flight, &lookup, &report) {
            collapse::until_landed(host, &isolate, &flight, landing).await;
        }
    });
}

async fn refresh<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    after_ms: Option<u64>,
    landed: StoreObserver,
    flight: &Rc<Flight>,
) -> Report {
    // The body in hand goes to the client; what a 304 confirms is read anew.
    // A HEAD request's refresh is a GET, and a part's of everything.
    let lookup = Lookup {
        head_only: false,
        range: None,
        ..lookup.clone()
    };
    let mut report = report(host, &lookup);
    report.landed = landed;
    report.leads = Some(Rc::clone(flight));
    let search = find_fresh(host, isolate, &lookup, after_ms, &mut report).await;
    let taken = &search.taken;
    let newer = |hit: &Hit<_>| after_ms.is_none_or(|ms| hit.entry.received_ms > ms);
    match search.found {
        // Another isolate was faster; perhaps in another data centre.
        Found::Fresh(hit) if newer(&hit) => {
            drop(from_cache(host, isolate, &lookup, hit, taken, &mut report))
        }
        found => ask(host, isolate, &lookup, found, taken, &mut report).await,
    }
    report
}

fn report<H: Host>(host: &H, lookup: &Lookup) -> Report {
    Report {
        event: "refresh",
        host: lookup.key.url.host.clone(),
        method: "GET".to_owned(),
        path: lookup.key.url.path.clone(),
        key: Some(lookup.key.slot().digest.clone()),
        began_ms: host.now_ms(),
        ..Report::default()
    }
}

/// Asks the origin to confirm or replace what was found.
async fn ask<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    found: Found<H::Body>,
    taken: &StorePlacement,
    report: &mut Report,
) {
    let old = match found {
        Found::Fresh(hit) | Found::WhileRevalidate(hit) => Some((hit, true)),
        Found::Stale(hit, on_error) => Some((hit, on_error)),
        Found::Nothing(_) => None,
    };
    let old = old.map(|(hit, on_error)| StaleCandidate { hit, on_error });
    let nobody = Client::Nobody;
    let answer = fetch(host, isolate, lookup, old, taken, nobody, report).await;
    report.status = answer.status;
    report.log(host);
}

/// Fetches a URL into the tiers as somebody's first visit would, unless KV
/// has it fresh. It is done when KV holds it: the other tier is one data
/// centre's. To be in KV is its purpose, so it need not earn its place there;
/// the day's budget holds for it like for others.
pub async fn refresh_url<H: Host>(host: &H, isolate: &Rc<Isolate>, url: &str) -> ZoneOutcome {
    let lookup = match lookup_of(&isolate.rules, url) {
        Ok(lookup) => lookup,
        Err(problem) => return ZoneOutcome::Refused(problem),
    };
    if let Err(problem) = sync::learn_all(host, isolate).await {
        return again(format!("ledger: {problem}"));
    }
    let mut report = report(host, &lookup);
    let lookup = match query_alias::follow(host, isolate, &lookup, &mut report).await {
        Some(led) => led,
        None => lookup,
    };
    let search = find_in_kv(host, isolate, &lookup, &mut report).await;
    if let Found::Fresh(_) = search.found {
        return ZoneOutcome::Done;
    }
    let taken = &search.taken;
    ask(host, isolate, &lookup, search.found, taken, &mut report).await;
    let settled = host.settled().await;
    if isolate.kv.budget.get().untold() > 0 {
        // Nobody may ask for this isolate later. If it fails, the next does.
        let _ = sync::learn_all(host, isolate).await;
    }
    match settled {
        Ok(()) => outcome(&report),
        Err(problem) => again(problem),
    }
}

fn again(problem: String) -> ZoneOutcome {
    ZoneOutcome::Again {
        problem,
        pause_seconds: None,
    }
}

fn lookup_of(rules: &Rules, url: &str) -> Result<Lookup, String> {
    let url = Url::parse(url).map_err(|error| format!("the URL {error}"))?;
    let mut lookup = visit(rules, &url).map_err(|problem| problem.to_string())?;
    let mut rule = (*lookup.rule).clone();
    rule.kv = Kv::Always;
    lookup.rule = Rc::new(rule);
    Ok(lookup)
}

/// What became of a refresh.
fn outcome(report: &Report) -> ZoneOutcome {
    if report.stores.contains(&Tier::Kv.word()) {
        return ZoneOutcome::Done;
    }
    if report.detail.contains(&kv::PAUSED) {
        return again(format!("kv: {}", kv::PAUSED));
    }
    if report.detail.contains(&kv::SPENT) {
        return ZoneOutcome::Refused(format!("not kept in KV: {}", kv::SPENT));
    }
    match report.fwd_status {
        None => again(match report.failure {
            Some(failure @ OriginFailure::CutOff) => format!("origin: it {failure}"),
            _ => "the origin gave no answer".to_owned(),
        }),
        // Trouble that may pass.
        Some(status @ (304 | 408 | 425 | 429 | 500..)) => again(format!("origin: status {status}")),
        Some(status) => ZoneOutcome::Refused(format!(
            "origin: status {status}; not kept in KV: {}",
            match report.detail.last() {
                Some(word) if report.stores.is_empty() => word,
                _ => "for a data centre alone",
            }
        )),
    }
}
