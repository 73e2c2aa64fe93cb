//! The interface to the platform, and helpers for futures.

pub mod boxed;
pub mod host;
pub mod timeout;
