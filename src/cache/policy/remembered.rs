//! A bounded set of keys with an expiry time for each.

use std::collections::HashMap;

/// The largest number of keys in a set: at about 100 bytes each, 1 MB.
pub const REMEMBERED_MAX: usize = 10_000;

/// Keys, each with its expiry time in milliseconds since 1970.
#[derive(Debug, Default)]
pub struct ExpiringSet(HashMap<String, u64>);

impl ExpiringSet {
    /// Whether a key is in the set and has not expired.
    pub fn holds(&self, key: &str, now_ms: u64) -> bool {
        self.0.get(key).is_some_and(|until_ms| *until_ms > now_ms)
    }

    /// Whether the set has no keys, expired ones included.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a key until `until_ms`. A full set drops its expired keys, or, if
    /// there are none, the eighth that expires first.
    pub fn add(&mut self, key: &str, until_ms: u64, now_ms: u64) {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(key) {
            self.0.retain(|_, until_ms| *until_ms > now_ms);
            if self.0.len() >= REMEMBERED_MAX {
                self.drop_oldest();
            }
        }
        self.0.insert(key.to_owned(), until_ms);
    }

    /// Removes a key. Returns whether it was in the set.
    pub fn forget(&mut self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }

    /// Drops the eighth that expires first; a key that is used often is added
    /// again each time. Dropping so many at once keeps the sort of all keys
    /// (less than a millisecond) rare.
    fn drop_oldest(&mut self) {
        let mut ends: Vec<u64> = self.0.values().copied().collect();
        ends.sort_unstable();
        let mut left = REMEMBERED_MAX / 8;
        let Some(last) = ends.get(left.saturating_sub(1)).copied() else {
            return;
        };
        self.0.retain(|_, until_ms| {
            let goes = *until_ms <= last && left > 0;
            left = left.saturating_sub(usize::from(goes));
            !goes
        });
    }
}
