//! The simulated platform: the implementation of `Host`.

use super::exchange::Exchange;
use super::executor::Life;
use super::explained;
use super::flights;
use super::ledger;
use super::meter::Call;
use super::origin::Answered;
use super::page::Bytes;
use super::storage::CACHE_MS;
use super::switches::Switch;
use super::tamper;
use super::world::{Seat, World};
use edgekeep::cache::key::cache_key::{Slot, digest};
use edgekeep::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder};
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::cache::shadow::record::BodyDigest;
use edgekeep::cache::stats::query::StatsQuery;
use edgekeep::flow::runtime::host::{
    BodyError, Host, LedgerReply, NoPipe, OriginTimeouts, StoreRequest, Tier, Upload,
};
use edgekeep::http::head::ResponseHead;
use std::any::Any;
use std::rc::Rc;

/// The host of one request.
#[derive(Clone)]
pub struct SimHost {
    pub world: Rc<World>,
    pub seat: Rc<Seat>,
    pub exchange: Rc<Exchange>,
}

/// The duration of a slow read of a note. Together with a fast query to the
/// ledger it is shorter than the longest wait of others.
const NOTE_SLOW_MS: u64 = 250;
/// The longest wait for the origin without a time limit.
const NO_LIMIT_MS: u64 = 20_000;
/// The longest wait if `origin_timeout` is ignored.
const NO_END_MS: u64 = 600_000;

impl SimHost {
    pub fn is_on(&self, switch: Switch) -> bool {
        self.world.switch == Some(switch)
    }

    pub fn meter(&self, call: Call) {
        if let Some(meter) = &self.exchange.meter {
            meter.count(call);
        }
    }

    pub async fn pass(&self, milliseconds: u64) {
        self.world.executor.sleep(milliseconds).await;
    }

    /// Subtracts the time since `since_ms` from the clock if the switch is on.
    fn stop_clock(&self, switch: Switch, since_ms: u64) {
        if self.is_on(switch) {
            let passed_ms = self.world.executor.now_ms() - since_ms;
            let stopped_ms = &self.exchange.stopped_ms;
            stopped_ms.set(stopped_ms.get() + passed_ms);
        }
    }

    /// Counts a query to the ledger.
    fn count_query(&self, answer: &Result<PurgeFeed, String>, began_ms: u64) {
        let mut all = self.world.ledger_queries.borrow_mut();
        let key = (self.seat.centre, self.exchange.site);
        let queries = all.entry(key).or_default();
        queries.all += 1;
        let long = self.world.executor.now_ms() - began_ms >= ledger::LONG_MS;
        queries.slow_or_failed += u64::from(long || answer.is_err());
        queries.pages += u64::from(answer.as_ref().is_ok_and(|feed| !feed.complete));
    }

    /// Whether the body is short, and its length is known.
    fn comes_at_once(&self, request: &OriginRequest, answer: &Answered) -> bool {
        let page = self.world.origin.page_of(request);
        let page = page.and_then(|at| self.world.origin.pages.get(at));
        let head = answer.as_ref().map(|(head, _)| head);
        let has_length = head.is_ok_and(|head| head.fields.has("content-length"));
        has_length && page.is_some_and(|page| !page.setup.long)
    }

    /// The response after its body has arrived.
    async fn with_body(&self, answer: Answered, left_ms: u64) -> Answered {
        let Ok((head, Some(body))) = answer else {
            return answer;
        };
        let late = body.takes_ms >= left_ms;
        self.pass(body.takes_ms.min(left_ms)).await;
        if late || body.broken {
            self.world.count("short body failed with its head");
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

/// Whether a note is about purges (`flow::purge::sync`). The others are about
/// fetches in progress.
fn is_purge_note(name: &str) -> bool {
    name.starts_with("purges")
}

impl Host for SimHost {
    type Body = Bytes;
    type Pipe = NoPipe;

    fn now_ms(&self) -> u64 {
        let now_ms = self.world.clock(self.seat.offset_ms);
        now_ms - self.exchange.stopped_ms.get()
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

    async fn read_slot(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        let began_ms = self.world.executor.now_ms();
        let held = self.read_tier(tier, slot).await;
        self.stop_clock(Switch::IndexNotRenewedAfterRead, began_ms);
        held
    }

    fn store_entry(
        &self,
        body: Option<Bytes>,
        store_request: StoreRequest,
        for_client: bool,
    ) -> Option<Bytes> {
        let StoreRequest {
            mut entry,
            mut places,
            observer,
        } = store_request;
        let whole = tamper::is_whole(self, &entry, body.as_ref());
        if let Some(body) = body.as_ref().filter(|_| whole && entry.status != 206) {
            // Known now even if the origin has not sent it.
            entry.length = entry.length.or(Some(body.text.len() as u64));
        }
        tamper::entry_at_once(self, &mut entry);
        tamper::places(self, &entry, &mut places);
        if whole {
            for (tier, slot) in places {
                let host = self.clone();
                let written = host.write(tier, slot, entry.clone(), body.clone());
                let observer = observer.clone();
                self.later(async move {
                    let outcome = written.await;
                    observer.report(tier, outcome);
                });
            }
        } else {
            for (tier, _) in places {
                observer.report(tier, Err("the body broke off"));
            }
        }
        body.filter(|_| for_client)
    }

    fn copy_body(&self, body: &Bytes, done: Box<dyn FnOnce(Rc<dyn Any>, u64)>) {
        if !body.broken {
            done(Rc::new(body.clone()), body.text.len() as u64);
        }
    }

    fn body_of_copy(&self, copy: &Rc<dyn Any>) -> Option<Bytes> {
        copy.downcast_ref::<Bytes>().cloned()
    }

    fn fork_body(&self, body: &mut Bytes) -> Option<Bytes> {
        Some(body.clone())
    }

    async fn digest_body(
        &self,
        body: Bytes,
        _is_gzip: bool,
        _most: u32,
    ) -> Result<BodyDigest, BodyError> {
        self.pass(body.takes_ms).await;
        let (text, bytes) = (digest(&body.text), body.text.len() as u64);
        match body.broken {
            true => Err(BodyError::Broken),
            false => Ok(BodyDigest { text, bytes }),
        }
    }

    async fn join(&self, one: Bytes, other: Bytes) -> Option<Bytes> {
        self.world.count("partial response completed");
        let takes_ms = one.takes_ms.max(other.takes_ms);
        self.pass(takes_ms).await;
        let broken = one.broken || other.broken;
        (!broken).then(|| Bytes {
            text: one.text + &other.text,
            broken,
            takes_ms: 0,
        })
    }

    async fn receive_whole(
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
        self.world.count("body failed beside a stale entry");
        self.exchange.origin_failed.set(true);
        Err(match late {
            true => OriginFailure::TimedOut,
            false => OriginFailure::CutOff,
        })
    }

    fn client_address(&self) -> Option<String> {
        let exchange = &self.exchange;
        if self.is_on(Switch::ReaderNotIdentified) {
            // A new address for each request.
            let number = exchange.task.get().unwrap_or_default();
            return Some(format!("10.{}.{}.9", number / 250, number % 250));
        }
        // One address for each session; `None` without a session.
        let client = exchange.names.borrow().first().copied();
        let client = client.map(|name| format!("10.0.{}.{}", name / 250, name % 250));
        exchange.address.clone().or(client)
    }

    async fn send_to_origin(
        &self,
        request: &OriginRequest,
        upload: Option<Upload<Bytes>>,
        timeouts: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<Bytes>), OriginFailure> {
        let (world, exchange) = (&self.world, &self.exchange);
        self.meter(Call::Origin);
        explained::decide(world, &self.seat, exchange);
        let began_ms = world.executor.now_ms();
        let over = flights::begin(self, request);
        let _dropped = flights::UntilDropped {
            over: Rc::clone(&over),
            world: Rc::clone(world),
        };
        self.pass(world.up_to(30)).await;
        if let Some(Upload { body, is_sent }) = upload {
            is_sent.set(!body.broken || self.is_on(Switch::UploadsCountAsSent));
            // The origin waits for the rest of the body.
            self.pass(body.takes_ms).await;
            if body.broken {
                over.set(Some(world.executor.now_ms()));
                exchange.origin_failed.set(true);
                return Err(OriginFailure::Unreachable);
            }
        }
        let travelled_ms = world.executor.now_ms() - began_ms;
        let request = &tamper::origin_request(self, request);
        let received = world.origin.receive(world, request);
        let most_ms = match self.is_on(Switch::TimeLimitIgnored) {
            true => NO_END_MS,
            false => timeouts.head_ms.unwrap_or(NO_LIMIT_MS),
        };
        let left_ms = most_ms.saturating_sub(travelled_ms);
        let in_time = received.after_ms < left_ms;
        let success = in_time && received.answer.is_ok() && received.stamp.is_some();
        if success && request.method == "POST" {
            exchange.written.set(true);
        }
        self.pass(received.after_ms.min(left_ms)).await;
        exchange.names.borrow_mut().extend(received.given);
        self.stop_clock(Switch::IndexNotRenewedAfterOrigin, began_ms);
        let mut answer = match in_time {
            true => received.answer,
            false => Err(OriginFailure::TimedOut),
        };
        if timeouts.at_once && self.comes_at_once(request, &answer) {
            let left_ms = left_ms.saturating_sub(received.after_ms);
            let left_ms = left_ms.min(timeouts.body_ms.unwrap_or(u64::MAX));
            answer = self.with_body(answer, left_ms).await;
        }
        let success = success && answer.is_ok();
        flights::end(self, request, &over, &answer);
        if let (Ok((_, Some(body))), Some(most_ms)) = (&mut answer, timeouts.body_ms) {
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
                exchange.confirmed.borrow_mut().extend(received.stamp);
                world.count("revalidated by 304");
            }
        }
        tamper::origin_done(self, !success);
        if !success {
            exchange.origin_failed.set(true);
        }
        exchange
            .stamps
            .borrow_mut()
            .extend(received.stamp.filter(|_| success));
        answer
    }

    async fn read(&self, body: Bytes, _limit: usize) -> Result<Vec<u8>, BodyError> {
        Ok(body.text.into_bytes())
    }

    async fn append(&self, order: &Order) -> Result<LedgerReply, String> {
        self.exchange.ordered.set(true);
        // A write may be sent by another request of its isolate: after a pause
        // of the ledger's breaker, or in a batch of its host.
        let attack = self.world.setup.attack.is_some() && order.key.is_none();
        for (other, seat) in self.world.exchanges.borrow().iter() {
            let page = &self.world.origin.pages[other.page];
            let batched = attack && other.site == self.exchange.site;
            if Rc::ptr_eq(seat, &self.seat) && (batched || order.hard.contains(&page.url_name())) {
                other.ordered.set(true);
            }
        }
        self.meter(Call::Ledger);
        let mut order = order.clone();
        tamper::order(self, &mut order);
        let began_ms = self.world.executor.now_ms();
        let mut answer = ledger::append(&self.world, &self.seat, &order).await;
        if let Ok(LedgerReply::Done(receipt, feed)) = &mut answer {
            tamper::feed_of_order(self, receipt.sequence, feed);
            tamper::receipt(self, receipt, feed);
            tamper::feed(self, feed, began_ms);
        }
        answer
    }

    async fn read_feed(&self, query: &FeedQuery) -> Result<PurgeFeed, String> {
        self.meter(Call::Ledger);
        let began_ms = self.world.executor.now_ms();
        let mut answer = ledger::news(&self.world, &self.seat, query).await;
        self.count_query(&answer, began_ms);
        match &mut answer {
            Ok(feed) => tamper::feed(self, feed, began_ms),
            Err(_) => tamper::failure(self),
        }
        answer
    }

    async fn read_stats(&self, _query: &StatsQuery) -> Result<String, String> {
        Err("no statistics in this world".to_owned())
    }

    async fn history(&self, _question: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
        Err("no history in this world".to_owned())
    }

    async fn read_note(&self, site: &str, name: &str) -> Result<Option<String>, String> {
        self.meter(match is_purge_note(name) {
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
            world.count("feed page from another isolate");
        }
        tamper::note_read(self, name, &mut text);
        Ok(Some(text))
    }

    fn write_note(&self, site: &str, name: &str, mut text: String, seconds: u64) {
        if !tamper::note_shared(self, name, &mut text) {
            return;
        }
        self.meter(match is_purge_note(name) {
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

    async fn purge_zone(
        &self,
        _: &str,
    ) -> Result<edgekeep::cache::purge::zone_purge::ZoneResponse, String> {
        Err("no zone in this world".to_owned())
    }

    async fn wait_for_background(&self) -> Result<(), String> {
        Ok(())
    }

    async fn verify_ed25519(&self, _key: &[u8], _message: &[u8], _signature: &[u8]) -> bool {
        false
    }
}
