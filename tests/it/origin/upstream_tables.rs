//! Tests in virtual time of requests to origins: the deadline, the pauses, the
//! order, and permits and trials that are never returned.

#[allow(dead_code, reason = "other tests use the rest")]
use edgekeep::cache::config::protection::Protection;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::origin::circuit_breaker::{ResponseVerdict, TRIALS};
use edgekeep::cache::origin::concurrency_limit::QUEUE_MAX;
use edgekeep::flow::isolate::origins::{Admission, OriginCaller, Origins, Refusal};
use serde_json::{Value, json};
use testkit::origin::{answers, asked, place, plan, send, timed, upload};
use testkit::world::place::{LAG_MS, START_MS, Slot, origin};
use testkit::world::{Plan, World};

const FAILS: ResponseVerdict = ResponseVerdict::Fails {
    retry_after_ms: None,
};

#[test]
fn origin_requests_end_at_the_deadline() {
    let settings = |retries: u64| {
        json!({
            "origin": "http://origin.test", "backup_origin": "http://backup.test",
            "origin_timeout": 10, "origin_deadline": 15, "defaults": { "retries": retries },
        })
    };
    // Both origins hang: the second gets the rest of the time.
    let world = World::new(START_MS);
    plan(&world, "/a", Plan::Hang);
    plan(&world, "backup /a", Plan::Hang);
    let here = place(&world, &settings(5));
    let (answer, took_ms) = timed(&here, &here.start("/a"));
    assert_eq!((answer.as_str(), took_ms), ("504 backup", 15_000));
    assert_eq!(asked(&world).len(), 2);

    // No time is left for the backup or another retry; the last response is
    // used.
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

    // The wait of a write is limited, too, but not that of an upload.
    let world = World::new(START_MS);
    plan(&world, "/a", answers(200, 100_000));
    let here = place(&world, &settings(5));
    let (answer, took_ms) = timed(&here, &upload(&here, "/a"));
    assert_eq!((answer.as_str(), took_ms), ("200 method", 100_000));
}

#[test]
fn rule_sets_its_own_origin_timeout() {
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
fn retries_wait_for_growing_pauses_within_their_budget() {
    let world = World::new(START_MS);
    plan(&world, "/a", Plan::Down);
    let here = place(
        &world,
        &json!({
            "origin": "http://origin.test", "defaults": { "retries": 5 },
            "protection": { "retry_budget": 100, "breaker_failures": 0 },
        }),
    );
    // The budget has three retries, and those that the requests have earned.
    for (n, retries, least_ms, most_ms) in [(1, 4, 750, 2250), (2, 1, 50, 150), (3, 1, 50, 150)] {
        let before = asked(&world).len();
        let (answer, took_ms) = timed(&here, &here.start("/a"));
        assert_eq!(answer, "502 retried", "{n}");
        assert_eq!(asked(&world).len() - before, 1 + retries, "{n}");
        assert!((least_ms..=most_ms).contains(&took_ms), "{n}: {took_ms}");
    }
}

#[test]
fn routed_zone_uses_backup_origin() {
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
fn copy_purged_between_tries_is_not_revalidated_by_the_retry() {
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
    // Its validator has not changed.
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
    // It was requested after the purge, so it is not purged.
    assert_eq!(here.get("/a"), "new cache-api");
}

#[test]
fn permit_of_endless_upload_expires() {
    let settings = json!({
        "origin": "http://origin.test",
        "protection": { "max_requests": 1, "queue_timeout": 60 }, "origin_deadline": 600,
    });
    // An upload holds its permit for a minute and a second.
    let world = World::new(START_MS);
    plan(&world, "/up", Plan::Hang);
    plan(&world, "/a", answers(200, 0));
    let here = place(&world, &settings);
    let _endless = upload(&here, "/up");
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

/// The caller of a request for a page of a host.
fn caller(host: &str, path: &str) -> OriginCaller {
    OriginCaller::new(host, "http://origin.test", path, path, None)
}

#[test]
fn site_table_is_bounded_and_evicts_closed_breakers_first() {
    let limits = &protection(&json!({ "breaker_failures": 1, "breaker_pause": 60 }));
    let origins = Origins::default();
    let try_request = |host: &str, path: &str, verdict, ms: u64| {
        let pass = origins.enter(&caller(host, path), None, limits, START_MS + ms, 1000)?;
        pass.leave(verdict, limits, START_MS + ms);
        Ok(())
    };
    let open = |host: &str, ms| {
        for path in ["/1", "/2", "/3"] {
            assert_eq!(try_request(host, path, FAILS, ms), Ok(()));
        }
    };
    open("bad.test", 0);
    // Sites with a closed breaker are evicted first.
    for n in 0..5000 {
        let host = format!("{n}.test");
        assert_eq!(try_request(&host, "/", ResponseVerdict::Works, 0), Ok(()));
        if n % 500 == 0 {
            assert!(try_request("bad.test", "/", FAILS, 0).is_err());
        }
    }
    let refused = Err(Refusal::Open(60_000));
    assert_eq!(
        try_request("bad.test", "/", ResponseVerdict::Works, 0),
        refused
    );
    // Of a thousand sites with an open breaker only the least recently used
    // one is evicted.
    for n in 0..999 {
        open(&format!("{n}-bad.test"), 1 + n);
    }
    for host in ["bad.test", "0-bad.test", "1-bad.test"] {
        assert!(try_request(host, "/", FAILS, 1000).is_err());
    }
    open("one-more.test", 1001);
    for host in ["bad.test", "0-bad.test", "1-bad.test", "3-bad.test"] {
        assert!(try_request(host, "/", FAILS, 1002).is_err());
    }
    assert_eq!(
        try_request("2-bad.test", "/", ResponseVerdict::Works, 1002),
        Ok(())
    );
}

#[test]
fn dropped_admission_frees_its_permit_and_trial() {
    let limits = &protection(&json!({
        "breaker_failures": 1, "breaker_pause": 60, "max_requests": 1,
    }));
    let origins = Origins::default();
    let page = caller("a.test", "/page");
    let enter = |now_ms| origins.enter(&page, None, limits, now_ms, 300_000);
    // The permit.
    let pass = enter(START_MS).expect("a permit");
    assert_eq!(enter(START_MS).err(), Some(Refusal::Full(0)));
    drop(pass);
    let pass = enter(START_MS).expect("the permit again");
    pass.leave(FAILS, limits, START_MS);
    for path in ["/1", "/2"] {
        let pass = origins.enter(&caller("a.test", path), None, limits, START_MS, 1000);
        pass.expect("a permit").leave(FAILS, limits, START_MS);
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
    trial.leave(ResponseVerdict::Works, limits, half_open_ms);
    assert!(enter(half_open_ms).is_ok());
}

#[test]
fn request_without_permit_uses_no_trial() {
    let limits = &protection(&json!({
        "breaker_failures": 1, "breaker_pause": 60, "max_requests": 1,
    }));
    let origins = Origins::default();
    let enter = |path: &str, ms| {
        let caller = caller("a.test", path);
        origins.enter(&caller, None, limits, START_MS + ms, 300_000)
    };
    for path in ["/1", "/2", "/3"] {
        enter(path, 0)
            .expect("a permit")
            .leave(FAILS, limits, START_MS);
    }
    let _holds = enter("/4", 60_000).expect("a trial");
    for n in 0..TRIALS * 10 {
        let refused = enter(&format!("/more/{n}"), 60_000).err();
        assert_eq!(refused, Some(Refusal::Full(0)));
    }
}

#[test]
fn dropped_turn_leaves_the_queue() {
    let limits = &protection(&json!({ "max_requests": 1 }));
    let origins = Origins::default();
    let [a, b, c] = ["/a", "/b", "/c"].map(|path| caller("a.test", path));
    let pass = origins.enter(&a, None, limits, START_MS, 1000);
    let first = origins.queue(&b, START_MS, START_MS + 5000);
    let second = origins.queue(&c, START_MS, START_MS + 5000);
    drop(pass);
    let enter = |caller, turn: Option<&_>| {
        let entered = origins.enter(caller, turn, limits, START_MS, 1000);
        entered.map(drop::<Admission<'_>>)
    };
    assert_eq!(enter(&c, second.as_ref()), Err(Refusal::Full(1)));
    drop(first);
    assert_eq!(enter(&c, second.as_ref()), Ok(()));
}

#[test]
fn full_queue_refuses_at_once() {
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
    world.executor.advance(30);
    let waiting: Vec<Slot> = (0..QUEUE_MAX / 2)
        .map(|n| here.start(&format!("/{n}")))
        .collect();
    world.executor.advance(30);
    let (answer, took_ms) = timed(&here, &here.start("/late"));
    assert_eq!((answer.as_str(), took_ms), ("503 origin-busy", 0));
    // Another host of the origin is admitted: its share of permits is free.
    plan(&world, "/page", answers(200, 0));
    let (answer, took_ms) = timed(&here, &send(&here, "GET", "http://b.test/page", None));
    assert_eq!((answer.as_str(), took_ms), ("200 no-freshness", 0));
    // Requests that wait in vain receive an error in time.
    let (answer, took_ms) = timed(&here, &waiting[0]);
    assert_eq!(answer, "503 queued/origin-busy");
    assert!(took_ms <= 5000, "{took_ms}");
    // After that the queue is empty.
    world.executor.advance(30_000);
    assert_eq!(here.get("/late"), "no such page -");
}

#[test]
fn queue_is_served_in_order() {
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
    // More requests arrive each time a permit becomes free.
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
