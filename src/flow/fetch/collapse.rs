//! Asking the origin for all who want the same answer: who asks, who waits,
//! and what each gets (`flow::isolate::inflight`).

use super::exchange::fetch;
use super::fetch_outcome::{FetchContext, FetchOutcome, FetchResult};
use super::range_fetch::complete;
use crate::cache::config::settings::Collapse;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{key_of_kind, kind_of, may_share};
use crate::cache::policy::freshness::blames_request;
use crate::flow::isolate::inflight::{BEAT_MS, Flight, FlightOutcome, UNSHARED_MS};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::error_pages::origin_failed;
use crate::flow::response::reply::{Answer, Client};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, StoreObserver, Tier};
use crate::flow::runtime::timeout::with_timeout;
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

/// The name of the note about a flight.
pub fn note_name(key: &str) -> String {
    format!("fill-{key}")
}

/// An answer of this key could be shared, whatever was remembered of it.
pub fn shared<H: Host>(cx: RequestCx<'_, H>, key: &str) {
    if cx.isolate.flights.forget_unshared(key) {
        let text = LANDED.to_owned();
        cx.host
            .share(cx.site(), &note_name(key), text, NOTE_SECONDS);
    }
}

/// Asks the origin for one request alone, with what the lookup found.
pub async fn ask<H: Host>(
    cx: RequestCx<'_, H>,
    mut context: FetchContext<H::Body>,
    log: &mut RequestLog,
) -> FetchResult<H::Body> {
    match context.part.take() {
        Some(part) => {
            log.fwd = Some("partial");
            boxed(complete(cx, part, context, log)).await
        }
        None => fetch(cx, context, Client::Waiting, log).await,
    }
}

/// How often a request that asks beside others looks if they were faster.
const FASTER_LOOK_MS: u64 = 200;

/// Asks the origin beside others who have taken long. `None` if they have a copy
/// for all before there is an answer.
pub async fn fill_too<H: Host>(
    cx: RequestCx<'_, H>,
    context: FetchContext<H::Body>,
    flight: Rc<Flight>,
    log: &mut RequestLog,
) -> Option<Answer<H::Body>> {
    let mut log_of_fill = log.clone();
    let leads = Rc::clone(&flight);
    let work = async move {
        let answer = fill(cx, context, leads, &mut log_of_fill).await;
        (answer, log_of_fill)
    };
    let mut work = pin!(work);
    loop {
        if let Some((answer, log_of_fill)) =
            with_timeout(cx.host, FASTER_LOOK_MS, work.as_mut()).await
        {
            *log = log_of_fill;
            return Some(answer);
        }
        if flight.outcome() == Some(FlightOutcome::Landed) {
            // The work goes on, and its answer is dropped.
            log.collapsed = true;
            log.note("collapse: the copy of another request came first".to_owned());
            return None;
        }
    }
}

/// Asks the origin for all. The work goes on if the client leaves meanwhile,
/// because others wait for it, or soon will; not if the host has its share of
/// such fills (`flow::isolate::abandoned_fills`).
pub async fn fill<H: Host>(
    cx: RequestCx<'_, H>,
    mut context: FetchContext<H::Body>,
    flight: Rc<Flight>,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    let (mut sender, receiver) = oneshot::channel();
    let (host, isolate, lookup) = (cx.host.clone(), Rc::clone(cx.isolate), Rc::clone(cx.lookup));
    let ledger_wait_ms = cx.ledger_wait_ms.clone();
    let mut log_of_fill = std::mem::take(log);
    cx.host.later(async move {
        let cx = RequestCx {
            host: &host,
            isolate: &isolate,
            lookup: &lookup,
            ledger_wait_ms: &ledger_wait_ms,
        };
        let (landing_sender, landing) = oneshot::channel();
        context.observer = landed(cx, &flight, landing_sender);
        context.flight = Some(Rc::clone(&flight));
        let work = ask(cx, context, &mut log_of_fill);
        let shared = lookup.rule.collapse == Collapse::DataCentre;
        let work = lead(&host, &flight, cx.site(), shared, work);
        let most = isolate.rules.protection.max_requests;
        let fetched = isolate
            .abandoned
            .unless_too_many(cx.site(), most, &mut sender, work)
            .await;
        let Some(FetchResult { answer, outcome }) = fetched else {
            // The followers look again, find nothing, and one of them asks.
            return end(cx, &flight, FlightOutcome::Landed);
        };
        let lands = conclude(cx, &flight, &outcome);
        // If the client has left, its body is held until the copy is there.
        let unread = sender.send((answer, log_of_fill));
        if lands {
            until_landed(&host, &isolate, &flight, landing).await;
        }
        drop(unread);
    });
    let Some((answer, log_of_fill)) = cx.host.receive(receiver).await else {
        // The work was dropped, and the rest of the log with it.
        log.cache = "error";
        return origin_failed(OriginFailure::Unreachable);
    };
    *log = log_of_fill;
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

/// Ends a flight when the copy of its answer is there, and sends on `landing`.
pub fn landed<H: Host>(
    cx: RequestCx<'_, H>,
    flight: &Rc<Flight>,
    landing: oneshot::Sender<()>,
) -> StoreObserver {
    let (host, isolate, lookup) = (cx.host.clone(), Rc::clone(cx.isolate), Rc::clone(cx.lookup));
    let (flight, landing) = (Rc::clone(flight), Cell::new(Some(landing)));
    StoreObserver::new(move |tier, _| {
        if tier == Tier::CacheApi {
            let cx = RequestCx {
                host: &host,
                isolate: &isolate,
                lookup: &lookup,
                ledger_wait_ms: &Cell::default(),
            };
            end(cx, &flight, FlightOutcome::Landed);
            if let Some(landing) = landing.take() {
                // Who waits may have given up.
                let _ = landing.send(());
            }
        }
    })
}

/// Ends a flight whose answer is not on its way to the Cache API, or is of no
/// use to others there, unless another request still may have one that is.
/// Returns whether a copy is on its way.
pub fn conclude<H: Host>(
    cx: RequestCx<'_, H>,
    flight: &Rc<Flight>,
    outcome: &FetchOutcome,
) -> bool {
    let (flights, now_ms) = (&cx.isolate.flights, cx.now_ms());
    if outcome.is_shared() {
        flight.answers(now_ms);
        shared(cx, &flight.key);
        return true;
    }
    let ends_by = flight_outcome(outcome);
    match ends_by {
        // Also if the copy, which is only to be confirmed, has landed before.
        FlightOutcome::Unshared => flights.remember_unshared(&flight.key, now_ms),
        FlightOutcome::ForItsKind => {
            let key = key_of_kind(&flight.key, kind_of(cx.lookup));
            flights.remember_unshared(&key, now_ms);
        }
        FlightOutcome::Landed | FlightOutcome::Failed(_) => {}
    }
    if flight.gives_nothing() || ends_by == FlightOutcome::Unshared {
        end(cx, flight, ends_by);
    }
    false
}

/// How a flight ends whose answer is for the one who asked.
fn flight_outcome(outcome: &FetchOutcome) -> FlightOutcome {
    let stored = outcome.stored.contains(&Tier::CacheApi);
    match outcome.status {
        // After its head, or without one.
        _ if outcome.failure.is_some() => FlightOutcome::Failed(outcome.failure),
        None => FlightOutcome::Failed(None),
        Some(status) if status >= 500 && !stored => FlightOutcome::Failed(None),
        Some(status) if outcome.for_its_kind || blames_request(status) => FlightOutcome::ForItsKind,
        Some(_) => FlightOutcome::Unshared,
    }
}

/// Remembers for longer that answers of this key are for who asks: one more
/// was.
pub fn remember<H: Host>(cx: RequestCx<'_, H>, key: &str, outcome: &FetchOutcome) {
    let (flights, lookup, now_ms) = (&cx.isolate.flights, cx.lookup, cx.now_ms());
    let answered = outcome.failure.is_none() && outcome.status.is_some_and(|status| status < 500);
    // An answer to the conditions of one client tells nothing of what others
    // would be given: one of them must ask, or what has become storable would
    // never be stored.
    if !answered || outcome.is_fresh() || !may_share(lookup) || lookup.sends_conditions {
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

fn end<H: Host>(cx: RequestCx<'_, H>, flight: &Rc<Flight>, outcome: FlightOutcome) {
    if flight.outcome().is_none() && flight.noted.get() {
        let (word, seconds) = match outcome {
            FlightOutcome::Landed => (LANDED, NOTE_SECONDS),
            FlightOutcome::Failed(_) | FlightOutcome::ForItsKind => (FAILED, NOTE_SECONDS),
            FlightOutcome::Unshared => (UNSHARED, UNSHARED_MS / 1000),
        };
        let name = note_name(&flight.key);
        cx.host.share(cx.site(), &name, word.to_owned(), seconds);
    }
    cx.isolate.flights.end(flight, outcome, cx.now_ms());
}
