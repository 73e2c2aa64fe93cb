//! Asking an origin: its limits, retries and backup.

pub mod upstream;
