//! Signposts: where a rule heeds `No-Vary-Search`, an entry without a body
//! lies under the path alone and tells which parameters of a query do not
//! matter there, so that the next request with others finds the answer.
//!
//! A signpost only leads: the entry it leads to is judged like any other.

use super::fetch::tiers_for;
use super::host::{Host, Keep, Landed, Tier};
use super::report::Report;
use crate::cache::entry::Entry;
use crate::cache::key::CacheKey;
use crate::cache::no_vary_search::{FIELD, Policy};
use crate::cache::request::Lookup;
use crate::cache::rules::Kv;
use crate::http::fields::Fields;

/// The lookup with what matters of its query, if there is a signpost.
pub async fn follow<H: Host>(host: &H, lookup: &Lookup, report: &mut Report) -> Option<Lookup> {
    if !lookup.rule.no_vary_search || lookup.asked.url.query.is_none() {
        return None;
    }
    let post = post_of(&lookup.asked);
    let slot = post.slot();
    for tier in [Tier::CacheApi, Tier::Kv] {
        if tier == Tier::Kv && lookup.rule.kv == Kv::Never {
            continue;
        }
        report.reads.push(tier.word());
        // A tier that fails has no signpost: the answer is looked for by the
        // whole query.
        let Ok(Some((text, _))) = host.recall(tier, &slot).await else {
            continue;
        };
        let entry = Entry::decode(&text).ok().filter(|entry| entry.is_of(&post));
        let policy = entry.and_then(|entry| Policy::of(&entry.fields));
        return policy.map(|policy| Lookup {
            key: lookup.asked.with_url(policy.reduce(&lookup.asked.url)),
            ..lookup.clone()
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
            Some(policy) => asked.with_url(policy.reduce(&asked.url)),
            None => asked.clone(),
        };
        Lookup {
            key,
            ..lookup.clone()
        }
    })
}

/// Puts up, or takes down, the signpost for an answer that is being stored.
pub fn put_up<H: Host>(host: &H, lookup: &Lookup, entry: &Entry) {
    if !lookup.rule.no_vary_search || lookup.asked.url.query.is_none() {
        return;
    }
    let post = post_of(&lookup.asked);
    let policy = entry.fields.joined(FIELD).map(|value| (FIELD, value));
    let entry = Entry {
        key: post.text.clone(),
        length: Some(0),
        choices: Vec::new(),
        fields: policy.into_iter().collect(),
        ..entry.clone()
    };
    let tiers = tiers_for(lookup, &entry).into_iter();
    let places = tiers.map(|tier| (tier, post.slot())).collect();
    let keep = Keep {
        entry,
        places,
        landed: Landed::default(),
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
