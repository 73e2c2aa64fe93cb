//! Shows that no client waits long for a ledger that hangs; that a write is in
//! force at once nevertheless, and reaches the ledger later; and that an order
//! waits, and fails with an error.

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
use testkit::world::place::{LAG_MS, Place, START_MS, asked, origin, slow};

/// Longer than the platform waits for any response.
const HANGS_MS: u64 = 60_000;

/// Sends a request, and records how many milliseconds its response took.
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

/// How long the response to a write takes.
fn write_ms(place: &Place, path: &str) -> u64 {
    let took = send(place, "POST", path);
    place.world.executor.run_until(|| took.get().is_some());
    took.get().expect("an answer")
}

/// A page `old` in both tiers, two isolates that have queried the ledger, and a
/// ledger that now hangs.
fn hanging() -> (World, Place, Place) {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=9000", "old");
    let (here, there) = (Place::new(&world, 0), Place::new(&world, 90_000));
    assert_eq!(here.get("/a"), "old -");
    assert_eq!(there.get("/a"), "old cache-api");
    slow(&world, "ledger", HANGS_MS);
    (world, here, there)
}

fn is_back(world: &World) {
    slow(world, "ledger", 20);
}

#[test]
fn no_reader_waits_longer_than_a_second_and_few_wait_at_all() {
    let (world, place, _) = hanging();
    world.executor.advance(LAG_MS);
    let before = asked(&world);
    let mut readers = Vec::new();
    for _ in 0..1200 {
        readers.push(send(&place, "GET", "/a"));
        world.executor.advance(50);
    }
    world.executor.advance(5000);
    let took = readers.iter().map(|took| took.get().expect("an answer"));
    let took: Vec<u64> = took.collect();
    assert_eq!(took.iter().max(), Some(&LEDGER_WAIT_MS));
    // The requests of the first second; then one for each trial in a minute: at
    // 5 seconds each, with 1, 2, 4, 8 and 16 seconds between.
    let waited = took.iter().filter(|ms| **ms > 100).count();
    assert!((18..=26).contains(&waited), "{waited}");
    let questions = asked(&world) - before;
    assert!((4..=6).contains(&questions), "{questions}");
    assert_eq!(place.get("/a"), "old cache-api/old-purge-index");
    // The ledger works again, and is queried within the longest pause.
    is_back(&world);
    world.executor.advance(16_000);
    assert_eq!(place.get("/a"), "old cache-api");
}

/// How long a request for a stale page takes if its tiers are slower than the
/// index stays young, and the ledger uses nearly the whole second.
fn looks_ms(lag_seconds: u64) -> u64 {
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
fn a_request_that_looks_often_waits_a_second_in_all() {
    let waited_ms = looks_ms(1) - looks_ms(60);
    // For a note and the ledger before the tiers, and between them for the rest
    // of the second.
    assert_eq!(waited_ms, LEDGER_WAIT_MS);
}

#[test]
fn a_new_isolate_asks_the_origin_after_a_second() {
    let (world, _, _) = hanging();
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
fn a_write_waits_half_a_second_at_most_and_is_obeyed_at_once() {
    let (world, here, there) = hanging();
    origin(&world, "/a", "max-age=9000", "new");
    assert_eq!(write_ms(&here, "/a"), WRITE_WAIT_MS);
    assert_eq!(here.get("/a"), "new purged");
    // A response fetched then is served, because it is newer than the write.
    assert_eq!(here.get("/a"), "new cache-api");
    // Not if it is older than another write.
    origin(&world, "/a", "max-age=9000", "newer");
    world.executor.advance(6000);
    assert!(write_ms(&here, "/a") <= WRITE_WAIT_MS);
    assert_eq!(here.get("/a"), "newer old-purge-index/purged");
    // While the breaker is open, no request waits.
    for n in 0..20 {
        assert_eq!(write_ms(&here, &format!("/b{n}")), 0);
    }
    // Other isolates have the previous page, from a tier without the new one.
    world.state.borrow_mut().cache_api.clear();
    world.state.borrow_mut().kv.clear();
    origin(&world, "/c", "max-age=9000", "c");
    assert_eq!(there.get("/c"), "c old-purge-index");
    origin(&world, "/c", "max-age=9000", "c2");
    write_ms(&here, "/c");
    assert_eq!(there.get("/c"), "c cache-api/old-purge-index");
    // Until the ledger works again and has the write.
    is_back(&world);
    world.executor.advance(16_000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    world.executor.advance(LAG_MS);
    assert_eq!(there.get("/c"), "c2 purged");
    assert_eq!(there.get("/c"), "c2 cache-api");
}

#[test]
fn a_fill_under_way_during_an_unconfirmed_write_is_dead() {
    let (world, here, _) = hanging();
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
fn a_write_that_outlives_its_request_is_sent_by_later_ones() {
    let (world, here, there) = hanging();
    origin(&world, "/a", "max-age=9000", "new");
    write_ms(&here, "/a");
    // No background task is left.
    world.executor.advance(600_000);
    is_back(&world);
    world.executor.advance(60_000);
    assert!(!here.isolate.index.borrow().unconfirmed.is_empty());
    origin(&world, "/other", "max-age=9000", "other");
    here.get("/other");
    world.executor.advance(1000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    assert_eq!(there.get("/a"), "new purged");
}

#[test]
fn a_slow_ledger_gets_each_write_once() {
    let (world, here, _) = hanging();
    slow(&world, "ledger", 900);
    assert_eq!(write_ms(&here, "/a"), WRITE_WAIT_MS);
    world.executor.advance(10_000);
    assert!(here.isolate.index.borrow().unconfirmed.is_empty());
    assert_eq!(world.ledger.borrow().last(), Ok(1));
    // A ledger that responds in time is waited for.
    slow(&world, "ledger", 200);
    assert_eq!(write_ms(&here, "/a"), 200);
    assert_eq!(world.ledger.borrow().last(), Ok(2));
}

#[test]
fn a_write_that_is_being_sent_is_not_sent_by_others_too() {
    let (world, here, _) = hanging();
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
fn an_order_waits_for_the_ledger_and_fails_aloud() {
    let (world, here, _) = hanging();
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
    // The breaker is open now, and the sender tries again: that is a trial.
    is_back(&world);
    here.purge(&["url:a.test/a"], &[]);
    assert!(here.isolate.ledger.get().is_closed());
}
