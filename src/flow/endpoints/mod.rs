//! Edgekeep's own endpoints, and the purge calls of other caches.

pub mod dashboard;
pub mod events;
pub mod explain;
pub mod purge_calls;
pub mod routes;
pub mod stats;
