//! Tests of early refresh: a page that is requested often is refreshed in the
//! background shortly before it expires. Only one refresh runs at a time, and
//! none if another data centre has already stored a newer response.

#[allow(dead_code, reason = "other tests use the rest")]
use testkit::world::place::{Place, START_MS};
use testkit::world::{Plan, World};

/// The cost of a fetch in these tests.
const COST_MS: u64 = 900;
/// Pages expire a minute after their arrival.
const MINUTE_MS: u64 = 60_000;

/// Sets the origin's response from now on, after `slow_ms`.
fn origin(world: &World, slow_ms: u64, control: &str, body: &str) {
    let etag = format!("\"{body}\"");
    let plan = Plan::Answer {
        slow_ms,
        cut: false,
        status: 200,
        fields: [("cache-control", control), ("etag", &etag)]
            .into_iter()
            .collect(),
        body: body.to_owned(),
    };
    let mut state = world.state.borrow_mut();
    state.plans.insert("/a".to_owned(), plan);
}

/// A page that was stored just now.
fn stored() -> (World, Place) {
    let world = World::new(START_MS);
    origin(&world, COST_MS, "max-age=60", "old");
    let place = Place::new(&world, 0);
    assert_eq!(place.get("/a"), "old -");
    (world, place)
}

fn origin_requests(world: &World) -> usize {
    world.state.borrow().asked.len()
}

/// Requests the page in each millisecond of its last tenth of a second, until a
/// hit begins a refresh. Each one does with a probability above nine tenths.
fn request_until_early_refresh(world: &World, place: &Place) {
    for _ in 0..50 {
        match place.get("/a").as_str() {
            "old cache-api" => world.executor.advance(1),
            "old cache-api/early-refresh" => return,
            other => panic!("{other}"),
        }
    }
    panic!("no hit began an early refresh");
}

#[test]
fn page_is_refreshed_before_it_expires() {
    let (world, place) = stored();
    // Long before expiry there is no refresh: the probability is e^(-50) each
    // time.
    for _ in 0..200 {
        world.executor.advance(50);
        assert_eq!(place.get("/a"), "old cache-api");
    }
    assert_eq!(origin_requests(&world), 1);
    world.executor.advance(MINUTE_MS - 10_000 - 100);
    origin(&world, COST_MS, "max-age=60", "new");
    request_until_early_refresh(&world, &place);
    // While a refresh runs, no other one begins.
    for _ in 0..40 {
        world.executor.advance(1);
        assert!(place.get("/a").starts_with("old cache-api"));
    }
    assert_eq!(origin_requests(&world), 2);
    let sent = world.state.borrow().asked[1].fields.clone();
    assert_eq!(sent.get("if-none-match"), Some("\"old\""));
    world.executor.advance(COST_MS);
    // The old response would have expired; no request waited for the new one.
    assert_eq!(place.get("/a"), "new cache-api");
    assert_eq!(origin_requests(&world), 2);
}

#[test]
fn early_refresh_with_304_extends_the_lifetime() {
    let (world, place) = stored();
    world.executor.advance(MINUTE_MS - 100);
    request_until_early_refresh(&world, &place);
    world.executor.advance(COST_MS);
    world.executor.advance(MINUTE_MS / 2);
    assert_eq!(place.get("/a"), "old cache-api");
    assert_eq!(origin_requests(&world), 2);
}

#[test]
fn failed_early_refresh_does_not_shorten_the_lifetime() {
    let (world, place) = stored();
    world.executor.advance(MINUTE_MS - 100);
    let mut state = world.state.borrow_mut();
    state.plans.insert("/a".to_owned(), Plan::Down);
    drop(state);
    request_until_early_refresh(&world, &place);
    assert!(place.get("/a").starts_with("old cache-api"));
    world.executor.advance(100);
    assert_eq!(place.get("/a"), "old cache-api/stale-if-error");
}

#[test]
fn early_refresh_uses_newer_response_of_another_data_centre() {
    let (world, place) = stored();
    let here = world.state.borrow().cache_api.clone();
    world.state.borrow_mut().cache_api.clear();
    world.state.borrow_mut().kv.clear();
    // The other data centre fetches it later.
    world.executor.advance(MINUTE_MS / 2);
    origin(&world, 0, "max-age=60", "new");
    assert_eq!(place.get("/a"), "new -");
    world.state.borrow_mut().cache_api = here;
    world.executor.advance(MINUTE_MS / 2 - 100);
    request_until_early_refresh(&world, &place);
    assert_eq!(place.get("/a"), "new cache-api");
    assert_eq!(origin_requests(&world), 2);
}

#[test]
fn early_refresh_ignores_older_response_of_another_tier() {
    let world = World::new(START_MS);
    origin(&world, COST_MS, "max-age=600", "older");
    let place = Place::new(&world, 0);
    assert_eq!(place.get("/a"), "older -");
    let shared = world.state.borrow().kv.clone();
    world.state.borrow_mut().cache_api.clear();
    world.state.borrow_mut().kv.clear();
    origin(&world, COST_MS, "max-age=60", "old");
    assert_eq!(place.get("/a"), "old -");
    world.state.borrow_mut().kv = shared;
    origin(&world, 0, "max-age=60", "new");
    world.executor.advance(MINUTE_MS - 100);
    request_until_early_refresh(&world, &place);
    // The request to the origin has the validator of the newer response.
    let sent = world.state.borrow().asked[2].fields.clone();
    assert_eq!(sent.get("if-none-match"), Some("\"old\""));
    assert_eq!(place.get("/a"), "new cache-api");
}
