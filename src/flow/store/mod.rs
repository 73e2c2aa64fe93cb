//! Lookups in the tiers, and the slots where a response is stored.

pub mod kv;
pub mod lookup;
pub mod memory_tier;
pub mod outdate;
pub mod part_lookup;
pub mod query_alias;
pub mod store_placement;
