//! A ledger with its alarm in the simulated world, for tests of the jobs that
//! orders start after their receipts.

use crate::world::{Plan, World};
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::wire::{HistoryQuery, Order, PastOrder, Progress, Receipt};
use edgekeep::cache::purge::zone_purge::ZoneResponse;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::ledger::jobs;
use edgekeep::flow::ledger::runner;
use edgekeep::flow::runtime::host::Host;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;

pub const START_MS: u64 = 1_795_424_400_000;

/// A ledger with its alarm, and the world around it.
pub struct Stage {
    pub world: World,
    pub isolate: Rc<Isolate>,
    pub orders: Cell<u32>,
}

impl Stage {
    pub fn new(fast_lane: bool) -> Self {
        Self::with(fast_lane, json!({}))
    }

    pub fn with(fast_lane: bool, settings: Value) -> Self {
        let mut settings = settings;
        settings["origin"] = "http://origin.test".into();
        if settings.get("origin_timeout").is_none() {
            settings["origin_timeout"] = 2.into();
        }
        let rules = Rules::read_json(&settings.to_string()).expect("good settings");
        Self {
            world: World::with_fast_lane(START_MS, fast_lane),
            isolate: Rc::new(Isolate::new(rules, Keys::of_default(""))),
            orders: Cell::new(0),
        }
    }

    /// Appends an order with an id of its own, at the current time.
    pub fn order(&self, order: Order) -> Receipt {
        self.orders.set(self.orders.get() + 1);
        let order = Order {
            id: Some(format!("order-{}", self.orders.get())),
            key: Some(order.key.clone().unwrap_or_else(|| "test".to_owned())),
            ..order
        };
        let reply = self
            .world
            .ledger
            .borrow()
            .append(&order, self.world.now_ms());
        reply.expect("a reply").receipt.expect("a receipt")
    }

    pub fn purge(&self, names: &[&str]) -> Receipt {
        self.order(Order {
            hard: names.iter().map(|&name| name.to_owned()).collect(),
            ..Order::default()
        })
    }

    pub fn warm(&self, urls: &[String]) -> Receipt {
        let name = |url: &String| format!("url:{}", url.trim_start_matches("https://"));
        self.order(Order {
            soft: urls.iter().map(name).collect(),
            refresh: urls.to_vec(),
            ..Order::default()
        })
    }

    /// The ledger's record of an order.
    pub fn told(&self, receipt: &Receipt) -> PastOrder {
        let question = HistoryQuery::Id(receipt.id.clone());
        let mut told = self
            .world
            .ledger
            .borrow()
            .history(&question)
            .expect("history");
        told.pop().expect("the order")
    }

    /// The time of the next job, in milliseconds.
    pub fn next_due(&self) -> Option<u64> {
        jobs::next_due(&self.world.database).expect("the next time")
    }

    /// Starts one run of the alarm. Returns whether it has ended.
    pub fn start(&self) -> Rc<Cell<bool>> {
        let ended = Rc::new(Cell::new(false));
        let (world, isolate, then) = (
            self.world.clone(),
            Rc::clone(&self.isolate),
            Rc::clone(&ended),
        );
        self.world.executor.spawn(async move {
            let host = || world.clone();
            let run = runner::run(&world.database, &isolate, host).await;
            run.expect("a run");
            then.set(true);
        });
        ended
    }

    /// Advances time to the next alarm and runs it. `false` if none is set.
    pub fn run(&self) -> bool {
        let Some(due_ms) = self.next_due() else {
            return false;
        };
        let wait_ms = due_ms.saturating_sub(self.world.now_ms());
        self.world.executor.advance(wait_ms);
        let ended = self.start();
        self.world.executor.run_until(|| ended.get());
        true
    }

    /// Runs the alarm until no job is left.
    pub fn run_out(&self) {
        for _ in 0..20_000 {
            if !self.run() {
                return;
            }
        }
        panic!("the alarm never ends");
    }

    /// Sets the next responses of the zone's API. `None` never arrives.
    pub fn zone_says(
        &self,
        answers: impl IntoIterator<Item = Option<Result<ZoneResponse, String>>>,
    ) {
        self.world.state.borrow_mut().zone.extend(answers);
    }

    /// The calls of the zone's API so far: seconds since the start, and bodies.
    pub fn zone_calls(&self) -> Vec<(u64, Value)> {
        let state = self.world.state.borrow();
        let calls = state.zone_calls.iter();
        calls
            .map(|(ms, body)| {
                let body = serde_json::from_str(body).expect("JSON");
                ((ms - START_MS) / 1000, body)
            })
            .collect()
    }

    pub fn origin(&self, path: &str, status: u16, cache_control: &str, body: &str) {
        let plan = Plan::Answer {
            slow_ms: 0,
            cut: false,
            status,
            fields: [("cache-control", cache_control)].into_iter().collect(),
            body: body.to_owned(),
        };
        self.plan(path, plan);
    }

    pub fn plan(&self, path: &str, plan: Plan) {
        let mut state = self.world.state.borrow_mut();
        state.plans.insert(path.to_owned(), plan);
    }

    /// The number of requests that the origin has received.
    pub fn asked(&self) -> usize {
        self.world.state.borrow().asked.len()
    }

    /// The bodies that KV holds, sorted.
    pub fn in_kv(&self) -> Vec<String> {
        let state = self.world.state.borrow();
        let bodies = state.kv.values().filter_map(|(_, body, _)| body.clone());
        let mut bodies: Vec<String> = bodies.map(|body| body.text).collect();
        bodies.sort();
        bodies
    }
}

/// A response of the zone's API that reports an error.
pub fn says(status: u16, retry_after_seconds: Option<u64>) -> Option<Result<ZoneResponse, String>> {
    Some(Ok(ZoneResponse {
        status,
        retry_after_seconds,
        text: r#"{"success":false,"errors":[{"code":971,"message":"Please wait"}]}"#.to_owned(),
    }))
}

pub fn progress(pending: u64, done: u64, failed: u64, problem: Option<&str>) -> Progress {
    Progress {
        pending,
        done,
        failed,
        problem: problem.map(str::to_owned),
    }
}

pub const NOTHING: Progress = Progress {
    pending: 0,
    done: 0,
    failed: 0,
    problem: None,
};

pub fn urls(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("https://a.test/{n}")).collect()
}
