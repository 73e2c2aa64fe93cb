//! When KV is left alone, because it fails, is slow, or has had its quota.
//!
//! Plain values with the time as an argument; each isolate has its own. After
//! a pause one request more tries KV; if that fails, the next pause begins.

use crate::cache::config::limits::DAY_MS;

/// What a failed write says of KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// The day's writes (1,000 on the free plan) are used up.
    Quota,
    /// One key was written twice within a second: nothing is wrong with KV.
    OneKey,
    /// The body broke off: nothing is wrong with KV.
    Body,
    /// Something else.
    Other,
}

/// What begins the text of a failure that is the body's and no tier's.
pub const BODY_FAILED: &str = "body: ";

impl WriteFault {
    /// Reads the error's text, for which there is no code. Cloudflare says
    /// `KV put() limit exceeded for the day.` of the quota, and `KV PUT failed:
    /// 429 Too Many Requests` of the limit of one write a second for each key
    /// (workerd, `src/workerd/api/kv.c++`: method, status and reason).
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

/// Whether an error says that the day's reads or writes are used up.
fn is_quota(problem: &str) -> bool {
    problem.to_ascii_lowercase().contains("limit exceeded")
}

/// The first pause after the quota's end; each further one is twice as long.
/// A refused write costs nothing but time, so this is about noise.
const QUOTA_PAUSE_MS: u64 = 60_000;
/// The longest such pause: a larger plan is noticed within the hour.
const QUOTA_PAUSE_MS_MAX: u64 = 3_600_000;
/// So many failures in a row, and KV is left alone; one may be a mishap.
const FAILURES_MAX: u32 = 3;
/// For so long no write is tried.
const WRITE_PAUSE_MS: u64 = 10_000;
/// For so long no read is tried. Each costs its reader [`READ_MS_MAX`] when KV
/// is slow; so at most one request in five seconds waits, and those beside it.
const READ_PAUSE_MS: u64 = 5_000;

/// How long a read may take until it counts as missing. KV answers within
/// some 10 ms what its data centre has read lately, and within some 100 ms the
/// rest; who has waited for a second is better off with the origin.
pub const READ_MS_MAX: u64 = 1_000;

/// And how long where the origin has failed, and KV is the last resort.
pub const LAST_READ_MS_MAX: u64 = 5_000;

/// A time until which something is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pause {
    until_ms: u64,
}

impl Pause {
    fn holds(self, now_ms: u64) -> bool {
        // A clock that was set back does not make it longer.
        let left = self.until_ms.saturating_sub(now_ms);
        left > 0 && left <= QUOTA_PAUSE_MS_MAX
    }

    fn begin(&mut self, now_ms: u64, pause_ms: u64) -> u64 {
        self.until_ms = now_ms.saturating_add(pause_ms);
        pause_ms
    }
}

/// The pause at a quota's end, after so many before it: never beyond the day.
fn quota_pause_ms(before: u32, now_ms: u64) -> u64 {
    let doubled = QUOTA_PAUSE_MS.saturating_mul(2_u64.saturating_pow(before));
    let day_left_ms = DAY_MS.saturating_sub(now_ms % DAY_MS);
    doubled.min(QUOTA_PAUSE_MS_MAX).min(day_left_ms)
}

/// How writes fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    failures: u32,
    quota_pauses: u32,
    pause: Pause,
}

impl Writes {
    /// Whether they are left alone.
    pub fn are_paused(&self, now_ms: u64) -> bool {
        self.pause.holds(now_ms)
    }

    /// One has worked. What was begun before a pause does not end it.
    pub fn worked(&mut self, now_ms: u64) {
        if !self.are_paused(now_ms) {
            *self = Self::default();
        }
    }

    /// One has failed: how long the pause is that begins by it.
    pub fn failed(&mut self, fault: WriteFault, now_ms: u64) -> Option<u64> {
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

/// How reads fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    failures: u32,
    quota_pauses: u32,
    pause: Pause,
}

impl Reads {
    /// Whether they are left alone.
    pub fn are_paused(&self, now_ms: u64) -> bool {
        self.pause.holds(now_ms)
    }

    /// One has come in time.
    pub fn worked(&mut self, now_ms: u64) {
        if !self.are_paused(now_ms) {
            *self = Self::default();
        }
    }

    /// One has failed, or was too slow: how long the pause is that begins by
    /// it.
    pub fn failed(&mut self, problem: &str, now_ms: u64) -> Option<u64> {
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
