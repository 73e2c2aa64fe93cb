//! The day's budget of KV writes (`kv_writes_per_day`), as an isolate knows it.
//!
//! Each isolate counts its writes, tells the ledger with its questions, and
//! hears from it, or by the marker, how many all of them had. What the others
//! wrote since then it cannot know: the budget is overshot by at most the
//! writes of all isolates within two `max_purge_lag` (one until they tell, one
//! until the others hear), and by those that an isolate never told because it
//! ended.

use crate::cache::config::limits::DAY_MS;

/// What an isolate knows of the day's writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvWriteBudget {
    /// The day, by the ledger's clock, and how many writes it had then.
    day: u64,
    total: u64,
    /// Writes of this isolate that the ledger has not been told of.
    untold: u64,
}

impl KvWriteBudget {
    /// Whether one more write fits into a budget.
    pub fn allows(&self, budget: u64, now_ms: u64) -> bool {
        self.spent(now_ms) < budget
    }

    /// How many writes the day had, as far as is known.
    pub fn spent(&self, now_ms: u64) -> u64 {
        // The ledger's clock may be ahead of ours: its day counts.
        let today = self.day >= now_ms / DAY_MS;
        let total = if today { self.total } else { 0 };
        total.saturating_add(self.untold)
    }

    /// Counts a write.
    pub fn count(&mut self) {
        self.untold = self.untold.saturating_add(1);
    }

    /// How many writes the ledger is to be told of.
    pub fn untold(&self) -> u64 {
        self.untold
    }

    /// The ledger was told of so many. An answer that is lost leaves them
    /// untold: better counted twice than not at all.
    pub fn told(&mut self, writes: u64) {
        self.untold = self.untold.saturating_sub(writes);
    }

    /// Hears that all isolates had so many writes, on the day of the ledger's
    /// time `at_ms`. News may come late, and out of order.
    pub fn heard(&mut self, total: u64, at_ms: u64) {
        let day = at_ms / DAY_MS;
        if day > self.day {
            (self.day, self.total) = (day, total);
        } else if day == self.day {
            self.total = self.total.max(total);
        }
    }
}
