//! Answering from a stored response: a hit, fresh or stale.

use super::fetch::note_stores;
use super::find::Hit;
use super::host::{Host, Keep, Tier};
use super::isolate::Isolate;
use super::reply::{Answer, Client, from_entry};
use super::report::Report;
use super::store_placement::StorePlacement;
use super::{kv, memory};
use crate::cache::request::Lookup;
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
            memory::consider(host, isolate, lookup, &hit);
        }
        return head.with(hit.body);
    }
    let Some(slot) = taken.slot_for(Tier::CacheApi, lookup, &hit.entry) else {
        return head.with(hit.body);
    };
    let places = vec![(Tier::CacheApi, slot)];
    note_stores(report, &places);
    let for_client = head.wants_body;
    let keep = Keep {
        entry: hit.entry,
        places,
        landed: report.landed.clone().and(kv::doubt(isolate, &hit.slot)),
    };
    head.with(host.keep(hit.body, keep, for_client))
}
