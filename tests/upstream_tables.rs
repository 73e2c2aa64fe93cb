//! Shows in virtual time how origins are asked: until the deadline, after
//! which pauses, in which order, and what becomes of marks that nobody takes
//! back.

#[allow(dead_code, reason = "other tests use the rest")]
mod world;

use edgekeep::cache::breaker::{TRIALS, Verdict};
use edgekeep::cache::gate::LINE_MAX;
use edgekeep::cache::protection::Protection;
use edgekeep::cache::rules::Rules;
use edgekeep::flow::isolate::Isolate;
use edgekeep::flow::keys::Keys;
use edgekeep::flow::origins::{Asker, Origins, Pass, Refusal};
use edgekeep::flow::serve::serve;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::rc::Rc;
use world::place::{LAG_MS, Place, START_MS, Slot, origin};
use world::{Bytes, Plan, World};

fn place(world: &World, settings: &Value) -> Place {
    let rules = Rules::read_json(&settings.to_string()).expect("settings");
    Place {
        world: world.with_clock(0),
        isolate: Rc::new(Isolate::new(rules, Keys::of_default(""))),
    }
}

fn answers(status: u16, slow_ms: u64) -> Plan {
    Plan::Answer {
        slow_ms,
        cut: false,
        status,
        fields: Fields::new(),
        body: status.to_string(),
    }
}

fn plan(world: &World, path: &str, plan: Plan) {
    world.state.borrow_mut().plans.insert(path.to_owned(), plan);
}

const FAILS: Verdict = Verdict::Fails {
    retry_after_ms: None,
};

/// The same isolate, asked by this reader.
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

/// Sends a request with a body, if there is one.
fn send(place: &Place, method: &'static str, url: &str, body: Option<Bytes>) -> Slot {
    let head = RequestHead {
        method: Method::named(method),
        url: Url::parse(url).expect("a URL"),
        fields: Fields::new(),
    };
    let slot = Slot::default();
    let (place, filled) = (place.clone(), Rc::clone(&slot));
    place.clone().world.executor.spawn(async move {
        let answer = serve(&place.world, &place.isolate, head, body).await;
        *filled.borrow_mut() = Some(answer);
    });
    slot
}

/// Sends a POST with a body.
fn upload(place: &Place, path: &str) -> Slot {
    let body = Bytes::new("a=1".to_owned(), false);
    send(place, "POST", &format!("http://a.test{path}"), Some(body))
}

/// What a request gets, and after how many milliseconds.
fn timed(place: &Place, slot: &Slot) -> (String, u64) {
    let began_ms = place.world.executor.now_ms();
    let answer = place.finish(slot);
    (answer, place.world.executor.now_ms() - began_ms)
}

fn asked(world: &World) -> Vec<String> {
    let state = world.state.borrow();
    state.asked.iter().map(|r| r.url.clone()).collect()
}

#[test]
fn nothing_lasts_longer_than_the_deadline() {
    let settings = |retries: u64| {
        json!({
            "origin": "http://origin.test", "backup_origin": "http://backup.test",
            "origin_timeout": 10, "origin_deadline": 15, "defaults": { "retries": retries },
        })
    };
    // Both hang: the second gets what the first has left.
    let world = World::new(START_MS);
    plan(&world, "/a", Plan::Hang);
    plan(&world, "backup /a", Plan::Hang);
    let here = place(&world, &settings(5));
    let (answer, took_ms) = timed(&here, &here.start("/a"));
    assert_eq!((answer.as_str(), took_ms), ("504 backup", 15_000));
    assert_eq!(asked(&world).len(), 2);

    // Nothing is left for the backup, nor for one more repetition; the last
    // answer that came is what remains.
    let world = World::new(START_MS);
    plan(&world, "/a", answers(503, 7000));
    plan(&world, "backup /a", answers(200, 0));
    let here = place(&world, &settings(5));
    let (answer, took_ms) = timed(&here, &here.start("/a"));
    assert_eq!(
        (answer.as_str(), took_ms),
        ("503 retried/no-freshness", 15_000)
    );
    assert_eq!(asked(&world), vec!["http://origin.test/a"; 3]);

    // What a write waits for has an end, too, but not an upload.
    let world = World::new(START_MS);
    plan(&world, "/a", answers(200, 100_000));
    let here = place(&world, &settings(5));
    let (answer, took_ms) = timed(&here, &upload(&here, "/a"));
    assert_eq!((answer.as_str(), took_ms), ("200 method", 100_000));
}

#[test]
fn a_rule_has_its_own_time() {
    let world = World::new(START_MS);
    plan(&world, "/a", Plan::Hang);
    plan(&world, "/b", Plan::Hang);
    let here = place(
        &world,
        &json!({
            "origin": "http://origin.test", "origin_timeout": 10,
            "rules": [{ "path": "/b", "origin_timeout": 3 }, { "path": "/c", "cache": false, "origin_timeout": 2 }],
        }),
    );
    plan(&world, "/c", Plan::Hang);
    for (path, expected_ms) in [("/a", 10_000), ("/b", 3000), ("/c", 2000)] {
        let (answer, took_ms) = timed(&here, &here.start(path));
        assert!(answer.starts_with("504"), "{path}: {answer}");
        assert_eq!(took_ms, expected_ms, "{path}");
    }
}

#[test]
fn repetitions_come_after_growing_pauses() {
    let world = World::new(START_MS);
    plan(&world, "/a", Plan::Down);
    let here = place(
        &world,
        &json!({
            "origin": "http://origin.test", "defaults": { "retries": 5 },
            "protection": { "retry_budget": 100, "breaker_failures": 0 },
        }),
    );
    // The budget has three, and what the requests have earned.
    for (n, repetitions, least_ms, most_ms) in [(1, 4, 750, 2250), (2, 1, 50, 150), (3, 1, 50, 150)]
    {
        let before = asked(&world).len();
        let (answer, took_ms) = timed(&here, &here.start("/a"));
        assert_eq!(answer, "502 retried", "{n}");
        assert_eq!(asked(&world).len() - before, 1 + repetitions, "{n}");
        assert!((least_ms..=most_ms).contains(&took_ms), "{n}: {took_ms}");
    }
}

#[test]
fn a_routed_zone_has_a_backup_too() {
    let world = World::new(START_MS);
    plan(&world, "/a?x=1", Plan::Down);
    plan(&world, "backup /a?x=1", answers(200, 0));
    let settings = json!({ "backup_origin": "http://backup.test", "defaults": { "retries": 0 } });
    let here = place(&world, &settings);
    assert_eq!(here.get("/a?x=1"), "200 backup/no-freshness");
    let urls = ["http://a.test/a?x=1", "http://backup.test/a?x=1"];
    assert_eq!(asked(&world), urls);
    let state = world.state.borrow();
    let hosts = |n: usize| state.asked[n].fields.get("x-forwarded-host");
    assert_eq!((hosts(0), hosts(1)), (None, Some("a.test")));
}

#[test]
fn what_is_purged_between_two_tries_is_not_confirmed_by_the_second() {
    let world = World::new(START_MS);
    origin(&world, "/a", "max-age=1", "old");
    let here = place(&world, &json!({ "origin": "http://origin.test" }));
    assert_eq!(here.get("/a"), "old -");
    world.executor.advance(2000);
    let failing = [answers(503, LAG_MS + 2000)].into();
    world
        .state
        .borrow_mut()
        .next_plans
        .insert("/a".to_owned(), failing);
    let reader = here.start("/a");
    world.executor.advance(1000);
    here.purge(&["url:a.test/a"], &[]);
    // Its validator is still the same.
    origin(&world, "/a", "max-age=600", "new");
    assert_eq!(here.finish(&reader), "new retried/purged");
    let state = world.state.borrow();
    let conditions: Vec<bool> = state
        .asked
        .iter()
        .map(|r| r.fields.has("if-none-match"))
        .collect();
    drop(state);
    assert_eq!(conditions, [false, true, false]);
    // It was asked for after the purge, so it lives.
    assert_eq!(here.get("/a"), "new cache-api");
}

#[test]
fn marks_of_requests_that_never_end_expire() {
    let settings = json!({
        "origin": "http://origin.test",
        "protection": { "max_requests": 1, "queue_timeout": 60 }, "origin_deadline": 600,
    });
    // An upload holds its place for a minute and a second.
    let world = World::new(START_MS);
    plan(&world, "/up", Plan::Hang);
    plan(&world, "/a", answers(200, 0));
    let here = place(&world, &settings);
    let _never = upload(&here, "/up");
    world.executor.advance(2000);
    let (answer, took_ms) = timed(&here, &here.start("/a"));
    assert_eq!(answer, "200 queued/no-freshness");
    assert!((59_000..59_100).contains(&took_ms), "{took_ms}");
}

fn protection(settings: &Value) -> Protection {
    let settings = json!({ "protection": settings });
    let rules = Rules::read_json(&settings.to_string()).expect("settings");
    rules.protection
}

/// A request for a page of a host.
fn asker(host: &str, path: &str) -> Asker {
    Asker::new(host, "http://origin.test", path, path, None)
}

#[test]
fn few_sites_are_remembered_and_those_in_trouble_longest() {
    let limits = &protection(&json!({ "breaker_failures": 1, "breaker_pause": 60 }));
    let origins = Origins::default();
    let ask = |host: &str, path: &str, verdict, ms: u64| {
        let pass = origins.enter(&asker(host, path), None, limits, START_MS + ms, 1000)?;
        pass.leave(verdict, limits, START_MS + ms);
        Ok(())
    };
    let open = |host: &str, ms| {
        for path in ["/1", "/2", "/3"] {
            assert_eq!(ask(host, path, FAILS, ms), Ok(()));
        }
    };
    open("bad.test", 0);
    // Those whose breaker is closed make room.
    for n in 0..5000 {
        let host = format!("{n}.test");
        assert_eq!(ask(&host, "/", Verdict::Works, 0), Ok(()));
        if n % 500 == 0 {
            assert!(ask("bad.test", "/", FAILS, 0).is_err());
        }
    }
    let left = Err(Refusal::Open(60_000));
    assert_eq!(ask("bad.test", "/", Verdict::Works, 0), left);
    // A thousand in trouble: the one used least recently is forgotten, and no
    // other.
    for n in 0..999 {
        open(&format!("{n}-bad.test"), 1 + n);
    }
    for host in ["bad.test", "0-bad.test", "1-bad.test"] {
        assert!(ask(host, "/", FAILS, 1000).is_err());
    }
    open("one-more.test", 1001);
    for host in ["bad.test", "0-bad.test", "1-bad.test", "3-bad.test"] {
        assert!(ask(host, "/", FAILS, 1002).is_err());
    }
    assert_eq!(ask("2-bad.test", "/", Verdict::Works, 1002), Ok(()));
}

#[test]
fn a_pass_that_is_dropped_is_free_for_the_next_request() {
    let limits = &protection(&json!({
        "breaker_failures": 1, "breaker_pause": 60, "max_requests": 1,
    }));
    let origins = Origins::default();
    let page = asker("a.test", "/page");
    let enter = |now_ms| origins.enter(&page, None, limits, now_ms, 300_000);
    // The place.
    let pass = enter(START_MS).expect("a place");
    assert_eq!(enter(START_MS).err(), Some(Refusal::Full(0)));
    drop(pass);
    let pass = enter(START_MS).expect("the place again");
    pass.leave(FAILS, limits, START_MS);
    for path in ["/1", "/2"] {
        let pass = origins.enter(&asker("a.test", path), None, limits, START_MS, 1000);
        pass.expect("a place").leave(FAILS, limits, START_MS);
    }
    // The trial of the half-open breaker.
    let half_open_ms = START_MS + 60_000;
    let trial = enter(half_open_ms).expect("a trial");
    assert_eq!(
        enter(half_open_ms).err(),
        Some(Refusal::Open(300_000)),
        "one trial of a page at a time"
    );
    drop(trial);
    let trial = enter(half_open_ms).expect("the next trial");
    trial.leave(Verdict::Works, limits, half_open_ms);
    assert!(enter(half_open_ms).is_ok());
}

#[test]
fn who_finds_no_place_uses_up_no_trial() {
    let limits = &protection(&json!({
        "breaker_failures": 1, "breaker_pause": 60, "max_requests": 1,
    }));
    let origins = Origins::default();
    let enter = |path: &str, ms| {
        let asker = asker("a.test", path);
        origins.enter(&asker, None, limits, START_MS + ms, 300_000)
    };
    for path in ["/1", "/2", "/3"] {
        enter(path, 0)
            .expect("a place")
            .leave(FAILS, limits, START_MS);
    }
    let _holds = enter("/4", 60_000).expect("a trial");
    for n in 0..TRIALS * 10 {
        let refused = enter(&format!("/more/{n}"), 60_000).err();
        assert_eq!(refused, Some(Refusal::Full(0)));
    }
}

#[test]
fn a_turn_that_is_dropped_leaves_the_line() {
    let limits = &protection(&json!({ "max_requests": 1 }));
    let origins = Origins::default();
    let [a, b, c] = ["/a", "/b", "/c"].map(|path| asker("a.test", path));
    let pass = origins.enter(&a, None, limits, START_MS, 1000);
    let first = origins.queue(&b, START_MS, START_MS + 5000);
    let second = origins.queue(&c, START_MS, START_MS + 5000);
    drop(pass);
    let enter = |asker, turn: Option<&_>| {
        let entered = origins.enter(asker, turn, limits, START_MS, 1000);
        entered.map(drop::<Pass<'_>>)
    };
    assert_eq!(enter(&c, second.as_ref()), Err(Refusal::Full(1)));
    drop(first);
    assert_eq!(enter(&c, second.as_ref()), Ok(()));
}

#[test]
fn a_line_that_is_too_long_refuses_at_once() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test", "origin_timeout": 30,
        "protection": { "max_requests": 2, "queue_timeout": 5 },
    });
    let here = place(&world, &settings);
    for n in 0..2 {
        plan(&world, &format!("/slow/{n}"), Plan::Hang);
        here.start(&format!("/slow/{n}"));
    }
    world.executor.advance(10);
    let waiting: Vec<Slot> = (0..LINE_MAX / 2)
        .map(|n| here.start(&format!("/{n}")))
        .collect();
    world.executor.advance(10);
    let (answer, took_ms) = timed(&here, &here.start("/late"));
    assert_eq!((answer.as_str(), took_ms), ("503 origin-busy", 0));
    // So does a host whose line is short: the others have room.
    plan(&world, "/page", answers(200, 0));
    let (answer, took_ms) = timed(&here, &send(&here, "GET", "http://b.test/page", None));
    assert_eq!((answer.as_str(), took_ms), ("200 no-freshness", 0));
    // Who waits in vain is told so in time.
    let (answer, took_ms) = timed(&here, &waiting[0]);
    assert_eq!(answer, "503 queued/origin-busy");
    assert!(took_ms <= 5000, "{took_ms}");
    // And the line is empty then.
    world.executor.advance(30_000);
    assert_eq!(here.get("/late"), "no such page -");
}

#[test]
fn the_line_is_served_in_order() {
    let world = World::new(START_MS);
    let settings = json!({
        "origin": "http://origin.test", "origin_timeout": 30,
        "protection": { "max_requests": 1, "queue_timeout": 60 },
    });
    let here = place(&world, &settings);
    let mut slots = Vec::new();
    for n in 0..30 {
        plan(&world, &format!("/{n}"), answers(200, 400));
        slots.push(here.start(&format!("/{n}")));
        world.executor.advance(7);
    }
    // More come all the time, as each place becomes free.
    for n in 30..60 {
        plan(&world, &format!("/{n}"), answers(200, 400));
        slots.push(here.start(&format!("/{n}")));
        world.executor.advance(401);
    }
    for slot in &slots {
        here.finish(slot);
    }
    let paths: Vec<String> = (0..60).map(|n| format!("http://origin.test/{n}")).collect();
    assert_eq!(asked(&world), paths);
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
    // The same of several readers is the origin's failure.
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
    // Ports are hosts of their own as they are in keys.
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
    // A write to the same URL is another thing.
    assert!(
        !here
            .finish(&upload(&as_reader(&here, one), "/a?x=1"))
            .contains("retry-after")
    );
    // It may be about that reader alone; but not if three are told so.
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
    // It is an error for a stale copy all the same (RFC 9110 §15).
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
    // An upload that the origin fails after all of it has come does count.
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
