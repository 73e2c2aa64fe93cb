//! What protects an origin from load: circuit breaker, concurrency limit,
//! `Retry-After`.

pub mod circuit_breaker;
pub mod concurrency_limit;
pub mod failure;
pub mod outcomes;
pub mod retry_after;
