//! Edge Side Includes: which responses are marked, and what they include.

pub mod parser;
