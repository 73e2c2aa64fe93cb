//! Circuit breaker of KV: pauses reads or writes when KV fails, is slow, or its
//! daily quota is used up.
//!
//! Plain values with the time as an argument; each isolate has its own. After a
//! pause one more request tries KV; if that fails, the next pause begins.

use crate::cache::config::limits::DAY_MS;

/// The reason why a write to KV failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// The day's writes (1,000 on the free plan) are used up.
    Quota,
    /// One key was written twice within a second. KV itself works.
    OneKey,
    /// The body broke off. KV itself works.
    Body,
    /// Any other error.
    Other,
}

/// Prefix of the error text when the body failed, and not the tier.
pub const BODY_FAILED: &str = "body: ";

impl WriteFault {
    /// Classifies an error by its text, because KV has no error codes.
    /// Cloudflare's text for the quota is `KV put() limit exceeded for the
    /// day.`, and for the limit of one write a second for each key `KV PUT
    /// failed: 429 Too Many Requests` (workerd, `src/workerd/api/kv.c++`:
    /// method, status and reason).
    pub fn of(problem: &str) -> Self {
        if is_quota(problem) {
            Self::Quota
        } else if problem.starts_with(BODY_FAILED) {
            Self::Body
        } else if problem.contains(" 429 ") {
            Self::OneKey
        } else {
            Self::Other
        }
    }
}

/// Whether an error means that the day's reads or writes are used up.
fn is_quota(problem: &str) -> bool {
    problem.to_ascii_lowercase().contains("limit exceeded")
}

/// The first pause when the quota is used up, in milliseconds. Each further one
/// is twice as long. A refused write costs only time, so the pause mainly keeps
/// the log short.
const QUOTA_PAUSE_MS: u64 = 60_000;
/// The longest such pause, in milliseconds: after an upgrade of the plan,
/// writes resume within the hour.
const QUOTA_PAUSE_MS_MAX: u64 = 3_600_000;
/// How many failures in a row begin a pause. A single one may be a chance
/// failure.
const FAILURES_MAX: u32 = 3;
/// Pause of writes after failures, in milliseconds.
const WRITE_PAUSE_MS: u64 = 10_000;
/// Pause of reads after failures, in milliseconds. When KV is slow, each read
/// costs its client [`READ_MS_MAX`]; so only one request in five seconds waits,
/// and those concurrent with it.
const READ_PAUSE_MS: u64 = 5_000;

/// Timeout of a read in milliseconds; then the lookup is a miss. KV responds
/// within about 10 ms for what its data centre has read lately, and within
/// about 100 ms for the rest. After a second without a response, the origin is
/// faster.
pub const READ_MS_MAX: u64 = 1_000;

/// Timeout of a read, in milliseconds, when the origin has failed and KV is the
/// last resort.
pub const LAST_READ_MS_MAX: u64 = 5_000;

/// A pause, until a time in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pause {
    until_ms: u64,
}

impl Pause {
    fn holds(self, now_ms: u64) -> bool {
        // If the clock was set back, the pause ends instead of growing.
        let left = self.until_ms.saturating_sub(now_ms);
        left > 0 && left <= QUOTA_PAUSE_MS_MAX
    }

    fn begin(&mut self, now_ms: u64, pause_ms: u64) -> u64 {
        self.until_ms = now_ms.saturating_add(pause_ms);
        pause_ms
    }
}

/// Returns the pause when the quota is used up, after `before` earlier ones. It
/// doubles each time and ends with the UTC day at the latest.
fn quota_pause_ms(before: u32, now_ms: u64) -> u64 {
    let doubled = QUOTA_PAUSE_MS.saturating_mul(2_u64.saturating_pow(before));
    let day_left_ms = DAY_MS.saturating_sub(now_ms % DAY_MS);
    doubled.min(QUOTA_PAUSE_MS_MAX).min(day_left_ms)
}

/// State of the breaker for writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    failures: u32,
    quota_pauses: u32,
    pause: Pause,
}

impl Writes {
    /// Whether writes are paused.
    pub fn are_paused(&self, now_ms: u64) -> bool {
        self.pause.holds(now_ms)
    }

    /// Records a success. A write that began before a pause does not end the
    /// pause.
    pub fn record_success(&mut self, now_ms: u64) {
        if !self.are_paused(now_ms) {
            *self = Self::default();
        }
    }

    /// Records a failure. Returns the length of the pause that it begins, if
    /// any, in milliseconds.
    pub fn record_failure(&mut self, fault: WriteFault, now_ms: u64) -> Option<u64> {
        if self.are_paused(now_ms) {
            return None;
        }
        match fault {
            WriteFault::OneKey | WriteFault::Body => None,
            WriteFault::Quota => {
                let pause_ms = quota_pause_ms(self.quota_pauses, now_ms);
                self.quota_pauses = self.quota_pauses.saturating_add(1);
                Some(self.pause.begin(now_ms, pause_ms))
            }
            WriteFault::Other => {
                self.failures = self.failures.saturating_add(1);
                let many = self.failures >= FAILURES_MAX;
                many.then(|| self.pause.begin(now_ms, WRITE_PAUSE_MS))
            }
        }
    }
}

/// State of the breaker for reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    failures: u32,
    quota_pauses: u32,
    pause: Pause,
}

impl Reads {
    /// Whether reads are paused.
    pub fn are_paused(&self, now_ms: u64) -> bool {
        self.pause.holds(now_ms)
    }

    /// Records a read that completed in time. It does not end a pause.
    pub fn record_success(&mut self, now_ms: u64) {
        if !self.are_paused(now_ms) {
            *self = Self::default();
        }
    }

    /// Records a failure or timeout. Returns the length of the pause that it
    /// begins, if any, in milliseconds.
    pub fn record_failure(&mut self, problem: &str, now_ms: u64) -> Option<u64> {
        if self.are_paused(now_ms) {
            return None;
        }
        if is_quota(problem) {
            let pause_ms = quota_pause_ms(self.quota_pauses, now_ms);
            self.quota_pauses = self.quota_pauses.saturating_add(1);
            return Some(self.pause.begin(now_ms, pause_ms));
        }
        self.failures = self.failures.saturating_add(1);
        let many = self.failures >= FAILURES_MAX;
        many.then(|| self.pause.begin(now_ms, READ_PAUSE_MS))
    }
}
