//! Edgekeep: an edge cache in front of web origins, as a Cloudflare Worker.
//!
//! The code has four floors. Each imports only the floors above it in this
//! list; a test (`tests/it/house/shape.rs`) checks this.
//!
//! - [`http`]: the HTTP protocol. It contains nothing specific to Edgekeep.
//! - [`cache`]: the decisions of a shared cache, as pure functions from values
//!   to values. It reads no clock, does no I/O, and never receives a body.
//! - [`flow`]: the order of events. It is the only async code; all I/O goes
//!   through one trait, [`flow::runtime::host::Host`].
//! - `cloudflare`: the implementation of `Host` on the platform, for wasm32
//!   only.
//!
//! Beside them is `cli`, the command `edgekeep`: natively only, with the feature
//! `cli`. No floor imports it.
//!
//! To follow a request, read [`flow::handle::serve`] from top to bottom.

// The macros of `wasm-bindgen` expand to unsafe code.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]
#![warn(missing_docs)]

pub mod cache;
#[cfg(all(feature = "cli", not(target_arch = "wasm32")))]
pub mod cli;
#[cfg(target_arch = "wasm32")]
mod cloudflare;
pub mod flow;
pub mod http;
