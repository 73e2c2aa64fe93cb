//! Sequence numbers of purges, and the purge state of an entry.

/// The largest sequence numbers of the purges that match something; 0 means
/// never purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Of hard purges: the entry is unusable.
    pub hard: u64,
    /// Of soft purges: the entry is stale.
    pub soft: u64,
}

impl Numbers {
    /// Sets each number to the larger of its own and `other`'s.
    pub fn raise(&mut self, other: Self) {
        self.hard = self.hard.max(other.hard);
        self.soft = self.soft.max(other.soft);
    }

    /// The larger of the two.
    pub fn newest(self) -> u64 {
        self.hard.max(self.soft)
    }

    /// Returns the purge state of an entry whose fill began after the number
    /// `seen`.
    pub fn state(self, seen: u64) -> PurgeState {
        if self.hard > seen {
            PurgeState::Hard
        } else if self.soft > seen {
            PurgeState::Soft
        } else {
            PurgeState::Alive
        }
    }

    /// Whether these numbers add nothing to those of a floor.
    pub fn lies_below(self, floor: Self) -> bool {
        self.hard <= floor.hard && self.soft <= floor.newest()
    }
}

/// The effect of purges on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeState {
    /// Not purged since its fill began.
    Alive,
    /// Soft purged: the entry counts as stale.
    Soft,
    /// Hard purged: the entry is unusable.
    Hard,
}
