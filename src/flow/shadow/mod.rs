//! Shadow mode: requests go to the origin whole, and behind the response it is
//! found out what the cache would have done.

pub mod compare;
pub mod shadow_pass;
