//! Tests of the ledger's circuit breaker in an isolate, and of writes that the
//! ledger has not confirmed.

use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::purge::ledger_breaker::{LedgerBreaker, PAUSE_MS_MAX, QUERY_MS_MAX};
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::cache::purge::unconfirmed_writes::{
    REFETCHED_MAX, UnconfirmedWrites, WRITE_MS_MAX, WRITES_MAX,
};
use edgekeep::cache::purge::write_rate::{GATHERED_MAX, InvalidationNames};
use edgekeep::http::fields::Fields;

const NOW_MS: u64 = 1_795_424_400_000;

/// A breaker after this many failures in a row, the last of them now.
fn breaker_after(times: u64) -> LedgerBreaker {
    let mut breaker = LedgerBreaker::default();
    for n in 0..times {
        let now_ms = NOW_MS - 100_000 * (times - 1 - n);
        breaker.record_failure(now_ms - 5000, now_ms);
    }
    breaker
}

#[test]
fn pause_doubles_up_to_its_limit() {
    assert_eq!(LedgerBreaker::default().wait_ms(NOW_MS, 7), 0);
    for (failures, longest_ms) in [(1, 1000), (2, 2000), (3, 4000), (4, 8000), (5, 16_000)] {
        for seed in 0..100 {
            let wait_ms = breaker_after(failures).wait_ms(NOW_MS, seed);
            let range = longest_ms * 3 / 4..=longest_ms;
            assert!(range.contains(&wait_ms), "{failures}: {wait_ms}");
            let over = breaker_after(failures).wait_ms(NOW_MS + wait_ms, seed);
            assert_eq!(over, 0, "{failures}");
        }
    }
    for failures in [6, 64, 65, 1000] {
        assert!(breaker_after(failures).wait_ms(NOW_MS, 7) <= PAUSE_MS_MAX);
        assert!(breaker_after(failures).wait_ms(NOW_MS, 7) >= PAUSE_MS_MAX * 3 / 4);
    }
}

#[test]
fn pauses_of_isolates_are_spread_by_jitter() {
    let mut waits: Vec<u64> = (0..100)
        .map(|seed| breaker_after(5).wait_ms(NOW_MS, NOW_MS + seed))
        .collect();
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 90, "{}", waits.len());
    assert!(waits[waits.len() - 1] - waits[0] > 3000);
}

#[test]
fn one_trial_runs_at_a_time() {
    let mut breaker = breaker_after(1);
    let then_ms = NOW_MS + 1000;
    assert_eq!(breaker.wait_ms(then_ms, 7), 0);
    breaker.begin(then_ms);
    assert_eq!(breaker.wait_ms(then_ms, 7), QUERY_MS_MAX);
    // The trial is lost, and the next query may be sent.
    assert_eq!(breaker.wait_ms(then_ms + QUERY_MS_MAX - 1, 7), 1);
    assert_eq!(breaker.wait_ms(then_ms + QUERY_MS_MAX, 7), 0);
    breaker.record_success();
    assert_eq!(breaker, LedgerBreaker::default());
    // A closed breaker lets all queries through.
    breaker.begin(then_ms);
    assert_eq!(breaker.wait_ms(then_ms, 7), 0);
}

#[test]
fn old_failures_are_not_trouble() {
    let mut breaker = breaker_after(3);
    let until_ms = NOW_MS + PAUSE_MS_MAX + QUERY_MS_MAX;
    assert!(breaker.is_troubled(NOW_MS) && breaker.is_troubled(until_ms - 1));
    assert!(!breaker.is_troubled(until_ms) && !breaker.is_closed());
    assert!(!LedgerBreaker::default().is_troubled(NOW_MS));
    assert!(!breaker.is_troubled(NOW_MS - 1), "the clock was set back");
    // An order or a write in flight is not a trial that delays a reader's
    // query.
    breaker.begin(until_ms - 1);
    assert!(breaker.wait_ms(until_ms - 1, 7) > 0);
    assert_eq!(breaker.wait_ms(until_ms, 7), 0);
    breaker.begin(until_ms);
    assert_eq!(breaker.wait_ms(until_ms, 7), 0);
}

#[test]
fn concurrent_failures_count_once() {
    let mut breaker = LedgerBreaker::default();
    for n in 0..50 {
        breaker.record_failure(NOW_MS - 5000 + n, NOW_MS + n);
    }
    assert_eq!(breaker, {
        let mut once = LedgerBreaker::default();
        once.record_failure(NOW_MS - 5000, NOW_MS);
        once
    });
    // An old failure does not end a trial.
    breaker.begin(NOW_MS + 1500);
    breaker.record_failure(NOW_MS - 1, NOW_MS + 1600);
    assert!(breaker.wait_ms(NOW_MS + 1600, 7) > 5000);
}

#[test]
fn clock_set_back_does_not_keep_breaker_open() {
    assert_eq!(breaker_after(9).wait_ms(NOW_MS - 3_600_000, 7), 0);
    let mut breaker = breaker_after(9);
    breaker.begin(NOW_MS);
    assert_eq!(breaker.wait_ms(NOW_MS - 1, 7), 0);
}

fn entry(url: &str, received_ms: u64, cost_ms: u64) -> Entry {
    Entry {
        key: format!("http://{url}"),
        seen: 9,
        received_ms,
        by_credentials: false,
        cost_ms,
        initial_age: 0,
        terms: Terms::default(),
        for_authorized: false,
        status: 200,
        length: None,
        tags: Vec::new(),
        marks: vec![mark_of(&format!("url:{url}"))],
        choices: Vec::new(),
        fields: Fields::new(),
    }
}

fn write(url: &str) -> InvalidationNames {
    InvalidationNames::new(vec![format!("url:{url}")])
}

#[test]
fn unconfirmed_write_purges_all_but_later_fetches() {
    let mut writes = UnconfirmedWrites::default();
    let page = |received_ms, cost_ms| entry("a.test/p", received_ms, cost_ms);
    let old = page(NOW_MS - 500, 10);
    assert!(!writes.purges(old.fetched()));
    let id = writes.add("a.test", write("a.test/p"), NOW_MS);
    assert!(
        writes.purges(old.fetched())
            && !writes.purges(entry("a.test/q", NOW_MS - 500, 10).fetched())
    );
    // Responses that another isolate has fetched are purged, whatever its
    // clock.
    assert!(writes.purges(page(NOW_MS + 900, 10).fetched()));
    // A fill of our own that was in flight, or began in the same millisecond.
    for (received_ms, cost_ms, dead) in [
        (NOW_MS + 50, 100, true),
        (NOW_MS + 50, 50, true),
        (NOW_MS + 51, 50, false),
        (NOW_MS + 900, 10, true),
    ] {
        if received_ms < NOW_MS + 900 {
            writes.record_fetch(page(received_ms, cost_ms).fetched());
        }
        assert_eq!(
            writes.purges(page(received_ms, cost_ms).fetched()),
            dead,
            "{received_ms} {cost_ms}"
        );
    }
    // Another write: responses fetched between the two are purged.
    let second = writes.add("a.test", write("a.test/p"), NOW_MS + 60);
    assert!(writes.purges(page(NOW_MS + 51, 50).fetched()));
    assert_eq!(writes.len(), 1, "the second replaces the first");
    writes.confirm(id);
    assert!(
        writes.purges(old.fetched()),
        "a reply to the first does not confirm the second"
    );
    writes.confirm(second);
    assert!(writes.is_empty() && !writes.purges(old.fetched()));
}

#[test]
fn flood_of_one_site_does_not_evict_writes_of_others() {
    let mut writes = UnconfirmedWrites::default();
    for n in 0..5 {
        writes.add("quiet.test", write(&format!("quiet.test/{n}")), NOW_MS);
    }
    for n in 0..2 * WRITES_MAX {
        writes.add("loud.test", write(&format!("loud.test/{n}")), NOW_MS);
        assert!(writes.len() <= WRITES_MAX);
    }
    assert_eq!(writes.len(), WRITES_MAX);
    for n in 0..5 {
        assert!(
            writes.purges(entry(&format!("quiet.test/{n}"), NOW_MS - 1, 0).fetched()),
            "{n}"
        );
    }
    // Of the site's own writes the newest are kept.
    assert!(
        writes.purges(entry(&format!("loud.test/{}", 2 * WRITES_MAX - 1), NOW_MS - 1, 0).fetched())
    );
    assert!(!writes.purges(entry("loud.test/0", NOW_MS - 1, 0).fetched()));
}

#[test]
fn unconfirmed_writes_are_sent_in_turn_until_they_expire() {
    let mut writes = UnconfirmedWrites::default();
    let one = writes.add("a.test", write("a.test/1"), NOW_MS);
    let two = writes.add("a.test", write("a.test/2"), NOW_MS + 1000);
    let next = |writes: &mut UnconfirmedWrites, now_ms| writes.next(now_ms).map(|write| write.id);
    assert_eq!(next(&mut writes, NOW_MS + 1000), Some(one));
    writes.defer(one);
    assert_eq!(next(&mut writes, NOW_MS + 1000), Some(two));
    writes.defer(two);
    assert_eq!(next(&mut writes, NOW_MS + WRITE_MS_MAX - 1), Some(one));
    assert_eq!(next(&mut writes, NOW_MS + WRITE_MS_MAX), Some(two));
    assert_eq!(next(&mut writes, NOW_MS + WRITE_MS_MAX + 1000), None);
    assert!(writes.is_empty());
}

#[test]
fn number_of_recorded_refetches_is_bounded() {
    let mut writes = UnconfirmedWrites::default();
    writes.add("a.test", write("a.test/p"), NOW_MS);
    let page = |n: usize| entry("a.test/p", NOW_MS + 100 + n as u64, 0);
    for n in 0..REFETCHED_MAX {
        writes.record_fetch(page(n).fetched());
    }
    assert!(!writes.purges(page(0).fetched()) && !writes.purges(page(REFETCHED_MAX - 1).fetched()));
    writes.record_fetch(page(REFETCHED_MAX).fetched());
    assert!(writes.purges(page(0).fetched()) && !writes.purges(page(REFETCHED_MAX).fetched()));
}

#[test]
fn gathered_writes_purge_at_once() {
    let mut writes = UnconfirmedWrites::default();
    let page = |n: usize, received_ms| entry(&format!("a.test/{n}"), received_ms, 0);
    let many = 5 * GATHERED_MAX;
    for n in 0..many {
        writes.gather("a.test", write(&format!("a.test/{n}")), 5000, NOW_MS);
        assert!(writes.purges(page(n, NOW_MS - 1).fetched()), "{n}");
    }
    assert!(!writes.purges(page(many, NOW_MS - 1).fetched()));
    // Responses fetched since then are not purged, until the page is written to
    // again.
    for n in [0, 1, many - 1] {
        writes.record_fetch(page(n, NOW_MS + 10).fetched());
        assert!(!writes.purges(page(n, NOW_MS + 10).fetched()), "{n}");
    }
    for n in [0, many - 1] {
        writes.gather("a.test", write(&format!("a.test/{n}")), 5000, NOW_MS + 20);
        assert!(writes.purges(page(n, NOW_MS + 10).fetched()), "{n}");
    }
    assert!(!writes.purges(page(1, NOW_MS + 10).fetched()));
    // Two writes match it: it is not purged once both are confirmed.
    let id = writes.add("a.test", write("a.test/0"), NOW_MS + 30);
    let sent = writes.next(NOW_MS + 5000).expect("a write");
    writes.confirm(sent.id);
    assert!(
        writes.purges(page(0, NOW_MS - 1).fetched())
            && !writes.purges(page(1, NOW_MS - 1).fetched())
    );
    writes.confirm(id);
    assert!(!writes.purges(page(0, NOW_MS - 1).fetched()));
}
