//! How often an isolate asks the ledger to invalidate what writes have changed.
//!
//! Anybody may send writes. Each asks the ledger at once as long as its host
//! has tokens; beyond that the names of a while go together, and of many names
//! only the host is left. So the ledger, which takes about a thousand questions
//! a second for all isolates, cannot be kept from its other work by one host's
//! clients, and nothing is forgotten.

use std::collections::HashMap;

/// How many writes of a host may ask at once: as many as a busy page has
/// comments in a burst.
pub const WRITES_BURST: u64 = 50;

/// How many more may ask each second: 100 isolates ask 500 times.
pub const WRITES_PER_SECOND: u64 = 5;

/// What one token takes to come.
const TOKEN_MS: u64 = 1000 / WRITES_PER_SECOND;

/// How many names go together; of more, the host is left: a soft purge of it.
pub const GATHERED_MAX: usize = 20;

/// How many names one write has that asks at once: its target, two locations,
/// and as many groups as an entry may have (64), and some.
pub const NAMES_MAX: usize = 100;

/// How long names are gathered, unless `max_purge_lag` is shorter. Work behind
/// a response has 30 seconds, and the ledger must be asked in them.
pub const GATHER_MS_MAX: u64 = 10_000;

/// A gathering that nobody has ended so long after its time is ended by the
/// next write: the request that began it is gone.
const OVERDUE_MS: u64 = 1_000;

/// How many hosts are remembered; some 100 bytes each while they are quiet.
const HOSTS_MAX: usize = 1_000;

/// What to invalidate, of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Selectors' texts, each once.
    pub hard: Vec<String>,
    /// Whether they were too many: the whole host, softly.
    pub whole_host: bool,
}

impl Names {
    /// Of one write.
    pub fn new(hard: Vec<String>) -> Self {
        let mut names = Self::default();
        names.add(hard, NAMES_MAX);
        names
    }

    fn add(&mut self, hard: Vec<String>, most: usize) {
        for name in hard {
            if !self.hard.contains(&name) {
                self.hard.push(name);
            }
        }
        self.whole_host |= self.hard.len() > most;
        if self.whole_host {
            self.hard.clear();
        }
    }

    /// Whether there is nothing to invalidate.
    pub fn is_empty(&self) -> bool {
        self.hard.is_empty() && !self.whole_host
    }
}

/// When a write's names go to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now(Names),
    /// With others, which this write sends in so many milliseconds.
    Begins(u64),
    /// With those of a write before it.
    Joins,
}

#[derive(Debug)]
struct Host {
    /// When all tokens are back.
    full_ms: u64,
    gathered: Names,
    /// When these are to be sent.
    due_ms: u64,
}

/// The rates of all hosts.
#[derive(Debug, Default)]
pub struct WriteRate {
    hosts: HashMap<String, Host>,
}

impl WriteRate {
    /// Decides on a write. `lag_ms` is `max_purge_lag`.
    pub fn take(&mut self, host: &str, names: Names, lag_ms: u64, now_ms: u64) -> Turn {
        self.make_room(now_ms);
        let state = self.hosts.entry(host.to_owned()).or_insert(Host {
            full_ms: 0,
            gathered: Names::default(),
            due_ms: 0,
        });
        let most_ms = now_ms.saturating_add(TOKEN_MS.saturating_mul(WRITES_BURST));
        // After the clock was set back: as if no token had been taken.
        let before_ms = Some(state.full_ms).filter(|at| *at <= most_ms);
        let full_ms = before_ms.unwrap_or(0).max(now_ms).saturating_add(TOKEN_MS);
        if full_ms <= most_ms {
            state.full_ms = full_ms;
            return Turn::Now(names);
        }
        let gather_ms = lag_ms.min(GATHER_MS_MAX);
        let runs = !state.gathered.is_empty()
            && now_ms <= state.due_ms.saturating_add(OVERDUE_MS)
            && state.due_ms <= now_ms.saturating_add(gather_ms);
        state.gathered.whole_host |= names.whole_host;
        state.gathered.add(names.hard, GATHERED_MAX);
        if runs {
            return Turn::Joins;
        }
        state.due_ms = now_ms.saturating_add(gather_ms);
        Turn::Begins(gather_ms)
    }

    /// What was gathered for a host: it is to be sent.
    pub fn gathered(&mut self, host: &str) -> Names {
        let state = self.hosts.get_mut(host);
        state.map_or_else(Names::default, |state| std::mem::take(&mut state.gathered))
    }

    /// Forgets hosts that have all their tokens; if all have taken some, the
    /// tokens of those that have nothing to be sent. (To have a thousand hosts,
    /// a client needs as many answers from as many.)
    fn make_room(&mut self, now_ms: u64) {
        if self.hosts.len() < HOSTS_MAX {
            return;
        }
        self.hosts
            .retain(|_, host| host.full_ms > now_ms || !host.gathered.is_empty());
        if self.hosts.len() >= HOSTS_MAX {
            self.hosts.retain(|_, host| !host.gathered.is_empty());
        }
    }
}
