//! Jitter that can be reproduced: drawn from a name and a time, never from a
//! random number. It spreads out in time what would else happen at once.

/// A number, shortened by up to this share of it: by another part for each name
/// and time.
pub fn shortened(number: u64, share_max: f64, name: u64, ms: u64) -> u64 {
    // (0, 1] is turned round, so that a small number can stay what it was.
    let part = share_max * (1.0 - share(name, ms));
    number.saturating_sub((number as f64 * part) as u64)
}

/// A number in (0, 1], evenly spread over names and times.
pub fn share(name: u64, ms: u64) -> f64 {
    // All 53 bits that the number holds.
    const STEPS: f64 = (1_u64 << 53) as f64;
    let bits = mixed(name ^ mixed(ms)) >> 11;
    (bits + 1) as f64 / STEPS
}

/// Steele, Lea and Flood's SplitMix64: a step, and its mix of the bits.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
