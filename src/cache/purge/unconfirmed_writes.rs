//! Writes of which this isolate knows that the origin has done them, and the
//! ledger does not yet.
//!
//! Purges are ordered by the ledger's numbers, and such a write has none. So
//! it kills all that it names, whatever number that has seen, until the ledger
//! has given it one that the index knows. Exempt is what this isolate itself
//! has fetched since: by one clock, so its times can be compared.

use super::selector::mark_of;
use super::write_rate::{GATHER_MS_MAX, InvalidationNames};
use std::collections::HashMap;

/// How many writes wait for the ledger, or gatherings of a host's.
pub const WRITES_MAX: usize = 1_000;

/// How many bytes they take, about: of an isolate's 128 MB. One may have 100
/// names of 8 KiB.
pub const BYTES_MAX: usize = 4_000_000;

/// What a name or a mark takes beside its text.
const NAME_BYTES: usize = 100;

/// How many answers fetched since are remembered; beyond it all are forgotten,
/// which costs a fetch each.
pub const REFETCHED_MAX: usize = 1000;

/// How long a write waits for the ledger. What it names has seldom a longer
/// lifetime, and an order that the ledger never takes must not be sent for
/// ever.
pub const WRITE_MS_MAX: u64 = 3_600_000;

/// What must be known of an entry to compare it with writes.
#[derive(Clone, Copy, Debug)]
pub struct Fetched<'a> {
    /// Its key.
    pub key: &'a str,
    /// The marks of its names (`selector::marks`).
    pub marks: &'a [u64],
    /// When its head came, in milliseconds since 1970.
    pub received_ms: u64,
    /// How many milliseconds that took.
    pub cost_ms: u64,
}

/// A write that the ledger has not confirmed, or several of a host together.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its number in this isolate.
    pub id: u64,
    /// The host name of its request.
    pub site: String,
    /// What the ledger is to be told.
    pub names: InvalidationNames,
    /// Whether more may join it.
    gathers: bool,
    /// When it is to be sent.
    due_ms: u64,
    at_ms: u64,
}

impl Write {
    /// One that lies far ahead is another clock's.
    fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms <= now_ms || self.due_ms > now_ms.saturating_add(GATHER_MS_MAX)
    }

    fn bytes(&self) -> usize {
        let hard = self.names.hard.iter().map(|name| name.len() + NAME_BYTES);
        hard.sum::<usize>() + (self.names.further.len() + 1) * NAME_BYTES
    }
}

/// What is known of a mark that unconfirmed writes name.
#[derive(Clone, Copy, Debug)]
struct Named {
    writes: usize,
    last_ms: u64,
}

/// The writes that the ledger has not confirmed, the next to be sent first.
#[derive(Debug, Default)]
pub struct UnconfirmedWrites {
    writes: Vec<Write>,
    marks: HashMap<u64, Named>,
    last_id: u64,
    lost: usize,
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

    /// Whether there is one to be sent.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.writes.iter().any(|write| write.is_due(now_ms))
    }

    /// How many were given up since this was last asked.
    pub fn lost(&mut self) -> usize {
        std::mem::take(&mut self.lost)
    }

    /// Adds one that the origin has done by now, and returns its number. It
    /// takes the place of an earlier one that names the same. If there are too
    /// many, the oldest of the site that has the most gives way.
    pub fn add(&mut self, site: &str, names: InvalidationNames, now_ms: u64) -> u64 {
        self.remove(|write| write.site == site && write.names == names && !write.gathers);
        self.push(site, names, false, now_ms, now_ms)
    }

    /// Adds one that goes with others of its site, in so many milliseconds at
    /// most. Whether it is the first of them.
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
        // Those that are new, or were written to again, are dead from now on.
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
            let greedy = |write: &&Write| bytes.get(write.site.as_str()).copied() == most;
            let Some(id) = self.writes.iter().find(greedy).map(|write| write.id) else {
                return;
            };
            self.lost = self
                .lost
                .saturating_add(self.remove(|write| write.id == id));
        }
    }

    /// How many it has removed.
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

    /// The one to be sent next; no other joins it from then on. Those that have
    /// waited too long are given up.
    pub fn next(&mut self, now_ms: u64) -> Option<Write> {
        let given_up = self.remove(|write| now_ms.saturating_sub(write.at_ms) >= WRITE_MS_MAX);
        self.lost = self.lost.saturating_add(given_up);
        self.forget_if_empty();
        let next = self.writes.iter_mut().find(|write| write.is_due(now_ms))?;
        next.gathers = false;
        Some(next.clone())
    }

    /// This one is being sent: nobody else does until then.
    pub fn leave_until(&mut self, id: u64, due_ms: u64) {
        let mut writes = self.writes.iter_mut();
        if let Some(write) = writes.find(|write| write.id == id) {
            write.due_ms = due_ms;
        }
    }

    /// The ledger did not take this one: the others come first.
    pub fn defer(&mut self, id: u64) {
        if let Some(at) = self.writes.iter().position(|write| write.id == id) {
            let mut write = self.writes.remove(at);
            write.due_ms = 0;
            self.writes.push(write);
        }
    }

    /// The ledger has given this one a number, which the index knows.
    pub fn confirm(&mut self, id: u64) {
        self.remove(|write| write.id == id);
        self.forget_if_empty();
    }

    fn forget_if_empty(&mut self) {
        if self.writes.is_empty() {
            self.refetched.clear();
        }
    }

    /// Notes that this isolate has fetched an answer.
    pub fn fetched(&mut self, entry: Fetched<'_>) {
        if self.named_ms(entry).is_none() {
            return;
        }
        if self.refetched.len() >= REFETCHED_MAX {
            self.refetched.clear();
        }
        let asked_ms = entry.received_ms.saturating_sub(entry.cost_ms);
        self.refetched.insert(name_of(entry), asked_ms);
    }

    /// Whether an entry may be from before one of these writes.
    pub fn kill(&self, entry: Fetched<'_>) -> bool {
        let Some(last_ms) = self.named_ms(entry) else {
            return false;
        };
        let asked_ms = self.refetched.get(&name_of(entry));
        asked_ms.is_none_or(|asked_ms| *asked_ms <= last_ms)
    }

    /// When a write last named an entry.
    fn named_ms(&self, entry: Fetched<'_>) -> Option<u64> {
        // The usual case: there is none.
        if self.marks.is_empty() {
            return None;
        }
        let named = entry.marks.iter().filter_map(|mark| self.marks.get(mark));
        named.map(|named| named.last_ms).max()
    }
}

/// Notes that `writes` more name a mark.
fn note(marks: &mut HashMap<u64, Named>, mark: u64, writes: usize, now_ms: u64) {
    let named = marks.entry(mark).or_insert(Named {
        writes: 0,
        last_ms: now_ms,
    });
    named.writes = named.writes.saturating_add(writes);
    named.last_ms = named.last_ms.max(now_ms);
}

/// 64 bits that stand for an entry. Of another one with this key, the head came
/// in another millisecond, or took another time.
fn name_of(entry: Fetched<'_>) -> u64 {
    let (key, received_ms, cost_ms) = (entry.key, entry.received_ms, entry.cost_ms);
    mark_of(&format!("{received_ms} {cost_ms} {key}"))
}
