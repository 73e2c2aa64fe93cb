//! Shadow mode: what the cache would have done with a request that went to the
//! origin whole, and whether its reader would have got the same response.
//!
//! A [`record`] of a response is stored where an entry would be, under a key of
//! its own (`CacheKey::in_shadow`). The next response is compared with it, which
//! gives a [`verdict`].

pub mod comparisons;
pub mod record;
pub mod verdict;
