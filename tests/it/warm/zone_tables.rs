//! Tests of the zone's own purge API: the calls that orders cause, the tags
//! that entries are stored with, the rate limit, and the meaning of responses.

use edgekeep::cache::config::limits::Pace;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::purge::selector::{self, Selector, mark_of};
use edgekeep::cache::purge::zone_purge::{
    Bucket, NAMES_MAX, ZoneCall, ZoneOutcome, ZoneResponse, cache_tags, calls, outcome,
};
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;
use serde_json::{Value, json};

/// Edgekeep's own tag that stands for a selector.
fn own_tag(name: &str) -> String {
    format!("edgekeep-{:016x}", mark_of(name))
}

fn names(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn bodies(hard: &[&str]) -> Vec<Value> {
    let read = |call: &ZoneCall| serde_json::from_str(&call.body()).expect("JSON");
    calls(&names(hard)).iter().map(read).collect()
}

#[track_caller]
fn check(hard: &[&str], expected: &[Value]) {
    assert_eq!(bodies(hard), expected, "{hard:?}");
}

/// The tags that an entry is stored with.
fn stored_tags(entry: &Entry) -> String {
    cache_tags(&entry.marks, &entry.tags)
}

#[test]
fn selectors_of_an_order_become_zone_calls() {
    check(&[], &[]);
    check(&["tag:front"], &[json!({ "tags": ["front"] })]);
    check(&["tag:a:b"], &[json!({ "tags": ["a:b"] })]);
    // By a tag of Edgekeep's own: the zone's purge by URL does not match
    // entries in the Cache API, and its purge by prefix may match /blogger for
    // /blog.
    for name in [
        "url:a.test/b?c",
        "path:a.test/b",
        "prefix:a.test/blog",
        "host:a.test",
        "group:https://a.test g",
    ] {
        check(&[name], &[json!({ "tags": [own_tag(name)] })]);
    }
    check(
        &["url:a.test/", "tag:x", "host:a.test", "tag:x"],
        &[json!({ "tags": [own_tag("url:a.test/"), "x", own_tag("host:a.test")] })],
    );
    let everything = json!({ "purge_everything": true });
    check(&["everything"], std::slice::from_ref(&everything));
    check(&["tag:x", "everything", "tag:y"], &[everything]);
}

#[test]
fn a_call_has_at_most_a_hundred_names() {
    assert_eq!(NAMES_MAX, 100);
    for (count, expected) in [(99, 1), (100, 1), (101, 2), (1000, 10), (1001, 11)] {
        let hard: Vec<String> = (0..count).map(|n| format!("tag:t{n}")).collect();
        let calls = calls(&hard);
        assert_eq!(calls.len(), expected, "{count}");
        let sizes = calls.iter().map(|call| match call {
            ZoneCall::Tags(tags) => tags.len(),
            ZoneCall::Everything => 0,
        });
        assert!(sizes.clone().all(|size| (1..=100).contains(&size)));
        assert_eq!(sizes.sum::<usize>(), count);
    }
}

#[test]
fn call_is_read_back_from_its_body() {
    for hard in [vec!["tag:x", "url:a.test/"], vec!["everything"]] {
        for call in calls(&names(&hard)) {
            assert_eq!(ZoneCall::read(&call.body()), Some(call));
        }
    }
    for text in [
        "",
        "{}",
        "[]",
        "{\"tags\":[1]}",
        "{\"tags\":[]}",
        "{\"purge_everything\":1}",
        "{\"purge_everything\":false}",
        "{\"purge_everything\":true,\"tags\":[\"a\"]}",
        "{\"tags\":[\"a\"],\"tags\":[\"b\"]}",
        "{\"tags\":[\"a\"],\"hosts\":[\"b\"]}",
        "{\"tags\":[\"a\"]} x",
        "[[\"a\"],false]",
        "[[],true]",
    ] {
        assert_eq!(ZoneCall::read(text), None, "{text}");
    }
}

#[test]
fn origin_tag_that_imitates_an_own_tag_is_not_stored() {
    // The tag that stands for the victim's URL. An origin of another host, or a
    // rule of an earlier version, may use it as a tag of its own.
    let [ZoneCall::Tags(of_victim)] = &calls(&names(&["url:victim.test/account"]))[..] else {
        panic!("not one call by tags");
    };
    let upper_case = of_victim[0].to_ascii_uppercase();
    let tags = names(&[&of_victim[0], &upper_case, "edgekeeper", "news"]);
    let stored = stored_tags(&entry("https://a.test/", &tags, &[]));
    let stored: Vec<&str> = stored.split(',').collect();
    assert!(
        stored
            .iter()
            .all(|tag| !of_victim[0].eq_ignore_ascii_case(tag))
    );
    assert!(stored.contains(&"edgekeeper") && stored.contains(&"news"));
}

#[test]
fn small_calls_are_joined() {
    let tags = |range: std::ops::Range<u32>| ZoneCall::Tags(range.map(|n| n.to_string()).collect());
    #[track_caller]
    fn check(one: &ZoneCall, other: &ZoneCall, expected: Option<ZoneCall>) {
        let mut joined = one.clone();
        let is_joined = joined.merge(other);
        assert_eq!(is_joined, expected.is_some(), "{one:?} {other:?}");
        assert_eq!(joined, expected.unwrap_or_else(|| one.clone()));
    }
    check(&tags(0..2), &tags(2..5), Some(tags(0..5)));
    check(&tags(0..3), &tags(1..4), Some(tags(0..4)));
    check(&tags(0..50), &tags(50..100), Some(tags(0..100)));
    check(&tags(0..50), &tags(50..101), None);
    check(&tags(0..100), &tags(7..9), Some(tags(0..100)));
    // Everything covers the other calls.
    check(
        &ZoneCall::Everything,
        &tags(0..100),
        Some(ZoneCall::Everything),
    );
    check(
        &ZoneCall::Everything,
        &ZoneCall::Everything,
        Some(ZoneCall::Everything),
    );
    check(
        &tags(0..1),
        &ZoneCall::Everything,
        Some(ZoneCall::Everything),
    );
}

fn entry(url: &str, tags: &[String], groups: &[String]) -> Entry {
    Entry {
        key: url.to_owned(),
        seen: 1,
        received_ms: 1,
        initial_age: 0,
        cost_ms: 0,
        terms: Terms::default(),
        for_authorized: false,
        by_credentials: false,
        status: 200,
        length: None,
        tags: tags.to_vec(),
        marks: selector::marks(&Url::parse(url).expect(url), tags, groups),
        choices: Vec::new(),
        fields: Fields::new(),
    }
}

#[test]
fn entry_is_stored_with_the_tags_that_orders_name() {
    let tags = names(&["front", "Article:7"]);
    let entry = entry("https://a.test/b/c?d=1", &tags, &names(&["g"]));
    let stored = stored_tags(&entry);
    let stored: Vec<&str> = stored.split(',').collect();
    #[track_caller]
    fn check(stored: &[&str], name: &str, expected: bool) {
        let [ZoneCall::Tags(named)] = &calls(&names(&[name]))[..] else {
            panic!("{name} is not one call by tags");
        };
        let found = stored.contains(&named[0].as_str());
        assert_eq!(found, expected, "{name}: {stored:?}");
    }
    for name in [
        "tag:front",
        "tag:Article:7",
        "url:a.test/b/c?d=1",
        "path:a.test/b/c",
        "host:a.test",
        "prefix:a.test",
        "prefix:a.test/b",
        "prefix:a.test/b/c",
        "group:https://a.test g",
    ] {
        check(&stored, name, true);
    }
    for name in [
        "tag:fron",
        "url:a.test/b/c",
        "url:a.test/b/c?d=2",
        "host:b.test",
        "prefix:a.test/b/c/d",
        "prefix:a.test/c",
        "group:http://a.test g",
    ] {
        check(&stored, name, false);
    }
    // Each tag appears once, in the origin's spelling.
    assert_eq!(stored.len(), 2 + 3 + 3 + 1, "{stored:?}");
}

#[test]
fn tag_added_later_does_not_become_an_own_tag() {
    let mut entry = entry("https://a.test/", &[], &[]);
    let before = stored_tags(&entry);
    entry.add_tags(&names(&["late"]));
    assert_eq!(stored_tags(&entry), format!("{before},late"));
}

#[test]
fn cache_tag_field_stays_within_16_kilobytes() {
    // The most selectors that an entry can have.
    let path = "/s".repeat(200);
    let tags: Vec<String> = (0..1000).map(|n| format!("{n:0>100}")).collect();
    let groups: Vec<String> = (0..64).map(|n| format!("g{n}")).collect();
    let url = format!("https://a.test{path}?q");
    let entry = entry(&url, &tags, &groups);
    let stored = stored_tags(&entry);
    assert!(stored.len() <= 16 * 1024, "{}", stored.len());
    assert!(stored.len() > 16 * 1024 - 102, "{}", stored.len());
    let stored: Vec<&str> = stored.split(',').collect();
    // The limit holds for any length of the tags.
    for bytes in [1, 3, 9, 100, 255, 1024] {
        let tags: Vec<String> = (0..1000).map(|n| format!("{n:0>bytes$}")).collect();
        let length = stored_tags(&self::entry(&url, &tags, &groups)).len();
        assert!(length <= 16 * 1024, "{length}, tags of {bytes}");
    }
    // Edgekeep's own tags come first; then as many tags as fit.
    for name in [
        Selector::Url(format!("a.test{path}?q")),
        Selector::Host("a.test".to_owned()),
        Selector::Group {
            origin: "https://a.test".to_owned(),
            group: "g63".to_owned(),
        },
    ] {
        assert!(
            stored.contains(&own_tag(&name.to_string()).as_str()),
            "{name}"
        );
    }
    assert!(stored.contains(&tags[0].as_str()) && !stored.contains(&tags[999].as_str()));
}

const FREE: Pace = Pace {
    requests_per_minute: 5,
    bucket: 25,
};

#[test]
fn full_bucket_allows_a_burst_and_refills() {
    let now = 1_000_000;
    let mut bucket = Bucket::default();
    for call in 1..=24 {
        bucket = FREE.after_call(bucket, now);
        assert!(bucket.open_ms <= now, "call {call}: {bucket:?}");
    }
    bucket = FREE.after_call(bucket, now);
    assert_eq!(bucket.open_ms, now + 12_000);
    bucket = FREE.after_call(bucket, now + 12_000);
    assert_eq!(bucket.open_ms, now + 24_000);
    // Five minutes later it is full: 25 more.
    let later = bucket.full_ms;
    assert_eq!(later, now + 26 * 12_000);
    for _ in 1..=24 {
        bucket = FREE.after_call(bucket, later);
        assert!(bucket.open_ms <= later);
    }
    bucket = FREE.after_call(bucket, later);
    assert_eq!(bucket.open_ms, later + 12_000);
}

/// The documented bucket, simulated independently: in no case is a call sent
/// that it would refuse.
#[test]
fn calls_never_exceed_the_documented_bucket() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let pace = Pace {
            requests_per_minute: random.u64(1..=3000),
            bucket: random.u64(1..=500),
        };
        let mut now = random.u64(0..10_000_000);
        let (mut tokens, mut filled_ms) = (pace.bucket as f64, now);
        let mut bucket = Bucket::default();
        for _ in 0..2000 {
            now += random.u64(0..60_000 / pace.requests_per_minute * 2 + 2);
            let rate = pace.requests_per_minute as f64 / 60_000.0;
            tokens = (tokens + (now - filled_ms) as f64 * rate).min(pace.bucket as f64);
            filled_ms = now;
            if now >= bucket.open_ms {
                assert!(tokens > 0.999_999, "seed {seed}: {pace:?} {tokens}");
                tokens -= 1.0;
                bucket = pace.after_call(bucket, now);
            }
        }
    }
}

#[test]
fn a_refusal_empties_the_bucket() {
    let now = 5_000_000;
    let bucket = FREE.after_refusal(Default::default(), now, Some(90));
    assert_eq!(bucket.open_ms, now + 90_000);
    let next = FREE.after_call(bucket, now + 90_000);
    assert_eq!(next.open_ms, now + 102_000);
    // Without `Retry-After` calls pause until there is one token.
    let bucket = FREE.after_refusal(Default::default(), now, None);
    assert_eq!(bucket.open_ms, now + 12_000);
    // A later refusal does not shorten the pause.
    let later = FREE.after_refusal(bucket, now, Some(1));
    assert_eq!(later, bucket);
}

fn answer(
    status: u16,
    retry_after_seconds: Option<u64>,
    text: &str,
) -> Result<ZoneResponse, String> {
    Ok(ZoneResponse {
        status,
        retry_after_seconds,
        text: text.to_owned(),
    })
}

#[test]
fn zone_responses_map_to_outcomes() {
    const GOOD: &str = r#"{"success":true,"errors":[],"messages":[],"result":{"id":"z"}}"#;
    const BAD: &str = r#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"},{"code":7,"message":"two"}],"messages":[],"result":null}"#;
    assert_eq!(outcome(&answer(200, None, GOOD)), ZoneOutcome::Done);
    #[track_caller]
    fn check_again(response: Result<ZoneResponse, String>, pause: Option<u64>, words: &str) {
        match outcome(&response) {
            ZoneOutcome::Again {
                problem,
                pause_seconds,
            } => {
                assert_eq!(pause_seconds, pause, "{response:?}");
                assert!(problem.contains(words), "{problem}");
            }
            other => panic!("{response:?}: {other:?}"),
        }
    }
    check_again(Err("no route".to_owned()), None, "no route");
    check_again(answer(429, Some(7), BAD), Some(7), "429");
    check_again(answer(429, None, ""), None, "429");
    check_again(answer(503, Some(3), "<html>"), Some(3), "503");
    check_again(answer(500, None, BAD), None, "500");
    check_again(answer(408, None, ""), None, "408");
    // The pause is limited to an hour.
    check_again(answer(429, Some(u64::MAX), ""), Some(3600), "429");
    // Truncated, or with success in another form.
    check_again(answer(200, None, &GOOD[..GOOD.len() - 1]), None, "200");
    check_again(answer(200, None, "[true]"), None, "200");
    check_again(answer(200, None, r#"{"success":1}"#), None, "200");
    // Unusual errors are reported as far as they can be parsed.
    let odd =
        r#"{"success":false,"errors":[7,{"code":"x"},{"message":1},{"code":1.5,"message":"m"}]}"#;
    check_again(answer(200, None, odd), None, "200:  , \"x\" ,  , 1.5 m");
    let odd = r#"{"success":true,"errors":null}"#;
    assert_eq!(outcome(&answer(200, None, odd)), ZoneOutcome::Done);
    // Status 200, but without success.
    check_again(answer(200, None, BAD), None, "10000 Authentication error");
    check_again(answer(200, None, "<html>"), None, "200");
    check_again(answer(200, None, "{}"), None, "200");
    #[track_caller]
    fn check_refused(response: Result<ZoneResponse, String>, words: &str) {
        match outcome(&response) {
            ZoneOutcome::Refused(problem) => assert!(problem.contains(words), "{problem}"),
            other => panic!("{response:?}: {other:?}"),
        }
    }
    check_refused(
        answer(403, None, BAD),
        "status 403: 10000 Authentication error, 7 two",
    );
    check_refused(answer(401, None, ""), "status 401");
    check_refused(answer(400, None, BAD), "status 400");
    check_refused(answer(404, None, "not JSON"), "status 404");
    check_refused(answer(301, None, ""), "status 301");
    // The log and the history contain only a short part of it.
    let long = format!(
        r#"{{"errors":[{{"code":1,"message":"{}"}}]}}"#,
        "é".repeat(5000)
    );
    match outcome(&answer(400, None, &long)) {
        ZoneOutcome::Refused(problem) => assert!(problem.len() < 1000, "{}", problem.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rate_is_set_by_settings() {
    let pace = |settings: Value| Rules::read_json(&settings.to_string()).map(|r| r.fast_lane);
    assert_eq!(pace(json!({})), Ok(FREE));
    assert_eq!(pace(json!({ "fast_lane": {} })), Ok(FREE));
    let enterprise = Pace {
        requests_per_minute: 3000,
        bucket: 500,
    };
    assert_eq!(
        pace(json!({ "fast_lane": { "requests_per_minute": 3000, "bucket": 500 } })),
        Ok(enterprise)
    );
    for (bad, path) in [
        (
            json!({ "requests_per_minute": 0 }),
            "fast_lane.requests_per_minute",
        ),
        (
            json!({ "requests_per_minute": 3001 }),
            "fast_lane.requests_per_minute",
        ),
        (
            json!({ "requests_per_minute": 1.5 }),
            "fast_lane.requests_per_minute",
        ),
        (json!({ "bucket": 0 }), "fast_lane.bucket"),
        (json!({ "bucket": 501 }), "fast_lane.bucket"),
        (json!({ "buckets": 1 }), "fast_lane.buckets"),
        (json!([5, 25]), "fast_lane"),
        (json!(5), "fast_lane"),
    ] {
        let error = pace(json!({ "fast_lane": bad })).expect_err("bad");
        assert_eq!(error.path, path, "{error}");
        assert!(!error.problem.contains("seconds"), "{error}");
    }
}
