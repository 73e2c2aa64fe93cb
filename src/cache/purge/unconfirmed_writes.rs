//! Unconfirmed writes: the origin has executed them, and the ledger has not yet
//! assigned them a sequence number.
//!
//! Purges are ordered by sequence numbers, and such a write has none. So it
//! purges all entries that match its selectors, whatever number they have seen,
//! until the ledger has assigned a number that the index covers. Excepted are
//! responses that this isolate itself has fetched since then: their times are
//! of the same clock and can be compared.

use super::selector::mark_of;
use super::write_rate::{GATHER_MS_MAX, InvalidationNames};
use std::collections::HashMap;

/// The largest number of writes, or batches of a host's writes, that wait for
/// the ledger.
pub const WRITES_MAX: usize = 1_000;

/// The approximate limit of their size in bytes, of an isolate's 128 MB. One
/// write may have 100 selectors of 8 KiB.
pub const BYTES_MAX: usize = 4_000_000;

/// Size of a selector or a mark in bytes, without its text.
const NAME_BYTES: usize = 100;

/// The largest number of refetched responses that are remembered. Above it all
/// are dropped, at the cost of one fetch each.
pub const REFETCHED_MAX: usize = 1000;

/// How long a write waits for the ledger, in milliseconds. Few responses that
/// it purges have a longer lifetime, and an order that the ledger never accepts
/// must not be sent forever.
pub const WRITE_MS_MAX: u64 = 3_600_000;

/// The data of an entry that is compared with writes.
#[derive(Clone, Copy, Debug)]
pub struct FetchedEntry<'a> {
    /// Its cache key.
    pub key: &'a str,
    /// The marks of its selectors (`selector::marks`).
    pub marks: &'a [u64],
    /// When its head arrived, in milliseconds since 1970.
    pub received_ms: u64,
    /// The duration of its fetch until then, in milliseconds.
    pub cost_ms: u64,
}

/// A write that the ledger has not confirmed, or a batch of writes to one host.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its number in this isolate.
    pub id: u64,
    /// The host name of its request.
    pub site: String,
    /// The selectors to send to the ledger.
    pub names: InvalidationNames,
    /// Whether further writes may join the batch.
    gathers: bool,
    /// When it is to be sent, in milliseconds since 1970.
    due_ms: u64,
    at_ms: u64,
}

impl Write {
    /// Whether it is to be sent. A time far ahead means that the clock was set
    /// back.
    fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms <= now_ms || self.due_ms > now_ms.saturating_add(GATHER_MS_MAX)
    }

    fn bytes(&self) -> usize {
        let hard = self.names.hard.iter().map(|name| name.len() + NAME_BYTES);
        hard.sum::<usize>() + (self.names.further.len() + 1) * NAME_BYTES
    }
}

/// The unconfirmed writes that purge a mark.
#[derive(Clone, Copy, Debug)]
struct MarkWrites {
    writes: usize,
    last_ms: u64,
}

/// The writes that the ledger has not confirmed, the next to be sent first.
#[derive(Clone, Debug, Default)]
pub struct UnconfirmedWrites {
    writes: Vec<Write>,
    marks: HashMap<u64, MarkWrites>,
    last_id: u64,
    lost: usize,
    /// The times of requests by which this isolate refetched responses
    /// meanwhile, by [`entry_digest`].
    refetched: HashMap<u64, u64>,
}

impl UnconfirmedWrites {
    /// Whether there are no writes.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether a write is to be sent now.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.writes.iter().any(|write| write.is_due(now_ms))
    }

    /// Returns how many were given up since the last call.
    pub fn lost(&mut self) -> usize {
        std::mem::take(&mut self.lost)
    }

    /// Adds a write that the origin has executed, and returns its number. It
    /// replaces an earlier one with the same selectors. Above the limits, the
    /// oldest write of the site that uses most is dropped.
    pub fn add(&mut self, site: &str, names: InvalidationNames, now_ms: u64) -> u64 {
        self.remove(|write| write.site == site && write.names == names && !write.gathers);
        self.push(site, names, false, now_ms, now_ms)
    }

    /// Adds a write to the batch of its site, which is sent within `pause_ms`.
    /// Returns whether it is the first of the batch.
    pub fn gather(
        &mut self,
        site: &str,
        names: InvalidationNames,
        pause_ms: u64,
        now_ms: u64,
    ) -> bool {
        let mut gathered = InvalidationNames::default();
        let joined = self.writes.iter_mut();
        let joined = joined.filter(|write| write.gathers && write.site == site);
        let Some(write) = joined.last() else {
            gathered.gather(names);
            let due_ms = now_ms.saturating_add(pause_ms);
            self.push(site, gathered, true, due_ms, now_ms);
            return true;
        };
        // Marks that are new, or were written to again, are purged as of now.
        let again = names.marks();
        let before = write.names.marks();
        write.names.gather(names);
        let after = write.names.marks();
        for mark in after {
            let is_new = !before.contains(&mark);
            if is_new || again.contains(&mark) {
                note(&mut self.marks, mark, usize::from(is_new), now_ms);
            }
        }
        self.make_room();
        false
    }

    fn push(
        &mut self,
        site: &str,
        names: InvalidationNames,
        gathers: bool,
        due_ms: u64,
        at_ms: u64,
    ) -> u64 {
        for mark in names.marks() {
            note(&mut self.marks, mark, 1, at_ms);
        }
        self.last_id = self.last_id.wrapping_add(1);
        self.writes.push(Write {
            id: self.last_id,
            site: site.to_owned(),
            names,
            gathers,
            due_ms,
            at_ms,
        });
        self.make_room();
        self.last_id
    }

    fn make_room(&mut self) {
        while self.writes.len() > WRITES_MAX
            || self.writes.iter().map(Write::bytes).sum::<usize>() > BYTES_MAX
        {
            let mut bytes: HashMap<&str, usize> = HashMap::new();
            for write in &self.writes {
                let of_site = bytes.entry(&write.site).or_default();
                *of_site = of_site.saturating_add(write.bytes());
            }
            let most = bytes.values().max().copied();
            let is_of_largest = |write: &&Write| bytes.get(write.site.as_str()).copied() == most;
            let Some(id) = self.writes.iter().find(is_of_largest).map(|write| write.id) else {
                return;
            };
            self.lost = self
                .lost
                .saturating_add(self.remove(|write| write.id == id));
        }
    }

    /// Removes writes. Returns how many.
    fn remove(&mut self, goes: impl Fn(&Write) -> bool) -> usize {
        let before = self.writes.len();
        let marks = &mut self.marks;
        self.writes.retain(|write| {
            let goes = goes(write);
            for mark in write.names.marks().iter().filter(|_| goes) {
                if let Some(named) = marks.get_mut(mark) {
                    named.writes = named.writes.saturating_sub(1);
                    if named.writes == 0 {
                        marks.remove(mark);
                    }
                }
            }
            !goes
        });
        before.saturating_sub(self.writes.len())
    }

    /// Returns the write to be sent next; none can join it any more. Drops
    /// writes that have waited too long.
    pub fn next(&mut self, now_ms: u64) -> Option<Write> {
        let given_up = self.remove(|write| now_ms.saturating_sub(write.at_ms) >= WRITE_MS_MAX);
        self.lost = self.lost.saturating_add(given_up);
        self.forget_if_empty();
        let next = self.writes.iter_mut().find(|write| write.is_due(now_ms))?;
        next.gathers = false;
        Some(next.clone())
    }

    /// Records that this write is being sent, so that it is not sent again
    /// before `due_ms`.
    pub fn leave_until(&mut self, id: u64, due_ms: u64) {
        let mut writes = self.writes.iter_mut();
        if let Some(write) = writes.find(|write| write.id == id) {
            write.due_ms = due_ms;
        }
    }

    /// Moves a write to the end, because the ledger did not accept it.
    pub fn defer(&mut self, id: u64) {
        if let Some(at) = self.writes.iter().position(|write| write.id == id) {
            let mut write = self.writes.remove(at);
            write.due_ms = 0;
            self.writes.push(write);
        }
    }

    /// Removes a write: the ledger has assigned its number, and the index
    /// covers it.
    pub fn confirm(&mut self, id: u64) {
        self.remove(|write| write.id == id);
        self.forget_if_empty();
    }

    fn forget_if_empty(&mut self) {
        if self.writes.is_empty() {
            self.refetched.clear();
        }
    }

    /// Records that this isolate has fetched a response.
    pub fn record_fetch(&mut self, entry: FetchedEntry<'_>) {
        if self.last_write_ms(entry).is_none() {
            return;
        }
        if self.refetched.len() >= REFETCHED_MAX {
            self.refetched.clear();
        }
        let sent_ms = entry.received_ms.saturating_sub(entry.cost_ms);
        self.refetched.insert(entry_digest(entry), sent_ms);
    }

    /// Whether an entry may be older than one of these writes.
    pub fn purges(&self, entry: FetchedEntry<'_>) -> bool {
        let Some(last_ms) = self.last_write_ms(entry) else {
            return false;
        };
        let sent_ms = self.refetched.get(&entry_digest(entry));
        sent_ms.is_none_or(|sent_ms| *sent_ms <= last_ms)
    }

    /// Returns the time of the last write that matches an entry.
    fn last_write_ms(&self, entry: FetchedEntry<'_>) -> Option<u64> {
        // The usual case: there are no writes.
        if self.marks.is_empty() {
            return None;
        }
        let named = entry.marks.iter().filter_map(|mark| self.marks.get(mark));
        named.map(|named| named.last_ms).max()
    }
}

/// Adds `writes` to the count of a mark.
fn note(marks: &mut HashMap<u64, MarkWrites>, mark: u64, writes: usize, now_ms: u64) {
    let named = marks.entry(mark).or_insert(MarkWrites {
        writes: 0,
        last_ms: now_ms,
    });
    named.writes = named.writes.saturating_add(writes);
    named.last_ms = named.last_ms.max(now_ms);
}

/// Returns 64 bits that identify an entry. Another entry with this key has
/// another arrival time or duration.
fn entry_digest(entry: FetchedEntry<'_>) -> u64 {
    let (key, received_ms, cost_ms) = (entry.key, entry.received_ms, entry.cost_ms);
    mark_of(&format!("{received_ms} {cost_ms} {key}"))
}
