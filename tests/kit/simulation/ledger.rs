//! The ledger's place in the world: the real one on a real database, with a
//! way to it that is long, breaks, and loses replies; and its restarts.

use super::disk::{Disk, NEWS_IN_PAGES};
use super::promises::Promise;
use super::setup::{START_MS, Setup};
use super::switches::Switch;
use super::world::{Seat, World};
use edgekeep::cache::ledger::wire::{HistoryQuery, Order};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::runtime::host::LedgerReply;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// As on the platform: beyond this the ledger counts as out of reach.
pub const LEDGER_MS_MAX: u64 = 5000;

/// A question that takes so long is trouble: others that wait for it give up.
pub const LONG_MS: u64 = 700;

/// The ledger has been there for a day.
const BORN_BEFORE_MS: u64 = 86_400_000;

/// Whether the ledger can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Up,
    /// An error comes at once.
    Refused,
    /// Nothing comes.
    Silent,
}

pub struct LedgerSite {
    disk: Disk,
    book: RefCell<LedgerStore<Disk>>,
    offset_ms: Cell<i64>,
    whole: Cell<Reach>,
    /// From each data centre.
    from: Vec<Cell<Reach>>,
    /// How often the database was lost.
    losses: Cell<u64>,
    /// Whether something happened for which the model of all orders has no
    /// exact answer: more may be dead than it says.
    pub inexact: Cell<bool>,
}

impl LedgerSite {
    pub fn new(setup: &Setup, switch: Option<Switch>, offset_ms: i64) -> Self {
        let disk = Disk::new(setup.ledger.small, switch);
        let born_ms = START_MS - BORN_BEFORE_MS;
        let book = LedgerStore::open(disk.clone(), born_ms, false).expect("a ledger");
        Self {
            disk,
            book: RefCell::new(book),
            offset_ms: Cell::new(offset_ms),
            whole: Cell::new(Reach::Up),
            from: setup.centres.iter().map(|_| Cell::new(Reach::Up)).collect(),
            losses: Cell::new(0),
            inexact: Cell::new(false),
        }
    }

    pub fn heal(&self) {
        self.whole.set(Reach::Up);
        self.from.iter().for_each(|reach| reach.set(Reach::Up));
    }

    /// Makes it reachable or not, from one data centre or from all.
    pub fn set_reach(&self, centre: Option<usize>, reach: Reach) {
        match centre {
            Some(centre) => self.from[centre].set(reach),
            None => self.whole.set(reach),
        }
    }

    fn reach(&self, centre: usize) -> Reach {
        match self.whole.get() {
            Reach::Up => self.from[centre].get(),
            reach => reach,
        }
    }

    /// The object starts again, on another machine with another clock.
    pub fn restart(&self, world: &World) {
        self.offset_ms.set(world.new_offset());
        self.disk.fail_after(None);
        let now_ms = world.clock(self.offset_ms.get());
        let book = LedgerStore::open(self.disk.clone(), now_ms, false);
        *self.book.borrow_mut() = book.expect("a ledger");
        world.count("ledger restarted");
    }

    /// The database is lost; a new one begins.
    pub fn lose(&self, world: &World) {
        self.disk.empty();
        self.inexact.set(true);
        self.losses.set(self.losses.get() + 1);
        world.promises.forget_receipts();
        world.count("ledger lost");
        self.restart(world);
    }

    /// How often its database was lost.
    pub fn losses(&self) -> u64 {
        self.losses.get()
    }

    /// The last number given.
    pub fn last(&self) -> u64 {
        self.book.borrow().last().expect("a number")
    }

    /// What it says of an id now.
    pub fn receipt_of(&self, id: &str) -> Option<edgekeep::cache::ledger::wire::Receipt> {
        let question = HistoryQuery::Id(id.to_owned());
        let told = self.book.borrow().history(&question).ok()?;
        told.into_iter().next().map(|told| told.receipt)
    }

    /// Sets the disk up for one question.
    fn prepare(&self, world: &World) -> u64 {
        let now_ms = world.clock(self.offset_ms.get());
        self.disk.set_clock(now_ms);
        let fails = world.chance(world.faults(world.setup.ledger.disk_fails));
        self.disk.fail_after(fails.then(|| world.below(14)));
        now_ms
    }

    fn done(&self, world: &World) {
        self.disk.fail_after(None);
        for what in self.disk.take_seen() {
            if what != NEWS_IN_PAGES {
                self.inexact.set(true);
            }
            world.count(what);
        }
    }

    fn append(&self, world: &World, order: &Order) -> Result<LedgerReply, String> {
        let now_ms = self.prepare(world);
        let tick = world.tick();
        let reply = self.book.borrow().append(order, now_ms);
        self.done(world);
        let accepted = match (&reply, &order.id) {
            (Ok(reply), _) => reply.receipt.clone(),
            // It may have been kept all the same.
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
        let news = PurgeFeed::decode(&reply.feed).map_err(|error| error.to_string())?;
        Ok(match reply.receipt {
            Some(receipt) => LedgerReply::Done(Box::new(receipt), news),
            None => {
                world.count("order refused");
                LedgerReply::Conflict
            }
        })
    }

    fn news(&self, world: &World, seat: &Seat, after: u64) -> Result<PurgeFeed, String> {
        let now_ms = self.prepare(world);
        let text = self.book.borrow().read_feed(after, now_ms);
        self.done(world);
        world.trace(|| format!("ledger to {}: news after {after} -> {text:?}", seat.name));
        PurgeFeed::decode(&text?).map_err(|error| error.to_string())
    }
}

/// An order, sent to the ledger and answered, or not.
pub async fn append(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    order: &Order,
) -> Result<LedgerReply, String> {
    travel(world, seat, |ledger| ledger.append(world, order)).await
}

/// A question for news, sent to the ledger and answered, or not.
pub async fn news(world: &Rc<World>, seat: &Rc<Seat>, after: u64) -> Result<PurgeFeed, String> {
    let news = travel(world, seat, |ledger| ledger.news(world, seat, after)).await?;
    if !news.complete {
        // All of it takes more than one way there and back.
        seat.trouble_ms.set(Some(world.executor.now_ms()));
    }
    Ok(news)
}

/// The way there and back.
async fn travel<T>(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    question: impl FnOnce(&LedgerSite) -> Result<T, String>,
) -> Result<T, String> {
    let began_ms = world.executor.now_ms();
    world.trace(|| format!("{}: asks the ledger", seat.name));
    seat.asking.borrow_mut().push(began_ms);
    let answer = there_and_back(world, seat, question).await;
    let mut asking = seat.asking.borrow_mut();
    if let Some(at) = asking.iter().position(|at| *at == began_ms) {
        asking.remove(at);
    }
    let now_ms = world.executor.now_ms();
    if answer.is_err() || now_ms - began_ms >= LONG_MS {
        seat.trouble_ms.set(Some(now_ms));
    }
    if let Err(problem) = &answer {
        world.trace(|| format!("{}: no answer from the ledger: {problem}", seat.name));
        world.count("ledger out of reach");
    }
    answer
}

async fn there_and_back<T>(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    question: impl FnOnce(&LedgerSite) -> Result<T, String>,
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
    let answer = question(&world.ledger);
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
