//! How many requests to an origin may be under way, and how many of them may
//! be repetitions.

use sha2::{Digest, Sha256};

/// The requests under way to one origin, at most as many as the settings
/// allow.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Sorted.
    places: Vec<Place>,
    next: u64,
}

/// A request's place, ordered by when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    expires_ms: u64,
    number: u64,
}

impl Gate {
    /// Whether there is a place. Those that have expired are free again.
    pub fn has_room(&mut self, most: u64, now_ms: u64) -> bool {
        let expired = |place: &Place| place.expires_ms <= now_ms;
        let free = self.places.partition_point(expired);
        self.places.drain(..free);
        (self.places.len() as u64) < most
    }

    /// Takes a place, if there is one. It expires after `lasts_ms`: a request
    /// that the runtime cancels without a signal gives it back late.
    pub fn enter(&mut self, most: u64, now_ms: u64, lasts_ms: u64) -> Option<Place> {
        if !self.has_room(most, now_ms) {
            return None;
        }
        let place = Place {
            expires_ms: now_ms.saturating_add(lasts_ms),
            number: self.next,
        };
        self.next = self.next.wrapping_add(1);
        let at = self.places.partition_point(|other| *other < place);
        self.places.insert(at, place);
        Some(place)
    }

    /// Gives a place back. One that has expired is gone already.
    pub fn leave(&mut self, place: Place) {
        if let Ok(at) = self.places.binary_search(&place) {
            self.places.remove(at);
        }
    }

    /// Whether nobody is under way, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Of how many repetitions a calm time lays by at most. At 10 percent they are
/// the share of a hundred requests.
const BUDGET_MAX: u64 = 10;

/// With how many repetitions a budget begins, so that a single request of a
/// new isolate may be repeated, too.
const BUDGET_START: u64 = 3;

/// The price of a repetition: a hundred times what a request earns at one
/// percent.
const PRICE: u64 = 100;

/// Which share of the requests to one origin may be repeated. An origin that
/// fails because it is asked too much is not asked twice as much.
#[derive(Clone, Debug)]
pub struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(BUDGET_START * PRICE)
    }
}

impl Budget {
    /// A request comes: it earns its share.
    pub fn earn(&mut self, percent: u64) {
        self.0 = self.0.saturating_add(percent).min(BUDGET_MAX * PRICE);
    }

    /// Pays for a repetition, if there is enough.
    pub fn spend(&mut self, percent: u64) -> bool {
        match self.0.checked_sub(PRICE).filter(|_| percent > 0) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

/// The first repetition comes 50 to 150 ms after the failure: what was a hiccup
/// is over by then, and a reader hardly notices.
const PAUSE_MS: u64 = 50;

/// How many milliseconds to wait before the `nth` repetition (the first is 0).
/// Each pause is about twice as long as the one before, so that the five of a
/// rule end within 5 seconds. Requests that failed together do not come
/// together again: a digest of the request and of the time is their die.
pub fn pause_ms(url: &str, nth: u64, now_ms: u64) -> u64 {
    let digest = Sha256::digest(format!("{url} {nth} {now_ms}"));
    let die = digest.iter().take(4).fold(0, |sum: u64, byte| {
        sum.saturating_mul(256).saturating_add(u64::from(*byte))
    });
    let unit_ms = PAUSE_MS.saturating_mul(1 << nth.min(10));
    unit_ms.saturating_add(die % unit_ms.saturating_mul(2).max(1))
}
