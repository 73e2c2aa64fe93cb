//! Explains what becomes of a request: reads the tiers as a request would, and
//! changes nothing.

pub mod explain_request;
