//! Request collapsing: one request fetches the response for all others. This
//! module runs the fetch and ends the flight (`flow::isolate::inflight`).

use super::exchange::fetch;
use super::fetch_outcome::{FetchContext, FetchOutcome, FetchResult};
use super::range_fetch::complete;
use crate::cache::config::setting_words::Collapse;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{key_of_kind, kind_of, may_share};
use crate::cache::policy::freshness::is_request_error;
use crate::flow::isolate::inflight::{Flight, FlightOutcome, HEARTBEAT_MS, UNSHARED_MS};
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

/// A fill that takes longer than this is announced in the Cache API to the
/// other isolates of the data centre. A faster one would end before they read
/// it.
const NOTE_AFTER_MS: u64 = 20;
/// How long an announcement is valid. It is renewed at every third heartbeat.
const NOTE_SECONDS: u64 = 5;
const HEARTBEATS_PER_NOTE: u32 = 3;
/// How long followers wait for the copy after the response head has arrived. If
/// the body takes longer, each of them fetches it.
const STORE_WAIT_MS_MAX: u64 = 10_000;
/// The first pause while waiting for the copy. Most copies are stored by then.
const STORE_POLL_MS: u64 = 50;

/// State of an announced fill: the origin's response is awaited.
pub const FETCHING: &str = "asking";
/// State of an announced fill: the copy is stored.
pub const STORED: &str = "landed";
/// State of an announced fill: the response cannot be shared.
pub const UNSHARED: &str = "unshared";
const FAILED: &str = "failed";

/// The name under which a flight's state is announced.
pub fn note_name(key: &str) -> String {
    format!("fill-{key}")
}

/// Forgets that responses of this key were unshared, because one has been
/// shared.
pub fn mark_shared<H: Host>(cx: RequestCx<'_, H>, key: &str) {
    if cx.isolate.flights.forget_unshared(key) {
        let text = STORED.to_owned();
        cx.host
            .write_note(cx.site(), &note_name(key), text, NOTE_SECONDS);
    }
}

/// Fetches from the origin, with what the lookup found. Completes a stored part
/// if there is one.
pub async fn fetch_or_complete<H: Host>(
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

/// How often an additional leader checks whether another one was faster.
const LEADER_POLL_MS: u64 = 200;

/// Fetches beside leaders that have taken long. Returns `None` if one of them
/// has stored a shareable copy first.
pub async fn fill_in_addition<H: Host>(
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
            with_timeout(cx.host, LEADER_POLL_MS, work.as_mut()).await
        {
            *log = log_of_fill;
            return Some(answer);
        }
        if flight.outcome() == Some(FlightOutcome::Stored) {
            // The fetch continues, and its response is dropped.
            log.collapsed = true;
            log.add_note("collapse: the copy of another request came first".to_owned());
            return None;
        }
    }
}

/// Fetches from the origin as the leader of a flight.
///
/// The fetch continues if the client disconnects, because followers wait for
/// it, or soon will. It stops if the host already has its share of such fills
/// (`flow::isolate::abandoned_fills`).
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
            observation: None,
        };
        let (stored_sender, stored) = oneshot::channel();
        context.observer = flight_observer(cx, &flight, stored_sender);
        context.flight = Some(Rc::clone(&flight));
        let work = fetch_or_complete(cx, context, &mut log_of_fill);
        let shared = lookup.rule.collapse == Collapse::DataCentre;
        let work = lead(cx, &flight, shared, work);
        let most = isolate.rules.protection.max_requests;
        let fetched = isolate
            .abandoned
            .run_within_limit(cx.site(), most, &mut sender, work)
            .await;
        let Some(FetchResult { answer, outcome }) = fetched else {
            // The followers look again, find nothing, and one of them becomes
            // the leader.
            return end(cx, &flight, FlightOutcome::Stored);
        };
        let is_storing = conclude(cx, &flight, &outcome);
        // If the client has disconnected, its body is held until the copy is
        // stored.
        let unread = sender.send((answer, log_of_fill));
        if is_storing {
            wait_until_stored(&host, &isolate, &flight, stored).await;
        }
        drop(unread);
    });
    let Some((answer, log_of_fill)) = cx.host.receive(receiver).await else {
        // The fetch was dropped, and its log record with it.
        log.cache = "error";
        return origin_failed(OriginFailure::Unreachable);
    };
    *log = log_of_fill;
    answer
}

/// Runs the work of a flight and sends heartbeats to the followers. If `shared`
/// and the work takes long, it also announces the fill to the other isolates.
pub async fn lead<H: Host, T>(
    cx: RequestCx<'_, H>,
    flight: &Flight,
    shared: bool,
    work: impl Future<Output = T>,
) -> T {
    let (host, site, speeds) = (cx.host, cx.site(), &cx.isolate.fill_speeds);
    let mut work = pin!(work);
    let mut pause_ms = if shared { NOTE_AFTER_MS } else { HEARTBEAT_MS };
    for beat in 0_u32.. {
        if let Some(done) = with_timeout(host, pause_ms, work.as_mut()).await {
            if shared && beat == 0 {
                speeds.record_fast(site, host.now_ms());
            }
            return done;
        }
        flight.record_heartbeat(host.now_ms());
        if shared && beat == 0 {
            speeds.record_slow(site, host.now_ms());
        }
        if shared && beat % HEARTBEATS_PER_NOTE == 0 {
            flight.announced.set(true);
            let text = FETCHING.to_owned();
            host.write_note(site, &note_name(&flight.key), text, NOTE_SECONDS);
        }
        pause_ms = HEARTBEAT_MS;
    }
    // 4 billion heartbeats take a century.
    work.await
}

/// An observer that ends a flight when its copy is stored, and then sends on
/// `stored`.
pub fn flight_observer<H: Host>(
    cx: RequestCx<'_, H>,
    flight: &Rc<Flight>,
    stored: oneshot::Sender<()>,
) -> StoreObserver {
    let (host, isolate, lookup) = (cx.host.clone(), Rc::clone(cx.isolate), Rc::clone(cx.lookup));
    let (flight, stored) = (Rc::clone(flight), Cell::new(Some(stored)));
    StoreObserver::new(move |tier, _| {
        if tier == Tier::CacheApi {
            let cx = RequestCx {
                host: &host,
                isolate: &isolate,
                lookup: &lookup,
                ledger_wait_ms: &Cell::default(),
                observation: None,
            };
            end(cx, &flight, FlightOutcome::Stored);
            if let Some(stored) = stored.take() {
                // The receiver may have given up.
                let _ = stored.send(());
            }
        }
    })
}

/// Ends a flight whose response is not being written to the Cache API, or is of
/// no use to others there, unless another leader of it may still store one.
/// Returns whether a copy is being written.
pub fn conclude<H: Host>(
    cx: RequestCx<'_, H>,
    flight: &Rc<Flight>,
    outcome: &FetchOutcome,
) -> bool {
    let (flights, now_ms) = (&cx.isolate.flights, cx.now_ms());
    if outcome.is_shared() {
        flight.set_answered(now_ms);
        mark_shared(cx, &flight.key);
        return true;
    }
    let ends_by = flight_outcome(outcome);
    match ends_by {
        // Also if the copy has been stored before: it may only be revalidated.
        FlightOutcome::Unshared => flights.remember_unshared(&flight.key, now_ms),
        FlightOutcome::ForItsKind => {
            let key = key_of_kind(&flight.key, kind_of(cx.lookup));
            flights.remember_unshared(&key, now_ms);
        }
        FlightOutcome::Stored | FlightOutcome::Failed(_) => {}
    }
    if flight.remove_leader() || ends_by == FlightOutcome::Unshared {
        end(cx, flight, ends_by);
    }
    false
}

/// The outcome of a flight whose response is for the leader alone.
fn flight_outcome(outcome: &FetchOutcome) -> FlightOutcome {
    let stored = outcome.stored.contains(&Tier::CacheApi);
    match outcome.status {
        // The failure came after the head, or there was no head.
        _ if outcome.failure.is_some() => FlightOutcome::Failed(outcome.failure),
        None => FlightOutcome::Failed(None),
        Some(status) if status >= 500 && !stored => FlightOutcome::Failed(None),
        Some(status) if outcome.for_its_kind || is_request_error(status) => {
            FlightOutcome::ForItsKind
        }
        Some(_) => FlightOutcome::Unshared,
    }
}

/// Extends the time for which responses of this key are remembered as unshared,
/// because one more was.
pub fn renew_unshared<H: Host>(cx: RequestCx<'_, H>, key: &str, outcome: &FetchOutcome) {
    let (flights, lookup, now_ms) = (&cx.isolate.flights, cx.lookup, cx.now_ms());
    let answered = outcome.failure.is_none() && outcome.status.is_some_and(|status| status < 500);
    // A response to one client's conditions does not show what others would
    // get. One of them must fetch, or a response that has become storable would
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

/// Waits until the copy of a flight's response is stored, at most
/// [`STORE_WAIT_MS_MAX`], and sends heartbeats meanwhile.
pub async fn wait_until_stored<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    flight: &Rc<Flight>,
    stored: oneshot::Receiver<()>,
) {
    // A fused receiver stays pending after it has completed or was cancelled.
    let mut stored = stored.fuse();
    let began_ms = host.now_ms();
    let mut pause_ms = STORE_POLL_MS;
    while flight.outcome().is_none() {
        if host.now_ms().saturating_sub(began_ms) >= STORE_WAIT_MS_MAX {
            // Stored or not: the followers look again, and then fetch alone.
            return isolate
                .flights
                .end(flight, FlightOutcome::Stored, host.now_ms());
        }
        if with_timeout(host, pause_ms, &mut stored).await.is_none() {
            flight.record_heartbeat(host.now_ms());
            pause_ms = HEARTBEAT_MS;
        }
    }
}

fn end<H: Host>(cx: RequestCx<'_, H>, flight: &Rc<Flight>, outcome: FlightOutcome) {
    if flight.outcome().is_none() && flight.announced.get() {
        let (word, seconds) = match outcome {
            FlightOutcome::Stored => (STORED, NOTE_SECONDS),
            FlightOutcome::Failed(_) | FlightOutcome::ForItsKind => (FAILED, NOTE_SECONDS),
            FlightOutcome::Unshared => (UNSHARED, UNSHARED_MS / 1000),
        };
        let name = note_name(&flight.key);
        cx.host
            .write_note(cx.site(), &name, word.to_owned(), seconds);
    }
    cx.isolate.flights.end(flight, outcome, cx.now_ms());
}
