//! Signposts: if a rule uses `No-Vary-Search`, an entry without a body is
//! stored under the path alone. It says which query parameters do not matter,
//! so the next request with other parameters finds the same response.
//!
//! A signpost only changes the key; the entry found there is judged like any
//! other.

use super::kv::{self, Attempt};
use crate::cache::config::rule::Kv;
use crate::cache::key::cache_key::CacheKey;
use crate::cache::key::no_vary_search::{FIELD, Policy};
use crate::cache::policy::entry::Entry;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, StoreRequest, Tier};
use crate::http::fields::Fields;
use std::rc::Rc;

/// The lookup with the reduced query, if there is a signpost.
pub async fn resolve_alias<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Option<Lookup> {
    if !cx.lookup.rule.no_vary_search || cx.lookup.requested.url.query.is_none() {
        return None;
    }
    boxed(read_alias(cx, log)).await
}

async fn read_alias<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Option<Lookup> {
    let RequestCx { host, lookup, .. } = cx;
    let alias = alias_key(&lookup.requested);
    let slot = alias.slot();
    for tier in [Tier::CacheApi, Tier::Kv] {
        if tier == Tier::Kv && lookup.rule.kv == Kv::Never {
            continue;
        }
        // If a tier fails, it has no signpost, and the lookup uses the whole
        // query.
        let content = match tier {
            Tier::CacheApi => {
                log.reads.push(tier.word());
                host.read_slot(tier, slot).await
            }
            Tier::Kv => kv::read_slot(cx, slot, Attempt::First, log).await,
        };
        let Ok(Some((text, _))) = content else {
            continue;
        };
        let entry = Entry::decode(&text)
            .ok()
            .filter(|entry| entry.is_of(&alias));
        let policy = entry.and_then(|entry| Policy::of(&entry.fields));
        return policy.map(|policy| Lookup {
            key: Rc::new(
                lookup
                    .requested
                    .with_url(policy.reduce(&lookup.requested.url)),
            ),
            ..(**lookup).clone()
        });
    }
    None
}

/// The lookup with the key that the response's own policy gives, for storing.
pub fn lookup_by_response(lookup: &Lookup, fields: &Fields) -> Option<Lookup> {
    lookup.rule.no_vary_search.then(|| {
        let policy = Policy::of(fields);
        let requested = &lookup.requested;
        let key = match policy {
            Some(policy) => Rc::new(requested.with_url(policy.reduce(&requested.url))),
            None => Rc::clone(requested),
        };
        Lookup {
            key,
            ..lookup.clone()
        }
    })
}

/// Stores or overwrites the signpost for a response that is being stored, in
/// the tiers that get the response.
pub fn store_alias<H: Host>(cx: RequestCx<'_, H>, store_request: &StoreRequest) {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    if !lookup.rule.no_vary_search || lookup.requested.url.query.is_none() {
        return;
    }
    let alias = alias_key(&lookup.requested);
    let StoreRequest { entry, places, .. } = store_request;
    let policy = entry.fields.joined(FIELD).map(|value| (FIELD, value));
    let entry = Entry {
        key: alias.text.clone(),
        length: Some(0),
        choices: Vec::new(),
        fields: policy.into_iter().collect(),
        ..entry.clone()
    };
    let places: Vec<_> = places
        .iter()
        .map(|(tier, _)| (*tier, alias.slot().clone()))
        .collect();
    if places.iter().any(|(tier, _)| *tier == Tier::Kv) {
        kv::count_write(isolate);
    }
    let store_request = StoreRequest {
        entry,
        places,
        observer: kv::write_observer(host, isolate),
    };
    host.store_entry(None, store_request, false);
}

/// The key of the signpost for all queries of a path.
fn alias_key(key: &CacheKey) -> CacheKey {
    let mut url = key.url.clone();
    url.query = None;
    let mut alias = key.with_url(url);
    alias.add("signpost", FIELD, None);
    alias
}
