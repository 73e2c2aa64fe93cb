//! Answering from a stored response: a hit, fresh or stale.

use super::exchange::note_stores;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::{Answer, Client, from_entry};
use crate::flow::response::request_log::Report;
use crate::flow::runtime::host::{Host, StoreRequest, Tier};
use crate::flow::store::kv;
use crate::flow::store::lookup::Hit;
use crate::flow::store::memory_tier;
use crate::flow::store::store_placement::StorePlacement;
use std::rc::Rc;

/// A hit. One found in KV is copied to the Cache API on its way.
pub fn from_cache<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    hit: Hit<H::Body>,
    taken: &StorePlacement,
    report: &mut Report,
) -> Answer<H::Body> {
    // RFC 9211 §2.1: a hit is what was not asked for.
    report.hit = !report.collapsed;
    report.cache = match report.collapsed {
        true => "collapsed",
        false if hit.age.ttl > 0 => "hit",
        false => "stale",
    };
    report.set_tier(hit.tier);
    report.set_age(hit.age);
    report.entry = Some(hit.slot.entry_url.clone());
    let head = from_entry(&hit.entry, lookup, Client::Waiting, hit.age);
    if hit.tier == Tier::CacheApi {
        if head.wants_body {
            memory_tier::consider(host, isolate, lookup, &hit);
        }
        return head.with(hit.body);
    }
    let Some(slot) = taken.slot_for(Tier::CacheApi, lookup, &hit.entry) else {
        return head.with(hit.body);
    };
    let places = vec![(Tier::CacheApi, slot)];
    note_stores(report, &places);
    let for_client = head.wants_body;
    let keep = StoreRequest {
        entry: hit.entry,
        places,
        landed: report.landed.clone().and(kv::doubt(isolate, &hit.slot)),
    };
    head.with(host.keep(hit.body, keep, for_client))
}
