//! What is called on behalf of requests, counted where a bill counts it.

use std::cell::Cell;

/// A call that a request makes of the platform, or has made behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A slot of the Cache API is read, or a note on who fetches what.
    CacheRead,
    /// The same is written.
    CacheWrite,
    /// A note on purges is read in the Cache API.
    NewsRead,
    /// The same is written.
    NewsWrite,
    /// KV is read, and has something or not.
    KvRead,
    /// What was read was there.
    KvFound,
    KvWrite,
    /// The ledger is asked, or sent an order.
    Ledger,
    Origin,
}

/// How many there are.
pub const CALLS: usize = 9;

/// Counts calls. Requests that share one are counted together.
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
