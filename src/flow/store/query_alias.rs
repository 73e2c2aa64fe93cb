//! Signposts: where a rule heeds `No-Vary-Search`, an entry without a body
//! lies under the path alone and tells which parameters of a query do not
//! matter there, so that the next request with others finds the answer.
//!
//! A signpost only leads: the entry it leads to is judged like any other.

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

/// The lookup with what matters of its query, if there is a signpost.
pub async fn follow<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Option<Lookup> {
    if !cx.lookup.rule.no_vary_search || cx.lookup.asked.url.query.is_none() {
        return None;
    }
    boxed(read(cx, log)).await
}

async fn read<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Option<Lookup> {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    let post = post_of(&lookup.asked);
    let slot = post.slot();
    for tier in [Tier::CacheApi, Tier::Kv] {
        if tier == Tier::Kv && lookup.rule.kv == Kv::Never {
            continue;
        }
        // A tier that fails has no signpost: the answer is looked for by the
        // whole query.
        let held = match tier {
            Tier::CacheApi => {
                log.reads.push(tier.word());
                host.recall(tier, slot).await
            }
            Tier::Kv => kv::recall(host, isolate, slot, Attempt::First, log).await,
        };
        let Ok(Some((text, _))) = held else {
            continue;
        };
        let entry = Entry::decode(&text).ok().filter(|entry| entry.is_of(&post));
        let policy = entry.and_then(|entry| Policy::of(&entry.fields));
        return policy.map(|policy| Lookup {
            key: Rc::new(lookup.asked.with_url(policy.reduce(&lookup.asked.url))),
            ..(**lookup).clone()
        });
    }
    None
}

/// The lookup as the answer's own policy wants it, for storing.
pub fn by_answer(lookup: &Lookup, fields: &Fields) -> Option<Lookup> {
    lookup.rule.no_vary_search.then(|| {
        let policy = Policy::of(fields);
        let asked = &lookup.asked;
        let key = match policy {
            Some(policy) => Rc::new(asked.with_url(policy.reduce(&asked.url))),
            None => Rc::clone(asked),
        };
        Lookup {
            key,
            ..lookup.clone()
        }
    })
}

/// Puts up, or takes down, the signpost for an answer that is being stored, in
/// the tiers that get the answer.
pub fn store_alias<H: Host>(cx: RequestCx<'_, H>, keep: &StoreRequest) {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    if !lookup.rule.no_vary_search || lookup.asked.url.query.is_none() {
        return;
    }
    let post = post_of(&lookup.asked);
    let StoreRequest { entry, places, .. } = keep;
    let policy = entry.fields.joined(FIELD).map(|value| (FIELD, value));
    let entry = Entry {
        key: post.text.clone(),
        length: Some(0),
        choices: Vec::new(),
        fields: policy.into_iter().collect(),
        ..entry.clone()
    };
    let places: Vec<_> = places
        .iter()
        .map(|(tier, _)| (*tier, post.slot().clone()))
        .collect();
    if places.iter().any(|(tier, _)| *tier == Tier::Kv) {
        kv::count(isolate);
    }
    let keep = StoreRequest {
        entry,
        places,
        landed: kv::watch(host, isolate),
    };
    host.keep(None, keep, false);
}

/// The key of the signpost for all queries of a path.
fn post_of(key: &CacheKey) -> CacheKey {
    let mut url = key.url.clone();
    url.query = None;
    let mut post = key.with_url(url);
    post.add("signpost", FIELD, None);
    post
}
