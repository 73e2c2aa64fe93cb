//! When a failed request is sent again: exponential backoff with jitter, and
//! `Retry-After`.

use crate::cache::jitter;

/// The default number of repetitions. With the pauses below they last 15 to 31
/// seconds: longer than a ledger's restart, shorter than a person waits.
pub const RETRIES: u32 = 6;

/// The first pause at most; each further one is twice as long.
const FIRST_MS: u64 = 500;

/// The longest pause without `Retry-After`.
const PAUSE_MS_MAX: u64 = 30_000;

/// The longest `Retry-After` that is obeyed. A site that asks for a longer pause
/// is out of reach for this run.
pub const RETRY_AFTER_MS_MAX: u64 = 120_000;

/// The statuses with which a request may be sent again unchanged.
pub fn is_retried(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// The pause before repetition number `repetition`, counted from 0, or `None` if
/// there is no further one. It is at least `retry_after_ms`. `name` and `now_ms`
/// seed the jitter.
pub fn pause_ms(
    repetition: u32,
    retries: u32,
    retry_after_ms: Option<u64>,
    (name, now_ms): (u64, u64),
) -> Option<u64> {
    if repetition >= retries || retry_after_ms.is_some_and(|ms| ms > RETRY_AFTER_MS_MAX) {
        return None;
    }
    let doubled = FIRST_MS.saturating_mul(2_u64.saturating_pow(repetition));
    let pause = jitter::shortened(doubled.min(PAUSE_MS_MAX), 0.5, name, now_ms);
    Some(pause.saturating_add(retry_after_ms.unwrap_or(0)))
}
