//! Statistics: counts what happens in an isolate, and reports it to the ledger;
//! and data points of single requests.

pub mod data_points;
pub mod record;
pub mod report;
