//! The day's budget of KV writes (`kv_writes_per_day`), as seen by one isolate.
//!
//! Each isolate counts its writes and reports them to the ledger with its
//! queries. It receives the total of all isolates from the ledger, or by the
//! snapshot. Writes of other isolates since then are not included. So the
//! budget can be exceeded by the writes of all isolates within two
//! `max_purge_lag` (one until they are reported, one until the others receive
//! the total), and by writes that an isolate never reported because it ended.

use crate::cache::config::limits::DAY_MS;

/// An isolate's count of the day's writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KvWriteBudget {
    /// The day by the ledger's clock, and the total of writes on it.
    day: u64,
    total: u64,
    /// Writes of this isolate that are not yet reported to the ledger.
    unreported: u64,
}

impl KvWriteBudget {
    /// Whether a budget allows one more write.
    pub fn allows(&self, budget: u64, now_ms: u64) -> bool {
        self.spent(now_ms) < budget
    }

    /// Returns the number of writes today, as far as it was received.
    pub fn spent(&self, now_ms: u64) -> u64 {
        // The ledger's clock may be ahead of ours. Its day counts.
        let today = self.day >= now_ms / DAY_MS;
        let total = if today { self.total } else { 0 };
        total.saturating_add(self.unreported)
    }

    /// Counts a write.
    pub fn count(&mut self) {
        self.unreported = self.unreported.saturating_add(1);
    }

    /// How many writes are not yet reported to the ledger.
    pub fn unreported(&self) -> u64 {
        self.unreported
    }

    /// Records that the ledger has received `writes`. If its response is lost,
    /// they stay unreported: a double count is better than none.
    pub fn record_reported(&mut self, writes: u64) {
        self.unreported = self.unreported.saturating_sub(writes);
    }

    /// Records the total of all isolates on the day of the ledger's time
    /// `at_ms`. Totals may arrive late and out of order.
    pub fn record_total(&mut self, total: u64, at_ms: u64) {
        let day = at_ms / DAY_MS;
        if day > self.day {
            (self.day, self.total) = (day, total);
        } else if day == self.day {
            self.total = self.total.max(total);
        }
    }
}
