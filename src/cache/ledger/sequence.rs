//! The sequence numbers of purges, and what they mean for an entry.

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

    /// What they say of an entry whose fill had seen the number `seen`.
    pub fn state(self, seen: u64) -> PurgeState {
        if self.hard > seen {
            PurgeState::Hard
        } else if self.soft > seen {
            PurgeState::Soft
        } else {
            PurgeState::Alive
        }
    }

    /// Whether these say no more than a floor does.
    pub fn lies_below(self, floor: Self) -> bool {
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
