//! The numbers of the ledger's events: of each order as it is accepted, and of
//! each change of the work that follows it. A watcher that reads on after a
//! number misses none.
//!
//! The ledger keeps one row an order, with the number of its newest event. So
//! several changes of an order are one event for a watcher that reads them
//! later, and the rows are as bounded as the receipts.

use super::sql::{Sql, Value};

/// `accepted` is the number of the event of the order itself, `changed` that of
/// its newest one.
pub const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS events (
        sequence INTEGER PRIMARY KEY,
        accepted INTEGER NOT NULL,
        changed INTEGER NOT NULL)",
    "CREATE UNIQUE INDEX IF NOT EXISTS events_by_number ON events (changed)",
    // Orders that an earlier version accepted are numbered behind all others.
    "INSERT INTO events
        SELECT sequence, sequence + ahead, sequence + ahead FROM receipts, (
            SELECT COALESCE(MAX(sequence), 0) AS known,
                COALESCE(MAX(changed) - MAX(sequence), 0) AS ahead FROM events)
        WHERE sequence > known",
];

/// Numbers the event of an order that is being accepted. Numbers only grow, and
/// none is below the sequence number of an earlier order. So a watcher may also
/// read on after the sequence number of an order.
pub fn add<S: Sql>(sql: &S, sequence: u64) -> Result<(), String> {
    sql.run(
        "INSERT INTO events SELECT ?, number, number FROM (
            SELECT MAX(?, COALESCE(MAX(changed), 0) + 1) AS number FROM events)",
        &[sequence.into(), sequence.into()],
    )?;
    // An order without a receipt has no events.
    let forgotten = "DELETE FROM events WHERE sequence < (SELECT MIN(sequence) FROM receipts)";
    sql.run(forgotten, &[]).map(drop)
}

/// Numbers the event of a change of an order's work.
pub fn note_change<S: Sql>(sql: &S, sequence: &Value) -> Result<(), String> {
    let change = "UPDATE events SET changed = (SELECT MAX(changed) + 1 FROM events)
        WHERE sequence = ?";
    sql.run(change, std::slice::from_ref(sequence)).map(drop)
}
