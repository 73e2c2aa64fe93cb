//! Tests of the decisions about a response: storing, freshness, reuse,
//! variants, ranges, updates.

mod answer_tables;
mod chance_tables;
mod directive_tables;
mod early_refresh;
mod entry_tables;
mod freshness_tables;
mod negative_tables;
mod oracle;
mod oracle_requests;
mod range_tables;
mod redirect_tables;
mod restriction_tables;
mod settle_tables;
mod status_tables;
mod stored_tables;
mod update_tables;
mod variant_tables;
mod web_tables;
mod window_tables;
