//! When an isolate may ask the ledger: one circuit breaker for all its
//! questions, with exponential backoff. A ledger that hangs then costs one
//! request a wait now and then, and not each of them.

use crate::cache::jitter;

/// The pause after the first failure. Each further one doubles it.
const PAUSE_MS: u64 = 1000;

/// The longest pause: 1, 2, 4, 8, 16 seconds. An isolate that has lost the
/// ledger finds it again that long after it is back; a question every 16
/// seconds costs nothing.
pub const PAUSE_MS_MAX: u64 = 16_000;

/// A question of which nothing has come for so long is lost: the platform
/// gives it 5 seconds.
pub const QUESTION_MS_MAX: u64 = 6000;

/// The breaker. Closed until a question fails; then open for a pause; then
/// half-open: one question is the trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerBreaker {
    /// Failures in a row.
    failures: u32,
    /// When the last of them was noted.
    failed_ms: u64,
    /// When the trial began that is under way.
    trial_ms: Option<u64>,
}

impl LedgerBreaker {
    /// Whether the last question was answered, or there was none.
    pub fn is_closed(&self) -> bool {
        self.failures == 0
    }

    /// Whether a question has failed lately: then nobody but its sender waits for
    /// a trial. After the longest pause and a question without another failure
    /// the ledger may long be well, and all wait for it as for any question.
    pub fn is_troubled(&self, now_ms: u64) -> bool {
        let age_ms = now_ms.checked_sub(self.failed_ms);
        !self.is_closed() && age_ms.is_some_and(|ms| ms < PAUSE_MS_MAX + QUESTION_MS_MAX)
    }

    /// For how many milliseconds no question may be sent; 0 if one may be sent
    /// now. `seed` is the isolate's own. Long after the last failure an order or
    /// a write that is under way is no trial: it brings no news, so readers that
    /// may neither ask nor wait for it would be given old answers.
    pub fn wait_ms(&self, now_ms: u64, seed: u64) -> u64 {
        if !self.is_troubled(now_ms) {
            return 0;
        }
        // After the clock was set back, nothing is known of times before.
        let left = |since_ms: u64, lasts_ms: u64| match now_ms.checked_sub(since_ms) {
            Some(age_ms) => lasts_ms.saturating_sub(age_ms),
            None => 0,
        };
        let trial_ms = self.trial_ms.map_or(0, |at| left(at, QUESTION_MS_MAX));
        left(self.failed_ms, self.pause_ms(seed)).max(trial_ms)
    }

    /// Isolates that failed together do not come again together.
    fn pause_ms(&self, seed: u64) -> u64 {
        let doubled = self.failures.saturating_sub(1).min(u64::BITS - 1);
        let pause_ms = PAUSE_MS.saturating_mul(1 << doubled).min(PAUSE_MS_MAX);
        jitter::shortened(pause_ms, 0.25, seed, self.failed_ms)
    }

    /// A question is sent.
    pub fn begin(&mut self, now_ms: u64) {
        if !self.is_closed() {
            self.trial_ms = Some(now_ms);
        }
    }

    /// A question was answered.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// A question of `asked_ms` failed. Questions that were under way together
    /// count once.
    pub fn fail(&mut self, asked_ms: u64, now_ms: u64) {
        if self.is_closed() || asked_ms >= self.failed_ms || now_ms < self.failed_ms {
            self.failures = self.failures.saturating_add(1);
            self.failed_ms = now_ms;
            self.trial_ms = None;
        }
    }
}
