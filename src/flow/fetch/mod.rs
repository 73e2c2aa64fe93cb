//! Responses from the origin: collapsed, stored, revalidated, or only
//! forwarded.

pub mod background_refresh;
pub mod collapse;
pub mod collapse_decision;
pub mod exchange;
pub mod fetch_outcome;
pub mod forward;
pub mod hit;
pub mod marked_page;
pub mod next_step;
pub mod origin_response;
pub mod pass;
pub mod range_fetch;
pub mod stale_candidate;
pub mod store_response;
pub mod withheld;
