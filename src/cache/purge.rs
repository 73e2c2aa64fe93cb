//! The index of purges that an isolate has seen.
//!
//! Purges are ordered by the ledger's numbers, never by clocks. An entry notes
//! the number its isolate had seen before it asked the origin; it is dead to
//! any matching purge with a larger one. A fill in flight during a purge is
//! therefore dead on arrival.

use super::news::News;
use std::collections::HashMap;

/// The largest numbers under which something was purged; 0 is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Hard: the entry is gone.
    pub hard: u64,
    /// Soft: the entry is stale.
    pub soft: u64,
}

impl Numbers {
    /// Takes the larger of each.
    pub fn raise(&mut self, other: Self) {
        self.hard = self.hard.max(other.hard);
        self.soft = self.soft.max(other.soft);
    }

    /// The larger of the two.
    pub fn newest(self) -> u64 {
        self.hard.max(self.soft)
    }

    /// Whether these say no more than a floor does.
    fn lies_below(self, floor: Self) -> bool {
        self.hard <= floor.hard && self.soft <= floor.newest()
    }
}

/// What purges say of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeState {
    /// None since its fill began.
    Alive,
    /// Softly purged: it counts as stale.
    Soft,
    /// Gone.
    Hard,
}

/// The purges an isolate has seen: complete up to [`PurgeIndex::sequence`],
/// and perhaps some beyond it.
///
/// 100,000 marks take about 3.3 MB (2^17 places of 25 bytes).
#[derive(Debug, Default)]
pub struct PurgeIndex {
    sequence: u64,
    newest: u64,
    floor: Numbers,
    marks: HashMap<u64, Numbers>,
}

impl PurgeIndex {
    /// The number up to which the index is complete.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many marks it holds.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether it holds no mark; there may still be a floor.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Takes in what the ledger told, now or at some time. It may come in any
    /// order and twice. Whether the index is complete up to the news' number
    /// now: not if purges between the two are missing.
    pub fn learn(&mut self, news: &News) -> bool {
        let connects = news.after <= self.sequence;
        if connects {
            self.sequence = self.sequence.max(news.sequence);
        }
        self.newest = self.newest.max(self.sequence);
        let floor_rises = !news.floor.lies_below(self.floor);
        self.floor.raise(news.floor);
        self.newest = self.newest.max(self.floor.newest());
        for (mark, numbers) in &news.marks {
            self.newest = self.newest.max(numbers.newest());
            if !numbers.lies_below(self.floor) {
                self.marks.entry(*mark).or_default().raise(*numbers);
            }
        }
        if floor_rises {
            let floor = self.floor;
            self.marks.retain(|_, numbers| !numbers.lies_below(floor));
        }
        connects
    }

    /// What became of an entry with these marks whose fill had seen the
    /// number `seen`.
    pub fn state(&self, seen: u64, marks: &[u64]) -> PurgeState {
        // The usual case: nothing was purged since.
        if seen >= self.newest {
            return PurgeState::Alive;
        }
        let mut found = self.floor;
        if !self.marks.is_empty() {
            for mark in marks {
                if let Some(numbers) = self.marks.get(mark) {
                    found.raise(*numbers);
                }
            }
        }
        if found.hard > seen {
            PurgeState::Hard
        } else if found.soft > seen {
            PurgeState::Soft
        } else {
            PurgeState::Alive
        }
    }
}
