//! Data: the settings that come with Edgekeep, and the cookies of known software.

pub mod frameworks;
pub mod profile;
pub mod session_cookies;
