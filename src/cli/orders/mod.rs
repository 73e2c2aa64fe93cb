//! Commands that send purge and warming orders, or read past ones.

pub mod history;
pub mod order_ids;
pub mod progress;
pub mod purge;
pub mod receipt;
pub mod selectors;
pub mod send_error;
pub mod send_orders;
pub mod split;
pub mod wait;
pub mod warm;
