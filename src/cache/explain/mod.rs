//! Explains what becomes of a request: the values that `GET
//! /.edgekeep/explain` prints. The facts come from the functions that decide
//! about requests, so an explanation is not a second opinion.

pub mod copy;
pub mod report;
pub mod request_key;
