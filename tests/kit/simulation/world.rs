//! The world of one seed: its data centres and isolates, the tiers, the
//! ledger and the origin, and the true time.

use super::exchange::Exchange;
use super::executor::{Executor, Life};
use super::flights::{Flight, Unshared};
use super::ledger::SimLedger;
use super::numbers::{Numbers, Sums};
use super::origin::Origin;
use super::promises::{Promises, Violation};
use super::regimes::{self, Regime};
use super::setup::{PerMille, START_MS, Setup};
use super::switches::Switch;
use super::tiers::{CacheApi, Kv};
use super::waves::Kind;
use edgekeep::cache::config::rules::Rules;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use fastrand::Rng;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The number of times of each event.
pub type Tally = BTreeMap<&'static str, u64>;

/// Counts of queries to the ledger.
#[derive(Debug, Default)]
pub struct QueryCounts {
    pub all: u64,
    /// Queries that returned one of several pages.
    pub pages: u64,
    /// Queries that failed, or were so slow that others were sent beside them.
    pub slow_or_failed: u64,
}

/// An isolate of a data centre, with a clock of its own.
pub struct Seat {
    pub name: String,
    pub centre: usize,
    pub offset_ms: i64,
    pub isolate: Rc<Isolate>,
    /// The time of its last failed or slow query to the ledger.
    pub last_failure_ms: Cell<Option<u64>>,
    /// The start times of its queries to the ledger in flight.
    pub queries_in_flight: RefCell<Vec<u64>>,
    /// The numbers of orders that it has accepted and sent a receipt for.
    pub took: RefCell<Vec<u64>>,
    /// Its requests to the origin.
    pub flights: RefCell<Vec<Flight>>,
    /// When it last used all permits of an origin.
    pub full_ms: Cell<Option<u64>>,
    /// Its requests, which may end with it.
    pub exchanges: RefCell<Vec<Rc<Exchange>>>,
}

pub struct World {
    pub setup: Setup,
    pub switch: Option<Switch>,
    pub executor: Executor,
    pub origin: Origin,
    pub centres: Vec<RefCell<CacheApi>>,
    pub kv: RefCell<Kv>,
    /// The hit-for-miss records of each data centre, which its isolates share.
    pub unshared: Vec<RefCell<Unshared>>,
    pub ledger: SimLedger,
    /// The current isolates.
    pub seats: RefCell<Vec<Rc<Seat>>>,
    pub promises: Promises,
    /// The queries of each data centre to the ledger, by site.
    pub ledger_queries: RefCell<BTreeMap<(usize, &'static str), QueryCounts>>,
    /// All requests, with their isolates.
    pub exchanges: RefCell<Vec<(Rc<Exchange>, Rc<Seat>)>>,
    /// Webhooks without a receipt.
    pub pending: Cell<u64>,
    pub tally: RefCell<Tally>,
    pub numbers: RefCell<Numbers>,
    trace: Option<RefCell<Vec<String>>>,
    rng: RefCell<Rng>,
    ticks: Cell<u64>,
    healed: Cell<bool>,
    /// The number of isolates that each data centre has had.
    seated: RefCell<Vec<u64>>,
}

impl World {
    pub fn new(seed: u64, setup: Setup, switch: Option<Switch>, traced: bool) -> Rc<Self> {
        let mut rng = Rng::with_seed(!seed);
        let ledger = SimLedger::new(&setup, switch, offset(&mut rng, setup.skew_ms));
        let world = Rc::new(Self {
            switch,
            executor: Executor::new(START_MS),
            origin: Origin::new(&setup.pages),
            centres: setup.centres.iter().map(|_| RefCell::default()).collect(),
            kv: RefCell::default(),
            unshared: setup.centres.iter().map(|_| RefCell::default()).collect(),
            ledger,
            seats: RefCell::default(),
            promises: Promises::default(),
            ledger_queries: RefCell::default(),
            exchanges: RefCell::default(),
            pending: Cell::new(0),
            tally: RefCell::default(),
            numbers: RefCell::default(),
            trace: traced.then(RefCell::default),
            rng: RefCell::new(rng),
            ticks: Cell::new(0),
            healed: Cell::new(false),
            seated: RefCell::new(vec![0; setup.centres.len()]),
            setup,
        });
        world.trace(|| format!("{:#?}", world.setup));
        for (centre, isolates) in world.setup.centres.iter().enumerate() {
            for _ in 0..*isolates {
                let seat = world.new_seat(centre);
                world.seats.borrow_mut().push(seat);
            }
        }
        world
    }

    fn new_seat(&self, centre: usize) -> Rc<Seat> {
        let mut seated = self.seated.borrow_mut();
        seated[centre] += 1;
        let number = seated[centre];
        drop(seated);
        let rules = Rules::read_json(&self.setup.rules(self.switch)).expect("rules");
        let secrets = Keys::of_default("");
        let seat = Seat {
            name: format!("c{centre}i{number}"),
            centre,
            offset_ms: offset(&mut self.rng.borrow_mut(), self.setup.skew_ms),
            isolate: Rc::new(Isolate::new(rules, secrets)),
            last_failure_ms: Cell::new(None),
            queries_in_flight: RefCell::default(),
            took: RefCell::default(),
            flights: RefCell::default(),
            full_ms: Cell::new(None),
            exchanges: RefCell::default(),
        };
        if self.switch == Some(Switch::EmptyIndexTrusted) {
            seat.isolate.synced_ms.set(Some(self.clock(seat.offset_ms)));
        }
        Rc::new(seat)
    }

    /// Replaces an isolate by a new one. Each request of the old one continues
    /// or is cancelled.
    pub fn restart(&self, place: usize) {
        let old = Rc::clone(&self.seats.borrow()[place]);
        let new = self.new_seat(old.centre);
        self.trace(|| format!("isolate {} is replaced by {}", old.name, new.name));
        self.seats.borrow_mut()[place] = new;
        for exchange in old.exchanges.take() {
            if self.chance(500) {
                exchange.life.end();
                exchange.later.borrow().iter().for_each(Life::end);
            }
        }
        self.count("isolate restarted");
    }

    /// The number of isolates that a data centre has had.
    pub fn seated_in(&self, centre: usize) -> u64 {
        self.seated.borrow()[centre]
    }

    /// One of the isolates, at random.
    pub fn any_seat(&self) -> Rc<Seat> {
        let seats = self.seats.borrow();
        Rc::clone(&seats[self.below(seats.len() as u64) as usize])
    }

    /// A client aborts its request before the response. Background work
    /// continues.
    pub fn leave(&self, exchange: &Exchange) {
        if exchange.answered.get() {
            return;
        }
        exchange.life.end();
        if self.setup.attack.is_some() && self.switch != Some(Switch::AbortsIgnored) {
            // The runtime fires the request's abort signal, in its own context.
            if let Some(task) = exchange.task.take() {
                self.executor.drop_task(task);
            }
        }
        if self.switch == Some(Switch::WriteEndsWithClient) {
            exchange.later.borrow().iter().for_each(Life::end);
        }
        self.count("client aborted");
    }

    /// A request without a response yet.
    pub fn waiting(&self) -> Option<Rc<Exchange>> {
        let exchanges = self.exchanges.borrow();
        let waits = |(exchange, _): &&(Rc<Exchange>, _)| {
            !exchange.answered.get() && !exchange.life.is_over()
        };
        exchanges.iter().find(waits).map(|(e, _)| Rc::clone(e))
    }

    /// The number of pages for editors and readers, which come first.
    pub fn shared_pages(&self) -> usize {
        let attack = self.setup.attack.as_ref();
        attack.map_or(self.setup.pages.len(), |attack| attack.shared_pages)
    }

    /// The hosts of the origin's pages.
    pub fn sites(&self) -> Vec<&'static str> {
        let pages = self.setup.pages.iter();
        pages.map(|page| page.host).collect()
    }

    /// The time by a clock with this offset.
    pub fn clock(&self, offset_ms: i64) -> u64 {
        self.executor.now_ms().saturating_add_signed(offset_ms)
    }

    /// The next tick. Ticks order the events at the origin and in the ledger.
    pub fn tick(&self) -> u64 {
        let tick = self.ticks.get() + 1;
        self.ticks.set(tick);
        tick
    }

    pub fn below(&self, end: u64) -> u64 {
        self.rng.borrow_mut().u64(..end)
    }

    pub fn up_to(&self, most: u64) -> u64 {
        self.rng.borrow_mut().u64(..=most)
    }

    /// A value between half and one and a half of a mean.
    pub fn about(&self, mean: u64) -> u64 {
        mean / 2 + self.up_to(mean)
    }

    pub fn chance(&self, per_mille: PerMille) -> bool {
        self.below(1000) < per_mille
    }

    pub fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }

    /// The probability of a fault: 0 once the world is healed, and in worlds
    /// without faults.
    pub fn faults(&self, per_mille: PerMille) -> PerMille {
        let spared = self.setup.steady.is_some() || self.setup.attack.is_some();
        match self.is_healed() || spared {
            true => 0,
            false => per_mille,
        }
    }

    pub fn is_healed(&self) -> bool {
        self.healed.get()
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.healed.set(true);
        self.ledger.heal();
    }

    pub fn new_offset(&self) -> i64 {
        offset(&mut self.rng.borrow_mut(), self.setup.skew_ms)
    }

    /// The current regime of a host of the origin.
    pub fn regime(&self, host: &str) -> Regime {
        let storm = self.setup.storm.as_ref().filter(|_| !self.is_healed());
        let phases = storm.and_then(|storm| storm.phases.iter().find(|(of, _)| *of == host));
        let ms = self.executor.now_ms() - START_MS;
        phases.map_or(Regime::Healthy, |(_, phases)| regimes::at(phases, ms))
    }

    /// Waits until `ms` after the start.
    pub async fn until(&self, ms: u64) {
        let now_ms = self.executor.now_ms() - START_MS;
        self.executor.sleep(ms.saturating_sub(now_ms)).await;
    }

    /// Updates the sums of a kind of wave.
    pub fn sums(&self, kind: Kind, add: impl FnOnce(&mut Sums)) {
        add(self.numbers.borrow_mut().entry(kind).or_default());
    }

    pub fn count(&self, what: &'static str) {
        *self.tally.borrow_mut().entry(what).or_default() += 1;
    }

    pub fn trace(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.trace {
            let ms = self.executor.now_ms() - START_MS;
            let line = format!("{:>4}.{:03}  {}", ms / 1000, ms % 1000, line());
            lines.borrow_mut().push(line);
        }
    }

    pub fn take_trace(&self) -> Vec<String> {
        self.trace.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// Advances the time by `milliseconds`, or until a promise is broken.
    pub fn run(&self, milliseconds: u64) -> Result<(), Violation> {
        let end_ms = self.executor.now_ms() + milliseconds;
        self.executor
            .run_until(end_ms, || self.promises.is_broken());
        self.promises.verdict()
    }
}

fn offset(rng: &mut Rng, skew_ms: u64) -> i64 {
    let skew = skew_ms as i64;
    rng.i64(-skew..=skew)
}
