//! Early refresh and lifetime jitter: they spread work over time that would
//! otherwise happen at once. The jitter is reproducible.

use super::entry::Entry;
use crate::cache::jitter::{self, share};

/// Whether to refresh a fresh entry now, before it expires for all requests at
/// once. The probability rises with the cost of its fetch and towards its
/// expiry.
///
/// At each moment it is `e^(-left / cost)`, where `left` is the rest of its
/// freshness lifetime and `cost` the duration of its fetch. So only an entry
/// that is requested often is likely to be refreshed long before it expires.
/// (XFetch with beta = 1: Vattani, Chierichetti and Lowenstein, "Optimal
/// Probabilistic Cache Stampede Prevention", 2015.)
pub fn is_due_early(entry: &Entry, now_ms: u64) -> bool {
    let life = entry.terms.lifetime.saturating_sub(entry.initial_age);
    let lived_ms = now_ms.saturating_sub(entry.received_ms);
    let left_ms = life.saturating_mul(1000).saturating_sub(lived_ms);
    // Rounding above 2^53 ms does not matter.
    entry.cost_ms as f64 * -share(name_of(entry), now_ms).ln() >= left_ms as f64
}

/// Returns a lifetime in seconds, shortened at random by up to `percent`
/// percent. A setting allows 50 percent at most, so at least half remains. The
/// result is 0 only if the lifetime was 0.
pub fn shortened(lifetime: u64, percent: u64, entry: &Entry) -> u64 {
    let share_max = percent as f64 / 100.0;
    jitter::shortened(lifetime, share_max, name_of(entry), entry.received_ms)
}

/// Returns the first mark, which is the one of the URL.
fn name_of(entry: &Entry) -> u64 {
    entry.marks.first().copied().unwrap_or_default()
}
