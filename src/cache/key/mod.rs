//! The cache key of a request, and the variants of a key (`Vary`).

pub mod cache_key;
pub mod cookies;
pub mod no_vary_search;
pub mod variant;
