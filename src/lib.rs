//! Edgekeep: an edge cache in front of web origins, as a Cloudflare Worker.
//!
//! Four floors; each imports only those above it in this list. A test
//! (`tests/it/house/shape.rs`) keeps it so.
//!
//! - [`http`]: the protocol's own words. Knows nothing of Edgekeep.
//! - [`cache`]: what a shared cache knows, as pure functions from values to
//!   values. It has no clock, does no I/O, and never sees a body.
//! - [`flow`]: what happens in which order. The only async code; all I/O goes
//!   through one trait, [`flow::runtime::host::Host`].
//! - `cloudflare`: the real host. It exists for wasm32 only.
//!
//! To follow a request, read [`flow::handle::serve`] from top to bottom.

// The macros of `wasm-bindgen` write unsafe code of their own.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]
#![warn(missing_docs)]

pub mod cache;
#[cfg(target_arch = "wasm32")]
mod cloudflare;
pub mod flow;
pub mod http;
