//! Decisions about tiers: isolate memory, and KV with its admission, budget and
//! circuit breaker.

pub mod kv_admission;
pub mod kv_breaker;
pub mod kv_write_budget;
pub mod memory;
