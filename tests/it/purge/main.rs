//! Tests of purges: orders, keys, dialects, the index and its age, writes.

mod cascade_tables;
mod clock_tables;
mod conclusion_tables;
mod data_points;
mod dialect_tables;
mod endpoint_tables;
mod events_endpoint;
mod explain_endpoint;
mod feed_tables;
mod limited_keys;
mod order_tables;
mod proof_tables;
mod purge_tables;
mod race_tables;
mod stats_endpoint;
mod sync_tables;
mod varnish_tables;
mod webhook_tables;
mod wide_tables;
mod write_rate_tables;
mod write_tables;
