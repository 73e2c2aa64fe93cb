//! Serves a stored response: a hit, fresh or stale.

use super::fetch_outcome::{FetchOutcome, FetchResult};
use super::store_response::log_copies;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::reply::{Client, from_entry};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, StoreObserver, StoreRequest, Tier};
use crate::flow::store::kv;
use crate::flow::store::lookup::Hit;
use crate::flow::store::memory_tier;
use crate::flow::store::store_placement::StorePlacement;

/// Serves a stored response. One from KV is also copied to the Cache API.
/// `collapsed` says that another request fetched it for this one, so it is not
/// a hit (RFC 9211 §2.1).
pub fn from_cache<H: Host>(
    cx: RequestCx<'_, H>,
    hit: Hit<H::Body>,
    placement: &StorePlacement,
    observer: &StoreObserver,
    collapsed: bool,
    log: &mut RequestLog,
) -> FetchResult<H::Body> {
    log_hit(&hit, collapsed, log);
    let mut outcome = FetchOutcome {
        ttl: Some(hit.age.ttl),
        ..FetchOutcome::default()
    };
    let head = from_entry(&hit.entry, cx.lookup, Client::Waiting, hit.age);
    let slot = match hit.tier {
        Tier::CacheApi => {
            if head.sends_body {
                memory_tier::copy_to_memory(cx, &hit);
            }
            None
        }
        Tier::Kv => placement.slot_for(Tier::CacheApi, cx.lookup, &hit.entry),
    };
    let body = match slot {
        None => hit.body,
        Some(slot) => {
            let places = vec![(Tier::CacheApi, slot)];
            outcome.stored = log_copies(log, &places);
            let store_request = StoreRequest {
                entry: hit.entry,
                places,
                observer: observer
                    .clone()
                    .and(kv::body_observer(cx.isolate, &hit.slot)),
            };
            cx.host
                .store_entry(hit.body, store_request, head.sends_body)
        }
    };
    FetchResult {
        answer: head.with(body),
        outcome,
    }
}

/// Logs that a stored response is served.
pub fn log_hit<B>(hit: &Hit<B>, collapsed: bool, log: &mut RequestLog) {
    log.hit = !collapsed;
    log.cache = match collapsed {
        true => "collapsed",
        false if hit.age.ttl > 0 => "hit",
        false => "stale",
    };
    log.set_tier(hit.tier);
    log.set_age(hit.age);
    log.entry = Some(hit.slot.entry_url.clone());
}
