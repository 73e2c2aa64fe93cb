//! The first question: may this request use the cache, and under which key?

pub mod classify;
pub mod client_fields;
pub mod origin_request;
pub mod read_fields;
