//! Warming: which pages are fetched before readers ask for them.

pub mod sitemap;
pub mod warm_order;
