//! A lookup that changes nothing and records what it finds.

use super::index_state::IndexState;
use crate::cache::explain::copy::CopyFacts;
use crate::cache::purge::index::PurgeIndex;
use crate::flow::runtime::host::Tier;
use std::cell::RefCell;

/// The state of a lookup that explains a request. It makes the decisions of any
/// other lookup, but it renews no index, starts nothing in the background and
/// updates no breaker.
#[derive(Debug)]
pub struct Observation {
    /// How current the index is.
    pub index_state: IndexState,
    /// The index to decide by; `None` is the isolate's.
    pub index: Option<PurgeIndex>,
    /// What was found in the tiers, in order.
    pub found: RefCell<Vec<(Tier, CopyFacts)>>,
}

impl Observation {
    /// Records a stored response that was read.
    pub fn add(&self, tier: Tier, copy: CopyFacts) {
        self.found.borrow_mut().push((tier, copy));
    }
}
