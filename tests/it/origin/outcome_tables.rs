//! Tests of outcomes: what counts as a failure of the origin, how outcomes and
//! rests of URLs are stored, and which addresses are one reader.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::origin::circuit_breaker::{ResponseVerdict, judge};
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::origin::outcomes::{
    OUTCOMES_MAX, OUTCOMES_OF_ONE_MAX, Outcomes, RequestSource, Share, WINDOW_MS, digest, reader_of,
};
use edgekeep::cache::origin::retry_after::{
    RESTS_MAX, RESTS_OF_READER_MAX, Rests, SHARED_REST_MS_MAX,
};
use edgekeep::http::head::ResponseHead;
use edgekeep::http::url::Url;

/// 2026-11-23, 09:00.
const NOW_MS: u64 = 1_795_424_400_000;

/// Parses `PATH` or `PATH@READER`; without a reader, the path stands for it.
fn source(text: &str) -> RequestSource {
    let (path, reader) = text.split_once('@').unwrap_or((text, text));
    RequestSource {
        path: digest(path),
        reader: digest(reader),
    }
}

#[test]
fn outcomes_are_bounded_in_total_and_per_page_and_reader() {
    let mut outcomes = Outcomes::default();
    for n in 0..1000 {
        outcomes.record_success(source(&format!("{n}@{n}")), NOW_MS);
    }
    assert_eq!(outcomes.share(NOW_MS).paths, OUTCOMES_MAX);
    let mut outcomes = Outcomes::default();
    for n in 0..64 {
        outcomes.record_success(source(&format!("{n}@{n}")), NOW_MS);
    }
    for n in 0..1000 {
        outcomes.record_failure(source(&format!("{n}-x@one")), None, NOW_MS);
        outcomes.record_failure(source(&format!("page@{n}-x")), None, NOW_MS);
    }
    let share = outcomes.share(NOW_MS);
    assert_eq!(share.failing_paths, OUTCOMES_OF_ONE_MAX + 1);
    assert_eq!(share.failing_readers, OUTCOMES_OF_ONE_MAX + 1);
    assert_eq!(share.paths, 64 + OUTCOMES_OF_ONE_MAX + 1);
    assert_eq!(outcomes.share(NOW_MS + WINDOW_MS - 1), share);
    assert_eq!(outcomes.share(NOW_MS + WINDOW_MS), Share::default());
}

#[test]
fn readers_with_many_outcomes_do_not_evict_single_outcomes_of_others() {
    let mut outcomes = Outcomes::default();
    for n in 0..30 {
        outcomes.record_success(source(&format!("page{n}@reader{n}")), NOW_MS);
    }
    for n in 0..100 {
        for attacker in 0..8 {
            let failing = source(&format!("{n}-{attacker}@attacker{attacker}"));
            outcomes.record_failure(failing, None, NOW_MS);
        }
    }
    let share = outcomes.share(NOW_MS);
    assert_eq!((share.readers, share.failing_readers), (38, 8));
    assert!(!share.is_of_origin());
    // A late outcome is counted, too, and replaces none of them.
    outcomes.record_success(source("late@late"), NOW_MS);
    assert_eq!(outcomes.share(NOW_MS).readers, 39);
    // Each has a reader of its own: the oldest is dropped.
    for n in 0..OUTCOMES_MAX {
        outcomes.record_failure(source(&format!("f{n}@f{n}")), None, NOW_MS);
    }
    assert_eq!(outcomes.share(NOW_MS).failing_readers, OUTCOMES_MAX);
}

#[test]
fn reader_is_an_ipv4_address_or_an_ipv6_network_of_56_bits() {
    for (one, other, same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", " 192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
        ("2001:db8:1:2::1", "2001:0DB8:1:2::9", true),
        // One household has 256 such networks of 64 bits.
        ("2001:db8:1:200::1", "2001:db8:1:2ff::1", true),
        ("2001:db8:1:200::1", "2001:db8:1:300::1", false),
        ("2001:db8:1:200::1", "2001:db8:2:200::1", false),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("unknown", "unknown", true),
    ] {
        assert_eq!(reader_of(one) == reader_of(other), same, "{one} {other}");
    }
}

#[test]
fn url_rests_for_its_reader_and_after_three_readers_for_all() {
    let (url, other) = (digest("/page"), digest("/other"));
    let left = |rests: &Rests, url, reader, ms| rests.left_ms(url, reader, NOW_MS + ms);
    let mut rests = Rests::default();
    rests.begin(url, 1, 3_600_000, NOW_MS);
    assert_eq!(left(&rests, url, 1, 0), Some(3_600_000));
    assert_eq!(left(&rests, url, 1, 3_599_999), Some(1));
    assert_eq!(left(&rests, url, 1, 3_600_000), None);
    assert_eq!(left(&rests, other, 1, 0), None);
    assert_eq!(left(&rests, url, 9, 0), None);
    // Later failures of one reader change the time, and count as one reader.
    rests.begin(url, 1, 10_000, NOW_MS);
    rests.begin(url, 1, 20_000, NOW_MS);
    rests.begin(url, 1, 30_000, NOW_MS);
    assert_eq!(left(&rests, url, 1, 0), Some(30_000));
    assert_eq!(left(&rests, url, 9, 0), None);
    // With rests of three readers it rests for all, until one of them ends.
    rests.begin(url, 2, 20_000, NOW_MS);
    assert_eq!(left(&rests, url, 9, 0), None);
    rests.begin(url, 3, 3_600_000, NOW_MS);
    assert_eq!(left(&rests, url, 9, 0), Some(20_000));
    assert_eq!(left(&rests, url, 9, 20_000), None);
    assert_eq!(left(&rests, other, 9, 0), None);
    // For other readers the rest is a minute at most.
    for reader in [4, 5, 6] {
        rests.begin(url, reader, 3_600_000, NOW_MS);
    }
    assert_eq!(left(&rests, url, 9, 0), Some(SHARED_REST_MS_MAX));
    assert_eq!(left(&rests, url, 9, SHARED_REST_MS_MAX), None);
    assert_eq!(left(&rests, url, 4, SHARED_REST_MS_MAX), Some(3_540_000));
}

#[test]
fn a_success_ends_the_rest_of_its_url_and_reader() {
    let mut rests = Rests::default();
    for (url, reader) in [(1, 1), (1, 2), (2, 1)] {
        rests.begin(url, reader, 3_600_000, NOW_MS);
    }
    rests.end(1, 1);
    assert_eq!(rests.left_ms(1, 1, NOW_MS), None);
    assert_eq!(rests.left_ms(1, 2, NOW_MS), Some(3_600_000));
    assert_eq!(rests.left_ms(2, 1, NOW_MS), Some(3_600_000));
}

#[test]
fn rests_are_bounded_in_total_and_per_reader() {
    let mut rests = Rests::default();
    for url in 0..RESTS_MAX as u64 {
        rests.begin(url, url, 1000, NOW_MS);
    }
    assert_eq!(rests.left_ms(0, 0, NOW_MS), Some(1000));
    for url in 0..1000 {
        rests.begin(10_000 + url, 7, 1000, NOW_MS);
    }
    let kept = |urls: std::ops::Range<u64>| {
        let kept = |url: &u64| rests.left_ms(*url, *url, NOW_MS).is_some();
        urls.filter(kept).count()
    };
    assert_eq!(kept(0..RESTS_MAX as u64), RESTS_MAX - RESTS_OF_READER_MAX);
    assert!(rests.is_empty(NOW_MS + 1000));
    // Expired rests make room first.
    rests.begin(1, 1, 1000, NOW_MS + 1000);
    assert_eq!(rests.left_ms(1, 1, NOW_MS + 1000), Some(1000));
}

/// Checks the verdict about `STATUS [Retry-After]` or a failure (`timeout`,
/// `cut`, `down`): `works`, `fails`, `unknown`, or the seconds of the pause.
#[track_caller]
fn check_verdict(rule: &str, answer: &str, expected: &str) {
    let rules = Rules::read_json(&format!("{{\"defaults\":{rule}}}")).expect("settings");
    let rule = rules.rule_for(&Url::parse("http://a.test/").expect("a URL"));
    let (status, after) = answer.split_once(' ').unwrap_or((answer, ""));
    let fields = [("retry-after", after)];
    let valid = status.parse().ok().filter(|status| *status < 600);
    let head = valid.map(|status| ResponseHead {
        status,
        fields: fields.into_iter().filter(|(_, v)| !v.is_empty()).collect(),
    });
    let failure = match status {
        "timeout" => OriginFailure::TimedOut,
        "cut" => OriginFailure::CutOff,
        "999" => OriginFailure::NoStatus(999),
        _ => OriginFailure::Unreachable,
    };
    let found = match judge(&rule, head.as_ref().ok_or(failure), NOW_MS) {
        ResponseVerdict::Works => "works".to_owned(),
        ResponseVerdict::Fails {
            retry_after_ms: None,
        } => "fails".to_owned(),
        ResponseVerdict::Fails {
            retry_after_ms: Some(ms),
        } => (ms / 1000).to_string(),
        ResponseVerdict::Unknown => "unknown".to_owned(),
    };
    assert_eq!(found, expected, "{answer}");
}

#[test]
fn gateway_errors_and_missing_responses_are_failures_of_origin() {
    for status in [
        200, 204, 206, 301, 304, 400, 401, 403, 404, 410, 429, 500, 501, 505, 528, 529, 599,
    ] {
        check_verdict("{}", &status.to_string(), "works");
    }
    for status in [502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530] {
        check_verdict("{}", &status.to_string(), "fails");
    }
    check_verdict("{}", "down", "fails");
    check_verdict("{}", "timeout", "fails");
    // An error of one page, like a 500.
    check_verdict("{}", "cut", "works");
    // An invalid status shows nothing about the origin.
    check_verdict("{}", "999", "unknown");
    // A rule may change the statuses, but 500 is always an error of one page.
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
        // In the past.
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
