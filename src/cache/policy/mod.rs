//! Decisions about reuse of stored responses and about storing (RFC 9111 §3 and
//! §4).

pub mod cache_tags;
pub mod collapse_leaders;
pub mod conditions;
pub mod early_refresh;
pub mod entry;
pub mod freshness;
pub mod partial_content;
pub mod remembered;
pub mod reuse;
pub mod self_redirect;
pub mod storability;
pub mod variant_slots;
pub mod window;
pub mod withheld_fields;
