//! Tests of the purge ledger.

mod event_tables;
mod ledger_breaker_tables;
mod ledger_budgets;
mod ledger_faults;
mod ledger_history;
mod ledger_large;
mod ledger_model;
mod ledger_tables;
mod ledger_waits;
mod ledger_writes;
mod stats_tables;
mod wire_tables;
