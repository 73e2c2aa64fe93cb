//! Ends stored responses that the origin has replaced before their terms say
//! so. The copies in all tiers are updated; otherwise another data centre would
//! serve them if the origin fails.

use super::kv::{self, Copies};
use super::lookup::Hit;
use super::memory_tier;
use super::store_placement::StorePlacement;
use crate::cache::key::cache_key::Slot;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::freshness::{Terms, is_request_error};
use crate::cache::policy::storability::{NotStored, shows_changed_body};
use crate::cache::policy::window;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, StoreObserver, StoreRequest, Tier};
use crate::http::head::ResponseHead;

/// Marks a replaced response as outdated in all tiers but those in `replaced`,
/// where the new response takes its place. From now on the old one may only be
/// revalidated, not served.
pub fn outdate<H: Host>(
    cx: RequestCx<'_, H>,
    hit: Option<Hit<H::Body>>,
    placement: &StorePlacement,
    replaced: &[(Tier, Slot)],
    log: &mut RequestLog,
) {
    let Some(hit) = hit else {
        return;
    };
    if let Some(store_request) = outdated_copies(cx, hit.entry, placement, replaced, log) {
        cx.host.store_entry(hit.body, store_request, false);
    }
}

/// Marks a response as outdated after a 304 that validates it for this client
/// but forbids storing it. Returns the client's body.
pub fn withdraw<H: Host>(
    cx: RequestCx<'_, H>,
    hit: Hit<H::Body>,
    placement: &StorePlacement,
    for_client: bool,
    log: &mut RequestLog,
) -> Option<H::Body> {
    match outdated_copies(cx, hit.entry, placement, &[], log) {
        Some(store_request) => cx.host.store_entry(hit.body, store_request, for_client),
        None => hit.body.filter(|_| for_client),
    }
}

/// The copies of a response that ends; `None` if its windows are over, or it
/// has no slot.
///
/// If a HEAD response has shown a change (RFC 9111 §4.3.5) or was an error, the
/// stored one becomes stale now. It may still be served if the origin fails,
/// because there is no other.
fn outdated_copies<H: Host>(
    cx: RequestCx<'_, H>,
    entry: Entry,
    placement: &StorePlacement,
    replaced: &[(Tier, Slot)],
    log: &mut RequestLog,
) -> Option<StoreRequest> {
    let age = entry.age(cx.now_ms());
    if age >= window::unusable_at(&entry.terms) {
        return None;
    }
    let mut store_request = kv::copies_except(cx, entry, placement, replaced, log).store_request;
    let terms = store_request.entry.terms;
    store_request.entry.terms = match cx.lookup.head_only {
        true => Terms {
            lifetime: terms.lifetime.min(age),
            stale_if_error: terms.stale_if_error,
            ..Terms::default()
        },
        false => Terms::default(),
    };
    let has_place = !store_request.places.is_empty();
    has_place.then(|| {
        memory_tier::drop_older(cx.isolate, &mut store_request);
        store_request
    })
}

/// The copies of a stored response that the origin has confirmed. If it is no
/// longer fresh at any time, the copies go to every slot of the previous one:
/// KV does not admit such responses, and would keep the fresh one.
pub fn confirmed_copies<H: Host>(
    cx: RequestCx<'_, H>,
    entry: Entry,
    stored: &Entry,
    placement: &StorePlacement,
    observer: &StoreObserver,
    log: &mut RequestLog,
) -> Copies {
    if entry.terms.lifetime > 0 || stored.terms.lifetime == 0 {
        return kv::copies_of(cx, entry, placement, observer, log);
    }
    let mut copies = kv::copies_of(cx, stored.clone(), placement, observer, log);
    copies.store_request.entry = entry;
    copies
}

/// Whether a response that is not stored, for `reason`, shows that the stored
/// one is outdated. Not if it depends on this client or its request, or if it
/// is a HEAD response that matches the stored one.
pub fn replaces_stored(
    lookup: &Lookup,
    stored: Option<&Entry>,
    reason: Option<NotStored>,
    head: &Result<ResponseHead, OriginFailure>,
) -> bool {
    let Ok(head) = head else { return false };
    let about_client = lookup.authorized || reason == Some(NotStored::RequestNoStore);
    let definite = head.status < 500 && !is_request_error(head.status);
    let another = reason != Some(NotStored::Head)
        || stored.is_none_or(|stored| shows_changed_body(stored, head));
    !about_client && definite && another
}
