//! Fair division of a scarce resource (max-min fairness): the largest holder
//! gives first, and smaller holders lose nothing.

/// Returns the most that each holder may keep of `total`, where they hold
/// `counts`: the largest number for which the sum of what they keep fits.
/// Holders of less keep all; `u64::MAX` if all counts fit.
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
