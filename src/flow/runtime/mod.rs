//! The seam to the platform, and what all events need of it.

pub mod boxed;
pub mod host;
pub mod timeout;
