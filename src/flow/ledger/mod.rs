//! The ledger: its tables, its jobs, and its alarm.

pub mod events;
pub mod history;
pub mod jobs;
pub mod ledger_store;
pub mod owners;
pub mod runner;
pub mod sql;
pub mod start;
pub mod stats_store;
pub mod write_marks;
