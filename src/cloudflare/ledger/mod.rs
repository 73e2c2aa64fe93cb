//! The ledger as a Durable Object: its entry, its SQLite, and its callers.

pub mod client;
pub mod object;
pub mod sql;
