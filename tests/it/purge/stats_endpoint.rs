//! Tests of the statistics' endpoints: what is counted, when isolates report
//! it, who may read it, and the text of the metrics.

use serde_json::{Value, json};
use testkit::worker::{NOW_MS, TestWorker, text};
use testkit::world::{Plan, secrets};

const STATS: &str = "GET http://a.test/.edgekeep/stats";
const METRICS: &str = "GET http://a.test/.edgekeep/metrics";

fn stand_with(more: Value) -> TestWorker {
    let mut settings = json!({
        "origin": "http://origin.test",
        "keys": [
            { "name": "t-editor", "secret": "STORY_T_EDITOR" },
            { "name": "t-reader", "secret": "STORY_T_READER", "stats": true, "may": { "hosts": ["b.test"] } },
        ],
        "defaults": { "edge_ttl": 600 },
        "rules": [{ "path": "/private/*", "cache": false }],
    });
    let more = more.as_object().cloned().unwrap_or_default();
    settings.as_object_mut().expect("a table").extend(more);
    TestWorker::new(&settings, |variable| Some(secrets::of_variable(variable)))
}

fn token(key: &str) -> String {
    format!(" | Authorization: Bearer {}", secrets::token(key))
}

fn page(stand: &TestWorker, path: &str, slow_ms: u64, fields: &[(&str, &str)]) {
    let plan = Plan::Answer {
        slow_ms,
        cut: false,
        status: 200,
        fields: fields.iter().copied().collect(),
        body: "0123456789".to_owned(),
    };
    let mut state = stand.world.state.borrow_mut();
    state.plans.insert(path.to_owned(), plan);
}

/// Sends requests, and then one a minute later, with which the isolate reports
/// them.
fn requests(stand: &TestWorker, lines: &[&str]) {
    for line in lines {
        stand.send(line);
    }
    stand.world.executor.advance(61_000);
    stand.send("GET http://reporter.test/last");
}

/// `HOST RULE OUTCOME REASON TIER STATUS REQUESTS ORIGIN_REQUESTS`
fn short(stats: &Value) -> Vec<String> {
    let rows = stats["rows"].as_array().expect("rows").iter();
    let rows = rows.filter(|row| row["host"] != "reporter.test");
    let text = |row: &Value, name: &str| match row[name].as_str() {
        Some("") => "-".to_owned(),
        Some(text) => text.to_owned(),
        None => row[name].to_string(),
    };
    let names = [
        "host",
        "rule",
        "outcome",
        "reason",
        "tier",
        "status",
        "requests",
        "origin_requests",
    ];
    let mut rows: Vec<String> = rows
        .map(|row| names.map(|name| text(row, name)).join(" "))
        .collect();
    rows.sort();
    rows
}

#[test]
fn requests_are_counted_by_host_rule_and_outcome() {
    let stand = stand_with(json!({}));
    page(&stand, "/kept", 120, &[]);
    page(&stand, "/forbidden", 0, &[("cache-control", "private")]);
    requests(
        &stand,
        &[
            "GET http://a.test/kept",
            "GET http://a.test/kept",
            "GET http://a.test/kept",
            "GET http://b.test/kept",
            "GET http://a.test/forbidden",
            "GET http://a.test/private/x",
            "GET http://a.test/kept | Cookie: sessionid=1",
            "POST http://a.test/kept << x",
        ],
    );
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    let expected = [
        "a.test defaults bypass cookie - 2xx 1 1",
        "a.test defaults bypass method - 2xx 1 1",
        "a.test defaults hit - cache-api 2xx 2 0",
        "a.test defaults miss private - 2xx 1 1",
        "a.test defaults miss uri-miss - 2xx 1 1",
        "a.test rules[0], /private/* bypass rule - 4xx 1 1",
        "b.test defaults miss uri-miss - 2xx 1 1",
    ];
    assert_eq!(short(&stats), expected);
    assert_eq!(stats["step"], 60);
    let rows = stats["rows"].as_array().expect("rows");
    let miss = rows.iter().find(|row| row["reason"] == "uri-miss");
    let miss = miss.expect("a miss");
    assert_eq!(miss["origin_ms"], json!([0, 0, 1, 0, 0, 0, 0, 0]));
    assert_eq!(miss["time"], NOW_MS / 60_000 * 60);
    let hit = rows.iter().find(|row| row["outcome"] == "hit");
    assert_eq!(hit.expect("a hit")["bytes"], 20);
    // Filters.
    let only = stand.check(&format!("{STATS}?host=b.test{}", token("default")), 200);
    assert_eq!(short(&only).len(), 1);
    let rule = "rules%5B0%5D,+/private/*";
    let only = stand.check(&format!("{STATS}?rule={rule}{}", token("default")), 200);
    assert_eq!(short(&only), [expected[5]]);
    let none = stand.check(&format!("{STATS}?from=-3h&to=-2h{}", token("default")), 200);
    assert_eq!(none["rows"], json!([]));
    let hours = stand.check(&format!("{STATS}?step=hour{}", token("default")), 200);
    assert_eq!(short(&hours), expected);
}

#[test]
fn refreshes_count_their_origin_requests_but_no_request() {
    let stand = stand_with(json!({ "defaults": { "edge_ttl": 1, "stale_while_revalidate": 60 } }));
    page(&stand, "/swr", 0, &[]);
    stand.send("GET http://a.test/swr");
    stand.world.executor.advance(2000);
    requests(&stand, &["GET http://a.test/swr"]);
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    let expected = [
        "a.test defaults miss uri-miss - 2xx 1 1",
        "a.test defaults refresh - - 2xx 0 1",
        "a.test defaults stale stale-while-revalidate cache-api 2xx 1 0",
    ];
    assert_eq!(short(&stats), expected);
}

#[test]
fn nothing_is_counted_where_the_interval_is_0() {
    let stand = stand_with(json!({ "stats_interval": 0 }));
    requests(&stand, &["GET http://a.test/kept"]);
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    assert_eq!(stats["rows"], json!([]));
}

#[test]
fn counts_wait_for_the_interval_and_for_the_ledger() {
    let stand = stand_with(json!({ "stats_interval": 120 }));
    requests(&stand, &["GET http://a.test/kept"]);
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    assert_eq!(stats["rows"], json!([]));
    // The ledger fails when the interval ends: the counts are reported later.
    stand.world.state.borrow_mut().down.push("ledger");
    stand.world.executor.advance(61_000);
    stand.send("GET http://a.test/kept");
    stand.world.state.borrow_mut().down.clear();
    // First the report that failed, then what was counted after it.
    for _ in 0..2 {
        stand.world.executor.advance(130_000);
        stand.send("GET http://reporter.test/last");
    }
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    let requests = stats["rows"].as_array().expect("rows").iter();
    let requests = requests.filter(|row| row["host"] == "a.test" && row["outcome"] != "admin");
    let sum: u64 = requests
        .map(|row| row["requests"].as_u64().unwrap_or(0))
        .sum();
    assert_eq!(sum, 2, "{stats}");
}

#[test]
fn report_whose_answer_is_lost_counts_once() {
    let stand = stand_with(json!({}));
    stand.send("GET http://a.test/kept");
    stand.world.state.borrow_mut().down.push("ledger's answers");
    let lost = stand.world.state.borrow().ledger_queries;
    for minute in 0..5 {
        stand.world.executor.advance(61_000);
        stand.send(&format!("GET http://reporter.test/{minute}"));
    }
    assert!(stand.world.state.borrow().ledger_queries > lost + 2);
    stand.world.state.borrow_mut().down.clear();
    for _ in 0..2 {
        stand.world.executor.advance(61_000);
        stand.send("GET http://reporter.test/last");
    }
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    let rows = stats["rows"].as_array().expect("rows").iter();
    let of = |host: &str| -> u64 {
        let of_host = rows.clone().filter(|row| row["host"] == host);
        of_host.filter_map(|row| row["requests"].as_u64()).sum()
    };
    // The second of the last two reported what came before it.
    assert_eq!((of("a.test"), of("reporter.test")), (1, 6), "{stats}");
}

#[test]
fn keys_see_what_they_may() {
    let stand = stand_with(json!({}));
    requests(&stand, &["GET http://a.test/x", "GET http://b.test/x"]);
    for address in [STATS, METRICS] {
        let rows = [
            (token("default"), 200, true, true),
            (token("t-reader"), 200, false, true),
            (token("t-editor"), 403, false, false),
            (token("unknown"), 401, false, false),
            (String::new(), 401, false, false),
        ];
        for (proof, status, sees_a, sees_b) in rows {
            let answer = stand.send(&format!("{address}{proof}"));
            assert_eq!(answer.status, status, "{address}{proof}");
            let text = text(&answer);
            assert_eq!(text.contains("\"a.test\""), sees_a, "{text}");
            assert_eq!(text.contains("\"b.test\""), sees_b, "{text}");
            assert_eq!(answer.fields.get("cache-control"), Some("no-store"));
        }
        let proof = token("default");
        stand.check(&format!("{}{proof}", address.replace("GET", "POST")), 405);
    }
}

#[test]
fn bad_questions_are_400() {
    let stand = stand_with(json!({}));
    let bad = [
        "step=second",
        "step",
        "from=x",
        "from=-1",
        "from=-1y",
        "from=-",
        "to=1.5",
        "other=1",
        "host=%ff",
    ];
    for query in bad {
        let problem = stand.check(&format!("{STATS}?{query}{}", token("default")), 400);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains("from and to as seconds"),
            "{query}: {detail}"
        );
    }
    let long = "x".repeat(5000);
    stand.check(&format!("{STATS}?host={long}{}", token("default")), 400);
}

#[test]
fn metrics_are_open_metrics() {
    let stand = stand_with(json!({ "rules": [{ "path": "/slow*" }] }));
    page(&stand, "/slow", 300, &[]);
    requests(
        &stand,
        &["GET http://a.test/slow", "GET http://a.test/slow"],
    );
    let answer = stand.send(&format!("{METRICS}{}", token("default")));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.fields.get("content-type"), Some(kind));
    let text = text(&answer);
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
    for line in [
        "# TYPE edgekeep_requests counter",
        "# TYPE edgekeep_origin_duration_seconds histogram",
        "# UNIT edgekeep_origin_duration_seconds seconds",
        "edgekeep_origin_duration_seconds_bucket{host=\"a.test\",le=\"0.250\"} 0",
        "edgekeep_origin_duration_seconds_bucket{host=\"a.test\",le=\"0.500\"} 1",
        "edgekeep_origin_duration_seconds_bucket{host=\"a.test\",le=\"+Inf\"} 1",
        "edgekeep_origin_duration_seconds_count{host=\"a.test\"} 1",
        "edgekeep_origin_duration_seconds_sum{host=\"a.test\"} 0.300",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let hits = text.lines().find(|line| line.contains("outcome=\"hit\""));
    let hits = hits.expect("hits");
    let start = "edgekeep_requests_total{host=\"a.test\",rule=\"rules[0], /slow*\",";
    assert!(hits.starts_with(start), "{hits}");
    assert!(
        hits.ends_with("reason=\"\",tier=\"cache-api\",status=\"2xx\"} 1"),
        "{hits}"
    );
    let lag = "edgekeep_purge_lag_seconds{host=\"a.test\"} ";
    assert!(text.lines().any(|line| line.starts_with(lag)), "{text}");
}

#[test]
fn requests_in_shadow_mode_are_counted_by_verdict() {
    let stand = stand_with(json!({ "rules": [{ "path": "/s/*", "shadow": true }] }));
    let public = &[("cache-control", "public, max-age=60")];
    page(&stand, "/s/right", 0, public);
    page(&stand, "/s/own", 0, &[("cache-control", "private")]);
    requests(
        &stand,
        &[
            "GET http://a.test/s/right",
            "GET http://a.test/s/right",
            "GET http://a.test/s/right | Set: 1",
            "GET http://a.test/s/own",
            "HEAD http://a.test/s/right",
            "GET http://a.test/s/right | Cookie: sessionid=1",
        ],
    );
    let stats = stand.check(&format!("{STATS}{}", token("default")), 200);
    let expected = [
        "a.test rules[0], /s/* shadow-bypass cookie - 2xx 1 1",
        "a.test rules[0], /s/* shadow-not-compared head - 2xx 1 1",
        "a.test rules[0], /s/* shadow-not-stored private - 2xx 1 1",
        "a.test rules[0], /s/* shadow-same - - 2xx 2 2",
        "a.test rules[0], /s/* shadow-stored - - 2xx 1 1",
    ];
    assert_eq!(short(&stats), expected);
}
