//! What the requests of one isolate share: plain values, never futures.

use super::abandoned_fills::AbandonedFills;
use super::credentials::Keys;
use super::inflight::Flights;
use super::kv_state::KvState;
use super::origins::Origins;
use crate::cache::config::rules::Rules;
use crate::cache::policy::remembered::Remembered;
use crate::cache::purge::feed::{LedgerTime, PurgeFeed};
use crate::cache::purge::index::PurgeIndex;
use crate::cache::purge::ledger_breaker::LedgerBreaker;
use crate::cache::purge::write_rate::WriteRate;
use crate::cache::store::memory::Memory;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;

/// The state of an isolate. No borrow of it crosses an `.await`.
#[derive(Debug)]
pub struct Isolate {
    /// The rules, parsed once.
    pub rules: Rules,
    /// The keys that prove purge orders.
    pub keys: Keys,
    /// The purges seen so far.
    pub index: RefCell<PurgeIndex>,
    /// When the index was known to be complete; `None` before the first news.
    pub synced_ms: Cell<Option<u64>>,
    /// When it was first looked for. It seeds the jitter of `flow::purge::sync`.
    pub began_ms: Cell<Option<u64>>,
    /// Whether the ledger may be asked.
    pub ledger: Cell<LedgerBreaker>,
    /// When the question for news was sent that is under way: one at a time.
    pub syncing: Cell<Option<u64>>,
    /// When unconfirmed writes were last sent again: by one request at a time.
    pub resending: Cell<Option<u64>>,
    /// How the ledger's clock goes against ours, as far as we know.
    pub clock: Cell<Option<LedgerClock>>,
    /// The last news that the isolates of this data centre shared.
    pub marker: RefCell<Option<PurgeFeed>>,
    /// When the shared news was last looked at.
    pub looked_ms: Cell<Option<u64>>,
    /// What it keeps in its own memory.
    pub memory: RefCell<Memory>,
    /// The answers that are being fetched.
    pub flights: Flights,
    /// Fills whose client has gone.
    pub abandoned: AbandonedFills,
    /// The origins it has asked.
    pub origins: Origins,
    /// What is known of KV.
    pub kv: KvState,
    /// How often writes of each host ask the ledger.
    pub writes: RefCell<WriteRate>,
    /// The answers that depend on who asks (`flow::fetch::withheld`).
    pub personal: RefCell<Remembered>,
    parts: RefCell<HashSet<String>>,
}

/// How far the ledger's clock is ahead of ours, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerClock {
    /// The life of the ledger for which it holds.
    pub run: u64,
    /// Milliseconds; negative if it is behind.
    pub ahead_ms: i64,
}

impl LedgerClock {
    /// What an answer tells of it that was made after `asked_ms`.
    pub fn by(at: LedgerTime, asked_ms: u64) -> Option<Self> {
        let ahead_ms = i64::try_from(at.ms).ok()?.checked_sub_unsigned(asked_ms)?;
        Some(Self {
            run: at.run,
            ahead_ms,
        })
    }

    /// A time of the ledger's clock by ours, or earlier; `None` if it is of
    /// another life of the ledger.
    pub fn ours(self, at: LedgerTime) -> Option<u64> {
        let ms = i64::try_from(at.ms).ok()?.checked_sub(self.ahead_ms)?;
        u64::try_from(ms).ok().filter(|_| at.run == self.run)
    }
}

/// How many URLs with stored parts are remembered; beyond it, all are
/// forgotten, which costs a fetch each.
const PARTS_MAX: usize = 10_000;

impl Isolate {
    /// A new isolate, which has seen no purge yet.
    pub fn new(rules: Rules, keys: Keys) -> Self {
        let memory = Memory::new(rules.memory_bytes);
        Self {
            memory: RefCell::new(memory),
            rules,
            keys,
            index: RefCell::default(),
            synced_ms: Cell::new(None),
            began_ms: Cell::new(None),
            ledger: Cell::default(),
            syncing: Cell::new(None),
            resending: Cell::new(None),
            clock: Cell::new(None),
            marker: RefCell::default(),
            looked_ms: Cell::new(None),
            flights: Flights::default(),
            abandoned: AbandonedFills::default(),
            origins: Origins::default(),
            kv: KvState::default(),
            writes: RefCell::default(),
            personal: RefCell::default(),
            parts: RefCell::default(),
        }
    }

    /// Remembers that a part was stored in this slot.
    pub fn remember_part(&self, digest: &str) {
        let mut parts = self.parts.borrow_mut();
        if parts.len() >= PARTS_MAX {
            parts.clear();
        }
        parts.insert(digest.to_owned());
    }

    /// Whether a part was stored in this slot.
    pub fn has_part(&self, digest: &str) -> bool {
        self.parts.borrow().contains(digest)
    }

    /// The purge number that a fill notes before it asks the origin.
    pub fn seen(&self) -> u64 {
        self.index.borrow().sequence()
    }
}
