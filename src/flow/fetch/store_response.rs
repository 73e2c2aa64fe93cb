//! Stores a response and makes the client's response of it.

use super::fetch_outcome::{FetchOutcome, FetchResult};
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::reuse::Age;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::reply::{Client, from_entry};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, Tier};
use crate::flow::store::kv::Copies;
use crate::flow::store::memory_tier;
use crate::flow::store::query_alias;

/// Stores a response and returns the client's response.
pub fn store<H: Host>(
    cx: RequestCx<'_, H>,
    copies: Copies,
    body: Option<H::Body>,
    client: Client,
    log: &mut RequestLog,
) -> FetchResult<H::Body> {
    let Copies {
        mut store_request,
        kv_refusal,
    } = copies;
    let age = age_on_arrival(&store_request.entry);
    log.set_age(age);
    let head = from_entry(&store_request.entry, cx.lookup, client, age);
    let for_client = head.sends_body;
    query_alias::store_alias(cx, &store_request);
    let outcome = FetchOutcome {
        stored: log_copies(log, &store_request.places),
        ttl: Some(age.ttl),
        kv_refusal,
        ..FetchOutcome::default()
    };
    memory_tier::drop_older(cx.isolate, &mut store_request);
    let mut index = cx.isolate.index.borrow_mut();
    index
        .unconfirmed
        .record_fetch(store_request.entry.fetched());
    drop(index);
    let body = cx.host.store_entry(body, store_request, for_client);
    FetchResult {
        answer: head.with(body),
        outcome,
    }
}

/// Logs the tiers that get copies, and returns them.
pub fn log_copies(log: &mut RequestLog, places: &[(Tier, Slot)]) -> Vec<Tier> {
    let tiers: Vec<Tier> = places.iter().map(|(tier, _)| *tier).collect();
    log.stores.extend(tiers.iter().map(|tier| tier.word()));
    // The Cache API comes first.
    if let Some((_, slot)) = places.first() {
        log.entry = Some(slot.entry_url.clone());
    }
    tiers
}

/// The age and freshness of an entry when it arrives from the origin.
pub fn age_on_arrival(entry: &Entry) -> Age {
    let clamped = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    Age {
        age: entry.initial_age,
        ttl: clamped(entry.terms.lifetime).saturating_sub(clamped(entry.initial_age)),
    }
}
