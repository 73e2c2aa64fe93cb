//! The deployed Worker: its address, the secret, requests and their repetition.

pub mod client;
pub mod events;
pub mod reply;
pub mod retry;
pub mod secret;
pub mod site;
