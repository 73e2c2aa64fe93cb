//! Orders the events of a request. This is the only async code; all I/O goes
//! through one trait, [`runtime::host::Host`].

pub mod endpoints;
pub mod esi;
pub mod explain;
pub mod fetch;
pub mod handle;
pub mod isolate;
pub mod ledger;
pub mod origin;
pub mod purge;
pub mod request;
pub mod response;
pub mod runtime;
pub mod shadow;
pub mod stats;
pub mod store;
pub mod warm;
