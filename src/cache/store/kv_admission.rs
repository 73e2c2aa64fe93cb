//! Admission to KV: which responses are written there, where a write costs as
//! much as ten reads.
//!
//! With `kv = "earned"` a response is written if it will be fresh for
//! `kv_min_ttl` and its data centre has fetched it before. A stored response
//! that was found stale or purged proves an earlier fetch. An entry stays in
//! the Cache API for its stale windows, and for a day if it has a validator, so
//! all isolates of a data centre find what one has fetched. For responses that
//! the data centre has evicted, or drops at the end of their lifetime, each
//! isolate has a [`Doorkeeper`]. (A note in the Cache API would cost two calls
//! a fill, and could be evicted like the entry.)

use crate::cache::config::rule::{Kv, Rule};
use crate::cache::key::cache_key::CacheKey;
use crate::cache::key::variant;
use crate::cache::policy::entry::Entry;
use crate::cache::purge::selector::mark_of;
use std::collections::HashSet;

/// Whether an entry is fresh for long enough to be admitted. Stale windows do
/// not count: a page in demand is refreshed at the end of its lifetime, so the
/// lifetime sets how often it is written. Also, a write reaches other data
/// centres only after a minute.
pub fn is_of_use(rule: &Rule, entry: &Entry) -> bool {
    let left = entry.terms.lifetime.saturating_sub(entry.initial_age);
    left > 0 && (rule.kv == Kv::Always || left >= rule.kv_min_ttl)
}

/// Returns the digest that identifies a response's variant in every tier. A
/// collision of two variants costs one extra write.
pub fn digest(key: &CacheKey, entry: &Entry) -> u64 {
    let variant = variant::variant_text(&entry.choices);
    mark_of(&format!("{}\n\n{variant}", key.text))
}

/// The largest number of digests in a generation. A digest takes 16 bytes in
/// the set, so two generations take half a megabyte of an isolate's 128.
const GENERATION_MAX: usize = 16_384;

/// The set of digests seen lately, in two generations. When the young
/// generation is full, it replaces the old one, which is dropped. So the set
/// holds the last 16,384 to 32,768 digests.
#[derive(Debug, Default)]
pub struct Doorkeeper {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Doorkeeper {
    /// Adds a digest. Returns whether it was in the set before.
    pub fn check_and_insert(&mut self, digest: u64) -> bool {
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
