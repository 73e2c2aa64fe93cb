//! Shared parts of the tests: hosts that implement the platform in memory, a
//! ledger on a real database, and values parsed from short texts.

pub mod controls;
pub mod frameworks;
pub mod given;
pub mod ledger;
pub mod orders;
pub mod origin;
pub mod random;
pub mod requests;
pub mod settings;
pub mod shadowed;
pub mod simulation;
pub mod stage;
pub mod still;
pub mod worker;
pub mod world;
