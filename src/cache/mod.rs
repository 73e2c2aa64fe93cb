//! What a shared cache knows, as pure and total functions: no clock, no I/O,
//! no bodies.
//!
//! Three questions, each a module of its own:
//!
//! 1. [`request`]: may this request use the cache, and under which key?
//! 2. [`stored`]: may this stored response be used now?
//! 3. [`answer`]: may this answer be stored, and what does the client get?

pub mod admission;
pub mod answer;
pub mod breaker;
pub mod budget;
pub mod cascade;
pub mod chance;
pub mod client_fields;
mod compile;
pub mod conditions;
pub mod cookies;
pub mod dialect;
pub mod entry;
pub mod esi;
mod fallback;
pub mod freshness;
pub mod gate;
pub mod glob;
pub mod groups;
pub mod jitter;
pub mod key;
pub mod key_scope;
pub mod kv_health;
pub mod layers;
pub mod leaders;
pub mod ledger;
pub mod ledger_breaker;
pub mod limits;
pub mod memory;
pub mod negotiation;
pub mod news;
pub mod no_vary_search;
pub mod order;
pub mod origin_failure;
pub mod outcomes;
pub mod part;
pub mod pattern;
pub mod permissions;
pub mod permit;
pub mod profile;
mod profile_tables;
pub mod protection;
pub mod purge;
pub mod purge_dialect;
pub mod quota;
mod read_settings;
pub mod reads;
mod redirect;
pub mod remembered;
pub mod request;
pub mod rests;
pub mod rule;
pub mod rules;
pub mod scope;
pub mod selector;
pub mod sequence;
pub mod session_cookies;
mod setting_words;
pub mod settings;
pub mod settings_error;
pub mod sitemap;
pub mod stored;
pub mod tag;
mod tags;
pub mod unconfirmed;
pub mod variants;
pub mod varnish;
pub mod warm;
pub mod wide;
pub mod windows;
pub mod withheld;
pub mod write_rate;
pub mod zone;
