//! Reproducible jitter: computed from a name and a time, never from a random
//! number. It spreads events in time that would otherwise happen at once.

/// Returns `number` reduced by a pseudo-random part of it, less than
/// `share_max` (0 to 1). The part depends on `name` and `ms`.
pub fn shortened(number: u64, share_max: f64, name: u64, ms: u64) -> u64 {
    // `share` is in (0, 1]. One minus it is in [0, 1), so that a small number
    // can stay unchanged.
    let part = share_max * (1.0 - share(name, ms));
    number.saturating_sub((number as f64 * part) as u64)
}

/// Returns a number in (0, 1], evenly distributed over names and times.
pub fn share(name: u64, ms: u64) -> f64 {
    // An `f64` has a mantissa of 53 bits; all are used.
    const STEPS: f64 = (1_u64 << 53) as f64;
    let bits = splitmix64(name ^ splitmix64(ms)) >> 11;
    (bits + 1) as f64 / STEPS
}

/// One step of SplitMix64 (Steele, Lea and Flood), and its mix of the bits.
fn splitmix64(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
