//! A simulated world: virtual time, tiers, an origin and a ledger in memory,
//! faults on request. It implements the same `Host` as the platform does.

pub mod executor;
pub mod story;

use edgekeep::cache::answer::OriginFailure;
use edgekeep::cache::entry::Entry;
use edgekeep::cache::key::Slot;
use edgekeep::cache::ledger::{Decision, Order, Record, decide};
use edgekeep::cache::purge::{News, Numbers};
use edgekeep::cache::request::OriginRequest;
use edgekeep::flow::host::{BodyError, Host, Keep, Ordered, Tier};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::ResponseHead;
use executor::Executor;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// A body: its bytes, and whether it breaks off after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    pub text: String,
    pub broken: bool,
}

/// What the origin answers for a path.
#[derive(Clone, Debug)]
pub enum Plan {
    Answer {
        slow_ms: u64,
        cut: bool,
        status: u16,
        fields: Fields,
        body: String,
    },
    Down,
    Hang,
}

/// A stored entry: text, body, and when the tier forgets it.
type Held = (String, Option<Bytes>, u64);

/// Everything that outlives a request.
#[derive(Default)]
pub struct State {
    pub plans: HashMap<String, Plan>,
    pub asked: Vec<OriginRequest>,
    pub cache_api: BTreeMap<String, Held>,
    pub kv: BTreeMap<String, Held>,
    pub down: Vec<&'static str>,
    pub log: Vec<String>,
    orders: HashMap<String, Record>,
    marks: BTreeMap<String, (Numbers, u64)>,
    floor: Numbers,
    last: u64,
}

/// The host of one request.
#[derive(Clone)]
pub struct World {
    pub state: Rc<RefCell<State>>,
    pub executor: Executor,
}

/// KV keeps nothing for less than a minute.
const KV_MS_MIN: u64 = 60_000;

impl World {
    pub fn new(now_ms: u64) -> Self {
        Self {
            state: Rc::default(),
            executor: Executor::new(now_ms),
        }
    }

    fn is_down(&self, part: &str) -> bool {
        self.state.borrow().down.contains(&part)
    }

    fn answer(plan: &Plan, request: &OriginRequest) -> (ResponseHead, Option<Bytes>) {
        let Plan::Answer {
            cut,
            status,
            fields,
            body,
            ..
        } = plan
        else {
            unreachable!("the others have no answer");
        };
        let mut head = ResponseHead {
            status: *status,
            fields: fields.clone(),
        };
        let wanted = request.fields.get("if-none-match");
        if wanted.is_some() && wanted == fields.get("etag") {
            head.status = 304;
            return (head, None);
        }
        if *status != 204 {
            head.fields.set("content-length", body.len().to_string());
        }
        if request.method == "HEAD" || *status == 204 {
            return (head, None);
        }
        let text = if *cut {
            body[..body.len() / 2].to_owned()
        } else {
            body.clone()
        };
        (head, Some(Bytes { text, broken: *cut }))
    }

    fn ledger_news(&self, after: u64) -> News {
        let state = self.state.borrow();
        let newer = state.marks.iter().filter(|(_, (_, last))| *last > after);
        News {
            sequence: state.last,
            floor: state.floor,
            marks: newer
                .map(|(mark, (numbers, _))| (mark.clone(), *numbers))
                .collect(),
        }
    }

    fn accept(&self, order: &Order, record: Record, numbers: Numbers) {
        let mut state = self.state.borrow_mut();
        state.last = record.receipt.sequence;
        for mark in &order.marks {
            let (old, last) = state.marks.entry(mark.clone()).or_default();
            old.hard = old.hard.max(numbers.hard);
            old.soft = old.soft.max(numbers.soft);
            *last = record.receipt.sequence;
        }
        if order.everything {
            state.floor.hard = state.floor.hard.max(numbers.hard);
            state.floor.soft = state.floor.soft.max(numbers.soft);
        }
        if let Some(id) = &order.id {
            state.orders.insert(id.clone(), record);
        }
    }

    fn write(&self, tier: Tier, slot: &Slot, entry: &Entry, body: Option<Bytes>) {
        let whole = body.as_ref().is_none_or(|body| {
            let fits = |length| length == body.text.len() as u64;
            !body.broken && entry.length.is_none_or(fits)
        });
        if !whole || self.is_down(tier.word()) {
            return;
        }
        let retention_ms = entry.retention_seconds() * 1000;
        let now_ms = self.now_ms();
        let held = |ms| (entry.encode(), body, now_ms + ms);
        let mut state = self.state.borrow_mut();
        match tier {
            Tier::CacheApi => state
                .cache_api
                .insert(slot.entry_url.clone(), held(retention_ms)),
            Tier::Kv => state
                .kv
                .insert(slot.digest.clone(), held(retention_ms.max(KV_MS_MIN))),
        };
    }
}

impl Host for World {
    type Body = Bytes;

    fn now_ms(&self) -> u64 {
        self.executor.now_ms()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.executor.sleep(milliseconds).await;
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        self.executor.spawn(work);
    }

    fn log(&self, line: &str) {
        self.state.borrow_mut().log.push(line.to_owned());
    }

    async fn recall(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        if self.is_down(tier.word()) {
            return Err("down".to_owned());
        }
        let state = self.state.borrow();
        let held = match tier {
            Tier::CacheApi => state.cache_api.get(&slot.entry_url),
            Tier::Kv => state.kv.get(&slot.digest),
        };
        let live = held.filter(|(_, _, until)| *until > self.executor.now_ms());
        Ok(live.map(|(text, body, _)| (text.clone(), body.clone())))
    }

    fn keep(&self, body: Option<Bytes>, keep: Keep, for_client: bool) -> Option<Bytes> {
        for tier in &keep.tiers {
            self.write(*tier, &keep.slot, &keep.entry, body.clone());
        }
        body.filter(|_| for_client)
    }

    async fn join(&self, one: Bytes, other: Bytes) -> Option<Bytes> {
        let text = one.text + &other.text;
        let broken = one.broken || other.broken;
        (!broken).then_some(Bytes { text, broken })
    }

    async fn ask_origin(
        &self,
        request: &OriginRequest,
        _body: Option<Bytes>,
        timeout_ms: Option<u64>,
    ) -> Result<(ResponseHead, Option<Bytes>), OriginFailure> {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        let plan = {
            let mut state = self.state.borrow_mut();
            state.asked.push(request.clone());
            state.plans.get(&format!("/{path}")).cloned()
        };
        let plan = plan.unwrap_or_else(|| Plan::Answer {
            slow_ms: 0,
            cut: false,
            status: 404,
            fields: Fields::new(),
            body: "no such page".to_owned(),
        });
        let delay = match &plan {
            Plan::Down => return Err(OriginFailure::Unreachable),
            Plan::Hang => u64::MAX,
            Plan::Answer { slow_ms, .. } => *slow_ms,
        };
        let timeout_ms = timeout_ms.unwrap_or(u64::MAX);
        if delay >= timeout_ms {
            self.sleep(timeout_ms).await;
            return Err(OriginFailure::TimedOut);
        }
        if delay > 0 {
            self.sleep(delay).await;
        }
        Ok(Self::answer(&plan, request))
    }

    async fn read(&self, body: Bytes, limit: usize) -> Result<Vec<u8>, BodyError> {
        if body.broken {
            Err(BodyError::Broken)
        } else if body.text.len() > limit {
            Err(BodyError::TooLong)
        } else {
            Ok(body.text.into_bytes())
        }
    }

    async fn append(&self, order: &Order) -> Result<Ordered, String> {
        if self.is_down("ledger") {
            return Err("down".to_owned());
        }
        let decision = {
            let state = self.state.borrow();
            let earlier = order.id.as_ref().and_then(|id| state.orders.get(id));
            decide(state.last, earlier, order)
        };
        let receipt = match decision {
            Decision::Conflict => return Ok(Ordered::Conflict),
            Decision::Repeat(receipt) => receipt,
            Decision::Accept(record, numbers) => {
                let receipt = record.receipt.clone();
                self.accept(order, record, numbers);
                receipt
            }
        };
        Ok(Ordered::Done(receipt, self.ledger_news(order.after)))
    }

    async fn news(&self, after: u64) -> Result<News, String> {
        if self.is_down("ledger") {
            return Err("down".to_owned());
        }
        Ok(self.ledger_news(after))
    }
}
