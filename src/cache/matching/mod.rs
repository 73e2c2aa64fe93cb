//! Patterns and names: globs, tags, and what a key may purge.

pub mod glob;
pub mod key_scope;
pub mod tag;
