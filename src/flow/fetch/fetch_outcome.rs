//! The input and the result of an exchange with the origin.

use super::stale_candidate::StaleCandidate;
use crate::cache::origin::failure::OriginFailure;
use crate::flow::isolate::inflight::Flight;
use crate::flow::response::reply::Answer;
use crate::flow::runtime::host::{StoreObserver, Tier};
use crate::flow::store::kv::KvRefusal;
use crate::flow::store::lookup::{Hit, TiersRead};
use crate::flow::store::store_placement::StorePlacement;
use std::rc::Rc;

/// What the lookup found before the fetch, and the observer of the copies.
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
    /// Observes the result of each store.
    pub observer: StoreObserver,
}

impl<B> FetchContext<B> {
    /// The context of a request that leads no flight.
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

/// How the exchange with the origin ended. The log record is written
/// separately; the flow's next decisions depend on this value only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchOutcome {
    /// Status of the origin's response; `None` if there was none.
    pub status: Option<u16>,
    /// Why the origin gave no usable response.
    pub failure: Option<OriginFailure>,
    /// The tiers to which a copy is being written.
    pub stored: Vec<Tier>,
    /// Seconds of freshness left in the client's response. Zero or negative if
    /// it is stale; `None` if it is not from an entry.
    pub ttl: Option<i64>,
    /// Why the response is not stored, as a word of `Cache-Status`.
    pub refusal: Option<&'static str>,
    /// Why KV gets no copy, although the policy allows one.
    pub kv_refusal: Option<KvRefusal>,
    /// Whether the response depends on the request's own preferences, so other
    /// requests for this key may get a different one.
    pub for_its_kind: bool,
}

impl FetchOutcome {
    /// Whether a copy that can serve others is being written to the Cache API.
    pub fn is_shared(&self) -> bool {
        self.stored.contains(&Tier::CacheApi) && self.is_fresh()
    }

    /// Whether the client's response is from a fresh entry.
    pub fn is_fresh(&self) -> bool {
        self.ttl.is_some_and(|ttl| ttl > 0)
    }
}

/// The client's response and the outcome of the exchange.
pub struct FetchResult<B> {
    /// The client's response.
    pub answer: Answer<B>,
    /// The outcome, for the flow.
    pub outcome: FetchOutcome,
}
