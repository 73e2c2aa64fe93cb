//! Counts the entries of each key: a key with many has a `Vary` with many
//! values.

use std::collections::HashMap;

/// The largest number of keys, as of URLs ([`super::log::URLS_MAX`]).
const KEYS_MAX: usize = 200_000;

/// How many entries of a key are told apart, 8 bytes each. It is above what the
/// ledger of a key holds.
const ENTRIES_MAX: usize = 64;

/// The entries from which a `Vary` has too many values: the codings that are
/// distinguished (none, `gzip`, `br`, `zstd` and their usual sets) are fewer.
pub const MANY: usize = 9;

/// The entries of a key.
#[derive(Clone, Debug)]
pub struct KeyEntries {
    /// A URL of the key: its place in the log.
    pub url: usize,
    /// Fetches while another entry of the key was known.
    pub fetches: u64,
    entries: Vec<String>,
}

impl KeyEntries {
    /// How many entries there are, up to [`ENTRIES_MAX`].
    pub fn entries(&self) -> usize {
        self.entries.len()
    }
}

/// The entries of all keys.
#[derive(Debug, Default)]
pub struct Variants(HashMap<String, KeyEntries>);

impl Variants {
    /// Adds a request. Of an entry only the digest at its end counts.
    pub fn add(&mut self, key: &str, entry: Option<&str>, url: usize, is_fetch: bool) {
        let digest = entry.and_then(|entry| entry.rsplit('=').next());
        let Some(digest) = digest.filter(|digest| digest.len() <= 64 && key.len() <= 64) else {
            return;
        };
        if self.0.len() >= KEYS_MAX && !self.0.contains_key(key) {
            return;
        }
        let found = self.0.entry(key.to_owned()).or_insert_with(|| KeyEntries {
            url,
            fetches: 0,
            entries: Vec::new(),
        });
        let is_new = !found.entries.iter().any(|known| known == digest);
        if is_fetch && is_new && !found.entries.is_empty() {
            found.fetches = found.fetches.saturating_add(1);
        }
        if is_new && found.entries.len() < ENTRIES_MAX {
            found.entries.push(digest.to_owned());
        }
    }

    /// The keys with at least [`MANY`] entries.
    pub fn many(&self) -> impl Iterator<Item = &KeyEntries> {
        self.0.values().filter(|key| key.entries() >= MANY)
    }
}
