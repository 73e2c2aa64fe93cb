//! The ledger's Durable Object: its entry, its SQLite, its
//! watchers, and the calls to it.

pub mod client;
pub mod object;
pub mod sql;
pub mod watchers;
