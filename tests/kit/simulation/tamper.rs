//! What switches change on its way between the flow and the world.

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

/// Name of the note with the youngest news (`flow::purge::sync`).
pub const MARKER: &str = "purges";

/// How an entry came about.
#[derive(PartialEq, Eq)]
enum Source {
    /// From the origin, whole.
    Fill,
    /// Confirmed by the origin.
    Confirmed,
    /// From a tier.
    Copy,
}

fn source(host: &SimHost, entry: &Entry) -> Source {
    let stamp = entry.fields.get(STAMP).and_then(|text| text.parse().ok());
    let stamp = stamp.unwrap_or(0_u64);
    if host.exchange.confirmed.borrow().contains(&stamp) {
        Source::Confirmed
    } else if host.exchange.minted.borrow().contains(&stamp) {
        Source::Fill
    } else {
        Source::Copy
    }
}

/// When an entry is handed over to be kept.
pub fn entry_at_once(host: &SimHost, entry: &mut Entry) {
    let source = source(host, entry);
    match host.world.switch {
        Some(Switch::SeenOfCopyAtOnce) if source == Source::Copy => {
            entry.seen = host.seat.isolate.seen();
        }
        Some(Switch::TagsOf304) if source == Source::Confirmed => {
            let page = &host.world.origin.pages[host.exchange.page].setup;
            if page.terse_304 {
                entry.tags.clear();
                entry.marks = selector::marks(&page.url(), &[], &[]);
            }
        }
        _ => {}
    }
}

/// When an entry comes to lie in a tier.
pub fn entry_at_landing(host: &SimHost, entry: &mut Entry) {
    let source = source(host, entry);
    let late = match host.world.switch {
        Some(Switch::SeenAfterFill) => source == Source::Fill,
        Some(Switch::SeenAfter304) => source == Source::Confirmed,
        Some(Switch::SeenOfCopy) => source == Source::Copy,
        _ => false,
    };
    if late {
        entry.seen = host.seat.isolate.seen();
    }
    match host.world.switch {
        Some(Switch::CopiesAreNew) if source == Source::Copy => entry.received_ms = host.now_ms(),
        Some(Switch::OriginsTimeNotCounted) => entry.initial_age = 0,
        Some(Switch::StaleIfErrorIgnored) => entry.terms.stale_if_error = 0,
        _ => {}
    }
}

/// Whether a body that is to be kept has come whole.
pub fn is_whole(host: &SimHost, entry: &Entry, body: Option<&Bytes>) -> bool {
    let switch = host.world.switch;
    body.is_none_or(|body| {
        let length = body.text.len() as u64;
        let fits = entry.length.is_none_or(|told| told == length);
        let broken = body.broken && switch != Some(Switch::BrokenBodiesKept);
        let compared = switch != Some(Switch::LengthNotCompared);
        !broken && (fits || !compared)
    })
}

/// What a client sends.
pub fn request(world: &World, mut head: RequestHead) -> RequestHead {
    if world.switch == Some(Switch::CommaHidesCookie)
        && let Some(cookies) = head.fields.get("cookie")
    {
        // One cookie, whose value goes on.
        let cookies = cookies.replace(',', "%2C");
        head.fields.set("cookie", cookies);
    }
    head
}

/// What the origin is asked.
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

/// What the origin answers.
pub fn origin_head(host: &SimHost, request: &OriginRequest, head: &mut ResponseHead) {
    match host.world.switch {
        Some(Switch::PartsTiedByNothing) if head.status == 206 => {
            if let Some(tie) = request.fields.get("if-range") {
                head.fields.set("etag", tie);
            }
        }
        Some(Switch::CookiesStored) => {
            head.fields.remove("set-cookie");
        }
        Some(Switch::PrivateStored) => without(&mut head.fields, ", private"),
        Some(Switch::NoStoreStored) => without(&mut head.fields, ", no-store"),
        Some(Switch::RedirectsCount) if head.status == 302 => head.status = 201,
        Some(Switch::RefusalsForgiven) if (400..500).contains(&head.status) => head.status = 404,
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

/// Takes a directive out of `Cache-Control`.
fn without(fields: &mut Fields, directive: &str) {
    let control = fields.get("cache-control").unwrap_or_default();
    let control = control.replace(directive, "");
    fields.set("cache-control", control);
}

/// An order on its way to the ledger.
pub fn order(host: &SimHost, order: &mut Order) {
    match host.world.switch {
        Some(Switch::DigestNotCompared) => order.body_digest.clear(),
        Some(Switch::WritesAreOrders) if order.key.is_none() => {
            order.key = Some(DEFAULT_KEY.to_owned());
        }
        Some(Switch::ScopeNotTold) => order.scope = None,
        Some(Switch::IdsOfOneKey) => order.key = Some(DEFAULT_KEY.to_owned()),
        _ => {}
    }
}

/// The news that an order is answered with.
pub fn news_of_order(host: &SimHost, sequence: u64, news: &mut PurgeFeed) {
    if host.world.switch == Some(Switch::OrderNotObeyedAtOnce) {
        news.marks
            .retain(|(_, numbers)| numbers.newest() != sequence);
        news.floor = Numbers::default();
        news.after = news.sequence;
    }
}

/// The places to which an entry goes.
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

/// The origin has answered, or failed.
pub fn origin_done(host: &SimHost, failed: bool) {
    if host.world.switch == Some(Switch::IndexNotAskedAfterOrigin) && failed {
        // Out of sight until this request has had its turn.
        let isolate = host.seat.isolate.clone();
        let index = isolate.index.take();
        host.world.executor.spawn(Life::new(), async move {
            isolate.index.replace(index);
        });
    }
}

/// The news and the receipt that an order is answered with.
pub fn receipt(host: &SimHost, receipt: &Receipt, news: &PurgeFeed) {
    if host.world.switch == Some(Switch::ReceiptClosesGap) && !news.complete {
        let isolate = host.seat.isolate.clone();
        let mut alone = PurgeFeed::of_receipt(receipt);
        alone.after = receipt.sequence - 1;
        host.world.executor.spawn(Life::new(), async move {
            isolate.index.borrow_mut().apply(&alone);
        });
    }
}

/// News from the ledger itself, asked for at `began_ms` by the true time.
pub fn news(host: &SimHost, news: &mut PurgeFeed, began_ms: u64) {
    let took_ms = host.world.executor.now_ms() - began_ms;
    let (isolate, now_ms) = (host.seat.isolate.clone(), host.now_ms());
    // What follows when the isolate has learnt it.
    let afterwards = |work: Box<dyn FnOnce()>| {
        host.world
            .executor
            .spawn(Life::new(), async move { work() });
    };
    match host.world.switch {
        Some(Switch::FirstPageIsAll) => news.complete = true,
        Some(Switch::FloorNotTold) => news.floor = Numbers::default(),
        Some(Switch::NewsDatedByArrival) if news.complete => {
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

/// A question that the ledger did not answer.
pub fn failure(host: &SimHost) {
    if host.world.switch == Some(Switch::FailureCountsAsNews) {
        host.seat.isolate.synced_ms.set(Some(host.now_ms()));
    }
}

/// A note on its way to the neighbours; `false` if it does not go there.
pub fn note_shared(host: &SimHost, name: &str, text: &mut String) -> bool {
    if name != MARKER {
        return true;
    }
    match host.world.switch {
        Some(Switch::MarkerNotShared) => return false,
        Some(Switch::MarkerForgets) => rewrite(text, |news| news.marks.clear()),
        Some(Switch::GapsNotNoticed) => rewrite(text, |news| news.after = 0),
        _ => {}
    }
    true
}

/// A note from a neighbour.
pub fn note_read(host: &SimHost, name: &str, text: &mut String) {
    if host.world.switch == Some(Switch::CutNotesTaken) && !text.ends_with('.') {
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        text.push('.');
    }
    let Some(clock) = host.seat.isolate.clock.get().filter(|_| name == MARKER) else {
        return;
    };
    let ahead = |ms: u64| ms.saturating_add_signed(clock.ahead_ms);
    match host.world.switch {
        Some(Switch::MarkerCountsAsNew) => rewrite(text, |news| {
            news.at.ms = ahead(host.now_ms());
            news.at.run = clock.run;
        }),
        Some(Switch::MarkerByOwnClock) => rewrite(text, |news| {
            news.at.ms = ahead(news.at.ms);
            news.at.run = clock.run;
        }),
        Some(Switch::LivesOfLedgerNotTold) => rewrite(text, |news| news.at.run = clock.run),
        _ => {}
    }
}

fn rewrite(text: &mut String, change: impl FnOnce(&mut PurgeFeed)) {
    if let Ok(mut news) = PurgeFeed::decode(text) {
        change(&mut news);
        *text = news.encode();
    }
}
