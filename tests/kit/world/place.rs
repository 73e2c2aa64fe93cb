//! Isolates with clocks of their own in one world; orders and faults for them.

use super::{Bytes, Plan, World};
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::wire::Order;
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::purge::sync;
use edgekeep::flow::response::reply::{Answer, Content};
use edgekeep::flow::runtime::host::{Host, LedgerReply};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub const START_MS: u64 = 1_795_424_400_000;
pub const LAG_MS: u64 = 4000;
pub const MINUTE_MS: i64 = 60_000;
/// Settings without the memory tier, so that responses show the tiers behind
/// it.
const SETTINGS: &str = r#"{ "origin": "http://origin.test", "max_purge_lag": 4,
    "origin_timeout": 10, "on_ledger_outage": "OUTAGE", "defaults": { "kv": true, "memory": false, "retries": 0 } }"#;

pub type Slot = Rc<RefCell<Option<Answer<Bytes>>>>;

impl World {
    /// The same world, for an isolate whose clock is ahead by `ahead_ms`.
    pub fn with_clock(&self, ahead_ms: i64) -> Self {
        Self {
            ahead_ms: Rc::new(Cell::new(ahead_ms)),
            ..self.clone()
        }
    }

    /// Restarts the ledger's object, on a machine with another clock.
    pub fn restart_ledger(&self, ahead_ms: i64) {
        self.state.borrow_mut().ledger_ahead_ms = ahead_ms;
        let ledger = LedgerStore::open(self.database.clone(), self.ledger_ms(), false);
        *self.ledger.borrow_mut() = ledger.expect("a ledger");
    }
}

/// An isolate in a world, with a clock of its own.
#[derive(Clone)]
pub struct Place {
    pub world: World,
    pub isolate: Rc<Isolate>,
}

impl Place {
    pub fn new(world: &World, ahead_ms: i64) -> Self {
        Self::with(world, ahead_ms, "serve")
    }

    pub fn with(world: &World, ahead_ms: i64, outage: &str) -> Self {
        Self::of(world, ahead_ms, &SETTINGS.replace("OUTAGE", outage))
    }

    pub fn of(world: &World, ahead_ms: i64, settings: &str) -> Self {
        let rules = Rules::read_json(settings).expect("settings");
        Self {
            world: world.with_clock(ahead_ms),
            isolate: Rc::new(Isolate::new(rules, Keys::of_default(""))),
        }
    }

    pub fn start(&self, path: &str) -> Slot {
        self.start_with(&format!("http://a.test{path}"), Fields::new())
    }

    /// Sends a GET with these fields.
    pub fn start_with(&self, url: &str, fields: Fields) -> Slot {
        let head = RequestHead {
            method: Method::Get,
            url: Url::parse(url).expect("a URL"),
            fields,
        };
        let slot = Slot::default();
        let (place, filled) = (self.clone(), Rc::clone(&slot));
        self.world.executor.spawn(async move {
            let answer = serve(&place.world, &place.isolate, head, None).await;
            *filled.borrow_mut() = Some(answer);
        });
        slot
    }

    /// `BODY DETAIL` of the response (`STATUS DETAIL` without a body), where
    /// `DETAIL` is that of `Cache-Status`.
    pub fn finish(&self, slot: &Slot) -> String {
        self.world.executor.run_until(|| slot.borrow().is_some());
        self.world.executor.settle();
        let answer = slot.borrow_mut().take().expect("an answer");
        let status = answer.fields.get("cache-status").unwrap_or_default();
        let detail = status.split("detail=").nth(1).unwrap_or("-").to_owned();
        match answer.content {
            Content::Body(body) => format!("{} {detail}", body.text),
            _ => format!("{} {detail}", answer.status),
        }
    }

    pub fn get(&self, path: &str) -> String {
        self.finish(&self.start(path))
    }

    /// Sends a purge order through this isolate, and waits for its receipt.
    pub fn purge(&self, hard: &[&str], soft: &[&str]) {
        let order = order(hard, soft, self.isolate.seen());
        let place = self.clone();
        wait(&self.world, async move {
            sync::send_order(&place.world, &place.isolate, "a.test", &order).await
        });
    }
}

/// An order without a stored receipt.
pub fn order(hard: &[&str], soft: &[&str], after: u64) -> Order {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Order {
        hard: owned(hard),
        soft: owned(soft),
        lag_seconds: LAG_MS / 1000,
        after,
        ..Order::default()
    }
}

/// Sends a purge order from another data centre, so that no isolate here
/// receives it.
pub fn purge_elsewhere(world: &World, hard: &[&str], soft: &[&str]) {
    let (there, order) = (world.clone(), order(hard, soft, 0));
    wait(world, async move { there.append(&order).await });
}

/// Makes all parts reachable again, and sends a purge order from another data
/// centre.
pub fn purge_elsewhere_later(world: &World, hard: &str) {
    world.state.borrow_mut().down.clear();
    purge_elsewhere(world, &[hard], &[]);
}

fn wait(world: &World, order: impl Future<Output = Result<LedgerReply, String>> + 'static) {
    let done = Rc::new(Cell::new(false));
    let done_then = Rc::clone(&done);
    world.executor.spawn(async move {
        let reply = order.await;
        assert!(matches!(reply, Ok(LedgerReply::Done(..))), "{reply:?}");
        done_then.set(true);
    });
    world.executor.run_until(|| done.get());
}

/// Sets the origin's response for a path.
pub fn origin(world: &World, path: &str, control: &str, body: &str) {
    let plan = Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 200,
        fields: [("cache-control", control), ("etag", "\"1\"")]
            .into_iter()
            .collect(),
        body: body.to_owned(),
    };
    world.state.borrow_mut().plans.insert(path.to_owned(), plan);
}

/// Sets the response time of a part.
pub fn slow(world: &World, part: &'static str, milliseconds: u64) {
    world.state.borrow_mut().slow.insert(part, milliseconds);
}

/// The number of queries to the ledger so far.
pub fn ledger_queries(world: &World) -> usize {
    world.state.borrow().ledger_queries
}
