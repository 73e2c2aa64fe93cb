//! Asking the origin for all who want the same answer: who asks, who waits,
//! and what each gets (`flow::flights`).

use super::failure::origin_failed;
use super::fetch::{Old, fetch};
use super::find::Taken;
use super::flights::{BEAT_MS, Flight, Outcome, Role};
use super::host::{Host, Landed, Tier};
use super::isolate::Isolate;
use super::reply::{Answer, Client};
use super::report::Report;
use super::within::within;
use crate::cache::answer::OriginFailure;
use crate::cache::request::Lookup;
use crate::cache::settings::Collapse;
use crate::http::cache_control::RequestControl;
use futures_channel::oneshot;
use futures_util::FutureExt;
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

/// What a request does that has found nothing to serve.
#[derive(Debug)]
pub enum Turn {
    /// It asks the origin for itself.
    Alone,
    /// It asks for all.
    Lead(Rc<Flight>),
    /// Another one has asked: look again.
    LookAgain,
    /// Another one has asked, and the origin failed.
    Failed(Option<OriginFailure>),
}

/// How often a request lets another one go first. It looks again in vain if
/// a purge came meanwhile, if the copy was lost, or if the answer turned out
/// to have variants.
const ROUNDS_MAX: u32 = 3;

/// A follower looks at a flight after an eighth of the time that it has waited
/// already, within these: what waiting adds to an answer is small beside it,
/// and so is the work.
const LOOK_MS_MIN: u64 = 4;
const LOOK_MS_MAX: u64 = 200;

/// A fill that takes longer is noted in the Cache API for the other isolates
/// of the data centre. A faster one would be over before they see the note.
const NOTE_AFTER_MS: u64 = 20;
/// How long such a note holds; it is renewed at every third sign of life.
const NOTE_SECONDS: u64 = 5;
const BEATS_A_NOTE: u32 = 3;
/// How long an isolate waits for another one's fill: longer fills are few, and
/// a request more for each isolate is borne.
const NEIGHBOUR_MS_MAX: u64 = 5_000;
const NEIGHBOUR_LOOK_MS: u64 = 50;

/// How long followers wait for the copy once the head has come. A body that
/// takes longer is fetched by each of them.
const LANDING_MS_MAX: u64 = 10_000;
/// Most copies are there after so long.
const LANDING_LOOK_MS: u64 = 50;

const ASKING: &str = "asking";
const LANDED: &str = "landed";
const UNSHARED: &str = "unshared";
const FAILED: &str = "failed";

/// Whether others may be answered by what this request fetches, and it by what
/// they do.
fn may_share(lookup: &Lookup) -> bool {
    lookup.rule.collapse != Collapse::Off
        && !lookup.head_only
        && !lookup.authorized
        && lookup.range_to_send(true).is_none()
        && lookup.wishes == RequestControl::default()
}

/// Decides who asks the origin for the answer that will lie in the slot of
/// digest `key`, and waits if that is another one. The request has begun to
/// look for it at `looked_ms`, after so many `rounds`.
pub async fn take_turn<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    key: &str,
    (looked_ms, rounds): (u64, u32),
    report: &mut Report,
) -> Turn {
    if !may_share(lookup) || rounds >= ROUNDS_MAX {
        return Turn::Alone;
    }
    let began_ms = host.now_ms();
    // As long as it would wait for an origin that it asked itself.
    let rules = &isolate.rules;
    let longest = rules
        .origin_deadline_seconds
        .max(lookup.rule.origin_timeout_seconds);
    let bound_ms = longest
        .saturating_mul(1000)
        .saturating_add(NEIGHBOUR_MS_MAX);
    loop {
        let flight = match isolate.flights.join(key, looked_ms, host.now_ms()) {
            Role::Alone => return Turn::Alone,
            Role::LookAgain => {
                report.collapsed = true;
                return Turn::LookAgain;
            }
            Role::Lead(flight) => {
                report.collapsed = false;
                return lead_or_wait(host, isolate, lookup, flight, report).await;
            }
            Role::Follow(flight) => flight,
        };
        report.collapsed = true;
        while flight.outcome().is_none() && !flight.is_dead(host.now_ms()) {
            let waited_ms = host.now_ms().saturating_sub(began_ms);
            if waited_ms >= bound_ms {
                return match flight.answered.get() {
                    true => Turn::Alone,
                    false => Turn::Failed(Some(OriginFailure::TimedOut)),
                };
            }
            let pause_ms = (waited_ms / 8).clamp(LOOK_MS_MIN, LOOK_MS_MAX);
            host.sleep(pause_ms).await;
        }
        match flight.outcome() {
            Some(Outcome::Landed) => return Turn::LookAgain,
            Some(Outcome::Failed(failure)) => return Turn::Failed(failure),
            Some(Outcome::Unshared) => {
                report.collapsed = false;
                return Turn::Alone;
            }
            // Its leader is gone without a word: another one leads.
            None => report.collapsed = false,
        }
    }
}

/// Leads, unless another isolate of the data centre is at it.
async fn lead_or_wait<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    flight: Rc<Flight>,
    report: &mut Report,
) -> Turn {
    if lookup.rule.collapse != Collapse::DataCentre {
        return Turn::Lead(flight);
    }
    let (site, name) = (&lookup.key.url.host, note_name(&flight.key));
    let began_ms = host.now_ms();
    let end = |outcome| isolate.flights.end(&flight, outcome, host.now_ms());
    // What an older fill left behind is not waited for.
    let mut waits = false;
    loop {
        // A Cache API that fails tells of nobody.
        let note = host.shared(site, &name).await.ok().flatten();
        match note.as_deref() {
            Some(UNSHARED) => {
                end(Outcome::Unshared);
                return Turn::Alone;
            }
            Some(LANDED) if waits => {
                end(Outcome::Landed);
                report.collapsed = true;
                return Turn::LookAgain;
            }
            Some(ASKING) => waits = true,
            _ => return Turn::Lead(flight),
        }
        let waited_ms = host.now_ms().saturating_sub(began_ms);
        if waited_ms >= NEIGHBOUR_MS_MAX {
            return Turn::Lead(flight);
        }
        let pause_ms = (waited_ms / 8).clamp(NEIGHBOUR_LOOK_MS, LOOK_MS_MAX);
        host.sleep(pause_ms).await;
        flight.beat(host.now_ms());
    }
}

fn note_name(key: &str) -> String {
    format!("fill-{key}")
}

/// An answer of this key could be shared, whatever was remembered of it.
pub fn shared<H: Host>(host: &H, isolate: &Isolate, site: &str, key: &str) {
    if isolate.flights.forget_unshared(key) {
        host.share(site, &note_name(key), LANDED.to_owned(), NOTE_SECONDS);
    }
}

/// Asks the origin for all. The work goes on if the client leaves meanwhile:
/// others wait for it.
pub async fn fill<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Rc<Lookup>,
    old: Option<Old<H::Body>>,
    taken: Taken,
    flight: Rc<Flight>,
    report: &mut Report,
) -> Answer<H::Body> {
    let (sender, receiver) = oneshot::channel();
    let (host_then, isolate) = (host.clone(), Rc::clone(isolate));
    let lookup = Rc::clone(lookup);
    let mut told = std::mem::take(report);
    host.later(async move {
        let (host, site) = (&host_then, &lookup.key.url.host);
        let (landing_sender, landing) = oneshot::channel();
        told.landed = landed(host, &isolate, &flight, site, landing_sender);
        let client = Client::Waiting;
        let work = fetch(host, &isolate, &lookup, old, &taken, client, &mut told);
        let shared = lookup.rule.collapse == Collapse::DataCentre;
        let answer = lead(host, &flight, site, shared, work).await;
        conclude(host, &isolate, &flight, site, &told);
        // If the client has left, its body is held until the copy is there.
        let unread = sender.send((answer, told));
        until_landed(host, &isolate, &flight, landing).await;
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
        if let Some(done) = within(host, pause_ms, work.as_mut()).await {
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
) -> Landed {
    let (host, isolate, flight) = (host.clone(), Rc::clone(isolate), Rc::clone(flight));
    let (site, landing) = (site.to_owned(), Cell::new(Some(landing)));
    Landed::new(move |tier, _| {
        if tier == Tier::CacheApi {
            end(&host, &isolate, &flight, &site, Outcome::Landed);
            if let Some(landing) = landing.take() {
                // Who waits may have given up.
                let _ = landing.send(());
            }
        }
    })
}

/// Ends a flight whose answer is not on its way to the Cache API, or is of no
/// use to others there.
pub fn conclude<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    flight: &Rc<Flight>,
    site: &str,
    report: &Report,
) {
    let stored = report.stores.contains(&Tier::CacheApi.word());
    let useful = stored && report.ttl.is_some_and(|ttl| ttl > 0);
    let outcome = match report.fwd_status {
        _ if useful => {
            flight.answered.set(true);
            return shared(host, isolate, site, &flight.key);
        }
        // After its head, or without one.
        _ if report.failure.is_some() => Outcome::Failed(report.failure),
        None => Outcome::Failed(report.failure),
        Some(status) if status >= 500 && !stored => Outcome::Failed(None),
        Some(_) => Outcome::Unshared,
    };
    if outcome == Outcome::Unshared {
        // Also if the copy, which is only to be confirmed, has landed before.
        let now_ms = host.now_ms();
        isolate.flights.remember_unshared(&flight.key, now_ms);
    }
    end(host, isolate, flight, site, outcome);
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
            return isolate.flights.end(flight, Outcome::Landed, host.now_ms());
        }
        if within(host, pause_ms, &mut landing).await.is_none() {
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
    outcome: Outcome,
) {
    if flight.outcome().is_none() && flight.noted.get() {
        let (word, seconds) = match outcome {
            Outcome::Landed => (LANDED, NOTE_SECONDS),
            Outcome::Failed(_) => (FAILED, NOTE_SECONDS),
            Outcome::Unshared => (UNSHARED, super::flights::UNSHARED_MS / 1000),
        };
        host.share(site, &note_name(&flight.key), word.to_owned(), seconds);
    }
    isolate.flights.end(flight, outcome, host.now_ms());
}
