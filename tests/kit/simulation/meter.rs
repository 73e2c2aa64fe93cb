//! Counts the platform calls of requests, as the bill counts them.

use std::cell::Cell;

/// A call to the platform, by a request or by its background work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A read of the Cache API: an entry, or a note about a fetch in progress.
    CacheRead,
    /// A write of such an entry or note.
    CacheWrite,
    /// A read of a note about purges in the Cache API.
    NewsRead,
    /// A write of such a note.
    NewsWrite,
    /// A read of KV, successful or not.
    KvRead,
    /// A read of KV that found an entry.
    KvFound,
    KvWrite,
    /// A query to the ledger, or an order.
    Ledger,
    Origin,
}

/// The number of kinds of calls.
pub const CALLS: usize = 9;

/// Counts calls. Requests may share a meter.
#[derive(Debug, Default)]
pub struct Meter([Cell<u64>; CALLS]);

impl Meter {
    pub fn count(&self, call: Call) {
        let cell = &self.0[call as usize];
        cell.set(cell.get() + 1);
    }

    /// The counts so far, in the order of [`Call`].
    #[allow(dead_code, reason = "only tests/cost reads them")]
    pub fn read(&self) -> [u64; CALLS] {
        std::array::from_fn(|at| self.0[at].get())
    }
}
