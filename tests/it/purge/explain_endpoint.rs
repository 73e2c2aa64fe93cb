//! Tests of `GET /.edgekeep/explain` and of `Edgekeep-Debug`: who may ask, what
//! is refused, which purge is named, and that nothing is written.

use edgekeep::cache::explain::report::FIELD_BYTES_MAX;
use edgekeep::flow::response::reply::Answer;
use serde_json::{Value, json};
use testkit::worker::TestWorker;
use testkit::world::place::origin;
use testkit::world::{Bytes, Plan, secrets};

const ASK: &str = "GET http://a.test/.edgekeep/explain?url=";
const PAGE: &str = "http://a.test/b/page?x=1";

fn stand() -> TestWorker {
    let settings = json!({
        "origin": "http://origin.test",
        "keys": [
            { "name": "t-editor", "secret": "STORY_T_EDITOR" },
            { "name": "t-reader", "secret": "STORY_T_READER", "admin": true, "may": {} },
        ],
        "defaults": { "kv": true, "stale_while_revalidate": 60 },
    });
    TestWorker::new(&settings, |variable| Some(secrets::of_variable(variable)))
}

fn token(key: &str) -> String {
    format!(" | Authorization: Bearer {}", secrets::token(key))
}

fn page(stand: &TestWorker, path: &str, fields: &[(&str, &str)], body: &str) {
    let plan = Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 200,
        fields: fields.iter().copied().collect(),
        body: body.to_owned(),
    };
    stand
        .world
        .state
        .borrow_mut()
        .plans
        .insert(path.to_owned(), plan);
}

/// What has been written or asked so far.
fn traces(stand: &TestWorker) -> (usize, String) {
    let state = stand.world.state.borrow();
    let tiers = format!("{:?} {:?} {:?}", state.cache_api, state.kv, state.notes);
    (state.asked.len(), tiers)
}

fn field<'a>(answer: &'a Answer<Bytes>, name: &str) -> Option<&'a str> {
    answer.fields.get(name)
}

#[test]
fn only_administrators_may_ask() {
    let stand = stand();
    let rows = [
        (token("default"), 200),
        (token("t-reader"), 200),
        (token("t-editor"), 403),
        (token("unknown"), 401),
        (String::new(), 401),
    ];
    for (proof, status) in rows {
        stand.check(&format!("{ASK}{PAGE}{proof}"), status);
    }
    let proof = token("default");
    stand.check(&format!("{}{PAGE}{proof}", ASK.replace("GET", "POST")), 405);
    // A signature covers the question.
    let target = format!("{}{PAGE}", ASK.replace("http://", ""));
    let seconds = testkit::worker::NOW_MS / 1000;
    let signature = secrets::sign(&secrets::hmac("default"), "q1", seconds, &target);
    let signed = format!(
        " | webhook-id: q1 | webhook-timestamp: {seconds} | webhook-signature: {signature}"
    );
    stand.check(&format!("{ASK}{PAGE}{signed}"), 200);
    stand.check(&format!("{ASK}{PAGE}&header=X-A:1{signed}"), 401);
}

#[test]
fn bad_questions_are_400() {
    let stand = stand();
    let header = "&header=X-A:1";
    let long = "x".repeat(33 * 1024);
    let bad = [
        "".to_owned(),
        "nonsense".to_owned(),
        "/b/page".to_owned(),
        "ftp://a.test/".to_owned(),
        "http://user@a.test/".to_owned(),
        "http:///".to_owned(),
        "http://other.test/".to_owned(),
        "http://a.test.other.test/".to_owned(),
        "%ff".to_owned(),
        format!("{PAGE}&url={PAGE}"),
        format!("{PAGE}&header=X-A"),
        format!("{PAGE}&header=:1"),
        format!("{PAGE}&header=X%20A:1"),
        format!("{PAGE}&header=X-A:1%0d%0aX-B:2"),
        format!("{PAGE}&header=X-A:%00"),
        format!("{PAGE}&other=1"),
        format!("{PAGE}{}", header.repeat(65)),
        format!("{PAGE}&header=X-A:{long}"),
        format!("http://a.test/{long}"),
    ];
    for url in bad {
        let problem = stand.check(&format!("{ASK}{url}{}", token("default")), 400);
        assert_eq!(problem["title"], "Question not understood");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.len() < 200 && detail.contains("url=URL"), "{detail}");
    }
    let good = format!("{PAGE}{}", header.repeat(64));
    stand.check(&format!("{ASK}{good}{}", token("default")), 200);
    let missing = ASK.replace("?url=", "");
    stand.check(&format!("{missing}{}", token("default")), 400);
}

#[test]
fn fields_to_assume_are_read() {
    let stand = stand();
    let rows = [
        ("&header=Cookie:sessionid%3D1", "pass"),
        ("&header=cookie:%20sessionid=1", "pass"),
        ("&header=Cookie:a%3D1&header=Cookie:sessionid%3D1", "pass"),
        ("&header=Cookie:a%3D1", "miss"),
    ];
    for (headers, result) in rows {
        let url = "http%3A%2F%2Fa.test%2Fb";
        let explained = stand.check(&format!("{ASK}{url}{headers}{}", token("default")), 200);
        assert_eq!(explained["expected"]["result"], result, "{headers}");
        assert_eq!(explained["url"], "http://a.test/b");
    }
}

#[test]
fn explanations_write_nothing() {
    let stand = stand();
    let fields = [
        ("cache-control", "max-age=60"),
        ("cache-tag", "a1,b2"),
        ("etag", "\"1\""),
    ];
    page(&stand, "/b/page?x=1", &fields, "page");
    for _ in 0..4 {
        stand.send(&format!("GET {PAGE}"));
        stand.world.executor.advance(1);
    }
    let before = traces(&stand);
    for path in ["/b/page?x=1", "/none", "/b/page?x=2"] {
        let ask = format!("{ASK}http://a.test{path}{}", token("default"));
        let explained = stand.check(&ask, 200);
        stand.world.executor.advance(100);
        let result = if path == "/b/page?x=1" { "hit" } else { "miss" };
        assert_eq!(explained["expected"]["result"], result, "{explained:#}");
    }
    assert_eq!(traces(&stand), before);
}

/// The copies in a tier.
fn copies<'a>(explained: &'a Value, tier: &str) -> &'a [Value] {
    let tiers = explained["tiers"].as_array().expect("tiers");
    let of = tiers
        .iter()
        .find(|of| of["tier"] == tier)
        .expect("the tier");
    of["copies"].as_array().expect("copies")
}

#[test]
fn each_tier_shows_its_copy() {
    let stand = stand();
    let fields = [
        ("cache-control", "max-age=60, stale-if-error=7"),
        ("cache-tag", "a1,b2"),
        ("etag", "\"1\""),
        ("vary", "accept-language"),
    ];
    page(&stand, "/b/page?x=1", &fields, "page");
    for _ in 0..4 {
        stand.send(&format!("GET {PAGE} | Accept-Language: de"));
        stand.world.executor.advance(1000);
    }
    let ask = format!("{ASK}{PAGE}&header=Accept-Language:de{}", token("default"));
    let explained = stand.check(&ask, 200);
    assert_eq!(
        explained["expected"]["cache_status"],
        "edgekeep; hit; ttl=56; detail=memory"
    );
    assert_eq!(explained["vary"], json!({ "accept-language": "de" }));
    for tier in ["memory", "cache-api", "kv"] {
        let [copy] = copies(&explained, tier) else {
            panic!("{tier}: {explained:#}");
        };
        let expected = json!({
            "verdict": "fresh", "status": 200, "age": 4, "ttl": 56, "lifetime": 60,
            "stale_while_revalidate": 60, "stale_if_error": 7, "length": 4, "etag": "\"1\"",
            "last_modified": null, "vary": { "accept-language": "de" }, "tags": ["a1", "b2"],
            "filled_under": 0, "purge": null, "slot": copy["slot"],
        });
        assert_eq!(*copy, expected, "{tier}");
    }
    let other = stand.check(&ask.replace(":de", ":fr"), 200);
    assert_eq!(other["expected"]["cache_status"], "edgekeep; fwd=vary-miss");
    assert_eq!(copies(&other, "cache-api")[0]["verdict"], "other-variant");
}

#[test]
fn the_purge_that_applies_is_named() {
    // order, effect, what is named, verdict
    let rows = [
        (r#"{"tags":["a1"]}"#, "hard", "tag:a1", "purged"),
        (
            r#"{"files":["http://a.test/b/page?x=1"]}"#,
            "hard",
            "url:a.test/b/page?x=1",
            "purged",
        ),
        (
            r#"{"prefixes":["http://a.test/b"]}"#,
            "hard",
            "prefix:a.test/b",
            "purged",
        ),
        (r#"{"hosts":["a.test"]}"#, "hard", "host:a.test", "purged"),
        (
            r#"{"purge_everything":true}"#,
            "hard",
            "everything, or a purge so old that it counts as that",
            "purged",
        ),
        (
            r#"{"tags":["a1"],"soft":true}"#,
            "soft",
            "tag:a1",
            "stale-while-revalidate",
        ),
        (r#"{"tags":["other"]}"#, "", "", "fresh"),
    ];
    for (order, effect, by, verdict) in rows {
        let stand = stand();
        let fields = [("cache-control", "max-age=60"), ("cache-tag", "a1,b2")];
        page(&stand, "/b/page?x=1", &fields, "page");
        stand.send(&format!("GET {PAGE}"));
        stand.world.executor.advance(1000);
        let purge = format!(
            "POST http://a.test/.edgekeep/purge{} << {order}",
            token("default")
        );
        stand.check(&purge, 200);
        let explained = stand.check(&format!("{ASK}{PAGE}{}", token("default")), 200);
        for tier in ["cache-api", "kv"] {
            let [copy] = copies(&explained, tier) else {
                panic!("{order} {tier}: {explained:#}");
            };
            assert_eq!(copy["verdict"], verdict, "{order}");
            let purge = match effect {
                "" => Value::Null,
                _ => json!({ "effect": effect, "sequence": 1, "by": by }),
            };
            assert_eq!(copy["purge"], purge, "{order}");
        }
    }
}

#[test]
fn a_write_is_named() {
    let stand = stand();
    page(
        &stand,
        "/b/page?x=1",
        &[("cache-control", "max-age=60")],
        "page",
    );
    stand.send(&format!("GET {PAGE}"));
    stand.world.executor.advance(1000);
    stand.world.state.borrow_mut().down.push("ledger");
    stand.send(&format!("POST {PAGE} << x=1"));
    stand.world.executor.advance(1000);
    let explained = stand.check(&format!("{ASK}{PAGE}{}", token("default")), 200);
    let [copy] = copies(&explained, "cache-api") else {
        panic!("{explained:#}");
    };
    let purge = json!({ "effect": "hard", "sequence": null, "by": "a write that the ledger has not confirmed" });
    assert_eq!(copy["purge"], purge);
    assert_eq!(
        explained["expected"]["cache_status"],
        "edgekeep; fwd=uri-miss; detail=purged"
    );
}

/// The index of this isolate is old, and a purge came elsewhere.
#[test]
fn an_old_index_is_renewed_for_the_explanation_alone() {
    let stand = stand();
    page(
        &stand,
        "/b/page?x=1",
        &[("cache-control", "max-age=600")],
        "page",
    );
    stand.send(&format!("GET {PAGE}"));
    testkit::world::place::purge_elsewhere(&stand.world, &["url:a.test/b/page?x=1"], &[]);
    stand.world.executor.advance(60_000);
    let before = traces(&stand);
    let explained = stand.check(&format!("{ASK}{PAGE}{}", token("default")), 200);
    assert_eq!(
        explained["purge_index"],
        json!({ "state": "current", "sequence": 1 })
    );
    assert_eq!(copies(&explained, "cache-api")[0]["verdict"], "purged");
    stand.world.executor.advance(1000);
    assert_eq!(traces(&stand), before);
    stand.world.state.borrow_mut().down.push("ledger");
    let explained = stand.check(&format!("{ASK}{PAGE}{}", token("default")), 200);
    assert_eq!(
        explained["purge_index"],
        json!({ "state": "old-purge-index", "sequence": 0 })
    );
    assert_eq!(copies(&explained, "cache-api")[0]["verdict"], "fresh");
}

#[test]
fn debug_field_explains_its_own_request() {
    let stand = stand();
    origin(&stand.world, "/b/page?x=1", "max-age=60", "page");
    let fields = [
        ("cache-control", "max-age=60"),
        ("cache-tag", "a1,b2"),
        ("vary", "accept"),
    ];
    page(&stand, "/b/page?x=1", &fields, "page");
    stand.send(&format!("GET {PAGE}"));
    stand.world.executor.advance(1000);
    for key in ["default", "t-reader"] {
        let debug = format!(" | Edgekeep-Debug: {}", secrets::token(key));
        let answer = stand.send(&format!("GET {PAGE}{debug}"));
        let text = field(&answer, "edgekeep-debug").expect("an explanation");
        assert!(text.len() <= FIELD_BYTES_MAX && text.is_ascii());
        let explained: Value = serde_json::from_str(text).expect("JSON");
        let status = explained["expected"]["cache_status"].as_str();
        assert_eq!(status, field(&answer, "cache-status"));
        assert_eq!(field(&answer, "edgekeep-tags"), Some("a1,b2"));
        assert_eq!(field(&answer, "cache-control"), Some("max-age=60"));
        assert_eq!(answer.fields.joined("vary").as_deref(), Some("accept, *"));
    }
}

/// A value that proves nothing changes nothing, on a hit, a miss, a pass and an
/// error; it is not in the key, and the origin does not receive it.
#[test]
fn wrong_debug_tokens_change_nothing() {
    let long = format!("token_{}", "x".repeat(100_000));
    let wrong = [
        secrets::token("t-editor"),
        secrets::token("unknown"),
        secrets::hmac("default"),
        secrets::token("default").to_uppercase(),
        format!("{}x", secrets::token("default")),
        secrets::token("default")[..20].to_owned(),
        "1".to_owned(),
        long,
    ];
    let requests = [
        format!("GET {PAGE}"),
        format!("HEAD {PAGE}"),
        format!("GET {PAGE} | Cookie: sessionid=1"),
        format!("POST {PAGE}"),
        "GET http://a.test/none".to_owned(),
        "GET http://a.test/.edgekeep/purges".to_owned(),
    ];
    let play = |value: Option<&str>| -> Vec<String> {
        let stand = stand();
        page(
            &stand,
            "/b/page?x=1",
            &[("cache-control", "max-age=60"), ("cache-tag", "a1")],
            "page",
        );
        let mut all = Vec::new();
        for request in requests.iter().chain(&requests) {
            let debug = value.map(|value| format!(" | Edgekeep-Debug: {value}"));
            let answer = stand.send(&format!("{request}{}", debug.unwrap_or_default()));
            stand.world.executor.advance(1000);
            all.push(format!("{answer:?}"));
        }
        let state = stand.world.state.borrow();
        all.push(format!(
            "{:?} {:?} {:?}",
            state.asked, state.cache_api, state.kv
        ));
        all.push(state.log.join("\n"));
        all
    };
    let plain = play(None);
    for value in wrong {
        let start: String = value.chars().take(20).collect();
        assert_eq!(play(Some(&value)), plain, "{start}");
    }
    assert!(!plain.concat().contains("edgekeep-debug"));
    // And a right one is neither stored nor sent on.
    let right = play(Some(&secrets::token("default")));
    assert_ne!(right, plain);
    assert_eq!(right[right.len() - 2..], plain[plain.len() - 2..]);
}
