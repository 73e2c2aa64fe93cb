//! The storage for entries and notes: the Cache API of each data centre, and
//! KV, whose writes each data centre sees with its own delay.

use super::page::Bytes;
use std::collections::BTreeMap;

/// The content of a slot: the entry's text, and its body.
pub type Held = (String, Option<Bytes>);

/// The Cache API of a data centre.
#[derive(Default)]
pub struct CacheApi {
    entries: BTreeMap<String, Stored>,
    notes: BTreeMap<String, Vec<Note>>,
}

struct Stored {
    held: Held,
    copy: Copy,
    until_ms: u64,
}

/// The model's record of a stored entry.
#[derive(Clone, Copy, Debug)]
pub struct Copy {
    /// The stamp of the origin's response.
    pub stamp: u64,
    /// The sequence number that it has seen.
    pub seen: u64,
    /// Whether it must be revalidated: the origin has sent another version.
    pub withdrawn: bool,
    /// The time from which its data centre sees it.
    pub since_ms: u64,
}

struct Note {
    text: String,
    since_ms: u64,
    until_ms: u64,
}

/// The most versions that are kept of a note or of a KV value.
const VERSIONS_MAX: usize = 6;

impl CacheApi {
    pub fn put(&mut self, key: &str, held: Held, copy: Copy, until_ms: u64) {
        let stored = Stored {
            held,
            copy,
            until_ms,
        };
        self.entries.insert(key.to_owned(), stored);
    }

    pub fn get(&self, key: &str, now_ms: u64) -> Option<Held> {
        let stored = self.entries.get(key)?;
        (stored.until_ms > now_ms).then(|| stored.held.clone())
    }

    /// The record of the entry in a slot.
    pub fn copy_in_slot(&self, key: &str, now_ms: u64) -> Option<Copy> {
        let stored = self.entries.get(key)?;
        (stored.until_ms > now_ms).then_some(stored.copy)
    }

    /// The records of all entries.
    pub fn all(&self, now_ms: u64) -> impl Iterator<Item = Copy> {
        let there = move |stored: &&Stored| stored.until_ms > now_ms;
        self.entries
            .values()
            .filter(there)
            .map(|stored| stored.copy)
    }

    /// Removes the entries and notes for which `gone` returns true.
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

    /// A note; with `old_ms`, in its version of that time ago, if there is one.
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

/// KV. The last write wins, but each data centre sees each write after a delay
/// of its own, and may see a later write first.
#[derive(Default)]
pub struct Kv(BTreeMap<String, Vec<Write>>);

struct Write {
    held: Held,
    copy: Copy,
    until_ms: u64,
    /// The time from which each data centre sees it.
    seen_from_ms: Vec<u64>,
}

impl Write {
    fn copy(&self, centre: usize) -> Option<Copy> {
        Some(Copy {
            since_ms: *self.seen_from_ms.get(centre)?,
            ..self.copy
        })
    }
}

impl Kv {
    pub fn put(
        &mut self,
        key: &str,
        held: Held,
        copy: Copy,
        until_ms: u64,
        seen_from_ms: Vec<u64>,
    ) {
        let writes = self.0.entry(key.to_owned()).or_default();
        writes.push(Write {
            held,
            copy,
            until_ms,
            seen_from_ms,
        });
        let more = writes.len().saturating_sub(VERSIONS_MAX);
        writes.drain(..more);
    }

    pub fn get(&self, key: &str, centre: usize, now_ms: u64) -> Option<Held> {
        let write = seen(self.0.get(key)?, centre, now_ms)?;
        Some(write.held.clone())
    }

    /// The record of the entry that a data centre sees in a slot.
    pub fn copy_in_slot(&self, key: &str, centre: usize, now_ms: u64) -> Option<Copy> {
        seen(self.0.get(key)?, centre, now_ms)?.copy(centre)
    }

    /// The records of all entries that a data centre sees.
    pub fn all(&self, centre: usize, now_ms: u64) -> impl Iterator<Item = Copy> {
        let writes = self.0.values();
        writes.filter_map(move |writes| seen(writes, centre, now_ms)?.copy(centre))
    }
}

fn seen(writes: &[Write], centre: usize, now_ms: u64) -> Option<&Write> {
    let seen = |write: &&Write| write.seen_from_ms.get(centre).is_some_and(|t| *t <= now_ms);
    let write = writes.iter().rev().find(seen)?;
    (write.until_ms > now_ms).then_some(write)
}
