//! Tests of a stored response after the exchange with the origin: a 304,
//! another response, or a failure.

use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::cache::request::classify::Lookup;
use serde_json::{Value, json};
use testkit::given::{NOW, exchange, head, lookup, stored};

const STORED_PAGE: &str = "200 | cache-control: max-age=60, stale-if-error=90 | etag: \"a\" | x-a: old \
                    | content-type: text/plain | content-length: 3 | cache-tag: t | date: $-100";

#[test]
fn a_304_refreshes_the_stored_head() {
    let old = stored(STORED_PAGE);
    let lookup = lookup(&json!({}), "GET");
    #[track_caller]
    fn check(old: &Entry, lookup: &Lookup, answer: &str, fields: &str, kept: bool) -> Entry {
        match decide_response(&exchange(lookup, Some(old), true), Ok(&head(answer))) {
            ResponseDecision::Freshen { entry, may_store } => {
                assert_eq!(may_store, kept, "{answer}");
                let mut found: Vec<_> = entry.fields.iter().collect();
                found.sort();
                let expected = head(&format!("200 | {fields} | via: 1.1 edgekeep")).fields;
                let mut expected: Vec<_> = expected.iter().collect();
                expected.sort();
                assert_eq!(found, expected, "{answer}");
                *entry
            }
            other => panic!("{answer}: {other:?}"),
        }
    }
    let same = "cache-control: max-age=60, stale-if-error=90 | etag: \"a\" | x-a: old | content-type: text/plain";
    let now = check(&old, &lookup, "304", &format!("{same} | date: $+0"), true);
    assert_eq!(
        (now.status, now.length, now.initial_age, now.seen),
        (200, Some(3), 0, 7)
    );
    assert_eq!(
        (now.received_ms, now.tags.as_slice()),
        (NOW * 1000, &["t".to_owned()][..])
    );
    check(
        &old,
        &lookup,
        "304 | etag: \"a\" | date: $-5",
        &format!("{same} | date: $-5"),
        true,
    );
    let fields = same.replace("x-a: old", "x-a: new | x-a: newer | x-b: 1");
    check(
        &old,
        &lookup,
        "304 | x-a: new | x-a: newer | x-b: 1",
        &format!("{fields} | date: $+0"),
        true,
    );
    // RFC 9111 §3.2: fields that describe the stored body are not updated.
    let body = "304 | content-encoding: br | content-length: 9 | content-range: bytes 0-1/2";
    let now = check(&old, &lookup, body, &format!("{same} | date: $+0"), true);
    assert_eq!(now.length, Some(3));
    check(
        &old,
        &lookup,
        "304 | connection: x-a | x-a: 1 | keep-alive: 2",
        &format!("{same} | date: $+0"),
        true,
    );
    let fields = same.replace("max-age=60, stale-if-error=90", "max-age=5");
    let now = check(
        &old,
        &lookup,
        "304 | cache-control: max-age=5 | age: 2",
        &format!("{fields} | date: $+0"),
        true,
    );
    assert_eq!((now.terms.lifetime, now.initial_age), (5, 2));
    let now = check(
        &old,
        &lookup,
        "304 | cache-tag: u,v",
        &format!("{same} | date: $+0"),
        true,
    );
    // In doubt an entry has too many tags, not too few: stored tags are kept.
    assert_eq!(now.tags, ["t", "u", "v"]);
    // It is used for this request, and no longer stored.
    for control in [
        "no-store",
        "private",
        "max-age=5 | set-cookie: a=1",
        "max-age=5 | vary: *",
    ] {
        let fields = same.replace("max-age=60, stale-if-error=90", control);
        let answer = format!("304 | cache-control: {control}");
        check(
            &old,
            &lookup,
            &answer,
            &format!("{fields} | date: $+0"),
            false,
        );
    }
}

/// The decision, as a word.
fn decision(old: Option<&Entry>, on_error: bool, answer: &str) -> String {
    decision_under(&json!({}), old, on_error, answer)
}

/// The same under these defaults.
fn decision_under(defaults: &Value, old: Option<&Entry>, on_error: bool, answer: &str) -> String {
    let lookup = lookup(defaults, "GET");
    let exchange = exchange(&lookup, old, on_error);
    let decision = match answer {
        "down" => decide_response(&exchange, Err(OriginFailure::Unreachable)),
        "late" => decide_response(&exchange, Err(OriginFailure::TimedOut)),
        _ => decide_response(&exchange, Ok(&head(answer))),
    };
    match decision {
        ResponseDecision::Store(entry) => format!("store {}", entry.status),
        ResponseDecision::Freshen { may_store, .. } => format!("refresh {may_store}"),
        ResponseDecision::Forward(reason) => format!("forward {}", reason.word()),
        ResponseDecision::ServeStale => "stale".to_owned(),
        ResponseDecision::RepeatUnconditionally => "again".to_owned(),
        ResponseDecision::Fail(failure) => format!("{failure:?}"),
    }
}

#[test]
fn a_304_with_another_etag_repeats_the_request() {
    #[track_caller]
    fn check(old: &str, answer: &str, expected: &str) {
        let old = stored(&format!("200 | cache-control: max-age=60 | {old}"));
        assert_eq!(decision(Some(&old), true, answer), expected, "{answer}");
    }
    check("etag: \"a\"", "304", "refresh true");
    check("etag: \"a\"", "304 | etag: \"a\"", "refresh true");
    check("etag: \"a\"", "304 | etag: \"b\"", "again");
    check("etag: \"a\"", "304 | etag: W/\"b\"", "again");
    check("etag: W/\"a\"", "304 | etag: W/\"a\"", "refresh true");
    check(
        "etag: \"a\"",
        "304 | etag: \"a\" | last-modified: $-5",
        "refresh true",
    );
    check("last-modified: $-5", "304", "refresh true");
    check(
        "last-modified: $-5",
        "304 | last-modified: $-5",
        "refresh true",
    );
}

#[test]
fn a_304_with_unmatched_validator_repeats_the_request() {
    // RFC 9111 §4.3.4: a strong validator selects only responses that have it;
    // a weak one only those that it matches.
    for (old, answer) in [
        ("last-modified: $-5", "304 | etag: \"b\""),
        ("last-modified: $-5", "304 | last-modified: $-4"),
    ] {
        let old = stored(&format!("200 | cache-control: max-age=60 | {old}"));
        assert_eq!(decision(Some(&old), true, answer), "again", "{answer}");
    }
}

#[test]
fn stored_response_is_served_if_the_origin_fails() {
    let old = stored(STORED_PAGE);
    #[track_caller]
    fn check(old: &Entry, answer: &str, nothing: &str, too_old: &str, usable: &str) {
        assert_eq!(
            decision(None, false, answer),
            nothing,
            "{answer}, nothing stored"
        );
        assert_eq!(
            decision(Some(old), false, answer),
            too_old,
            "{answer}, too old"
        );
        assert_eq!(
            decision(Some(old), true, answer),
            usable,
            "{answer}, usable"
        );
    }
    check(&old, "down", "Unreachable", "Unreachable", "stale");
    check(&old, "late", "TimedOut", "TimedOut", "stale");
    // RFC 5861 §4 lists the first four; Cloudflare sends the others for a
    // server that it cannot reach.
    for status in [500, 502, 503, 504, 520, 522, 527, 530] {
        check(
            &old,
            &format!("{status}"),
            "forward no-freshness",
            "forward no-freshness",
            "stale",
        );
        let fresh = format!("{status} | cache-control: max-age=60");
        let stored = format!("store {status}");
        check(&old, &fresh, &stored, &stored, "stale");
    }
    for status in [400, 401, 403, 429, 501, 505] {
        let same = "forward no-freshness";
        check(&old, &format!("{status}"), same, same, same);
    }
    // The page has changed.
    for status in [404, 410] {
        let same = format!("store {status}");
        check(&old, &format!("{status}"), &same, &same, &same);
    }
    check(
        &old,
        "200 | cache-control: max-age=60",
        "store 200",
        "store 200",
        "store 200",
    );
    check(
        &old,
        "200 | cache-control: private",
        "forward private",
        "forward private",
        "forward private",
    );
    check(
        &old,
        "404 | cache-control: max-age=5",
        "store 404",
        "store 404",
        "store 404",
    );
    check(
        &old,
        "304",
        "forward status",
        "refresh true",
        "refresh true",
    );
    check(
        &old,
        "206 | cache-control: max-age=60",
        "forward status",
        "forward status",
        "forward status",
    );
}

#[test]
fn error_statuses_define_which_statuses_are_failures() {
    let old = stored(STORED_PAGE);
    let check = |defaults: Value, covered: &[u16], others: &[u16]| {
        for (statuses, expected) in [(covered, "stale"), (others, "store")] {
            for status in statuses {
                let answer = format!("{status} | cache-control: max-age=9");
                let found = decision_under(&defaults, Some(&old), true, &answer);
                // 429 is a request error, so its lifetime does not count.
                let stored = match status {
                    429 => "forward request-error".to_owned(),
                    _ => format!("store {status}"),
                };
                let word = match expected {
                    "store" => stored.clone(),
                    _ => expected.to_owned(),
                };
                assert_eq!(found, word, "{defaults} {status}");
                let nothing = decision_under(&defaults, Some(&old), false, &answer);
                assert_eq!(nothing, stored, "{defaults} {status}");
            }
        }
    };
    check(json!({}), &[500, 503], &[429, 501, 505, 519, 528, 599]);
    check(json!({ "error_statuses": [429] }), &[429], &[500, 503, 520]);
    check(
        json!({ "error_statuses": [429, 501, 503] }),
        &[429, 501, 503],
        &[500],
    );
    check(
        json!({ "error_statuses": [] }),
        &[],
        &[429, 500, 502, 503, 504],
    );
    // A failed connection is a failure without any `error_statuses`.
    let none = json!({ "error_statuses": [] });
    assert_eq!(decision_under(&none, Some(&old), true, "down"), "stale");
}

#[test]
fn request_error_does_not_replace_a_stored_page() {
    let page = stored(STORED_PAGE);
    let named = json!({ "negative_ttl": { "406": 30, "404": 30, "428": 30 } });
    for on_error in [true, false] {
        for status in [406, 428] {
            let answer = format!("{status} | cache-control: max-age=9");
            let found = decision_under(&named, Some(&page), on_error, &answer);
            assert_eq!(found, "forward request-error");
            // A stored error of that kind is replaced.
            let error = Entry {
                status: 431,
                ..page.clone()
            };
            let found = decision_under(&named, Some(&error), on_error, &answer);
            assert_eq!(found, format!("store {status}"));
        }
        // This status concerns the page.
        assert_eq!(
            decision_under(&named, Some(&page), on_error, "404"),
            "store 404"
        );
    }
    assert_eq!(decision_under(&named, None, false, "406"), "store 406");
}

#[test]
fn entry_by_credentials_is_refreshed_only_by_etag() {
    let control = "cache-control: s-maxage=0";
    let dated = stored(&format!("200 | {control} | last-modified: $-5"));
    let tagged = stored(&format!(
        "200 | {control} | last-modified: $-5 | etag: \"a\""
    ));
    let by_credentials = |entry: &Entry| Entry {
        by_credentials: true,
        ..entry.clone()
    };
    let date = "304 | cache-control: s-maxage=0 | last-modified: $-5";
    assert_eq!(decision(Some(&dated), false, date), "refresh true");
    assert_eq!(
        decision(Some(&by_credentials(&dated)), false, date),
        "again"
    );
    assert_eq!(
        decision(Some(&by_credentials(&dated)), false, "304"),
        "again"
    );
    let tag = "304 | cache-control: s-maxage=0 | etag: \"a\"";
    assert_eq!(
        decision(Some(&by_credentials(&tagged)), false, tag),
        "refresh true"
    );
    // `by_credentials` stays set for every request, unless the origin sends
    // `public`.
    let rule = json!({ "edge_ttl": 600, "stale_if_error": 60, "request_directives": true });
    for (request, answer, expected) in [
        ("GET", tag, Some((0, 0, true))),
        ("GET | Authorization: Digest b", tag, Some((0, 0, true))),
        (
            "GET",
            "304 | cache-control: s-maxage=0, public",
            Some((600, 60, false)),
        ),
        ("GET", "304 | cache-control: max-age=60", None),
    ] {
        let lookup = lookup(&rule, request);
        let old = by_credentials(&tagged);
        let found = match decide_response(&exchange(&lookup, Some(&old), false), Ok(&head(answer)))
        {
            ResponseDecision::Freshen {
                entry,
                may_store: true,
            } => {
                let terms = entry.terms;
                Some((terms.lifetime, terms.stale_if_error, entry.by_credentials))
            }
            ResponseDecision::Freshen {
                may_store: false, ..
            } => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{request} {answer}");
    }
}
