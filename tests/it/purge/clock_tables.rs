//! Tests that no purge takes effect later than promised, whatever the clocks
//! show: those of isolates, which differ by minutes and jump, and that of the
//! ledger, which may restart on another machine.

use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::flow::response::reply::Content;
use edgekeep::flow::runtime::host::Host;
#[allow(dead_code, reason = "other tests use the rest")]
use testkit::world;
use testkit::world::World;
use testkit::world::place::{
    LAG_MS, MINUTE_MS, Place, START_MS, Slot, ledger_queries, origin, purge_elsewhere, slow,
};

/// The clock faults in [`check_purge_delays`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clocks {
    Apart,
    Jumping,
    LedgerRestarts,
}

/// Simulates two minutes in which pages change and are purged, while isolates
/// with wrong clocks serve them. No response is older than the last purge whose
/// lag had passed at the request. Returns how often the ledger was queried.
fn check_purge_delays(seed: u64, clocks: Clocks) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new(START_MS);
    slow(&world, "ledger", 80);
    slow(&world, "cache-api", 2);
    let mut wrong_clock = move || random.i64(-5..=5) * MINUTE_MS + random.i64(-3000..3000);
    world.restart_ledger(wrong_clock());
    let places: Vec<Place> = (0..4).map(|_| Place::new(&world, wrong_clock())).collect();
    let mut random = fastrand::Rng::with_seed(!seed);
    let (mut version, mut in_force) = (0, Vec::new());
    let mut waiting: Vec<(u32, Slot)> = Vec::new();
    origin(&world, "/a", "max-age=600", "0");
    for _ in 0..1200 {
        if random.u8(0..60) == 0 {
            version += 1;
            origin(&world, "/a", "max-age=600", &version.to_string());
            purge_elsewhere(&world, &["url:a.test/a"], &[]);
            in_force.push((world.executor.now_ms() + LAG_MS, version));
        }
        match (clocks, random.u8(0..100)) {
            (Clocks::Jumping, 0) => places[random.usize(0..places.len())]
                .world
                .ahead_ms
                .set(wrong_clock()),
            (Clocks::LedgerRestarts, 0) => world.restart_ledger(wrong_clock()),
            _ => {}
        }
        let now_ms = world.executor.now_ms();
        let due = in_force
            .iter()
            .filter(|(at, _)| *at <= now_ms)
            .map(|(_, version)| *version);
        let due = due.max().unwrap_or(0);
        let place = &places[random.usize(0..places.len())];
        waiting.push((due, place.start("/a")));
        world.executor.advance(random.u64(0..200));
        waiting.retain(|(due, slot)| {
            let Some(answer) = slot.borrow_mut().take() else {
                return true;
            };
            let Content::Body(body) = &answer.content else {
                panic!("seed {seed}: {answer:?}");
            };
            let served: u32 = body.text.parse().expect("a version");
            assert!(
                served >= *due,
                "seed {seed}: {served}, and {due} was in force"
            );
            false
        });
    }
    ledger_queries(&world)
}

#[test]
fn clocks_minutes_apart_do_not_delay_purges() {
    for seed in 0..6 {
        let queries = check_purge_delays(seed, Clocks::Apart);
        // Two minutes are 60 halves of the lag. Four isolates alone would query
        // 240 times.
        assert!(queries < 100, "{queries}");
    }
}

#[test]
fn clock_jumps_do_not_delay_purges() {
    for seed in 0..6 {
        let queries = check_purge_delays(seed, Clocks::Jumping);
        assert!(queries < 400, "{queries}");
    }
}

#[test]
fn ledger_restart_with_other_clock_does_not_delay_purges() {
    for seed in 0..6 {
        let queries = check_purge_delays(seed, Clocks::LedgerRestarts);
        assert!(queries < 400, "{queries}");
    }
}

/// Two isolates that have received a feed and have stored a page.
fn isolates_with_stored_page(ledger_ahead_ms: i64) -> (World, Place, Place) {
    let world = World::new(START_MS);
    world.restart_ledger(ledger_ahead_ms);
    origin(&world, "/a", "max-age=600", "old");
    let (one, other) = (Place::new(&world, 0), Place::new(&world, MINUTE_MS));
    one.get("/a");
    other.get("/a");
    origin(&world, "/a", "max-age=600", "new");
    (world, one, other)
}

#[test]
fn snapshot_of_other_ledger_instance_has_unknown_age() {
    // The new instance's clock is slightly ahead, which makes its snapshot look
    // recent.
    let (world, one, other) = isolates_with_stored_page(MINUTE_MS);
    world.restart_ledger(MINUTE_MS + 3500);
    world.executor.advance(LAG_MS);
    one.get("/a");
    purge_elsewhere(&world, &["url:a.test/a"], &[]);
    world.executor.advance(LAG_MS - 100);
    other.get("/a");
    world.executor.advance(3000);
    assert!(other.get("/a").starts_with("new"));
}

#[test]
fn snapshot_from_future_has_unknown_age() {
    // The ledger's clock is corrected by a minute while it runs. One isolate
    // receives a feed; the other finds the snapshot, or does not look it up.
    for (looks, after_ms) in [(true, LAG_MS), (true, 61_000), (false, 61_000)] {
        let (world, one, other) = isolates_with_stored_page(0);
        world.state.borrow_mut().ledger_ahead_ms = MINUTE_MS;
        world.executor.advance(LAG_MS / 2);
        one.get("/a");
        if looks {
            other.get("/a");
        }
        purge_elsewhere(&world, &["url:a.test/a"], &[]);
        world.executor.advance(after_ms);
        assert_eq!(other.get("/a"), "new purged", "{looks} {after_ms}");
    }
    // After one such snapshot, it trusts the age of no other.
    let (world, one, other) = isolates_with_stored_page(0);
    world.state.borrow_mut().ledger_ahead_ms = 3500;
    world.executor.advance(LAG_MS / 2);
    one.get("/a");
    other.get("/a");
    purge_elsewhere(&world, &["url:a.test/a"], &[]);
    world.executor.advance(LAG_MS - 100);
    other.get("/a");
    world.executor.advance(3000);
    assert!(other.get("/a").starts_with("new"));
}

#[test]
fn snapshot_with_gap_does_not_refresh_index() {
    let put_snapshot = |world: &World, text: &str| {
        let note = (text.to_owned(), u64::MAX);
        let mut state = world.state.borrow_mut();
        state.notes.insert("a.test purges".to_owned(), note);
    };
    // It begins too late, or it is only the beginning.
    for (after, sequence, complete) in [(1, 2, true), (0, 0, false)] {
        let (world, one, _) = isolates_with_stored_page(0);
        purge_elsewhere(&world, &["url:a.test/a"], &[]);
        purge_elsewhere(&world, &["tag:a"], &[]);
        world.executor.advance(LAG_MS);
        let clock = one.isolate.clock.get().expect("a clock");
        let mut feed = PurgeFeed {
            after,
            sequence,
            complete,
            ..PurgeFeed::default()
        };
        feed.at.run = clock.run;
        feed.at.ms = one.world.now_ms().saturating_add_signed(clock.ahead_ms);
        put_snapshot(&world, &feed.encode());
        let before = ledger_queries(&world);
        assert_eq!(one.get("/a"), "new purged", "{feed:?}");
        assert_eq!(ledger_queries(&world), before + 1, "{feed:?}");
        // The same without a fault would work.
        let (world, one, _) = isolates_with_stored_page(0);
        world.executor.advance(LAG_MS);
        (feed.after, feed.sequence, feed.complete) = (0, 2, true);
        put_snapshot(&world, &feed.encode());
        let before = ledger_queries(&world);
        assert_eq!(one.get("/a"), "old cache-api", "{feed:?}");
        assert_eq!(ledger_queries(&world), before, "{feed:?}");
    }
}

#[test]
fn age_of_feed_counts_from_sending_of_query() {
    // The query takes almost half a second each way. A purge arrives in
    // between, after the ledger has responded.
    let (world, one, _) = isolates_with_stored_page(0);
    world.executor.advance(LAG_MS);
    slow(&world, "ledger", 900);
    let reader = one.start("/a");
    world.executor.advance(200);
    purge_elsewhere(&world, &["url:a.test/a"], &[]);
    assert_eq!(one.finish(&reader), "old cache-api");
    world.executor.advance(LAG_MS - 900);
    assert_eq!(one.get("/a"), "new purged");
    // The same with the response to an order.
    let (world, one, _) = isolates_with_stored_page(0);
    slow(&world, "ledger", 900);
    let there = world.clone();
    world.executor.spawn(async move {
        there.sleep(200).await;
        let order = world::place::order(&["url:a.test/a"], &[], 0);
        assert!(there.append(&order).await.is_ok());
    });
    one.purge(&["tag:a"], &[]);
    world.executor.advance(LAG_MS - 400);
    assert_eq!(one.get("/a"), "new purged");
}
