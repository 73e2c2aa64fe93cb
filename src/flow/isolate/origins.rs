//! What an isolate keeps about each origin: for each visitor's host, the
//! circuit breaker and the URLs with `Retry-After`; the retry budget; and the
//! requests in flight and in the queue. All are plain values: a queued request
//! polls by a timer of its own.

use crate::cache::config::protection::Protection;
use crate::cache::origin::circuit_breaker::{Breaker, BreakerPass, ResponseVerdict};
use crate::cache::origin::concurrency_limit::{Gate, LimitKey, Permit, Quota, RetryBudget, Ticket};
use crate::cache::origin::outcomes::{RequestSource, digest};
use crate::cache::origin::retry_after::Rests;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::HashMap;

/// How many sites (a visitor's host and an origin) are kept, at 7 KB each at
/// most. Beyond this limit, the least recently used site is removed; sites with
/// a closed breaker and no `Retry-After` go first.
const SITES_MAX: usize = 1000;

/// The state of the origins that an isolate has requested.
#[derive(Debug, Default)]
pub struct Origins {
    /// By visitor's host and origin, so that failures of one host do not block
    /// the others.
    sites: RefCell<HashMap<String, Site>>,
    /// By origin. Gates without requests are not kept.
    gates: RefCell<Vec<(String, Gate)>>,
    /// By origin, with the time of last use. By origin only, so that an
    /// invented host name brings no retry budget of its own.
    budgets: RefCell<HashMap<String, (RetryBudget, u64)>>,
}

#[derive(Debug, Default)]
struct Site {
    breaker: Breaker,
    rests: Rests,
    used_ms: u64,
}

/// A request to an origin, identified for breakers, permits and budgets.
#[derive(Clone, Debug)]
pub struct OriginCaller {
    site: String,
    origin: String,
    source: RequestSource,
    /// Digest of the URL, and of whether the method is safe.
    url: u64,
    limit_key: LimitKey,
}

impl OriginCaller {
    /// A request of `reader` (see
    /// [`crate::cache::origin::outcomes::reader_of`]) for `path` of `host`,
    /// which goes to `origin`. `target` is the URL to which a `Retry-After`
    /// would apply.
    pub fn new(host: &str, origin: &str, path: &str, target: &str, reader: Option<u64>) -> Self {
        let path = digest(path);
        Self {
            site: format!("{host} {origin}"),
            origin: origin.to_owned(),
            source: RequestSource {
                path,
                reader: reader.unwrap_or(path),
            },
            url: digest(target),
            limit_key: LimitKey {
                host: digest(host),
                path,
                reader,
                quota: Quota::Any,
            },
        }
    }

    /// The same request, with a duration that its client can extend (an
    /// upload).
    #[must_use]
    pub fn untimed(mut self) -> Self {
        self.limit_key.quota = Quota::Untimed;
        self
    }
}

/// The breaker pass and the permit of a request to an origin. Dropping it
/// returns the permit. If no result was recorded by then, the client has left,
/// and the request does not count for the breaker.
#[derive(Debug)]
pub struct Admission<'a> {
    origins: &'a Origins,
    caller: OriginCaller,
    pass: BreakerPass,
    permit: Permit,
    /// Whether the result of the request has been recorded.
    has_ended: bool,
}

impl Admission<'_> {
    /// Records the result of the request.
    pub fn leave(mut self, verdict: ResponseVerdict, limits: &Protection, now_ms: u64) {
        self.has_ended = true;
        let OriginCaller {
            site, source, url, ..
        } = &self.caller;
        self.origins.with(site, now_ms, |known| {
            let RequestSource { reader, .. } = *source;
            match verdict {
                ResponseVerdict::Fails {
                    retry_after_ms: Some(rest_ms),
                } => known.rests.begin(*url, reader, rest_ms, now_ms),
                ResponseVerdict::Works => known.rests.end(*url, reader),
                _ => {}
            }
            known
                .breaker
                .leave(self.pass, *source, verdict, limits, now_ms);
        });
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let OriginCaller {
            site,
            origin,
            source,
            ..
        } = &self.caller;
        self.origins
            .with_gate(origin, |gate| gate.leave(self.permit));
        if !self.has_ended
            && let Some(known) = self.origins.sites.borrow_mut().get_mut(site)
        {
            known.breaker.abandon(self.pass, *source);
        }
    }
}

/// A position in the queue. Dropping it leaves the queue.
#[derive(Debug)]
pub struct QueuePosition<'a> {
    origins: &'a Origins,
    origin: String,
    ticket: Ticket,
}

impl Drop for QueuePosition<'_> {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.origins
            .with_gate(&self.origin, |gate| gate.leave_queue(ticket));
    }
}

/// Why a request may not go to an origin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The circuit breaker is open for this many milliseconds.
    Open(u64),
    /// The origin's `Retry-After` for this URL applies for this many
    /// milliseconds.
    Resting(u64),
    /// All permits are taken; this many requests are ahead in the queue.
    Full(usize),
}

/// The circuit breaker of an origin, for the statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BreakerState {
    /// The visitor's host.
    pub host: String,
    /// The origin.
    pub origin: String,
    /// `open` or `closed`.
    pub breaker: &'static str,
}

impl Origins {
    /// The circuit breakers of this isolate.
    pub fn breakers(&self) -> Vec<BreakerState> {
        let sites = self.sites.borrow();
        let states = sites.iter().filter_map(|(site, known)| {
            let (host, origin) = site.split_once(' ')?;
            Some(BreakerState {
                host: host.to_owned(),
                origin: origin.to_owned(),
                breaker: match known.breaker.is_closed() {
                    true => "closed",
                    false => "open",
                },
            })
        });
        states.collect()
    }

    fn with<T>(&self, site: &str, now_ms: u64, use_it: impl FnOnce(&mut Site) -> T) -> T {
        let mut table = self.sites.borrow_mut();
        if !table.contains_key(site) && table.len() >= SITES_MAX {
            let in_trouble =
                |known: &Site| !known.breaker.is_closed() || !known.rests.is_empty(now_ms);
            let first = table
                .iter()
                .min_by_key(|(_, known)| (in_trouble(known), known.used_ms));
            if let Some(name) = first.map(|(name, _)| name.clone()) {
                table.remove(&name);
            }
        }
        let known = table.entry(site.to_owned()).or_default();
        known.used_ms = now_ms;
        use_it(known)
    }

    fn with_gate<T>(&self, origin: &str, use_it: impl FnOnce(&mut Gate) -> T) -> T {
        let mut gates = self.gates.borrow_mut();
        let at = gates.iter().position(|(name, _)| name == origin);
        let (name, mut gate) = match at {
            Some(at) => gates.swap_remove(at),
            None => (origin.to_owned(), Gate::default()),
        };
        let result = use_it(&mut gate);
        if !gate.is_empty() {
            gates.push((name, gate));
        }
        result
    }

    fn with_budget<T>(
        &self,
        caller: &OriginCaller,
        now_ms: u64,
        use_it: impl FnOnce(&mut RetryBudget) -> T,
    ) -> T {
        let mut budgets = self.budgets.borrow_mut();
        if !budgets.contains_key(&caller.origin) && budgets.len() >= SITES_MAX {
            let first = budgets.iter().min_by_key(|(_, (_, used_ms))| *used_ms);
            if let Some(name) = first.map(|(name, _)| name.clone()) {
                budgets.remove(&name);
            }
        }
        let (budget, used_ms) = budgets.entry(caller.origin.clone()).or_default();
        *used_ms = now_ms;
        use_it(budget)
    }

    /// Admits a request that takes at most `lasts_ms`. `position` is its
    /// place in the queue; `None` for a new request.
    pub fn enter(
        &self,
        caller: &OriginCaller,
        position: Option<&QueuePosition<'_>>,
        limits: &Protection,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Result<Admission<'_>, Refusal> {
        let source = caller.source;
        let pass = self.with(&caller.site, now_ms, |known| {
            if let Some(ms) = known.rests.left_ms(caller.url, source.reader, now_ms) {
                return Err(Refusal::Resting(ms));
            }
            let pass = known.breaker.enter(source, now_ms, lasts_ms);
            pass.map_err(Refusal::Open)
        })?;
        let limit_key = match (pass, caller.limit_key.quota) {
            (BreakerPass::Working, Quota::Any) => LimitKey {
                quota: Quota::Probing,
                ..caller.limit_key
            },
            _ => caller.limit_key,
        };
        let ticket = position.map(|position| position.ticket);
        let most = limits.max_requests;
        let permit = self.with_gate(&caller.origin, |gate| {
            gate.enter(limit_key, ticket, most, now_ms, lasts_ms)
        });
        match permit {
            Ok(permit) => Ok(Admission {
                origins: self,
                caller: caller.clone(),
                pass,
                permit,
                has_ended: false,
            }),
            Err(ahead) => {
                self.with(&caller.site, now_ms, |known| {
                    known.breaker.abandon(pass, source);
                });
                Err(Refusal::Full(ahead))
            }
        }
    }

    /// Queues a request until `until_ms`; `None` if the queue is full.
    pub fn queue(
        &self,
        caller: &OriginCaller,
        now_ms: u64,
        until_ms: u64,
    ) -> Option<QueuePosition<'_>> {
        let gates = self.gates.borrow();
        let waiting = gates.iter().map(|(_, gate)| gate.waiting()).sum();
        drop(gates);
        let ticket = self.with_gate(&caller.origin, |gate| {
            gate.queue(caller.limit_key, waiting, now_ms, until_ms)
        })?;
        Some(QueuePosition {
            origins: self,
            origin: caller.origin.clone(),
            ticket,
        })
    }

    /// Adds a new request's share to the retry budget.
    pub fn earn(&self, caller: &OriginCaller, limits: &Protection, now_ms: u64) {
        self.with_budget(caller, now_ms, |budget| {
            budget.earn(limits.retry_budget_percent);
        });
    }

    /// Whether a request may be retried. If so, the retry budget is charged.
    pub fn may_repeat(&self, caller: &OriginCaller, limits: &Protection, now_ms: u64) -> bool {
        let is_closed = self.with(&caller.site, now_ms, |known| known.breaker.is_closed());
        is_closed
            && self.with_budget(caller, now_ms, |budget| {
                budget.spend(limits.retry_budget_percent)
            })
    }
}
