//! Tests of updates of a stored head by a 304 or by the response to HEAD, field
//! by field. RFC 9111 §3.1 (connection fields), §3.2 (updating), §4.3.4 (by a
//! 304), §4.3.5 (by HEAD); RFC 9110 §8.8.3.2 (comparing tags).

use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::cache::purge::selector;
use edgekeep::http::url::Url;
use serde_json::json;
use testkit::given::{NOW, exchange, head, lookup, stored};

const ETAG: &str = "etag: \"a\"";

/// The entry after a revalidation.
#[track_caller]
fn refreshed(method: &str, old: &str, answer: &str) -> Entry {
    let old = stored(&format!("200 | cache-control: max-age=60 | {old}"));
    let lookup = lookup(&json!({}), method);
    match decide_response(&exchange(&lookup, Some(&old), true), Ok(&head(answer))) {
        ResponseDecision::Freshen {
            entry,
            may_store: true,
        } => *entry,
        other => panic!("{answer}: {other:?}"),
    }
}

/// One field of the stored head after a 304.
#[track_caller]
fn check(old: &str, new: &str, name: &str, expected: &[&str]) {
    let old = format!("{ETAG} | {old}");
    let entry = refreshed("GET", &old, &format!("304 | {new}"));
    let found: Vec<&str> = entry.fields.all(name).collect();
    assert_eq!(found, expected, "{old}, then {new}");
}

#[test]
fn fields_of_a_304_replace_stored_fields() {
    // RFC 9111 §3.2.
    check("x-a: 1", "x-a: 2", "x-a", &["2"]);
    check("x-a: 1", "X-A: 2", "x-a", &["2"]);
    check("x-a: 1", "x-b: 2", "x-a", &["1"]);
    check("x-a: 1", "x-b: 2", "x-b", &["2"]);
    check("x-a: 1", "x-a:", "x-a", &[""]);
    check("x-a: 1 | x-a: 2", "x-a: 3", "x-a", &["3"]);
    check("x-a: 1", "x-a: 2 | x-a: 3", "x-a", &["2", "3"]);
    for name in [
        "allow",
        "cache-groups",
        "content-disposition",
        "content-language",
        "content-location",
        "content-security-policy",
        "link",
        "server",
        "strict-transport-security",
        "x-frame-options",
        "access-control-allow-origin",
        "no-vary-search",
        "test-header",
    ] {
        check(&format!("{name}: \"1\""), "x-b: 1", name, &["\"1\""]);
        check(
            &format!("{name}: \"1\""),
            &format!("{name}: \"2\""),
            name,
            &["\"2\""],
        );
    }
    check("expires: $+60", "expires: 0", "expires", &["0"]);
    check(
        "x-a: 1",
        "cache-control: max-age=5",
        "cache-control",
        &["max-age=5"],
    );
    check("x-a: 1", "vary: accept", "vary", &["accept"]);
    let dated = "etag: \"a\" | last-modified: x";
    check("last-modified: y", dated, "last-modified", &["x"]);
}

#[test]
fn connection_fields_of_a_304_are_ignored() {
    // RFC 9111 §3.1 and §3.2.
    for name in [
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "age",
        "content-length",
    ] {
        check("x-a: 1", &format!("{name}: 2"), name, &[]);
    }
    check("x-a: 1", "connection: x-a | x-a: 2", "x-a", &["1"]);
    check("x-a: 1", "connection: close, X-B | x-b: 2", "x-b", &[]);
}

#[test]
fn fields_that_describe_the_stored_body_are_not_updated() {
    // RFC 9111 §3.2 lets a cache omit fields that describe the stored body.
    check(
        "content-encoding: br",
        "content-encoding: gzip",
        "content-encoding",
        &["br"],
    );
    check("x-a: 1", "content-encoding: gzip", "content-encoding", &[]);
    check("x-a: 1", "content-range: bytes 0-1/2", "content-range", &[]);
    let old = format!("{ETAG} | content-length: 5");
    let entry = refreshed("GET", &old, "304 | content-length: 9");
    assert_eq!(entry.length, Some(5));
    let entry = refreshed("GET", &old, "304 | content-length: 0");
    assert_eq!(entry.length, Some(5));
}

#[test]
fn content_type_and_etag_are_updated() {
    // RFC 9111 §3.2: a cache must add every other field. The exempt fields are
    // not simply those named Content-*, and the body is stored as it arrived.
    check(
        "content-type: a/b",
        "content-type: c/d",
        "content-type",
        &["c/d"],
    );
    check("x-a: 1", "content-type: c/d", "content-type", &["c/d"]);
    check("x-a: 1", "etag: W/\"a\"", "etag", &["W/\"a\""]);
}

#[test]
fn date_and_via_are_taken_from_the_304() {
    // RFC 9110 §6.6.1: if the 304 has no Date, its arrival time.
    check(
        "date: $-50",
        "x-b: 1",
        "date",
        &["Mon, 23 Nov 2026 09:00:00 GMT"],
    );
    let later = "date: Mon, 23 Nov 2026 08:59:00 GMT";
    check(
        "date: $-90",
        later,
        "date",
        &["Mon, 23 Nov 2026 08:59:00 GMT"],
    );
    // §7.6.3: each proxy adds itself once.
    check("x-a: 1", "x-b: 1", "via", &["1.1 edgekeep"]);
    check("x-a: 1", "via: 1.0 up", "via", &["1.0 up", "1.1 edgekeep"]);
    check(
        "via: 1.0 up",
        "via: 1.0 new",
        "via",
        &["1.0 new", "1.1 edgekeep"],
    );
}

#[test]
fn stored_via_is_kept_if_the_304_has_none() {
    // RFC 9111 §3.2: fields that the 304 omits stay unchanged.
    check("via: 1.0 up", "x-b: 1", "via", &["1.0 up", "1.1 edgekeep"]);
}

/// The selectors by which an entry can be purged, in any order.
fn marks(entry: &Entry) -> Vec<u64> {
    let mut marks = entry.marks.clone();
    marks.sort_unstable();
    marks
}

/// The expected marks for these tags and groups.
fn expected_marks(tags: &[&str], groups: &[&str]) -> Vec<u64> {
    let url = Url::parse("http://a.test/b").expect("a URL");
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let (tags, groups): (Vec<_>, Vec<_>) = (owned(tags), owned(groups));
    let mut marks = selector::marks(&url, &tags, &groups);
    marks.sort_unstable();
    marks
}

#[test]
fn bookkeeping_is_updated_by_the_304() {
    let old = format!("{ETAG} | age: 50 | date: $-50 | cache-groups: \"g\" | cache-tag: t");
    let plain = refreshed("GET", &old, "304");
    assert_eq!((plain.received_ms, plain.initial_age), (NOW * 1000, 0));
    assert_eq!((plain.terms.lifetime, plain.status), (60, 200));
    assert_eq!(plain.tags, ["t"]);
    assert_eq!(marks(&plain), expected_marks(&["t"], &["g"]));
    let aged = refreshed("GET", &old, "304 | age: 7 | date: $-3");
    assert_eq!(aged.initial_age, 7);
    let longer = refreshed("GET", &old, "304 | cache-control: max-age=600");
    assert_eq!(longer.terms.lifetime, 600);
    let other = refreshed("GET", &old, "304 | cache-groups: \"h\", \"i\"");
    assert_eq!(marks(&other), expected_marks(&["t"], &["h", "i"]));
    let none = refreshed("GET", &old, "304 | cache-groups:");
    assert_eq!(marks(&none), expected_marks(&["t"], &[]));
}

/// The decision, as a word.
fn decision(method: &str, old: &str, answer: &str) -> String {
    let old = stored(&format!("200 | cache-control: max-age=60 | {old}"));
    let lookup = lookup(&json!({ "request_directives": true }), method);
    match decide_response(&exchange(&lookup, Some(&old), true), Ok(&head(answer))) {
        ResponseDecision::Store(entry) => format!("store {}", entry.status),
        ResponseDecision::Freshen { may_store, .. } => format!("refresh {may_store}"),
        ResponseDecision::Forward(reason) => format!("forward {}", reason.word()),
        ResponseDecision::RepeatUnconditionally => "again".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn tags_added_by_304s_are_limited() {
    let tags = |count: usize, digits: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("{n:0digits$}")).collect();
        format!("{ETAG} | cache-tag: {}", tags.join(","))
    };
    #[track_caller]
    fn check(old: &str, answer: &str, expected: &str) {
        assert_eq!(decision("GET", old, answer), expected);
    }
    check(&tags(3998, 4), "304 | cache-tag: a,b", "refresh true");
    check(&tags(3998, 4), "304 | cache-tag: 0001,a,b", "refresh true");
    check(&tags(3998, 4), "304 | cache-tag: a,b,c", "refresh false");
    // Nor beyond the limit of an entry's text.
    check(&tags(70, 1000), "304 | cache-tag: a", "refresh true");
    let long = "a".repeat(1000);
    let more = format!("304 | cache-tag: {long}1,{long}2,{long}3");
    check(&tags(70, 1000), &more, "refresh false");
}

#[test]
fn a_304_refreshes_an_entry_with_its_validator() {
    #[track_caller]
    fn check(old: &str, answer: &str, expected: &str) {
        assert_eq!(
            decision("GET", old, answer),
            expected,
            "{old}, then {answer}"
        );
    }
    // RFC 9111 §4.3.4.
    check(ETAG, "304", "refresh true");
    check(ETAG, "304 | etag: \"a\"", "refresh true");
    check(ETAG, "304 | etag:  \"a\" ", "refresh true");
    check(ETAG, "304 | etag: W/\"a\"", "refresh true");
    check("etag: W/\"a\"", "304 | etag: W/\"a\"", "refresh true");
    check(ETAG, "304 | etag: \"b\"", "again");
    check(ETAG, "304 | etag: \"A\"", "again");
    check(ETAG, "304 | etag: W/\"b\"", "again");
    check(ETAG, "304 | etag: a", "again");
    check("x-a: 1", "304 | etag: \"a\"", "again");
    check("last-modified: $-5", "304", "refresh true");
    check(
        "last-modified: $-5",
        "304 | last-modified: $-5",
        "refresh true",
    );
    check("last-modified: $-5", "304 | last-modified: $-4", "again");
    check(
        "last-modified: $-5",
        "304 | etag: \"a\" | last-modified: $-5",
        "again",
    );
    let both = format!("{ETAG} | last-modified: $-5");
    check(&both, "304 | last-modified: $-5", "refresh true");
    check(&both, "304 | last-modified: $-4", "again");
    check(
        &both,
        "304 | etag: \"a\" | last-modified: $-4",
        "refresh true",
    );
    check(&both, "304 | etag: \"b\" | last-modified: $-5", "again");
    // A full response replaces the stored one, whatever its validators.
    check(
        ETAG,
        "200 | cache-control: max-age=5 | etag: \"a\"",
        "store 200",
    );
    check(ETAG, "200 | cache-control: no-store", "forward no-store");
    check(ETAG, "304 | cache-control: no-store", "refresh false");
    check(ETAG, "304 | cache-control: private", "refresh false");
    check(ETAG, "304 | vary: *", "refresh false");
    check(ETAG, "304 | set-cookie: a=1", "refresh false");
    let forbids = "GET | Cache-Control: no-store";
    assert_eq!(decision(forbids, ETAG, "304"), "refresh false");
}

#[test]
fn head_response_refreshes_entry_with_equal_validator_and_length() {
    #[track_caller]
    fn check(old: &str, answer: &str, expected: &str) {
        assert_eq!(
            decision("HEAD", old, answer),
            expected,
            "{old}, then {answer}"
        );
    }
    let old = format!("{ETAG} | content-length: 5");
    // RFC 9111 §4.3.5: the validators match, and the length if present.
    check(&old, "200 | etag: \"a\"", "refresh true");
    check(
        &old,
        "200 | etag: \"a\" | content-length: 5",
        "refresh true",
    );
    check(
        &old,
        "200 | etag: \"a\" | content-length: 6",
        "forward head",
    );
    check(
        &old,
        "200 | etag: \"a\" | content-length: 0",
        "forward head",
    );
    check(
        &old,
        "200 | etag: \"b\" | content-length: 5",
        "forward head",
    );
    check(&old, "200 | etag: \"b\"", "forward head");
    check(&old, "404 | etag: \"a\"", "forward head");
    check(&old, "204 | etag: \"a\"", "forward head");
    check(
        "last-modified: $-5",
        "200 | last-modified: $-5",
        "refresh true",
    );
    check(
        "last-modified: $-5",
        "200 | last-modified: $-4",
        "forward head",
    );
    check(
        "last-modified: $-5",
        "200 | last-modified: $-5 | etag: \"a\"",
        "forward head",
    );
    // Nothing shows that the body is the same.
    check("x-a: 1", "200", "forward head");
    check(
        &old,
        "200 | etag: \"a\" | cache-control: no-store",
        "refresh false",
    );
    check(
        &old,
        "200 | etag: \"a\" | cache-control: private",
        "refresh false",
    );
    // It never creates an entry.
    check(&old, "200 | cache-control: max-age=60", "forward head");
    let entry = refreshed(
        "HEAD",
        &old,
        "200 | etag: \"a\" | x-a: 1 | cache-control: max-age=9",
    );
    assert_eq!((entry.length, entry.terms.lifetime), (Some(5), 9));
    assert_eq!(
        (entry.fields.get("x-a"), entry.received_ms),
        (Some("1"), NOW * 1000)
    );
}
