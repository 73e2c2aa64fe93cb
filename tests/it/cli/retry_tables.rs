//! When a failed request is sent again.

use edgekeep::cli::remote::reply::SiteReply;
use edgekeep::cli::remote::retry::{RETRIES, RETRY_AFTER_MS_MAX, is_retried, pause_ms};
use edgekeep::http::fields::Fields;

/// Jitter of some names and times.
fn seeds() -> impl Iterator<Item = (u64, u64)> {
    (0..50).map(|n| (n * 7919, 1_796_000_000_000 + n))
}

#[test]
fn pauses_double_with_jitter_up_to_half_a_minute() {
    let most = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
    for (repetition, most) in (0..).zip(most) {
        let pauses: Vec<u64> = seeds()
            .map(|seed| pause_ms(repetition, 20, None, seed).expect("a pause"))
            .collect();
        let (least, longest) = (pauses.iter().min(), pauses.iter().max());
        let (least, longest) = (*least.expect("one"), *longest.expect("one"));
        assert!(most / 2 <= least && longest <= most, "{least} to {longest}");
        assert!(
            longest - least > most / 4,
            "no jitter: {least} to {longest}"
        );
    }
    assert!(pause_ms(u32::MAX - 1, u32::MAX, None, (1, 1)).is_some_and(|ms| ms <= 30_000));
}

#[test]
fn retry_after_is_a_lower_bound_of_the_pause() {
    for seed in seeds() {
        for ms in [1000, 5000, RETRY_AFTER_MS_MAX] {
            let pause = pause_ms(0, RETRIES, Some(ms), seed).expect("a pause");
            assert!((ms..=ms + 500).contains(&pause), "{pause}");
        }
    }
    assert_eq!(
        pause_ms(0, RETRIES, Some(RETRY_AFTER_MS_MAX + 1), (1, 1)),
        None
    );
}

#[test]
fn number_of_repetitions_is_bounded() {
    for retries in [0, 1, RETRIES] {
        let is_some = |n: u32| pause_ms(n, retries, None, (1, 1)).is_some();
        assert_eq!((0..40).filter(|n| is_some(*n)).count(), retries as usize);
        assert!(!is_some(retries));
    }
}

#[test]
fn statuses_of_a_busy_or_absent_worker_are_retried() {
    let retried: Vec<u16> = (100..600).filter(|status| is_retried(*status)).collect();
    assert_eq!(retried, [429, 502, 503, 504]);
}

fn reply(status: u16, fields: &[(&str, &str)], body: &str) -> SiteReply {
    SiteReply {
        status,
        fields: fields.iter().copied().collect::<Fields>(),
        body: body.as_bytes().to_vec(),
    }
}

#[test]
fn retry_after_is_read_in_seconds_or_as_a_date_of_the_server() {
    let date = ("date", "Mon, 30 Nov 2026 12:00:00 GMT");
    let later = "Mon, 30 Nov 2026 12:00:07 GMT";
    for (value, expected) in [
        ("5", Some(5000)),
        ("0", Some(1000)),
        (later, Some(7000)),
        ("soon", None),
        ("-1", None),
    ] {
        let reply = reply(503, &[date, ("retry-after", value)], "");
        // This computer's clock is wrong by years.
        assert_eq!(reply.retry_after_ms(0), expected, "{value}");
    }
    assert_eq!(reply(503, &[], "").retry_after_ms(0), None);
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do() {
    const PROBLEM: &str = r#"{"type":"about:blank","title":"Not allowed","status":403,"detail":"see the parts","errors":[{"path":"tags[1]","detail":"the key cms may not purge tag:x"}]}"#;
    let not_accepted = r#"{"title":"Not accepted","detail":"check"}"#;
    let now_ms = 1_796_040_000_000;
    let json = ("content-type", "application/problem+json");
    let cases = [
        (
            reply(403, &[json], PROBLEM),
            false,
            "403 Not allowed: see the parts\n  tags[1]: the key cms may not purge tag:x",
        ),
        (
            reply(
                401,
                &[json, ("date", "Mon, 30 Nov 2026 11:00:00 GMT")],
                not_accepted,
            ),
            false,
            "401 Not accepted: check\n  this computer's clock is 3600 seconds off: set it",
        ),
        (
            reply(
                401,
                &[json, ("date", "Mon, 30 Nov 2026 12:01:00 GMT")],
                not_accepted,
            ),
            false,
            "401 Not accepted: check",
        ),
        (
            reply(301, &[("location", "https://www.example.com/")], ""),
            false,
            "301 Unexpected answer: the site leads to https://www.example.com/: name that one by --site",
        ),
        (
            reply(404, &[("content-type", "text/html")], "<h1>Not found</h1>"),
            false,
            "404 Unexpected answer: this is no answer of Edgekeep (text/html): see that its route covers this host",
        ),
        (
            reply(200, &[("content-type", "text/html")], "<h1>Hello</h1>"),
            false,
            "200 Unexpected answer: this is no answer of Edgekeep (text/html): see that its route covers this host",
        ),
        (
            reply(
                503,
                &[json],
                r#"{"title":"Ledger unavailable","detail":"send it again"}"#,
            ),
            true,
            "503 Ledger unavailable: send it again",
        ),
        (
            reply(502, &[json], PROBLEM),
            false,
            "502 Not allowed: see the parts\n  tags[1]: the key cms may not purge tag:x",
        ),
        (
            reply(
                400,
                &[json],
                r#"{"title":"Bad \u001b[31mred","detail":"\u0007"}"#,
            ),
            false,
            "400 Bad [31mred: ",
        ),
    ];
    for (reply, is_unavailable, expected) in cases {
        let refused = reply.json(now_ms).expect_err("a refusal");
        assert_eq!(refused.to_string(), expected);
        assert_eq!(refused.is_unavailable(), is_unavailable, "{expected}");
    }
    let receipt = reply(200, &[], r#"{"id":"x"}"#).json(now_ms).expect("JSON");
    assert_eq!(receipt["id"], "x");
}
