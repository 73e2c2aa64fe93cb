//! What an isolate knows of KV: the state on which `flow::store::kv` decides.

use crate::cache::store::kv_admission::Doorkeeper;
use crate::cache::store::kv_breaker::{Reads, Writes};
use crate::cache::store::kv_write_budget::KvWriteBudget;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;

/// What an isolate knows of KV.
#[derive(Debug, Default)]
pub struct KvState {
    /// Which answers have been fetched before.
    pub doorkeeper: RefCell<Doorkeeper>,
    /// Whether KV takes writes.
    pub writes: Cell<Writes>,
    /// Whether KV answers reads in time.
    pub reads: Cell<Reads>,
    /// The day's writes; they are counted where there is a budget.
    pub budget: Cell<KvWriteBudget>,
    /// When the ledger was last told of writes.
    pub told_ms: Cell<Option<u64>>,
    /// Slots whose bodies came short.
    pub doubted: RefCell<HashSet<String>>,
    /// The last day whose budget was seen to be spent.
    pub spent_day: Cell<Option<u64>>,
}
