//! Commands that read a file with settings.

pub mod check;
pub mod explain;
pub mod explanation;
pub mod settings_file;
