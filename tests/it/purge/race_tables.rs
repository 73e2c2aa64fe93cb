//! Tests that a purge which takes effect during a slow operation (a tier that
//! is read, an origin that does not respond) is applied at the end of it.

#[allow(dead_code, reason = "other tests use the rest")]
use testkit::world::place::{LAG_MS, Place, START_MS, origin, purge_elsewhere, slow};
use testkit::world::{Plan, World};

/// A world with a page in both tiers, and an isolate that has just received a
/// feed.
fn world_with_stored_page(control: &str) -> (World, Place) {
    let world = World::new(START_MS);
    origin(&world, "/a", control, "old");
    let place = Place::new(&world, 0);
    assert_eq!(place.get("/a"), "old -");
    (world, place)
}

/// Changes the page, and purges the old one.
fn change_and_purge(world: &World, hard: bool) {
    origin(world, "/a", "max-age=600", "new");
    match hard {
        true => purge_elsewhere(world, &["url:a.test/a"], &[]),
        false => purge_elsewhere(world, &[], &["url:a.test/a"]),
    }
}

#[test]
fn purge_during_read_of_tier_is_applied() {
    for (hard, expected) in [
        (true, "new purged"),
        (false, "old cache-api/stale-while-revalidate"),
    ] {
        let (world, place) = world_with_stored_page("max-age=600, stale-while-revalidate=600");
        slow(&world, "cache-api", LAG_MS + 2000);
        let reader = place.start("/a");
        world.executor.advance(1000);
        change_and_purge(&world, hard);
        assert_eq!(place.finish(&reader), expected);
    }
    // KV has a second, and five if the origin fails: then it is read again.
    for (hard, expected) in [(true, "502 -"), (false, "old kv/stale-if-error")] {
        let (world, place) = world_with_stored_page("max-age=600, stale-while-revalidate=600");
        world.state.borrow_mut().cache_api.clear();
        slow(&world, "kv", LAG_MS + 900);
        let down = ("/a".to_owned(), Plan::Down);
        world.state.borrow_mut().plans.extend([down.clone()]);
        let reader = place.start("/a");
        world.executor.advance(1500);
        change_and_purge(&world, hard);
        world.state.borrow_mut().plans.extend([down]);
        assert_eq!(place.finish(&reader), expected);
    }
}

/// The duration of a read of KV: as long as allowed.
const KV_MS: u64 = 900;

#[test]
fn entry_found_before_hard_purge_is_not_revalidated() {
    // The Cache API has it, stale; KV is read for a younger one, and is slow.
    // Meanwhile the isolate accepts an order. The origin would revalidate the
    // page: its validator has not changed.
    let (world, place) = world_with_stored_page("max-age=1");
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
    let (world, place) = world_with_stored_page("max-age=1, stale-while-revalidate=600");
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
    // A softly purged response is revalidated by that.
    let (world, place) = world_with_stored_page("max-age=1");
    world.executor.advance(2000);
    slow(&world, "kv", KV_MS);
    let reader = place.start("/a");
    world.executor.advance(500);
    origin(&world, "/a", "max-age=600", "new");
    place.purge(&[], &["url:a.test/a"]);
    assert_eq!(place.finish(&reader), "old cache-api");
}

#[test]
fn purged_entry_is_not_revalidated_in_ledger_outage() {
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
fn entry_hard_purged_during_origin_timeout_is_not_served() {
    for hard in [true, false] {
        let (world, place) = world_with_stored_page("max-age=1, stale-if-error=600");
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
fn entry_copied_between_tiers_stays_purged() {
    // A slow fill; and a copy in flight from KV to the Cache API.
    let (world, place) = world_with_stored_page("max-age=600");
    world.state.borrow_mut().cache_api.clear();
    slow(&world, "kv", KV_MS);
    let reader = place.start("/a");
    world.executor.advance(500);
    change_and_purge(&world, true);
    // In force only after the response: it is copied to the Cache API.
    assert_eq!(place.finish(&reader), "old kv");
    assert_eq!(world.state.borrow().cache_api.len(), 1);
    world.executor.advance(LAG_MS);
    assert_eq!(place.get("/a"), "new purged");
}
