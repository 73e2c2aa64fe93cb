//! The effects of switches on values that pass between the flow and the world.

use super::executor::Life;
use super::host::SimHost;
use super::page::{Bytes, STAMP, name_text};
use super::setup::COOKIE;
use super::switches::Switch;
use super::world::World;
use edgekeep::cache::config::keys::DEFAULT_KEY;
use edgekeep::cache::key::cache_key::{CacheKey, Slot};
use edgekeep::cache::ledger::sequence::Numbers;
use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::selector;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::flow::runtime::host::{Host, Tier};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{RequestHead, ResponseHead};
use std::borrow::Cow;

/// The name of the note with the snapshot (`flow::purge::sync`).
pub const SNAPSHOT: &str = "purges";

/// The source of an entry.
#[derive(PartialEq, Eq)]
enum Source {
    /// A complete response of the origin.
    Fill,
    /// A revalidation by the origin.
    Revalidation,
    /// A tier.
    Copy,
}

fn source(host: &SimHost, entry: &Entry) -> Source {
    let stamp = entry.fields.get(STAMP).and_then(|text| text.parse().ok());
    let stamp = stamp.unwrap_or(0_u64);
    if host.exchange.confirmed.borrow().contains(&stamp) {
        Source::Revalidation
    } else if host.exchange.stamps.borrow().contains(&stamp) {
        Source::Fill
    } else {
        Source::Copy
    }
}

/// Changes an entry when it is handed over for storing.
pub fn entry_at_once(host: &SimHost, entry: &mut Entry) {
    let source = source(host, entry);
    match host.world.switch {
        Some(Switch::SeenOfCopyAtOnce) if source == Source::Copy => {
            entry.seen = host.seat.isolate.seen();
        }
        Some(Switch::TagsDroppedBy304) if source == Source::Revalidation => {
            let page = &host.world.origin.pages[host.exchange.page].setup;
            if page.terse_304 {
                entry.tags.clear();
                entry.marks = selector::marks(&page.url(), &[], &[]);
            }
        }
        _ => {}
    }
}

/// Changes an entry when it is written to a tier.
pub fn entry_at_landing(host: &SimHost, entry: &mut Entry) {
    let source = source(host, entry);
    let late = match host.world.switch {
        Some(Switch::SeenAfterFill) => source == Source::Fill,
        Some(Switch::SeenAfter304) => source == Source::Revalidation,
        Some(Switch::SeenOfCopy) => source == Source::Copy,
        _ => false,
    };
    if late {
        entry.seen = host.seat.isolate.seen();
    }
    match host.world.switch {
        Some(Switch::CopiesCountAsNew) if source == Source::Copy => {
            entry.received_ms = host.now_ms()
        }
        Some(Switch::OriginTimeNotCounted) => entry.initial_age = 0,
        Some(Switch::StaleIfErrorIgnored) => entry.terms.stale_if_error = 0,
        _ => {}
    }
}

/// Whether a body that is to be stored is complete.
pub fn is_whole(host: &SimHost, entry: &Entry, body: Option<&Bytes>) -> bool {
    let switch = host.world.switch;
    body.is_none_or(|body| {
        let length = body.text.len() as u64;
        let fits = entry.length.is_none_or(|expected| expected == length);
        let broken = body.broken && switch != Some(Switch::BrokenBodiesStored);
        let compared = switch != Some(Switch::LengthNotCompared);
        !broken && (fits || !compared)
    })
}

/// Changes the request of a client.
pub fn request(world: &World, mut head: RequestHead) -> RequestHead {
    if world.switch == Some(Switch::CommaHidesCookie)
        && let Some(cookies) = head.fields.get("cookie")
    {
        // One cookie, whose value continues.
        let cookies = cookies.replace(',', "%2C");
        head.fields.set("cookie", cookies);
    }
    head
}

/// Changes the request to the origin.
pub fn origin_request<'a>(host: &SimHost, request: &'a OriginRequest) -> Cow<'a, OriginRequest> {
    if host.world.switch != Some(Switch::SessionSentUnkeyed) {
        return Cow::Borrowed(request);
    }
    let mut request = request.clone();
    if let Some(name) = host.exchange.names.borrow().first() {
        let session = format!("{COOKIE}={}", name_text(*name));
        request.fields.set("cookie", session);
    }
    Cow::Owned(request)
}

/// Changes the response of the origin.
pub fn origin_head(host: &SimHost, request: &OriginRequest, head: &mut ResponseHead) {
    match host.world.switch {
        Some(Switch::PartsNotCompared) if head.status == 206 => {
            if let Some(tie) = request.fields.get("if-range") {
                head.fields.set("etag", tie);
            }
        }
        Some(Switch::CookiesStored) => {
            head.fields.remove("set-cookie");
        }
        Some(Switch::PrivateStored) => without(&mut head.fields, ", private"),
        Some(Switch::NoStoreStored) => without(&mut head.fields, ", no-store"),
        Some(Switch::RedirectsInvalidate) if head.status == 302 => head.status = 201,
        Some(Switch::RefusalsBlamePage) if (400..500).contains(&head.status) => head.status = 404,
        Some(Switch::AuthorizedStored | Switch::EdgeTtlForAll)
            if request.fields.has("authorization") =>
        {
            let control = head.fields.get("cache-control").unwrap_or_default();
            let control = format!("{control}, public");
            head.fields.set("cache-control", control);
        }
        Some(Switch::MustRevalidateIgnored) => without(&mut head.fields, ", must-revalidate"),
        Some(Switch::UpstreamAgeIgnored) => {
            head.fields.remove("age");
            head.fields.remove("date");
        }
        _ => {}
    }
}

/// Removes a directive from `Cache-Control`.
fn without(fields: &mut Fields, directive: &str) {
    let control = fields.get("cache-control").unwrap_or_default();
    let control = control.replace(directive, "");
    fields.set("cache-control", control);
}

/// Changes an order before it is sent to the ledger.
pub fn order(host: &SimHost, order: &mut Order) {
    match host.world.switch {
        Some(Switch::DigestNotCompared) => order.body_digest.clear(),
        Some(Switch::WritesCountAsOrders) if order.key.is_none() => {
            order.key = Some(DEFAULT_KEY.to_owned());
        }
        Some(Switch::ScopeNotSent) => order.scope = None,
        Some(Switch::IdsSharedByKeys) => order.key = Some(DEFAULT_KEY.to_owned()),
        _ => {}
    }
}

/// Changes the feed in the reply to an order.
pub fn feed_of_order(host: &SimHost, sequence: u64, feed: &mut PurgeFeed) {
    if host.world.switch == Some(Switch::OrderNotAppliedAtOnce) {
        feed.marks
            .retain(|(_, numbers)| numbers.newest() != sequence);
        feed.floor = Numbers::default();
        feed.after = feed.sequence;
    }
}

/// Changes the slots to which an entry is written.
pub fn places(host: &SimHost, entry: &Entry, places: &mut [(Tier, Slot)]) {
    if host.world.switch != Some(Switch::OneSlotForAllTiers) {
        return;
    }
    match places {
        [(_, slot)] if source(host, entry) == Source::Copy => {
            let found = host.exchange.found_in_kv.borrow();
            *slot = found.clone().unwrap_or_else(|| slot.clone());
        }
        [(_, one), (_, other)] if one != other => {
            let page = &host.world.origin.pages[host.exchange.page].setup;
            let own = CacheKey::of_url(page.url()).slot().clone();
            if *one == own {
                *one = other.clone();
            } else {
                *other = one.clone();
            }
        }
        _ => {}
    }
}

/// Called when the origin has responded or failed.
pub fn origin_done(host: &SimHost, failed: bool) {
    if host.world.switch == Some(Switch::IndexNotCheckedAfterOrigin) && failed {
        // The index is empty until this request has been polled.
        let isolate = host.seat.isolate.clone();
        let index = isolate.index.take();
        host.world.executor.spawn(Life::new(), async move {
            isolate.index.replace(index);
        });
    }
}

/// Called with the receipt and the feed in the reply to an order.
pub fn receipt(host: &SimHost, receipt: &Receipt, feed: &PurgeFeed) {
    if host.world.switch == Some(Switch::ReceiptClosesGap) && !feed.complete {
        let isolate = host.seat.isolate.clone();
        let mut alone = PurgeFeed::of_receipt(receipt);
        alone.after = receipt.sequence - 1;
        host.world.executor.spawn(Life::new(), async move {
            isolate.index.borrow_mut().apply(&alone);
        });
    }
}

/// Changes a feed from the ledger, queried at `began_ms` by the true time.
pub fn feed(host: &SimHost, feed: &mut PurgeFeed, began_ms: u64) {
    let took_ms = host.world.executor.now_ms() - began_ms;
    let (isolate, now_ms) = (host.seat.isolate.clone(), host.now_ms());
    // Runs after the isolate has applied the feed.
    let afterwards = |work: Box<dyn FnOnce()>| {
        host.world
            .executor
            .spawn(Life::new(), async move { work() });
    };
    match host.world.switch {
        Some(Switch::FirstPageIsAll) => feed.complete = true,
        Some(Switch::FloorNotSent) => feed.floor = Numbers::default(),
        Some(Switch::FeedDatedByArrival) if feed.complete => {
            let before = isolate.synced_ms.get();
            let arrived = before.max(Some(now_ms));
            afterwards(Box::new(move || isolate.synced_ms.set(arrived)));
        }
        Some(Switch::ClockComparedAtArrival) => afterwards(Box::new(move || {
            if let Some(mut clock) = isolate.clock.get() {
                clock.ahead_ms -= took_ms as i64;
                isolate.clock.set(Some(clock));
            }
        })),
        _ => {}
    }
}

/// Called when a query to the ledger has failed.
pub fn failure(host: &SimHost) {
    if host.world.switch == Some(Switch::FailureCountsAsFeed) {
        host.seat.isolate.synced_ms.set(Some(host.now_ms()));
    }
}

/// Changes a note before it is shared. `false` if it is not shared.
pub fn note_shared(host: &SimHost, name: &str, text: &mut String) -> bool {
    if name != SNAPSHOT {
        return true;
    }
    match host.world.switch {
        Some(Switch::SnapshotNotShared) => return false,
        Some(Switch::SnapshotDropsMarks) => rewrite(text, |feed| feed.marks.clear()),
        Some(Switch::GapsIgnored) => rewrite(text, |feed| feed.after = 0),
        _ => {}
    }
    true
}

/// Changes a note that is read.
pub fn note_read(host: &SimHost, name: &str, text: &mut String) {
    if host.world.switch == Some(Switch::CutNotesAccepted) && !text.ends_with('.') {
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text.push('.');
    }
    let Some(clock) = host.seat.isolate.clock.get().filter(|_| name == SNAPSHOT) else {
        return;
    };
    let ahead = |ms: u64| ms.saturating_add_signed(clock.ahead_ms);
    match host.world.switch {
        Some(Switch::SnapshotCountsAsNew) => rewrite(text, |feed| {
            feed.at.ms = ahead(host.now_ms());
            feed.at.run = clock.run;
        }),
        Some(Switch::SnapshotByOwnClock) => rewrite(text, |feed| {
            feed.at.ms = ahead(feed.at.ms);
            feed.at.run = clock.run;
        }),
        Some(Switch::LedgerRunsNotCompared) => rewrite(text, |feed| feed.at.run = clock.run),
        _ => {}
    }
}

fn rewrite(text: &mut String, change: impl FnOnce(&mut PurgeFeed)) {
    if let Ok(mut feed) = PurgeFeed::decode(text) {
        change(&mut feed);
        *text = feed.encode();
    }
}
