//! Shows how many requests to an origin may be under way, how many may be
//! repeated, and after which pause.

use edgekeep::cache::gate::{Budget, Gate, Place, pause_ms};
use std::collections::BTreeSet;

/// Plays events at a gate with 2 places, each of which expires after 1000 ms:
/// `+NAME` comes and gets a place, `!NAME` comes and gets none, `-NAME` goes.
#[track_caller]
fn check(events: &[(u64, &str)]) {
    let mut gate = Gate::default();
    let mut places: Vec<(String, Place)> = Vec::new();
    for (at, (now_ms, event)) in events.iter().enumerate() {
        let (kind, name) = event.split_at(1);
        if kind == "-" {
            let place = places.iter().rev().find(|(n, _)| n == name);
            gate.leave(place.expect("a place").1);
            continue;
        }
        let room = gate.has_room(2, *now_ms);
        let place = gate.enter(2, *now_ms, 1000);
        assert_eq!(place.is_some(), kind == "+", "row {at}: {event}");
        assert_eq!(place.is_some(), room, "row {at}: {event}");
        places.extend(place.map(|place| (name.to_owned(), place)));
    }
}

#[test]
fn so_many_at_a_time() {
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "!c"),
        (5, "-a"),
        (5, "+c"),
        (5, "!d"),
    ]);
    check(&[
        (0, "+a"),
        (0, "-a"),
        (0, "+a"),
        (0, "-a"),
        (0, "+a"),
        (0, "+b"),
        (0, "!c"),
    ]);
    // Given back twice, it is one place.
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "-a"),
        (0, "-a"),
        (0, "+c"),
        (0, "!d"),
    ]);
}

#[test]
fn who_never_comes_back_is_forgotten() {
    check(&[
        (0, "+a"),
        (400, "+b"),
        (999, "!c"),
        (1000, "+c"),
        (1399, "!d"),
        (1400, "+d"),
    ]);
    // Who comes back later takes nobody's place away.
    check(&[
        (0, "+a"),
        (0, "+b"),
        (1000, "+c"),
        (1000, "+d"),
        (1001, "-a"),
        (1001, "!e"),
    ]);
}

#[test]
fn places_are_all_different() {
    let mut gate = Gate::default();
    let places: BTreeSet<Place> = (0..10_000)
        .filter_map(|_| gate.enter(10_000, 5, 1000))
        .collect();
    assert_eq!(places.len(), 10_000);
    assert!(gate.enter(10_000, 5, 1000).is_none());
    for place in places {
        gate.leave(place);
    }
    assert!(gate.is_empty());
}

/// How many of `wanted` repetitions are allowed after so many requests.
#[track_caller]
fn check_budget(percent: u64, requests: u64, wanted: u64, expected: usize) {
    let mut budget = Budget::default();
    for _ in 0..requests {
        budget.earn(percent);
    }
    let allowed = (0..wanted).filter(|_| budget.spend(percent)).count();
    assert_eq!(allowed, expected, "{percent} % of {requests}");
}

#[test]
fn repetitions_are_a_share_of_the_requests() {
    // Three are there from the start.
    check_budget(10, 0, 5, 3);
    check_budget(10, 1, 5, 3);
    check_budget(10, 10, 5, 4);
    check_budget(100, 1, 5, 4);
    // A calm time lays by no more than ten.
    check_budget(10, 1_000_000, 100, 10);
    check_budget(0, 1000, 5, 0);
    // In the long run it is the share, whatever was asked for.
    let mut budget = Budget::default();
    let mut allowed = 0;
    for _ in 0..1000 {
        budget.earn(10);
        allowed += usize::from(budget.spend(10));
    }
    assert!((100..=103).contains(&allowed), "{allowed}");
}

#[test]
fn pauses_grow_and_differ() {
    for nth in 0..5 {
        let unit_ms = 50 << nth;
        let pauses: BTreeSet<u64> = (0..200)
            .map(|n| pause_ms(&format!("http://a.test/{n}"), nth, 1000))
            .collect();
        assert!(pauses.len() > 50, "only {} pauses", pauses.len());
        let range = unit_ms..3 * unit_ms;
        assert!(pauses.iter().all(|ms| range.contains(ms)), "{pauses:?}");
    }
    // The same at the same time, and another one later.
    let of = |now_ms| pause_ms("http://a.test/", 0, now_ms);
    assert_eq!(of(1000), of(1000));
    let later: BTreeSet<u64> = (0..50).map(of).collect();
    assert!(later.len() > 20);
    // No count overflows.
    assert!(pause_ms("", u64::MAX, u64::MAX) < 200_000);
}
