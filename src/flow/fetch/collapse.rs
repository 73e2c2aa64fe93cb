//! Asking the origin for all who want the same answer: who asks, who waits,
//! and what each gets (`flow::isolate::inflight`).

use super::exchange::fetch;
use super::range_fetch::complete;
use super::stale_candidate::StaleCandidate;
use crate::cache::config::settings::Collapse;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{key_of_kind, kind_of, may_share};
use crate::cache::policy::freshness::blames_request;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::inflight::{BEAT_MS, Flight, FlightOutcome};
use crate::flow::isolate::state::Isolate;
use crate::flow::response::error_pages::origin_failed;
use crate::flow::response::reply::{Answer, Client};
use crate::flow::response::request_log::Report;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, StoreObserver, Tier};
use crate::flow::runtime::timeout::with_timeout;
use crate::flow::store::lookup::Hit;
use crate::flow::store::store_placement::StorePlacement;
use futures_channel::oneshot;
use futures_util::FutureExt;
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

/// A fill that takes longer is noted in the Cache API for the other isolates
/// of the data centre. A faster one would be over before they see the note.
const NOTE_AFTER_MS: u64 = 20;
/// How long such a note holds; it is renewed at every third sign of life.
const NOTE_SECONDS: u64 = 5;
const BEATS_A_NOTE: u32 = 3;
/// How long followers wait for the copy once the head has come. A body that
/// takes longer is fetched by each of them.
const LANDING_MS_MAX: u64 = 10_000;
/// Most copies are there after so long.
const LANDING_LOOK_MS: u64 = 50;

/// A note's word.
pub const ASKING: &str = "asking";
/// A note's word.
pub const LANDED: &str = "landed";
/// A note's word.
pub const UNSHARED: &str = "unshared";
const FAILED: &str = "failed";

/// What a request asks the origin with.
pub struct FetchContext<B> {
    /// The stored answer that is to be confirmed or replaced.
    pub old: Option<StaleCandidate<B>>,
    /// The stored start that is to be completed.
    pub part: Option<Hit<B>>,
    /// See [`crate::flow::store::lookup::Search`].
    pub taken: StorePlacement,
}

/// The name of the note about a flight.
pub fn note_name(key: &str) -> String {
    format!("fill-{key}")
}

/// An answer of this key could be shared, whatever was remembered of it.
pub fn shared<H: Host>(host: &H, isolate: &Isolate, site: &str, key: &str) {
    if isolate.flights.forget_unshared(key) {
        host.share(site, &note_name(key), LANDED.to_owned(), NOTE_SECONDS);
    }
}

/// Asks the origin for one request alone, with what it holds.
pub async fn ask<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    held: FetchContext<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    let FetchContext { old, part, taken } = held;
    match part {
        Some(part) => {
            report.fwd = Some("partial");
            boxed(complete(host, isolate, lookup, part, report)).await
        }
        None => fetch(host, isolate, lookup, old, &taken, Client::Waiting, report).await,
    }
}

/// How often a request that asks beside others looks if they were faster.
const FASTER_LOOK_MS: u64 = 200;

/// Asks the origin beside others who have taken long. `None` if they have a copy
/// for all before there is an answer.
pub async fn fill_too<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Rc<Lookup>,
    held: FetchContext<H::Body>,
    flight: Rc<Flight>,
    report: &mut Report,
) -> Option<Answer<H::Body>> {
    let mut told = report.clone();
    let leads = Rc::clone(&flight);
    let work = async move {
        let answer = fill(host, isolate, lookup, held, leads, &mut told).await;
        (answer, told)
    };
    let mut work = pin!(work);
    loop {
        if let Some((answer, told)) = with_timeout(host, FASTER_LOOK_MS, work.as_mut()).await {
            *report = told;
            return Some(answer);
        }
        if flight.outcome() == Some(FlightOutcome::Landed) {
            // The work goes on, and its answer is dropped.
            report.collapsed = true;
            report.note("collapse: the copy of another request came first".to_owned());
            return None;
        }
    }
}

/// Asks the origin for all. The work goes on if the client leaves meanwhile,
/// because others wait for it, or soon will; not if the host has its share of
/// such fills (`flow::isolate::abandoned_fills`).
pub async fn fill<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Rc<Lookup>,
    held: FetchContext<H::Body>,
    flight: Rc<Flight>,
    report: &mut Report,
) -> Answer<H::Body> {
    let (mut sender, receiver) = oneshot::channel();
    let (host_then, isolate) = (host.clone(), Rc::clone(isolate));
    let lookup = Rc::clone(lookup);
    let mut told = std::mem::take(report);
    host.later(async move {
        let (host, site) = (&host_then, &lookup.key.url.host);
        let (landing_sender, landing) = oneshot::channel();
        told.landed = landed(host, &isolate, &flight, site, landing_sender);
        told.leads = Some(Rc::clone(&flight));
        let work = ask(host, &isolate, &lookup, held, &mut told);
        let shared = lookup.rule.collapse == Collapse::DataCentre;
        let work = lead(host, &flight, site, shared, work);
        let most = isolate.rules.protection.max_requests;
        let abandoned = &isolate.abandoned;
        let Some(answer) = abandoned
            .unless_too_many(site, most, &mut sender, work)
            .await
        else {
            // Whoever waits looks again, finds nothing, and one of them asks.
            return end(host, &isolate, &flight, site, FlightOutcome::Landed);
        };
        let lands = conclude(host, &isolate, &flight, &lookup, &told);
        // If the client has left, its body is held until the copy is there.
        let unread = sender.send((answer, told));
        if lands {
            until_landed(host, &isolate, &flight, landing).await;
        }
        drop(unread);
    });
    let Some((answer, told)) = host.receive(receiver).await else {
        // The work was dropped, and the rest of the report with it.
        report.cache = "error";
        report.failure = Some(OriginFailure::Unreachable);
        return origin_failed(OriginFailure::Unreachable);
    };
    *report = told;
    answer
}

/// Does the work of a flight, and gives signs of life meanwhile: to the
/// followers, and, if `shared` and it takes long, to the other isolates.
pub async fn lead<H: Host, T>(
    host: &H,
    flight: &Flight,
    site: &str,
    shared: bool,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    let mut pause_ms = if shared { NOTE_AFTER_MS } else { BEAT_MS };
    for beat in 0_u32.. {
        if let Some(done) = with_timeout(host, pause_ms, work.as_mut()).await {
            return done;
        }
        flight.beat(host.now_ms());
        if shared && beat % BEATS_A_NOTE == 0 {
            flight.noted.set(true);
            let text = ASKING.to_owned();
            host.share(site, &note_name(&flight.key), text, NOTE_SECONDS);
        }
        pause_ms = BEAT_MS;
    }
    // 4 billion signs of life take a century.
    work.await
}

/// Ends a flight when the copy of its answer is there, and says so to the
/// request that waits for that, which is the one that stores it.
pub fn landed<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    flight: &Rc<Flight>,
    site: &str,
    landing: oneshot::Sender<()>,
) -> StoreObserver {
    let (host, isolate, flight) = (host.clone(), Rc::clone(isolate), Rc::clone(flight));
    let (site, landing) = (site.to_owned(), Cell::new(Some(landing)));
    StoreObserver::new(move |tier, _| {
        if tier == Tier::CacheApi {
            end(&host, &isolate, &flight, &site, FlightOutcome::Landed);
            if let Some(landing) = landing.take() {
                // Who waits may have given up.
                let _ = landing.send(());
            }
        }
    })
}

/// Ends a flight whose answer is not on its way to the Cache API, or is of no
/// use to others there, unless another request still may have one that is.
/// Whether a copy is on its way.
pub fn conclude<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    flight: &Rc<Flight>,
    lookup: &Lookup,
    report: &Report,
) -> bool {
    let (site, now_ms) = (&lookup.key.url.host, host.now_ms());
    let stored = report.stores.contains(&Tier::CacheApi.word());
    let useful = stored && report.ttl.is_some_and(|ttl| ttl > 0);
    let outcome = match report.fwd_status {
        _ if useful => {
            flight.answers(now_ms);
            shared(host, isolate, site, &flight.key);
            return true;
        }
        // After its head, or without one.
        _ if report.failure.is_some() => FlightOutcome::Failed(report.failure),
        None => FlightOutcome::Failed(report.failure),
        Some(status) if status >= 500 && !stored => FlightOutcome::Failed(None),
        Some(status) if report.for_its_kind || blames_request(status) => FlightOutcome::ForItsKind,
        Some(_) => FlightOutcome::Unshared,
    };
    match outcome {
        // Also if the copy, which is only to be confirmed, has landed before.
        FlightOutcome::Unshared => isolate.flights.remember_unshared(&flight.key, now_ms),
        FlightOutcome::ForItsKind => {
            let key = key_of_kind(&flight.key, kind_of(lookup));
            isolate.flights.remember_unshared(&key, now_ms);
        }
        FlightOutcome::Landed | FlightOutcome::Failed(_) => {}
    }
    if flight.gives_nothing() || outcome == FlightOutcome::Unshared {
        end(host, isolate, flight, site, outcome);
    }
    false
}

/// Remembers for longer that answers of this key are for who asks: one more
/// was.
pub fn remember<H: Host>(host: &H, isolate: &Isolate, lookup: &Lookup, key: &str, report: &Report) {
    let (flights, now_ms) = (&isolate.flights, host.now_ms());
    let answered = report.failure.is_none() && report.fwd_status.is_some_and(|status| status < 500);
    let shared = report.ttl.is_some_and(|ttl| ttl > 0);
    // An answer to the conditions of one client tells nothing of what others
    // would be given: one of them must ask, or what has become storable would
    // never be stored.
    if !answered || shared || !may_share(lookup) || lookup.sends_conditions {
        return;
    }
    for key in [key.to_owned(), key_of_kind(key, kind_of(lookup))] {
        if flights.is_unshared(&key, now_ms) {
            flights.remember_unshared(&key, now_ms);
        }
    }
}

/// Waits until the copy of a flight's answer is there, with signs of life; not
/// for ever.
pub async fn until_landed<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    flight: &Rc<Flight>,
    landing: oneshot::Receiver<()>,
) {
    // Pending for ever once it has come, or can come no more.
    let mut landing = landing.fuse();
    let began_ms = host.now_ms();
    let mut pause_ms = LANDING_LOOK_MS;
    while flight.outcome().is_none() {
        if host.now_ms().saturating_sub(began_ms) >= LANDING_MS_MAX {
            // Lost or not: they look, and then ask for themselves.
            return isolate
                .flights
                .end(flight, FlightOutcome::Landed, host.now_ms());
        }
        if with_timeout(host, pause_ms, &mut landing).await.is_none() {
            flight.beat(host.now_ms());
            pause_ms = BEAT_MS;
        }
    }
}

fn end<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    flight: &Rc<Flight>,
    site: &str,
    outcome: FlightOutcome,
) {
    if flight.outcome().is_none() && flight.noted.get() {
        let (word, seconds) = match outcome {
            FlightOutcome::Landed => (LANDED, NOTE_SECONDS),
            FlightOutcome::Failed(_) | FlightOutcome::ForItsKind => (FAILED, NOTE_SECONDS),
            FlightOutcome::Unshared => {
                (UNSHARED, crate::flow::isolate::inflight::UNSHARED_MS / 1000)
            }
        };
        host.share(site, &note_name(&flight.key), word.to_owned(), seconds);
    }
    isolate.flights.end(flight, outcome, host.now_ms());
}
