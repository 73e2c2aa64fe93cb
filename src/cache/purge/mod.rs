//! Purges: what an order names, which entries it matches, and what it may cost.

pub mod fair_share;
pub mod feed;
pub mod groups;
pub mod index;
pub mod ledger_breaker;
pub mod order;
pub mod pattern;
pub mod permissions;
pub mod purge_call;
pub mod selector;
pub mod unconfirmed_writes;
pub mod varnish;
pub mod wide;
pub mod write_rate;
pub mod zone_purge;
