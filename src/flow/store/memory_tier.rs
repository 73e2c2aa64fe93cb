//! Serves responses from the isolate's own memory, without any I/O.

use super::lookup::Hit;
use crate::cache::policy::reuse::{Age, ReuseVerdict, Unusable, judge};
use crate::cache::store::memory::{MEMORY_MS_MAX, MemoryCopy};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::{Answer, Client, from_entry};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, StoreObserver, StoreRequest, Tier};
use std::rc::Rc;

/// The tier's word in logs and `Cache-Status`.
pub const WORD: &str = "memory";

/// The copy in memory that fits a request, and how it may be used. A copy that
/// is older than [`MEMORY_MS_MAX`] is fresh no more. The caller has checked that
/// the purge index may decide.
pub fn find_in_memory<H: Host>(cx: RequestCx<'_, H>) -> Option<MemoryHit> {
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
    let memory = isolate.memory.borrow();
    let copies = match cx.observation {
        None => memory.find(&lookup.key.text),
        Some(_) => memory.peek(&lookup.key.text),
    };
    let (copy, verdict) = cx.with_index(|index| {
        let judged = copies
            .iter()
            .map(|copy| (copy, judge(&copy.entry, lookup, Some(index), now_ms)));
        let mut of_request =
            judged.filter(|(_, verdict)| !matches!(verdict, ReuseVerdict::OtherVariant(_)));
        of_request.next()
    })?;
    let is_current = now_ms < copy.until_ms;
    Some(MemoryHit {
        copy: Rc::clone(copy),
        verdict,
        is_current,
    })
}

/// A copy in memory.
pub struct MemoryHit {
    /// The copy.
    pub copy: Rc<MemoryCopy>,
    /// How the request may use it.
    pub verdict: ReuseVerdict,
    /// Whether it is young enough to be served at all.
    pub is_current: bool,
}

impl MemoryHit {
    /// Its age, if it is served.
    pub fn age(&self) -> Option<Age> {
        match self.verdict {
            ReuseVerdict::Fresh(age) if self.is_current => Some(age),
            _ => None,
        }
    }

    /// Logs that it is served.
    pub fn log(&self, age: Age, log: &mut RequestLog) {
        log.hit = true;
        log.cache = "hit";
        log.tier = Some(WORD);
        log.set_age(age);
        log.key = Some(self.copy.digest.clone());
        log.entry = Some(self.copy.entry_url.clone());
    }
}

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
    let hit = find_in_memory(cx)?;
    let Some(age) = hit.age() else {
        if matches!(
            hit.verdict,
            ReuseVerdict::Fresh(_) | ReuseVerdict::Unusable(Unusable::Purged)
        ) {
            drop_key(isolate, &hit.copy.entry.key);
        }
        return None;
    };
    let head = from_entry(&hit.copy.entry, lookup, Client::Waiting, age);
    let body = match head.sends_body {
        true => Some(host.body_of_copy(&hit.copy.body)?),
        false => None,
    };
    hit.log(age, log);
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
