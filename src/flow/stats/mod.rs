//! Statistics: counts what happens in an isolate, and reports it to the ledger.

pub mod record;
pub mod report;
