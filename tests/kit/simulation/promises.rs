//! The promises, checked after every response by a separate model: a list of
//! all orders in the order in which the ledger accepted them.

use super::ages;
use super::exchange::Exchange;
use super::flights;
use super::ledger::{LEDGER_MS_MAX, LONG_MS};
use super::neighbour;
use super::page::{Bytes, OriginRecord, STAMP, check_head, expected, names_in};
use super::setup::{SEARCH, Setup};
use super::storage::{KV_MS, SLOW_LAGS};
use super::world::{Seat, World};
use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::flow::response::reply::{Answer, BodyPiece, Content};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// No entry is served that a hard purge in force matches.
    Hard,
    /// No entry is served as fresh that a soft purge in force matches.
    Soft,
    /// Sequence numbers increase; a repeated order gets the first receipt;
    /// another body with a used id is refused.
    Receipts,
    /// A successful write has purged its target.
    Write,
    /// After a quiet time, every index has all purges of the ledger.
    Agreement,
    /// After a quiet time, every page is a fresh hit in its newest version.
    Return,
    /// The number of queries to the ledger is bounded.
    Cost,
    /// Every request gets a response, and no error while the origin works.
    Answer,
    /// A response has one version and one language, of the requested page; a
    /// truncated body is never served from a tier as complete.
    Whole,
    /// A response reports an outage only during one.
    Outage,
    /// No client's name reaches another client.
    Private,
    /// No response is older than its lifetime and the stale window that
    /// applies.
    Windows,
    /// No 5xx while a stored entry could be served stale.
    StaleIfError,
    /// An isolate's requests in flight to an origin stay within the limit.
    Load,
    /// Every response arrives within a bound that follows from the settings.
    Wait,
    /// While an isolate fetches a response that can be shared, it sends no
    /// second request for it.
    Collapsed,
    /// No action of one host, key, URL or reader makes another's fresh copy
    /// unusable, nor its origin unreachable, beyond bounds.
    Neighbour,
    /// A request gets what its explanation said just before.
    Explained,
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub promise: Promise,
    pub text: String,
}

/// An accepted order, as the model records it.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub tick: u64,
    /// The true time.
    pub at_ms: u64,
    pub sequence: u64,
    pub hard: Vec<String>,
    pub soft: Vec<String>,
    /// See [`Order::key`].
    pub key: Option<String>,
}

impl std::fmt::Display for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hard, soft) = (&self.hard, &self.soft);
        write!(f, "order {}, hard {hard:?}, soft {soft:?}", self.sequence)
    }
}

#[derive(Default)]
pub struct Promises {
    pub orders: RefCell<Vec<Accepted>>,
    receipts: RefCell<BTreeMap<String, Receipt>>,
    newest: Cell<u64>,
    broken: RefCell<Option<Violation>>,
}

/// The longest pause of the ledger's breaker after a failure, and the longest
/// trial after it, during which other requests do not wait.
const RETRY_MS: u64 = 16_000 + 6_000;

/// The most requests to the origin for one response, each until the deadline:
/// for the rest of a partial response, with conditions, and without. If a stale
/// entry is available, the body is awaited, too.
const ASKS_MAX: u64 = 3;
/// The most leaders that a request waits for.
const ROUNDS_MAX: u64 = 3;
/// The additional wait for leaders in other isolates.
const NEIGHBOUR_MS: u64 = 5_000;
/// The most reads of tiers in one lookup: two tiers, each for a signpost, the
/// key's own slot and a variant's; and one for a partial response.
const READS_MAX: u64 = 7;
/// The longest wait for the ledger, in all or for an order.
const LEDGER_WAIT_MS: u64 = 1_000;
/// The sum of short delays.
const MORE_MS: u64 = 1_000;

/// How long a request waits for a leader.
pub fn others_ms(setup: &Setup) -> u64 {
    1000 * setup.deadline_seconds() + NEIGHBOUR_MS
}

/// The longest time until a response.
fn bound_ms(setup: &Setup) -> u64 {
    let read_ms = match setup.tiers.kv_slow {
        0 => KV_MS,
        _ => KV_MS.max(SLOW_LAGS * setup.lag_ms),
    };
    let body_seconds = setup.origin_timeout_seconds;
    ASKS_MAX * 1000 * (setup.deadline_seconds() + body_seconds)
        + ROUNDS_MAX * others_ms(setup)
        + (ROUNDS_MAX + 1) * READS_MAX * read_ms
        + LEDGER_WAIT_MS
        + MORE_MS
}

impl Promises {
    pub fn is_broken(&self) -> bool {
        self.broken.borrow().is_some()
    }

    pub fn verdict(&self) -> Result<(), Violation> {
        self.broken.borrow().clone().map_or(Ok(()), Err)
    }

    /// Records a broken promise; the first one counts. If a defence is switched
    /// off, only its own promise counts.
    pub fn break_one(&self, world: &World, promise: Promise, text: String) {
        world.trace(|| format!("BROKEN {promise:?}: {text}"));
        if world
            .switch
            .is_some_and(|switch| switch.breaks() != promise)
        {
            return;
        }
        let mut broken = self.broken.borrow_mut();
        broken.get_or_insert(Violation { promise, text });
    }

    /// Forgets the receipts, because the ledger's database is lost.
    pub fn forget_receipts(&self) {
        self.receipts.borrow_mut().clear();
    }

    /// Records an order that the ledger has accepted, now or earlier.
    pub fn accepted(&self, world: &World, order: &Order, tick: u64, receipt: &Receipt) {
        let violated = |text: String| self.break_one(world, Promise::Receipts, text);
        let recorded = order.is_recorded();
        let id = format!("{:?} {}", receipt.key, receipt.id);
        if recorded && let Some(first) = self.receipts.borrow().get(&id) {
            if first != receipt {
                violated(format!("first {first:?}, then {receipt:?}"));
            }
            world.count("order repeated");
            return;
        }
        if receipt.sequence <= self.newest.get() {
            violated(format!("{} after {}", receipt.sequence, self.newest.get()));
        }
        self.newest.set(receipt.sequence);
        if recorded {
            let mut receipts = self.receipts.borrow_mut();
            receipts.insert(id, receipt.clone());
        }
        self.orders.borrow_mut().push(Accepted {
            tick,
            at_ms: world.executor.now_ms(),
            sequence: receipt.sequence,
            hard: order.hard.clone(),
            soft: order.soft.clone(),
            key: order.key.clone(),
        });
    }

    /// Checks a response when its head is complete.
    pub fn check(&self, world: &World, seat: &Seat, exchange: &Exchange, answer: &Answer<Bytes>) {
        if let Err(text) = neighbour::check(world, seat, exchange, answer) {
            let status = status_of(answer);
            let text = format!(
                "{text}\n{exchange}, at {}: {} {status}",
                seat.name, answer.status
            );
            self.break_one(world, Promise::Neighbour, text);
        }
        let found = self.find_violation(world, seat, exchange, answer);
        if let Err((promise, text)) = found {
            let status = status_of(answer);
            let text = format!(
                "{text}\n{exchange}, at {}: {} {status}",
                seat.name, answer.status
            );
            self.break_one(world, promise, text);
        }
    }

    fn find_violation(
        &self,
        world: &World,
        seat: &Seat,
        exchange: &Exchange,
        answer: &Answer<Bytes>,
    ) -> Result<(), (Promise, String)> {
        let took_ms = world.executor.now_ms() - exchange.began_ms;
        let bound_ms = bound_ms(&world.setup);
        if took_ms > bound_ms {
            let text = format!("it took {took_ms} ms, of {bound_ms}");
            return Err((Promise::Wait, text));
        }
        let text = text_of(answer);
        check_names(exchange, answer, &text).map_err(|t| (Promise::Private, t))?;
        if exchange.attacks {
            return Ok(());
        }
        let exception = OutageException::of(world, seat, exchange, answer)?;
        // A late signpost hides the entry that it leads to.
        let hidden = &*world.origin.pages[exchange.page].setup.path == SEARCH;
        if answer.status >= 500 && !hidden {
            let copy = ages::usable_copy(world, seat, exchange);
            let copy = copy.map(|copy| (Promise::StaleIfError, format!("there was {copy}")));
            copy.map_or(Ok(()), Err)?;
        }
        if answer.status >= 400 {
            let failed = origin_failed(world, seat, exchange, answer);
            return if failed || had_wrong_length(world, exchange) {
                world.count("error page");
                Ok(())
            } else {
                Err((
                    Promise::Answer,
                    "an error while the origin works".to_owned(),
                ))
            };
        }
        for word in ["purged", "stale-if-error"] {
            if has_detail(answer, word) {
                world.count(word);
            }
        }
        match (exchange.method, answer.status) {
            ("POST", _) => return Ok(()),
            ("HEAD", _) => world.count("head only"),
            (_, 206) => world.count("partial response"),
            (_, 304) => world.count("not modified"),
            _ => {}
        }
        let stamp = answer.fields.get(STAMP).and_then(|text| text.parse().ok());
        let record = origin_of(world, stamp)
            .ok_or_else(|| (Promise::Whole, "it has no stamp".to_owned()))?;
        if record.page != exchange.page || !exchange.takes(&record.language, world) {
            return Err((Promise::Whole, format!("it belongs to {record:?}")));
        }
        if record.owner.is_some() {
            world.count("page with a client name");
        }
        let stamp = stamp.unwrap_or_default();
        check_body(exchange, stamp, &record, answer, &text).map_err(|t| (Promise::Whole, t))?;
        if exchange.stamps.borrow().contains(&stamp) {
            // Fetched or revalidated for this very request.
            return Ok(());
        }
        world.count("served from the cache");
        ages::check_age(world, exchange, &record, answer).map_err(|t| (Promise::Windows, t))?;
        self.check_purges(world, seat, exchange.page, stamp, answer, exception)
    }

    /// Checks that no purge in force is newer than a stored response.
    fn check_purges(
        &self,
        world: &World,
        seat: &Seat,
        page: usize,
        stamp: u64,
        answer: &Answer<Bytes>,
        exception: OutageException,
    ) -> Result<(), (Promise, String)> {
        let names = world.origin.pages[page].names();
        let covers = |list: &[String]| list.iter().any(|name| names.contains(name));
        let now_ms = world.executor.now_ms();
        let claims_fresh = parameter(answer, "ttl").is_some_and(|ttl| ttl > 0);
        for order in self.orders.borrow().iter().filter(|o| o.tick > stamp) {
            let took = seat.took.borrow().contains(&order.sequence);
            let in_force = took || now_ms >= order.at_ms + world.setup.lag_ms;
            let broken = match (covers(&order.hard), covers(&order.soft)) {
                (true, _) => Some(Promise::Hard),
                (_, true) if claims_fresh => Some(Promise::Soft),
                (_, true) => {
                    world.count("stale by soft purge");
                    None
                }
                _ => None,
            };
            let Some(promise) = broken.filter(|_| in_force) else {
                continue;
            };
            if exception.holds {
                world.count("older response allowed in an outage");
                continue;
            }
            let ago_ms = now_ms - order.at_ms;
            let place = if took { "in this isolate" } else { "elsewhere" };
            let text = format!("stamp {stamp}, but {ago_ms} ms ago {place}: {order}");
            return Err((promise, text));
        }
        Ok(())
    }
}

/// Whether a response may be older than a purge, because it reports an outage
/// of the ledger.
#[derive(Clone, Copy)]
struct OutageException {
    holds: bool,
}

impl OutageException {
    fn of(
        world: &World,
        seat: &Seat,
        exchange: &Exchange,
        answer: &Answer<Bytes>,
    ) -> Result<Self, (Promise, String)> {
        let old = has_detail(answer, "old-purge-index");
        let nothing = has_detail(answer, "no-purge-index");
        if !old && !nothing {
            return Ok(Self { holds: false });
        }
        world.count(if old {
            "old-purge-index"
        } else {
            "no-purge-index"
        });
        let now_ms = world.executor.now_ms();
        let since_ms = exchange.began_ms.saturating_sub(RETRY_MS);
        let failed = seat.last_failure_ms.get().is_some_and(|at| at >= since_ms);
        // A query of a cancelled request never ends. It counts until a second
        // after its time limit.
        let long =
            |at: &u64| at + LONG_MS <= now_ms && at + LEDGER_MS_MAX + 1000 >= exchange.began_ms;
        let under_way = seat.queries_in_flight.borrow().iter().any(long);
        // The request has used up its second with several queries, between
        // which the index expired again.
        let spent = now_ms - exchange.began_ms >= LEDGER_WAIT_MS.max(world.setup.lag_ms);
        // The request that was to query may have ended with its isolate.
        let in_place = world.seats.borrow().iter().any(|s| s.name == seat.name);
        if !failed && !under_way && !spent && in_place {
            let text = "it reports an outage, and there is none".to_owned();
            return Err((Promise::Outage, text));
        }
        let serves = old && world.setup.serve_in_outage;
        let holds = serves || origin_failed(world, seat, exchange, answer);
        Ok(Self { holds })
    }
}

/// Whether the origin has failed this request, its leader, or others of its
/// isolate, which then stops requests to the origin.
fn origin_failed(world: &World, seat: &Seat, exchange: &Exchange, answer: &Answer<Bytes>) -> bool {
    let collapsed = status_of(answer).contains("; collapsed");
    // It has waited for leaders for its longest time.
    let waited_ms = world.executor.now_ms() - exchange.began_ms;
    if collapsed && answer.status == 504 && waited_ms >= others_ms(&world.setup) {
        return true;
    }
    let reported = has_detail(answer, "circuit-open") || has_detail(answer, "origin-busy");
    let spared = reported || answer.status == 503 && answer.fields.has("retry-after");
    if spared && flights::was_full(world, seat) {
        world.count("no permit for the origin");
        return true;
    }
    exchange.origin_failed.get()
        || (collapsed || spared)
            && world.exchanges.borrow().iter().any(|(other, at)| {
                let same = spared || other.page == exchange.page;
                at.name == seat.name && same && other.origin_failed.get()
            })
}

fn origin_of(world: &World, stamp: Option<u64>) -> Option<OriginRecord> {
    world.origin.records.borrow().get(&stamp?).cloned()
}

/// Whether the origin has sent it a body of another length than its head: then
/// a range may be beyond its end.
fn had_wrong_length(world: &World, exchange: &Exchange) -> bool {
    let all = world.origin.records.borrow();
    let stamps = exchange.stamps.borrow();
    let mut records = stamps.iter().filter_map(|stamp| all.get(stamp));
    records.any(|record| record.unruly)
}

/// Checks that a response names no other client: only the client itself, and
/// sessions that the origin has set.
fn check_names(exchange: &Exchange, answer: &Answer<Bytes>, text: &str) -> Result<(), String> {
    let own = exchange.names.borrow();
    let fields = answer.fields.iter().map(|(_, value)| value);
    let mut all = fields.chain([text]).flat_map(names_in);
    match all.find(|name| !own.contains(name)) {
        Some(name) => Err(format!("the name {name} reaches a client with {own:?}")),
        None => Ok(()),
    }
}

/// Checks the body that a client receives.
fn check_body(
    exchange: &Exchange,
    stamp: u64,
    record: &OriginRecord,
    answer: &Answer<Bytes>,
    text: &str,
) -> Result<(), String> {
    check_head(record, &answer.fields)?;
    let from_own_fetch =
        exchange.stamps.borrow().contains(&stamp) && !exchange.confirmed.borrow().contains(&stamp);
    let bodiless = exchange.method == "HEAD" || answer.status == 304;
    if bodiless || (from_own_fetch && record.unruly) {
        return Ok(());
    }
    let expected = expected(record, &answer.fields).ok_or("it is not a part of that body")?;
    if text != expected {
        return Err(format!("the body {text:?} does not belong to {record:?}"));
    }
    match answer.length {
        Some(length) if length != text.len() as u64 => {
            Err(format!("its length is given as {length}"))
        }
        _ => Ok(()),
    }
}

/// The value of Edgekeep's `Cache-Status`.
pub fn status_of(answer: &Answer<Bytes>) -> &str {
    let mut all = answer.fields.all("cache-status");
    all.next().unwrap_or_default()
}

/// Whether the parameter `detail` contains a word.
pub fn has_detail(answer: &Answer<Bytes>, word: &str) -> bool {
    let mut parameters = status_of(answer).split("; ");
    parameters
        .find_map(|p| p.strip_prefix("detail="))
        .is_some_and(|detail| detail.split('/').any(|part| part == word))
}

/// A numeric parameter of `Cache-Status`.
pub fn parameter(answer: &Answer<Bytes>, name: &str) -> Option<i64> {
    let mut parameters = status_of(answer).split("; ");
    parameters.find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// The body that the client receives.
pub fn text_of(answer: &Answer<Bytes>) -> String {
    match &answer.content {
        Content::Empty => String::new(),
        Content::Text(text) => text.clone(),
        Content::Body(bytes) => bytes.text.clone(),
        Content::Parts(bytes, pieces) => pieces.iter().map(|piece| part(bytes, piece)).collect(),
    }
}

fn part(bytes: &Bytes, piece: &BodyPiece) -> String {
    match piece {
        BodyPiece::Text(text) => text.clone(),
        BodyPiece::Bytes(range) => {
            let (first, last) = (range.first as usize, range.last as usize);
            bytes
                .text
                .get(first..=last)
                .unwrap_or("out of range")
                .to_owned()
        }
    }
}
