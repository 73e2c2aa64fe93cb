//! Responses to clients, error pages, and the log record of a request.

pub mod error_pages;
pub mod problem;
pub mod reply;
pub mod request_log;
