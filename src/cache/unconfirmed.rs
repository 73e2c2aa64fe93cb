//! Writes of which this isolate knows that the origin has done them, and the
//! ledger does not yet.
//!
//! Purges are ordered by the ledger's numbers, and such a write has none. So
//! it kills all that it names, whatever number that has seen, until the ledger
//! has given it one that the index knows. Exempt is what this isolate itself
//! has fetched since: by one clock, so its times can be compared.

use super::entry::Entry;
use super::ledger::Order;
use super::selector::mark_of;
use std::collections::HashMap;

/// How many writes wait for the ledger. Each holds up to three URLs of 8 KiB:
/// 2.4 MB.
pub const WRITES_MAX: usize = 100;

/// How many answers fetched since are remembered; beyond it all are forgotten,
/// which costs a fetch each.
pub const REFETCHED_MAX: usize = 1000;

/// How long a write waits for the ledger. What it names has seldom a longer
/// lifetime, and an order that the ledger never takes must not be sent for
/// ever.
pub const WRITE_MS_MAX: u64 = 3_600_000;

/// A write that the ledger has not confirmed.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its number in this isolate.
    pub id: u64,
    /// The host name of its request.
    pub site: String,
    /// What the ledger is to be sent.
    pub order: Order,
    marks: Vec<u64>,
    at_ms: u64,
}

/// The writes that the ledger has not confirmed, the next to be sent first.
#[derive(Debug, Default)]
pub struct UnconfirmedWrites {
    writes: Vec<Write>,
    last_id: u64,
    /// When answers were asked for that this isolate has fetched meanwhile, by
    /// [`name_of`].
    refetched: HashMap<u64, u64>,
}

impl UnconfirmedWrites {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Adds one that the origin has done by now, and returns its number. It
    /// takes the place of an earlier one that names the same. If there are too
    /// many, the oldest of the site that has the most gives way.
    pub fn add(&mut self, site: &str, order: Order, now_ms: u64) -> u64 {
        self.writes
            .retain(|write| write.site != site || write.order.hard != order.hard);
        if self.writes.len() >= WRITES_MAX {
            self.make_room();
        }
        self.last_id = self.last_id.wrapping_add(1);
        self.writes.push(Write {
            id: self.last_id,
            site: site.to_owned(),
            marks: order.hard.iter().map(|name| mark_of(name)).collect(),
            order,
            at_ms: now_ms,
        });
        self.last_id
    }

    fn make_room(&mut self) {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for write in &self.writes {
            let count = counts.entry(&write.site).or_default();
            *count = count.saturating_add(1);
        }
        let most = counts.values().max().copied();
        let greedy = |write: &Write| counts.get(write.site.as_str()).copied() == most;
        if let Some(at) = self.writes.iter().position(greedy) {
            self.writes.remove(at);
        }
    }

    /// The one to be sent next. Those that have waited too long are given up.
    pub fn next(&mut self, now_ms: u64) -> Option<Write> {
        self.writes
            .retain(|write| now_ms.saturating_sub(write.at_ms) < WRITE_MS_MAX);
        self.forget_if_empty();
        self.writes.first().cloned()
    }

    /// The ledger did not take this one: the others come first.
    pub fn defer(&mut self, id: u64) {
        if let Some(at) = self.writes.iter().position(|write| write.id == id) {
            let write = self.writes.remove(at);
            self.writes.push(write);
        }
    }

    /// The ledger has given this one a number, which the index knows.
    pub fn confirm(&mut self, id: u64) {
        self.writes.retain(|write| write.id != id);
        self.forget_if_empty();
    }

    fn forget_if_empty(&mut self) {
        if self.writes.is_empty() {
            self.refetched.clear();
        }
    }

    /// Notes that this isolate has fetched an answer.
    pub fn fetched(&mut self, entry: &Entry) {
        if !self.writes.iter().any(|write| write.names(entry)) {
            return;
        }
        if self.refetched.len() >= REFETCHED_MAX {
            self.refetched.clear();
        }
        let asked_ms = entry.received_ms.saturating_sub(entry.cost_ms);
        self.refetched.insert(name_of(entry), asked_ms);
    }

    /// Whether an entry may be from before one of these writes.
    pub fn kill(&self, entry: &Entry) -> bool {
        let mut named = self.writes.iter().filter(|write| write.names(entry));
        let Some(first) = named.next() else {
            return false;
        };
        let last_ms = named.fold(first.at_ms, |last, write| last.max(write.at_ms));
        let asked_ms = self.refetched.get(&name_of(entry));
        asked_ms.is_none_or(|asked_ms| *asked_ms <= last_ms)
    }
}

impl Write {
    fn names(&self, entry: &Entry) -> bool {
        self.marks.iter().any(|mark| entry.marks.contains(mark))
    }
}

/// 64 bits that stand for an entry. Of another one with this key, the head came
/// in another millisecond, or took another time.
fn name_of(entry: &Entry) -> u64 {
    let (key, received_ms, cost_ms) = (&entry.key, entry.received_ms, entry.cost_ms);
    mark_of(&format!("{received_ms} {cost_ms} {key}"))
}
