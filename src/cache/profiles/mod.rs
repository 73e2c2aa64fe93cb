//! Settings that come with Edgekeep, and the cookies of known software, as data.

pub mod frameworks;
pub mod profile;
pub mod session_cookies;
