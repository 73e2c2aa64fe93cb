//! Warming: which pages are fetched before readers request them.

pub mod sitemap;
pub mod warm_order;
