//! Shows when the circuit breaker of an origin opens, for how long, and how it
//! closes again; and what counts as a failure of the origin.

use edgekeep::cache::answer::OriginFailure;
use edgekeep::cache::breaker::{Breaker, Verdict, Way, judge};
use edgekeep::cache::protection::Protection;
use edgekeep::cache::rules::Rules;
use edgekeep::http::head::ResponseHead;
use edgekeep::http::url::Url;
use serde_json::json;

/// 2026-11-23, 09:00.
const NOW_MS: u64 = 1_795_424_400_000;

fn limits(failures: u64, pause_seconds: u64) -> Protection {
    let settings = json!({
        "protection": { "breaker_failures": failures, "breaker_pause": pause_seconds }
    });
    let rules = Rules::read_json(&settings.to_string()).expect("settings");
    rules.protection
}

/// Plays events, at milliseconds from the start, with 3 failures and a pause
/// of 10 seconds. `ok`, `bad`, `bad=N` (with a `Retry-After` of N seconds):
/// a request that comes and ends so at once. `begin`: one that comes and does
/// not end (`end-ok`, `end-bad`: the last of them does). Each is followed by
/// what became of it: `through`, `trial`, or the milliseconds to wait.
#[track_caller]
fn check(events: &[(u64, &str, &str)]) {
    check_with(&limits(3, 10), events);
}

#[track_caller]
fn check_with(limits: &Protection, events: &[(u64, &str, &str)]) {
    let mut breaker = Breaker::default();
    let mut begun = Way::Through;
    for (at, (ms, event, expected)) in events.iter().enumerate() {
        let now_ms = NOW_MS + ms;
        let (event, retry_after_ms) = match event.split_once('=') {
            Some((event, seconds)) => {
                (event, Some(seconds.parse::<u64>().expect("seconds") * 1000))
            }
            None => (*event, None),
        };
        let verdict = match event {
            "ok" | "end-ok" => Verdict::Works,
            _ => Verdict::Fails { retry_after_ms },
        };
        if event.starts_with("end") {
            breaker.leave(begun, verdict, limits, now_ms);
            continue;
        }
        let open = breaker.is_open(now_ms);
        let way = breaker.enter(now_ms, 30_000);
        assert_eq!(open, way.err(), "row {at}: {event}");
        let found = match way {
            Ok(Way::Through) => "through".to_owned(),
            Ok(Way::Trial) => "trial".to_owned(),
            Err(ms) => ms.to_string(),
        };
        assert_eq!(found, *expected, "row {at}: {event} at {ms}");
        match way {
            Ok(way) if event == "begin" => begun = way,
            Ok(way) => breaker.leave(way, verdict, limits, now_ms),
            Err(_) => {}
        }
    }
}

#[test]
fn it_opens_after_failures_in_a_row() {
    check(&[
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "ok", "10000"),
        (9999, "ok", "1"),
    ]);
    // A success between them begins the count anew.
    check(&[
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "ok", "through"),
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "bad", "10000"),
    ]);
    // However long they take: they are in a row.
    check(&[
        (0, "bad", "through"),
        (3_600_000, "bad", "through"),
        (7_200_000, "bad", "through"),
        (7_200_000, "bad", "10000"),
    ]);
}

#[test]
fn one_request_tries_it_after_the_pause() {
    check(&[
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "bad", "through"),
        (10_000, "begin", "trial"),
        // The others wait for how that one ends.
        (10_000, "ok", "30000"),
        (12_000, "ok", "28000"),
        (13_000, "end-ok", ""),
        (13_000, "bad", "through"),
        (13_000, "bad", "through"),
        (13_000, "bad", "through"),
        (13_000, "bad", "10000"),
    ]);
    // It ended without a word: the next one tries.
    check(&[
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "bad", "through"),
        (10_000, "begin", "trial"),
        (39_999, "ok", "1"),
        (40_000, "ok", "trial"),
        (40_000, "ok", "through"),
    ]);
}

#[test]
fn a_failed_trial_doubles_the_pause_up_to_a_minute() {
    check(&[
        (0, "bad", "through"),
        (0, "bad", "through"),
        (0, "bad", "through"),
        (10_000, "bad", "trial"),
        (10_000, "ok", "20000"),
        (30_000, "bad", "trial"),
        (30_000, "ok", "40000"),
        (70_000, "bad", "trial"),
        (70_000, "ok", "60000"),
        (130_000, "bad", "trial"),
        (130_000, "ok", "60000"),
        // After a success the first pause is short again.
        (190_000, "ok", "trial"),
        (190_000, "bad", "through"),
        (190_000, "bad", "through"),
        (190_000, "bad", "through"),
        (190_000, "ok", "10000"),
    ]);
    // A longer pause of the settings stays as it is.
    check_with(
        &limits(1, 600),
        &[
            (0, "bad", "through"),
            (600_000, "bad", "trial"),
            (600_000, "bad", "600000"),
        ],
    );
}

#[test]
fn the_origins_own_word_goes_first() {
    check(&[
        (0, "bad=300", "through"),
        (0, "bad", "through"),
        // What counts is what it says last.
        (0, "bad=20", "through"),
        (0, "ok", "20000"),
        (20_000, "bad=3", "trial"),
        (20_000, "ok", "3000"),
        // The doubling goes on by the settings' pause.
        (23_000, "bad", "trial"),
        (23_000, "ok", "40000"),
    ]);
    // One page that asks for patience does not close the site.
    check(&[
        (0, "bad=300", "through"),
        (0, "ok", "through"),
        (0, "bad=300", "through"),
        (0, "ok", "through"),
    ]);
}

#[test]
fn what_began_before_it_opened_is_old_news() {
    for end in ["end-ok", "end-bad"] {
        check(&[
            (0, "begin", "through"),
            (0, "bad", "through"),
            (0, "bad", "through"),
            (0, "bad", "through"),
            (5000, end, ""),
            (5000, "ok", "5000"),
            (10_000, "ok", "trial"),
        ]);
    }
}

#[test]
fn zero_failures_mean_never() {
    let row = (0, "bad", "through");
    check_with(&limits(0, 10), &[row; 2000]);
    check_with(&limits(1, 10), &[row, (0, "bad", "10000")]);
}

/// `STATUS [Retry-After]`, and the verdict: `works`, `fails`, or the seconds
/// for which it is left alone.
#[track_caller]
fn check_verdict(rule: &str, answer: &str, expected: &str) {
    let rules = Rules::read_json(&format!("{{\"defaults\":{rule}}}")).expect("settings");
    let rule = rules.rule_for(&Url::parse("http://a.test/").expect("a URL"));
    let (status, after) = answer.split_once(' ').unwrap_or((answer, ""));
    let fields = [("retry-after", after)];
    let head = status.parse().ok().map(|status| ResponseHead {
        status,
        fields: fields.into_iter().filter(|(_, v)| !v.is_empty()).collect(),
    });
    let failure = match status {
        "late" => OriginFailure::TimedOut,
        "cut" => OriginFailure::CutOff,
        _ => OriginFailure::Unreachable,
    };
    let found = match judge(&rule, head.as_ref().ok_or(failure), NOW_MS) {
        Verdict::Works => "works".to_owned(),
        Verdict::Fails {
            retry_after_ms: None,
        } => "fails".to_owned(),
        Verdict::Fails {
            retry_after_ms: Some(ms),
        } => (ms / 1000).to_string(),
    };
    assert_eq!(found, expected, "{answer}");
}

#[test]
fn what_counts_as_a_failure_of_the_origin() {
    for status in [
        200, 204, 206, 301, 304, 400, 401, 403, 404, 410, 429, 500, 501, 505, 528, 529, 599,
    ] {
        check_verdict("{}", &status.to_string(), "works");
    }
    for status in [502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530] {
        check_verdict("{}", &status.to_string(), "fails");
    }
    check_verdict("{}", "down", "fails");
    check_verdict("{}", "late", "fails");
    // The fault of one page, as a 500 is.
    check_verdict("{}", "cut", "works");
    // A rule may say otherwise, but 500 is always one page's.
    check_verdict(r#"{"error_statuses":[500,429]}"#, "429", "fails");
    check_verdict(r#"{"error_statuses":[500,429]}"#, "500", "works");
    check_verdict(r#"{"error_statuses":[500,429]}"#, "503", "works");
    check_verdict(r#"{"error_statuses":[]}"#, "502", "works");
    check_verdict(r#"{"error_statuses":[]}"#, "down", "fails");
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    for (value, expected) in [
        ("30", "30"),
        (" 30 ", "30"),
        ("0", "1"),
        ("3600", "3600"),
        ("3601", "3600"),
        ("99999999999999999999999", "3600"),
        ("Mon, 23 Nov 2026 09:00:45 GMT", "45"),
        ("Monday, 23-Nov-26 09:00:45 GMT", "45"),
        ("Mon Nov 23 09:00:45 2026", "45"),
        // Gone by.
        ("Mon, 23 Nov 2026 08:00:00 GMT", "1"),
        ("Tue, 24 Nov 2026 09:00:00 GMT", "3600"),
        ("-1", "fails"),
        ("1.5", "fails"),
        ("soon", "fails"),
        ("1, 2", "fails"),
        ("Mon, 23 Nov", "fails"),
    ] {
        check_verdict("{}", &format!("503 {value}"), expected);
    }
    check_verdict("{}", "200 30", "works");
    check_verdict("{}", "429 30", "works");
    check_verdict(r#"{"error_statuses":[429]}"#, "429 30", "30");
}
