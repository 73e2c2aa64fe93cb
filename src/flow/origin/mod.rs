//! Requests to origins: limits, retries and the backup.

pub mod upstream;
