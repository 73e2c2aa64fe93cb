//! What is promised, checked after every answer by a model of its own: a list
//! of all orders in the order in which the ledger took them.

use super::ages;
use super::exchange::Exchange;
use super::flights;
use super::ledger::{LEDGER_MS_MAX, LONG_MS};
use super::neighbour;
use super::page::{Asked, Bytes, STAMP, check_head, expected, names_in};
use super::setup::{SEARCH, Setup};
use super::storage::{KV_MS, SLOW_LAGS};
use super::world::{Seat, World};
use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::flow::response::reply::{Answer, BodyPiece, Content};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// What a hard purge in force covers is not served.
    Hard,
    /// What a soft purge in force covers is not called fresh.
    Soft,
    /// Numbers grow; a repeat gets the first receipt; another body is refused.
    Receipts,
    /// A write that succeeded has ordered what it changed.
    Write,
    /// After quiet every index knows what the ledger knows.
    Agreement,
    /// After quiet every page is a fresh hit again, in its newest version.
    Return,
    /// The ledger is asked seldom.
    Cost,
    /// Every request gets an answer, and no error while the origin works.
    Answer,
    /// An answer is of one version and one language, and of the page asked for;
    /// what was cut is never served as whole from a tier.
    Whole,
    /// An answer speaks of an outage only in one.
    Outage,
    /// What bears a client's name reaches no other client.
    Private,
    /// An answer is no older than its lifetime and the window that applied.
    Windows,
    /// No 5xx while a copy was in sight that could be served stale.
    Outlived,
    /// An isolate has no more requests in flight to an origin than it may.
    Load,
    /// Every answer comes within a bound that follows from the settings.
    Wait,
    /// While an isolate asks the origin for an answer that others may have,
    /// it asks no second time for it.
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

/// An order as the model keeps it.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub tick: u64,
    /// True time.
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

/// After a failure an isolate leaves the ledger alone for so long at most, and
/// for as long as a question takes nobody else waits for the next.
const RETRY_MS: u64 = 16_000 + 6_000;

/// How often the origin is asked at most for an answer, each time until the
/// deadline: for what follows a part, then with conditions, then without. A
/// body that a stale copy stands by for is waited for, too.
const ASKS_MAX: u64 = 3;
/// How often a request waits for one that asks for all.
const ROUNDS_MAX: u64 = 3;
/// How much longer it waits for those of other isolates.
const NEIGHBOUR_MS: u64 = 5_000;
/// How often tiers are read each time that it looks: two of them, for a
/// signpost, for the key's own slot and for a variant's; and for a part.
const READS_MAX: u64 = 7;
/// How long the ledger is waited for: in all, or for an order.
const LEDGER_WAIT_MS: u64 = 1_000;
/// What comes on top: short ways.
const MORE_MS: u64 = 1_000;

/// How long a request waits for one that asks for all.
pub fn others_ms(setup: &Setup) -> u64 {
    1000 * setup.deadline_seconds() + NEIGHBOUR_MS
}

/// How long an answer may take.
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

    /// Notes that a promise is broken; the first one counts. Where a defence
    /// is taken away, only the promise that it serves.
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

    /// The ledger's database is lost, and with it what it knew of ids.
    pub fn forget_receipts(&self) {
        self.receipts.borrow_mut().clear();
    }

    /// The ledger has taken an order, or told that it had.
    pub fn accepted(&self, world: &World, order: &Order, tick: u64, receipt: &Receipt) {
        let complain = |text: String| self.break_one(world, Promise::Receipts, text);
        let recorded = order.is_recorded();
        let id = format!("{:?} {}", receipt.key, receipt.id);
        if recorded && let Some(first) = self.receipts.borrow().get(&id) {
            if first != receipt {
                complain(format!("first {first:?}, then {receipt:?}"));
            }
            world.count("order repeated");
            return;
        }
        if receipt.sequence <= self.newest.get() {
            complain(format!("{} after {}", receipt.sequence, self.newest.get()));
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

    /// Checks an answer at the moment at which its head is decided.
    pub fn check(&self, world: &World, seat: &Seat, exchange: &Exchange, answer: &Answer<Bytes>) {
        if let Err(text) = neighbour::check(world, seat, exchange, answer) {
            let status = status_of(answer);
            let told = format!(
                "{text}\n{exchange}, at {}: {} {status}",
                seat.name, answer.status
            );
            self.break_one(world, Promise::Neighbour, told);
        }
        let found = self.find_fault(world, seat, exchange, answer);
        if let Err((promise, text)) = found {
            let status = status_of(answer);
            let told = format!(
                "{text}\n{exchange}, at {}: {} {status}",
                seat.name, answer.status
            );
            self.break_one(world, promise, told);
        }
    }

    fn find_fault(
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
        let excuse = Excuse::of(world, seat, exchange, answer)?;
        // A signpost that is late hides what it leads to.
        let hidden = &*world.origin.pages[exchange.page].setup.path == SEARCH;
        if answer.status >= 500 && !hidden {
            let copy = ages::usable_copy(world, seat, exchange);
            let copy = copy.map(|copy| (Promise::Outlived, format!("there was {copy}")));
            copy.map_or(Ok(()), Err)?;
        }
        if answer.status >= 400 {
            let failed = origin_failed(world, seat, exchange, answer);
            return if failed || was_lied_to(world, exchange) {
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
            if says(answer, word) {
                world.count(word);
            }
        }
        match (exchange.method, answer.status) {
            ("POST", _) => return Ok(()),
            ("HEAD", _) => world.count("only the head"),
            (_, 206) => world.count("part of a body"),
            (_, 304) => world.count("not modified"),
            _ => {}
        }
        let stamp = answer.fields.get(STAMP).and_then(|text| text.parse().ok());
        let asked = origin_of(world, stamp)
            .ok_or_else(|| (Promise::Whole, "it bears no stamp".to_owned()))?;
        if asked.page != exchange.page || !exchange.takes(&asked.language, world) {
            return Err((Promise::Whole, format!("it is of {asked:?}")));
        }
        if asked.owner.is_some() {
            world.count("page with a name");
        }
        let stamp = stamp.unwrap_or_default();
        check_body(exchange, stamp, &asked, answer, &text).map_err(|t| (Promise::Whole, t))?;
        if exchange.minted.borrow().contains(&stamp) {
            // It is of this very request, or confirmed for it.
            return Ok(());
        }
        world.count("from the cache");
        ages::check_age(world, exchange, &asked, answer).map_err(|t| (Promise::Windows, t))?;
        self.check_purges(world, seat, exchange.page, stamp, answer, excuse)
    }

    /// A stored answer must be older than no purge in force.
    fn check_purges(
        &self,
        world: &World,
        seat: &Seat,
        page: usize,
        stamp: u64,
        answer: &Answer<Bytes>,
        excuse: Excuse,
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
                    world.count("stale by a soft purge");
                    None
                }
                _ => None,
            };
            let Some(promise) = broken.filter(|_| in_force) else {
                continue;
            };
            if excuse.holds {
                world.count("excused by an outage");
                continue;
            }
            let ago_ms = now_ms - order.at_ms;
            let whose = if took {
                "this isolate took"
            } else {
                "there was"
            };
            let text = format!("stamp {stamp}, but {ago_ms} ms ago {whose} {order}");
            return Err((promise, text));
        }
        Ok(())
    }
}

/// Whether an answer may be older than a purge, because it says so in an
/// outage.
#[derive(Clone, Copy)]
struct Excuse {
    holds: bool,
}

impl Excuse {
    fn of(
        world: &World,
        seat: &Seat,
        exchange: &Exchange,
        answer: &Answer<Bytes>,
    ) -> Result<Self, (Promise, String)> {
        let old = says(answer, "old-purge-index");
        let nothing = says(answer, "no-purge-index");
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
        let failed = seat.trouble_ms.get().is_some_and(|at| at >= since_ms);
        // One whose request was cut short never ends; it counts as lost when it
        // is a second older than any.
        let long =
            |at: &u64| at + LONG_MS <= now_ms && at + LEDGER_MS_MAX + 1000 >= exchange.began_ms;
        let under_way = seat.asking.borrow().iter().any(long);
        // One that has spent its second on several questions, between which the
        // index grew old again.
        let spent = now_ms - exchange.began_ms >= LEDGER_WAIT_MS.max(world.setup.lag_ms);
        // The one that was to ask may have ended with its isolate.
        let in_place = world.seats.borrow().iter().any(|s| s.name == seat.name);
        if !failed && !under_way && !spent && in_place {
            let text = "it speaks of an outage, and there is none".to_owned();
            return Err((Promise::Outage, text));
        }
        let serves = old && world.setup.serve_in_outage;
        let holds = serves || origin_failed(world, seat, exchange, answer);
        Ok(Self { holds })
    }
}

/// Whether the origin has failed this request, or the one that asked for it,
/// or others of its isolate, which then leaves the origin alone.
fn origin_failed(world: &World, seat: &Seat, exchange: &Exchange, answer: &Answer<Bytes>) -> bool {
    let collapsed = status_of(answer).contains("; collapsed");
    // It has waited for others for as long as it may.
    let waited_ms = world.executor.now_ms() - exchange.began_ms;
    if collapsed && answer.status == 504 && waited_ms >= others_ms(&world.setup) {
        return true;
    }
    let told = says(answer, "circuit-open") || says(answer, "origin-busy");
    let spared = told || answer.status == 503 && answer.fields.has("retry-after");
    if spared && flights::was_full(world, seat) {
        world.count("no place to ask the origin");
        return true;
    }
    exchange.origin_failed.get()
        || (collapsed || spared)
            && world.exchanges.borrow().iter().any(|(other, at)| {
                let same = spared || other.page == exchange.page;
                at.name == seat.name && same && other.origin_failed.get()
            })
}

fn origin_of(world: &World, stamp: Option<u64>) -> Option<Asked> {
    world.origin.asked.borrow().get(&stamp?).cloned()
}

/// Whether the origin gave it a body that was not what its head said: a range
/// may lie beyond its end then.
fn was_lied_to(world: &World, exchange: &Exchange) -> bool {
    let all = world.origin.asked.borrow();
    let minted = exchange.minted.borrow();
    let mut asked = minted.iter().filter_map(|stamp| all.get(stamp));
    asked.any(|asked| asked.unruly)
}

/// No name may stand in an answer but the client's own, and those that the
/// origin gave to it.
fn check_names(exchange: &Exchange, answer: &Answer<Bytes>, text: &str) -> Result<(), String> {
    let own = exchange.names.borrow();
    let fields = answer.fields.iter().map(|(_, value)| value);
    let mut all = fields.chain([text]).flat_map(names_in);
    match all.find(|name| !own.contains(name)) {
        Some(name) => Err(format!("the name {name} reaches who has {own:?}")),
        None => Ok(()),
    }
}

/// What is wrong with the body that a client got, if anything.
fn check_body(
    exchange: &Exchange,
    stamp: u64,
    asked: &Asked,
    answer: &Answer<Bytes>,
    text: &str,
) -> Result<(), String> {
    check_head(asked, &answer.fields)?;
    let at_first_hand =
        exchange.minted.borrow().contains(&stamp) && !exchange.confirmed.borrow().contains(&stamp);
    let bodiless = exchange.method == "HEAD" || answer.status == 304;
    if bodiless || (at_first_hand && asked.unruly) {
        return Ok(());
    }
    let expected = expected(asked, &answer.fields).ok_or("it is no part of that body")?;
    if text != expected {
        return Err(format!("the body {text:?} is not the one of {asked:?}"));
    }
    match answer.length {
        Some(told) if told != text.len() as u64 => Err(format!("it tells the length {told}")),
        _ => Ok(()),
    }
}

/// The value of our `Cache-Status`.
pub fn status_of(answer: &Answer<Bytes>) -> &str {
    let mut all = answer.fields.all("cache-status");
    all.next().unwrap_or_default()
}

/// Whether `detail` has a word.
pub fn says(answer: &Answer<Bytes>, word: &str) -> bool {
    let mut parameters = status_of(answer).split("; ");
    parameters
        .find_map(|p| p.strip_prefix("detail="))
        .is_some_and(|detail| detail.split('/').any(|part| part == word))
}

/// A number among the parameters.
pub fn parameter(answer: &Answer<Bytes>, name: &str) -> Option<i64> {
    let mut parameters = status_of(answer).split("; ");
    parameters.find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// What the client gets of the body.
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
