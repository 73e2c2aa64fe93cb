//! Early refreshes and shortened lifetimes: they spread out in time what would
//! otherwise happen at once, by jitter that can be reproduced.

use super::entry::Entry;
use crate::cache::jitter::{self, share};

/// Whether a fresh entry is refreshed already, before it expires for everyone
/// at once: the likelier, the dearer its fetch was and the nearer its end.
///
/// At each moment the likelihood is `e^(-left / cost)`, with what is left of
/// its life and what the fetch took: only what is asked for often meets such a
/// moment much before the end. (XFetch with beta = 1: Vattani, Chierichetti
/// and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015.)
pub fn is_due_early(entry: &Entry, now_ms: u64) -> bool {
    let life = entry.terms.lifetime.saturating_sub(entry.initial_age);
    let lived_ms = now_ms.saturating_sub(entry.received_ms);
    let left_ms = life.saturating_mul(1000).saturating_sub(lived_ms);
    // Rounding above 2^53 ms does not matter.
    entry.cost_ms as f64 * -share(name_of(entry), now_ms).ln() >= left_ms as f64
}

/// A lifetime in seconds, shortened by a share of up to so many percent. It
/// stays what it was, or at least half of that with the 50 percent that a
/// setting may name; never 0 unless it was.
pub fn shortened(lifetime: u64, percent: u64, entry: &Entry) -> u64 {
    let share_max = percent as f64 / 100.0;
    jitter::shortened(lifetime, share_max, name_of(entry), entry.received_ms)
}

/// The first mark is that of its URL.
fn name_of(entry: &Entry) -> u64 {
    entry.marks.first().copied().unwrap_or_default()
}
