//! Explanations of requests in random worlds: made before a request is sent,
//! and compared with what it gets.
//!
//! An explanation is made in no time and without chance, so a world is the same
//! with it. The world may change before the request decides: a purge comes, or
//! another request stores something. So a second explanation is made when the
//! request asks the origin, or else when it is answered. Only if they are the
//! same, the answer must be.

use super::exchange::Exchange;
use super::page::Bytes;
use super::promises::{Promise, status_of};
use super::world::{Seat, World};
use crate::still::{Peek, compare, explain_now};
use edgekeep::cache::explain::report::Explanation;
use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::flow::response::reply::Answer;
use edgekeep::flow::runtime::host::Tier;
use edgekeep::http::head::RequestHead;
use std::rc::Rc;

/// One of so many requests is explained.
const ONE_IN: usize = 4;

/// The explanation of a request.
#[derive(Clone)]
pub struct Explained {
    head: RequestHead,
    first: Explanation,
    /// Whether it was the same each time that the request decided; `None`
    /// before that.
    stays: Option<bool>,
}

/// A place in a world at a moment.
#[derive(Clone)]
struct Here {
    world: Rc<World>,
    seat: Rc<Seat>,
}

impl Peek for Here {
    fn now_ms(&self) -> u64 {
        self.world.clock(self.seat.offset_ms)
    }

    fn peek(&self, tier: Tier, slot: &Slot) -> Result<Option<String>, String> {
        let now_ms = self.world.executor.now_ms();
        let held = match tier {
            Tier::CacheApi => {
                let cache = &self.world.centres[self.seat.centre];
                cache.borrow().get(&slot.entry_url, now_ms)
            }
            Tier::Kv => {
                let kv = self.world.kv.borrow();
                kv.get(&slot.digest, self.seat.centre, now_ms)
            }
        };
        Ok(held.map(|(text, _)| text))
    }

    /// A question would change the ledger. Where one is needed, the request is
    /// not compared.
    fn peek_feed(&self, _: u64) -> Result<PurgeFeed, String> {
        Err("not asked".to_owned())
    }
}

fn explain(world: &Rc<World>, seat: &Rc<Seat>, head: &RequestHead) -> Explanation {
    let here = Here {
        world: Rc::clone(world),
        seat: Rc::clone(seat),
    };
    explain_now(&here, &seat.isolate, head)
}

/// Explains a request that is about to be sent, if it is its turn.
pub fn begin(world: &Rc<World>, seat: &Rc<Seat>, exchange: &Exchange, head: &RequestHead) {
    let turn = world.exchanges.borrow().len().is_multiple_of(ONE_IN);
    if !turn || world.switch.is_some() {
        return;
    }
    let first = explain(world, seat, head);
    world.trace(|| format!("explained: {exchange}: {}", essence(&first)));
    // Otherwise the request queries the ledger first.
    let index = first.purge_index.as_ref();
    if index.is_none_or(|index| index.state == "current") {
        *exchange.explained.borrow_mut() = Some(Explained {
            head: head.clone(),
            first,
            stays: None,
        });
    }
}

/// Explains it again, at a moment at which it decides.
pub fn decide(world: &Rc<World>, seat: &Rc<Seat>, exchange: &Exchange) {
    if let Some(explained) = &mut *exchange.explained.borrow_mut()
        && explained.stays != Some(false)
    {
        let then = explain(world, seat, &explained.head);
        world.trace(|| format!("explained again: {exchange}: {}", essence(&then)));
        explained.stays = Some(essence(&explained.first) == essence(&then));
    }
}

/// Compares what was explained with the answer.
pub fn check(world: &Rc<World>, seat: &Rc<Seat>, exchange: &Exchange, answer: &Answer<Bytes>) {
    let decided = |explained: &Explained| explained.stays.is_some();
    if !exchange.explained.borrow().as_ref().is_some_and(decided) {
        decide(world, seat, exchange);
    }
    let Some(explained) = exchange.explained.borrow_mut().take() else {
        return;
    };
    // A request that has waited for another one has looked several times, and
    // the last time counts.
    let waited = status_of(answer).contains("; collapsed");
    let failed = exchange.tier_failed.get() || exchange.tier_slow.get();
    if waited || failed || explained.stays != Some(true) {
        world.count("explained, and the world has changed");
        return;
    }
    match compare(&explained.first, status_of(answer), SLACK_SECONDS) {
        Ok(()) => world.count("explained"),
        Err(problem) => {
            let text = format!("{problem}\n{exchange}, at {}", seat.name);
            world.promises.break_one(world, Promise::Explained, text);
        }
    }
}

/// How far a remaining lifetime may differ: reading the tiers takes a time.
const SLACK_SECONDS: u64 = 3;

/// What must be the same of two explanations: what is expected, the state of
/// the index, and what is stored.
fn essence(explanation: &Explanation) -> String {
    let words = |text: &str| text.replace("early-refresh", "fresh");
    let state = explanation.purge_index.as_ref().map(|index| index.state);
    let mut text = format!("{} {state:?}", explanation.expected.result);
    for tier in &explanation.tiers {
        text += &format!("\n{}", tier.tier);
        for copy in &tier.copies {
            let (slot, verdict) = (&copy.slot, words(copy.verdict));
            let (under, purge) = (copy.filled_under, &copy.purge);
            let (etag, lifetime) = (&copy.etag, copy.lifetime);
            text += &format!("\n{slot} {verdict} {under} {purge:?} {etag:?} {lifetime}");
        }
    }
    text
}
