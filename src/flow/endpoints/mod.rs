//! Edgekeep's own addresses, and the purge calls of other caches.

pub mod purge_calls;
pub mod routes;
