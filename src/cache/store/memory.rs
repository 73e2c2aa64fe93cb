//! The tier in an isolate's own memory: small responses that are requested
//! often. A hit here takes no promise.
//!
//! A doorkeeper admits only what was requested lately, so a crawler that visits
//! all pages evicts nothing. Eviction is first in, first out, but an item that
//! was used meanwhile moves to the end of the queue (as in S3-FIFO, Yang et
//! al., SOSP 2023; the doorkeeper replaces its small queue).
//!
//! This module does not judge freshness: the caller checks a copy as it checks
//! an entry of any tier.

use super::kv_admission::Doorkeeper;
use crate::cache::policy::entry::Entry;
use std::any::Any;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// The longest body that is kept, in bytes. For a longer one, the runtime's own
/// transfer costs less than a copy in memory saves.
pub const MEMORY_BODY_BYTES_MAX: u64 = 64 * 1024;

/// How long a copy is used, in milliseconds. Then the Cache API is looked up
/// once, because another isolate may have stored a newer response there.
pub const MEMORY_MS_MAX: u64 = 30_000;

/// Size of a copy in bytes, without its body and text: a table of fields in
/// JavaScript, and the lists here.
const COPY_BYTES: u64 = 2048;

/// The largest number of variants that are kept for one key.
const VARIANTS_MAX: usize = 4;

/// The largest number of copies that are being made. Above it all are given up,
/// at the cost of one copy each. The entry of a copy that breaks off is never
/// removed, so they accumulate. A copy takes milliseconds, so an isolate makes
/// only a few at a time.
pub const COPYING_MAX: usize = 100;

/// A stored response in memory.
pub struct MemoryCopy {
    /// The head of the response.
    pub entry: Rc<Entry>,
    /// The body, as the host holds it.
    pub body: Rc<dyn Any>,
    /// Digest of its slot in the tiers.
    pub digest: String,
    /// Key of that slot in the Cache API.
    pub entry_url: String,
    /// The time until which it may be used, in milliseconds since 1970.
    pub until_ms: u64,
}

impl MemoryCopy {
    fn bytes(&self) -> u64 {
        let entry = &self.entry;
        // The text counts twice: here, and as the host's fields.
        let text: usize = entry.fields.iter().map(|(n, v)| n.len() + v.len()).sum();
        let text = text.saturating_mul(2).saturating_add(entry.key.len()) as u64;
        let body = entry.length.unwrap_or(MEMORY_BODY_BYTES_MAX);
        COPY_BYTES.saturating_add(body).saturating_add(text)
    }
}

/// The copies of one cache key: its variants.
struct Item {
    copies: Vec<Rc<MemoryCopy>>,
    bytes: u64,
    used: Cell<bool>,
}

/// The memory tier of an isolate.
pub struct Memory {
    most_bytes: u64,
    bytes: u64,
    items: HashMap<Rc<str>, Item>,
    /// Keys in the order of their insertion, each once.
    queue: VecDeque<Rc<str>>,
    seen: Doorkeeper,
    /// Copies being made: for each key the number of the last one.
    copying: HashMap<String, u64>,
    last_copy: u64,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Memory of {} keys, {} bytes",
            self.items.len(),
            self.bytes
        )
    }
}

impl Memory {
    /// Returns an empty memory of at most `most_bytes`.
    pub fn new(most_bytes: u64) -> Self {
        Self {
            most_bytes,
            bytes: 0,
            items: HashMap::new(),
            queue: VecDeque::new(),
            seen: Doorkeeper::default(),
            copying: HashMap::new(),
            last_copy: 0,
        }
    }

    /// Returns the copies of a key, and marks the key as used.
    pub fn find(&self, key: &str) -> &[Rc<MemoryCopy>] {
        let Some(item) = self.items.get(key) else {
            return &[];
        };
        item.used.set(true);
        &item.copies
    }

    /// Returns the copies of a key, without marking it as used.
    pub fn peek(&self, key: &str) -> &[Rc<MemoryCopy>] {
        self.items.get(key).map_or(&[], |item| &item.copies)
    }

    /// Whether a response may be kept: it fits, and it was requested before,
    /// not long ago. If not, remembers this request.
    pub fn admits(&mut self, entry: &Entry) -> bool {
        let fits = entry.length.is_some_and(|n| n <= MEMORY_BODY_BYTES_MAX);
        if !fits || entry.status == 206 || self.most_bytes == 0 {
            return false;
        }
        // The first mark is the one of its URL.
        entry
            .marks
            .first()
            .is_some_and(|name| self.seen.check_and_insert(*name))
    }

    /// Registers the start of a copy for this key. Returns its number, which
    /// [`Memory::end_copy`] takes.
    pub fn begin_copy(&mut self, key: &str) -> u64 {
        if self.copying.len() >= COPYING_MAX {
            self.copying.clear();
        }
        self.last_copy = self.last_copy.wrapping_add(1);
        self.copying.insert(key.to_owned(), self.last_copy);
        self.last_copy
    }

    /// Keeps a copy, unless since its start something newer was stored under
    /// its key ([`Memory::drop_key`]), or another copy was begun.
    pub fn end_copy(&mut self, copy: MemoryCopy, number: u64) {
        if self.copying.get(&copy.entry.key) == Some(&number) {
            self.copying.remove(&copy.entry.key);
            self.insert(copy);
        }
    }

    /// Keeps a copy, and replaces an older one of the same variant.
    pub fn insert(&mut self, copy: MemoryCopy) {
        let key: Rc<str> = copy.entry.key.as_str().into();
        if !self.items.contains_key(&key) {
            self.queue.push_back(Rc::clone(&key));
        }
        let item = self.items.entry(key).or_insert(Item {
            copies: Vec::new(),
            bytes: 0,
            used: Cell::new(false),
        });
        item.copies
            .retain(|old| old.entry.choices != copy.entry.choices);
        if item.copies.len() >= VARIANTS_MAX {
            item.copies.remove(0);
        }
        item.copies.push(Rc::new(copy));
        let bytes = item.copies.iter().map(|copy| copy.bytes()).sum();
        self.bytes = self.bytes.saturating_sub(item.bytes).saturating_add(bytes);
        item.bytes = bytes;
        self.make_room();
    }

    /// Removes the copies of a key, and cancels those being made. The
    /// doorkeeper keeps the digest, so the next request for the key admits it
    /// again.
    pub fn drop_key(&mut self, key: &str) {
        self.copying.remove(key);
        if let Some(item) = self.items.remove(key) {
            self.bytes = self.bytes.saturating_sub(item.bytes);
            self.queue.retain(|queued| **queued != *key);
        }
    }

    /// The size of all copies, in bytes, as counted here.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn make_room(&mut self) {
        while self.bytes > self.most_bytes {
            let Some(key) = self.queue.pop_front() else {
                return;
            };
            let used = self
                .items
                .get(&key)
                .is_some_and(|item| item.used.replace(false));
            if used {
                self.queue.push_back(key);
            } else if let Some(item) = self.items.remove(&key) {
                self.bytes = self.bytes.saturating_sub(item.bytes);
            }
        }
    }
}
