//! Tests of early refresh and of lifetime jitter: the results have the intended
//! distribution, and are reproducible.

use edgekeep::cache::ledger::sequence::Numbers;
use edgekeep::cache::policy::early_refresh::is_due_early;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Times;
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use serde_json::{Value, json};
use testkit::given::{NOW, head, lookup};

/// The entry of a response under these defaults. The fetch took `cost_ms`, and
/// the response arrived `later_ms` after [`NOW`].
#[track_caller]
fn stored(defaults: &Value, answer: &str, cost_ms: u64, later_ms: u64) -> Entry {
    let lookup = lookup(defaults, "GET");
    let response_ms = NOW * 1000 + later_ms;
    let exchange = Exchange {
        lookup: &lookup,
        seen: 7,
        times: Times {
            request_ms: response_ms - cost_ms,
            response_ms,
        },
        stored: None,
        on_error: false,
        ranged: false,
    };
    match decide_response(&exchange, Ok(&head(answer))) {
        ResponseDecision::Store(entry) => *entry,
        other => panic!("{answer}: {other:?}"),
    }
}

/// The share of moments `left_ms` before expiry in which an entry is due, over a
/// thousand entries with twenty moments each.
fn share_due(cost_ms: u64, left_ms: u64) -> f64 {
    const ENTRIES: u64 = 1000;
    const MOMENTS: u64 = 20;
    let mut due = 0;
    let mut entry = stored(&json!({}), "200 | cache-control: max-age=600", 0, 0);
    entry.cost_ms = cost_ms;
    for number in 0..ENTRIES {
        // Different pages.
        entry.marks[0] = number * number;
        // The same time before expiry, on different days.
        for moment in 0..MOMENTS {
            entry.received_ms = NOW * 1000 + number + moment * 86_400_000;
            let now_ms = entry.received_ms + 600_000 - left_ms;
            due += u64::from(is_due_early(&entry, now_ms));
        }
    }
    due as f64 / (ENTRIES * MOMENTS) as f64
}

#[test]
fn early_refresh_probability_rises_with_cost_and_towards_expiry() {
    for cost_ms in [50, 400, 3000] {
        for tenths in [1, 5, 10, 20, 40, 80] {
            let left_ms = cost_ms * tenths / 10;
            let expected = (-(left_ms as f64) / cost_ms as f64).exp();
            let found = share_due(cost_ms, left_ms);
            // Four times the standard deviation of 20,000 draws.
            let margin = 4.0 * (expected * (1.0 - expected) / 20_000.0).sqrt() + 1e-4;
            assert!(
                (found - expected).abs() < margin,
                "cost {cost_ms}, left {left_ms}: {found}, not {expected}"
            );
        }
        assert!(share_due(cost_ms, cost_ms * 40) == 0.0, "{cost_ms}");
    }
    // A fetch without cost is never refreshed early.
    assert!(share_due(0, 1) == 0.0);
}

#[test]
fn early_refresh_decision_is_deterministic() {
    let mut entry = stored(&json!({}), "200 | cache-control: max-age=60", 0, 0);
    entry.cost_ms = 20_000;
    let (mut due, mut changes, mut before) = (0, 0, false);
    for later_ms in 0..60_000 {
        let now_ms = NOW * 1000 + later_ms;
        let is_due = is_due_early(&entry, now_ms);
        assert_eq!(is_due, is_due_early(&entry.clone(), now_ms), "{later_ms}");
        due += u64::from(is_due);
        changes += u64::from(is_due != before);
        before = is_due;
    }
    // About a third of all moments, without long gaps.
    assert!((15_000..25_000).contains(&due), "{due}");
    assert!(changes > 10_000, "{changes}");
}

/// The number of milliseconds of the 60th second with an early refresh.
#[track_caller]
fn early_count(defaults: Value, request: &str, answer: &str, soft: u64) -> usize {
    let entry = stored(&defaults, answer, 999, 0);
    let lookup = lookup(&defaults, request);
    let mut index = PurgeIndex::default();
    index.apply(&PurgeFeed {
        sequence: 9,
        floor: Numbers { hard: 0, soft },
        ..PurgeFeed::default()
    });
    let moments = (0..1000).map(|ms| NOW * 1000 + 59_000 + ms);
    let verdicts = moments.map(|now_ms| judge(&entry, &lookup, Some(&index), now_ms));
    verdicts
        .filter(|v| matches!(v, ReuseVerdict::Early(_)))
        .count()
}

#[test]
fn early_refresh_requires_fresh_entry_and_enabled_rule() {
    let minute = "200 | cache-control: max-age=60, stale-while-revalidate=30";
    let enabled = || json!({ "request_directives": true });
    // 1 - 1/e on average, over the last second of an entry whose fetch took one
    // second.
    let often = early_count(json!({}), "GET", minute, 0);
    assert!((590..670).contains(&often), "{often}");
    assert_eq!(early_count(enabled(), "GET", minute, 0), often);
    assert_eq!(early_count(json!({}), "HEAD", minute, 0), often);
    let off = json!({ "early_refresh": false });
    assert_eq!(early_count(off, "GET", minute, 0), 0);
    // A request with cache directives does not cause an early refresh.
    for directive in ["max-stale=9", "max-age=3600", "only-if-cached", "no-store"] {
        let request = format!("GET | Cache-Control: {directive}");
        assert_eq!(
            early_count(enabled(), &request, minute, 0),
            0,
            "{directive}"
        );
    }
    // Stale by age or by a purge: other windows apply.
    assert_eq!(early_count(json!({}), "GET", minute, 8), 0);
    let short = minute.replace("60", "59");
    assert_eq!(early_count(json!({}), "GET", &short, 0), 0);
    let none = "200 | cache-control: max-age=0, stale-while-revalidate=90";
    assert_eq!(early_count(json!({}), "GET", none, 0), 0);
    // The age on arrival counts.
    assert_eq!(
        early_count(json!({}), "GET", &format!("{minute} | age: 1"), 0),
        0
    );
    let old = early_count(
        json!({}),
        "GET",
        "200 | cache-control: max-age=90 | age: 30",
        0,
    );
    assert!((590..670).contains(&old), "{old}");
}

#[test]
fn entry_records_the_cost_of_its_fetch() {
    let control = "200 | cache-control: max-age=60";
    for cost_ms in [0, 1, 250, 29_999] {
        assert_eq!(stored(&json!({}), control, cost_ms, 0).cost_ms, cost_ms);
    }
}

#[test]
fn ttl_jitter_shortens_lifetimes_evenly() {
    let rule = json!({ "ttl_jitter": 20 });
    let answer = "200 | cache-control: max-age=600, stale-while-revalidate=30, stale-if-error=90";
    let mut found = [0_u32; 5];
    for number in 0..1000 {
        let entry = stored(&rule, answer, 0, number);
        assert_eq!(entry, stored(&rule, answer, 0, number), "{number}");
        let terms = entry.terms;
        assert!((480..=600).contains(&terms.lifetime), "{terms:?}");
        let fifth = (600 - terms.lifetime) / 24;
        found[fifth.min(4) as usize] += 1;
        // The windows keep their length, counted from the end of the lifetime.
        assert_eq!(
            (terms.stale_while_revalidate, terms.stale_if_error),
            (30, 90)
        );
    }
    // As many in each fifth of the span: 200, and four standard deviations.
    assert!(found.iter().all(|n| (150..250).contains(n)), "{found:?}");
}

#[test]
fn ttl_jitter_neither_extends_nor_removes_a_lifetime() {
    #[track_caller]
    fn check(defaults: Value, answer: &str, least: u64, most: u64) {
        let (mut low, mut high) = (u64::MAX, 0);
        for number in 0..300 {
            let lifetime = stored(&defaults, answer, 0, number * 997).terms.lifetime;
            low = low.min(lifetime);
            high = high.max(lifetime);
        }
        assert_eq!((low, high), (least, most), "{defaults} {answer}");
    }
    let half = || json!({ "ttl_jitter": 50 });
    check(json!({}), "200 | cache-control: max-age=100", 100, 100);
    check(
        json!({ "ttl_jitter": 0 }),
        "200 | cache-control: max-age=100",
        100,
        100,
    );
    check(
        json!({ "ttl_jitter": 3 }),
        "200 | cache-control: max-age=100",
        98,
        100,
    );
    check(half(), "200 | cache-control: max-age=8", 5, 8);
    check(half(), "200 | cache-control: max-age=1", 1, 1);
    check(half(), "200 | cache-control: s-maxage=8", 5, 8);
    check(half(), "200 | expires: $+8 | date: $+0", 5, 8);
    check(json!({ "ttl_jitter": 50, "edge_ttl": 8 }), "200", 5, 8);
    // A response that must be revalidated each time stays so.
    check(half(), "200 | cache-control: max-age=0 | etag: \"a\"", 0, 0);
    check(half(), "200 | cache-control: no-cache | etag: \"a\"", 0, 0);
}
