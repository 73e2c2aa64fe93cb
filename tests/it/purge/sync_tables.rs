//! Tests of the synchronization of purge indexes: one query to the ledger for a
//! whole data centre, shared through the Cache API; and a ledger that is slow
//! or cannot be reached.

#[allow(dead_code, reason = "stories use the rest")]
use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::INDEX_MARKS_MAX;
use edgekeep::cache::purge::selector::mark_of;
use testkit::world::place::{
    LAG_MS, MINUTE_MS, Place, START_MS, Slot, ledger_queries, origin, purge_elsewhere,
    purge_elsewhere_later, slow,
};
use testkit::world::{Plan, World};

/// How often the ledger is queried in 20 seconds by so many isolates that
/// receive a request every `every_ms`, each with its own clock.
fn queries_in_20_seconds(isolates: usize, every_ms: u64, clock: impl Fn(usize) -> i64) -> usize {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "one");
    slow(&world, "ledger", 100);
    slow(&world, "cache-api", 2);
    let places: Vec<Place> = (0..isolates)
        .map(|n| Place::new(&world, clock(n)))
        .collect();
    // Each isolate has to query once to compare its clock with the ledger's.
    for place in &places {
        place.get("/a");
    }
    let before = ledger_queries(&world);
    assert_eq!(before, isolates);
    let mut random = fastrand::Rng::with_seed(23);
    for _ in 0..20_000 {
        for place in &places {
            if random.u64(0..every_ms) == 0 {
                drop(place.start("/a"));
            }
        }
        world.executor.advance(1);
    }
    ledger_queries(&world) - before
}

#[test]
fn ledger_is_queried_once_per_half_lag_by_all_isolates() {
    // Ten halves of 4 seconds.
    for (isolates, every_ms) in [(1, 20), (1, 200), (5, 20), (40, 100), (40, 1000)] {
        let queries = queries_in_20_seconds(isolates, every_ms, |_| 0);
        assert!(
            (7..=12).contains(&queries),
            "{isolates} isolates: {queries}"
        );
    }
    // Clocks that differ by minutes cause no extra queries.
    let queries = queries_in_20_seconds(40, 200, |n| (n as i64 - 20) * 15_000);
    assert!((7..=12).contains(&queries), "{queries}");
}

#[test]
fn idle_isolate_does_not_query_ledger() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=9000", "one");
    let place = Place::new(&world, 0);
    assert_eq!(place.get("/a"), "one -");
    world.executor.advance(3_600_000);
    assert_eq!(ledger_queries(&world), 1);
    // Then only once.
    assert_eq!(place.get("/a"), "one cache-api");
    assert_eq!(place.get("/a"), "one cache-api");
    assert_eq!(ledger_queries(&world), 2);
}

#[test]
fn purge_applies_at_once_where_ordered_and_elsewhere_by_snapshot() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "old");
    let (here, other) = (Place::new(&world, 0), Place::new(&world, 7 * MINUTE_MS));
    assert_eq!(here.get("/a"), "old -");
    assert_eq!(other.get("/a"), "old cache-api");
    origin(&world, "/a", "max-age=600", "new");
    here.purge(&["url:a.test/a"], &[]);
    assert_eq!(here.get("/a"), "new purged");
    // The other isolate looks up the snapshot once in a quarter of the lag, in
    // the background. It does not query the ledger.
    world.state.borrow_mut().cache_api.clear();
    let before = ledger_queries(&world);
    world.executor.advance(LAG_MS / 4);
    other.get("/a");
    assert_eq!(other.isolate.seen(), here.isolate.seen());
    // Nor at the end of the lag, if another isolate has queried meanwhile.
    world.executor.advance(LAG_MS * 2 / 3);
    assert_eq!(here.get("/a"), "new cache-api");
    assert_eq!(ledger_queries(&world), before + 1);
    world.executor.advance(LAG_MS / 3);
    assert_eq!(other.get("/a"), "new cache-api");
    assert_eq!(ledger_queries(&world), before + 1);
    // A snapshot that is too old is not sufficient.
    world.executor.advance(LAG_MS);
    assert_eq!(other.get("/a"), "new cache-api");
    assert_eq!(ledger_queries(&world), before + 2);
}

#[test]
fn snapshot_contains_purges_that_isolate_missed() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "one");
    let (one, other) = (Place::new(&world, 0), Place::new(&world, MINUTE_MS));
    one.get("/a");
    other.get("/a");
    for n in 1..4 {
        purge_elsewhere(&world, &[&format!("tag:{n}")], &[]);
        world.executor.advance(LAG_MS);
        one.get("/a");
    }
    assert_eq!((ledger_queries(&world), one.isolate.seen()), (5, 3));
    assert_eq!(other.get("/a"), "one cache-api");
    assert_eq!((ledger_queries(&world), other.isolate.seen()), (5, 3));
    let index = other.isolate.index.borrow();
    for (n, seen) in [(1, 0), (2, 1), (3, 2)] {
        let mark = mark_of(&format!("tag:{n}"));
        assert_eq!(index.state(seen, &[mark]), PurgeState::Hard);
    }
}

#[test]
fn cold_isolate_reads_stored_pages_and_queries_once() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "one");
    for n in 0..11 {
        let names: Vec<String> = (0..5000).map(|tag| format!("tag:{n}-{tag}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        purge_elsewhere(&world, &names, &[]);
    }
    let first = Place::new(&world, 0);
    first.get("/a");
    // Two full pages, and the rest.
    assert_eq!(ledger_queries(&world), 3);
    purge_elsewhere(&world, &["tag:0-0"], &["tag:10-4999", "tag:more"]);
    let second = Place::new(&world, -3 * MINUTE_MS);
    second.get("/a");
    assert_eq!(ledger_queries(&world), 4);
    let index = second.isolate.index.borrow();
    assert_eq!((index.len(), index.sequence()), (55_001, 12));
    let state = |name: &str, seen| index.state(seen, &[mark_of(name)]);
    assert_eq!(state("tag:0-0", 11), PurgeState::Hard);
    assert_eq!(state("tag:10-4999", 11), PurgeState::Soft);
    assert_eq!(state("tag:10-4999", 10), PurgeState::Hard);
    assert_eq!(state("tag:0-1", 0), PurgeState::Hard);
    assert_eq!(state("tag:0-1", 1), PurgeState::Alive);
}

#[test]
fn order_applies_at_once_in_isolate_with_old_index() {
    let world = World::new(START_MS);
    for n in 0..5 {
        let names: Vec<String> = (0..5000).map(|tag| format!("tag:{n}-{tag}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        purge_elsewhere(&world, &names, &[]);
    }
    purge_elsewhere(&world, &["tag:between"], &[]);
    let place = Place::new(&world, 0);
    place.purge(&["tag:mine"], &["tag:softly"]);
    let index = place.isolate.index.borrow();
    // The order itself is beyond the first page.
    assert_eq!(index.sequence(), 5);
    assert!(place.isolate.synced_ms.get().is_none());
    let state = |name: &str, seen| index.state(seen, &[mark_of(name)]);
    assert_eq!(state("tag:mine", 6), PurgeState::Hard);
    assert_eq!(state("tag:mine", 7), PurgeState::Alive);
    assert_eq!(state("tag:softly", 6), PurgeState::Soft);
}

#[test]
fn invalid_notes_are_ignored() {
    // In place of the snapshot, and of the first page.
    for invalid in [
        "",
        "nonsense",
        "N1 0 0 0 0 0 0 0\n.",
        "N1 0 9 0 0 0 1 5\n00000000000000f1 7 0",
        "N1 5 9 0 0 0 1 5\n.",
        "N1 7 7 1 0 0 1 1795424400000\n.",
    ] {
        let world = World::new(START_MS);
        origin(&world, "/a", "max-age=600", "one");
        purge_elsewhere(&world, &["tag:a"], &[]);
        let place = Place::new(&world, 0);
        for name in ["a.test purges", "a.test purges-after-0"] {
            let note = (invalid.to_owned(), u64::MAX);
            world.state.borrow_mut().notes.insert(name.to_owned(), note);
        }
        assert_eq!(place.get("/a"), "one -", "{invalid:?}");
        assert_eq!(
            (ledger_queries(&world), place.isolate.seen()),
            (1, 1),
            "{invalid:?}"
        );
        assert!(place.isolate.synced_ms.get().is_some(), "{invalid:?}");
    }
}

#[test]
fn without_cache_api_each_isolate_queries_ledger() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "one");
    world.state.borrow_mut().down.push("cache-api");
    let places = [Place::new(&world, 0), Place::new(&world, 0)];
    for _ in 0..3 {
        for place in &places {
            let detail = place.get("/a");
            assert!(detail.starts_with("one"), "{detail}");
        }
        world.executor.advance(LAG_MS);
    }
    assert_eq!(ledger_queries(&world), 6);
}

#[test]
fn requests_of_one_isolate_share_one_query() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "one");
    slow(&world, "ledger", 300);
    let place = Place::new(&world, 0);
    let slots: Vec<Slot> = (0..10).map(|_| place.start("/a")).collect();
    for slot in &slots {
        assert!(place.finish(slot).starts_with("one"));
    }
    assert_eq!(ledger_queries(&world), 1);
    // A lost query delays others by a second at most, and after six seconds
    // another one is sent.
    world.executor.advance(LAG_MS);
    let began_ms = world.executor.now_ms();
    place.isolate.syncing.set(Some(began_ms));
    assert_eq!(place.get("/a"), "one cache-api/old-purge-index");
    assert_eq!(world.executor.now_ms() - began_ms, 1000);
    assert_eq!(place.get("/a"), "one cache-api/old-purge-index");
    assert_eq!(world.executor.now_ms() - began_ms, 1000);
    world.executor.advance(5000);
    assert_eq!(place.get("/a"), "one cache-api");
    assert_eq!(ledger_queries(&world), 2);
}

#[test]
fn in_ledger_outage_pages_are_served_or_revalidated() {
    let origin_requests = |world: &World| world.state.borrow().asked.len();
    for (outage, answers) in [
        (
            "serve",
            [
                "one cache-api/old-purge-index",
                "one cache-api/old-purge-index",
            ],
        ),
        (
            "revalidate",
            [
                "one cache-api/old-purge-index",
                "one cache-api/old-purge-index/stale-if-error",
            ],
        ),
    ] {
        let world = World::new(START_MS);
        origin(&world, "/a", "max-age=9000", "one");
        let place = Place::with(&world, 0, outage);
        assert_eq!(place.get("/a"), "one -");
        world.state.borrow_mut().down.push("ledger");
        // Within the lag there is no effect.
        world.executor.advance(LAG_MS - 1);
        assert_eq!(place.get("/a"), "one cache-api");
        assert_eq!(origin_requests(&world), 1);
        world.executor.advance(LAG_MS);
        assert_eq!(place.get("/a"), answers[0], "{outage}");
        assert_eq!(
            origin_requests(&world),
            if outage == "serve" { 1 } else { 2 }
        );
        world
            .state
            .borrow_mut()
            .plans
            .insert("/a".to_owned(), Plan::Down);
        assert_eq!(place.get("/a"), answers[1], "{outage}");
        // The ledger is reachable again, and has a purge.
        origin(&world, "/a", "max-age=9000", "two");
        world.state.borrow_mut().down.clear();
        purge_elsewhere(&world, &["url:a.test/a"], &[]);
        // Two queries have failed: the breaker pauses for up to two seconds.
        world.executor.advance(2000);
        assert_eq!(place.get("/a"), "two purged", "{outage}");
        assert_eq!(place.get("/a"), "two cache-api", "{outage}");
    }
}

#[test]
fn isolate_without_index_revalidates_in_ledger_outage() {
    for outage in ["serve", "revalidate"] {
        let world = World::new(START_MS);
        origin(&world, "/a", "max-age=9000", "one");
        Place::new(&world, 0).get("/a");
        world.state.borrow_mut().notes.clear();
        world.state.borrow_mut().down.push("ledger");
        let place = Place::with(&world, 0, outage);
        assert_eq!(place.get("/a"), "one cache-api/no-purge-index", "{outage}");
        assert_eq!(world.state.borrow().asked.len(), 2, "{outage}");
        // All purges that it may have missed apply to what it stores.
        origin(&world, "/b", "max-age=9000", "old");
        purge_elsewhere_later(&world, "url:a.test/b");
        assert_eq!(place.get("/b"), "old no-purge-index");
        origin(&world, "/b", "max-age=9000", "new");
        world.executor.advance(1000);
        assert_eq!(place.get("/b"), "new purged", "{outage}");
    }
}

/// Makes an index grow as it does when marks of other keys arrive and then
/// widen in the ledger: by marks that the ledger does not hold (any more).
fn grow_index(place: &Place, marks: u64, hard: u64) {
    let numbers = Numbers { hard, soft: 0 };
    let marks_from = |from: u64| {
        (from..from + marks / 2)
            .map(|mark| (mark, numbers))
            .collect()
    };
    place.isolate.index.borrow_mut().apply(&PurgeFeed {
        marks: marks_from(0),
        writes: marks_from(marks),
        ..PurgeFeed::default()
    });
}

#[test]
fn oversized_index_is_rebuilt() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=600", "old");
    origin(&world, "/b", "max-age=600", "b");
    let (place, neighbour) = (Place::new(&world, 0), Place::new(&world, 0));
    let size = |place: &Place| place.isolate.index.borrow().len() as u64;
    assert_eq!(place.get("/a"), "old -");
    assert_eq!(place.get("/b"), "b -");
    purge_elsewhere(&world, &["url:a.test/a"], &[]);
    world.executor.advance(LAG_MS);
    grow_index(&place, INDEX_MARKS_MAX - 2, 1);
    place.get("/b");
    assert!(
        size(&place) >= INDEX_MARKS_MAX - 2,
        "the index was rebuilt too early"
    );
    // While it is rebuilt, the old index decides. A purge that only this
    // isolate has received stays in force.
    grow_index(&place, INDEX_MARKS_MAX + 2, 1);
    neighbour.get("/b");
    slow(&world, "ledger", 700);
    let seen = place.isolate.seen();
    assert_eq!(place.get("/b"), "b cache-api");
    place.isolate.index.borrow_mut().apply(&PurgeFeed {
        marks: vec![(
            mark_of("tag:late"),
            Numbers {
                hard: seen + 9,
                soft: 0,
            },
        )],
        ..PurgeFeed::default()
    });
    // Although the snapshot, which other isolates keep current, makes every
    // other query unnecessary.
    for _ in 0..8 {
        world.executor.advance(500);
        neighbour.get("/b");
        assert_ne!(place.get("/b"), "b no-purge-index");
    }
    assert_eq!(size(&place), 2);
    let index = place.isolate.index.borrow();
    let state = |seen, name: &str| index.state(seen, &[mark_of(name)]);
    assert_eq!(state(0, "url:a.test/a"), PurgeState::Hard);
    assert_eq!(state(seen + 8, "tag:late"), PurgeState::Hard);
    assert_eq!(index.sequence(), seen);
}
