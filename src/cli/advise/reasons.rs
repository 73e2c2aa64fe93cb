//! Why requests bypassed the cache and responses were not stored: the words of
//! `detail` in Edgekeep's log (docs/cache-status.md).

use std::collections::BTreeMap;

/// The largest number of distinct words. Edgekeep has about forty.
const WORDS_MAX: usize = 100;

/// The longest word in bytes.
const WORD_BYTES_MAX: usize = 32;

/// Words that do not say why a response was not stored.
const OTHER_SUBJECTS: [&str; 5] = ["memory", "cache-api", "kv", "retried", "backup"];

/// Why a request bypassed the cache, or its response was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The log does not say it.
    Unknown,
    /// A cookie.
    Cookie,
    /// The response names no lifetime.
    NoLifetime,
    /// Another reason, which no setting of a lifetime or of cookies changes.
    Other,
}

impl Reason {
    /// The reason among the words of `detail` (docs/cache-status.md).
    pub fn of(words: &[String]) -> Self {
        let has = |wanted: &str| words.iter().any(|word| word == wanted);
        match words {
            [] => Self::Unknown,
            _ if has("cookie") => Self::Cookie,
            _ if has("no-freshness") => Self::NoLifetime,
            _ => Self::Other,
        }
    }
}

/// How many responses were not stored, by reason.
#[derive(Debug, Default)]
pub struct Unstored(BTreeMap<String, u64>);

impl Unstored {
    /// Counts a response by the words of its line.
    pub fn add(&mut self, words: &[String]) {
        for word in words {
            let is_reason = !OTHER_SUBJECTS.contains(&word.as_str());
            let fits = self.0.len() < WORDS_MAX || self.0.contains_key(word);
            if is_reason && fits && word.len() <= WORD_BYTES_MAX {
                let count = self.0.entry(word.clone()).or_default();
                *count = count.saturating_add(1);
            }
        }
    }

    /// The words and their responses, the most frequent first.
    pub fn reasons(&self) -> Vec<(&str, u64)> {
        let all = self.0.iter().map(|(word, count)| (word.as_str(), *count));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}
