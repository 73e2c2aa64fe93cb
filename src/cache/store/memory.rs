//! What an isolate keeps in its own memory: small answers that are asked for
//! again and again, which then cost no promise.
//!
//! What is asked for once in a while never gets in: a doorkeeper lets in only
//! what it has seen lately, so a crawler that walks through all pages drives
//! nothing out. What is in leaves in the order it came, but for what was used
//! meanwhile, which goes to the end of the queue (as in S3-FIFO, Yang et al.,
//! SOSP 2023, whose small queue the doorkeeper stands for).
//!
//! It decides nothing about freshness: whoever finds a copy here judges it as
//! one of any tier.

use super::kv_admission::Doorkeeper;
use crate::cache::policy::entry::Entry;
use std::any::Any;
use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// The longest body that is kept: what is longer is moved by the runtime for
/// less than a copy in memory is worth.
pub const MEMORY_BODY_BYTES_MAX: u64 = 64 * 1024;

/// A copy is used for so long; then the Cache API is looked into once, where
/// another isolate may have put a newer one.
pub const MEMORY_MS_MAX: u64 = 30_000;

/// What a copy takes beside its body and its text: a table of fields in
/// JavaScript, and the lists here.
const COPY_BYTES: u64 = 2048;

/// How many variants of an answer are kept.
const VARIANTS_MAX: usize = 4;

/// How many copies may be in the making; beyond it all are given up, which
/// costs a copy each. One that breaks off never ends, so they add up. A copy
/// takes milliseconds: an isolate has a few at a time.
pub const COPYING_MAX: usize = 100;

/// A copy.
pub struct MemoryCopy {
    /// Its head.
    pub entry: Rc<Entry>,
    /// Its body, as the host holds it.
    pub body: Rc<dyn Any>,
    /// The digest of the slot in which it lies in the tiers.
    pub digest: String,
    /// The Cache API's key of that slot.
    pub entry_url: String,
    /// Until when it may be used, in milliseconds since 1970.
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

/// The copies of one key: its variants.
struct Item {
    copies: Vec<Rc<MemoryCopy>>,
    bytes: u64,
    used: Cell<bool>,
}

/// The memory of an isolate.
pub struct Memory {
    most_bytes: u64,
    bytes: u64,
    items: HashMap<Rc<str>, Item>,
    /// Keys in the order in which they came, each once.
    queue: VecDeque<Rc<str>>,
    seen: Doorkeeper,
    /// The copies in the making: the number of the last one of each key.
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
    /// Nothing yet, and never more than so many bytes.
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

    /// The copies under a key, and that they were asked for.
    pub fn find(&self, key: &str) -> &[Rc<MemoryCopy>] {
        let Some(item) = self.items.get(key) else {
            return &[];
        };
        item.used.set(true);
        &item.copies
    }

    /// Whether an answer may come in: it was asked for not long ago, too. If
    /// not, that it is asked for now is remembered.
    pub fn lets_in(&mut self, entry: &Entry) -> bool {
        let fits = entry.length.is_some_and(|n| n <= MEMORY_BODY_BYTES_MAX);
        if !fits || entry.status == 206 || self.most_bytes == 0 {
            return false;
        }
        // The first mark is of its URL.
        entry
            .marks
            .first()
            .is_some_and(|name| self.seen.knew(*name))
    }

    /// Notes that a copy for this key is begun. Its number ends it.
    pub fn begin_copy(&mut self, key: &str) -> u64 {
        if self.copying.len() >= COPYING_MAX {
            self.copying.clear();
        }
        self.last_copy = self.last_copy.wrapping_add(1);
        self.copying.insert(key.to_owned(), self.last_copy);
        self.last_copy
    }

    /// Keeps a copy, unless something newer was stored under its key since it
    /// was begun ([`Memory::drop_key`]), or another copy was begun.
    pub fn end_copy(&mut self, copy: MemoryCopy, number: u64) {
        if self.copying.get(&copy.entry.key) == Some(&number) {
            self.copying.remove(&copy.entry.key);
            self.keep(copy);
        }
    }

    /// Keeps a copy; an older one of the same variant goes.
    pub fn keep(&mut self, copy: MemoryCopy) {
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

    /// Drops what lies under a key, and what is being copied for it. The
    /// doorkeeper knows it, and lets it in again when it is asked for.
    pub fn drop_key(&mut self, key: &str) {
        self.copying.remove(key);
        if let Some(item) = self.items.remove(key) {
            self.bytes = self.bytes.saturating_sub(item.bytes);
            self.queue.retain(|queued| **queued != *key);
        }
    }

    /// How many bytes it counts now.
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
