//! Request collapsing: which answers are being fetched right now, so that of
//! all requests for one answer that is not there a single one asks the origin
//! (RFC 9111 §4: "collapse requests").
//!
//! Requests of one isolate must not await each other (the runtime would run
//! them in the wrong context), so a flight is a plain value. Who leads it says
//! now and then that it is alive; who follows looks at it by a timer of its own,
//! and at the end looks the answer up by itself. So a purge that came meanwhile
//! counts for each of them.

use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{self, ALONE_MS};
use crate::cache::policy::remembered::Remembered;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// An answer that is being fetched.
#[derive(Debug)]
pub struct Flight {
    /// The digest of the slot where the answer will lie.
    pub key: String,
    /// Whether the other isolates of the data centre were told of it.
    pub noted: Cell<bool>,
    /// What the request of its leader is to the origin ([`Flight::is_of`]).
    kind: Cell<Option<u64>>,
    /// Since when others wait for what they wait for now.
    since: Cell<FlightStage>,
    /// How many have asked the origin, and how many of them still may have an
    /// answer for all.
    led: Cell<u64>,
    leading: Cell<u64>,
    /// The last sign of life; its end.
    beat_ms: Cell<u64>,
    outcome: Cell<Option<FlightOutcome>>,
}

/// How far a flight has come, and when, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlightStage {
    /// The origin has not been asked: its leader waits for its turn.
    Start,
    /// The origin was asked.
    Asked(u64),
    /// A head came whose answer is for all, when so many had asked: only the
    /// copy is waited for.
    Answered(u64, u64),
}

/// What became of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightOutcome {
    /// The answer lies in the Cache API, or was lost on its way: look again.
    Landed,
    /// The answer is for the one who asked.
    Unshared,
    /// The same, because of what it asked with, as an odd `Accept`: a request
    /// that is another one to the origin may have one that is for all.
    ForItsKind,
    /// The origin failed, without an answer or by an error status.
    Failed(Option<OriginFailure>),
}

/// What a request has to do with a flight.
#[derive(Debug)]
pub enum FlightRole {
    /// Nothing: it asks the origin for itself.
    Alone,
    /// It asks for all.
    Lead(Rc<Flight>),
    /// Another one asks.
    Follow(Rc<Flight>),
    /// Another one has asked since it looked: its copy is there.
    LookAgain,
}

/// A leader from which nothing was heard for so long is gone: three of its
/// signs of life ([`BEAT_MS`]) have not come.
const DEAD_MS: u64 = 3_000;
/// How often a leader gives a sign of life.
pub const BEAT_MS: u64 = 900;

/// For how long it is remembered that an answer cannot be shared
/// (hit-for-miss).
pub const UNSHARED_MS: u64 = 60_000;

/// How many flights there may be, with those that have landed: some 100 bytes
/// each. Beyond it, requests ask for themselves.
const FLIGHTS_MAX: usize = 10_000;

impl Flight {
    fn new(key: &str, now_ms: u64) -> Self {
        Self {
            key: key.to_owned(),
            noted: Cell::new(false),
            kind: Cell::new(None),
            since: Cell::new(FlightStage::Start),
            led: Cell::new(1),
            leading: Cell::new(1),
            beat_ms: Cell::new(now_ms),
            outcome: Cell::new(None),
        }
    }

    /// A sign of life.
    pub fn beat(&self, now_ms: u64) {
        self.beat_ms.set(now_ms);
    }

    /// Notes what the leader's request is to the origin.
    pub fn set_kind(&self, kind: u64) {
        self.kind.set(Some(kind));
    }

    /// Whether a request of this kind is to the origin what the leader's is, so
    /// that it would be answered alike; or those of several kinds were.
    pub fn is_of(&self, kind: u64) -> bool {
        self.kind.get().is_none_or(|leader| leader == kind)
    }

    /// The origin is being asked.
    pub fn asks(&self, now_ms: u64) {
        if self.since.get() == FlightStage::Start {
            self.since.set(FlightStage::Asked(now_ms));
        }
    }

    /// The origin has answered, and a copy for all is on its way.
    pub fn answers(&self, now_ms: u64) {
        if !self.is_answered() {
            self.since
                .set(FlightStage::Answered(now_ms, self.led.get()));
        }
    }

    /// Whether it has.
    pub fn is_answered(&self) -> bool {
        matches!(self.since.get(), FlightStage::Answered(..))
    }

    /// Whether one more request may ask the origin, because those before it
    /// take long (`cache::policy::collapse_leaders`). The first is alone for `alone_ms`.
    pub fn may_ask_too(&self, alone_ms: u64, now_ms: u64) -> bool {
        let waited = |since_ms| now_ms.saturating_sub(since_ms);
        let most = match self.since.get() {
            FlightStage::Start => return false,
            FlightStage::Asked(since_ms) => collapse_leaders::most(waited(since_ms), alone_ms),
            FlightStage::Answered(since_ms, led) => {
                let beside = collapse_leaders::most(waited(since_ms), ALONE_MS).saturating_sub(1);
                led.saturating_add(beside)
            }
        };
        self.led.get() < most
    }

    /// One more request asks the origin.
    pub fn ask_too(&self, kind: u64) {
        self.led.set(self.led.get().saturating_add(1));
        self.leading.set(self.leading.get().saturating_add(1));
        if !self.is_of(kind) {
            self.kind.set(None);
        }
    }

    /// One that has asked has nothing for the others. Whether all have.
    pub fn gives_nothing(&self) -> bool {
        self.leading.set(self.leading.get().saturating_sub(1));
        self.leading.get() == 0
    }

    /// What became of it, if it has ended.
    pub fn outcome(&self) -> Option<FlightOutcome> {
        self.outcome.get()
    }

    /// Whether its leader is gone without a word.
    pub fn is_dead(&self, now_ms: u64) -> bool {
        // A clock that was set back makes it look young; it moves on.
        now_ms.saturating_sub(self.beat_ms.get()) >= DEAD_MS
    }

    fn is_under_way(&self, now_ms: u64) -> bool {
        self.outcome().is_none() && !self.is_dead(now_ms)
    }

    /// Whether it has landed at that time or later; not ahead of the clock,
    /// which may have been set back.
    fn has_landed_since(&self, looked_ms: u64, now_ms: u64) -> bool {
        self.outcome() == Some(FlightOutcome::Landed)
            && (looked_ms..=now_ms).contains(&self.beat_ms.get())
    }
}

/// The flights of an isolate.
#[derive(Debug, Default)]
pub struct Flights {
    /// Those under way, and the last of each key if it has landed: who was
    /// still looking then need not ask.
    known: RefCell<HashMap<String, Rc<Flight>>>,
    /// Until when the answers of these keys count as not to be shared.
    unshared: RefCell<Remembered>,
}

impl Flights {
    /// What a request has to do that wants this answer, and began to look for
    /// it in vain at `looked_ms`.
    pub fn join(&self, key: &str, looked_ms: u64, now_ms: u64) -> FlightRole {
        if self.is_unshared(key, now_ms) {
            return FlightRole::Alone;
        }
        let mut flights = self.known.borrow_mut();
        match flights.get(key) {
            Some(flight) if flight.is_under_way(now_ms) => {
                return FlightRole::Follow(Rc::clone(flight));
            }
            Some(flight) if flight.has_landed_since(looked_ms, now_ms) => {
                return FlightRole::LookAgain;
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

    /// Whether this answer is being fetched.
    pub fn is_under_way(&self, key: &str, now_ms: u64) -> bool {
        let flights = self.known.borrow();
        flights
            .get(key)
            .is_some_and(|flight| flight.is_under_way(now_ms))
    }

    /// Whether answers of this key are known not to be shared.
    pub fn is_unshared(&self, key: &str, now_ms: u64) -> bool {
        self.unshared.borrow().holds(key, now_ms)
    }

    /// A flight for a refresh behind a response; `None` if there is one. What
    /// cannot be shared is refreshed once at a time all the same.
    pub fn begin(&self, key: &str, now_ms: u64) -> Option<Rc<Flight>> {
        self.unshared.borrow_mut().forget(key);
        // Whatever has landed: it is seen to before a refresh asks the origin.
        match self.join(key, u64::MAX, now_ms) {
            FlightRole::Lead(flight) => Some(flight),
            FlightRole::Follow(_) | FlightRole::LookAgain | FlightRole::Alone => None,
        }
    }

    /// Ends a flight, unless it has ended.
    pub fn end(&self, flight: &Rc<Flight>, outcome: FlightOutcome, now_ms: u64) {
        if flight.outcome.get().is_some() {
            return;
        }
        flight.outcome.set(Some(outcome));
        flight.beat(now_ms);
        if outcome != FlightOutcome::Landed {
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

    /// Remembers that answers of this key cannot be shared.
    pub fn remember_unshared(&self, key: &str, now_ms: u64) {
        let until_ms = now_ms.saturating_add(UNSHARED_MS);
        self.unshared.borrow_mut().add(key, until_ms, now_ms);
    }

    /// An answer of this key could be shared. Whether that is news.
    pub fn forget_unshared(&self, key: &str) -> bool {
        self.unshared.borrow_mut().forget(key)
    }
}
