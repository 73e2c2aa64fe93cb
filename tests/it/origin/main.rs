//! Tests of what protects the origin: tiers, request collapsing, circuit
//! breakers, limits.

mod breaker_tables;
mod collapse_bounds;
mod collapse_tables;
mod gate_tables;
mod memory_tables;
mod origin_attacks;
mod outcome_tables;
mod tier_tables;
mod upstream_tables;
