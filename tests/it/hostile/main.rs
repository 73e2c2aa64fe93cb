//! Tests with random and mutated input: nothing panics, and invariants hold.

mod hostile;
mod hostile_orders;
mod hostile_requests;
