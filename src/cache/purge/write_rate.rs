//! Rate limit of an isolate's orders for writes: how often it sends
//! invalidations to the ledger.
//!
//! Any client may send writes. Each one is sent to the ledger at once as long
//! as its host and the isolate have tokens. Beyond that, the selectors of a
//! while are sent as a batch (`cache::purge::unconfirmed_writes`), and of many
//! selectors only the host is kept. The ledger handles about a thousand
//! requests a second for all isolates. So clients cannot keep it from its other
//! work, and the limit drops no write.

use super::selector::mark_of;
use std::collections::HashMap;

/// Burst of one host: how many writes may be sent at once, as many as a busy
/// page receives comments in a burst.
pub const WRITES_BURST: u64 = 50;

/// Rate of one host, in writes a second.
pub const WRITES_PER_SECOND: u64 = 5;

/// Burst of the isolate, for all hosts: with a wildcard in the zone's DNS, a
/// client can use any number of hosts.
pub const ISOLATE_BURST: u64 = 200;

/// Rate of the isolate, in writes a second: 40 isolates send 800.
pub const ISOLATE_PER_SECOND: u64 = 20;

/// The largest number of selectors in a batch. If there are more, a soft purge
/// of the host is added to these.
pub const GATHERED_MAX: usize = 20;

/// The largest number of selectors of one write that is sent at once: its
/// target, two locations, as many groups as an entry may have (64), and some
/// more.
pub const NAMES_MAX: usize = 100;

/// The largest number of further selectors that this isolate applies at once, 8
/// bytes each. Those beyond are covered by the purge of the host, once the
/// ledger returns it.
pub const FURTHER_MAX: usize = 1_000;

/// How long a batch collects writes, in milliseconds, unless `max_purge_lag` is
/// shorter. Work after a response may take 30 seconds, and the batch must be
/// sent within them.
pub const GATHER_MS_MAX: u64 = 10_000;

/// The largest number of hosts that are remembered, at about 100 bytes each. If
/// so many have taken tokens, all are reset: the isolate's own tokens still
/// bound them.
pub const HOSTS_MAX: usize = 1_000;

/// The selectors to invalidate for one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidationNames {
    /// Texts of selectors to purge hard, each once.
    pub hard: Vec<String>,
    /// Whether there were too many, so that the whole host is also purged
    /// softly.
    pub whole_host: bool,
    /// The marks of those above the limit, for this isolate.
    pub further: Vec<u64>,
}

impl InvalidationNames {
    /// Returns the selectors of one write.
    pub fn new(hard: Vec<String>) -> Self {
        let mut names = Self::default();
        for name in hard {
            names.add(name, NAMES_MAX);
        }
        names
    }

    /// Adds the selectors of a further write to a batch.
    pub fn gather(&mut self, more: Self) {
        self.whole_host |= more.whole_host;
        for name in more.hard {
            self.add(name, GATHERED_MAX);
        }
        for mark in more.further {
            self.add_further(mark);
        }
    }

    /// Adds a selector, up to `most`. Selectors in `hard` stay there.
    fn add(&mut self, name: String, most: usize) {
        if self.hard.contains(&name) {
            return;
        }
        if self.hard.len() < most {
            return self.hard.push(name);
        }
        self.whole_host = true;
        self.add_further(mark_of(&name));
    }

    fn add_further(&mut self, mark: u64) {
        if self.further.len() < FURTHER_MAX && !self.further.contains(&mark) {
            self.further.push(mark);
        }
    }

    /// Returns all marks, each once.
    pub fn marks(&self) -> Vec<u64> {
        let hard = self.hard.iter().map(|name| mark_of(name));
        let mut marks: Vec<u64> = hard.chain(self.further.iter().copied()).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

/// A token bucket, stored as the time when it is full again.
#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    full_ms: u64,
}

impl Tokens {
    /// Takes a token. Returns what is left, or `None` if there was no token.
    fn less_one(self, burst: u64, per_second: u64, now_ms: u64) -> Option<Self> {
        let token_ms = 1000 / per_second;
        let most_ms = now_ms.saturating_add(token_ms.saturating_mul(burst));
        // If the clock was set back, the bucket counts as full.
        let before_ms = Some(self.full_ms).filter(|at| *at <= most_ms);
        let full_ms = before_ms.unwrap_or(0).max(now_ms).saturating_add(token_ms);
        (full_ms <= most_ms).then_some(Self { full_ms })
    }
}

/// The token buckets of all hosts and of the isolate.
#[derive(Debug, Default)]
pub struct WriteRate {
    hosts: HashMap<String, Tokens>,
    isolate: Tokens,
}

impl WriteRate {
    /// Takes tokens for a write. Returns whether it may be sent at once.
    pub fn take(&mut self, host: &str, now_ms: u64) -> bool {
        let tokens = self.hosts.get(host).copied().unwrap_or_default();
        let tokens = tokens.less_one(WRITES_BURST, WRITES_PER_SECOND, now_ms);
        let isolate = self
            .isolate
            .less_one(ISOLATE_BURST, ISOLATE_PER_SECOND, now_ms);
        let Some((tokens, isolate)) = tokens.zip(isolate) else {
            return false;
        };
        self.make_room(now_ms);
        self.hosts.insert(host.to_owned(), tokens);
        self.isolate = isolate;
        true
    }

    /// How many hosts are remembered.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.hosts.len() < HOSTS_MAX {
            return;
        }
        self.hosts.retain(|_, host| host.full_ms > now_ms);
        if self.hosts.len() >= HOSTS_MAX {
            self.hosts.clear();
        }
    }
}
