//! The ledger in the simulated world: the real one on a real database, behind
//! a connection that is slow, fails and loses replies; and its restarts.

use super::disk::{Disk, FEED_IN_PAGES};
use super::promises::Promise;
use super::setup::{START_MS, Setup};
use super::switches::Switch;
use super::world::{Seat, World};
use edgekeep::cache::ledger::wire::{FeedQuery, HistoryQuery, Order};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::runtime::host::LedgerReply;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The time limit of a call to the ledger, as on the platform.
pub const LEDGER_MS_MAX: u64 = 5000;

/// A query that takes this long is slow: others stop waiting for it.
pub const LONG_MS: u64 = 700;

/// The age of the ledger at the start: a day.
const BORN_BEFORE_MS: u64 = 86_400_000;

/// Whether the ledger can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Up,
    /// Calls fail at once.
    Refused,
    /// Calls get no reply.
    Silent,
}

pub struct SimLedger {
    disk: Disk,
    store: RefCell<LedgerStore<Disk>>,
    offset_ms: Cell<i64>,
    from_everywhere: Cell<Reach>,
    /// From each data centre.
    from: Vec<Cell<Reach>>,
    /// The number of times that the database was lost.
    losses: Cell<u64>,
    /// Whether an event has happened after which more may be purged than the
    /// model's list of orders says.
    pub inexact: Cell<bool>,
}

impl SimLedger {
    pub fn new(setup: &Setup, switch: Option<Switch>, offset_ms: i64) -> Self {
        let disk = Disk::new(setup.ledger.small, switch);
        let born_ms = START_MS - BORN_BEFORE_MS;
        let store = LedgerStore::open(disk.clone(), born_ms, false).expect("a ledger");
        Self {
            disk,
            store: RefCell::new(store),
            offset_ms: Cell::new(offset_ms),
            from_everywhere: Cell::new(Reach::Up),
            from: setup.centres.iter().map(|_| Cell::new(Reach::Up)).collect(),
            losses: Cell::new(0),
            inexact: Cell::new(false),
        }
    }

    pub fn heal(&self) {
        self.from_everywhere.set(Reach::Up);
        self.from.iter().for_each(|reach| reach.set(Reach::Up));
    }

    /// Sets whether it is reachable, from one data centre or from all.
    pub fn set_reach(&self, centre: Option<usize>, reach: Reach) {
        match centre {
            Some(centre) => self.from[centre].set(reach),
            None => self.from_everywhere.set(reach),
        }
    }

    fn reach(&self, centre: usize) -> Reach {
        match self.from_everywhere.get() {
            Reach::Up => self.from[centre].get(),
            reach => reach,
        }
    }

    /// Restarts the object, on another machine with another clock.
    pub fn restart(&self, world: &World) {
        self.offset_ms.set(world.new_offset());
        self.disk.fail_after(None);
        let now_ms = world.clock(self.offset_ms.get());
        let store = LedgerStore::open(self.disk.clone(), now_ms, false);
        *self.store.borrow_mut() = store.expect("a ledger");
        world.count("ledger restarted");
    }

    /// Replaces the database by an empty one.
    pub fn lose(&self, world: &World) {
        self.disk.empty();
        self.inexact.set(true);
        self.losses.set(self.losses.get() + 1);
        world.promises.forget_receipts();
        world.count("ledger lost");
        self.restart(world);
    }

    /// The number of times that its database was lost.
    pub fn losses(&self) -> u64 {
        self.losses.get()
    }

    /// The last sequence number.
    pub fn last(&self) -> u64 {
        self.store.borrow().last().expect("a number")
    }

    /// The receipt that it has for an id.
    pub fn receipt_of(&self, id: &str) -> Option<edgekeep::cache::ledger::wire::Receipt> {
        let question = HistoryQuery::Id(id.to_owned());
        let found = self.store.borrow().history(&question).ok()?;
        found.into_iter().next().map(|past| past.receipt)
    }

    /// Prepares the disk for one call. Returns the time by the ledger's clock.
    fn prepare(&self, world: &World) -> u64 {
        let now_ms = world.clock(self.offset_ms.get());
        self.disk.set_clock(now_ms);
        let fails = world.chance(world.faults(world.setup.ledger.disk_fails));
        self.disk.fail_after(fails.then(|| world.below(14)));
        now_ms
    }

    fn done(&self, world: &World) {
        self.disk.fail_after(None);
        for what in self.disk.take_events() {
            if what != FEED_IN_PAGES {
                self.inexact.set(true);
            }
            world.count(what);
        }
    }

    fn append(&self, world: &World, order: &Order) -> Result<LedgerReply, String> {
        let now_ms = self.prepare(world);
        let tick = world.tick();
        let reply = self.store.borrow().append(order, now_ms);
        self.done(world);
        let accepted = match (&reply, &order.id) {
            (Ok(reply), _) => reply.receipt.clone(),
            // It may have been stored nevertheless.
            (Err(_), Some(id)) => self.receipt_of(id),
            (Err(_), None) => None,
        };
        world.trace(|| format!("ledger: {order:?} -> {:?}", reply.as_ref().map(|r| &r.feed)));
        if let Some(receipt) = accepted {
            world.promises.accepted(world, order, tick, &receipt);
        }
        let reply = reply?;
        if let Some(receipt) = &reply.receipt
            && (&receipt.hard, &receipt.soft) != (&order.hard, &order.soft)
        {
            let text = format!("{order:?} has the receipt of another body: {receipt:?}");
            world.promises.break_one(world, Promise::Receipts, text);
        }
        let feed = PurgeFeed::decode(&reply.feed).map_err(|error| error.to_string())?;
        Ok(match reply.receipt {
            Some(receipt) => LedgerReply::Done(Box::new(receipt), feed),
            None => {
                world.count("order refused");
                LedgerReply::Conflict
            }
        })
    }

    fn news(&self, world: &World, seat: &Seat, query: &FeedQuery) -> Result<PurgeFeed, String> {
        let now_ms = self.prepare(world);
        let after = query.after;
        let text = self.store.borrow().read_feed(after, now_ms);
        if let Some(report) = &query.stats {
            self.store.borrow().add_stats(report, now_ms)?;
        }
        self.done(world);
        world.trace(|| format!("ledger to {}: feed after {after} -> {text:?}", seat.name));
        PurgeFeed::decode(&text?).map_err(|error| error.to_string())
    }
}

/// Sends an order to the ledger. The reply may be lost.
pub async fn append(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    order: &Order,
) -> Result<LedgerReply, String> {
    call_ledger(world, seat, |ledger| ledger.append(world, order)).await
}

/// Sends a query for the feed to the ledger. The reply may be lost.
pub async fn news(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    query: &FeedQuery,
) -> Result<PurgeFeed, String> {
    let feed = call_ledger(world, seat, |ledger| ledger.news(world, seat, query)).await?;
    if !feed.complete {
        // The whole feed takes several queries.
        seat.last_failure_ms.set(Some(world.executor.now_ms()));
    }
    Ok(feed)
}

/// Calls the ledger, and records slow and failed calls.
async fn call_ledger<T>(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    call: impl FnOnce(&SimLedger) -> Result<T, String>,
) -> Result<T, String> {
    let began_ms = world.executor.now_ms();
    world.trace(|| format!("{}: calls the ledger", seat.name));
    seat.queries_in_flight.borrow_mut().push(began_ms);
    let answer = there_and_back(world, seat, call).await;
    let mut queries_in_flight = seat.queries_in_flight.borrow_mut();
    if let Some(at) = queries_in_flight.iter().position(|at| *at == began_ms) {
        queries_in_flight.remove(at);
    }
    let now_ms = world.executor.now_ms();
    if answer.is_err() || now_ms - began_ms >= LONG_MS {
        seat.last_failure_ms.set(Some(now_ms));
    }
    if let Err(problem) = &answer {
        world.trace(|| format!("{}: no reply from the ledger: {problem}", seat.name));
        world.count("ledger unreachable");
    }
    answer
}

/// Waits for the way to the ledger, the call, and the way back.
async fn there_and_back<T>(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    call: impl FnOnce(&SimLedger) -> Result<T, String>,
) -> Result<T, String> {
    let faults = &world.setup.ledger;
    let end_ms = world.executor.now_ms() + LEDGER_MS_MAX;
    let left = || end_ms.saturating_sub(world.executor.now_ms());
    world.executor.sleep(world.up_to(faults.way_ms)).await;
    match world.ledger.reach(seat.centre) {
        Reach::Up => {}
        Reach::Refused => return Err("refused".to_owned()),
        Reach::Silent => {
            world.executor.sleep(left()).await;
            return Err("silence".to_owned());
        }
    }
    let answer = call(&world.ledger);
    let lost = world.chance(world.faults(faults.reply_lost));
    let late = world.chance(world.faults(faults.reply_late));
    let way_ms = world.up_to(if late { 6000 } else { faults.way_ms });
    world.executor.sleep(way_ms.min(left())).await;
    if lost || left() == 0 {
        world.count("reply lost");
        return Err("the reply is lost".to_owned());
    }
    answer
}
