//! Stored answers whose time the origin has ended before their terms say so:
//! the copies in all tiers learn of it, or another data centre would show them
//! should the origin fail.

use crate::cache::key::cache_key::Slot;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::freshness::{Terms, blames_request};
use crate::cache::policy::storability::{NotStored, shows_changed_body};
use crate::cache::policy::window;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, StoreObserver, StoreRequest, Tier};
use crate::flow::store::kv::{self, Copies};
use crate::flow::store::lookup::Hit;
use crate::flow::store::memory_tier;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::head::ResponseHead;

/// The origin has another answer now, which takes the place of the stored one
/// in these tiers or in none: elsewhere the stored one may only be confirmed
/// from now on, not served.
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
    if let Some(keep) = ended(cx, hit.entry, placement, replaced, log) {
        cx.host.keep(hit.body, keep, false);
    }
}

/// The same where the origin's 304 says that the stored answer is good for this
/// client, and may not be stored any more. Gives the client's body.
pub fn withdraw<H: Host>(
    cx: RequestCx<'_, H>,
    hit: Hit<H::Body>,
    placement: &StorePlacement,
    for_client: bool,
    log: &mut RequestLog,
) -> Option<H::Body> {
    match ended(cx, hit.entry, placement, &[], log) {
        Some(keep) => cx.host.keep(hit.body, keep, for_client),
        None => hit.body.filter(|_| for_client),
    }
}

/// The copies of an answer that ends; `None` if it has no time left, or no
/// place. If HEAD has shown that there is another (RFC 9111 §4.3.5), or was
/// refused, the stored one is stale as of now, and still all that there is
/// should the origin fail.
fn ended<H: Host>(
    cx: RequestCx<'_, H>,
    entry: Entry,
    placement: &StorePlacement,
    replaced: &[(Tier, Slot)],
    log: &mut RequestLog,
) -> Option<StoreRequest> {
    let age = entry.age(cx.now_ms());
    if age >= window::gone_at(&entry.terms) {
        return None;
    }
    let mut keep = kv::copies_but(cx, entry, placement, replaced, log).keep;
    let terms = keep.entry.terms;
    keep.entry.terms = match cx.lookup.head_only {
        true => Terms {
            lifetime: terms.lifetime.min(age),
            stale_if_error: terms.stale_if_error,
            ..Terms::default()
        },
        false => Terms::default(),
    };
    let has_place = !keep.places.is_empty();
    has_place.then(|| {
        memory_tier::outdate(cx.isolate, &mut keep);
        keep
    })
}

/// The copies of a stored answer that the origin has confirmed. If it is never
/// fresh from now on, they go wherever the stored one may be: KV gets no such
/// answers, and would keep what it has.
pub fn confirmed<H: Host>(
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
    copies.keep.entry = entry;
    copies
}

/// Whether a response, which is not stored for this reason, shows that the
/// stored one is out of date: not if it is about this client or its request, or
/// is a head that would fit the stored one as well.
pub fn replaces_stored(
    lookup: &Lookup,
    stored: Option<&Entry>,
    reason: Option<NotStored>,
    head: &Result<ResponseHead, OriginFailure>,
) -> bool {
    let Ok(head) = head else { return false };
    let about_client = lookup.authorized || reason == Some(NotStored::RequestNoStore);
    let definite = head.status < 500 && !blames_request(head.status);
    let another = reason != Some(NotStored::Head)
        || stored.is_none_or(|stored| shows_changed_body(stored, head));
    !about_client && definite && another
}
