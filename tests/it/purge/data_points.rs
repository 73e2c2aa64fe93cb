//! Tests of the data points of Analytics Engine: what a request writes, and
//! which requests do.

use edgekeep::cache::stats::data_point::DataPoint;
use serde_json::{Value, json};
use testkit::worker::TestWorker;
use testkit::world::Plan;

fn stand_with(more: &Value, has_dataset: bool) -> TestWorker {
    let mut settings = json!({
        "origin": "http://origin.test",
        "defaults": { "edge_ttl": 600 },
        "rules": [{ "path": "/private/*", "cache": false }, { "path": "/trial/*", "shadow": true }],
    });
    let more = more.as_object().cloned().unwrap_or_default();
    settings.as_object_mut().expect("a table").extend(more);
    let stand = TestWorker::new(&settings, |_| None);
    let mut state = stand.world.state.borrow_mut();
    state.points = has_dataset.then(Vec::new);
    for path in ["/kept", "/kept?q=secret", "/private/x", "/trial/x"] {
        let plan = Plan::Answer {
            slow_ms: 40,
            cut: false,
            status: 200,
            fields: std::iter::empty::<(&str, &str)>().collect(),
            body: "0123456789".to_owned(),
        };
        state.plans.insert(path.to_owned(), plan);
    }
    drop(state);
    stand
}

fn points(stand: &TestWorker) -> Vec<DataPoint> {
    let state = stand.world.state.borrow();
    state.points.clone().expect("a dataset")
}

/// `BLOBS | DOUBLES`
fn columns(point: &DataPoint) -> String {
    let doubles = point.doubles().map(|number| number.to_string());
    format!("{} | {}", point.blobs().join(","), doubles.join(","))
}

#[test]
fn each_request_of_a_client_writes_one_point() {
    let stand = stand_with(&json!({}), true);
    for line in [
        "GET http://a.test/kept?q=secret",
        "GET http://a.test/kept?q=secret",
        "HEAD http://b.test/private/x",
        "GET http://a.test/trial/x",
        "GET http://a.test/.edgekeep/stats",
    ] {
        stand.send(line);
    }
    let found: Vec<String> = points(&stand).iter().map(columns).collect();
    let expected = [
        "a.test,defaults,miss,uri-miss,,GET,/kept | 1,200,40,10,1,40",
        "a.test,defaults,hit,,cache-api,GET,/kept | 1,200,0,10,0,0",
        "b.test,rules[0], /private/*,bypass,rule,,HEAD,/private/x | 1,200,40,0,1,40",
        "a.test,rules[1], /trial/*,shadow-stored,,,GET,/trial/x | 1,200,40,10,1,40",
        "a.test,,admin,,,GET,/.edgekeep/stats | 1,503,0,148,0,0",
    ];
    assert_eq!(found, expected);
    assert_eq!(points(&stand)[0].index(), "a.test");
}

#[test]
fn work_without_a_client_writes_none() {
    let rules = json!({ "defaults": { "edge_ttl": 1, "stale_while_revalidate": 60 } });
    let stand = stand_with(&rules, true);
    stand.send("GET http://a.test/kept");
    stand.world.executor.advance(2000);
    stand.send("GET http://a.test/kept");
    let asked = stand.world.state.borrow().asked.len();
    assert_eq!((points(&stand).len(), asked), (2, 2));
}

#[test]
fn points_do_not_need_the_statistics() {
    let stand = stand_with(&json!({ "stats_interval": 0 }), true);
    stand.send("GET http://a.test/kept");
    assert_eq!(points(&stand).len(), 1);
}

#[test]
fn a_sample_is_about_as_large_as_it_says_and_says_so() {
    let stand = stand_with(&json!({ "analytics_sample": 10 }), true);
    for number in 0..2000 {
        stand.world.executor.advance(number % 3);
        stand.send("GET http://a.test/kept");
    }
    let points = points(&stand);
    // The deviation of such a sum is 13.
    assert!((140..=260).contains(&points.len()), "{}", points.len());
    assert!(points.iter().all(|point| point.doubles()[0] == 10.0));
    // An isolate that serves one request has the same chance.
    let firsts = (0..300_u64).filter(|ms| {
        let stand = stand_with(&json!({ "analytics_sample": 10 }), true);
        stand.world.executor.advance(*ms);
        stand.send("GET http://a.test/kept");
        !self::points(&stand).is_empty()
    });
    let firsts = firsts.count();
    assert!((10..=60).contains(&firsts), "{firsts}");
}

#[test]
fn texts_are_cut_at_characters() {
    let stand = stand_with(&json!({}), true);
    let host = format!("{}.test", "ä".repeat(60));
    stand.send(&format!("GET http://a.test/{}", "x".repeat(3000)));
    let mut point = points(&stand).remove(0);
    assert_eq!(point.blobs()[6].len(), 1024);
    point.host = host;
    assert_eq!(point.index(), "ä".repeat(48));
    point.path = "€".repeat(2000);
    assert_eq!(point.blobs()[6].len(), 1023);
    let bytes: usize = point.blobs().iter().map(|text| text.len()).sum();
    assert!(bytes + point.index().len() <= 16 * 1024);
}

#[test]
fn nothing_is_written_without_a_dataset() {
    let stand = stand_with(&json!({}), false);
    stand.send("GET http://a.test/kept");
    assert_eq!(stand.world.state.borrow().points, None);
}

#[test]
fn a_sample_of_none_is_refused() {
    use edgekeep::cache::config::rules::Rules;
    for (wrong, problem) in [
        ("0", "must be from 1 to 1000000 requests, not 0"),
        ("1000001", "must be from 1 to 1000000 requests, not 1000001"),
        ("0.1", "expected a whole number from 0"),
    ] {
        let text = format!("{{\"analytics_sample\":{wrong}}}");
        let error = Rules::read_json(&text).expect_err(wrong);
        assert_eq!(error.path, "analytics_sample");
        assert!(error.problem.contains(problem), "{}", error.problem);
    }
}
