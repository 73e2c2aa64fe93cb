//! Tests in virtual time that one page, reader or host cannot make an origin
//! unreachable for others.

#[allow(dead_code, reason = "other tests use the rest")]
use edgekeep::flow::fetch::pass::{SMALL_BODY_BYTES_MAX, SMALL_BODY_MS};
use serde_json::{Value, json};
use testkit::origin::{answers, asked, place, plan, send, send_with, timed, upload};
use testkit::world::place::{Place, START_MS, Slot, origin};
use testkit::world::{Bytes, Plan, World};

/// Returns the isolate as this reader requests it.
fn as_reader(place: &Place, reader: &'static str) -> Place {
    let mut place = place.clone();
    place.world.reader = Some(reader.into());
    place
}

const READERS: [&str; 5] = [
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
    "192.0.2.4",
    "192.0.2.5",
];

/// Sends a POST whose body has this declared length and is complete after some
/// time.
fn post(place: &Place, path: &str, length: u64, takes_ms: u64) -> Slot {
    let text = "x".repeat(usize::try_from(length).expect("a length"));
    let mut body = Bytes::new(text, false);
    body.takes_ms = takes_ms;
    let fields = [("content-length", length.to_string())]
        .into_iter()
        .collect();
    let url = format!("http://a.test{path}");
    send_with(place, "POST", &url, fields, Some(body))
}

fn breaker_settings() -> Value {
    json!({
        "origin": "http://origin.test", "defaults": { "retries": 0 },
        "protection": { "breaker_failures": 4, "breaker_pause": 60 },
    })
}

#[test]
fn breaker_counts_all_queries_of_a_path_as_one_page() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    for n in 0..40 {
        for path in [format!("/search?q={n}"), format!("/x/../%73earch?q={n}x")] {
            plan(&world, &path, Plan::Down);
            plan(&world, &format!("/search?q={n}x"), Plan::Down);
            assert_eq!(here.get(&path), "502 -", "{path}");
        }
    }
    plan(&world, "/page", answers(200, 0));
    assert_eq!(here.get("/page"), "200 no-freshness");
}

#[test]
fn hanging_page_does_not_open_breaker_for_other_pages() {
    let world = World::new(START_MS);
    let mut settings = breaker_settings();
    settings["origin_timeout"] = json!(1);
    settings["rules"] = json!([{ "path": "/slow", "cache": false }]);
    let here = place(&world, &settings);
    plan(&world, "/slow", Plan::Hang);
    plan(&world, "/page", answers(200, 0));
    for _ in 0..8 {
        let slots = READERS.map(|reader| as_reader(&here, reader).start("/slow"));
        for slot in &slots {
            assert_eq!(here.finish(slot), "504 rule");
        }
    }
    assert_eq!(here.get("/page"), "200 no-freshness");
}

#[test]
fn failures_of_one_reader_do_not_open_breaker() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    let attacker = as_reader(&here, READERS[0]);
    for n in 0..100 {
        plan(&world, &format!("/{n}"), Plan::Down);
        assert_eq!(attacker.get(&format!("/{n}")), "502 -", "{n}");
    }
    plan(&world, "/page", answers(200, 0));
    let reader = as_reader(&here, READERS[1]);
    assert_eq!(reader.get("/page"), "200 no-freshness");
    assert_eq!(attacker.get("/page"), "200 no-freshness");
    // The same failures of several readers count as the origin's.
    for (reader, n) in READERS.into_iter().skip(1).zip(0..) {
        as_reader(&here, reader).get(&format!("/{n}"));
    }
    assert_eq!(as_reader(&here, READERS[2]).get("/99"), "503 circuit-open");
}

#[test]
fn failures_of_one_host_do_not_open_breakers_of_others() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    for n in 0..10 {
        plan(&world, &format!("/{n}"), Plan::Down);
    }
    let get = |host: &str, path: &str| {
        here.finish(&send(&here, "GET", &format!("http://{host}{path}"), None))
    };
    for n in 0..4 {
        assert_eq!(get("tenant.test", &format!("/{n}")), "502 -");
    }
    assert_eq!(get("tenant.test", "/page"), "503 circuit-open");
    plan(&world, "/page", answers(200, 0));
    assert_eq!(get("other.test", "/page"), "200 no-freshness");
    // Ports are separate hosts, as in cache keys.
    assert_eq!(get("tenant.test:8080", "/page"), "200 no-freshness");
}

/// A 503 with this `Retry-After`.
fn unavailable_for(seconds: u64) -> Plan {
    Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 503,
        fields: [("retry-after", seconds.to_string())].into_iter().collect(),
        body: "later".to_owned(),
    }
}

#[test]
fn retry_after_applies_to_its_url_and_reader() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    let get = |reader, path: &str| as_reader(&here, reader).get(path);
    let [one, two, three, four, _] = READERS;
    plan(&world, "/a?x=1", unavailable_for(3600));
    plan(&world, "/a?x=2", answers(200, 0));
    plan(&world, "/b", answers(200, 0));
    assert_eq!(get(one, "/a?x=1"), "later no-freshness");
    assert_eq!(get(one, "/a?x=1"), "503 retry-after");
    assert_eq!(get(one, "/a?x=2"), "200 no-freshness");
    assert_eq!(get(one, "/b"), "200 no-freshness");
    // A write to the same URL is separate.
    assert!(
        !here
            .finish(&upload(&as_reader(&here, one), "/a?x=1"))
            .contains("retry-after")
    );
    // It may concern that reader only; with three readers it concerns all.
    assert_eq!(get(two, "/a?x=1"), "later no-freshness");
    assert_eq!(get(three, "/a?x=1"), "later no-freshness");
    assert_eq!(get(four, "/a?x=1"), "503 retry-after");
    plan(&world, "/a?x=1", answers(200, 0));
    world.executor.advance(60_000);
    assert_eq!(get(four, "/a?x=1"), "200 no-freshness");
    assert_eq!(get(one, "/a?x=1"), "503 retry-after");
    world.executor.advance(3_540_000);
    assert_eq!(get(one, "/a?x=1"), "200 no-freshness");
}

#[test]
fn success_of_an_earlier_request_ends_retry_after() {
    let world = World::new(START_MS);
    let mut settings = breaker_settings();
    settings["rules"] = json!([{ "path": "/*", "cache": false }]);
    let here = as_reader(&place(&world, &settings), READERS[0]);
    plan(&world, "/a", answers(200, 1000));
    let slow = here.start("/a");
    world.executor.advance(100);
    plan(&world, "/a", unavailable_for(3600));
    assert_eq!(here.get("/a"), "later rule");
    assert_eq!(here.get("/a"), "503 rule/retry-after");
    assert_eq!(here.finish(&slow), "200 rule");
    plan(&world, "/a", answers(200, 0));
    assert_eq!(here.get("/a"), "200 rule");
}

#[test]
fn invalid_status_does_not_open_breaker() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    origin(&world, "/old", "max-age=1, stale-if-error=600", "old");
    assert_eq!(here.get("/old"), "old -");
    world.executor.advance(2000);
    for n in 0..20 {
        plan(&world, &format!("/{n}"), Plan::NoStatus(999));
        assert_eq!(here.get(&format!("/{n}")), "502 -", "{n}");
    }
    // It is still an error for a stale stored response (RFC 9110 §15).
    plan(&world, "/old", Plan::NoStatus(999));
    assert_eq!(here.get("/old"), "old cache-api/stale-if-error");
    let state = world.state.borrow();
    assert!(
        state
            .log
            .iter()
            .any(|line| line.contains("answered with 999")),
        "{:?}",
        state.log
    );
}

#[test]
fn upload_aborted_by_client_is_not_counted_by_breaker() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    for n in 0..40 {
        let body = Bytes::new("a=".to_owned(), true);
        let here = as_reader(&here, READERS[n % 5]);
        let slot = send(&here, "POST", &format!("http://a.test/{n}"), Some(body));
        assert_eq!(here.finish(&slot), "502 method", "{n}");
    }
    plan(&world, "/page", answers(200, 0));
    assert_eq!(here.get("/page"), "200 no-freshness");
    // An upload that fails after its body was complete does count.
    for (n, reader) in READERS.into_iter().take(4).enumerate() {
        plan(&world, &format!("/{n}"), answers(503, 0));
        upload(&as_reader(&here, reader), &format!("/{n}"));
    }
    world.executor.advance(100);
    assert_eq!(here.get("/page"), "200 no-freshness", "it worked before");
    assert_eq!(here.get("/other"), "503 circuit-open");
}

#[test]
fn open_uploads_leave_three_quarters_of_the_permits_to_reads() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test", "origin_timeout": 10,
        "protection": { "max_requests": 8, "queue_timeout": 1 },
    });
    let here = place(&world, &settings);
    for n in 0..20 {
        plan(&world, &format!("/up/{n}"), Plan::Hang);
        upload(&here, &format!("/up/{n}"));
    }
    world.executor.advance(100);
    assert_eq!(asked(&world).len(), 2);
    for n in 0..6 {
        plan(&world, &format!("/{n}"), answers(200, 5000));
        here.start(&format!("/{n}"));
    }
    world.executor.advance(100);
    assert_eq!(asked(&world).len(), 8);
    let (answer, _) = timed(&here, &here.start("/late"));
    assert_eq!(answer, "503 queued/origin-busy");
}

#[test]
fn hosts_of_one_origin_share_one_retry_budget() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test", "defaults": { "retries": 1 },
        "protection": { "retry_budget": 1 },
    });
    let here = place(&world, &settings);
    for n in 0..40 {
        plan(&world, &format!("/{n}"), Plan::Down);
        here.finish(&send(&here, "GET", &format!("http://h{n}.test/{n}"), None));
    }
    // Three retries are in the budget at the start.
    assert_eq!(asked(&world).len(), 40 + 3);
}

#[test]
fn small_posts_do_not_use_permits_of_uploads() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test", "origin_timeout": 10,
        "protection": { "max_requests": 8, "queue_timeout": 1 },
    });
    let here = place(&world, &settings);
    for (n, reader) in READERS.into_iter().enumerate() {
        plan(&world, &format!("/up/{n}"), Plan::Hang);
        let here = as_reader(&here, reader);
        post(&here, &format!("/up/{n}"), SMALL_BODY_BYTES_MAX + 1, 0);
    }
    world.executor.advance(100);
    assert_eq!(asked(&world).len(), 2);
    plan(&world, "/login", answers(200, 0));
    let login = |length| timed(&here, &post(&here, "/login", length, 300));
    assert_eq!(login(SMALL_BODY_BYTES_MAX), ("200 method".to_owned(), 300));
    assert_eq!(login(0).0, "200 method");
    let (answer, _) = login(SMALL_BODY_BYTES_MAX + 1);
    assert_eq!(answer, "503 method/queued/origin-busy");
}

#[test]
fn slow_small_body_holds_no_permit() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test",
        "protection": { "max_requests": 8, "queue_timeout": 1 },
    });
    let here = place(&world, &settings);
    let slow: Vec<Slot> = (0..100)
        .map(|n| {
            let attacker = as_reader(&here, READERS[n % 2]);
            post(&attacker, &format!("/{n}"), 9, SMALL_BODY_MS)
        })
        .collect();
    plan(&world, "/login", answers(200, 2000));
    for (n, reader) in READERS.into_iter().cycle().take(8).enumerate() {
        plan(&world, &format!("/login/{n}"), answers(200, 2000));
        post(&as_reader(&here, reader), &format!("/login/{n}"), 9, 0);
    }
    world.executor.advance(100);
    assert_eq!(asked(&world).len(), 8);
    for slot in &slow {
        assert_eq!(here.finish(slot), "408 method");
    }
    assert_eq!(asked(&world).len(), 8);
    // A moment earlier is in time.
    plan(&world, "/form", answers(200, 0));
    let in_time = post(&here, "/form", 9, SMALL_BODY_MS - 1);
    assert_eq!(here.finish(&in_time), "200 method");
}

#[test]
fn incomplete_small_body_does_not_reach_origin() {
    let world = World::new(START_MS);
    let here = place(&world, &json!({ "origin": "http://origin.test" }));
    let fields = || [("content-length", "9")].into_iter().collect();
    for body in [
        Bytes::new("half".to_owned(), true),
        Bytes::new("half".to_owned(), false),
    ] {
        let slot = send_with(&here, "POST", "http://a.test/", fields(), Some(body));
        assert_eq!(here.finish(&slot), "400 method");
    }
    assert_eq!(asked(&world), [""; 0]);
}

#[test]
fn slow_posts_of_one_reader_leave_half_of_the_permits_to_others() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test",
        "protection": { "max_requests": 8, "queue_timeout": 1 },
    });
    let here = place(&world, &settings);
    for n in 0..100 {
        plan(&world, &format!("/{n}"), Plan::Hang);
        post(&as_reader(&here, READERS[0]), &format!("/{n}"), 9, 0);
    }
    world.executor.advance(100);
    assert_eq!(asked(&world).len(), 4);
    plan(&world, "/page", answers(200, 0));
    assert_eq!(
        as_reader(&here, READERS[1]).get("/page"),
        "200 no-freshness"
    );
}
