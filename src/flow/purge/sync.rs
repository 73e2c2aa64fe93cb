//! Keeping the purge index young.
//!
//! When it is older than half of `max_purge_lag`, it is renewed behind the
//! response; when it is older than the whole, before the answer. So a purge is
//! in force everywhere within `max_purge_lag` of its receipt, and an idle
//! isolate asks nothing.
//!
//! The isolates of a data centre tell each other: who has asked the ledger
//! leaves what it heard in the Cache API, as "the marker", and whoever finds
//! it young enough there need not ask. How old it is can be told without
//! trusting clocks to agree: it carries the ledger's own time, and an isolate
//! knows how far the ledger's clock is ahead of its own at most, because the
//! ledger's answer was made after the question left.
//!
//! All of them find the marker half old at the same moment. So whoever is
//! about to ask says so in the Cache API, and the others give it a second.
//!
//! No request waits longer than a second for all this: a question goes on
//! behind its response. After a failure one circuit breaker holds all
//! questions of the isolate back (`cache::purge::ledger_breaker`), but for orders:
//! those are signed and few, and their senders want to know.

use crate::cache::jitter;
use crate::cache::ledger::wire::Order;
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::purge::index::PurgeIndex;
use crate::cache::purge::ledger_breaker::QUESTION_MS_MAX;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::{Isolate, LedgerClock};
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, LedgerReply};
use crate::flow::runtime::timeout::with_timeout;
use futures_channel::oneshot;
use std::cell::Cell;
use std::rc::Rc;

/// How long one request waits for the ledger, in all. It is 10 to 300 ms away.
pub const LEDGER_WAIT_MS: u64 = 1000;

/// At which interval a request looks whether another one's question has been
/// answered. It looks at plain values, by a timer of its own.
const WAIT_STEP_MS: u64 = 20;

/// How long a note is waited for: it lies in the same building. A Cache API
/// that is slower than the ledger is no help.
const NOTE_MS_MAX: u64 = 200;

/// Name of the note with the youngest news.
const MARKER: &str = "purges";
/// How many marks the marker holds at most: 46 bytes each are 92 kB. Who is
/// further behind asks the ledger.
const MARKER_MARKS_MAX: usize = 2000;
/// Name of the note that somebody is asking the ledger, and how long it holds
/// others back: who asked may be gone. No index gets too old by it.
const ASKING: &str = "purges-asked";
const ASKING_SECONDS: u64 = 1;
/// While somebody asks, the marker is looked at so often.
const ASKING_LOOK_MS: u64 = 100;
/// How long full pages of old news are kept for isolates that start.
const PAGE_SECONDS: u64 = 3600;
/// How many pages one catching up reads: 11 hold all that the ledger does
/// (205,000 marks, 20,000 a page), and the ledger may go on meanwhile.
const PAGES_MAX: u32 = 24;

/// What an isolate knows of purges, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// All of `max_purge_lag` ago.
    Young,
    /// The ledger cannot be reached, and what is known is older.
    Old,
    /// The ledger has not been reached yet.
    Nothing,
}

impl IndexState {
    /// Whether the index may decide on entries.
    pub fn counts(self, isolate: &Isolate) -> bool {
        match self {
            Self::Young => true,
            Self::Old => isolate.rules.serve_in_ledger_outage,
            Self::Nothing => false,
        }
    }

    /// A word for the report.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Young => None,
            Self::Old => Some("old-purge-index"),
            Self::Nothing => Some("no-purge-index"),
        }
    }
}

/// From which age on, in milliseconds, this isolate sees to news behind its
/// responses: half of the lag and up to a quarter more, so that not all
/// isolates of a data centre come at once.
fn turn_ms(isolate: &Isolate) -> u64 {
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let began_ms = isolate.began_ms.get().unwrap_or(0);
    jitter::shortened(lag_ms / 4 * 3, 1.0 / 3.0, began_ms, 0)
}

/// How old the index is, in milliseconds.
fn age<H: Host>(host: &H, isolate: &Isolate) -> Option<u64> {
    since(host, isolate.synced_ms.get())
}

/// How long ago something was; `None` also if it lies ahead, because the clock
/// was set back.
fn since<H: Host>(host: &H, at: Option<u64>) -> Option<u64> {
    at.and_then(|at| host.now_ms().checked_sub(at))
}

/// After the clock was set back, nothing is known of times before.
fn heed_clock<H: Host>(host: &H, isolate: &Isolate) {
    if age(host, isolate).is_none() {
        isolate.synced_ms.set(None);
        isolate.clock.set(None);
    }
}

/// Brings the index up to date before it decides, if that can be done within
/// what is left of the request's wait.
pub async fn bring_up_to_date<H: Host>(cx: RequestCx<'_, H>) -> IndexState {
    let RequestCx { host, isolate, .. } = cx;
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    heed_clock(host, isolate);
    match age(host, isolate) {
        Some(age) if age < lag_ms => {
            let in_turn = age >= turn_ms(isolate) || must_ask(host, isolate);
            look_later(host, isolate, cx.site(), in_turn);
            return IndexState::Young;
        }
        _ => {}
    }
    boxed(wait_for_news(host, isolate, cx.site(), cx.ledger_wait_ms)).await
}

/// Renews the index, or waits for whoever does.
async fn wait_for_news<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    site: &str,
    waited_ms: &Cell<u64>,
) -> IndexState {
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let is_old = || age(host, isolate).is_none_or(|age| age >= lag_ms);
    let mut asks = true;
    while is_old() && asks {
        let left_ms = LEDGER_WAIT_MS.saturating_sub(waited_ms.get());
        let began_ms = host.now_ms();
        match asking_ms(host, isolate) {
            None if may_ask(host, isolate) => {
                // If nothing is left to wait, then for those who come next.
                ask_behind(host, isolate, site, left_ms).await;
                asks = false;
            }
            // Nobody else waits for a question that is late, or that is only
            // a trial.
            Some(age_ms)
                if age_ms < LEDGER_WAIT_MS
                    && left_ms > 0
                    && !isolate.ledger.get().is_troubled(began_ms) =>
            {
                host.sleep(WAIT_STEP_MS.min(left_ms)).await;
            }
            _ => break,
        }
        // Whatever the clock does, this ends.
        let took_ms = host.now_ms().saturating_sub(began_ms).max(1);
        waited_ms.set(waited_ms.get().saturating_add(took_ms));
    }
    if is_old() {
        // Others may have heard from it.
        look_later(host, isolate, site, false);
    }
    match age(host, isolate) {
        None => IndexState::Nothing,
        Some(age) if age >= lag_ms => IndexState::Old,
        Some(_) => IndexState::Young,
    }
}

/// Renews the index, behind the response if it takes longer than this request
/// waits.
async fn ask_behind<H: Host>(host: &H, isolate: &Rc<Isolate>, site: &str, wait_ms: u64) {
    isolate.syncing.set(Some(host.now_ms()));
    let (sender, receiver) = oneshot::channel();
    let (host_then, isolate_then, site) = (host.clone(), Rc::clone(isolate), site.to_owned());
    host.later(async move {
        renew(&host_then, &isolate_then, &site).await;
        // The request may have been answered without it.
        let _ = sender.send(());
    });
    if let Some(None) = with_timeout(host, wait_ms, host.receive(receiver)).await {
        // The work was dropped.
        isolate.syncing.set(None);
    }
}

/// Behind the response: looks at the marker now and then, and sees to news
/// when it is time.
pub fn look_later<H: Host>(host: &H, isolate: &Rc<Isolate>, site: &str, half_old: bool) {
    // Four looks in a lag: what one isolate has heard, its neighbours know
    // soon after. The Cache API costs nothing.
    let pause_ms = match half_old {
        true => ASKING_LOOK_MS,
        false => isolate.rules.max_purge_lag_seconds * 1000 / 4,
    };
    let looked = since(host, isolate.looked_ms.get());
    let asks_too_often = half_old && !may_ask(host, isolate);
    if looked.is_some_and(|age| age < pause_ms) || asks_too_often {
        return;
    }
    isolate.looked_ms.set(Some(host.now_ms()));
    if half_old {
        // From here on: it begins when this request has had its turn.
        isolate.syncing.set(Some(host.now_ms()));
    }
    let (host_then, isolate, site) = (host.clone(), Rc::clone(isolate), site.to_owned());
    host.later(async move {
        if half_old {
            renew_in_turn(&host_then, &isolate, &site).await;
        } else {
            look(&host_then, &isolate, &site).await;
        }
    });
}

/// For how many milliseconds the ledger is left alone; 0 if it may be asked.
pub fn ledger_wait_ms<H: Host>(host: &H, isolate: &Isolate) -> u64 {
    let seed = isolate.began_ms.get().unwrap_or(0);
    isolate.ledger.get().wait_ms(host.now_ms(), seed)
}

/// How long ago the question for news was sent that is under way, if there is
/// one.
fn asking_ms<H: Host>(host: &H, isolate: &Isolate) -> Option<u64> {
    since(host, isolate.syncing.get()).filter(|age_ms| *age_ms < QUESTION_MS_MAX)
}

fn may_ask<H: Host>(host: &H, isolate: &Isolate) -> bool {
    asking_ms(host, isolate).is_none() && ledger_wait_ms(host, isolate) == 0
}

/// The answer to a question to the ledger, of which the breaker is told.
async fn told<T>(
    host: &impl Host,
    isolate: &Isolate,
    question: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let asked_ms = host.now_ms();
    let mut breaker = isolate.ledger.get();
    breaker.begin(asked_ms);
    isolate.ledger.set(breaker);
    let answer = question.await;
    let mut breaker = isolate.ledger.get();
    match &answer {
        Ok(_) => breaker.succeed(),
        Err(_) => breaker.fail(asked_ms, host.now_ms()),
    }
    isolate.ledger.set(breaker);
    answer
}

/// Makes the index young enough to answer with: by the marker, else by the
/// ledger.
async fn renew<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    let now_ms = host.now_ms();
    isolate.syncing.set(Some(now_ms));
    isolate
        .began_ms
        .set(isolate.began_ms.get().or(Some(now_ms)));
    look(host, isolate, site).await;
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    if age(host, isolate).is_none_or(|age| age >= lag_ms) {
        ask_and_note(host, isolate, site).await;
    }
    isolate.syncing.set(None);
}

/// Makes the index younger than half of the lag: by the marker, else by the
/// ledger, unless somebody else of this data centre is about to ask it.
async fn renew_in_turn<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    if must_ask(host, isolate) {
        ask_and_note(host, isolate, site).await;
        return isolate.syncing.set(None);
    }
    let others_ask = read_note(host, site, ASKING).await.is_some();
    if !others_ask {
        // Before anything is waited for: others come right behind.
        host.share(site, ASKING, String::new(), ASKING_SECONDS);
    }
    look(host, isolate, site).await;
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    if !others_ask && age(host, isolate).is_none_or(|age| age * 2 >= lag_ms) {
        ask_and_note(host, isolate, site).await;
    }
    isolate.syncing.set(None);
}

async fn ask_and_note<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    if let Err(problem) = ask(host, isolate, site).await {
        log_problem(host, "ledger", &problem);
    }
}

/// A note of this data centre; none also if the Cache API fails or is slow.
async fn read_note<H: Host>(host: &H, site: &str, name: &str) -> Option<String> {
    let read = with_timeout(host, NOTE_MS_MAX, host.shared(site, name)).await;
    read?.ok()?
}

/// Learns what is in the marker.
async fn look<H: Host>(host: &H, isolate: &Isolate, site: &str) {
    isolate.looked_ms.set(Some(host.now_ms()));
    // No marker, or a broken one: the ledger knows better.
    let Some(text) = read_note(host, site, MARKER).await else {
        return;
    };
    let Ok(news) = PurgeFeed::decode(&text) else {
        return;
    };
    // Without a clock of this life of the ledger, its age is not known.
    let mut as_of = isolate.clock.get().and_then(|clock| clock.ours(news.at));
    if as_of.is_some_and(|at| at > host.now_ms()) {
        // From the future: one of the two clocks was set since.
        isolate.clock.set(None);
        as_of = None;
    }
    learn(isolate, &news, as_of);
    *isolate.marker.borrow_mut() = Some(news);
}

/// Asks the ledger for all that is new, page by page.
async fn ask<H: Host>(host: &H, isolate: &Isolate, site: &str) -> Result<(), String> {
    let mut starting = isolate.seen() == 0;
    for _ in 0..PAGES_MAX {
        let after = isolate.seen();
        let page = page_name(after);
        if starting && let Some(news) = page_of(host, site, &page).await {
            learn(isolate, &news, None);
            // A page that leads nowhere is not read again.
            starting = isolate.seen() > after;
            continue;
        }
        starting = false;
        // The time before the question: the answer may be no younger.
        let asked_ms = host.now_ms();
        isolate.syncing.set(Some(asked_ms));
        let news = told(host, isolate, news(host, isolate, after)).await?;
        heard(isolate, &news, asked_ms);
        if news.complete {
            share_marker(host, isolate, site, &news);
            return learn_anew(host, isolate).await;
        }
        host.share(site, &page, news.encode(), PAGE_SECONDS);
    }
    Err("it goes on faster than its news can be read".to_owned())
}

/// Learns all that the ledger knows now, page by page. For the ledger's own
/// work: there it is no question to anybody else.
pub async fn learn_all<H: Host>(host: &H, isolate: &Isolate) -> Result<(), String> {
    for _ in 0..PAGES_MAX {
        let asked_ms = host.now_ms();
        let news = news(host, isolate, isolate.seen()).await?;
        heard(isolate, &news, asked_ms);
        if news.complete {
            return learn_anew(host, isolate).await;
        }
    }
    Err("it goes on faster than its news can be read".to_owned())
}

/// Where the index has grown too large, replaces it by what the ledger holds
/// now. Until all of that is there, the old one decides. The pages that isolates
/// leave for each other do not serve: they may hold what has widened since.
async fn learn_anew<H: Host>(host: &H, isolate: &Isolate) -> Result<(), String> {
    if !isolate.index.borrow().is_overfull() {
        return Ok(());
    }
    let mut anew = PurgeIndex::default();
    for _ in 0..PAGES_MAX {
        isolate.syncing.set(Some(host.now_ms()));
        let page = told(host, isolate, news(host, isolate, anew.sequence())).await?;
        if anew.learn(&page) && page.complete {
            isolate.index.borrow_mut().replace(anew);
            return Ok(());
        }
    }
    Err("it goes on faster than it can be learned anew".to_owned())
}

/// Asks the ledger for a page; where KV writes have a budget, tells it of ours.
async fn news<H: Host>(host: &H, isolate: &Isolate, after: u64) -> Result<PurgeFeed, String> {
    if isolate.rules.kv_writes_per_day.is_none() {
        return host.news(after).await;
    }
    let writes = isolate.kv.budget.get().unreported();
    isolate.kv.told_ms.set(Some(host.now_ms()));
    let news = host.counted_news(after, writes).await?;
    let mut budget = isolate.kv.budget.get();
    budget.record_reported(writes);
    isolate.kv.budget.set(budget);
    Ok(news)
}

/// Whether there are KV writes of which the ledger should hear. Another
/// isolate's marker does not tell it of ours, so it takes a question: at most
/// one for each write, and one in half a lag.
fn is_to_tell<H: Host>(host: &H, isolate: &Isolate) -> bool {
    let half_ms = isolate.rules.max_purge_lag_seconds * 1000 / 2;
    let told = since(host, isolate.kv.told_ms.get());
    isolate.kv.budget.get().unreported() > 0 && told.is_none_or(|age| age >= half_ms)
}

/// Whether the ledger itself must be asked, whatever the marker tells.
fn must_ask<H: Host>(host: &H, isolate: &Isolate) -> bool {
    is_to_tell(host, isolate) || isolate.index.borrow().is_overfull()
}

fn page_name(after: u64) -> String {
    format!("purges-after-{after}")
}

/// A page of old news that another isolate has read. It need not be the
/// newest: what has changed since is told on later pages.
async fn page_of<H: Host>(host: &H, site: &str, name: &str) -> Option<PurgeFeed> {
    let text = read_note(host, site, name).await?;
    let news = PurgeFeed::decode(&text).ok()?;
    (!news.complete).then_some(news)
}

/// Sends an order to the ledger. This isolate obeys it at once, and its data
/// centre as soon as the marker is there.
pub async fn append<H: Host>(
    host: &H,
    isolate: &Isolate,
    site: &str,
    order: &Order,
) -> Result<LedgerReply, String> {
    let asked_ms = host.now_ms();
    let ordered = told(host, isolate, host.append(order)).await?;
    if let LedgerReply::Done(receipt, news) = &ordered {
        heard(isolate, news, asked_ms);
        if news.complete {
            share_marker(host, isolate, site, news);
        } else {
            // The order itself lies beyond the first page.
            learn(isolate, &PurgeFeed::of_receipt(receipt), None);
        }
    }
    Ok(ordered)
}

/// Learns what the ledger itself has answered to a question of `asked_ms`.
pub fn heard(isolate: &Isolate, news: &PurgeFeed, asked_ms: u64) {
    isolate.clock.set(LedgerClock::by(news.at, asked_ms));
    learn(isolate, news, news.complete.then_some(asked_ms));
}

/// Takes news in. If the index is complete by it, it is as old as the news:
/// of `as_of_ms` by our own clock.
fn learn(isolate: &Isolate, news: &PurgeFeed, as_of_ms: Option<u64>) {
    if let Some(writes) = news.kv_writes {
        let mut budget = isolate.kv.budget.get();
        budget.record_total(writes, news.at.ms);
        isolate.kv.budget.set(budget);
    }
    let complete = isolate.index.borrow_mut().learn(news);
    if let Some(as_of_ms) = as_of_ms.filter(|_| complete && news.complete) {
        let before = isolate.synced_ms.get();
        isolate.synced_ms.set(before.max(Some(as_of_ms)));
    }
}

/// Leaves in the Cache API what the ledger has told: with what the marker
/// said before, so that isolates further behind find what they miss.
fn share_marker<H: Host>(host: &H, isolate: &Isolate, site: &str, news: &PurgeFeed) {
    let mut marker = isolate.marker.borrow_mut();
    let joined = marker.as_ref().and_then(|old| old.followed_by(news));
    let fits = |news: &PurgeFeed| news.len() <= MARKER_MARKS_MAX;
    let new = joined
        .filter(fits)
        .or_else(|| Some(news.clone()).filter(fits));
    let new = new.unwrap_or_else(|| news.without_marks());
    // It is worth something for so long, and whatever clocks say, nobody takes
    // an older one for young.
    let seconds = isolate.rules.max_purge_lag_seconds;
    host.share(site, MARKER, new.encode(), seconds);
    *marker = Some(new);
}
