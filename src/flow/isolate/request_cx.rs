//! The context that every step of a request needs.

use super::observation::Observation;
use super::state::Isolate;
use crate::cache::purge::index::PurgeIndex;
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
    /// Set if the lookup only explains, and must change nothing.
    pub observation: Option<&'a Observation>,
}

impl<'a, H: Host> RequestCx<'a, H> {
    /// The same context with another key, range or set of conditions.
    pub fn with_lookup(self, lookup: &'a Rc<Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// Calls `decide` with the purge index.
    pub fn with_index<T>(&self, decide: impl FnOnce(&PurgeIndex) -> T) -> T {
        match self.observation.and_then(|found| found.index.as_ref()) {
            Some(index) => decide(index),
            None => decide(&self.isolate.index.borrow()),
        }
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
