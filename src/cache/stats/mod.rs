//! Statistics: counts of requests by minute, host, rule and outcome.
//!
//! Each isolate counts ([`counter`]) and reports its rows ([`row`]) to the
//! ledger, which adds them up.

pub mod counter;
pub mod data_point;
pub mod open_metrics;
pub mod query;
pub mod row;
