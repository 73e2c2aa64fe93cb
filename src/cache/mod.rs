//! The decisions of a shared cache, as pure and total functions: no clock, no
//! I/O, no bodies.
//!
//! Each folder ("room") has one subject, and rooms do not import each other in
//! a circle. Three modules make the main decisions:
//!
//! 1. [`request::classify`]: may this request use the cache, and under which key?
//! 2. [`policy::reuse`]: may this stored response be used now?
//! 3. [`policy::storability`]: may this response be stored, and what does the
//!    client get?

pub mod config;
pub mod esi;
pub mod explain;
pub mod jitter;
pub mod key;
pub mod ledger;
pub mod matching;
pub mod origin;
pub mod policy;
pub mod profiles;
pub mod purge;
pub mod request;
pub mod shadow;
pub mod stats;
pub mod store;
pub mod warm;
