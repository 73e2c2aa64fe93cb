//! The context that every step of a request needs.

use super::state::Isolate;
use crate::cache::request::classify::Lookup;
use crate::flow::runtime::host::Host;
use std::cell::Cell;
use std::rc::Rc;

/// The context of a request that is looked up, passed as one value.
#[derive(Debug)]
pub struct RequestCx<'a, H> {
    /// The platform.
    pub host: &'a H,
    /// The state that the requests of this isolate share.
    pub isolate: &'a Rc<Isolate>,
    /// The key, the rule and the client's fields.
    pub lookup: &'a Rc<Lookup>,
    /// How many milliseconds the request has waited for the ledger. One limit
    /// applies to the sum of all waits (`flow::purge::sync`).
    pub ledger_wait_ms: &'a Cell<u64>,
}

impl<'a, H: Host> RequestCx<'a, H> {
    /// The same context with another key, range or set of conditions.
    pub fn with_lookup(self, lookup: &'a Rc<Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.host.now_ms()
    }

    /// The host name of the request. Cloudflare has a Cache API per zone.
    pub fn site(&self) -> &'a str {
        &self.lookup.key.url.host
    }
}

// `derive` would require `H: Copy`.
impl<H> Clone for RequestCx<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for RequestCx<'_, H> {}
