//! Shows in virtual time that one page, client or host does not make an origin
//! unreachable for the others.

#[allow(dead_code, reason = "other tests use the rest")]
use edgekeep::flow::fetch::pass::{SMALL_BODY_BYTES_MAX, SMALL_BODY_MS};
use serde_json::{Value, json};
use testkit::origin::{answers, asked, place, plan, send, send_with, timed, upload};
use testkit::world::place::{Place, START_MS, Slot, origin};
use testkit::world::{Bytes, Plan, World};

/// The same isolate, with requests of this client.
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

/// Sends a POST with this `Content-Length`, whose body arrives after some time.
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
fn a_page_with_a_thousand_queries_is_one_page() {
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
fn a_page_that_hangs_does_not_close_the_others_to_its_readers() {
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
fn one_reader_whose_requests_make_the_origin_hang_up_does_not_close_it() {
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
    // The same failure for several clients is the origin's.
    for (reader, n) in READERS.into_iter().skip(1).zip(0..) {
        as_reader(&here, reader).get(&format!("/{n}"));
    }
    assert_eq!(as_reader(&here, READERS[2]).get("/99"), "503 circuit-open");
}

#[test]
fn one_host_of_an_origin_does_not_close_the_others() {
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
    // As in keys, another port is another host.
    assert_eq!(get("tenant.test:8080", "/page"), "200 no-freshness");
}

fn asks_for_rest(seconds: u64) -> Plan {
    Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 503,
        fields: [("retry-after", seconds.to_string())].into_iter().collect(),
        body: "later".to_owned(),
    }
}

#[test]
fn retry_after_holds_for_its_url_and_its_reader() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    let get = |reader, path: &str| as_reader(&here, reader).get(path);
    let [one, two, three, four, _] = READERS;
    plan(&world, "/a?x=1", asks_for_rest(3600));
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
    // A `Retry-After` may be for this client only; but not if three get one.
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
fn what_works_after_all_is_not_left_alone() {
    let world = World::new(START_MS);
    let mut settings = breaker_settings();
    settings["rules"] = json!([{ "path": "/*", "cache": false }]);
    let here = as_reader(&place(&world, &settings), READERS[0]);
    plan(&world, "/a", answers(200, 1000));
    let slow = here.start("/a");
    world.executor.advance(100);
    plan(&world, "/a", asks_for_rest(3600));
    assert_eq!(here.get("/a"), "later rule");
    assert_eq!(here.get("/a"), "503 rule/retry-after");
    assert_eq!(here.finish(&slow), "200 rule");
    plan(&world, "/a", answers(200, 0));
    assert_eq!(here.get("/a"), "200 rule");
}

#[test]
fn a_number_that_is_no_status_is_one_pages_fault() {
    let world = World::new(START_MS);
    let here = place(&world, &breaker_settings());
    origin(&world, "/old", "max-age=1, stale-if-error=600", "old");
    assert_eq!(here.get("/old"), "old -");
    world.executor.advance(2000);
    for n in 0..20 {
        plan(&world, &format!("/{n}"), Plan::NoStatus(999));
        assert_eq!(here.get(&format!("/{n}")), "502 -", "{n}");
    }
    // It still counts as an error for a stale copy (RFC 9110 §15).
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
fn an_upload_that_its_client_breaks_off_counts_for_nothing() {
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
    // An upload that the origin fails after receiving all of it does count.
    for (n, reader) in READERS.into_iter().take(4).enumerate() {
        plan(&world, &format!("/{n}"), answers(503, 0));
        upload(&as_reader(&here, reader), &format!("/{n}"));
    }
    world.executor.advance(100);
    assert_eq!(here.get("/page"), "200 no-freshness", "it has worked");
    assert_eq!(here.get("/other"), "503 circuit-open");
}

#[test]
fn open_uploads_leave_three_quarters_of_the_places_to_reads() {
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
fn made_up_hosts_bring_no_repetitions_of_their_own() {
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
    // Three are there at the start.
    assert_eq!(asked(&world).len(), 40 + 3);
}

#[test]
fn small_posts_do_not_share_the_places_of_uploads() {
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
fn who_sends_a_small_body_slowly_holds_no_place() {
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
    // A moment less is in time.
    plan(&world, "/form", answers(200, 0));
    let in_time = post(&here, "/form", 9, SMALL_BODY_MS - 1);
    assert_eq!(here.finish(&in_time), "200 method");
}

#[test]
fn a_small_body_that_breaks_off_never_reaches_the_origin() {
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
fn posts_that_the_origin_takes_long_for_leave_half_to_others() {
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
