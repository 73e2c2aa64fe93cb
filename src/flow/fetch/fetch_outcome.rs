//! What a request hands to the exchange with the origin, and what it gets back.

use super::stale_candidate::StaleCandidate;
use crate::cache::origin::failure::OriginFailure;
use crate::flow::isolate::inflight::Flight;
use crate::flow::response::reply::Answer;
use crate::flow::runtime::host::{StoreObserver, Tier};
use crate::flow::store::kv::KvRefusal;
use crate::flow::store::lookup::{Hit, TiersRead};
use crate::flow::store::store_placement::StorePlacement;
use std::rc::Rc;

/// What the lookup found before the origin is asked, and who observes the copy.
pub struct FetchContext<B> {
    /// The stored response that the origin is to confirm or replace.
    pub stale: Option<StaleCandidate<B>>,
    /// The stored start of the body, which the origin is to complete.
    pub part: Option<Hit<B>>,
    /// The slots in which the response may be stored.
    pub placement: StorePlacement,
    /// Which tiers have been read, and when.
    pub tiers_read: TiersRead,
    /// The flight that the request leads, if others may follow it.
    pub flight: Option<Rc<Flight>>,
    /// Observes what becomes of the copies.
    pub observer: StoreObserver,
}

impl<B> FetchContext<B> {
    /// The context of a request that nobody follows.
    pub fn alone(
        stale: Option<StaleCandidate<B>>,
        placement: StorePlacement,
        tiers_read: TiersRead,
    ) -> Self {
        Self {
            stale,
            part: None,
            placement,
            tiers_read,
            flight: None,
            observer: StoreObserver::default(),
        }
    }
}

/// How the exchange with the origin ended. The log is written beside it; what
/// the flow decides next depends on this value alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchOutcome {
    /// Status of the origin's response; `None` if there was none.
    pub status: Option<u16>,
    /// Why the origin gave no response that could be used.
    pub failure: Option<OriginFailure>,
    /// The tiers to which a copy is on its way.
    pub stored: Vec<Tier>,
    /// Seconds of freshness left in what the client gets; not positive if it is
    /// stale, `None` if it is not from an entry.
    pub ttl: Option<i64>,
    /// Why the response is not stored, in a word of `Cache-Status`.
    pub refusal: Option<&'static str>,
    /// Why KV gets no copy, although the policy allows one.
    pub kv_refusal: Option<KvRefusal>,
    /// Whether the response depends on the request's own preferences, so that
    /// other requests for this key may get another one.
    pub for_its_kind: bool,
}

impl FetchOutcome {
    /// Whether a copy that others can be served is on its way to the Cache API.
    pub fn is_shared(&self) -> bool {
        self.stored.contains(&Tier::CacheApi) && self.is_fresh()
    }

    /// Whether what the client gets is a fresh entry.
    pub fn is_fresh(&self) -> bool {
        self.ttl.is_some_and(|ttl| ttl > 0)
    }
}

/// The client's response, and what became of the exchange.
pub struct FetchResult<B> {
    /// For the client.
    pub answer: Answer<B>,
    /// For the flow.
    pub outcome: FetchOutcome,
}
