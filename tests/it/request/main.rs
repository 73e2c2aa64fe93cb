//! Tests of the decisions on a request: settings, rules, profiles, cache keys, and
//! the request to the origin.

mod cookie_tables;
mod explain_tables;
mod forward_tables;
mod framework_tables;
mod key_tables;
mod passage_tables;
mod profile_tables;
mod read_fields;
mod request_tables;
mod rule_tables;
mod setting_errors;
mod setting_tables;
mod shadow_mode;
mod shadow_tables;
mod site_tables;
mod strip_tables;
mod withheld_tables;
