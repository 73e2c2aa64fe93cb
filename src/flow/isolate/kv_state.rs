//! An isolate's state about KV, from which `flow::store::kv` decides.

use crate::cache::store::kv_admission::Doorkeeper;
use crate::cache::store::kv_breaker::{Reads, Writes};
use crate::cache::store::kv_write_budget::KvWriteBudget;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;

/// An isolate's state about KV.
#[derive(Debug, Default)]
pub struct KvState {
    /// Which responses have been fetched before.
    pub doorkeeper: RefCell<Doorkeeper>,
    /// The breaker for KV writes.
    pub writes: Cell<Writes>,
    /// The breaker for KV reads.
    pub reads: Cell<Reads>,
    /// The writes of the day; counted only if there is a budget.
    pub budget: Cell<KvWriteBudget>,
    /// When writes were last reported to the ledger.
    pub reported_ms: Cell<Option<u64>>,
    /// Slots with truncated bodies.
    pub doubted: RefCell<HashSet<String>>,
    /// The last day whose budget was found to be spent.
    pub spent_day: Cell<Option<u64>>,
}
