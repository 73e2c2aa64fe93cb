//! Request collapsing: the responses that are being fetched now, so that of all
//! requests for one missing response only one goes to the origin (RFC 9111 §4:
//! "collapse requests").
//!
//! Requests of one isolate must not await each other (the runtime would run
//! them in the wrong context), so a flight is a plain value. Its leader updates
//! a heartbeat. Its followers poll it by timers of their own and look the
//! response up themselves at the end, so a purge that came meanwhile applies to
//! each of them.

use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{self, ALONE_MS};
use crate::cache::policy::remembered::ExpiringSet;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// A fetch in progress of a response that others may wait for.
#[derive(Debug)]
pub struct Flight {
    /// The digest of the slot where the response would be stored.
    pub key: String,
    /// Whether the flight was announced to the other isolates of the data
    /// centre.
    pub announced: Cell<bool>,
    /// The kind of the leader's request ([`Flight::is_of`]).
    kind: Cell<Option<u64>>,
    /// Its stage, and since when.
    since: Cell<FlightStage>,
    /// How many requests have fetched for it, and how many of them may still
    /// store a shareable response.
    total_leaders: Cell<u64>,
    active_leaders: Cell<u64>,
    /// The last heartbeat, in milliseconds since 1970, and the outcome.
    heartbeat_ms: Cell<u64>,
    outcome: Cell<Option<FlightOutcome>>,
}

/// The stage of a flight, and its start in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlightStage {
    /// The request has not been sent: the leader waits for a permit.
    Start,
    /// The request was sent.
    Sent(u64),
    /// A response head has arrived and is shareable; only its copy is awaited.
    /// The second number is how many had fetched by then.
    Answered(u64, u64),
}

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightOutcome {
    /// The response is in the Cache API, or was lost on the way: repeat the
    /// lookup.
    Stored,
    /// The response is only for the request that fetched it.
    Unshared,
    /// As [`Self::Unshared`], but because of the request's preferences, such as
    /// an unusual `Accept`. Requests of another kind may get a shareable
    /// response.
    ForItsKind,
    /// The origin failed, without a response or with an error status.
    Failed(Option<OriginFailure>),
}

/// What a request does about a flight.
#[derive(Debug)]
pub enum FlightRole {
    /// It fetches for itself only.
    Alone,
    /// It fetches for all.
    Lead(Rc<Flight>),
    /// It waits for another request that fetches.
    Follow(Rc<Flight>),
    /// Another request has stored the response since this one's lookup began.
    RepeatLookup,
}

/// A leader without a heartbeat for this long counts as ended: it has missed
/// three heartbeats ([`HEARTBEAT_MS`]).
const DEAD_MS: u64 = 3_000;
/// The heartbeat interval of a leader.
pub const HEARTBEAT_MS: u64 = 900;

/// How long a key is remembered as unshared (hit-for-miss).
pub const UNSHARED_MS: u64 = 60_000;

/// How many flights there may be, including the ended ones that are kept: about
/// 100 bytes each. Beyond this limit, each request fetches for itself.
const FLIGHTS_MAX: usize = 10_000;

impl Flight {
    fn new(key: &str, now_ms: u64) -> Self {
        Self {
            key: key.to_owned(),
            announced: Cell::new(false),
            kind: Cell::new(None),
            since: Cell::new(FlightStage::Start),
            total_leaders: Cell::new(1),
            active_leaders: Cell::new(1),
            heartbeat_ms: Cell::new(now_ms),
            outcome: Cell::new(None),
        }
    }

    /// Records a heartbeat.
    pub fn record_heartbeat(&self, now_ms: u64) {
        self.heartbeat_ms.set(now_ms);
    }

    /// Sets the kind of the leader's request.
    pub fn set_kind(&self, kind: u64) {
        self.kind.set(Some(kind));
    }

    /// Whether a request of this kind would get the same response as the
    /// leader's; always true after requests of several kinds have fetched.
    pub fn is_of(&self, kind: u64) -> bool {
        self.kind.get().is_none_or(|leader| leader == kind)
    }

    /// Records that the request is being sent to the origin.
    pub fn set_sent(&self, now_ms: u64) {
        if self.since.get() == FlightStage::Start {
            self.since.set(FlightStage::Sent(now_ms));
        }
    }

    /// Records that the origin has responded and a shareable copy is being
    /// stored.
    pub fn set_answered(&self, now_ms: u64) {
        if !self.is_answered() {
            self.since
                .set(FlightStage::Answered(now_ms, self.total_leaders.get()));
        }
    }

    /// Whether a shareable response head has arrived.
    pub fn is_answered(&self) -> bool {
        matches!(self.since.get(), FlightStage::Answered(..))
    }

    /// Whether one more request may fetch, because the earlier ones take long
    /// (`cache::policy::collapse_leaders`). The first one is alone for
    /// `alone_ms`.
    pub fn may_add_leader(&self, alone_ms: u64, now_ms: u64) -> bool {
        let waited = |since_ms| now_ms.saturating_sub(since_ms);
        let most = match self.since.get() {
            FlightStage::Start => return false,
            FlightStage::Sent(since_ms) => collapse_leaders::most(waited(since_ms), alone_ms),
            FlightStage::Answered(since_ms, total_leaders) => {
                let beside = collapse_leaders::most(waited(since_ms), ALONE_MS).saturating_sub(1);
                total_leaders.saturating_add(beside)
            }
        };
        self.total_leaders.get() < most
    }

    /// Counts one more request that fetches.
    pub fn add_leader(&self, kind: u64) {
        self.total_leaders
            .set(self.total_leaders.get().saturating_add(1));
        self.active_leaders
            .set(self.active_leaders.get().saturating_add(1));
        if !self.is_of(kind) {
            self.kind.set(None);
        }
    }

    /// Records that one of the fetching requests stores nothing shareable.
    /// Returns whether this holds for all of them.
    pub fn remove_leader(&self) -> bool {
        self.active_leaders
            .set(self.active_leaders.get().saturating_sub(1));
        self.active_leaders.get() == 0
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<FlightOutcome> {
        self.outcome.get()
    }

    /// Whether its leader has missed its heartbeats.
    pub fn is_dead(&self, now_ms: u64) -> bool {
        // If the clock was set back, the age is 0 until the clock catches up.
        now_ms.saturating_sub(self.heartbeat_ms.get()) >= DEAD_MS
    }

    fn is_under_way(&self, now_ms: u64) -> bool {
        self.outcome().is_none() && !self.is_dead(now_ms)
    }

    /// Whether it ended with a stored copy since `lookup_began_ms`. A time
    /// ahead of the clock, which may have been set back, does not count.
    fn was_stored_since(&self, lookup_began_ms: u64, now_ms: u64) -> bool {
        self.outcome() == Some(FlightOutcome::Stored)
            && (lookup_began_ms..=now_ms).contains(&self.heartbeat_ms.get())
    }
}

/// The flights of an isolate.
#[derive(Debug, Default)]
pub struct Flights {
    /// The flights in progress, and for each key the last one that stored a
    /// copy: requests whose lookup began before that need not fetch.
    known: RefCell<HashMap<String, Rc<Flight>>>,
    /// Until when responses of these keys count as unshared.
    unshared: RefCell<ExpiringSet>,
}

impl Flights {
    /// The role of a request for this response whose lookup began at
    /// `lookup_began_ms` and found nothing.
    pub fn join(&self, key: &str, lookup_began_ms: u64, now_ms: u64) -> FlightRole {
        if self.is_unshared(key, now_ms) {
            return FlightRole::Alone;
        }
        let mut flights = self.known.borrow_mut();
        match flights.get(key) {
            Some(flight) if flight.is_under_way(now_ms) => {
                return FlightRole::Follow(Rc::clone(flight));
            }
            Some(flight) if flight.was_stored_since(lookup_began_ms, now_ms) => {
                return FlightRole::RepeatLookup;
            }
            _ => {}
        }
        if flights.len() >= FLIGHTS_MAX {
            flights.retain(|_, flight| flight.is_under_way(now_ms));
            if flights.len() >= FLIGHTS_MAX {
                return FlightRole::Alone;
            }
        }
        let flight = Rc::new(Flight::new(key, now_ms));
        flights.insert(key.to_owned(), Rc::clone(&flight));
        FlightRole::Lead(flight)
    }

    /// Whether this response is being fetched.
    pub fn is_under_way(&self, key: &str, now_ms: u64) -> bool {
        let flights = self.known.borrow();
        flights
            .get(key)
            .is_some_and(|flight| flight.is_under_way(now_ms))
    }

    /// Whether responses of this key are known to be unshared.
    pub fn is_unshared(&self, key: &str, now_ms: u64) -> bool {
        self.unshared.borrow().holds(key, now_ms)
    }

    /// A flight for a background refresh; `None` if one is in progress.
    /// Unshared responses are refreshed one at a time, too.
    pub fn begin(&self, key: &str, now_ms: u64) -> Option<Rc<Flight>> {
        self.unshared.borrow_mut().forget(key);
        // Ended flights do not matter: the refresh looks up a newer copy before
        // it fetches.
        match self.join(key, u64::MAX, now_ms) {
            FlightRole::Lead(flight) => Some(flight),
            FlightRole::Follow(_) | FlightRole::RepeatLookup | FlightRole::Alone => None,
        }
    }

    /// Ends a flight, unless it has ended.
    pub fn end(&self, flight: &Rc<Flight>, outcome: FlightOutcome, now_ms: u64) {
        if flight.outcome.get().is_some() {
            return;
        }
        flight.outcome.set(Some(outcome));
        flight.record_heartbeat(now_ms);
        if outcome != FlightOutcome::Stored {
            let mut flights = self.known.borrow_mut();
            if flights
                .get(&flight.key)
                .is_some_and(|known| Rc::ptr_eq(known, flight))
            {
                flights.remove(&flight.key);
            }
        }
        if outcome == FlightOutcome::Unshared {
            self.remember_unshared(&flight.key, now_ms);
        }
    }

    /// Remembers that responses of this key are unshared (hit-for-miss).
    pub fn remember_unshared(&self, key: &str, now_ms: u64) {
        let until_ms = now_ms.saturating_add(UNSHARED_MS);
        self.unshared.borrow_mut().add(key, until_ms, now_ms);
    }

    /// Forgets that responses of this key are unshared. Returns whether that
    /// was remembered.
    pub fn forget_unshared(&self, key: &str) -> bool {
        self.unshared.borrow_mut().forget(key)
    }
}
