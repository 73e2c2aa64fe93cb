//! The states of a request: look up, hit, miss, pass.

pub mod serve;
