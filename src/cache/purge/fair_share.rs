//! How what is scarce is shared: whoever has most gives first, so that nobody
//! loses anything for another who has more.

/// The most that each may keep of `total`, where they hold `counts`: the
/// largest number for which what they keep fits. Those who hold less keep all.
pub fn fair_share(counts: &[u64], total: u64) -> u64 {
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    let mut left = total;
    let mut holders = counts.len() as u64;
    for count in counts {
        let share = left / holders.max(1);
        if count > share {
            return share;
        }
        left = left.saturating_sub(count);
        holders = holders.saturating_sub(1);
    }
    u64::MAX
}
