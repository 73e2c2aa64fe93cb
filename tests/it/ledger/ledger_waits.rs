//! Tests of a ledger that hangs. Readers and writers do not wait long for it. A
//! write takes effect at once all the same, and reaches the ledger after its
//! recovery. An order still waits, and fails with an error.

use edgekeep::flow::handle::serve;
use edgekeep::flow::purge::sync::LEDGER_WAIT_MS;
use edgekeep::flow::purge::writes::WRITE_WAIT_MS;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::Cell;
use std::rc::Rc;
#[allow(dead_code, reason = "stories use the rest")]
use testkit::world;
use testkit::world::World;
use testkit::world::place::{LAG_MS, Place, START_MS, ledger_queries, origin, slow};

/// Longer than the platform waits for any response.
const HANGS_MS: u64 = 60_000;

/// Sends a request, and records the milliseconds until its response.
fn send(place: &Place, method: &str, path: &str) -> Rc<Cell<Option<u64>>> {
    let head = RequestHead {
        method: Method::named(method),
        url: Url::parse(&format!("http://a.test{path}")).expect("a URL"),
        fields: Fields::new(),
    };
    let (took, began_ms) = (Rc::new(Cell::new(None)), place.world.executor.now_ms());
    let (place, noted) = (place.clone(), Rc::clone(&took));
    let executor = place.world.executor.clone();
    executor.spawn(async move {
        serve(&place.world, &place.isolate, head, None).await;
        noted.set(Some(place.world.executor.now_ms() - began_ms));
    });
    took
}

/// The milliseconds until the response to a write.
fn write_ms(place: &Place, path: &str) -> u64 {
    let took = send(place, "POST", path);
    place.world.executor.run_until(|| took.get().is_some());
    took.get().expect("an answer")
}

/// A page `old` in both tiers, two isolates that have received a feed, and a
/// ledger that begins to hang.
fn world_with_hanging_ledger() -> (World, Place, Place) {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=9000", "old");
    let (here, there) = (Place::new(&world, 0), Place::new(&world, 90_000));
    assert_eq!(here.get("/a"), "old -");
    assert_eq!(there.get("/a"), "old cache-api");
    slow(&world, "ledger", HANGS_MS);
    (world, here, there)
}

fn recover_ledger(world: &World) {
    slow(world, "ledger", 20);
}

#[test]
fn readers_wait_one_second_at_most_and_few_wait() {
    let (world, place, _) = world_with_hanging_ledger();
    world.executor.advance(LAG_MS);
    let before = ledger_queries(&world);
    let mut readers = Vec::new();
    for _ in 0..1200 {
        readers.push(send(&place, "GET", "/a"));
        world.executor.advance(50);
    }
    world.executor.advance(5000);
    let took = readers.iter().map(|took| took.get().expect("an answer"));
    let took: Vec<u64> = took.collect();
    assert_eq!(took.iter().max(), Some(&LEDGER_WAIT_MS));
    // Those of the first second; then one with each trial. A minute has trials
    // at 5 seconds each, with 1, 2, 4, 8 and 16 seconds between.
    let waited = took.iter().filter(|ms| **ms > 100).count();
    assert!((18..=26).contains(&waited), "{waited}");
    let queries = ledger_queries(&world) - before;
    assert!((4..=6).contains(&queries), "{queries}");
    assert_eq!(place.get("/a"), "old cache-api/old-purge-index");
    // After its recovery, the ledger is reached within the longest pause.
    recover_ledger(&world);
    world.executor.advance(16_000);
    assert_eq!(place.get("/a"), "old cache-api");
}

/// The duration of a request for a stale page. Its tiers are slower than the
/// index stays current, and the ledger takes almost the second that is allowed.
fn read_ms_with_slow_tiers(lag_seconds: u64) -> u64 {
    let settings = r#"{ "origin": "http://origin.test", "max_purge_lag": LAG, "origin_timeout": 10,
        "defaults": { "kv": true, "memory": false, "retries": 0 } }"#;
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=1", "old");
    let place = Place::of(
        &world,
        0,
        &settings.replace("LAG", &lag_seconds.to_string()),
    );
    place.get("/a");
    world.executor.advance(5000);
    slow(&world, "ledger", 700);
    slow(&world, "cache-api", 1100);
    slow(&world, "kv", 990);
    let took = send(&place, "GET", "/a");
    world.executor.run_until(|| took.get().is_some());
    took.get().expect("an answer")
}

#[test]
fn waits_of_one_request_add_up_to_one_second() {
    let waited_ms = read_ms_with_slow_tiers(1) - read_ms_with_slow_tiers(60);
    // For a note and the ledger before the tiers, and between them for the rest
    // of the second.
    assert_eq!(waited_ms, LEDGER_WAIT_MS);
}

#[test]
fn isolate_without_index_revalidates_after_one_second() {
    let (world, _, _) = world_with_hanging_ledger();
    world.state.borrow_mut().notes.clear();
    let cold = Place::new(&world, 0);
    let began_ms = world.executor.now_ms();
    assert_eq!(cold.get("/a"), "old cache-api/no-purge-index");
    assert_eq!(world.executor.now_ms() - began_ms, LEDGER_WAIT_MS);
    let began_ms = world.executor.now_ms();
    assert_eq!(cold.get("/a"), "old cache-api/no-purge-index");
    assert_eq!(world.executor.now_ms(), began_ms);
}

#[test]
fn write_waits_half_a_second_at_most_and_purges_at_once() {
    let (world, here, there) = world_with_hanging_ledger();
    origin(&world, "/a", "max-age=9000", "new");
    assert_eq!(write_ms(&here, "/a"), WRITE_WAIT_MS);
    assert_eq!(here.get("/a"), "new purged");
    // A response fetched after that is served: it is later than the write.
    assert_eq!(here.get("/a"), "new cache-api");
    // Not if it was fetched before another write.
    origin(&world, "/a", "max-age=9000", "newer");
    world.executor.advance(6000);
    assert!(write_ms(&here, "/a") <= WRITE_WAIT_MS);
    assert_eq!(here.get("/a"), "newer old-purge-index/purged");
    // While the breaker is open, no write waits.
    for n in 0..20 {
        assert_eq!(write_ms(&here, &format!("/b{n}")), 0);
    }
    // Another isolate has the earlier page, from a tier that was not
    // overwritten.
    world.state.borrow_mut().cache_api.clear();
    world.state.borrow_mut().kv.clear();
    origin(&world, "/c", "max-age=9000", "c");
    assert_eq!(there.get("/c"), "c old-purge-index");
    origin(&world, "/c", "max-age=9000", "c2");
    write_ms(&here, "/c");
    assert_eq!(there.get("/c"), "c cache-api/old-purge-index");
    // Until the ledger is reachable again and has the write.
    recover_ledger(&world);
    world.executor.advance(16_000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    world.executor.advance(LAG_MS);
    assert_eq!(there.get("/c"), "c2 purged");
    assert_eq!(there.get("/c"), "c2 cache-api");
}

#[test]
fn fill_in_flight_during_unconfirmed_write_is_purged() {
    let (world, here, _) = world_with_hanging_ledger();
    let plan = |slow_ms: u64, body: &str| {
        origin(&world, "/f", "max-age=9000", body);
        let mut state = world.state.borrow_mut();
        if let Some(world::Plan::Answer { slow_ms: slow, .. }) = state.plans.get_mut("/f") {
            *slow = slow_ms;
        }
    };
    plan(2000, "before");
    let reader = here.start("/f");
    world.executor.advance(100);
    plan(0, "after");
    write_ms(&here, "/f");
    assert_eq!(here.finish(&reader), "before -");
    assert_eq!(here.get("/f"), "after purged");
    assert_eq!(here.get("/f"), "after cache-api");
}

#[test]
fn unconfirmed_write_is_sent_by_later_request() {
    let (world, here, there) = world_with_hanging_ledger();
    origin(&world, "/a", "max-age=9000", "new");
    write_ms(&here, "/a");
    // No retries run any more.
    world.executor.advance(600_000);
    recover_ledger(&world);
    world.executor.advance(60_000);
    assert!(!here.isolate.index.borrow().unconfirmed.is_empty());
    origin(&world, "/other", "max-age=9000", "other");
    here.get("/other");
    world.executor.advance(1000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    assert_eq!(there.get("/a"), "new purged");
}

#[test]
fn slow_ledger_receives_each_write_once() {
    let (world, here, _) = world_with_hanging_ledger();
    slow(&world, "ledger", 900);
    assert_eq!(write_ms(&here, "/a"), WRITE_WAIT_MS);
    world.executor.advance(10_000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    assert_eq!(world.ledger.borrow().last(), Ok(1));
    // A response in time is waited for.
    slow(&world, "ledger", 200);
    assert_eq!(write_ms(&here, "/a"), 200);
    assert_eq!(world.ledger.borrow().last(), Ok(2));
}

#[test]
fn write_in_flight_is_not_sent_by_other_requests() {
    let (world, here, _) = world_with_hanging_ledger();
    slow(&world, "ledger", 900);
    origin(&world, "/other", "max-age=9000", "other");
    write_ms(&here, "/a");
    here.get("/other");
    write_ms(&here, "/other");
    world.executor.advance(10_000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    assert_eq!(world.ledger.borrow().last(), Ok(2));
}

#[test]
fn order_waits_for_ledger_and_returns_error() {
    let (world, here, _) = world_with_hanging_ledger();
    let order = world::place::order(&["url:a.test/a"], &[], 0);
    let (place, done) = (here.clone(), Rc::new(Cell::new(None)));
    let noted = Rc::clone(&done);
    world.executor.spawn(async move {
        let sent = edgekeep::flow::purge::append::append_order(
            &place.world,
            &place.isolate,
            "a.test",
            &order,
        )
        .await;
        noted.set(Some((
            sent.is_ok(),
            place.world.executor.now_ms() - START_MS,
        )));
    });
    world.executor.run_until(|| done.get().is_some());
    assert_eq!(done.get(), Some((false, 5000)));
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    // The breaker is open now, and the sender retries: that is a trial.
    recover_ledger(&world);
    here.purge(&["url:a.test/a"], &[]);
    assert!(here.isolate.ledger.get().is_closed());
}
