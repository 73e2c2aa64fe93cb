//! Patterns and names: globs, cache tags, and the scopes of keys.

pub mod glob;
pub mod key_scope;
pub mod tag;
