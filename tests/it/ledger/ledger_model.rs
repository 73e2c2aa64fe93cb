//! Compares the ledger with a simple model: a list of all orders. Whatever
//! happens to the ledger (age, overflow, a restart, a database that is set back
//! or fails), an index that is built from its feed never purges less than the
//! list does. `EDGEKEEP_SEED` sets the seed.

use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::{MARKS_DROPPED, MARKS_MAX, Order, Receipt};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::{PurgeIndex, Purgeable};
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use std::ops::Range;
use testkit::ledger::{DAY_MS, Database, Fails, append, feed_after, order, pages};
use testkit::random::Hostile;

/// An accepted order: its sequence number and its tags.
#[derive(Clone, Debug)]
struct Purged {
    sequence: u64,
    tags: Range<u32>,
    everything: bool,
    soft: bool,
}

/// All orders so far.
#[derive(Default)]
struct Model(Vec<Purged>);

impl Model {
    fn add(&mut self, sequence: u64, tags: Range<u32>, soft: bool) {
        let everything = false;
        self.0.push(Purged {
            sequence,
            tags,
            everything,
            soft,
        });
    }

    fn add_everything(&mut self, sequence: u64, soft: bool) {
        let (tags, everything) = (0..0, true);
        self.0.push(Purged {
            sequence,
            tags,
            everything,
            soft,
        });
    }

    fn state(&self, seen: u64, tags: &[u32]) -> PurgeState {
        let after = self.0.iter().filter(|order| order.sequence > seen);
        let fits =
            |order: &&Purged| order.everything || tags.iter().any(|t| order.tags.contains(t));
        let mut state = PurgeState::Alive;
        for order in after.filter(fits) {
            if !order.soft {
                return PurgeState::Hard;
            }
            state = PurgeState::Soft;
        }
        state
    }
}

fn rank(state: PurgeState) -> u8 {
    match state {
        PurgeState::Alive => 0,
        PurgeState::Soft => 1,
        PurgeState::Hard => 2,
    }
}

fn marks(tags: &[u32]) -> Vec<u64> {
    tags.iter().map(|n| mark_of(&format!("tag:{n}"))).collect()
}

fn state_of(index: &PurgeIndex, seen: u64, tags: &[u32]) -> PurgeState {
    let names: Vec<String> = tags.iter().map(u32::to_string).collect();
    index.state_of(Purgeable {
        seen,
        marks: &marks(tags),
        host: "a.test",
        tags: &names,
    })
}

fn names(tags: Range<u32>) -> Vec<String> {
    tags.map(|n| format!("tag:{n}")).collect()
}

fn index_of<S: Sql>(ledger: &LedgerStore<S>) -> PurgeIndex {
    let mut index = PurgeIndex::default();
    for page in pages(ledger, 0) {
        assert!(index.apply(&page));
    }
    index
}

/// A ledger, with all events that can happen to it.
struct Scenario {
    hostile: Hostile,
    database: Database,
    ledger: LedgerStore<Database>,
    model: Model,
    now_ms: u64,
    orders: u32,
    /// The index of an isolate that queries now and then.
    warm: PurgeIndex,
    /// An index that also receives receipts, and old feeds again.
    redundant: PurgeIndex,
    feeds: Vec<PurgeFeed>,
}

/// Which events happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Events {
    /// Orders only: then the index gives exactly the results of the list.
    OrdersOnly,
    /// Also time, restarts and faults.
    All,
}

const TAGS: u32 = 8;

impl Scenario {
    fn new(hostile: Hostile) -> Self {
        let database = Database::new();
        let ledger = database.open(0);
        Self {
            hostile,
            database,
            ledger,
            model: Model::default(),
            now_ms: 0,
            orders: 0,
            warm: PurgeIndex::default(),
            redundant: PurgeIndex::default(),
            feeds: Vec::new(),
        }
    }

    fn tags(&mut self) -> Range<u32> {
        let first = self.hostile.random.u32(0..TAGS);
        first..self.hostile.random.u32(first..=TAGS)
    }

    /// An order of a few tags, or of everything. Now and then the ledger fails
    /// during it, and the order is repeated.
    fn order(&mut self, events: Events) {
        self.orders += 1;
        let (hard, soft) = (self.tags(), self.tags());
        let everything = self.hostile.random.u8(0..20);
        // By one of several keys, which may purge some or all of the tags. The
        // other tags are added by a cascade.
        let scope = self
            .hostile
            .one_of(&[None, Some("scope:t=*"), Some("scope:t=1,t=5,h=x")]);
        let mut order = Order {
            hard: names(hard.clone()),
            soft: names(soft.clone()),
            scope: scope.map(str::to_owned),
            after: self.hostile.one_of(&[0, self.warm.sequence()]),
            ..order(&format!("o{}", self.orders), &[], &[])
        };
        match everything {
            0 => order.hard.insert(0, "everything".to_owned()),
            1 => order.soft.push("everything".to_owned()),
            _ => {}
        }
        if events == Events::All && self.hostile.random.u8(0..4) == 0 {
            let how = self.hostile.one_of(&[Fails::Before, Fails::After]);
            let at = self.hostile.random.usize(0..30);
            self.database.fail_at(at, how);
            let _ = self.ledger.append(&order, self.now_ms);
            self.database.heal();
        }
        let (receipt, feed) = append(&self.ledger, &order, self.now_ms);
        let sequence = receipt.sequence;
        self.model.add(sequence, hard, false);
        self.model.add(sequence, soft, true);
        match everything {
            0 => self.model.add_everything(sequence, false),
            1 => self.model.add_everything(sequence, true),
            _ => {}
        }
        self.deliver(feed, &receipt);
    }

    fn deliver(&mut self, feed: PurgeFeed, receipt: &Receipt) {
        match self.hostile.random.u8(0..4) {
            0 => drop(self.warm.apply(&feed)),
            1 => drop(self.redundant.apply(&PurgeFeed::of_receipt(receipt))),
            2 => drop(self.redundant.apply(&feed)),
            _ => {}
        }
        self.feeds.push(feed);
        let old = self.hostile.random.usize(0..self.feeds.len());
        self.redundant.apply(&self.feeds[old]);
    }

    fn inject_event(&mut self) {
        match self.hostile.random.u8(0..12) {
            // Time passes; after thirty days marks expire.
            0..4 => self.now_ms += self.hostile.random.u64(0..12) * DAY_MS,
            // The object restarts.
            4 => self.ledger = self.database.open(0),
            // Its database was set back: an isolate has seen later numbers.
            5 => {
                let known = self.ledger.last().expect("a number") + 3;
                let at = self.hostile.random.usize(0..10);
                self.database.fail_at(at, Fails::Before);
                let _ = self.ledger.read_feed(known, self.now_ms);
                self.database.heal();
                feed_after(&self.ledger, known);
                self.model.add_everything(known, false);
            }
            _ => {}
        }
    }

    fn check(&mut self, events: Events) {
        let cold = index_of(&self.ledger);
        for index in [&mut self.warm, &mut self.redundant] {
            for page in pages(&self.ledger, index.sequence()) {
                assert!(index.apply(&page));
            }
        }
        let last = cold.sequence();
        for _ in 0..20 {
            let seen = self.hostile.random.u64(0..=last + 1);
            let count = self.hostile.random.usize(0..4);
            let tags: Vec<u32> = (0..count)
                .map(|_| self.hostile.random.u32(0..TAGS + 1))
                .collect();
            let expected = self.model.state(seen, &tags);
            for index in [&cold, &self.warm, &self.redundant] {
                let found = state_of(index, seen, &tags);
                let problem = || format!("{seen} {tags:?}: {found:?}, not {expected:?}");
                match events {
                    Events::OrdersOnly => assert_eq!(found, expected, "{}", problem()),
                    Events::All => assert!(rank(found) >= rank(expected), "{}", problem()),
                }
            }
        }
    }
}

#[track_caller]
fn run_scenarios(events: Events, scenarios: usize) {
    let mut hostile = Hostile::new();
    for _ in 0..scenarios {
        let mut scenario = Scenario::new(hostile);
        for _ in 0..40 {
            scenario.order(events);
            if events == Events::All {
                scenario.inject_event();
            }
            if scenario.hostile.random.u8(0..3) == 0 {
                scenario.check(events);
            }
        }
        scenario.check(events);
        hostile = scenario.hostile;
    }
}

#[test]
fn index_agrees_with_list_of_orders() {
    run_scenarios(Events::OrdersOnly, 60);
}

#[test]
fn no_purge_is_lost_through_faults_and_restarts() {
    run_scenarios(Events::All, 150);
}

#[test]
fn no_purge_is_lost_when_database_is_set_back() {
    let mut hostile = Hostile::new();
    for _ in 0..100 {
        // The second ledger is in the state of the first some orders ago.
        let (first, second) = (Database::new().open(0), Database::new().open(0));
        let (kept, lost) = (hostile.random.u32(0..10), hostile.random.u32(1..10));
        let mut model = Model::default();
        for n in 0..kept + lost {
            let soft = hostile.random.bool();
            let tag = hostile.random.u32(0..TAGS);
            let mut order = order(&format!("o{n}"), &[], &[]);
            match soft {
                true => order.soft = names(tag..tag + 1),
                false => order.hard = names(tag..tag + 1),
            }
            let (receipt, _) = append(&first, &order, 0);
            model.add(receipt.sequence, tag..tag + 1, soft);
            if n < kept {
                append(&second, &order, 0);
            }
        }
        // An isolate that has seen all numbers sends a query or an order.
        let mut index = index_of(&first);
        let known = index.sequence();
        let feed = match hostile.random.bool() {
            true => feed_after(&second, known),
            false => {
                let order = Order {
                    after: known,
                    ..order("next", &["tag:0"], &[])
                };
                let (receipt, feed) = append(&second, &order, 0);
                assert!(receipt.sequence > known);
                model.add(receipt.sequence, 0..1, false);
                feed
            }
        };
        assert!(index.apply(&feed));
        for index in [&index, &index_of(&second)] {
            for seen in 0..=known + 1 {
                for tag in 0..TAGS {
                    let (found, expected) =
                        (index.state(seen, &marks(&[tag])), model.state(seen, &[tag]));
                    assert!(
                        rank(found) >= rank(expected),
                        "{seen} {tag}: {found:?}, not {expected:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn no_purge_is_lost_when_ledger_overflows() {
    let mut hostile = Hostile::new();
    let ledger = Database::new().open(0);
    let (mut model, mut warm) = (Model::default(), PurgeIndex::default());
    let mut floors: Vec<Numbers> = Vec::new();
    // A few tags that are purged repeatedly, between many that are purged once:
    // four overflows.
    let (mut next, mut last) = (TAGS, 0);
    let all = u32::try_from(MARKS_MAX + 4 * MARKS_DROPPED).expect("a count");
    while next < all {
        let many = match hostile.random.u8(0..3) {
            0 => 0,
            _ => hostile.random.u32(500..4000),
        };
        let few = hostile.random.u32(0..TAGS);
        let few = few..hostile.random.u32(few..=TAGS);
        // Long series of soft orders, so that both floors rise.
        let soft = (next / 10_000) % 2 == 1;
        let bulk = names(next..next + many);
        let mut order = Order {
            after: last,
            ..order(&format!("o{next}-{last}"), &[], &[])
        };
        match soft {
            true => (order.soft, order.hard) = (bulk, names(few.clone())),
            false => (order.hard, order.soft) = (bulk, names(few.clone())),
        }
        let (receipt, feed) = append(&ledger, &order, 0);
        last = receipt.sequence;
        model.add(last, next..next + many, soft);
        model.add(last, few, !soft);
        next += many;
        assert!(warm.apply(&feed));
        if floors.last() == Some(&feed.floor) {
            continue;
        }
        floors.push(feed.floor);
        let cold = index_of(&ledger);
        assert!(warm.len() == cold.len() && cold.len() as u64 <= MARKS_MAX);
        for _ in 0..200 {
            let seen = hostile.random.u64(0..=last);
            let tags = [hostile.random.u32(0..TAGS), hostile.random.u32(0..next)];
            let expected = model.state(seen, &tags);
            for index in [&cold, &warm] {
                let found = index.state(seen, &marks(&tags));
                let problem = || format!("{seen} {tags:?}: {found:?}, not {expected:?}");
                assert!(rank(found) >= rank(expected), "{}", problem());
                // Above the floors it purges no more than the list.
                if seen >= feed.floor.newest() {
                    assert_eq!(found, expected, "{}", problem());
                }
            }
        }
    }
    let last = floors.last().copied().unwrap_or_default();
    assert!(
        floors.len() > 3 && last.hard > 0 && last.soft > 0,
        "{floors:?}"
    );
}
