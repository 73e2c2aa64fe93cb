//! The circuit breaker of the ledger: decides when an isolate may send it a
//! query or an order, with exponential backoff. While the ledger hangs, only a
//! few requests wait for it.

use crate::cache::jitter;

/// The pause after the first failure, in milliseconds. Each further failure
/// doubles it.
const PAUSE_MS: u64 = 1000;

/// The longest pause, in milliseconds: 1, 2, 4, 8, 16 seconds. After the ledger
/// recovers, an isolate reaches it again within that time. A query every 16
/// seconds costs next to nothing.
pub const PAUSE_MS_MAX: u64 = 16_000;

/// Milliseconds after which a query without a response counts as lost: the
/// platform allows it 5 seconds.
pub const QUERY_MS_MAX: u64 = 6000;

/// The breaker. It is closed until a query fails, then open for a pause, then
/// half-open: one query is the trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerBreaker {
    /// Failures in a row.
    failures: u32,
    /// When the last of them was recorded.
    failed_ms: u64,
    /// When the trial in flight began.
    trial_ms: Option<u64>,
}

impl LedgerBreaker {
    /// Whether the last query succeeded, or there was none.
    pub fn is_closed(&self) -> bool {
        self.failures == 0
    }

    /// Whether a query has failed lately. Then only its sender waits for a
    /// trial. Once the longest pause and the duration of a query have passed
    /// without another failure, the ledger may work again, and all requests
    /// wait for it as for any query.
    pub fn is_troubled(&self, now_ms: u64) -> bool {
        let age_ms = now_ms.checked_sub(self.failed_ms);
        !self.is_closed() && age_ms.is_some_and(|ms| ms < PAUSE_MS_MAX + QUERY_MS_MAX)
    }

    /// Returns for how many milliseconds no query may be sent; 0 if one may be
    /// sent now. `seed` differs between isolates. Long after the last failure,
    /// an order or a write in flight does not count as a trial: it returns no
    /// purges, so readers that may neither query nor wait would receive
    /// outdated responses.
    pub fn wait_ms(&self, now_ms: u64, seed: u64) -> u64 {
        if !self.is_troubled(now_ms) {
            return 0;
        }
        // After the clock was set back, earlier times cannot be compared.
        let left = |since_ms: u64, lasts_ms: u64| match now_ms.checked_sub(since_ms) {
            Some(age_ms) => lasts_ms.saturating_sub(age_ms),
            None => 0,
        };
        let trial_ms = self.trial_ms.map_or(0, |at| left(at, QUERY_MS_MAX));
        left(self.failed_ms, self.pause_ms(seed)).max(trial_ms)
    }

    /// Returns the pause, with jitter to spread isolates that failed together.
    fn pause_ms(&self, seed: u64) -> u64 {
        let doubled = self.failures.saturating_sub(1).min(u64::BITS - 1);
        let pause_ms = PAUSE_MS.saturating_mul(1 << doubled).min(PAUSE_MS_MAX);
        jitter::shortened(pause_ms, 0.25, seed, self.failed_ms)
    }

    /// Records that a query is sent.
    pub fn begin(&mut self, now_ms: u64) {
        if !self.is_closed() {
            self.trial_ms = Some(now_ms);
        }
    }

    /// Records that a query succeeded.
    pub fn record_success(&mut self) {
        *self = Self::default();
    }

    /// Records that the query sent at `sent_ms` failed. Queries that were in
    /// flight together count once.
    pub fn record_failure(&mut self, sent_ms: u64, now_ms: u64) {
        if self.is_closed() || sent_ms >= self.failed_ms || now_ms < self.failed_ms {
            self.failures = self.failures.saturating_add(1);
            self.failed_ms = now_ms;
            self.trial_ms = None;
        }
    }
}
