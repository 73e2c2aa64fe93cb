//! Tests of storability of an origin's response: whether it is stored, the
//! reason if not, and the entry that is stored.

use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use serde_json::{Value, json};
use testkit::given::{NOW, exchange, head, lookup};

/// The outcome for a response without a stored one: `stored`, or the reason why
/// not.
fn outcome(defaults: &Value, request: &str, answer: &str) -> &'static str {
    let lookup = lookup(defaults, request);
    match decide_response(&exchange(&lookup, None, false), Ok(&head(answer))) {
        ResponseDecision::Store(_) => "stored",
        ResponseDecision::Forward(reason) => reason.word(),
        other => panic!("{answer}: {other:?}"),
    }
}

#[test]
fn status_and_fields_decide_storability() {
    #[track_caller]
    fn check(answer: &str, expected: &str) {
        assert_eq!(outcome(&json!({}), "GET", answer), expected, "{answer}");
    }
    check("200 | cache-control: max-age=60", "stored");
    check("200 | cache-control: s-maxage=60", "stored");
    check("200 | expires: $+60", "stored");
    check("200 | cdn-cache-control: max-age=60", "stored");
    for status in [203, 204, 300, 301, 302, 307, 308, 403, 404, 410, 500, 503] {
        check(&format!("{status} | cache-control: max-age=60"), "stored");
        let short = matches!(status, 404 | 410);
        let expected = if short { "stored" } else { "no-freshness" };
        check(&format!("{status}"), expected);
    }
    check("200 | etag: \"a\" | last-modified: $-9999", "no-freshness");
    check("200 | cache-control: public", "no-freshness");
    check("200 | pragma: no-cache", "no-freshness");
    check("200 | cache-control: max-age=60, no-store", "no-store");
    check(
        "200 | cache-control: max-age=60 | cache-control: No-Store",
        "no-store",
    );
    check("200 | cache-control: max-age=60, private", "private");
    check("200 | cache-control: max-age=60, private=\"x-a\"", "stored");
    check("200 | cache-control: no-store, private", "no-store");
    check(
        "200 | cache-control: public, max-age=60 | set-cookie: a=1",
        "set-cookie",
    );
    check(
        "200 | cache-control: no-store | cdn-cache-control: max-age=60",
        "stored",
    );
    check(
        "200 | cache-control: max-age=60 | cdn-cache-control: private",
        "private",
    );
    check("206 | cache-control: max-age=60", "status");
    check("304 | cache-control: max-age=60", "status");
    check("200 | cache-control: max-age=60 | vary: *", "vary");
    check("200 | cache-control: max-age=60 | vary: accept, *", "vary");
    check(
        "200 | cache-control: max-age=60 | vary: user-agent",
        "stored",
    );
    check(
        "200 | cache-control: max-age=60, stale-if-error=0 | age: 60",
        "expired",
    );
    check(
        "200 | cache-control: max-age=60, stale-if-error=0 | age: 59",
        "stored",
    );
    check(
        "200 | cache-control: max-age=60, must-revalidate | age: 61",
        "expired",
    );
    check("200 | cache-control: max-age=60 | age: 61", "stored");
    check("200 | cache-control: s-maxage=0", "expired");
    check("200 | cache-control: no-cache", "expired");
    check("200 | cache-control: no-cache | etag: \"a\"", "stored");
    check(
        "200 | cache-control: no-cache | last-modified: $-5",
        "stored",
    );
    check("200 | expires: $-100000 | date: $-1000000", "expired");
    let tags = |n: usize| {
        (0..n)
            .map(|i| format!("t{i}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    check(
        &format!(
            "200 | cache-control: max-age=60 | cache-tag: {}",
            tags(4000)
        ),
        "stored",
    );
    check(
        &format!(
            "200 | cache-control: max-age=60 | cache-tag: {}",
            tags(4001)
        ),
        "too-many-tags",
    );
    let long = "a".repeat(33_000);
    check(
        &format!("200 | cache-control: max-age=60 | x-a: {long}"),
        "large-head",
    );
    check(
        &format!("200 | cache-control: max-age=60 | x-a: {}", &long[..30_000]),
        "stored",
    );
}

#[test]
fn entry_has_the_tags_of_its_response_fields() {
    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let lookup = lookup(&json!({}), "GET");
        let answer = head(&format!("200 | cache-control: max-age=60 | {fields}"));
        let ResponseDecision::Store(entry) =
            decide_response(&exchange(&lookup, None, false), Ok(&answer))
        else {
            panic!("{fields} is not stored");
        };
        assert_eq!(entry.tags, expected, "{fields}");
    }
    check("cache-tag: b,a, b", &["a", "b"]);
    check("surrogate-key: a b | xkey: c", &["a", "b", "c"]);
    // Reserved tags are dropped.
    check("cache-tag: edgekeep-0123456789abcdef,a", &["a"]);
    check("surrogate-key: EDGEKEEP-x a edgekeep-", &["a"]);
    check("xkey: edgekeep edgekeeper", &["edgekeep", "edgekeeper"]);
}

#[test]
fn interim_response_is_not_stored() {
    // RFC 9111 §3: the status code is final.
    for status in [100, 101, 103, 199] {
        let answer = format!("{status} | cache-control: max-age=60");
        assert_eq!(outcome(&json!({}), "GET", &answer), "status", "{status}");
    }
}

#[test]
fn no_cache_alone_does_not_make_a_response_storable() {
    // RFC 9111 §3: explicitly fresh, public, or of a status that is
    // heuristically cacheable (RFC 9110 §15.1).
    for status in [302, 303, 307, 403, 500, 503] {
        let answer = format!("{status} | etag: \"a\" | cache-control: no-cache");
        assert_eq!(
            outcome(&json!({}), "GET", &answer),
            "no-freshness",
            "{status}"
        );
        for more in ["public", "max-age=60", "s-maxage=60"] {
            let answer = format!("{answer}, {more}");
            assert_eq!(outcome(&json!({}), "GET", &answer), "stored", "{answer}");
        }
    }
    for status in [200, 203, 204, 300, 301, 308, 404, 410, 501] {
        let answer = format!("{status} | etag: \"a\" | cache-control: no-cache");
        assert_eq!(outcome(&json!({}), "GET", &answer), "stored", "{status}");
    }
}

#[test]
fn method_and_authorization_affect_storability() {
    #[track_caller]
    fn check(request: &str, answer: &str, expected: &str) {
        let answer = format!("200 | cache-control: {answer}");
        assert_eq!(
            outcome(&json!({}), request, &answer),
            expected,
            "{request} {answer}"
        );
    }
    check("HEAD", "max-age=60", "head");
    // RFC 9111 §3.5.
    let authorized = "GET | Authorization: Basic x";
    check(authorized, "max-age=60", "authorization");
    check(authorized, "max-age=60, public", "stored");
    check(authorized, "max-age=60, must-revalidate", "stored");
    check(authorized, "s-maxage=60", "stored");
    check(authorized, "max-age=60, proxy-revalidate", "authorization");
    check(authorized, "max-age=60, public, private", "private");
    check(
        authorized,
        "public | cdn-cache-control: max-age=60",
        "authorization",
    );
    check(
        authorized,
        "max-age=60 | cdn-cache-control: max-age=60, public",
        "stored",
    );
    // A rule's TTL does not allow storing responses to `Authorization`.
    let ttl = json!({ "edge_ttl": 60 });
    assert_eq!(outcome(&ttl, authorized, "200"), "authorization");
    assert_eq!(outcome(&ttl, "GET", "200"), "stored");
    assert_eq!(
        outcome(&ttl, "GET", "200 | cache-control: private"),
        "private"
    );
    assert_eq!(outcome(&ttl, "GET", "200 | set-cookie: a=1"), "set-cookie");
}

#[test]
fn entry_records_its_request_and_response() {
    let lookup = lookup(
        &json!({ "tags": ["rule", "b"] }),
        "GET | Accept-Language: DE",
    );
    let answer = head(
        "200 | Cache-Control: public, max-age=60 | Vary: Accept-Language, X-None | ETag: \"a\" | Age: 5 \
         | Cache-Tag: c, b,,d e | Surrogate-Key: s1  s2 | xkey: x | Content-Length: 11 | Connection: x-h \
         | X-H: 1 | Keep-Alive: 2 | Content-Type: text/plain",
    );
    let ResponseDecision::Store(entry) =
        decide_response(&exchange(&lookup, None, false), Ok(&answer))
    else {
        panic!("not stored");
    };
    assert_eq!(entry.key, "http://a.test/b");
    assert_eq!(
        (entry.seen, entry.received_ms, entry.initial_age),
        (7, NOW * 1000, 5)
    );
    assert_eq!(
        (entry.status, entry.length, entry.for_authorized),
        (200, Some(11), true)
    );
    assert_eq!(entry.tags, ["b", "c", "rule", "s1", "s2", "x"]);
    let choice = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    assert_eq!(
        entry.choices,
        [
            choice("accept-language", Some("DE")),
            choice("x-none", None)
        ]
    );
    let expected = head(
        "200 | Cache-Control: public, max-age=60 | Vary: Accept-Language, X-None | ETag: \"a\" \
         | Content-Type: text/plain | Via: 1.1 edgekeep | Date: $+0",
    );
    assert_eq!(entry.fields, expected.fields);
    // Lifetime and a day for the validator, minus the age on arrival.
    assert_eq!(entry.retention_seconds(), 60 + 86_400 - 5);
}
