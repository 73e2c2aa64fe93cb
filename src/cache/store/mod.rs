//! Which tier keeps what: isolate memory, and KV with its budget and its faults.

pub mod kv_admission;
pub mod kv_breaker;
pub mod kv_write_budget;
pub mod memory;
