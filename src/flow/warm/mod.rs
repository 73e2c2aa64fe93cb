//! Fetches pages before clients request them.

pub mod fill;
