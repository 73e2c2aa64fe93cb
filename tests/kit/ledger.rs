//! A ledger on a real database in memory, and short ways to send it orders.

use crate::world::sqlite::Sqlite;
use edgekeep::cache::ledger::sequence::PurgeState;
use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::{PurgeIndex, Purgeable};
use edgekeep::cache::purge::selector::marks;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::{Sql, Value};
use edgekeep::http::url::Url;
use std::cell::Cell;
use std::rc::Rc;

/// A day, in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

/// A database that several ledgers open in turn, and that fails on demand.
#[derive(Clone)]
pub struct Database {
    engine: Sqlite,
    /// The number of statements that it has run.
    pub run: Rc<Cell<usize>>,
    fails: Rc<Cell<Option<(usize, Fails)>>>,
}

/// When a statement fails: before or after its execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fails {
    /// It is not executed.
    Before,
    /// It is executed, but returns an error.
    After,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    pub fn new() -> Self {
        Self {
            engine: Sqlite::in_memory(),
            run: Rc::default(),
            fails: Rc::default(),
        }
    }

    /// Makes the `n`th statement from now on fail; 0 is the next one.
    pub fn fail_at(&self, n: usize, how: Fails) {
        self.fails.set(Some((self.run.get() + n, how)));
    }

    /// Ends the failures.
    pub fn heal(&self) {
        self.fails.set(None);
    }

    /// Opens a ledger on this database, at `now_ms`.
    pub fn open(&self, now_ms: u64) -> LedgerStore<Self> {
        LedgerStore::open(self.clone(), now_ms, false).expect("a ledger")
    }
}

impl Sql for Database {
    fn run(&self, statement: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, String> {
        let number = self.run.get();
        self.run.set(number + 1);
        match self.fails.get() {
            Some((at, Fails::Before)) if at == number => Err("failed before".to_owned()),
            Some((at, Fails::After)) if at == number => {
                self.engine.run(statement, values)?;
                Err("failed after".to_owned())
            }
            _ => self.engine.run(statement, values),
        }
    }
}

/// An order with this id; an empty id makes it the order of a write.
pub fn order(id: &str, hard: &[&str], soft: &[&str]) -> Order {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Order {
        id: (!id.is_empty()).then(|| id.to_owned()),
        key: (!id.is_empty()).then(|| "k".to_owned()),
        body_digest: "digest".to_owned(),
        via: "webhook".to_owned(),
        hard: owned(hard),
        soft: owned(soft),
        lag_seconds: 5,
        ..Order::default()
    }
}

/// An order for many tags, from a sender that has seen all earlier numbers.
pub fn order_of_tags<S: Sql>(
    ledger: &LedgerStore<S>,
    id: &str,
    tags: std::ops::Range<u32>,
) -> Order {
    Order {
        hard: tags.map(|n| format!("tag:{n}")).collect(),
        after: ledger.last().expect("a number"),
        ..order(id, &[], &[])
    }
}

/// Appends an order. Returns its receipt, and the feed after the order's
/// `after`.
#[track_caller]
pub fn append<S: Sql>(ledger: &LedgerStore<S>, order: &Order, now_ms: u64) -> (Receipt, PurgeFeed) {
    let reply = ledger.append(order, now_ms).expect("an answer");
    let feed = PurgeFeed::decode(&reply.feed).expect("a feed");
    (reply.receipt.expect("no conflict"), feed)
}

/// The feed after a sequence number, at time 0: its first page.
#[track_caller]
pub fn feed_after<S: Sql>(ledger: &LedgerStore<S>, after: u64) -> PurgeFeed {
    PurgeFeed::decode(&ledger.read_feed(after, 0).expect("an answer")).expect("a feed")
}

/// All pages of the feed after a sequence number.
#[track_caller]
pub fn pages<S: Sql>(ledger: &LedgerStore<S>, after: u64) -> Vec<PurgeFeed> {
    let mut pages = vec![feed_after(ledger, after)];
    while let Some(last) = pages.last().filter(|page| !page.complete) {
        assert!(last.sequence > last.after, "a page without progress");
        assert!(pages.len() < 20, "too many pages");
        pages.push(feed_after(ledger, last.sequence));
    }
    pages
}

/// The purge state of an entry with this URL and these tags, whose fill had
/// seen the number `seen`.
#[track_caller]
pub fn state(index: &PurgeIndex, seen: u64, url: &str, tags: &[&str]) -> PurgeState {
    let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let url = Url::parse(url).expect(url);
    let marks = marks(&url, &tags, &[]);
    index.state_of(Purgeable {
        seen,
        marks: &marks,
        host: &url.host,
        tags: &tags,
    })
}

/// The index of an isolate that starts at this time.
#[track_caller]
pub fn fresh_index<S: Sql>(ledger: &LedgerStore<S>, now_ms: u64) -> PurgeIndex {
    let mut index = PurgeIndex::default();
    loop {
        let text = ledger
            .read_feed(index.sequence(), now_ms)
            .expect("an answer");
        let feed = PurgeFeed::decode(&text).expect("a feed");
        assert!(index.apply(&feed));
        if feed.complete {
            return index;
        }
    }
}

/// Appends a write to these URLs. Returns its sequence number, and the feed
/// after the last number before it.
#[track_caller]
pub fn write<S: Sql>(ledger: &LedgerStore<S>, names: &[&str], now_ms: u64) -> (u64, PurgeFeed) {
    let order = Order {
        after: ledger.last().expect("a number"),
        ..order("", names, &[])
    };
    let (receipt, feed) = append(ledger, &order, now_ms);
    (receipt.sequence, feed)
}
