//! The state that an isolate keeps between requests: plain values, shared by
//! all of them.

pub mod abandoned_fills;
pub mod credentials;
pub mod fill_speed;
pub mod index_state;
pub mod inflight;
pub mod kv_state;
pub mod observation;
pub mod origins;
pub mod request_cx;
pub mod state;
