//! Tests of errors without a stated lifetime: how long they are stored, and
//! which are not.

use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use serde_json::{Value, json};
use testkit::given::{exchange, head, lookup};

/// Lifetime and windows of the stored entry, or the reason why it is not
/// stored.
#[track_caller]
fn check(defaults: &Value, request: &str, answer: &str, expected: &str) {
    let lookup = lookup(defaults, request);
    let found = match decide_response(&exchange(&lookup, None, false), Ok(&head(answer))) {
        ResponseDecision::Store(entry) => {
            let terms = entry.terms;
            let windows = terms.stale_while_revalidate + terms.stale_if_error;
            format!("{} {windows} {}", terms.lifetime, terms.stale_allowed)
        }
        ResponseDecision::Forward(reason) => reason.word().to_owned(),
        other => panic!("{answer}: {other:?}"),
    };
    assert_eq!(found, expected, "{defaults} {request} {answer}");
}

const SHORT: &str = "10 0 false";

#[test]
fn not_found_and_gone_are_stored_for_ten_seconds() {
    let none = json!({});
    let check = |answer: &str, expected: &str| check(&none, "GET", answer, expected);
    check("404", SHORT);
    check("410", SHORT);
    for status in [400, 401, 403, 405, 408, 409, 414, 429, 451, 500, 501, 503] {
        check(&status.to_string(), "no-freshness");
    }
    for status in [200, 203, 204, 300, 301, 302, 308] {
        check(&status.to_string(), "no-freshness");
    }
    // Without a stated lifetime.
    check("404 | etag: \"a\" | last-modified: $-1000", SHORT);
    check("404 | cache-control: public", SHORT);
    check("404 | cache-control: must-revalidate", SHORT);
    check("404 | cache-control: stale-if-error=60, foo", SHORT);
    check("404 | cdn-cache-control: public", SHORT);
    check("404 | cdn-cache-control: public | expires: 0", SHORT);
    check("404 | pragma: no-cache", SHORT);
    // With a stated lifetime.
    check("404 | cache-control: max-age=60", "60 86400 true");
    check("404 | cache-control: s-maxage=5", "5 0 false");
    check("404 | cache-control: max-age=0 | etag: \"a\"", "0 0 true");
    check("404 | expires: $+5", "5 86400 true");
    check("404 | expires: 0 | etag: \"a\"", "0 0 true");
    check("404 | cdn-cache-control: max-age=7", "7 86400 true");
    check("404 | cache-control: no-cache", "expired");
    check("404 | cache-control: no-cache | etag: \"a\"", "0 0 false");
    // Personal, or not to be stored at all.
    check("404 | cache-control: no-store", "no-store");
    check("404 | cache-control: private", "private");
    check("404 | set-cookie: a=1", "set-cookie");
    check("404 | vary: *", "vary");
    // Too old on arrival.
    check("404 | age: 10", "expired");
    check("404 | age: 9", SHORT);
}

#[test]
fn error_is_not_stored_for_credentials_head_or_no_store() {
    let none = json!({});
    check(
        &none,
        "GET | Authorization: Basic x",
        "404",
        "authorization",
    );
    let public = "404 | cache-control: public";
    check(&none, "GET | Authorization: Basic x", public, "credentials");
    check(&none, "HEAD", "404", "head");
    let enabled = json!({ "request_directives": true });
    let no_store = "GET | Cache-Control: no-store";
    check(&enabled, no_store, "404", "request-no-store");
}

#[test]
fn negative_ttl_sets_lifetimes_by_status() {
    let with_ttl = |table: Value| json!({ "negative_ttl": table });
    let check = |defaults: &Value, answer: &str, expected: &str| {
        check(defaults, "GET", answer, expected);
    };
    check(&with_ttl(json!({})), "404", "no-freshness");
    check(&with_ttl(json!({ "404": 0 })), "404", "no-freshness");
    let several = with_ttl(json!({ "403": 30, "500": 1, "599": 2 }));
    check(&several, "403", "30 0 false");
    check(&several, "500", "1 0 false");
    check(&several, "599", "2 0 false");
    check(&several, "404", "no-freshness");
    // A year at most, like any lifetime.
    check(
        &with_ttl(json!({ "404": 315_360_000 })),
        "404",
        "31536000 0 false",
    );
    // Other rules do not extend it.
    for (field, value) in [
        ("edge_ttl", json!(600)),
        ("stale_if_error", json!(60)),
        ("stale_while_revalidate", json!(60)),
        ("heuristic_freshness", json!(true)),
    ] {
        check(
            &json!({ field: value }),
            "404 | last-modified: $-90000",
            SHORT,
        );
    }
    // Without it, the heuristic lifetime remains.
    let heuristic = json!({ "heuristic_freshness": true, "negative_ttl": {} });
    check(&heuristic, "404 | last-modified: $-1000", "100 86400 true");
}

/// The statuses of request errors, in a list that is independent of the code.
const REQUEST_ERRORS: [u16; 18] = [
    400, 405, 406, 408, 411, 412, 413, 414, 415, 416, 417, 421, 422, 425, 426, 428, 429, 431,
];

#[test]
fn request_error_is_stored_only_by_negative_ttl() {
    for status in REQUEST_ERRORS {
        for (answer, expected) in [
            ("cache-control: max-age=60", "request-error"),
            ("cache-control: public, s-maxage=60", "request-error"),
            ("cdn-cache-control: max-age=60", "request-error"),
            ("expires: $+60", "request-error"),
            ("cache-control: no-cache | etag: \"a\"", "no-freshness"),
            ("x-none: 1", "no-freshness"),
        ] {
            let answer = format!("{status} | {answer}");
            for defaults in [
                json!({}),
                json!({ "edge_ttl": 60, "heuristic_freshness": true }),
                json!({ "negative_ttl": { "404": 10, "403": 10 } }),
                json!({ "negative_ttl": { status.to_string(): 0 } }),
            ] {
                check(&defaults, "GET", &answer, expected);
            }
        }
        // By the rule: for at most its time, and without stale windows.
        let named = json!({ "negative_ttl": { status.to_string(): 30 }, "stale_if_error": 60 });
        for (answer, expected) in [
            ("x-none: 1", "30 0 false"),
            ("cache-control: max-age=60", "30 0 false"),
            ("cache-control: max-age=5, stale-if-error=9", "5 0 false"),
            ("cache-control: no-store", "no-store"),
            ("cache-control: no-cache", "expired"),
        ] {
            check(&named, "GET", &format!("{status} | {answer}"), expected);
        }
    }
    // Adjacent statuses concern the page.
    for status in [
        402, 403, 404, 409, 410, 418, 423, 424, 427, 430, 451, 500, 501, 503,
    ] {
        let answer = format!("{status} | cache-control: max-age=60");
        check(&json!({}), "GET", &answer, "60 86400 true");
    }
}

#[test]
fn error_about_credentials_is_never_stored() {
    let lifetimes = [
        "cache-control: public, max-age=60",
        "cache-control: s-maxage=60",
    ];
    for answer in lifetimes {
        for (request, statuses) in [
            ("GET", &[401, 407][..]),
            (
                "GET | Authorization: Digest junk",
                &[
                    401, 403, 404, 407, 410, 418, 423, 451, 500, 501, 502, 503, 599,
                ][..],
            ),
        ] {
            for status in statuses {
                let named = json!({ "negative_ttl": { status.to_string(): 30 } });
                for defaults in [json!({}), json!({ "edge_ttl": 60 }), named] {
                    let answer = format!("{status} | {answer}");
                    check(&defaults, request, &answer, "credentials");
                }
            }
        }
        // Responses that are not errors are stored.
        let request = "GET | Authorization: Digest junk";
        let windows = if answer.contains("public") { 86_400 } else { 0 };
        let expected = format!("60 {windows} {}", answer.contains("public"));
        check(&json!({}), request, &format!("200 | {answer}"), &expected);
        check(&json!({}), request, &format!("301 | {answer}"), &expected);
    }
}

#[test]
fn rule_does_not_extend_response_to_credentials() {
    let extending = json!({
        "edge_ttl": 600, "heuristic_freshness": true, "stale_while_revalidate": 60,
        "stale_if_error": 60, "negative_ttl": { "500": 600 },
    });
    let request = "GET | Authorization: ApiKey k";
    let none = "0 0 false";
    for (answer, expected) in [
        (
            "200 | cache-control: max-age=0, must-revalidate | etag: \"a\"",
            none,
        ),
        ("200 | cache-control: s-maxage=0 | etag: \"a\"", none),
        (
            "200 | cache-control: s-maxage=0, stale-if-error=9 | etag: \"a\"",
            none,
        ),
        (
            "200 | cache-control: no-cache, must-revalidate | etag: \"a\"",
            none,
        ),
        (
            "200 | cdn-cache-control: must-revalidate, max-age=0 | etag: \"a\"",
            none,
        ),
        (
            "200 | cache-control: must-revalidate | expires: 0 | etag: \"a\"",
            none,
        ),
        ("200 | cache-control: max-age=0, must-revalidate", "expired"),
        (
            "200 | cache-control: must-revalidate | last-modified: $-90000",
            "no-freshness",
        ),
        ("500 | cache-control: must-revalidate", "credentials"),
        (
            "200 | cache-control: s-maxage=7, stale-while-revalidate=9",
            "7 0 false",
        ),
        (
            "200 | cache-control: max-age=7, must-revalidate",
            "7 0 false",
        ),
        // The origin declares it public.
        ("200 | cache-control: public, max-age=7", "600 120 true"),
    ] {
        check(&extending, request, answer, expected);
    }
    // The rule does extend such a response to a request without credentials.
    let anonymous = "200 | cache-control: max-age=0, must-revalidate | etag: \"a\"";
    check(&extending, "GET", anonymous, "600 0 false");
}
