//! The HTTP protocol: heads, fields, Cache-Control, dates, URLs.
//!
//! Nothing here depends on the other floors, reads a clock, or panics on any
//! input.

pub mod accept;
pub mod cache_control;
pub mod char_refs;
pub mod conditional;
pub mod date;
pub mod fields;
pub mod forwarding;
pub mod head;
pub mod json_object;
pub mod list;
pub mod range;
pub mod restrictions;
pub mod url;
