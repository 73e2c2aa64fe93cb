//! What an isolate remembers of each origin: its breaker, who is under way to
//! it, and how many requests may be repeated. Plain values: a request that
//! waits for its turn looks again by a timer of its own.

use crate::cache::breaker::{Breaker, Verdict, Way};
use crate::cache::gate::{Budget, Gate, Place};
use crate::cache::protection::Protection;
use std::cell::RefCell;
use std::collections::HashMap;

/// How many origins are remembered. In a routed zone each host name is one.
/// Beyond it those that are at rest are forgotten, and if that does not help,
/// all: their breakers are closed then.
const ORIGINS_MAX: usize = 1000;

/// The origins that an isolate has asked, by `scheme://host`.
#[derive(Debug, Default)]
pub struct Origins(RefCell<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    breaker: Breaker,
    gate: Gate,
    budget: Budget,
}

/// What a request holds while it is under way to an origin. Dropping it frees
/// the place: the client has gone, and the origin's answer counts for nothing.
#[derive(Debug)]
pub struct Pass<'a> {
    origins: &'a Origins,
    origin: String,
    way: Way,
    place: Place,
    /// Whether it is known how the request ended.
    has_ended: bool,
}

impl Pass<'_> {
    /// Records how the request ended.
    pub fn leave(mut self, verdict: Verdict, limits: &Protection, now_ms: u64) {
        self.has_ended = true;
        self.origins.with(&self.origin, |known| {
            known.breaker.leave(self.way, verdict, limits, now_ms);
        });
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.origins.with(&self.origin, |known| {
            known.gate.leave(self.place);
            if !self.has_ended {
                known.breaker.abandon(self.way);
            }
        });
    }
}

/// Why a request may not go to an origin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The breaker is open for so many milliseconds.
    Open(u64),
    /// All places are taken.
    Full,
}

impl Origins {
    fn with<T>(&self, origin: &str, use_it: impl FnOnce(&mut Known) -> T) -> T {
        let mut table = self.0.borrow_mut();
        if let Some(known) = table.get_mut(origin) {
            return use_it(known);
        }
        if table.len() >= ORIGINS_MAX {
            table.retain(|_, known| !known.breaker.is_closed() || !known.gate.is_empty());
            if table.len() >= ORIGINS_MAX {
                table.clear();
            }
        }
        use_it(table.entry(origin.to_owned()).or_default())
    }

    /// Lets a request pass, which is over in `lasts_ms` at the latest.
    pub fn enter(
        &self,
        origin: &str,
        limits: &Protection,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Result<Pass<'_>, Refusal> {
        let (way, place) = self.with(origin, |known| {
            if let Some(ms) = known.breaker.is_open(now_ms) {
                return Err(Refusal::Open(ms));
            }
            // The place first: who gets none must not mark a trial.
            let place = known.gate.enter(limits.max_requests, now_ms, lasts_ms);
            let place = place.ok_or(Refusal::Full)?;
            let way = known.breaker.enter(now_ms, lasts_ms);
            let way = way.map_err(Refusal::Open)?;
            Ok((way, place))
        })?;
        Ok(Pass {
            origins: self,
            origin: origin.to_owned(),
            way,
            place,
            has_ended: false,
        })
    }

    /// A new request comes: it earns its share of the repetitions.
    pub fn earn(&self, origin: &str, limits: &Protection) {
        self.with(origin, |known| {
            known.budget.earn(limits.retry_budget_percent);
        });
    }

    /// Whether a request may be repeated; if so, that is paid for.
    pub fn may_repeat(&self, origin: &str, limits: &Protection) -> bool {
        self.with(origin, |known| {
            known.breaker.is_closed() && known.budget.spend(limits.retry_budget_percent)
        })
    }
}
