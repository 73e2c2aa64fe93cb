//! Sends purge orders to the ledger, and synchronizes the purge index with it.

pub mod append;
pub mod authenticate;
pub mod invalidate;
pub mod observe;
pub mod signature;
pub mod sync;
pub mod writes;
