//! Fetching pages before readers ask for them.

pub mod fill;
