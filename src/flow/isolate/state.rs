//! The state that the requests of one isolate share: plain values, never
//! futures.

use super::abandoned_fills::AbandonedFills;
use super::credentials::Keys;
use super::fill_speed::FillSpeeds;
use super::inflight::Flights;
use super::kv_state::KvState;
use super::origins::Origins;
use crate::cache::config::rules::Rules;
use crate::cache::policy::remembered::ExpiringSet;
use crate::cache::purge::feed::{LedgerTime, PurgeFeed};
use crate::cache::purge::index::PurgeIndex;
use crate::cache::purge::ledger_breaker::LedgerBreaker;
use crate::cache::purge::write_rate::WriteRate;
use crate::cache::shadow::comparisons::Comparisons;
use crate::cache::stats::counter::Counter;
use crate::cache::store::memory::Memory;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;

/// The state of an isolate. No borrow of it may cross an `.await`.
#[derive(Debug)]
pub struct Isolate {
    /// The rules, parsed once.
    pub rules: Rules,
    /// The keys that authenticate purge orders.
    pub keys: Keys,
    /// The purges seen so far.
    pub index: RefCell<PurgeIndex>,
    /// When the index was last known to be complete, in milliseconds since
    /// 1970; `None` before the first feed.
    pub synced_ms: Cell<Option<u64>>,
    /// When the index was first requested. It seeds the jitter of
    /// `flow::purge::sync`.
    pub began_ms: Cell<Option<u64>>,
    /// The circuit breaker for the ledger.
    pub ledger: Cell<LedgerBreaker>,
    /// When the ledger query in progress was sent. There is one at a time.
    pub syncing: Cell<Option<u64>>,
    /// When unconfirmed writes were last sent again. One request at a time does
    /// that.
    pub resending: Cell<Option<u64>>,
    /// The known offset of the ledger's clock.
    pub clock: Cell<Option<LedgerClock>>,
    /// The last purge feed shared by the isolates of this data centre.
    pub snapshot: RefCell<Option<PurgeFeed>>,
    /// When the shared feed was last read.
    pub snapshot_read_ms: Cell<Option<u64>>,
    /// What was counted since the last report to the ledger.
    pub stats: RefCell<Counter>,
    /// The last report of them, until the ledger has answered it.
    pub unconfirmed_report: RefCell<Option<String>>,
    /// How many requests were looked at for data points, modulo 2^64.
    pub sampled: Cell<u64>,
    /// The comparisons of shadow mode.
    pub comparisons: RefCell<Comparisons>,
    /// The memory tier.
    pub memory: RefCell<Memory>,
    /// The fetches in progress.
    pub flights: Flights,
    /// Which sites' fills were fast or slow lately.
    pub fill_speeds: FillSpeeds,
    /// Fills whose client has disconnected.
    pub abandoned: AbandonedFills,
    /// The state of the origins.
    pub origins: Origins,
    /// The state about KV.
    pub kv: KvState,
    /// How often the writes of each host are sent to the ledger.
    pub writes: RefCell<WriteRate>,
    /// URLs whose responses depend on cookies (`flow::fetch::withheld`).
    pub personal: RefCell<ExpiringSet>,
    parts: RefCell<HashSet<String>>,
}

/// The largest possible lead of the ledger's clock over ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerClock {
    /// The run of the ledger object to which it applies.
    pub run: u64,
    /// Milliseconds; negative if the ledger's clock is behind.
    pub ahead_ms: i64,
}

impl LedgerClock {
    /// The offset by a response with time `at`, which was generated after
    /// `sent_ms` of our clock.
    pub fn by(at: LedgerTime, sent_ms: u64) -> Option<Self> {
        let ahead_ms = i64::try_from(at.ms).ok()?.checked_sub_unsigned(sent_ms)?;
        Some(Self {
            run: at.run,
            ahead_ms,
        })
    }

    /// A time of the ledger's clock by our clock, or earlier; `None` if it is
    /// from another run of the ledger.
    pub fn to_local(self, at: LedgerTime) -> Option<u64> {
        let ms = i64::try_from(at.ms).ok()?.checked_sub(self.ahead_ms)?;
        u64::try_from(ms).ok().filter(|_| at.run == self.run)
    }
}

/// How many URLs with stored parts are remembered. Beyond this limit all are
/// forgotten, which costs one fetch each.
const PARTS_MAX: usize = 10_000;

impl Isolate {
    /// A new isolate, with an empty purge index.
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
            snapshot: RefCell::default(),
            snapshot_read_ms: Cell::new(None),
            stats: RefCell::default(),
            unconfirmed_report: RefCell::default(),
            sampled: Cell::new(0),
            comparisons: RefCell::default(),
            flights: Flights::default(),
            fill_speeds: FillSpeeds::default(),
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

    /// The purge sequence number that a fill records before its request is
    /// sent.
    pub fn seen(&self) -> u64 {
        self.index.borrow().sequence()
    }
}
