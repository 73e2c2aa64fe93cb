//! Synchronizes the purge index with the ledger.
//!
//! When the index is older than half of `max_purge_lag`, it is renewed in the
//! background; when it is older than `max_purge_lag`, before the response. So a
//! purge is in force everywhere within `max_purge_lag` of its receipt, and an
//! idle isolate sends no queries.
//!
//! The isolates of a data centre share what they receive. After a query to the
//! ledger, an isolate stores the feed in the Cache API, as a snapshot. An
//! isolate that reads a snapshot young enough does not query. The snapshot's
//! age is computed without synchronized clocks: it contains the ledger's time,
//! and an isolate has an upper bound of the ledger clock's lead, because the
//! ledger's response was generated after the query was sent.
//!
//! The snapshot becomes half a lag old for all isolates at the same moment. So
//! an isolate announces its query in the Cache API, and the others wait one
//! second.
//!
//! No request waits longer than a second for all this; a query continues in the
//! background. After a failure, one circuit breaker stops all queries of the
//! isolate (`cache::purge::ledger_breaker`), except orders: those are signed
//! and few, and their senders need the result.

use crate::cache::jitter;
use crate::cache::ledger::wire::{FeedQuery, Order};
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::purge::index::PurgeIndex;
use crate::cache::purge::ledger_breaker::QUERY_MS_MAX;
use crate::flow::isolate::index_state::IndexState;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::{Isolate, LedgerClock};
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, LedgerReply};
use crate::flow::runtime::timeout::with_timeout;
use crate::flow::stats::report;
use futures_channel::oneshot;
use std::cell::Cell;
use std::rc::Rc;

/// How long one request waits for the ledger (10 to 300 ms away) in total.
pub const LEDGER_WAIT_MS: u64 = 1000;

/// How often a request polls whether another request's query has ended. It
/// reads plain values, by a timer of its own.
const WAIT_STEP_MS: u64 = 20;

/// How long a read of a shared note may take. The note is in the same data
/// centre, and a Cache API slower than the ledger is of no use.
const NOTE_MS_MAX: u64 = 200;

/// Name of the shared note with the newest feed.
const SNAPSHOT: &str = "purges";
/// How many marks the snapshot holds at most: at 46 bytes each, 92 kB. An
/// isolate that is further behind queries the ledger.
const SNAPSHOT_MARKS_MAX: usize = 2000;
/// Name of the shared note that announces a query, and how long it makes others
/// wait, as its isolate may have ended. No index gets too old by that.
const QUERY_NOTE: &str = "purges-asked";
const QUERY_NOTE_SECONDS: u64 = 1;
/// How often the snapshot is read while another isolate queries.
const QUERY_POLL_MS: u64 = 100;
/// How long full pages of the feed are shared for starting isolates.
const PAGE_SECONDS: u64 = 3600;
/// How many pages one synchronization reads. 11 hold everything that the ledger
/// does (205,000 marks, 20,000 a page), and more may come meanwhile.
pub const PAGES_MAX: u32 = 24;

/// The error if there are always more pages of the feed.
pub const TOO_FAST: &str = "purges come faster than the ledger's feed can be read";

/// The age in milliseconds from which this isolate renews the index in the
/// background: half of the lag, and up to a quarter more as jitter, so that the
/// isolates of a data centre do not query at the same time.
fn renew_after_ms(isolate: &Isolate) -> u64 {
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let began_ms = isolate.began_ms.get().unwrap_or(0);
    jitter::shortened(lag_ms / 4 * 3, 1.0 / 3.0, began_ms, 0)
}

/// The age of the index in milliseconds; `None` if it has received nothing.
pub fn age<H: Host>(host: &H, isolate: &Isolate) -> Option<u64> {
    since(host, isolate.synced_ms.get())
}

/// Milliseconds since `at`; also `None` if it is in the future, because the
/// clock was set back.
fn since<H: Host>(host: &H, at: Option<u64>) -> Option<u64> {
    at.and_then(|at| host.now_ms().checked_sub(at))
}

/// Discards the recorded times after the clock was set back.
fn check_clock<H: Host>(host: &H, isolate: &Isolate) {
    if age(host, isolate).is_none() {
        isolate.synced_ms.set(None);
        isolate.clock.set(None);
    }
}

/// Brings the index up to date before a decision, if that is possible within
/// the rest of the request's wait.
pub async fn update_index<H: Host>(cx: RequestCx<'_, H>) -> IndexState {
    let RequestCx { host, isolate, .. } = cx;
    if let Some(observation) = cx.observation {
        return observation.index_state;
    }
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    check_clock(host, isolate);
    match age(host, isolate) {
        Some(age) if age < lag_ms => {
            let renews = age >= renew_after_ms(isolate) || must_query(host, isolate);
            renew_later(host, isolate, cx.site(), renews);
            return IndexState::Current;
        }
        _ => {}
    }
    boxed(wait_for_feed(host, isolate, cx.site(), cx.ledger_wait_ms)).await
}

/// Renews the index, or waits for the query in progress.
async fn wait_for_feed<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    site: &str,
    waited_ms: &Cell<u64>,
) -> IndexState {
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let is_old = || age(host, isolate).is_none_or(|age| age >= lag_ms);
    let mut may_renew = true;
    while is_old() && may_renew {
        let left_ms = LEDGER_WAIT_MS.saturating_sub(waited_ms.get());
        let began_ms = host.now_ms();
        match query_age_ms(host, isolate) {
            None if may_query(host, isolate) => {
                // Also if no wait is left: the next requests need the result.
                renew_with_wait(host, isolate, site, left_ms).await;
                may_renew = false;
            }
            // Other requests do not wait for a query that is late, or that is
            // only the breaker's trial.
            Some(age_ms)
                if age_ms < LEDGER_WAIT_MS
                    && left_ms > 0
                    && !isolate.ledger.get().is_troubled(began_ms) =>
            {
                host.sleep(WAIT_STEP_MS.min(left_ms)).await;
            }
            _ => break,
        }
        // Ensures that the loop ends whatever the clock does.
        let took_ms = host.now_ms().saturating_sub(began_ms).max(1);
        waited_ms.set(waited_ms.get().saturating_add(took_ms));
    }
    if is_old() {
        // Other isolates may have received a newer feed.
        renew_later(host, isolate, site, false);
    }
    match age(host, isolate) {
        None => IndexState::Missing,
        Some(age) if age >= lag_ms => IndexState::Outdated,
        Some(_) => IndexState::Current,
    }
}

/// Renews the index; in the background if that takes longer than `wait_ms`.
async fn renew_with_wait<H: Host>(host: &H, isolate: &Rc<Isolate>, site: &str, wait_ms: u64) {
    isolate.syncing.set(Some(host.now_ms()));
    let (sender, receiver) = oneshot::channel();
    let (host_then, isolate_then, site) = (host.clone(), Rc::clone(isolate), site.to_owned());
    host.later(async move {
        renew(&host_then, &isolate_then, &site).await;
        // The request may not wait any more.
        let _ = sender.send(());
    });
    if let Some(None) = with_timeout(host, wait_ms, host.receive(receiver)).await {
        // The task was dropped.
        isolate.syncing.set(None);
    }
}

/// In the background: reads the snapshot at intervals, and renews the index if
/// `half_old`.
pub fn renew_later<H: Host>(host: &H, isolate: &Rc<Isolate>, site: &str, half_old: bool) {
    // Four reads per lag, so that what one isolate receives soon reaches its
    // neighbours. The Cache API costs nothing.
    let pause_ms = match half_old {
        true => QUERY_POLL_MS,
        false => isolate.rules.max_purge_lag_seconds * 1000 / 4,
    };
    let read_age_ms = since(host, isolate.snapshot_read_ms.get());
    let queries_too_often = half_old && !may_query(host, isolate);
    if read_age_ms.is_some_and(|age| age < pause_ms) || queries_too_often {
        return;
    }
    isolate.snapshot_read_ms.set(Some(host.now_ms()));
    if half_old {
        // Set now, because the background task starts after this request
        // yields.
        isolate.syncing.set(Some(host.now_ms()));
    }
    let (host_then, isolate, site) = (host.clone(), Rc::clone(isolate), site.to_owned());
    host.later(async move {
        if half_old {
            renew_unless_queried(&host_then, &isolate, &site).await;
        } else {
            read_snapshot(&host_then, &isolate, &site).await;
        }
    });
}

/// For how many milliseconds the breaker stops queries; 0 if the ledger may be
/// queried.
pub fn ledger_wait_ms<H: Host>(host: &H, isolate: &Isolate) -> u64 {
    let seed = isolate.began_ms.get().unwrap_or(0);
    isolate.ledger.get().wait_ms(host.now_ms(), seed)
}

/// How many milliseconds ago the query in progress was sent, if there is one.
fn query_age_ms<H: Host>(host: &H, isolate: &Isolate) -> Option<u64> {
    since(host, isolate.syncing.get()).filter(|age_ms| *age_ms < QUERY_MS_MAX)
}

fn may_query<H: Host>(host: &H, isolate: &Isolate) -> bool {
    query_age_ms(host, isolate).is_none() && ledger_wait_ms(host, isolate) == 0
}

/// The result of a ledger request, recorded by the breaker.
async fn with_breaker<T>(
    host: &impl Host,
    isolate: &Isolate,
    request: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let sent_ms = host.now_ms();
    let mut breaker = isolate.ledger.get();
    breaker.begin(sent_ms);
    isolate.ledger.set(breaker);
    let answer = request.await;
    let mut breaker = isolate.ledger.get();
    match &answer {
        Ok(_) => breaker.record_success(),
        Err(_) => breaker.record_failure(sent_ms, host.now_ms()),
    }
    isolate.ledger.set(breaker);
    answer
}

/// Makes the index young enough to decide: by the snapshot, otherwise by the
/// ledger.
async fn renew<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    let now_ms = host.now_ms();
    isolate.syncing.set(Some(now_ms));
    isolate
        .began_ms
        .set(isolate.began_ms.get().or(Some(now_ms)));
    read_snapshot(host, isolate, site).await;
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    if age(host, isolate).is_none_or(|age| age >= lag_ms) {
        query_and_log(host, isolate, site).await;
    }
    isolate.syncing.set(None);
}

/// Makes the index younger than half of the lag: by the snapshot, otherwise by
/// the ledger, unless another isolate of this data centre is about to query it.
async fn renew_unless_queried<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    if must_query(host, isolate) {
        query_and_log(host, isolate, site).await;
        return isolate.syncing.set(None);
    }
    let others_query = read_shared(host, site, QUERY_NOTE).await.is_some();
    if !others_query {
        // Before any wait: other isolates may follow immediately.
        host.write_note(site, QUERY_NOTE, String::new(), QUERY_NOTE_SECONDS);
    }
    read_snapshot(host, isolate, site).await;
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    if !others_query && age(host, isolate).is_none_or(|age| age * 2 >= lag_ms) {
        query_and_log(host, isolate, site).await;
    }
    isolate.syncing.set(None);
}

async fn query_and_log<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    if let Err(problem) = query_ledger(host, isolate, site).await {
        log_problem(host, "ledger", &problem);
    }
}

/// A shared note of this data centre; `None` also if the Cache API fails or is
/// slow.
async fn read_shared<H: Host>(host: &H, site: &str, name: &str) -> Option<String> {
    let read = with_timeout(host, NOTE_MS_MAX, host.read_note(site, name)).await;
    read?.ok()?
}

/// Reads the snapshot and applies it to the index.
async fn read_snapshot<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    isolate.snapshot_read_ms.set(Some(host.now_ms()));
    // Without a valid snapshot, the ledger will be queried.
    let Some(text) = read_shared(host, site, SNAPSHOT).await else {
        return;
    };
    let Ok(feed) = PurgeFeed::decode(&text) else {
        return;
    };
    // Without a clock offset for this run of the ledger, the age is unknown.
    let clock = isolate.clock.get();
    let mut as_of = clock.and_then(|clock| clock.to_local(feed.at));
    if as_of.is_some_and(|at| at > host.now_ms()) {
        // A time in the future: one of the two clocks was set since.
        isolate.clock.set(None);
        as_of = None;
    }
    apply_feed(isolate, &feed, as_of);
    *isolate.snapshot.borrow_mut() = Some(feed);
}

/// Queries the ledger for everything new, page by page.
async fn query_ledger<H: Host>(host: &H, isolate: &Isolate, site: &str) -> Result<(), String> {
    let mut starting = isolate.seen() == 0;
    for _ in 0..PAGES_MAX {
        let after = isolate.seen();
        let page = page_name(after);
        if starting && let Some(feed) = read_shared_page(host, site, &page).await {
            apply_feed(isolate, &feed, None);
            // A page without progress is not read again.
            starting = isolate.seen() > after;
            continue;
        }
        starting = false;
        // The time before the query, because the response may be no younger.
        let sent_ms = host.now_ms();
        isolate.syncing.set(Some(sent_ms));
        let feed = with_breaker(host, isolate, query_page(host, isolate, after)).await?;
        apply_ledger_feed(isolate, &feed, sent_ms);
        if feed.complete {
            write_snapshot(host, isolate, site, &feed);
            return rebuild_index(host, isolate).await;
        }
        host.write_note(site, &page, feed.encode(), PAGE_SECONDS);
    }
    Err(TOO_FAST.to_owned())
}

/// Reads the whole feed from the ledger, page by page, without the breaker: for
/// the ledger's own jobs, which run in the same object.
pub async fn sync_all<H: Host>(host: &H, isolate: &Isolate) -> Result<(), String> {
    for _ in 0..PAGES_MAX {
        let sent_ms = host.now_ms();
        let feed = query_page(host, isolate, isolate.seen()).await?;
        apply_ledger_feed(isolate, &feed, sent_ms);
        if feed.complete {
            return rebuild_index(host, isolate).await;
        }
    }
    Err(TOO_FAST.to_owned())
}

/// If the index has grown too large, replaces it by what the ledger holds now.
/// The old one decides until the new one is complete. The pages shared in the
/// Cache API are not used: they may hold marks that have widened since.
async fn rebuild_index<H: Host>(host: &H, isolate: &Isolate) -> Result<(), String> {
    if !isolate.index.borrow().is_overfull() {
        return Ok(());
    }
    let mut anew = PurgeIndex::default();
    for _ in 0..PAGES_MAX {
        isolate.syncing.set(Some(host.now_ms()));
        let page = with_breaker(host, isolate, query_page(host, isolate, anew.sequence())).await?;
        if anew.apply(&page) && page.complete {
            isolate.index.borrow_mut().replace(anew);
            return Ok(());
        }
    }
    Err(TOO_FAST.to_owned())
}

/// Queries the ledger for a page, and reports to it: the KV writes, if they have
/// a budget, and the statistics, if it is time.
async fn query_page<H: Host>(host: &H, isolate: &Isolate, after: u64) -> Result<PurgeFeed, String> {
    let kv_writes = isolate.rules.kv_writes_per_day.map(|_| {
        isolate.kv.reported_ms.set(Some(host.now_ms()));
        isolate.kv.budget.get().unreported()
    });
    let query = FeedQuery {
        after,
        kv_writes,
        stats: report::next(host, isolate),
    };
    let feed = host.read_feed(&query).await?;
    if let Some(report) = &query.stats {
        report::confirm(isolate, report);
    }
    if let Some(writes) = kv_writes {
        let mut budget = isolate.kv.budget.get();
        budget.record_reported(writes);
        isolate.kv.budget.set(budget);
    }
    Ok(feed)
}

/// Whether KV writes should be reported to the ledger. The snapshot of another
/// isolate does not report ours, so this needs a query: at most one per write,
/// and one per half of the lag.
fn must_report_writes<H: Host>(host: &H, isolate: &Isolate) -> bool {
    let half_ms = isolate.rules.max_purge_lag_seconds * 1000 / 2;
    let report_age_ms = since(host, isolate.kv.reported_ms.get());
    isolate.kv.budget.get().unreported() > 0 && report_age_ms.is_none_or(|age| age >= half_ms)
}

/// Whether the ledger must be queried, whatever the snapshot contains.
fn must_query<H: Host>(host: &H, isolate: &Isolate) -> bool {
    must_report_writes(host, isolate)
        || report::is_overdue(host, isolate)
        || isolate.index.borrow().is_overfull()
}

fn page_name(after: u64) -> String {
    format!("purges-after-{after}")
}

/// A page of the feed that another isolate has shared. It may be old: later
/// pages contain what has changed since.
async fn read_shared_page<H: Host>(host: &H, site: &str, name: &str) -> Option<PurgeFeed> {
    let text = read_shared(host, site, name).await?;
    let feed = PurgeFeed::decode(&text).ok()?;
    (!feed.complete).then_some(feed)
}

/// Sends an order to the ledger. It is in force in this isolate at once, and in
/// its data centre as soon as the snapshot is stored.
pub async fn send_order<H: Host>(
    host: &H,
    isolate: &Isolate,
    site: &str,
    order: &Order,
) -> Result<LedgerReply, String> {
    let sent_ms = host.now_ms();
    let ordered = with_breaker(host, isolate, host.append(order)).await?;
    if let LedgerReply::Done(receipt, feed) = &ordered {
        apply_ledger_feed(isolate, feed, sent_ms);
        if feed.complete {
            write_snapshot(host, isolate, site, feed);
        } else {
            // The order itself is beyond the first page.
            apply_feed(isolate, &PurgeFeed::of_receipt(receipt), None);
        }
    }
    Ok(ordered)
}

/// Applies a feed that the ledger sent in response to a query of `sent_ms`.
pub fn apply_ledger_feed(isolate: &Isolate, feed: &PurgeFeed, sent_ms: u64) {
    isolate.clock.set(LedgerClock::by(feed.at, sent_ms));
    apply_feed(isolate, feed, feed.complete.then_some(sent_ms));
}

/// Applies a feed to the index. If the index is complete afterwards, it is as
/// old as the feed: from `as_of_ms` by our own clock.
fn apply_feed(isolate: &Isolate, feed: &PurgeFeed, as_of_ms: Option<u64>) {
    if let Some(writes) = feed.kv_writes {
        let mut budget = isolate.kv.budget.get();
        budget.record_total(writes, feed.at.ms);
        isolate.kv.budget.set(budget);
    }
    let complete = isolate.index.borrow_mut().apply(feed);
    if let Some(as_of_ms) = as_of_ms.filter(|_| complete && feed.complete) {
        let before = isolate.synced_ms.get();
        isolate.synced_ms.set(before.max(Some(as_of_ms)));
    }
}

/// Shares the ledger's feed in the Cache API as the snapshot, joined with the
/// previous snapshot, so that isolates further behind find what they lack.
fn write_snapshot<H: Host>(host: &H, isolate: &Isolate, site: &str, feed: &PurgeFeed) {
    let mut snapshot = isolate.snapshot.borrow_mut();
    let joined = snapshot.as_ref().and_then(|old| old.followed_by(feed));
    let fits = |feed: &PurgeFeed| feed.len() <= SNAPSHOT_MARKS_MAX;
    let new = joined
        .filter(fits)
        .or_else(|| Some(feed.clone()).filter(fits));
    let new = new.unwrap_or_else(|| feed.without_marks());
    // After this time the snapshot is useless. This holds whatever the clocks
    // say, so no isolate takes an old snapshot for a young one.
    let seconds = isolate.rules.max_purge_lag_seconds;
    host.write_note(site, SNAPSHOT, new.encode(), seconds);
    *snapshot = Some(new);
}
