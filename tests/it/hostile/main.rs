//! Hostile input: nothing panics, and laws hold, for random input.

mod hostile;
mod hostile_orders;
mod hostile_requests;
