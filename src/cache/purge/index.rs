//! The purge index: the purges that an isolate has received.
//!
//! Purges are ordered by the ledger's sequence numbers, never by clocks. An
//! entry stores the number that its isolate had seen before the request to the
//! origin. Any matching purge with a larger number applies to the entry. So a
//! fill in flight during a purge is already purged when it arrives.

use super::feed::PurgeFeed;
use super::unconfirmed_writes::UnconfirmedWrites;
use super::wide::{HostBucket, Wide};
use crate::cache::ledger::sequence::Numbers;
use crate::cache::ledger::sequence::PurgeState;
use crate::cache::ledger::wire::{MARKS_MAX, SCOPE_MARKS_MAX, SCOPES_MAX, WRITES_MAX};
use crate::cache::matching::key_scope::KeyScope;
use std::collections::HashMap;

/// The largest number of marks in an index before it is rebuilt from the
/// ledger: twice the ledger's own limit of 205,000. The ledger drops marks when
/// they widen to a host or a scope, and does not report which ones. So an index
/// only grows, by the marks of each feed. At 500 marks a second it is rebuilt
/// every 7 minutes at most, which takes 11 pages of the feed.
///
/// 410,000 marks take 13 MB (2^19 slots of 25 bytes), and the rebuilt ones
/// beside them 6.6 MB (2^18), of an isolate's 128 MB.
pub const INDEX_MARKS_MAX: u64 = 2 * (MARKS_MAX + SCOPES_MAX * SCOPE_MARKS_MAX + WRITES_MAX);

/// The parts of an entry that purges are matched against.
#[derive(Clone, Copy, Debug)]
pub struct Purgeable<'a> {
    /// The sequence number seen before its fill.
    pub seen: u64,
    /// The marks of its selectors (`selector::marks`).
    pub marks: &'a [u64],
    /// Its host.
    pub host: &'a str,
    /// Its tags.
    pub tags: &'a [String],
}

/// The purges that an isolate has received: complete up to
/// [`PurgeIndex::sequence`], possibly with some later ones.
///
/// It grows until it is rebuilt: see [`INDEX_MARKS_MAX`], also for its size.
#[derive(Clone, Debug, Default)]
pub struct PurgeIndex {
    sequence: u64,
    newest: u64,
    floor: Numbers,
    /// Marks of orders.
    marks: HashMap<u64, Numbers>,
    /// Marks of writes.
    writes: HashMap<u64, Numbers>,
    scopes: Vec<(KeyScope, Numbers)>,
    buckets: HashMap<HostBucket, Numbers>,
    /// Writes that no sequence number covers yet.
    pub unconfirmed: UnconfirmedWrites,
}

impl PurgeIndex {
    /// The sequence number up to which the index is complete.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many marks it holds.
    pub fn len(&self) -> usize {
        self.marks.len().saturating_add(self.writes.len())
    }

    /// Whether it holds no marks; it may still have a floor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a feed of the ledger. Feeds may arrive late, in any order, and
    /// twice. Returns whether the index is now complete up to the feed's
    /// number: it is not if purges between the two are missing.
    pub fn apply(&mut self, feed: &PurgeFeed) -> bool {
        let connects = feed.after <= self.sequence;
        if connects {
            self.sequence = self.sequence.max(feed.sequence);
        }
        self.newest = self.newest.max(self.sequence);
        let floor_rises = !feed.floor.lies_below(self.floor);
        self.floor.raise(feed.floor);
        self.newest = self.newest.max(self.floor.newest());
        let floor = self.floor;
        for (received, marks) in [
            (&feed.marks, &mut self.marks),
            (&feed.writes, &mut self.writes),
        ] {
            for (mark, numbers) in received {
                self.newest = self.newest.max(numbers.newest());
                if !numbers.lies_below(floor) {
                    marks.entry(*mark).or_default().raise(*numbers);
                }
            }
        }
        for (wide, numbers) in &feed.wide {
            self.newest = self.newest.max(numbers.newest());
            match wide {
                Wide::Bucket(bucket) => self.buckets.entry(*bucket).or_default().raise(*numbers),
                Wide::Scope(scope) => self.raise_scope(scope, *numbers),
            }
        }
        if floor_rises {
            let stays = |numbers: &Numbers| !numbers.lies_below(floor);
            self.marks.retain(|_, numbers| stays(numbers));
            self.writes.retain(|_, numbers| stays(numbers));
            self.buckets.retain(|_, numbers| stays(numbers));
            self.scopes.retain(|(_, numbers)| stays(numbers));
        }
        connects
    }

    /// Whether it has so many marks that it must be rebuilt.
    pub fn is_overfull(&self) -> bool {
        self.len() as u64 > INDEX_MARKS_MAX
    }

    /// Replaces this index by one that was rebuilt from the start. Of its own
    /// marks it keeps only those later than the rebuilt index.
    pub fn replace(&mut self, anew: Self) {
        let old = std::mem::replace(self, anew);
        let covered = self.sequence;
        self.sequence = covered.max(old.sequence);
        self.newest = self.newest.max(old.newest);
        self.floor.raise(old.floor);
        self.unconfirmed = old.unconfirmed;
        let is_beyond = |numbers: &Numbers| numbers.newest() > covered;
        for (old, new) in [(old.marks, &mut self.marks), (old.writes, &mut self.writes)] {
            for (mark, numbers) in old.into_iter().filter(|(_, numbers)| is_beyond(numbers)) {
                new.entry(mark).or_default().raise(numbers);
            }
        }
        for (bucket, numbers) in old.buckets {
            self.buckets.entry(bucket).or_default().raise(numbers);
        }
        for (scope, numbers) in old.scopes {
            self.raise_scope(&scope, numbers);
        }
    }

    fn raise_scope(&mut self, scope: &KeyScope, numbers: Numbers) {
        match self.scopes.iter_mut().find(|(known, _)| known == scope) {
            Some((_, known)) => known.raise(numbers),
            None => self.scopes.push((scope.clone(), numbers)),
        }
    }

    /// Returns the state of an entry by the purges received.
    pub fn state_of(&self, entry: Purgeable<'_>) -> PurgeState {
        // The usual case: nothing was purged since then.
        if entry.seen >= self.newest {
            return PurgeState::Alive;
        }
        let mut found = self.by_orders(entry);
        found.raise(self.by_writes(entry));
        found.state(entry.seen)
    }

    /// Returns the state of an entry by its marks alone, without wide purges.
    pub fn state(&self, seen: u64, marks: &[u64]) -> PurgeState {
        self.state_of(Purgeable {
            seen,
            marks,
            host: "",
            tags: &[],
        })
    }

    /// Whether a write has purged an entry, and no order has.
    pub fn is_of_write(&self, entry: Purgeable<'_>) -> bool {
        let state = |numbers: Numbers| numbers.state(entry.seen);
        state(self.by_orders(entry)) == PurgeState::Alive
            && state(self.by_writes(entry)) != PurgeState::Alive
    }

    fn by_orders(&self, entry: Purgeable<'_>) -> Numbers {
        let mut found = Numbers::default();
        self.each_order(entry, |_, numbers| found.raise(numbers));
        found
    }

    fn by_writes(&self, entry: Purgeable<'_>) -> Numbers {
        let mut found = Numbers::default();
        self.each_write(entry, |_, numbers| found.raise(numbers));
        found
    }

    /// Returns the purge that decides the state of an entry: of the hard ones
    /// the newest, otherwise of the soft ones. `None` if none applies.
    pub fn cause_of(&self, entry: Purgeable<'_>) -> Option<PurgeCause<'_>> {
        let mut found: Option<PurgeCause<'_>> = None;
        let mut look = |by, numbers: Numbers| {
            let (effect, sequence) = match numbers.state(entry.seen) {
                PurgeState::Alive => return,
                PurgeState::Soft => (PurgeState::Soft, numbers.soft),
                PurgeState::Hard => (PurgeState::Hard, numbers.hard),
            };
            let rank = (effect == PurgeState::Hard, sequence);
            let is_first = |cause: &PurgeCause<'_>| {
                let other = (cause.effect == PurgeState::Hard, cause.sequence);
                rank > other
            };
            if found.as_ref().is_none_or(is_first) {
                found = Some(PurgeCause {
                    effect,
                    sequence,
                    by,
                });
            }
        };
        self.each_order(entry, &mut look);
        self.each_write(entry, &mut look);
        found
    }

    /// Calls `look` with the numbers of each order that may match an entry.
    #[inline]
    fn each_order<'a>(&'a self, entry: Purgeable<'_>, mut look: impl FnMut(By<'a>, Numbers)) {
        look(By::Floor, self.floor);
        each_mark(&self.marks, entry.marks, |mark, numbers| {
            look(By::Mark(mark), numbers);
        });
        for (scope, numbers) in &self.scopes {
            if numbers.newest() > entry.seen && scope.reaches(entry.host, entry.tags) {
                look(By::Scope(scope), *numbers);
            }
        }
    }

    /// Calls `look` with the numbers of each write that may match an entry.
    #[inline]
    fn each_write<'a>(&'a self, entry: Purgeable<'_>, mut look: impl FnMut(By<'a>, Numbers)) {
        each_mark(&self.writes, entry.marks, |mark, numbers| {
            look(By::Mark(mark), numbers);
        });
        // Buckets are rare, and finding the bucket of a host takes a digest.
        if !self.buckets.is_empty() {
            let bucket = HostBucket::of_host(entry.host);
            if let Some(numbers) = self.buckets.get(&bucket) {
                look(By::Bucket(bucket), *numbers);
            }
        }
    }
}

/// A purge that applies to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PurgeCause<'a> {
    /// What it does to the entry: hard or soft.
    pub effect: PurgeState,
    /// Its sequence number.
    pub sequence: u64,
    /// What in it matches the entry.
    pub by: By<'a>,
}

/// The part of a purge that matches an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// Everything with a smaller number, or purges that were folded into that.
    Floor,
    /// A selector of the entry, by its mark.
    Mark(u64),
    /// All that a key may purge: its oldest selectors have widened to that.
    Scope(&'a KeyScope),
    /// Hosts with writes: their oldest ones have widened to that.
    Bucket(HostBucket),
}

/// Calls `look` with each of an entry's marks that is in `all`.
#[inline]
fn each_mark(all: &HashMap<u64, Numbers>, marks: &[u64], mut look: impl FnMut(u64, Numbers)) {
    if !all.is_empty() {
        for mark in marks {
            if let Some(numbers) = all.get(mark) {
                look(*mark, *numbers);
            }
        }
    }
}
