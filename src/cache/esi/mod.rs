//! Edge Side Includes: which bodies are marked, and what they include.

pub mod parser;
