//! The simulated world, for whoever lives through it for another purpose than
//! its promises.

pub mod actors;
pub mod ages;
pub mod disk;
pub mod exchange;
pub mod executor;
pub mod flights;
pub mod host;
pub mod ledger;
pub mod meter;
pub mod numbers;
pub mod origin;
pub mod page;
pub mod promises;
pub mod regimes;
pub mod setup;
#[path = "../world/sqlite.rs"]
pub mod sqlite;
pub mod storage;
pub mod storm;
pub mod switches;
pub mod tamper;
pub mod terms;
pub mod tiers;
pub mod waves;
pub mod world;
