//! What an order leaves to be done behind its receipt: telling the zone's own
//! purge call, and fetching URLs again. The ledger keeps it and its alarm
//! does it.

use super::ledger::Sql;
use crate::cache::ledger::{Order, Progress, Receipt};

/// Steps still to do, and those done or given up, until their receipt goes.
pub const TABLE: &str = "CREATE TABLE IF NOT EXISTS work (
    number INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    due_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    state TEXT NOT NULL,
    problem TEXT)";

/// In how many calls an order goes on to the zone's own purge.
pub fn calls(_fast_lane: bool, _order: &Order) -> usize {
    0
}

/// Notes what an order leaves to be done.
pub fn enqueue<S: Sql>(_: &S, _: &Order, _: &Receipt, _now_ms: u64) -> Result<(), String> {
    Ok(())
}

/// How far the work of an order is: the zone's call, and the refreshes.
pub fn progress<S: Sql>(_: &S, _sequence: u64) -> Result<[Progress; 2], String> {
    Ok(Default::default())
}
