//! Decides whether a request may use the cache, and under which key, and builds
//! the request to the origin.

pub mod classify;
pub mod client_fields;
pub mod origin_request;
pub mod read_fields;
