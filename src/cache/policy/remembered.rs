//! Keys that are remembered for a while: a bounded set with an end for each.

use std::collections::HashMap;

/// How many keys a set holds: some 100 bytes each, so 1 MB.
pub const REMEMBERED_MAX: usize = 10_000;

/// Keys, each until a time in milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Remembered(HashMap<String, u64>);

impl Remembered {
    /// Whether a key is remembered still.
    pub fn holds(&self, key: &str, now_ms: u64) -> bool {
        self.0.get(key).is_some_and(|until_ms| *until_ms > now_ms)
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remembers a key until then. A full set forgets what is over, or else an
    /// eighth: those first that are over first.
    pub fn add(&mut self, key: &str, until_ms: u64, now_ms: u64) {
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(key) {
            self.0.retain(|_, until_ms| *until_ms > now_ms);
            if self.0.len() >= REMEMBERED_MAX {
                self.drop_oldest();
            }
        }
        self.0.insert(key.to_owned(), until_ms);
    }

    /// Forgets a key. Whether it was there.
    pub fn forget(&mut self, key: &str) -> bool {
        self.0.remove(key).is_some()
    }

    /// Forgets an eighth: who is asked for often is remembered anew each time.
    /// So many at once, so that sorting all (less than a millisecond) is seldom.
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
