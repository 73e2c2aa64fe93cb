//! Settings: their format, their checks, and the rules into which they are
//! compiled.

pub mod cascade;
pub mod compile;
pub mod error;
pub mod fallback;
pub mod inheritance;
pub mod keys;
pub mod limits;
pub mod protection;
pub mod read_settings;
pub mod rule;
pub mod rules;
pub mod setting_sources;
pub mod setting_words;
pub mod settings;
pub mod url_match;
