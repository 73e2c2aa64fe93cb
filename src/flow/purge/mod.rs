//! Purge orders on their way to the ledger, and the index of purges on its way back.

pub mod append;
pub mod authenticate;
pub mod invalidate;
pub mod signature;
pub mod sync;
pub mod writes;
