//! The simulated world: seeded, with many data centres and faults. README.md
//! describes it. `tests/cost` uses it, too.

pub mod actors;
pub mod ages;
pub mod attack;
pub mod attackers;
pub mod disk;
pub mod exchange;
pub mod executor;
pub mod explained;
pub mod flights;
pub mod host;
pub mod ledger;
pub mod meter;
pub mod neighbour;
pub mod numbers;
pub mod origin;
pub mod page;
pub mod promises;
pub mod quiet;
pub mod regimes;
pub mod runner;
pub mod setup;
pub mod storage;
pub mod storm;
pub mod switches;
pub mod tamper;
pub mod terms;
pub mod tiers;
pub mod waves;
pub mod world;
