//! Tests of the stale windows: follows stored responses second by second, and
//! lists the seconds at which the window changes.

use edgekeep::cache::ledger::sequence::Numbers;
use edgekeep::cache::ledger::sequence::{
    PurgeState, PurgeState::Alive, PurgeState::Hard, PurgeState::Soft,
};
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::policy::window::{Window, unusable_at, window};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::request::classify::Lookup;
use serde_json::{Value, json};
use testkit::given::{NOW, exchange, head, lookup};

const DAY: u64 = 86_400;
const YEAR: u64 = 31_536_000;

/// The entry of a response under these defaults.
#[track_caller]
fn stored(defaults: &Value, answer: &str) -> Entry {
    use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
    let lookup = lookup(defaults, "GET");
    match decide_response(&exchange(&lookup, None, false), Ok(&head(answer))) {
        ResponseDecision::Store(entry) => *entry,
        other => panic!("{answer}: {other:?}"),
    }
}

fn index(purged: Option<PurgeState>) -> Option<PurgeIndex> {
    let (hard, soft) = match purged? {
        Alive => (0, 0),
        Soft => (0, 8),
        Hard => (8, 0),
    };
    let mut index = PurgeIndex::default();
    index.apply(&PurgeFeed {
        sequence: 9,
        floor: Numbers { hard, soft },
        ..PurgeFeed::default()
    });
    Some(index)
}

/// `WORD SECOND`, for each second after arrival at which the window changes.
fn window_changes(
    entry: &Entry,
    lookup: &Lookup,
    purged: Option<PurgeState>,
    seconds: impl Iterator<Item = u64>,
) -> String {
    let index = index(purged);
    let mut changes: Vec<String> = Vec::new();
    let mut last = "";
    for second in seconds {
        // Just before the next second: fractions do not count.
        let now_ms = (NOW + second) * 1000 + 999;
        let word = match judge(entry, lookup, index.as_ref(), now_ms) {
            ReuseVerdict::Fresh(_) | ReuseVerdict::Early(_) => "fresh",
            ReuseVerdict::WhileRevalidate(_) => "swr",
            ReuseVerdict::Stale { on_error: true, .. } => "on-error",
            ReuseVerdict::Stale { .. } => "revalidate",
            ReuseVerdict::Unusable(_) => "gone",
            ReuseVerdict::OtherVariant(_) => "other",
        };
        if word != last {
            changes.push(format!("{word} {second}"));
            last = word;
        }
    }
    changes.join(", ")
}

#[track_caller]
fn check(control: &str, directives: &str, purged: Option<PurgeState>, expected: &str) {
    let enabled = json!({ "request_directives": true });
    let entry = stored(
        &enabled,
        &format!("200 | cache-control: {control} | etag: \"a\""),
    );
    let request = match directives {
        "" => "GET".to_owned(),
        _ => format!("GET | Cache-Control: {directives}"),
    };
    let found = window_changes(&entry, &lookup(&enabled, &request), purged, 0..300);
    assert_eq!(found, expected, "{control}; {directives}; {purged:?}");
}

/// Fresh for 60 seconds, then windows of 30 and 90 seconds.
const ALL: &str = "max-age=60, stale-while-revalidate=30, stale-if-error=90";

#[test]
fn entry_moves_through_its_stale_windows() {
    let check = |control: &str, expected| check(control, "", Some(Alive), expected);
    check(ALL, "fresh 0, swr 60, on-error 90, revalidate 150");
    // The longer window contains the shorter one, in either order.
    let longer = "max-age=60, stale-while-revalidate=90, stale-if-error=30";
    check(longer, "fresh 0, swr 60, revalidate 150");
    check(
        "max-age=60, stale-if-error=30",
        "fresh 0, on-error 60, revalidate 90",
    );
    check("max-age=60, stale-if-error=0", "fresh 0, revalidate 60");
    check(
        "max-age=1, stale-if-error=1",
        "fresh 0, on-error 1, revalidate 2",
    );
    check(
        "max-age=0, stale-while-revalidate=5, stale-if-error=0",
        "swr 0, revalidate 5",
    );
    check("max-age=0, stale-if-error=5", "on-error 0, revalidate 5");
    // RFC 9111 §4.2.4: these forbid stale responses.
    for strict in ["must-revalidate", "proxy-revalidate"] {
        check(&format!("{ALL}, {strict}"), "fresh 0, revalidate 60");
    }
    check(&format!("{ALL}, no-cache"), "revalidate 0");
    // s-maxage disables our default window, not stated ones.
    check("s-maxage=60", "fresh 0, revalidate 60");
    check(
        "s-maxage=60, stale-if-error=90",
        "fresh 0, on-error 60, revalidate 150",
    );
    check(
        "s-maxage=60, stale-while-revalidate=30",
        "fresh 0, swr 60, revalidate 90",
    );
    // The age on arrival counts.
    let aged = format!("{ALL} | age: 50");
    check(&aged, "fresh 0, swr 10, on-error 40, revalidate 100");
    check(
        &format!("{ALL} | age: 80"),
        "swr 0, on-error 10, revalidate 70",
    );
}

#[test]
fn soft_purge_keeps_the_windows_and_hard_purge_ends_them() {
    check(ALL, "", Some(Soft), "swr 0, on-error 90, revalidate 150");
    check(
        "max-age=60, stale-if-error=30",
        "",
        Some(Soft),
        "on-error 0, revalidate 90",
    );
    check(
        "max-age=60, stale-if-error=0",
        "",
        Some(Soft),
        "revalidate 0",
    );
    check(
        &format!("{ALL}, must-revalidate"),
        "",
        Some(Soft),
        "revalidate 0",
    );
    check("s-maxage=60", "", Some(Soft), "revalidate 0");
    for control in [ALL, "max-age=60", "s-maxage=60", "no-cache"] {
        check(control, "", Some(Hard), "gone 0");
        check(control, "max-stale", Some(Hard), "gone 0");
    }
    // Before the first feed: only if the origin fails, too.
    check(ALL, "", None, "on-error 0, revalidate 150");
    check(
        "max-age=60, stale-while-revalidate=30, stale-if-error=0",
        "",
        None,
        "on-error 0, revalidate 90",
    );
    // Without a window: for its freshness lifetime.
    check(
        "max-age=60, stale-if-error=0",
        "",
        None,
        "on-error 0, revalidate 60",
    );
}

#[test]
fn request_directives_shift_the_windows() {
    let check =
        |control: &str, directives, expected| check(control, directives, Some(Alive), expected);
    check(
        "max-age=60, stale-if-error=0",
        "max-stale=9",
        "fresh 0, revalidate 70",
    );
    check("max-age=60, stale-if-error=30", "max-stale", "fresh 0");
    check(ALL, "max-stale=45", "fresh 0, on-error 106, revalidate 150");
    check(
        ALL,
        "max-stale=9",
        "fresh 0, swr 70, on-error 90, revalidate 150",
    );
    check(ALL, "max-age=20", "fresh 0, on-error 21, revalidate 150");
    check(ALL, "min-fresh=20", "fresh 0, on-error 41, revalidate 150");
    check(ALL, "no-cache", "on-error 0, revalidate 150");
    check(
        "max-age=60, must-revalidate",
        "max-stale",
        "fresh 0, revalidate 60",
    );
    check("s-maxage=60", "max-stale", "fresh 0, revalidate 60");
    // A soft purge is a decision of the site, which max-stale does not override.
    self::check(
        "max-age=60, stale-if-error=0",
        "max-stale",
        Some(Soft),
        "revalidate 0",
    );
    self::check(
        ALL,
        "max-stale",
        Some(Soft),
        "swr 0, on-error 90, revalidate 150",
    );
}

#[test]
fn windows_end_as_stated_or_after_a_day() {
    #[track_caller]
    fn check(defaults: Value, control: &str, until: u64) {
        let entry = stored(&defaults, &format!("200 | cache-control: {control}"));
        let around = [0, 1, until - 1, until, until + 1];
        let found = window_changes(
            &entry,
            &lookup(&defaults, "GET"),
            Some(Alive),
            around.into_iter(),
        );
        let last = format!(", revalidate {until}");
        assert!(found.ends_with(&last), "{defaults} {control}: {found}");
        assert_eq!(unusable_at(&entry.terms), until, "{defaults} {control}");
        // The tiers store it for the same time.
        assert_eq!(entry.retention_seconds(), until, "{defaults} {control}");
    }
    check(json!({}), "max-age=60", 60 + DAY);
    check(json!({}), "max-age=60, stale-if-error=600", 660);
    check(
        json!({}),
        "max-age=60, stale-if-error=99999999999",
        60 + YEAR,
    );
    check(
        json!({}),
        "max-age=60, stale-while-revalidate=99999999999",
        60 + YEAR,
    );
    // A rule may set more than a year; the origin's value has precedence.
    let ten_years = || json!({ "stale_if_error": 10 * YEAR });
    check(ten_years(), "max-age=60", 60 + 10 * YEAR);
    check(ten_years(), "max-age=60, stale-if-error=5", 65);
    check(ten_years(), "s-maxage=60", 60 + 10 * YEAR);
    let while_revalidate = json!({ "stale_while_revalidate": 10 * YEAR });
    check(while_revalidate, "max-age=60", 60 + 10 * YEAR);
}

#[test]
fn window_only_advances_with_age() {
    let rank = |window| match window {
        Window::Fresh => 0,
        Window::Revalidate => 1,
        Window::OnError => 2,
        Window::Unusable => 3,
    };
    let numbers = [0, 1, 2, 5, u64::MAX - 1, u64::MAX];
    for purged in [None, Some(Alive), Some(Soft), Some(Hard)] {
        for lifetime in numbers {
            for stale_while_revalidate in numbers {
                for stale_if_error in numbers {
                    let terms = Terms {
                        lifetime,
                        stale_while_revalidate,
                        stale_if_error,
                        stale_allowed: true,
                    };
                    let at_once = window(&terms, 0, Some(Hard));
                    assert_eq!(at_once, Window::Unusable, "{terms:?}");
                    let ages = (0..12).chain([u64::MAX - 1, u64::MAX]);
                    let windows = ages.map(|age| (age, window(&terms, age, purged)));
                    let windows: Vec<_> = windows.collect();
                    assert!(windows.is_sorted_by_key(|(_, one)| rank(*one)), "{terms:?}");
                    for (age, one) in windows.into_iter().filter(|_| purged != Some(Hard)) {
                        let over = age >= unusable_at(&terms) && unusable_at(&terms) < u64::MAX;
                        assert!(!over || one == Window::Unusable, "{terms:?} {age}");
                    }
                }
            }
        }
    }
}
