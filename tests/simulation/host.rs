//! The platform as the flow sees it in the simulated world.

use super::executor::Life;
use super::flights;
use super::ledger;
use super::meter::{Call, Meter};
use super::origin::Answered;
use super::page::{Bytes, Name, STAMP};
use super::setup::START_MS;
use super::switches::Switch;
use super::tamper;
use super::tiers::Copy;
use super::waves::Kind;
use super::world::{Seat, World};
use edgekeep::cache::answer::OriginFailure;
use edgekeep::cache::entry::Entry;
use edgekeep::cache::freshness::Terms;
use edgekeep::cache::key::Slot;
use edgekeep::cache::kv_health::LAST_READ_MS_MAX;
use edgekeep::cache::ledger::{Order, Question, Told};
use edgekeep::cache::news::News;
use edgekeep::cache::request::OriginRequest;
use edgekeep::flow::host::{BodyError, Host, Keep, NoPipe, Ordered, Patience, Tier};
use edgekeep::flow::reply::Answer;
use edgekeep::http::head::ResponseHead;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A request, and what its host has done for it.
pub struct Exchange {
    pub method: &'static str,
    pub page: usize,
    pub site: &'static str,
    pub kind: Kind,
    pub language: Option<&'static str>,
    pub range: Option<&'static str>,
    pub control: Option<&'static str>,
    /// The client's session, and those that it was given.
    pub names: RefCell<Vec<Name>>,
    pub began_ms: u64,
    /// The stamps of the answers that the origin gave to it.
    pub minted: RefCell<Vec<u64>>,
    /// Those of its answers that confirmed something: 304.
    pub confirmed: RefCell<Vec<u64>>,
    pub origin_failed: Cell<bool>,
    /// Whether a tier failed at a question of its.
    pub tier_failed: Cell<bool>,
    /// Whether it has asked for what follows a part.
    pub completes: Cell<bool>,
    /// How often it has read the Cache API.
    pub looks: Cell<u32>,
    /// The slot of KV in which something was found last.
    pub found_in_kv: RefCell<Option<Slot>>,
    /// Whether the origin did what a write wanted.
    pub written: Cell<bool>,
    /// Whether an order was sent to the ledger.
    pub ordered: Cell<bool>,
    /// How long the clock has stood still, where a switch stops it.
    pub stood_ms: Cell<u64>,
    /// Where its calls are counted, if they are.
    pub meter: Option<Rc<Meter>>,
    /// The request itself.
    pub life: Life,
    /// Work behind the response.
    pub later: RefCell<Vec<Life>>,
    pub answered: Cell<bool>,
    pub answer: RefCell<Option<Answer<Bytes>>>,
}

impl Exchange {
    /// One that begins now, of this method and for this host.
    pub fn new(world: &World, method: &'static str, site: &'static str) -> Self {
        Self {
            method,
            site,
            began_ms: world.executor.now_ms(),
            page: 0,
            kind: Kind::Readers,
            language: None,
            range: None,
            control: None,
            names: RefCell::default(),
            minted: RefCell::default(),
            confirmed: RefCell::default(),
            origin_failed: Cell::default(),
            tier_failed: Cell::default(),
            completes: Cell::default(),
            looks: Cell::default(),
            found_in_kv: RefCell::default(),
            written: Cell::default(),
            ordered: Cell::default(),
            stood_ms: Cell::default(),
            meter: None,
            life: Life::default(),
            later: RefCell::default(),
            answered: Cell::default(),
            answer: RefCell::default(),
        }
    }
}

impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (language, range) = (self.language.unwrap_or("-"), self.range.unwrap_or("-"));
        let began_ms = self.began_ms.saturating_sub(START_MS);
        let (method, page) = (self.method, self.page);
        write!(
            f,
            "{method} page {page}, language {language}, range {range}, "
        )?;
        write!(f, "begun at {began_ms} ms")?;
        if self.origin_failed.get() {
            f.write_str(", the origin failed")?;
        }
        Ok(())
    }
}

/// The host of one request.
#[derive(Clone)]
pub struct SimHost {
    pub world: Rc<World>,
    pub seat: Rc<Seat>,
    pub exchange: Rc<Exchange>,
}

/// How long the tiers take at most when they are well.
const CACHE_MS: u64 = 10;
pub const KV_MS: u64 = 60;
/// And when they are slow, in times of `max_purge_lag`.
pub const SLOW_LAGS: u64 = 2;
/// How long a note takes that is slow: with a question to the ledger that is
/// not, less than others wait.
const NOTE_SLOW_MS: u64 = 250;
/// KV keeps nothing for less than a minute.
const KV_SECONDS_MIN: u64 = 60;
/// How long a connection to the origin may hang that has no time limit.
const NO_LIMIT_MS: u64 = 20_000;
/// And one that nobody ends.
const NO_END_MS: u64 = 600_000;

impl SimHost {
    fn is_on(&self, switch: Switch) -> bool {
        self.world.switch == Some(switch)
    }

    fn meter(&self, call: Call) {
        if let Some(meter) = &self.exchange.meter {
            meter.count(call);
        }
    }

    async fn pass(&self, milliseconds: u64) {
        self.world.executor.sleep(milliseconds).await;
    }

    /// The clock stands still from then on, where a switch wants it so.
    fn stand_still(&self, switch: Switch, since_ms: u64) {
        if self.is_on(switch) {
            let passed_ms = self.world.executor.now_ms() - since_ms;
            let stood_ms = &self.exchange.stood_ms;
            stood_ms.set(stood_ms.get() + passed_ms);
        }
    }

    async fn read_tier(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        let (world, centre) = (&self.world, self.seat.centre);
        let faults = &world.setup.tiers;
        let now_ms = world.executor.now_ms();
        let (held, takes_ms, fails) = match tier {
            Tier::CacheApi => {
                self.meter(Call::CacheRead);
                self.exchange.looks.set(self.exchange.looks.get() + 1);
                let held = world.centres[centre].borrow().get(&slot.entry_url, now_ms);
                (held, world.up_to(CACHE_MS), faults.cache_fails)
            }
            Tier::Kv => {
                self.meter(Call::KvRead);
                let held = world.kv.borrow().get(&slot.digest, centre, now_ms);
                let slow = world.chance(world.faults(faults.kv_slow));
                let most = if slow {
                    SLOW_LAGS * world.setup.lag_ms
                } else {
                    KV_MS
                };
                (held, world.up_to(most), faults.kv_fails)
            }
        };
        if takes_ms > LAST_READ_MS_MAX {
            // Not even the last look waits for so long.
            self.exchange.tier_failed.set(true);
        }
        self.pass(takes_ms).await;
        if world.chance(world.faults(fails)) {
            self.exchange.tier_failed.set(true);
            return Err("a fault".to_owned());
        }
        if tier == Tier::Kv && self.is_on(Switch::KvNeverFinds) {
            return Ok(None);
        }
        if held.is_some() && tier == Tier::Kv {
            world.count("read from KV");
            self.meter(Call::KvFound);
            *self.exchange.found_in_kv.borrow_mut() = Some(slot.clone());
        }
        Ok(held)
    }

    /// Writes an entry to one tier, when its body has come.
    async fn write(
        self,
        tier: Tier,
        slot: Slot,
        mut entry: Entry,
        body: Option<Bytes>,
    ) -> Result<(), &'static str> {
        let world = &self.world;
        self.meter(match tier {
            Tier::CacheApi => Call::CacheWrite,
            Tier::Kv => Call::KvWrite,
        });
        let mut takes_ms = body.as_ref().map_or(0, |body| body.takes_ms);
        if world.chance(world.faults(world.setup.tiers.put_slow)) {
            takes_ms += world.up_to(SLOW_LAGS * world.setup.lag_ms);
        }
        self.pass(takes_ms + world.up_to(KV_MS)).await;
        let withdrawn = entry.terms == Terms::default();
        tamper::entry_at_landing(&self, &mut entry);
        let stamp = entry.fields.get(STAMP).and_then(|text| text.parse().ok());
        let stamp = stamp.unwrap_or(0);
        world.trace(|| {
            let (name, seen) = (&self.seat.name, entry.seen);
            format!("{name}: stamp {stamp} lands in {tier:?}, seen {seen}")
        });
        let faults = &world.setup.tiers;
        let seconds = entry.retention_seconds();
        let now_ms = world.executor.now_ms();
        let body = body.map(|body| Bytes {
            takes_ms: 0,
            ..body
        });
        let held = (entry.encode(), body);
        let copy = Copy {
            // A part is no copy of the page.
            stamp: if entry.status == 206 { 0 } else { stamp },
            seen: entry.seen,
            withdrawn,
            since_ms: now_ms,
        };
        match tier {
            Tier::CacheApi if world.chance(world.faults(faults.cache_loses)) => {}
            Tier::CacheApi => {
                let mut cache = world.centres[self.seat.centre].borrow_mut();
                cache.put(&slot.entry_url, held, copy, now_ms + seconds * 1000);
            }
            Tier::Kv if world.chance(world.faults(faults.kv_fails)) => return Err("a fault"),
            Tier::Kv => {
                let until_ms = now_ms + seconds.max(KV_SECONDS_MIN) * 1000;
                let seen_from_ms = self.kv_lags(now_ms);
                let mut kv = world.kv.borrow_mut();
                kv.put(&slot.digest, held, copy, until_ms, seen_from_ms);
            }
        }
        Ok(())
    }

    /// When each data centre sees what is written to KV now.
    fn kv_lags(&self, now_ms: u64) -> Vec<u64> {
        let world = &self.world;
        let most = if world.is_healed() {
            0
        } else {
            world.setup.tiers.kv_lag_ms
        };
        let lag = |_| match world.chance(300) {
            true => now_ms,
            false => now_ms + world.up_to(most),
        };
        (0..world.centres.len()).map(lag).collect()
    }

    fn note_ask(&self, answer: &Result<News, String>, began_ms: u64) {
        let mut all = self.world.asks.borrow_mut();
        let key = (self.seat.centre, self.exchange.site);
        let asks = all.entry(key).or_default();
        asks.all += 1;
        let long = self.world.executor.now_ms() - began_ms >= ledger::LONG_MS;
        asks.troubled += u64::from(long || answer.is_err());
        asks.pages += u64::from(answer.as_ref().is_ok_and(|news| !news.complete));
    }

    /// Whether the body is a short one, whose length is told.
    fn comes_at_once(&self, request: &OriginRequest, answer: &Answered) -> bool {
        let page = self.world.origin.page_at(&request.url);
        let page = page.and_then(|at| self.world.origin.pages.get(at));
        let head = answer.as_ref().map(|(head, _)| head);
        let told = head.is_ok_and(|head| head.fields.has("content-length"));
        told && page.is_some_and(|page| !page.setup.long)
    }

    /// The answer when its body has come, too.
    async fn with_body(&self, answer: Answered, left_ms: u64) -> Answered {
        let Ok((head, Some(body))) = answer else {
            return answer;
        };
        let late = body.takes_ms >= left_ms;
        self.pass(body.takes_ms.min(left_ms)).await;
        if late || body.broken {
            self.world.count("broken off with its head");
            return Err(match late {
                true => OriginFailure::TimedOut,
                false => OriginFailure::CutOff,
            });
        }
        let takes_ms = 0;
        Ok((head, Some(Bytes { takes_ms, ..body })))
    }

    fn note_key(&self, site: &str, name: &str) -> String {
        format!("{site} {name}")
    }
}

/// Whether a note is about purges (`flow::sync`); the others are about fetches.
fn is_news(name: &str) -> bool {
    name.starts_with("purges")
}

impl Host for SimHost {
    type Body = Bytes;
    type Pipe = NoPipe;

    fn now_ms(&self) -> u64 {
        let now_ms = self.world.clock(self.seat.offset_ms);
        now_ms - self.exchange.stood_ms.get()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.pass(milliseconds).await;
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        let life = Life::new();
        self.exchange.later.borrow_mut().push(life.clone());
        self.world.executor.spawn(life, work);
    }

    fn log(&self, line: &str) {
        self.world.trace(|| format!("{}: {line}", self.seat.name));
    }

    async fn recall(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        let began_ms = self.world.executor.now_ms();
        let held = self.read_tier(tier, slot).await;
        self.stand_still(Switch::IndexNotRenewedAfterRead, began_ms);
        held
    }

    fn keep(&self, body: Option<Bytes>, keep: Keep, for_client: bool) -> Option<Bytes> {
        let Keep {
            mut entry,
            mut places,
            landed,
        } = keep;
        let whole = tamper::is_whole(self, &entry, body.as_ref());
        if let Some(body) = body.as_ref().filter(|_| whole && entry.status != 206) {
            // Known now even if the origin did not say.
            entry.length = entry.length.or(Some(body.text.len() as u64));
        }
        tamper::entry_at_once(self, &mut entry);
        tamper::places(self, &entry, &mut places);
        if whole {
            for (tier, slot) in places {
                let host = self.clone();
                let written = host.write(tier, slot, entry.clone(), body.clone());
                let landed = landed.clone();
                self.later(async move {
                    let outcome = written.await;
                    landed.tell(tier, outcome);
                });
            }
        } else {
            for (tier, _) in places {
                landed.tell(tier, Err("the body broke off"));
            }
        }
        body.filter(|_| for_client)
    }

    fn hold(&self, body: &Bytes, done: Box<dyn FnOnce(Rc<dyn Any>, u64)>) {
        if !body.broken {
            done(Rc::new(body.clone()), body.text.len() as u64);
        }
    }

    fn give(&self, held: &Rc<dyn Any>) -> Option<Bytes> {
        held.downcast_ref::<Bytes>().cloned()
    }

    async fn join(&self, one: Bytes, other: Bytes) -> Option<Bytes> {
        self.world.count("part completed");
        let takes_ms = one.takes_ms.max(other.takes_ms);
        self.pass(takes_ms).await;
        let broken = one.broken || other.broken;
        (!broken).then(|| Bytes {
            text: one.text + &other.text,
            broken,
            takes_ms: 0,
        })
    }

    async fn whole(
        &self,
        body: Bytes,
        length: Option<u64>,
        timeout_ms: u64,
    ) -> Result<Bytes, OriginFailure> {
        let late = body.takes_ms >= timeout_ms;
        self.pass(body.takes_ms.min(timeout_ms)).await;
        let fits = |length| length == body.text.len() as u64;
        if !late && !body.broken && length.is_none_or(fits) {
            return Ok(Bytes {
                takes_ms: 0,
                ..body
            });
        }
        self.world.count("broken off beside a stale copy");
        self.exchange.origin_failed.set(true);
        Err(match late {
            true => OriginFailure::TimedOut,
            false => OriginFailure::CutOff,
        })
    }

    async fn ask_origin(
        &self,
        request: &OriginRequest,
        _body: Option<Bytes>,
        patience: Patience,
    ) -> Result<(ResponseHead, Option<Bytes>), OriginFailure> {
        let (world, exchange) = (&self.world, &self.exchange);
        self.meter(Call::Origin);
        let began_ms = world.executor.now_ms();
        let over = flights::begin(self, request);
        self.pass(world.up_to(30)).await;
        let travelled_ms = world.executor.now_ms() - began_ms;
        let request = &tamper::origin_request(self, request);
        let said = world.origin.receive(world, request);
        let most_ms = match self.is_on(Switch::TimeLimitIgnored) {
            true => NO_END_MS,
            false => patience.head_ms.unwrap_or(NO_LIMIT_MS),
        };
        let left_ms = most_ms.saturating_sub(travelled_ms);
        let in_time = said.after_ms < left_ms;
        let success = in_time && said.answer.is_ok() && said.stamp.is_some();
        if success && request.method == "POST" {
            exchange.written.set(true);
        }
        self.pass(said.after_ms.min(left_ms)).await;
        exchange.names.borrow_mut().extend(said.given);
        self.stand_still(Switch::IndexNotRenewedAfterOrigin, began_ms);
        let mut answer = match in_time {
            true => said.answer,
            false => Err(OriginFailure::TimedOut),
        };
        if patience.at_once && self.comes_at_once(request, &answer) {
            let left_ms = left_ms.saturating_sub(said.after_ms);
            let left_ms = left_ms.min(patience.body_ms.unwrap_or(u64::MAX));
            answer = self.with_body(answer, left_ms).await;
        }
        let success = success && answer.is_ok();
        flights::end(self, request, &over, &answer);
        if let (Ok((_, Some(body))), Some(most_ms)) = (&mut answer, patience.body_ms) {
            body.broken |= body.takes_ms > most_ms;
            body.takes_ms = body.takes_ms.min(most_ms);
        }
        world.trace(|| {
            let head = answer.as_ref().map(|(head, _)| head);
            format!("{}: origin: {} -> {head:?}", self.seat.name, request.url)
        });
        if let Ok((head, _)) = &mut answer {
            tamper::origin_head(self, request, head);
            if head.status == 304 {
                exchange.confirmed.borrow_mut().extend(said.stamp);
                world.count("confirmed by 304");
            }
        }
        tamper::origin_done(self, !success);
        if !success {
            exchange.origin_failed.set(true);
        }
        exchange
            .minted
            .borrow_mut()
            .extend(said.stamp.filter(|_| success));
        answer
    }

    async fn read(&self, body: Bytes, _limit: usize) -> Result<Vec<u8>, BodyError> {
        Ok(body.text.into_bytes())
    }

    async fn append(&self, order: &Order) -> Result<Ordered, String> {
        self.exchange.ordered.set(true);
        self.meter(Call::Ledger);
        let mut order = order.clone();
        tamper::order(self, &mut order);
        let began_ms = self.world.executor.now_ms();
        let mut answer = ledger::append(&self.world, &self.seat, &order).await;
        if let Ok(Ordered::Done(receipt, news)) = &mut answer {
            tamper::news_of_order(self, receipt.sequence, news);
            tamper::receipt(self, receipt, news);
            tamper::news(self, news, began_ms);
        }
        answer
    }

    async fn news(&self, after: u64) -> Result<News, String> {
        self.meter(Call::Ledger);
        let began_ms = self.world.executor.now_ms();
        let mut answer = ledger::news(&self.world, &self.seat, after).await;
        self.note_ask(&answer, began_ms);
        match &mut answer {
            Ok(news) => tamper::news(self, news, began_ms),
            Err(_) => tamper::failure(self),
        }
        answer
    }

    async fn history(&self, _question: &Question) -> Result<Vec<Told>, String> {
        Err("nobody asks".to_owned())
    }

    async fn shared(&self, site: &str, name: &str) -> Result<Option<String>, String> {
        self.meter(match is_news(name) {
            true => Call::NewsRead,
            false => Call::CacheRead,
        });
        let world = &self.world;
        let faults = &world.setup.tiers;
        let old_ms = world.up_to(world.faults(faults.note_old_ms));
        let now_ms = world.executor.now_ms();
        let cache = &world.centres[self.seat.centre];
        let note = cache
            .borrow()
            .note(&self.note_key(site, name), now_ms, old_ms);
        let slow = world.chance(world.faults(faults.cache_fails));
        let most_ms = if slow { NOTE_SLOW_MS } else { CACHE_MS };
        self.pass(world.up_to(most_ms)).await;
        if world.chance(world.faults(faults.cache_fails)) {
            return Err("a fault".to_owned());
        }
        let Some(mut text) = note else {
            return Ok(None);
        };
        if world.chance(world.faults(faults.note_cut)) {
            text.truncate(world.up_to(text.len() as u64) as usize);
        }
        if name.starts_with("purges-after") {
            world.count("page of news from a neighbour");
        }
        tamper::note_read(self, name, &mut text);
        Ok(Some(text))
    }

    fn share(&self, site: &str, name: &str, mut text: String, seconds: u64) {
        if !tamper::note_shared(self, name, &mut text) {
            return;
        }
        self.meter(match is_news(name) {
            true => Call::NewsWrite,
            false => Call::CacheWrite,
        });
        let (host, key) = (self.clone(), self.note_key(site, name));
        self.later(async move {
            let world = &host.world;
            host.pass(world.up_to(3 * CACHE_MS)).await;
            if !world.chance(world.faults(world.setup.tiers.cache_loses)) {
                let now_ms = world.executor.now_ms();
                let mut cache = world.centres[host.seat.centre].borrow_mut();
                cache.put_note(&key, text, now_ms, now_ms + seconds * 1000);
            }
        });
    }

    async fn purge_zone(&self, _: &str) -> Result<edgekeep::cache::zone::Answer, String> {
        Err("no zone in this world".to_owned())
    }

    async fn settled(&self) -> Result<(), String> {
        Ok(())
    }

    async fn verify_ed25519(&self, _key: &[u8], _message: &[u8], _signature: &[u8]) -> bool {
        false
    }
}
