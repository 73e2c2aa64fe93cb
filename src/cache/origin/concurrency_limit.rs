//! Concurrency limit of an origin: permits for requests in flight, a queue for
//! permits, and the retry budget.
//!
//! A limit of one host, page or reader leaves room for others. It depends on
//! what is free (dynamic thresholds, as in the shared buffer of a network
//! switch): one alone gets half, two get a third each, and a newcomer finds a
//! free permit.

use super::outcomes::digest;
use crate::cache::jitter;

/// The properties by which a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitKey {
    /// Digest of the visitor's host.
    pub host: u64,
    /// Digest of the path.
    pub path: u64,
    /// Digest of the reader, if known.
    pub reader: Option<u64>,
    /// The quota of the host that the permit is taken from.
    pub quota: Quota,
}

/// A quota within a host's permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// All permits.
    Any,
    /// A quarter: uploads, and other requests whose duration the client
    /// controls.
    Untimed,
    /// A quarter: requests that pass while the breaker is open. The origin is
    /// likely to fail them.
    Probing,
}

/// The requests in flight to one origin, and the queue for it.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Permits in use, sorted by expiry.
    permits: Vec<(Permit, LimitKey)>,
    /// The queue, in the order of arrival.
    queue: Vec<Waiter>,
    next: u64,
}

/// The permit of a request; ordered by expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permit {
    expires_ms: u64,
    number: u64,
}

/// The number of a request in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: Ticket,
    key: LimitKey,
    /// When the request polled last.
    polled_ms: u64,
    /// When the request gives up.
    until_ms: u64,
}

/// The largest number of queued requests in an isolate, for all its origins.
/// One host may have half of it, one page or one reader a third, and one reader
/// for one page a fifth. A waiter holds its head and a future: at 50 KB of
/// fields, the most that any has, 200 waiters take 10 of the isolate's 128 MB.
pub const QUEUE_MAX: usize = 200;

/// How often the request at the front of the queue polls for a permit, in
/// milliseconds.
pub const POLL_MS: u64 = 50;

/// For each `POLL_STEP` requests before it, a request polls half as often, a
/// third as often, and so on. The hundred of one host poll 600 times a second
/// together, at some microseconds each.
const POLL_STEP: u64 = 10;

/// Milliseconds without a poll after which a request no longer blocks the
/// queue: it was cancelled without a signal, or its timer is late. This is four
/// times the longest pause between two polls, [`POLL_MS`] * (1 + [`QUEUE_MAX`]
/// / 2 / [`POLL_STEP`]).
const ABSENT_MS: u64 = 2_200;

/// Returns the milliseconds until the next poll of a request with `ahead`
/// requests before it.
pub fn poll_delay_ms(ahead: usize) -> u64 {
    let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
    POLL_MS.saturating_mul((ahead / POLL_STEP).saturating_add(1))
}

/// Returns the size of a quota in permits.
fn quota(most: u64) -> u64 {
    (most / 4).max(1)
}

fn half(most: u64) -> u64 {
    most.div_ceil(2)
}

/// Whether a permit is free for `key` beside those in `held`. `most` is the
/// setting: the number of permits that a host has when it is alone at its
/// origin. All hosts of the origin together have twice as many. Of those one
/// reader gets a quarter, under all the host names it uses: half of what one
/// host has.
fn has_permit(held: &[LimitKey], key: &LimitKey, most: u64) -> bool {
    let count = |which: &dyn Fn(&LimitKey) -> bool| {
        let held = held.iter().filter(|other| which(other)).count();
        u64::try_from(held).unwrap_or(u64::MAX)
    };
    let is_of_host = |other: &LimitKey| other.host == key.host;
    let is_of_path = |other: &LimitKey| is_of_host(other) && other.path == key.path;
    // Over all hosts: with a wildcard route a reader can choose host names
    // freely.
    let is_of_reader = |other: &LimitKey| other.reader.is_some() && other.reader == key.reader;
    let is_of_quota = |other: &LimitKey| is_of_host(other) && other.quota == key.quota;
    let is_of_both = |other: &LimitKey| is_of_reader(other) && other.quota == key.quota;
    let is_same = |other: &LimitKey| is_of_reader(other) && is_of_path(other);
    let free = most.saturating_mul(2).saturating_sub(count(&|_| true));
    let in_quota = match key.quota {
        Quota::Any => true,
        Quota::Untimed | Quota::Probing => {
            count(&is_of_quota) < quota(most) && count(&is_of_both) < half(quota(most))
        }
    };
    count(&is_of_host) < free
        && count(&is_of_path) < half(most)
        && count(&is_of_reader) < half(most)
        // One reader does not take a page's permits from its other readers.
        && count(&is_same) < half(half(most))
        && in_quota
}

impl Gate {
    /// Removes expired permits and waiters.
    fn clean(&mut self, now_ms: u64) {
        let expired = |(permit, _): &(Permit, LimitKey)| permit.expires_ms <= now_ms;
        let free = self.permits.partition_point(expired);
        self.permits.drain(..free);
        self.queue
            .retain(|waiter| now_ms < waiter.until_ms.saturating_add(ABSENT_MS));
    }

    /// Takes a permit, if one is free that no request earlier in the queue can
    /// take. Otherwise returns how many requests are before it. A new request
    /// has no ticket. The permit expires after `lasts_ms`, because the runtime
    /// may cancel a request without a signal.
    pub fn enter(
        &mut self,
        key: LimitKey,
        ticket: Option<Ticket>,
        most: u64,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Result<Permit, usize> {
        self.clean(now_ms);
        let own = |waiter: &Waiter| Some(waiter.ticket) == ticket;
        let at = self.queue.iter().position(own);
        if let Some(waiter) = at.and_then(|at| self.queue.get_mut(at)) {
            waiter.polled_ms = now_ms;
        }
        let ahead = at.unwrap_or(self.queue.len());
        let mut held: Vec<LimitKey> = self.permits.iter().map(|(_, key)| *key).collect();
        if !has_permit(&held, &key, most) {
            return Err(ahead);
        }
        // Earlier requests that can take a permit take it at their next poll.
        for waiter in self.queue.iter().take(ahead) {
            let is_absent = now_ms >= waiter.polled_ms.saturating_add(ABSENT_MS);
            if !is_absent && has_permit(&held, &waiter.key, most) {
                held.push(waiter.key);
            }
        }
        if !has_permit(&held, &key, most) {
            return Err(ahead);
        }
        if let Some(ticket) = ticket {
            self.leave_queue(ticket);
        }
        let permit = Permit {
            expires_ms: now_ms.saturating_add(lasts_ms),
            number: self.number(),
        };
        let at = self.permits.partition_point(|(other, _)| *other < permit);
        self.permits.insert(at, (permit, key));
        Ok(permit)
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Adds a request to the queue until `until_ms`. `waiting` is the length of
    /// all queues of the isolate. Returns `None` if this request would exceed a
    /// limit.
    pub fn queue(
        &mut self,
        key: LimitKey,
        waiting: usize,
        now_ms: u64,
        until_ms: u64,
    ) -> Option<Ticket> {
        let count = |which: &dyn Fn(&LimitKey) -> bool| {
            let all = self.queue.iter().filter(|waiter| which(&waiter.key));
            all.count()
        };
        let is_of_host = |other: &LimitKey| other.host == key.host;
        let of_host = count(&is_of_host);
        let of_path = count(&|other| is_of_host(other) && other.path == key.path);
        let is_of_reader = |other: &LimitKey| key.reader.is_some() && other.reader == key.reader;
        let of_reader = count(&is_of_reader);
        let is_same = |other: &LimitKey| is_of_reader(other) && is_of_host(other);
        let of_both = count(&|other| is_same(other) && other.path == key.path);
        let free = QUEUE_MAX.saturating_sub(waiting);
        let of_one = of_path.max(of_reader).max(of_both.saturating_mul(2));
        let of_one = of_one.saturating_mul(2);
        if of_host >= free || of_one >= free {
            return None;
        }
        let ticket = Ticket(self.number());
        self.queue.push(Waiter {
            ticket,
            key,
            polled_ms: now_ms,
            until_ms,
        });
        Some(ticket)
    }

    /// Releases a permit. An expired one was removed already.
    pub fn leave(&mut self, permit: Permit) {
        let found = self
            .permits
            .binary_search_by_key(&permit, |(held, _)| *held);
        if let Ok(at) = found {
            self.permits.remove(at);
        }
    }

    /// Removes a request from the queue.
    pub fn leave_queue(&mut self, ticket: Ticket) {
        self.queue.retain(|waiter| waiter.ticket != ticket);
    }

    /// The length of the queue.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Whether no request is recorded as in flight or queued.
    pub fn is_empty(&self) -> bool {
        self.permits.is_empty() && self.queue.is_empty()
    }
}

/// The largest number of retries that the budget saves up in a calm time. At 10
/// percent they are the share of a hundred requests.
const BUDGET_MAX: u64 = 10;

/// The retries in a new budget, so that a single request of a new isolate may
/// be retried, too.
const BUDGET_START: u64 = 3;

/// The price of a retry: a hundred times what a request earns at one percent.
const PRICE: u64 = 100;

/// The retry budget of an origin: a share of the requests may be retried. So
/// retries do not double the load of an origin that fails because it is
/// overloaded.
#[derive(Clone, Debug)]
pub struct RetryBudget(u64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(BUDGET_START * PRICE)
    }
}

impl RetryBudget {
    /// Adds the share of one request.
    pub fn earn(&mut self, percent: u64) {
        self.0 = self.0.saturating_add(percent).min(BUDGET_MAX * PRICE);
    }

    /// Pays for a retry. Returns whether the budget sufficed.
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

/// Unit of the backoff, in milliseconds. The first retry comes 50 to 150 ms
/// after the failure: a short fault is over by then, and the delay is hardly
/// noticed.
const PAUSE_MS: u64 = 50;

/// Returns the milliseconds to wait before retry `nth` (the first is 0). Each
/// pause is about twice as long as the one before, so that the five retries of
/// a rule end within 5 seconds. Jitter spreads requests that failed together.
pub fn pause_ms(url: &str, nth: u64, now_ms: u64) -> u64 {
    let unit_ms = PAUSE_MS.saturating_mul(1 << nth.min(10));
    let longest_ms = unit_ms.saturating_mul(3).saturating_sub(1);
    jitter::shortened(
        longest_ms,
        2.0 / 3.0,
        digest(format!("{url} {nth}")),
        now_ms,
    )
}
