//! A simulated world: virtual time, tiers, an origin and a ledger in memory,
//! and faults on demand. It implements `Host`, as the platform does.

pub mod executor;
pub mod filler;
pub mod peek;
pub mod place;
pub mod plan;
pub mod scene;
pub mod secrets;
pub mod sqlite;
pub mod state;
pub mod story;

use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder};
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::zone_purge::ZoneResponse;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::cache::stats::data_point::DataPoint;
use edgekeep::cache::stats::query::StatsQuery;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::runtime::host::{
    AT_ONCE_BYTES_MAX, BodyError, Host, LedgerReply, OriginTimeouts, StoreRequest, Tier, Upload,
    WHOLE_BYTES_MAX, WatchQuery, WatchReply,
};
use edgekeep::http::head::ResponseHead;
use executor::Executor;
pub use filler::Bytes;
use filler::{BodyResult, Filler};
pub use plan::Plan;
use sqlite::Sqlite;
pub use state::State;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// The host of one request.
#[derive(Clone)]
pub struct World {
    pub state: Rc<RefCell<State>>,
    pub executor: Executor,
    /// By how much this isolate's clock is ahead.
    pub ahead_ms: Rc<Cell<i64>>,
    /// The address of the client that sent the request.
    pub reader: Option<Rc<str>>,
    pub database: Sqlite,
    pub ledger: Rc<RefCell<LedgerStore<Sqlite>>>,
}

/// KV's shortest retention: a minute.
const KV_MS_MIN: u64 = 60_000;

/// How many watchers of events this ledger takes.
pub const WATCHERS_MAX: usize = 20;

/// The time limit of a call to the ledger.
const LEDGER_MS_MAX: u64 = 5000;

impl World {
    pub fn new(now_ms: u64) -> Self {
        Self::with_fast_lane(now_ms, false)
    }

    pub fn with_fast_lane(now_ms: u64, fast_lane: bool) -> Self {
        // Sequence numbers begin at 0 here, which is easier to read.
        let database = Sqlite::in_memory();
        let ledger = LedgerStore::open(database.clone(), 0, fast_lane).expect("a ledger");
        Self {
            state: Rc::default(),
            executor: Executor::new(now_ms),
            ahead_ms: Rc::default(),
            reader: None,
            database,
            ledger: Rc::new(RefCell::new(ledger)),
        }
    }

    fn ledger_ms(&self) -> u64 {
        let ahead_ms = self.state.borrow().ledger_ahead_ms;
        self.executor.now_ms().saturating_add_signed(ahead_ms)
    }

    /// Waits for the response time of a part.
    async fn delay(&self, part: &str) {
        let slow_ms = self.state.borrow().slow.get(part).copied();
        if let Some(slow_ms) = slow_ms {
            self.sleep(slow_ms).await;
        }
    }

    /// Queries the ledger. The query travels half of the response time, and the
    /// response the other half.
    async fn query_ledger<T>(
        &self,
        query: impl FnOnce(&LedgerStore<Sqlite>, u64) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.is_down("ledger") {
            return Err("down".to_owned());
        }
        let slow_ms = self.state.borrow().slow.get("ledger").copied();
        let slow_ms = slow_ms.unwrap_or(0);
        if slow_ms > LEDGER_MS_MAX {
            self.sleep(LEDGER_MS_MAX).await;
            return Err("no answer in time".to_owned());
        }
        self.sleep(slow_ms / 2).await;
        let answer = query(&self.ledger.borrow(), self.ledger_ms());
        self.sleep(slow_ms - slow_ms / 2).await;
        if self.is_down("ledger's answers") {
            return Err("lost on the way".to_owned());
        }
        answer
    }

    fn is_down(&self, part: &str) -> bool {
        self.state.borrow().down.contains(&part)
    }

    fn held(&self, tier: Tier, slot: &Slot) -> Option<(String, Option<Bytes>)> {
        let state = self.state.borrow();
        let held = match tier {
            Tier::CacheApi => state.cache_api.get(&slot.entry_url),
            Tier::Kv => state.kv.get(&slot.digest),
        };
        let live = held.filter(|(_, _, until)| *until > self.executor.now_ms());
        live.map(|(text, body, _)| (text.clone(), body.clone()))
    }

    fn note(&self, name: &str) -> Option<String> {
        let state = self.state.borrow();
        let note = state.notes.get(name);
        let live = note.filter(|(_, until)| *until > self.executor.now_ms());
        live.map(|(text, _)| text.clone())
    }

    fn write(
        &self,
        tier: Tier,
        slot: &Slot,
        entry: &Entry,
        body: Option<Bytes>,
    ) -> Result<(), &'static str> {
        let whole = body.as_ref().is_none_or(|body| {
            let fits = |length| length == body.text.len() as u64;
            !body.broken && entry.length.is_none_or(fits)
        });
        let full = tier == Tier::Kv && self.is_down("kv-writes");
        let problem = match (whole, self.is_down(tier.word()), full) {
            (false, _, _) => Some("body: it broke off"),
            (_, true, _) => Some("down"),
            (_, _, true) => Some("KV put() limit exceeded for the day."),
            _ => None,
        };
        if tier == Tier::Kv {
            self.state.borrow_mut().kv_writes += 1;
        }
        if let Some(problem) = problem {
            if tier == Tier::Kv {
                self.state.borrow_mut().lost = Some("kv: lost".to_owned());
            }
            return Err(problem);
        }
        let retention_ms = entry.retention_seconds() * 1000;
        let now_ms = self.executor.now_ms();
        let held = |ms| (entry.encode(), body, now_ms + ms);
        let mut state = self.state.borrow_mut();
        match tier {
            Tier::CacheApi => state
                .cache_api
                .insert(slot.entry_url.clone(), held(retention_ms)),
            Tier::Kv => state
                .kv
                .insert(slot.digest.clone(), held(retention_ms.max(KV_MS_MIN))),
        };
        Ok(())
    }
}

impl Host for World {
    type Body = Bytes;
    type Pipe = Filler;

    fn now_ms(&self) -> u64 {
        self.executor
            .now_ms()
            .saturating_add_signed(self.ahead_ms.get())
    }

    async fn sleep(&self, milliseconds: u64) {
        self.executor.sleep(milliseconds).await;
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        if !self.state.borrow().drops_later {
            self.executor.spawn(work);
        }
    }

    fn log(&self, line: &str) {
        self.state.borrow_mut().log.push(line.to_owned());
    }

    async fn read_slot(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        if self.is_down(tier.word()) {
            return Err("down".to_owned());
        }
        // The entry at the time of the call.
        let held = self.held(tier, slot);
        self.delay(tier.word()).await;
        Ok(held)
    }

    fn store_entry(
        &self,
        body: Option<Bytes>,
        store_request: StoreRequest,
        for_client: bool,
    ) -> Option<Bytes> {
        let (world, copy) = (self.clone(), body.clone());
        let land = move || {
            for (tier, slot) in &store_request.places {
                let outcome = world.write(*tier, slot, &store_request.entry, copy.clone());
                store_request.observer.report(*tier, outcome);
            }
        };
        // A copy lands at the pace at which its client reads.
        let slow_ms = self.state.borrow().slow.get("landing").copied();
        self.executor.after(slow_ms.unwrap_or(0), land);
        body.filter(|_| for_client)
    }

    fn copy_body(&self, body: &Bytes, done: Box<dyn FnOnce(Rc<dyn Any>, u64)>) {
        let (world, body) = (self.clone(), body.clone());
        self.executor.spawn(async move {
            world.delay("memory").await;
            if !body.broken {
                done(Rc::new(body.clone()), body.text.len() as u64);
            }
        });
    }

    fn body_of_copy(&self, copy: &Rc<dyn Any>) -> Option<Bytes> {
        copy.downcast_ref::<Bytes>().cloned()
    }

    fn fork_body(&self, body: &mut Bytes) -> Option<Bytes> {
        Some(body.clone())
    }

    async fn digest_body(&self, body: Bytes, is_gzip: bool, most: u32) -> BodyResult {
        body.digest(is_gzip, most)
    }

    fn has_analytics(&self) -> bool {
        self.state.borrow().points.is_some()
    }

    fn write_data_point(&self, point: &DataPoint) {
        let points = &mut self.state.borrow_mut().points;
        points.as_mut().expect("a dataset").push(point.clone());
    }

    fn pipe(&self, body: Bytes) -> Option<(Filler, Bytes)> {
        let filler = Filler::new(&body);
        let made = Some(filler.made.clone());
        Some((filler, Bytes { made, ..body }))
    }

    /// Bodies are texts here, and none of them is gzip.
    async fn is_gzip(&self, body: Bytes, _: u32, _: u64) -> (bool, Option<Bytes>) {
        (false, Some(body))
    }

    async fn join(&self, one: Bytes, other: Bytes) -> Option<Bytes> {
        let text = one.text + &other.text;
        let broken = one.broken || other.broken;
        (!broken).then_some(Bytes::new(text, broken))
    }

    async fn receive_whole(
        &self,
        body: Bytes,
        length: Option<u64>,
        timeout_ms: u64,
    ) -> Result<Bytes, OriginFailure> {
        if body.takes_ms > 0 {
            self.sleep(body.takes_ms.min(timeout_ms)).await;
        }
        if body.takes_ms >= timeout_ms {
            return Err(OriginFailure::TimedOut);
        }
        let got = body.text.len() as u64;
        let whole = !body.broken && length.is_none_or(|length| length == got);
        if whole || got > u64::from(WHOLE_BYTES_MAX) {
            Ok(body)
        } else {
            Err(OriginFailure::CutOff)
        }
    }

    fn client_address(&self) -> Option<String> {
        self.reader.as_deref().map(str::to_owned)
    }

    async fn send_to_origin(
        &self,
        request: &OriginRequest,
        upload: Option<Upload<Bytes>>,
        timeouts: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<Bytes>), OriginFailure> {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let backup = request.url.starts_with("http://backup.test/");
        let name = format!("{}/{path}", if backup { "backup " } else { "" });
        let plan = {
            let mut state = self.state.borrow_mut();
            state.asked.push(request.clone());
            let next = state.next_plans.get_mut(&name);
            let next = next.and_then(VecDeque::pop_front);
            next.or_else(|| state.plans.get(&name).cloned())
        };
        if let Some(upload) = upload {
            upload.is_sent.set(!upload.body.broken);
            if upload.body.broken {
                return Err(OriginFailure::Unreachable);
            }
        }
        let plan = plan.unwrap_or_else(Plan::missing);
        let delay = match &plan {
            Plan::Down => return Err(OriginFailure::Unreachable),
            Plan::NoStatus(status) => return Err(OriginFailure::NoStatus(*status)),
            Plan::Hang => u64::MAX,
            Plan::Answer { slow_ms, .. } => *slow_ms,
        };
        let timeout_ms = timeouts.head_ms.unwrap_or(u64::MAX);
        if delay >= timeout_ms {
            self.sleep(timeout_ms).await;
            return Err(OriginFailure::TimedOut);
        }
        if delay > 0 {
            self.sleep(delay).await;
        }
        let (head, body) = plan.answer(request);
        let length: Option<u32> = head
            .fields
            .get("content-length")
            .and_then(|n| n.parse().ok());
        let short = length.is_some_and(|length| length <= AT_ONCE_BYTES_MAX);
        if timeouts.at_once && short && body.as_ref().is_some_and(|body| body.broken) {
            return Err(OriginFailure::CutOff);
        }
        Ok((head, body))
    }

    async fn read(&self, body: Bytes, limit: usize) -> Result<Vec<u8>, BodyError> {
        if body.broken {
            Err(BodyError::Broken)
        } else if body.text.len() > limit {
            Err(BodyError::TooLong)
        } else {
            Ok(body.text.into_bytes())
        }
    }

    async fn append(&self, order: &Order) -> Result<LedgerReply, String> {
        let query = self.query_ledger(|ledger, now_ms| ledger.append(order, now_ms));
        let reply = query.await?;
        let feed = PurgeFeed::decode(&reply.feed).map_err(|error| error.to_string())?;
        Ok(match reply.receipt {
            Some(receipt) => LedgerReply::Done(Box::new(receipt), feed),
            None => LedgerReply::Conflict,
        })
    }

    async fn read_feed(&self, query: &FeedQuery) -> Result<PurgeFeed, String> {
        self.state.borrow_mut().ledger_queries += 1;
        let text = self.query_ledger(|ledger, now_ms| {
            if let Some(report) = &query.stats {
                ledger.add_stats(report, now_ms)?;
            }
            match query.kv_writes {
                Some(writes) => ledger.read_counted_feed(query.after, writes, now_ms),
                None => ledger.read_feed(query.after, now_ms),
            }
        });
        PurgeFeed::decode(&text.await?).map_err(|error| error.to_string())
    }

    async fn read_stats(&self, query: &StatsQuery) -> Result<String, String> {
        self.query_ledger(|ledger, now_ms| ledger.stats(query, now_ms))
            .await
    }

    async fn history(&self, question: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
        self.query_ledger(|ledger, _| ledger.history(question))
            .await
    }

    async fn watch(&self, query: &WatchQuery) -> Result<WatchReply<Bytes>, String> {
        self.query_ledger(|_, _| Ok(())).await?;
        let watchers = &mut self.state.borrow_mut().watchers;
        watchers.push(query.clone());
        Ok(match watchers.len() > WATCHERS_MAX {
            true => WatchReply::Full,
            false => WatchReply::Open(Bytes::new(String::new(), false)),
        })
    }

    async fn read_note(&self, site: &str, name: &str) -> Result<Option<String>, String> {
        if self.is_down("cache-api") {
            return Err("down".to_owned());
        }
        let note = self.note(&format!("{site} {name}"));
        self.delay("cache-api").await;
        Ok(note)
    }

    fn write_note(&self, site: &str, name: &str, text: String, seconds: u64) {
        if self.is_down("cache-api") {
            return;
        }
        let (world, name) = (self.clone(), format!("{site} {name}"));
        self.executor.spawn(async move {
            world.delay("cache-api").await;
            let until = world.executor.now_ms() + seconds * 1000;
            let mut state = world.state.borrow_mut();
            state.notes.insert(name, (text, until));
        });
    }

    async fn purge_zone(&self, body: &str) -> Result<ZoneResponse, String> {
        let answer = {
            let mut state = self.state.borrow_mut();
            state.zone_calls.push((self.now_ms(), body.to_owned()));
            state.zone.pop_front()
        };
        let slow_ms = self.state.borrow().zone_slow_ms;
        if slow_ms > 0 {
            self.sleep(slow_ms).await;
        }
        match answer {
            None => Ok(ZoneResponse {
                status: 200,
                retry_after_seconds: None,
                text: r#"{"success":true,"errors":[],"messages":[],"result":{"id":"zone"}}"#
                    .to_owned(),
            }),
            Some(Some(answer)) => answer,
            Some(None) => std::future::pending().await,
        }
    }

    async fn wait_for_background(&self) -> Result<(), String> {
        self.state.borrow_mut().lost.take().map_or(Ok(()), Err)
    }

    async fn verify_ed25519(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        secrets::verify_ed25519(key, message, signature)
    }
}
