//! Tests of statuses: which are stored, for what reason, and with what
//! heuristic lifetime. RFC 9111 §3 (storing), §4.2.2 (heuristics), §5.2.2.3
//! (must-understand), §5.2.1.5 (a client's no-store), §3.5 (Authorization); RFC
//! 9110 §15.1 (heuristically cacheable statuses).

use edgekeep::cache::policy::freshness::is_understood;
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::http::date;
use serde_json::{Value, json};
use testkit::given::{NOW, exchange, head, lookup};

/// The outcome for a response: `stored` and its lifetime, or the reason why
/// not.
fn outcome(defaults: &Value, request: &str, answer: &str) -> String {
    let lookup = lookup(defaults, request);
    match decide_response(&exchange(&lookup, None, false), Ok(&head(answer))) {
        ResponseDecision::Store(entry) => format!("stored {}", entry.terms.lifetime),
        ResponseDecision::Forward(reason) => reason.word().to_owned(),
        other => panic!("{answer}: {other:?}"),
    }
}

#[track_caller]
fn check(answer: &str, expected: &str) {
    assert_eq!(outcome(&json!({}), "GET", answer), expected, "{answer}");
}

/// RFC 9110 §15.1, without 206, which is not stored here.
const HEURISTICALLY_CACHEABLE: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// The reason why a response of this status is for one request only, whatever
/// its lifetime.
fn reason_not_to_share(status: u16) -> Option<&'static str> {
    match status {
        401 | 407 => Some("credentials"),
        400 | 405 | 406 | 408 | 411..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431 => {
            Some("request-error")
        }
        _ => None,
    }
}

#[test]
fn every_final_status_is_storable() {
    // RFC 9111 §3: if freshness is explicit, and the status is not that of a
    // request error.
    for status in (200..600).filter(|status| !matches!(status, 206 | 304)) {
        let stated = |stored| reason_not_to_share(status).unwrap_or(stored);
        check(
            &format!("{status} | cache-control: max-age=60"),
            stated("stored 60"),
        );
        check(
            &format!("{status} | cache-control: s-maxage=9"),
            stated("stored 9"),
        );
        check(&format!("{status} | expires: $+60"), stated("stored 60"));
        check(
            &format!("{status} | cache-control: no-store, max-age=60"),
            "no-store",
        );
        check(
            &format!("{status} | cache-control: private, max-age=60"),
            "private",
        );
        // Short, without a stated lifetime (our default).
        let short = matches!(status, 404 | 410);
        let expected = if short { "stored 10" } else { "no-freshness" };
        check(&format!("{status}"), expected);
    }
    for status in (100..200).chain([206, 304]) {
        check(&format!("{status} | cache-control: max-age=60"), "status");
        check(
            &format!("{status} | cache-control: must-understand, max-age=60"),
            "status",
        );
    }
}

#[test]
fn heuristic_lifetime_requires_a_cacheable_status() {
    // A rule for errors would have precedence over heuristics.
    let heuristic = json!({ "heuristic_freshness": true, "negative_ttl": {} });
    let off = json!({ "negative_ttl": {} });
    let modified = "last-modified: $-1000";
    for status in (200..600).filter(|status| !matches!(status, 206 | 304)) {
        let plain = outcome(&heuristic, "GET", &format!("{status} | {modified}"));
        // RFC 9111 §4.2.2: these, or responses marked as cacheable.
        let unshared = reason_not_to_share(status).is_some();
        let allowed = HEURISTICALLY_CACHEABLE.contains(&status) && !unshared;
        let expected = if allowed {
            "stored 100"
        } else {
            "no-freshness"
        };
        assert_eq!(plain, expected, "{status}");
        let public = format!("{status} | {modified} | cache-control: public");
        let expected = if unshared {
            "no-freshness"
        } else {
            "stored 100"
        };
        assert_eq!(outcome(&heuristic, "GET", &public), expected, "{status}");
        // Disabled by a rule.
        assert_eq!(outcome(&off, "GET", &public), "no-freshness", "{status}");
    }
}

#[test]
fn heuristic_lifetime_is_a_tenth_of_the_time_since_modification() {
    #[track_caller]
    fn check(answer: &str, expected: &str) {
        let heuristic = json!({ "heuristic_freshness": true });
        let answer = format!("200 | {answer}");
        assert_eq!(outcome(&heuristic, "GET", &answer), expected, "{answer}");
    }
    // RFC 9111 §4.2.2.
    check("last-modified: $-10", "stored 1");
    check("last-modified: $-100", "stored 10");
    check("last-modified: $-109", "stored 10");
    check("last-modified: $-9", "stored 0");
    check("last-modified: $+0", "stored 0");
    // At most a day.
    check("last-modified: $-863990", "stored 86399");
    check("last-modified: $-864000", "stored 86400");
    check("last-modified: $-864010", "stored 86400");
    check(
        "last-modified: Thu, 01 Jan 1970 00:00:00 GMT",
        "stored 86400",
    );
    // Relative to Date.
    check("last-modified: $-100 | date: $-50", "stored 5");
    check("last-modified: $-100 | date: $+100", "stored 20");
    check("last-modified: $-100 | date: never", "stored 10");
    check(
        "last-modified: Monday, 23-Nov-26 08:00:00 GMT",
        "stored 360",
    );
    // No basis for heuristics.
    check("etag: \"a\"", "stored 0");
    check("date: $-100", "no-freshness");
    check("last-modified: yesterday", "no-freshness");
    check("last-modified: 0", "no-freshness");
    check("last-modified: $+1", "no-freshness");
    check("last-modified: $-100 | date: $-101", "no-freshness");
    check("cache-control: public", "no-freshness");
    // Not with an explicit lifetime.
    check(
        "last-modified: $-1000 | cache-control: max-age=5",
        "stored 5",
    );
    check(
        "last-modified: $-1000 | cache-control: s-maxage=5",
        "stored 5",
    );
    check(
        "last-modified: $-1000 | cache-control: max-age=x",
        "stored 0",
    );
    check("last-modified: $-1000 | expires: $+5", "stored 5");
    check("last-modified: $-1000 | expires: 0", "stored 0");
    check(
        "last-modified: $-1000 | cache-control: no-cache",
        "stored 0",
    );
    check(
        "last-modified: $-1000 | cache-control: no-store",
        "no-store",
    );
    check("last-modified: $-1000 | cache-control: private", "private");
    check("last-modified: $-1000 | set-cookie: a=1", "set-cookie");
    check("last-modified: $-1000 | vary: *", "vary");
    check(
        "last-modified: $-1000 | cache-control: must-revalidate",
        "stored 100",
    );
    check(
        "last-modified: $-1000 | cache-control: immutable, foo",
        "stored 100",
    );
    check("last-modified: $-1000 | pragma: no-cache", "stored 100");
    // A targeted field replaces the others (RFC 9213 §2.2).
    check(
        "last-modified: $-1000 | expires: $+5 | cdn-cache-control: public",
        "stored 100",
    );
    check(
        "last-modified: $-1000 | cdn-cache-control: max-age=7",
        "stored 7",
    );
    // An edge TTL has precedence.
    let both = json!({ "heuristic_freshness": true, "edge_ttl": 30 });
    let answer = "200 | last-modified: $-1000";
    assert_eq!(outcome(&both, "GET", answer), "stored 30");
    // But it does not apply to errors, nor do heuristics where a rule has a
    // better value.
    let answer = "404 | last-modified: $-1000";
    assert_eq!(outcome(&both, "GET", answer), "stored 10");
    // It does not allow storing for authorized requests (§3.5).
    let heuristic = json!({ "heuristic_freshness": true });
    let found = outcome(
        &heuristic,
        "GET | Authorization: Basic x",
        "200 | last-modified: $-1000",
    );
    assert_eq!(found, "authorization");
}

#[test]
fn heuristic_lifetime_counts_the_age_on_arrival() {
    let lookup = lookup(&json!({ "heuristic_freshness": true }), "GET");
    let answer = head("200 | last-modified: $-1000 | age: 30");
    let ResponseDecision::Store(entry) =
        decide_response(&exchange(&lookup, None, false), Ok(&answer))
    else {
        panic!("not stored");
    };
    assert_eq!((entry.terms.lifetime, entry.initial_age), (100, 30));
    assert_eq!(entry.age((NOW + 60) * 1000), 90);
    // It may be served stale to clients that accept it (§4.2.4).
    assert!(entry.terms.stale_allowed);
    assert_eq!(
        entry.fields.get("last-modified"),
        Some(date::print(NOW - 1000).as_str())
    );
}

#[test]
fn must_understand_requires_a_known_status() {
    // RFC 9111 §5.2.2.3; the statuses of RFC 9110 §15.
    for status in (200..600).filter(|status| !matches!(status, 206 | 304)) {
        let answer = |control: &str| format!("{status} | cache-control: {control}, max-age=60");
        let expected = if is_understood(status) {
            reason_not_to_share(status).unwrap_or("stored 60")
        } else {
            "not-understood"
        };
        check(&answer("must-understand"), expected);
        check(&answer("must-understand, no-store"), expected);
        check(&answer("no-store, Must-Understand"), expected);
        check(&answer("no-store"), "no-store");
    }
    let both = "cache-control: must-understand, no-store, max-age=60";
    check(&format!("200 | {both}, private"), "private");
    check(&format!("200 | {both} | set-cookie: a=1"), "set-cookie");
    check(&format!("200 | {both} | vary: *"), "vary");
    check(
        "200 | cache-control: must-understand, no-store",
        "no-freshness",
    );
    check("200 | cache-control: must-understand", "no-freshness");
    check(
        "200 | cache-control: no-store | cache-control: must-understand, max-age=60",
        "stored 60",
    );
    check(
        "200 | cdn-cache-control: must-understand, no-store, max-age=60",
        "stored 60",
    );
    check(
        "599 | cdn-cache-control: must-understand, max-age=60",
        "not-understood",
    );
    // A field without effect is ignored.
    check(
        "200 | cache-control: must-understand | cdn-cache-control: no-store",
        "no-store",
    );
    check(
        "599 | cache-control: must-understand | cdn-cache-control: max-age=60",
        "stored 60",
    );
}

#[test]
fn statuses_of_rfc_9110_are_understood() {
    #[track_caller]
    fn check(statuses: impl IntoIterator<Item = u16>, expected: bool) {
        for status in statuses {
            assert_eq!(is_understood(status), expected, "{status}");
        }
    }
    check(200..=206, true);
    check(300..=305, true);
    check([307, 308], true);
    check(400..=417, true);
    check([421, 422, 426], true);
    check(500..=505, true);
    // 306 and 418 are unused (§15.4.7, §15.5.19); the others are of other RFCs,
    // or undefined.
    check([100, 101, 103, 199, 207, 208, 226, 250, 299], false);
    check([306, 309, 310, 399], false);
    check(
        [418, 419, 420, 423, 424, 425, 427, 428, 429, 431, 451, 499],
        false,
    );
    check([506, 507, 508, 510, 511, 599, 0, 600, 999, u16::MAX], false);
}

#[test]
fn request_no_store_prevents_storing_if_enabled() {
    // RFC 9111 §5.2.1.5.
    let enabled = json!({ "request_directives": true });
    let answer = "200 | cache-control: max-age=60, public";
    for request in [
        "GET | Cache-Control: no-store",
        "GET | Cache-Control: max-age=1, No-Store",
    ] {
        assert_eq!(outcome(&enabled, request, answer), "request-no-store");
        assert_eq!(outcome(&json!({}), request, answer), "stored 60");
    }
    for request in [
        "GET",
        "GET | Cache-Control: no-cache",
        "GET | Pragma: no-cache",
    ] {
        assert_eq!(outcome(&enabled, request, answer), "stored 60", "{request}");
    }
}
