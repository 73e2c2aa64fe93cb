//! What happens in which order: the only async code, and all I/O goes through
//! one trait, [`host::Host`].

pub mod admin;
pub mod alarm;
mod aside;
pub mod bypass;
pub mod collapse;
pub mod dialect;
pub mod esi;
pub mod failure;
pub mod fetch;
pub mod find;
pub mod flights;
pub mod host;
pub mod invalidate;
pub mod isolate;
pub mod keys;
pub mod kv;
mod last_look;
pub mod ledger;
pub mod memory;
pub mod origins;
mod parts;
pub mod problem;
pub mod proof;
pub mod purge;
pub mod refresh;
pub mod reply;
pub mod report;
pub mod serve;
pub mod signpost;
pub mod sync;
pub mod turn;
pub mod upstream;
pub mod warm;
pub mod webhook;
pub mod within;
pub mod work;
