//! The data that isolates and the ledger exchange, and the sequence numbers of
//! purges.

pub mod sequence;
pub mod wire;
