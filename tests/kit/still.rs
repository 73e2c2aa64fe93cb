//! Explains requests in a world in which nothing moves meanwhile, and compares
//! the explanation with what the request then gets.

use edgekeep::cache::explain::report::Explanation;
use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder};
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::zone_purge::ZoneResponse;
use edgekeep::cache::request::classify::classify;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::cache::stats::query::StatsQuery;
use edgekeep::flow::explain::explain_request::explain;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::runtime::host::{
    BodyError, Host, LedgerReply, NoPipe, OriginTimeouts, StoreRequest, Tier, Upload,
};
use edgekeep::http::head::{RequestHead, ResponseHead};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What a world shows at this moment.
pub trait Peek: Clone + 'static {
    /// The time by the isolate's clock.
    fn now_ms(&self) -> u64;

    /// The text of the entry in a slot, or why it cannot be read.
    fn peek(&self, tier: Tier, slot: &Slot) -> Result<Option<String>, String>;

    /// What the ledger would answer.
    fn peek_feed(&self, after: u64) -> Result<PurgeFeed, String>;
}

/// A host that can only read. All else is a panic: an explanation must not do
/// it.
#[derive(Clone)]
struct Still<P>(P);

impl<P: Peek> Host for Still<P> {
    type Body = ();
    type Pipe = NoPipe;

    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    async fn sleep(&self, _: u64) {
        std::future::pending().await
    }

    async fn read_slot(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<()>)>, String> {
        let held = self.0.peek(tier, slot)?;
        Ok(held.map(|text| (text, Some(()))))
    }

    async fn read_feed(&self, query: &FeedQuery) -> Result<PurgeFeed, String> {
        self.0.peek_feed(query.after)
    }

    async fn read_stats(&self, _: &StatsQuery) -> Result<String, String> {
        panic!("an explanation reads statistics");
    }

    fn later(&self, _: impl Future<Output = ()> + 'static) {
        panic!("an explanation starts work in the background");
    }

    fn log(&self, line: &str) {
        panic!("an explanation logs {line}");
    }

    fn store_entry(&self, _: Option<()>, request: StoreRequest, _: bool) -> Option<()> {
        panic!("an explanation stores {request:?}");
    }

    async fn join(&self, (): (), (): ()) -> Option<()> {
        panic!("an explanation reads bodies");
    }

    async fn receive_whole(&self, (): (), _: Option<u64>, _: u64) -> Result<(), OriginFailure> {
        panic!("an explanation reads a body");
    }

    async fn send_to_origin(
        &self,
        request: &OriginRequest,
        _: Option<Upload<()>>,
        _: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<()>), OriginFailure> {
        panic!("an explanation asks the origin: {request:?}");
    }

    async fn read(&self, (): (), _: usize) -> Result<Vec<u8>, BodyError> {
        panic!("an explanation reads a body");
    }

    async fn append(&self, order: &Order) -> Result<LedgerReply, String> {
        panic!("an explanation orders {order:?}");
    }

    async fn history(&self, _: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
        panic!("an explanation reads orders");
    }

    async fn read_note(&self, _: &str, name: &str) -> Result<Option<String>, String> {
        panic!("an explanation reads the note {name}");
    }

    fn write_note(&self, _: &str, name: &str, _: String, _: u64) {
        panic!("an explanation writes the note {name}");
    }

    async fn purge_zone(&self, _: &str) -> Result<ZoneResponse, String> {
        panic!("an explanation purges the zone");
    }

    async fn wait_for_background(&self) -> Result<(), String> {
        Ok(())
    }

    async fn verify_ed25519(&self, _: &[u8], _: &[u8], _: &[u8]) -> bool {
        panic!("an explanation checks a signature");
    }
}

/// Explains a request. No time passes, and the isolate stays as it is.
#[track_caller]
pub fn explain_now<P: Peek>(place: &P, isolate: &Rc<Isolate>, head: &RequestHead) -> Explanation {
    let host = Still(place.clone());
    let before = format!("{isolate:?}");
    let plan = classify(&isolate.rules, head);
    let explained = pin!(explain(&host, isolate, head, &plan));
    let Poll::Ready(explanation) = explained.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("an explanation waits");
    };
    assert_eq!(format!("{isolate:?}"), before, "the isolate has changed");
    explanation
}

/// The parameters of a `Cache-Status`.
struct Status<'a>(&'a str);

impl<'a> Status<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut parameters = self.0.split("; ").skip(1);
        parameters.find_map(|parameter| match parameter.split_once('=') {
            Some((of, value)) => (of == name).then_some(value),
            None => (parameter == name).then_some(""),
        })
    }

    fn ttl(&self) -> Option<i64> {
        self.get("ttl")?.parse().ok()
    }

    fn detail(&self) -> Vec<&'a str> {
        let words = self.get("detail").map(|words| words.split('/').collect());
        words.unwrap_or_default()
    }
}

/// What a page of fragments adds to the `detail` of a hit.
const ADDED: [&str; 1] = ["esi"];

/// Compares an explanation with the `Cache-Status` that the request got. A hit
/// must be the very same; its `ttl` may differ by `slack_seconds`, and with it
/// whether the hit is refreshed early. Of a request that went to the origin, the
/// reason must be the same.
pub fn compare(explanation: &Explanation, got: &str, slack_seconds: u64) -> Result<(), String> {
    let expected = &explanation.expected;
    let (ours, theirs) = (Status(&expected.cache_status), Status(got));
    let (mut own_words, mut words) = (ours.detail(), theirs.detail());
    let is_hit = ours.get("hit").is_some();
    if is_hit {
        words.retain(|word| !ADDED.contains(word));
    }
    if slack_seconds > 0 {
        let keep = |word: &&str| *word != "early-refresh";
        words.retain(keep);
        own_words.retain(keep);
    }
    let has_words = match is_hit {
        true => own_words == words,
        false => own_words.iter().all(|word| words.contains(word)),
    };
    let same = |name| ours.get(name) == theirs.get(name);
    let near = || match (ours.ttl(), theirs.ttl()) {
        (Some(one), Some(other)) => one.abs_diff(other) <= slack_seconds,
        (one, other) => one == other,
    };
    let agrees = match is_hit {
        true => same("hit") && same("fwd") && near() && has_words,
        false => same("hit") && same("fwd") && has_words,
    };
    let result = match (expected.result, ours.get("fwd")) {
        ("hit" | "stale", None) => is_hit,
        ("miss" | "revalidate" | "pass", Some(_)) => !is_hit,
        ("error" | "own", None) => !is_hit,
        _ => false,
    };
    match agrees && result {
        true => Ok(()),
        false => Err(format!("explained as {expected:?}, and got {got}")),
    }
}
