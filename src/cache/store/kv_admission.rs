//! Which answers earn a place in KV, where a write costs as much as ten reads.
//!
//! With `kv = "earned"` an answer is written when it will be fresh for
//! `kv_min_ttl` and this is not the first time that its data centre fetches
//! it. Of the second, what was found stale or purged is proof: an entry stays
//! in the Cache API for its stale windows, and a day if it can be validated,
//! so what one isolate has fetched, all of its data centre find there. For
//! what the data centre has evicted, or forgets at the end of its lifetime,
//! each isolate has a [`Doorkeeper`]. (A note in the Cache API would cost two
//! calls a fill, and be evicted like the entry.)

use crate::cache::config::rule::{Kv, Rule};
use crate::cache::key::cache_key::CacheKey;
use crate::cache::key::variant;
use crate::cache::policy::entry::Entry;
use crate::cache::purge::selector::mark_of;
use std::collections::HashSet;

/// Whether an entry is fresh for long enough to earn its place. Its stale
/// windows do not count: where it is wanted, it is refreshed when its lifetime
/// ends, so that lifetime is how often a page is written. And a minute passes
/// until other data centres see it.
pub fn is_of_use(rule: &Rule, entry: &Entry) -> bool {
    let left = entry.terms.lifetime.saturating_sub(entry.initial_age);
    left > 0 && (rule.kv == Kv::Always || left >= rule.kv_min_ttl)
}

/// What stands for an answer's variant, wherever it lies. Two that are taken
/// for one cost a write.
pub fn digest(key: &CacheKey, entry: &Entry) -> u64 {
    let variant = variant::variant_text(&entry.choices);
    mark_of(&format!("{}\n\n{variant}", key.text))
}

/// How many digests a generation has: two of them are 16 bytes each with what
/// the set needs, half a megabyte of an isolate's 128.
const GENERATION_MAX: usize = 16_384;

/// Remembers what has been fetched, in two generations: when the young one is
/// full it becomes the old one, which is forgotten. So the last 16,384 to
/// 32,768 are known.
#[derive(Debug, Default)]
pub struct Doorkeeper {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Doorkeeper {
    /// Whether it knows this one; it does from now on.
    pub fn knew(&mut self, digest: u64) -> bool {
        if self.young.contains(&digest) {
            return true;
        }
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest);
        self.old.contains(&digest)
    }
}
