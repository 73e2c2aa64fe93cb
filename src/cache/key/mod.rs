//! What makes two requests ask for the same: the cache key and its variants.

pub mod cache_key;
pub mod cookies;
pub mod no_vary_search;
pub mod variant;
