//! How many requests to an origin may be under way, who waits in line for
//! that, and how many of the requests may be repetitions.
//!
//! A limit of one host, page or reader leaves room for the others: what one may
//! take is bounded by what is free (dynamic thresholds, as of a switch's shared
//! buffer), so that one alone gets the half, two a third each, and a newcomer
//! finds something.

use super::outcomes::digest;
use crate::cache::jitter;

/// What a request counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitKey {
    /// Digest of the visitor's host.
    pub host: u64,
    /// Digest of the path.
    pub path: u64,
    /// Digest of the reader, if it is known.
    pub reader: Option<u64>,
    /// Which quota of its host it takes its place from.
    pub quota: Quota,
}

/// A quota within a host's places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// All of them.
    Any,
    /// Uploads, and other requests that their clients can make last: a quarter.
    Untimed,
    /// Requests that pass while the breaker is open: a quarter. They meet an
    /// origin that fails.
    Probing,
}

/// The requests under way to one origin, and those in line for it.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Sorted by when they expire.
    places: Vec<(Permit, LimitKey)>,
    /// In the order in which they came.
    line: Vec<Waiter>,
    next: u64,
}

/// A request's place, ordered by when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permit {
    expires_ms: u64,
    number: u64,
}

/// A request's turn in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Clone, Copy, Debug)]
struct Waiter {
    ticket: Ticket,
    who: LimitKey,
    /// When it looked last.
    looked_ms: u64,
    /// When it gives up.
    until_ms: u64,
}

/// How many requests of an isolate may wait, for whichever origin. Of one host
/// alone it is the half, of one page or reader a third, and of one reader for
/// one page a fifth. A waiter holds its
/// head and a future: at 50 KB of fields, the most that any has, 200 take 10 of
/// the isolate's 128 MB.
pub const LINE_MAX: usize = 200;

/// How often a request at the head of the line looks for a place.
pub const LOOK_MS: u64 = 50;

/// For each so many requests before it, a request looks half as often, a third,
/// and so on. The hundred of one host look 600 times a second together, for
/// some microseconds each.
const LOOKS_STEP: u64 = 10;

/// A request that has not looked for so long is gone without a signal, or its
/// timer is late: it holds up nobody. That is four times the longest pause
/// between two looks, [`LOOK_MS`] * (1 + [`LINE_MAX`] / 2 / [`LOOKS_STEP`]).
const ABSENT_MS: u64 = 2_200;

/// How long a request waits before it looks again, with so many before it.
pub fn look_ms(ahead: usize) -> u64 {
    let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
    LOOK_MS.saturating_mul((ahead / LOOKS_STEP).saturating_add(1))
}

/// How many of a host's places a quota is.
fn quota(most: u64) -> u64 {
    (most / 4).max(1)
}

fn half(most: u64) -> u64 {
    most.div_ceil(2)
}

/// Whether there is a place beside these. `most` is the setting: how many
/// places a host has that is alone at its origin. All hosts of the origin
/// together have twice as many, of which one reader has a quarter: half of what
/// one host has, under however many names it asks.
fn has_room(held: &[LimitKey], who: &LimitKey, most: u64) -> bool {
    let count = |which: &dyn Fn(&LimitKey) -> bool| {
        let held = held.iter().filter(|other| which(other)).count();
        u64::try_from(held).unwrap_or(u64::MAX)
    };
    let is_of_host = |other: &LimitKey| other.host == who.host;
    let is_of_path = |other: &LimitKey| is_of_host(other) && other.path == who.path;
    // Whichever host: with a wildcard route a reader makes up as many as it likes.
    let is_of_reader = |other: &LimitKey| other.reader.is_some() && other.reader == who.reader;
    let is_of_quota = |other: &LimitKey| is_of_host(other) && other.quota == who.quota;
    let is_of_both = |other: &LimitKey| is_of_reader(other) && other.quota == who.quota;
    let is_same = |other: &LimitKey| is_of_reader(other) && is_of_path(other);
    let free = most.saturating_mul(2).saturating_sub(count(&|_| true));
    let in_quota = match who.quota {
        Quota::Any => true,
        Quota::Untimed | Quota::Probing => {
            count(&is_of_quota) < quota(most) && count(&is_of_both) < half(quota(most))
        }
    };
    count(&is_of_host) < free
        && count(&is_of_path) < half(most)
        && count(&is_of_reader) < half(most)
        // One reader does not take a page's places from its other readers.
        && count(&is_same) < half(half(most))
        && in_quota
}

impl Gate {
    /// Frees what has expired.
    fn clean(&mut self, now_ms: u64) {
        let expired = |(place, _): &(Permit, LimitKey)| place.expires_ms <= now_ms;
        let free = self.places.partition_point(expired);
        self.places.drain(..free);
        self.line
            .retain(|waiter| now_ms < waiter.until_ms.saturating_add(ABSENT_MS));
    }

    /// Takes a place, if there is one that nobody before it in line can take;
    /// else tells how many are before it. A newcomer has no ticket. The place
    /// expires after `lasts_ms`: a request that the runtime cancels without a
    /// signal gives it back late.
    pub fn enter(
        &mut self,
        who: LimitKey,
        ticket: Option<Ticket>,
        most: u64,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Result<Permit, usize> {
        self.clean(now_ms);
        let own = |waiter: &Waiter| Some(waiter.ticket) == ticket;
        let at = self.line.iter().position(own);
        if let Some(waiter) = at.and_then(|at| self.line.get_mut(at)) {
            waiter.looked_ms = now_ms;
        }
        let ahead = at.unwrap_or(self.line.len());
        let mut held: Vec<LimitKey> = self.places.iter().map(|(_, who)| *who).collect();
        if !has_room(&held, &who, most) {
            return Err(ahead);
        }
        // Those before it who can take a place will, when they look.
        for waiter in self.line.iter().take(ahead) {
            let is_absent = now_ms >= waiter.looked_ms.saturating_add(ABSENT_MS);
            if !is_absent && has_room(&held, &waiter.who, most) {
                held.push(waiter.who);
            }
        }
        if !has_room(&held, &who, most) {
            return Err(ahead);
        }
        if let Some(ticket) = ticket {
            self.leave_line(ticket);
        }
        let place = Permit {
            expires_ms: now_ms.saturating_add(lasts_ms),
            number: self.number(),
        };
        let at = self.places.partition_point(|(other, _)| *other < place);
        self.places.insert(at, (place, who));
        Ok(place)
    }

    fn number(&mut self) -> u64 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// Joins the line until some time. `waiting` are in line in the whole
    /// isolate; `None` if that is too many for this one.
    pub fn queue(
        &mut self,
        who: LimitKey,
        waiting: usize,
        now_ms: u64,
        until_ms: u64,
    ) -> Option<Ticket> {
        let count = |which: &dyn Fn(&LimitKey) -> bool| {
            let all = self.line.iter().filter(|waiter| which(&waiter.who));
            all.count()
        };
        let is_of_host = |other: &LimitKey| other.host == who.host;
        let of_host = count(&is_of_host);
        let of_path = count(&|other| is_of_host(other) && other.path == who.path);
        let is_of_reader = |other: &LimitKey| who.reader.is_some() && other.reader == who.reader;
        let of_reader = count(&is_of_reader);
        let is_same = |other: &LimitKey| is_of_reader(other) && is_of_host(other);
        let of_both = count(&|other| is_same(other) && other.path == who.path);
        let free = LINE_MAX.saturating_sub(waiting);
        let of_one = of_path.max(of_reader).max(of_both.saturating_mul(2));
        let of_one = of_one.saturating_mul(2);
        if of_host >= free || of_one >= free {
            return None;
        }
        let ticket = Ticket(self.number());
        self.line.push(Waiter {
            ticket,
            who,
            looked_ms: now_ms,
            until_ms,
        });
        Some(ticket)
    }

    /// Gives a place back. One that has expired is gone already.
    pub fn leave(&mut self, place: Permit) {
        let found = self.places.binary_search_by_key(&place, |(held, _)| *held);
        if let Ok(at) = found {
            self.places.remove(at);
        }
    }

    /// Leaves the line.
    pub fn leave_line(&mut self, ticket: Ticket) {
        self.line.retain(|waiter| waiter.ticket != ticket);
    }

    /// How many are in line.
    pub fn waiting(&self) -> usize {
        self.line.len()
    }

    /// Whether nobody is under way or in line, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.line.is_empty()
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
pub struct RetryBudget(u64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(BUDGET_START * PRICE)
    }
}

impl RetryBudget {
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
/// rule end within 5 seconds. Jitter keeps requests that failed together from
/// coming together again.
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
