//! Tests of request collapsing: how requests for one response share a request
//! to the origin, and what ends the wait of the followers.

#[allow(dead_code, reason = "other tests use the rest")]
use edgekeep::cache::key::cache_key;
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::flow::isolate::inflight::{Flight, FlightOutcome, FlightRole, Flights, UNSHARED_MS};
use edgekeep::flow::runtime::host::Host;
use edgekeep::http::url::Url;
use std::rc::Rc;
use testkit::world::place::{Place, START_MS, origin};
use testkit::world::{Plan, World};

fn role(flights: &Flights, key: &str, now_ms: u64) -> &'static str {
    role_since(flights, key, u64::MAX, now_ms)
}

fn role_since(flights: &Flights, key: &str, lookup_began_ms: u64, now_ms: u64) -> &'static str {
    match flights.join(key, lookup_began_ms, now_ms) {
        FlightRole::Alone => "alone",
        FlightRole::Lead(_) => "lead",
        FlightRole::Follow(_) => "follow",
        FlightRole::RepeatLookup => "look again",
    }
}

fn lead(flights: &Flights, key: &str, now_ms: u64) -> Rc<Flight> {
    lead_since(flights, key, u64::MAX, now_ms)
}

fn lead_since(flights: &Flights, key: &str, lookup_began_ms: u64, now_ms: u64) -> Rc<Flight> {
    match flights.join(key, lookup_began_ms, now_ms) {
        FlightRole::Lead(flight) => flight,
        other => panic!("{other:?}"),
    }
}

#[test]
fn first_request_leads_and_others_follow() {
    let flights = Flights::default();
    let flight = lead(&flights, "a", 0);
    assert_eq!(role(&flights, "a", 1), "follow");
    assert_eq!(role(&flights, "b", 1), "lead");
    // A leader that keeps reporting may be slow.
    for now_ms in (900..60_000).step_by(900) {
        flight.record_heartbeat(now_ms);
        assert_eq!(role(&flights, "a", now_ms + 899), "follow");
    }
    flights.end(&flight, FlightOutcome::Stored, 60_000);
    assert_eq!(flight.outcome(), Some(FlightOutcome::Stored));
    assert_eq!(role(&flights, "a", 60_000), "lead");
}

#[test]
fn request_whose_lookup_predates_stored_copy_looks_again() {
    let flights = Flights::default();
    let flight = lead(&flights, "a", 0);
    flights.end(&flight, FlightOutcome::Stored, 1_000);
    for lookup_began_ms in [0, 999, 1_000] {
        assert_eq!(
            role_since(&flights, "a", lookup_began_ms, 1_010),
            "look again"
        );
    }
    assert_eq!(role_since(&flights, "b", 0, 1_010), "lead");
    // It leads if the clock was set back since,
    assert_eq!(role_since(&flights, "a", 900, 999), "lead");
    // if the lookup could have found the stored copy, or if there is none.
    for outcome in [
        FlightOutcome::Stored,
        FlightOutcome::Failed(None),
        FlightOutcome::Failed(Some(OriginFailure::TimedOut)),
    ] {
        let flight = lead(&flights, "c", 2_000);
        flights.end(&flight, outcome, 3_000);
        let lookup_began_ms = match outcome {
            FlightOutcome::Stored => 3_001,
            _ => 2_500,
        };
        let again = lead_since(&flights, "c", lookup_began_ms, 3_010);
        flights.end(&again, FlightOutcome::Failed(None), 3_020);
    }
}

#[test]
fn leader_without_heartbeat_is_replaced() {
    let flights = Flights::default();
    let lost = lead(&flights, "a", 1_000);
    assert_eq!(role(&flights, "a", 3_999), "follow");
    let new = lead(&flights, "a", 4_000);
    // If it was only slow, its end does not end the new leader's flight.
    flights.end(&lost, FlightOutcome::Stored, 4_100);
    assert_eq!(role(&flights, "a", 4_100), "follow");
    assert_eq!(new.outcome(), None);
    // After the clock was set back, no leader counts as lost.
    assert_eq!(role(&flights, "a", 0), "follow");
}

#[test]
fn flight_keeps_its_first_outcome() {
    let flights = Flights::default();
    let flight = lead(&flights, "a", 0);
    flights.end(&flight, FlightOutcome::Stored, 10);
    flights.end(&flight, FlightOutcome::Unshared, 20);
    assert_eq!(flight.outcome(), Some(FlightOutcome::Stored));
    assert_eq!(role(&flights, "a", 20), "lead");
}

#[test]
fn requests_do_not_wait_for_unshared_key() {
    let flights = Flights::default();
    let flight = lead(&flights, "a", 0);
    flights.end(&flight, FlightOutcome::Unshared, 100);
    assert_eq!(role(&flights, "a", 100), "alone");
    assert_eq!(role(&flights, "a", 99 + UNSHARED_MS), "alone");
    assert_eq!(role(&flights, "a", 100 + UNSHARED_MS), "lead");
    // Background refreshes still run once at a time.
    let flights = Flights::default();
    flights.remember_unshared("a", 0);
    assert!(flights.begin("a", 1).is_some());
    assert!(flights.begin("a", 2).is_none());
    // A response that was stored once is shared again.
    flights.remember_unshared("b", 0);
    assert!(flights.forget_unshared("b"));
    assert!(!flights.forget_unshared("b"));
    assert_eq!(role(&flights, "b", 1), "lead");
    // A failure is not remembered.
    let flight = lead(&flights, "c", 0);
    let failure = FlightOutcome::Failed(Some(OriginFailure::TimedOut));
    flights.end(&flight, failure, 100);
    assert_eq!(role(&flights, "c", 100), "lead");
}

#[test]
fn flight_tables_are_bounded() {
    let flights = Flights::default();
    for n in 0..10_000 {
        assert_eq!(role(&flights, &format!("{n}"), 0), "lead");
    }
    assert_eq!(role(&flights, "one more", 0), "alone");
    assert_eq!(role(&flights, "7", 0), "follow");
    assert!(flights.begin("one more", 0).is_none());
    // Expired flights make room.
    assert_eq!(role(&flights, "one more", 3_000), "lead");
    // Of the keys that cannot be shared, the oldest eighth is dropped.
    let is_kept = |n: u64, now_ms| flights.is_unshared(&format!("u{n}"), now_ms);
    for n in 0..10_000 {
        flights.remember_unshared(&format!("u{n}"), 3_000 + n);
    }
    assert!(is_kept(0, 13_000));
    // A renewed key is kept.
    flights.remember_unshared("u7", 13_000);
    assert!(is_kept(0, 13_000));
    flights.remember_unshared("u10000", 13_000);
    let kept = (0..=10_000).filter(|n| is_kept(*n, 13_000)).count();
    assert_eq!(kept, 8_751);
    assert!(is_kept(7, 13_000) && !is_kept(1_250, 13_000) && is_kept(1_251, 13_000));
    // The same if all have the same time.
    let flights = Flights::default();
    for n in 0..10_001 {
        flights.remember_unshared(&format!("u{n}"), 3_000);
    }
    let kept = (0..=10_000).filter(|n| flights.is_unshared(&format!("u{n}"), 3_000));
    assert_eq!(kept.count(), 8_751);
}

const PAGE: &str = "/a";

fn slow_origin(world: &World, slow_ms: u64) {
    origin(world, PAGE, "max-age=60", "one");
    let mut state = world.state.borrow_mut();
    if let Some(Plan::Answer { slow_ms: slow, .. }) = state.plans.get_mut(PAGE) {
        *slow = slow_ms;
    }
}

fn digest() -> String {
    let url = Url::parse(&format!("http://a.test{PAGE}")).expect("a URL");
    cache_key::CacheKey::of_url(url).slot().digest.clone()
}

#[test]
fn a_thousand_requests_on_a_cold_key_make_one_to_the_origin() {
    let world = World::new(START_MS);
    let place = Place::new(&world, 0);
    slow_origin(&world, 900);
    let slots: Vec<_> = (0..1000).map(|_| place.start(PAGE)).collect();
    let answers: Vec<String> = slots.iter().map(|slot| place.finish(slot)).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("one ")));
    assert_eq!(world.state.borrow().asked.len(), 1);
}

#[test]
fn follower_takes_over_from_cancelled_leader() {
    let world = World::new(START_MS);
    let place = Place::new(&world, 0);
    slow_origin(&world, 0);
    // A leader that the runtime cancelled without a signal.
    lead(&place.isolate.flights, &digest(), START_MS);
    let slots: Vec<_> = (0..10).map(|_| place.start(PAGE)).collect();
    let answers: Vec<String> = slots.iter().map(|slot| place.finish(slot)).collect();
    assert!(answers.iter().all(|answer| answer.starts_with("one ")));
    assert_eq!(world.state.borrow().asked.len(), 1);
    let waited_ms = world.now_ms() - START_MS;
    assert!((3_000..3_500).contains(&waited_ms), "{waited_ms} ms");
}

#[test]
fn follower_of_endless_flight_receives_504_at_the_deadline() {
    let world = World::new(START_MS);
    let place = Place::new(&world, 0);
    slow_origin(&world, 0);
    // A leader that keeps reporting and never ends.
    let flight = lead(&place.isolate.flights, &digest(), START_MS);
    let cloned = place.clone();
    world.executor.spawn(async move {
        for _ in 0..200 {
            cloned.world.sleep(900).await;
            flight.record_heartbeat(cloned.world.now_ms());
        }
    });
    let answer = place.get(PAGE);
    assert_eq!(answer, "504 -");
    // `origin_deadline`, and the time that a follower may have waited before.
    let waited_ms = world.now_ms() - START_MS;
    assert!((65_000..65_500).contains(&waited_ms), "{waited_ms} ms");
}

#[test]
fn dropped_background_work_gives_502() {
    let world = World::new(START_MS);
    let place = Place::new(&world, 0);
    slow_origin(&world, 0);
    world.state.borrow_mut().drops_later = true;
    assert_eq!(place.get(PAGE), "502 -");
    assert_eq!(world.now_ms(), START_MS);
    world.state.borrow_mut().drops_later = false;
    // Its flight has stopped reporting, and the next request takes over.
    assert_eq!(place.get(PAGE), "one -");
}

#[test]
fn flight_note_of_other_isolate_delays_fetch_by_about_a_second_at_most() {
    #[track_caller]
    fn check(note: &str, longest_ms: u64) {
        let world = World::new(START_MS);
        let place = Place::new(&world, 0);
        slow_origin(&world, 0);
        let name = format!("a.test fill-{}", digest());
        let until = START_MS + 3_600_000;
        let mut state = world.state.borrow_mut();
        state.notes.insert(name, (note.to_owned(), until));
        drop(state);
        assert_eq!(place.get(PAGE), "one -", "{note}");
        let waited_ms = world.now_ms() - START_MS;
        assert!(waited_ms <= longest_ms, "{note}: {waited_ms} ms");
    }
    check("", 0);
    check("garbage", 0);
    check("landed", 0);
    check("failed", 0);
    check("unshared", 0);
    // A request that never reports its result.
    check("asking", 1_200);
}

#[test]
fn announcements_are_read_unless_all_recent_fills_of_the_site_were_fast() {
    const RECENT_MS: u64 = 60_000;
    let world = World::new(START_MS);
    let place = Place::new(&world, 0);
    let fill = |path: &str, slow_ms| {
        origin(&world, path, "max-age=60", "one");
        let mut state = world.state.borrow_mut();
        if let Some(Plan::Answer { slow_ms: slow, .. }) = state.plans.get_mut(path) {
            *slow = slow_ms;
        }
        drop(state);
        assert_eq!(place.get(path), "one -");
    };
    // Another isolate has announced the fill of this page, and does not end it.
    let waits = || {
        let name = format!("a.test fill-{}", digest());
        let until = world.now_ms() + 3_600_000;
        let mut state = world.state.borrow_mut();
        state.notes.insert(name, ("asking".to_owned(), until));
        drop(state);
        let began_ms = world.now_ms();
        fill(PAGE, 0);
        let mut state = world.state.borrow_mut();
        state.cache_api.clear();
        state.kv.clear();
        drop(state);
        world.now_ms() > began_ms
    };
    assert!(waits(), "nothing is known about the site");
    fill("/fast", 15);
    assert!(!waits(), "its fills are fast");
    fill("/slow", 25);
    assert!(waits(), "a fill was slow");
    fill("/fast2", 15);
    assert!(waits(), "a fill was slow lately");
    world.executor.advance(RECENT_MS);
    fill("/fast3", 15);
    assert!(!waits(), "its recent fills are fast");
    world.executor.advance(RECENT_MS);
    assert!(waits(), "it had no recent fills");
}
