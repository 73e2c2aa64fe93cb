//! Serves responses from the isolate's own memory, without any I/O.

use super::lookup::Hit;
use crate::cache::policy::reuse::{ReuseVerdict, Unusable, judge};
use crate::cache::store::memory::{MEMORY_MS_MAX, MemoryCopy};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::{Answer, Client, from_entry};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, StoreObserver, StoreRequest, Tier};
use std::rc::Rc;

/// The tier's word in logs and `Cache-Status`.
const WORD: &str = "memory";

/// The response from memory, if a copy there is fresh. In all other cases the
/// tiers decide, which may hold a newer one. The caller has checked that the
/// purge index may decide.
pub fn serve_from_memory<H: Host>(
    cx: RequestCx<'_, H>,
    log: &mut RequestLog,
) -> Option<Answer<H::Body>> {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    if !lookup.rule.memory {
        return None;
    }
    let now_ms = host.now_ms();
    let found = {
        let (memory, index) = (isolate.memory.borrow(), isolate.index.borrow());
        let copies = memory.find(&lookup.key.text).iter();
        copies
            .map(|copy| (copy, judge(&copy.entry, lookup, Some(&index), now_ms)))
            .find(|(_, verdict)| !matches!(verdict, ReuseVerdict::OtherVariant(_)))
            .map(|(copy, verdict)| (Rc::clone(copy), verdict))
    };
    let (copy, verdict) = found?;
    let age = match verdict {
        ReuseVerdict::Fresh(age) if now_ms < copy.until_ms => age,
        ReuseVerdict::Fresh(_) | ReuseVerdict::Unusable(Unusable::Purged) => {
            drop_key(isolate, &copy.entry.key);
            return None;
        }
        _ => return None,
    };
    let head = from_entry(&copy.entry, lookup, Client::Waiting, age);
    let body = match head.sends_body {
        true => Some(host.body_of_copy(&copy.body)?),
        false => None,
    };
    log.hit = true;
    log.cache = "hit";
    log.tier = Some(WORD);
    log.detail.insert(0, WORD);
    log.set_age(age);
    log.key = Some(copy.digest.clone());
    log.entry = Some(copy.entry_url.clone());
    Some(head.with(body))
}

/// Drops older copies of an entry that is being stored: now, and again when the
/// new one can be read from the Cache API. Until then the older one is found
/// there, and may be copied again.
pub fn drop_older(isolate: &Rc<Isolate>, store_request: &mut StoreRequest) {
    let key = store_request.entry.key.clone();
    drop_key(isolate, &key);
    let isolate = Rc::clone(isolate);
    let observer = StoreObserver::new(move |tier, outcome| {
        if tier == Tier::CacheApi && outcome.is_ok() {
            drop_key(&isolate, &key);
        }
    });
    store_request.observer = store_request.observer.clone().and(observer);
}

fn drop_key(isolate: &Isolate, key: &str) {
    isolate.memory.borrow_mut().drop_key(key);
}

/// Copies a fresh hit of the Cache API into memory in the background, if it is
/// requested often enough.
pub fn copy_to_memory<H: Host>(cx: RequestCx<'_, H>, hit: &Hit<H::Body>) {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    // Field values that are not UTF-8 exist only in the runtime, for one
    // request.
    let may = lookup.rule.memory && hit.age.ttl > 0 && hit.entry.fields.are_readable();
    let Some(body) = hit.body.as_ref().filter(|_| may) else {
        return;
    };
    if !isolate.memory.borrow_mut().admits(&hit.entry) {
        return;
    }
    let number = isolate.memory.borrow_mut().begin_copy(&hit.entry.key);
    let entry = Rc::new(hit.entry.clone());
    let (digest, entry_url) = (hit.slot.digest.clone(), hit.slot.entry_url.clone());
    let until_ms = host.now_ms().saturating_add(MEMORY_MS_MAX);
    let (isolate, length) = (Rc::clone(isolate), hit.entry.length);
    host.copy_body(
        body,
        Box::new(move |body, bytes| {
            // A different length means that the body was cut.
            if length == Some(bytes) {
                let copy = MemoryCopy {
                    entry,
                    body,
                    digest,
                    entry_url,
                    until_ms,
                };
                isolate.memory.borrow_mut().end_copy(copy, number);
            }
        }),
    );
}
