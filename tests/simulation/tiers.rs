//! Where entries and notes lie: the Cache API of each data centre, and KV,
//! which each data centre sees in its own time.

use super::origin::Bytes;
use std::collections::BTreeMap;

/// What a slot holds: the entry's text, and its body.
pub type Held = (String, Option<Bytes>);

/// The Cache API of a data centre.
#[derive(Default)]
pub struct CacheApi {
    entries: BTreeMap<String, (Held, u64)>,
    notes: BTreeMap<String, Vec<Note>>,
}

struct Note {
    text: String,
    since_ms: u64,
    until_ms: u64,
}

/// How many versions of a note or of a KV value are remembered.
const VERSIONS_MAX: usize = 6;

impl CacheApi {
    pub fn put(&mut self, key: &str, held: Held, until_ms: u64) {
        self.entries.insert(key.to_owned(), (held, until_ms));
    }

    pub fn get(&self, key: &str, now_ms: u64) -> Option<Held> {
        let (held, until_ms) = self.entries.get(key)?;
        (*until_ms > now_ms).then(|| held.clone())
    }

    /// Forgets the entries for which `gone` says so.
    pub fn evict(&mut self, mut gone: impl FnMut() -> bool) {
        self.entries.retain(|_, _| !gone());
        self.notes.retain(|_, _| !gone());
    }

    pub fn put_note(&mut self, key: &str, text: String, since_ms: u64, until_ms: u64) {
        let notes = self.notes.entry(key.to_owned()).or_default();
        notes.push(Note {
            text,
            since_ms,
            until_ms,
        });
        let more = notes.len().saturating_sub(VERSIONS_MAX);
        notes.drain(..more);
    }

    /// A note; with `old_ms`, perhaps as it was so long ago.
    pub fn note(&self, key: &str, now_ms: u64, old_ms: u64) -> Option<String> {
        let notes = self.notes.get(key)?;
        let then_ms = now_ms.saturating_sub(old_ms);
        let mut newest_first = notes.iter().rev();
        let note = newest_first
            .clone()
            .find(|note| note.since_ms <= then_ms)
            .or_else(|| newest_first.next())?;
        (note.until_ms > now_ms).then(|| note.text.clone())
    }
}

/// KV. The last write wins, but each data centre sees each write after its own
/// lag, and may see a later one first.
#[derive(Default)]
pub struct Kv(BTreeMap<String, Vec<Write>>);

struct Write {
    held: Held,
    until_ms: u64,
    /// For each data centre.
    seen_from_ms: Vec<u64>,
}

impl Kv {
    pub fn put(&mut self, key: &str, held: Held, until_ms: u64, seen_from_ms: Vec<u64>) {
        let writes = self.0.entry(key.to_owned()).or_default();
        writes.push(Write {
            held,
            until_ms,
            seen_from_ms,
        });
        let more = writes.len().saturating_sub(VERSIONS_MAX);
        writes.drain(..more);
    }

    pub fn get(&self, key: &str, centre: usize, now_ms: u64) -> Option<Held> {
        let mut newest_first = self.0.get(key)?.iter().rev();
        let seen = |write: &&Write| write.seen_from_ms.get(centre).is_some_and(|t| *t <= now_ms);
        let write = newest_first.find(seen)?;
        (write.until_ms > now_ms).then(|| write.held.clone())
    }
}
