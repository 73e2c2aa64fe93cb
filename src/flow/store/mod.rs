//! Look-ups in the tiers, and where an answer is stored.

pub mod kv;
pub mod lookup;
pub mod memory_tier;
pub mod part_lookup;
pub mod query_alias;
pub mod store_placement;
