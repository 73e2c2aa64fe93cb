//! Shows that a purge that comes into force during a slow operation (a read of
//! a tier, a request to an origin) is applied after it.

#[allow(dead_code, reason = "other tests use the rest")]
use testkit::world::place::{LAG_MS, Place, START_MS, origin, purge_elsewhere, slow};
use testkit::world::{Plan, World};

/// A world in which both tiers hold a page, and an isolate that has just
/// queried the ledger.
fn stored(control: &str) -> (World, Place) {
    let world = World::new(START_MS);
    origin(&world, "/a", control, "old");
    let place = Place::new(&world, 0);
    assert_eq!(place.get("/a"), "old -");
    (world, place)
}

/// The page is changed, and the old one purged.
fn change(world: &World, hard: bool) {
    origin(world, "/a", "max-age=600", "new");
    match hard {
        true => purge_elsewhere(world, &["url:a.test/a"], &[]),
        false => purge_elsewhere(world, &[], &["url:a.test/a"]),
    }
}

#[test]
fn a_purge_that_comes_while_a_tier_is_read_is_heeded() {
    for (hard, expected) in [
        (true, "new purged"),
        (false, "old cache-api/stale-while-revalidate"),
    ] {
        let (world, place) = stored("max-age=600, stale-while-revalidate=600");
        slow(&world, "cache-api", LAG_MS + 2000);
        let reader = place.start("/a");
        world.executor.advance(1000);
        change(&world, hard);
        assert_eq!(place.finish(&reader), expected);
    }
    // A read of KV has one second, and five after an origin failure: then KV is
    // read again.
    for (hard, expected) in [(true, "502 -"), (false, "old kv/stale-if-error")] {
        let (world, place) = stored("max-age=600, stale-while-revalidate=600");
        world.state.borrow_mut().cache_api.clear();
        slow(&world, "kv", LAG_MS + 900);
        let down = ("/a".to_owned(), Plan::Down);
        world.state.borrow_mut().plans.extend([down.clone()]);
        let reader = place.start("/a");
        world.executor.advance(1500);
        change(&world, hard);
        world.state.borrow_mut().plans.extend([down]);
        assert_eq!(place.finish(&reader), expected);
    }
}

/// How long KV takes: nearly its limit.
const KV_MS: u64 = 900;

#[test]
fn what_was_found_before_a_purge_is_not_confirmed_after_it() {
    // The Cache API has a stale page; KV may have a younger one, and is slow.
    // The isolate accepts an order meanwhile. The origin would confirm the
    // page, because its validator is unchanged.
    let (world, place) = stored("max-age=1");
    world.executor.advance(2000);
    slow(&world, "kv", KV_MS);
    let reader = place.start("/a");
    world.executor.advance(500);
    origin(&world, "/a", "max-age=600", "new");
    place.purge(&["url:a.test/a"], &[]);
    assert_eq!(place.finish(&reader), "new purged");
    slow(&world, "kv", 0);
    assert_eq!(place.get("/a"), "new cache-api");
    // The same in the background.
    let (world, place) = stored("max-age=1, stale-while-revalidate=600");
    world.executor.advance(2000);
    slow(&world, "kv", KV_MS);
    let reader = place.start("/a");
    world.executor.advance(500);
    origin(&world, "/a", "max-age=600", "new");
    place.purge(&["url:a.test/a"], &[]);
    assert_eq!(
        place.finish(&reader),
        "old cache-api/stale-while-revalidate"
    );
    world.executor.advance(2 * LAG_MS);
    assert_eq!(place.get("/a"), "new cache-api");
    // A soft purge is ended by the revalidation.
    let (world, place) = stored("max-age=1");
    world.executor.advance(2000);
    slow(&world, "kv", KV_MS);
    let reader = place.start("/a");
    world.executor.advance(500);
    origin(&world, "/a", "max-age=600", "new");
    place.purge(&[], &["url:a.test/a"]);
    assert_eq!(place.finish(&reader), "old cache-api");
}

#[test]
fn what_is_known_to_be_purged_is_not_confirmed_in_an_outage_of_the_ledger() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "old");
    let place = Place::with(&world, 0, "revalidate");
    place.get("/a");
    place.purge(&["url:a.test/a"], &[]);
    world.state.borrow_mut().down.push("ledger");
    world.executor.advance(LAG_MS);
    world
        .state
        .borrow_mut()
        .plans
        .insert("/a".to_owned(), Plan::Down);
    assert_eq!(place.get("/a"), "502 old-purge-index/purged");
    origin(&world, "/a", "max-age=600", "new");
    assert_eq!(place.get("/a"), "new old-purge-index/purged");
}

#[test]
fn what_was_purged_while_the_origin_was_silent_is_not_served_for_it() {
    for hard in [true, false] {
        let (world, place) = stored("max-age=1, stale-if-error=600");
        world.executor.advance(2000);
        world
            .state
            .borrow_mut()
            .plans
            .insert("/a".to_owned(), Plan::Hang);
        let reader = place.start("/a");
        world.executor.advance(1000);
        match hard {
            true => purge_elsewhere(&world, &["url:a.test/a"], &[]),
            false => purge_elsewhere(&world, &[], &["url:a.test/a"]),
        }
        let expected = if hard {
            "504 -"
        } else {
            "old cache-api/stale-if-error"
        };
        assert_eq!(place.finish(&reader), expected);
    }
}

#[test]
fn what_was_filled_before_a_purge_is_dead_wherever_it_goes() {
    // A long fill; and a copy on its way from KV to the Cache API.
    let (world, place) = stored("max-age=600");
    world.state.borrow_mut().cache_api.clear();
    slow(&world, "kv", KV_MS);
    let reader = place.start("/a");
    world.executor.advance(500);
    change(&world, true);
    // In force only after the response: it is copied to the Cache API.
    assert_eq!(place.finish(&reader), "old kv");
    assert_eq!(world.state.borrow().cache_api.len(), 1);
    world.executor.advance(LAG_MS);
    assert_eq!(place.get("/a"), "new purged");
}
