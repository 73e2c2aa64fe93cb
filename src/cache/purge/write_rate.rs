//! How often an isolate asks the ledger to invalidate what writes have changed.
//!
//! Anybody may send writes. Each asks the ledger at once as long as its host
//! and the isolate have tokens; beyond that the names of a while go together
//! (`cache::purge::unconfirmed_writes`), and of many names only the host is left. So the
//! ledger, which takes about a thousand questions a second for all isolates,
//! cannot be kept from its other work by clients, and nothing is forgotten.

use super::selector::mark_of;
use std::collections::HashMap;

/// How many writes of a host may ask at once: as many as a busy page has
/// comments in a burst.
pub const WRITES_BURST: u64 = 50;

/// How many more may ask each second.
pub const WRITES_PER_SECOND: u64 = 5;

/// How many writes of all hosts may ask at once: in a zone with a wildcard in
/// its DNS a client has as many hosts as it likes.
pub const ISOLATE_BURST: u64 = 200;

/// How many more may ask each second: 40 isolates ask 800 times.
pub const ISOLATE_PER_SECOND: u64 = 20;

/// How many names of a gathering go together; of more, the host is left beside
/// these: a soft purge of it.
pub const GATHERED_MAX: usize = 20;

/// How many names one write has that asks at once: its target, two locations,
/// and as many groups as an entry may have (64), and some.
pub const NAMES_MAX: usize = 100;

/// How many further names this isolate obeys at once: 8 bytes each. What is
/// still beyond counts with the host, when the ledger tells of it.
pub const FURTHER_MAX: usize = 1_000;

/// How long names are gathered, unless `max_purge_lag` is shorter. Work behind
/// a response has 30 seconds, and the ledger must be asked in them.
pub const GATHER_MS_MAX: u64 = 10_000;

/// How many hosts are remembered, some 100 bytes each. If so many have taken
/// tokens, all have theirs back: the isolate's are bounded.
pub const HOSTS_MAX: usize = 1_000;

/// What to invalidate, of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvalidationNames {
    /// Selectors' texts, each once.
    pub hard: Vec<String>,
    /// Whether they were too many: the whole host too, softly.
    pub whole_host: bool,
    /// The marks of those that were too many, for this isolate.
    pub further: Vec<u64>,
}

impl InvalidationNames {
    /// Of one write.
    pub fn new(hard: Vec<String>) -> Self {
        let mut names = Self::default();
        for name in hard {
            names.add(name, NAMES_MAX);
        }
        names
    }

    /// Adds those of a further write to a gathering.
    pub fn gather(&mut self, more: Self) {
        self.whole_host |= more.whole_host;
        for name in more.hard {
            self.add(name, GATHERED_MAX);
        }
        for mark in more.further {
            self.add_further(mark);
        }
    }

    /// What was hard stays hard, whatever comes after it.
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

    /// The marks of all, each once.
    pub fn marks(&self) -> Vec<u64> {
        let hard = self.hard.iter().map(|name| mark_of(name));
        let mut marks: Vec<u64> = hard.chain(self.further.iter().copied()).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

/// Tokens: when all are back.
#[derive(Clone, Copy, Debug, Default)]
struct Tokens {
    full_ms: u64,
}

impl Tokens {
    /// What is left after one is taken, if there is one.
    fn less_one(self, burst: u64, per_second: u64, now_ms: u64) -> Option<Self> {
        let token_ms = 1000 / per_second;
        let most_ms = now_ms.saturating_add(token_ms.saturating_mul(burst));
        // After the clock was set back: as if no token had been taken.
        let before_ms = Some(self.full_ms).filter(|at| *at <= most_ms);
        let full_ms = before_ms.unwrap_or(0).max(now_ms).saturating_add(token_ms);
        (full_ms <= most_ms).then_some(Self { full_ms })
    }
}

/// The rates of all hosts, and of the isolate.
#[derive(Debug, Default)]
pub struct WriteRate {
    hosts: HashMap<String, Tokens>,
    isolate: Tokens,
}

impl WriteRate {
    /// Whether a write may ask at once.
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

    /// How many hosts it remembers.
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
