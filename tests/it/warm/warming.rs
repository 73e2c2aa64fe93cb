//! Tests of refreshing URLs of orders into KV, on the ledger's real database:
//! the rate, retries and failures, and the history.

use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::cache::policy::entry::Entry;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::flow::runtime::host::Host;
use edgekeep::http::fields::Fields;
use serde_json::{Value, json};
use std::rc::Rc;
use testkit::stage::{START_MS, Stage, progress, urls};
use testkit::world::Plan;
use testkit::world::place::Place;

#[test]
fn urls_are_fetched_into_kv_five_a_second() {
    let stage = Stage::new(false);
    for n in 0..23 {
        let body = format!("page {n}");
        stage.origin(&format!("/{n}"), 200, "max-age=60", &body);
    }
    let receipt = stage.warm(&urls(23));
    assert_eq!(receipt.refresh, 23);
    assert_eq!(stage.told(&receipt).refresh, progress(23, 0, 0, None));
    assert_eq!(stage.next_due(), Some(START_MS));
    let mut fetched = Vec::new();
    while stage.run() {
        fetched.push((stage.world.now_ms() - START_MS, stage.asked()));
    }
    // Two rounds a run, four URLs and 800 ms a round.
    assert_eq!(fetched, [(1600, 8), (3200, 16), (4800, 23)]);
    assert_eq!(stage.told(&receipt).refresh, progress(0, 23, 0, None));
    assert_eq!(stage.in_kv().len(), 23);
    let request = stage.world.state.borrow().asked[0].clone();
    assert_eq!(request.url, "http://origin.test/0");
    let expected = [
        ("accept-encoding", "br, gzip, zstd"),
        (
            "user-agent",
            concat!("Edgekeep/", env!("CARGO_PKG_VERSION")),
        ),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.test"),
    ];
    assert_eq!(request.fields, expected.into_iter().collect::<Fields>());
}

#[test]
fn fetched_entry_has_sequence_number_of_its_order() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60", "page");
    for order in 1..=3 {
        stage.purge(&["tag:other"]);
        let receipt = stage.warm(&urls(1));
        assert_eq!(receipt.sequence, order * 2);
        stage.run_out();
        let state = stage.world.state.borrow();
        let (text, ..) = state.kv.values().next().expect("an entry");
        let entry = Entry::decode(text).expect("an entry");
        assert_eq!(entry.seen, receipt.sequence);
    }
}

#[test]
fn copy_that_is_fresh_under_the_order_is_not_fetched() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60", "old");
    stage.warm(&urls(1));
    stage.run_out();
    assert_eq!((stage.asked(), stage.in_kv()), (1, vec!["old".to_owned()]));
    // It is stale now.
    stage.origin("/0", 200, "max-age=60", "new");
    stage.warm(&urls(1));
    let again = stage.warm(&urls(1));
    stage.run_out();
    assert_eq!(stage.in_kv(), ["new"]);
    // One fetch for both orders.
    assert_eq!(stage.asked(), 2);
    assert_eq!(stage.told(&again).refresh, progress(0, 1, 0, None));
    stage.order(Order {
        soft: vec!["tag:other".to_owned()],
        refresh: urls(1),
        ..Order::default()
    });
    stage.run_out();
    assert_eq!(stage.asked(), 2);
}

#[test]
fn unchanged_page_is_revalidated() {
    let stage = Stage::new(false);
    let page = || Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 200,
        fields: [("cache-control", "max-age=60"), ("etag", "\"1\"")]
            .into_iter()
            .collect(),
        body: "page".to_owned(),
    };
    stage.plan("/0", page());
    stage.warm(&urls(1));
    stage.run_out();
    stage.warm(&urls(1));
    stage.run_out();
    let state = stage.world.state.borrow();
    assert_eq!(state.asked[1].fields.get("if-none-match"), Some("\"1\""));
    let log: Value = serde_json::from_str(state.log.last().expect("a line")).expect("JSON");
    assert_eq!(log["event"], "refresh");
    assert_eq!(log["cache"], "revalidated");
    assert_eq!(log["stores"], json!(["cache-api", "kv"]));
}

#[test]
fn refresh_is_retried_after_a_failure_of_origin() {
    for (plan, problem) in [
        (Plan::Down, "the origin gave no answer"),
        (Plan::Hang, "the origin gave no answer"),
        (status(503), "origin: status 503"),
        (status(429), "origin: status 429"),
    ] {
        let stage = Stage::new(false);
        stage.plan("/0", plan);
        let receipt = stage.warm(&urls(1));
        assert!(stage.run());
        let refresh = stage.told(&receipt).refresh;
        assert_eq!(refresh, progress(1, 0, 0, Some(problem)));
        stage.origin("/0", 200, "max-age=60", "page");
        stage.run_out();
        let refresh = stage.told(&receipt).refresh;
        assert_eq!(refresh, progress(0, 1, 0, Some(problem)));
        assert_eq!(stage.in_kv(), ["page"]);
    }
}

#[test]
fn backup_origin_has_its_own_timeout() {
    let settings = json!({
        "origin_timeout": 40, "origin_deadline": 100, "backup_origin": "http://backup.test",
    });
    let stage = Stage::with(false, settings);
    stage.plan("/0", Plan::Hang);
    let page = Plan::Answer {
        slow_ms: 35_000,
        cut: false,
        status: 200,
        fields: [("cache-control", "max-age=60")].into_iter().collect(),
        body: "page".to_owned(),
    };
    stage.plan("backup /0", page);
    let receipt = stage.warm(&urls(1));
    assert!(stage.run());
    assert_eq!(stage.told(&receipt).refresh, progress(0, 1, 0, None));
    assert_eq!(stage.in_kv(), ["page"]);
}

fn status(status: u16) -> Plan {
    Plan::Answer {
        slow_ms: 0,
        cut: false,
        status,
        fields: Fields::new(),
        body: "trouble".to_owned(),
    }
}

#[test]
fn refresh_is_given_up_after_three_attempts() {
    let stage = Stage::new(false);
    stage.plan("/0", Plan::Down);
    let receipt = stage.warm(&urls(1));
    let mut seconds = Vec::new();
    while let Some(due_ms) = stage.next_due() {
        seconds.push((due_ms - START_MS) / 1000);
        stage.run();
    }
    assert_eq!(seconds, [0, 5, 15]);
    // Each attempt makes two requests, because a safe request is retried.
    assert_eq!(stage.asked(), 6);
    let problem = Some("the origin gave no answer");
    assert_eq!(stage.told(&receipt).refresh, progress(0, 0, 1, problem));
}

#[test]
fn stale_copy_does_not_count_as_refresh() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60, stale-if-error=600", "old");
    stage.warm(&urls(1));
    stage.run_out();
    stage.plan("/0", status(503));
    let receipt = stage.warm(&urls(1));
    stage.run_out();
    let problem = Some("origin: status 503");
    assert_eq!(stage.told(&receipt).refresh, progress(0, 0, 1, problem));
    assert_eq!(stage.in_kv(), ["old"]);
}

#[test]
fn refresh_is_retried_after_a_failed_kv_write() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60", "page");
    stage.world.state.borrow_mut().down.push("kv");
    let receipt = stage.warm(&urls(1));
    assert!(stage.run());
    let problem = Some("kv: lost");
    assert_eq!(stage.told(&receipt).refresh, progress(1, 0, 0, problem));
    stage.world.state.borrow_mut().down.clear();
    stage.run_out();
    assert_eq!(stage.told(&receipt).refresh, progress(0, 1, 0, problem));
    assert_eq!(stage.in_kv(), ["page"]);
}

#[test]
fn refresh_succeeds_without_the_cache_api() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60", "page");
    stage.world.state.borrow_mut().down.push("cache-api");
    let receipt = stage.warm(&urls(1));
    stage.run_out();
    assert_eq!(stage.told(&receipt).refresh, progress(0, 1, 0, None));
    assert_eq!(stage.in_kv(), ["page"]);
}

/// Returns the response to a client that accepts this language, and its source.
fn get(stage: &Stage, language: &str) -> String {
    let place = Place {
        world: stage.world.clone(),
        isolate: Rc::clone(&stage.isolate),
    };
    let fields = [("accept-language", language)].into_iter().collect();
    place.finish(&place.start_with("https://a.test/0", fields))
}

#[test]
fn refresh_does_not_replace_variants_of_clients() {
    // One variant for requests without a preferred language, another for
    // others: RFC 9111 §4.1.
    let page = |body: &str| Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 200,
        fields: [
            ("cache-control", "max-age=600"),
            ("vary", "accept-language"),
        ]
        .into_iter()
        .collect(),
        body: body.to_owned(),
    };
    let stage = Stage::new(false);
    stage.plan("/0", page("hallo"));
    assert_eq!(get(&stage, "de"), "hallo -");
    assert_eq!(get(&stage, "de"), "hallo cache-api");
    assert!(stage.in_kv().is_empty());
    stage.plan("/0", page("hello"));
    // An order that purges something else, as an order to warm does.
    let warm = || Order {
        soft: vec!["tag:other".to_owned()],
        refresh: urls(1),
        ..Order::default()
    };
    stage.order(warm());
    stage.run_out();
    assert_eq!(stage.in_kv(), ["hello"]);
    assert_eq!(get(&stage, "de"), "hallo cache-api");
    assert_eq!(stage.asked(), 2);
    // Requests of clients do not replace what was fetched either.
    stage.plan("/0", page("bonjour"));
    assert_eq!(get(&stage, "fr"), "bonjour -");
    assert_eq!(get(&stage, "fr"), "bonjour cache-api");
    stage.order(warm());
    stage.run_out();
    assert_eq!(stage.asked(), 3);
}

#[test]
fn cache_api_copy_is_revalidated_into_kv() {
    let stage = Stage::new(false);
    let page = || Plan::Answer {
        slow_ms: 0,
        cut: false,
        status: 200,
        fields: [("cache-control", "max-age=600"), ("etag", "\"1\"")]
            .into_iter()
            .collect(),
        body: "page".to_owned(),
    };
    stage.plan("/0", page());
    assert_eq!(get(&stage, "de"), "page -");
    let receipt = stage.order(Order {
        soft: vec!["tag:other".to_owned()],
        refresh: urls(1),
        ..Order::default()
    });
    stage.run_out();
    assert_eq!(stage.in_kv(), ["page"]);
    assert_eq!(stage.told(&receipt).refresh, progress(0, 1, 0, None));
    let state = stage.world.state.borrow();
    assert_eq!(state.asked[1].fields.get("if-none-match"), Some("\"1\""));
}

#[test]
fn refresh_that_kv_may_not_hold_fails_with_the_reason() {
    #[track_caller]
    fn check(settings: Value, url: &str, cache_control: &str, expected: &str) {
        let stage = Stage::with(false, settings);
        let plan = Plan::Answer {
            slow_ms: 0,
            cut: false,
            status: 200,
            fields: [("cache-control", cache_control), ("etag", "\"1\"")]
                .into_iter()
                .collect(),
            body: "page".to_owned(),
        };
        stage.plan("/0", plan);
        let receipt = stage.warm(&[url.to_owned()]);
        stage.run_out();
        let refresh = stage.told(&receipt).refresh;
        assert_eq!(refresh, progress(0, 0, 1, Some(expected)));
        assert!(stage.asked() <= 1);
    }
    let (url, max_age) = ("https://a.test/0", "max-age=60");
    let none = || json!({});
    let kv = json!({ "defaults": { "kv": false } });
    check(kv, url, max_age, "its rule says kv = false");
    let cache = json!({ "defaults": { "cache": false } });
    check(cache, url, max_age, "it is not cached: rule");
    check(
        none(),
        "https://a.test/.edgekeep/purge",
        max_age,
        "it is an address of Edgekeep's own",
    );
    check(
        none(),
        "no URL",
        max_age,
        "the URL must begin with http:// or https://",
    );
    check(
        none(),
        url,
        "private",
        "origin: status 200; not kept in KV: private",
    );
    check(
        none(),
        url,
        "",
        "origin: status 200; not kept in KV: no-freshness",
    );
    check(
        none(),
        url,
        "no-cache",
        "origin: status 200; not kept in KV: for a data centre alone",
    );
}

#[test]
fn refreshes_count_in_the_daily_write_budget() {
    let stage = Stage::with(false, json!({ "kv_writes_per_day": 5 }));
    for n in 0..8 {
        // Too short for `kv_min_ttl`, which does not apply to orders.
        stage.origin(&format!("/{n}"), 200, "max-age=30", &format!("page {n}"));
    }
    let ledger_count = || {
        let total = "SELECT writes FROM kv_day";
        stage.world.database.number(total, &[]).expect("a number")
    };
    stage.warm(&urls(3));
    stage.run_out();
    // The last write is reported, too, because no later query may follow.
    assert_eq!((stage.in_kv().len(), ledger_count()), (3, 3));
    let receipt = stage.warm(&urls(8)[3..]);
    stage.run_out();
    let problem = Some("not kept in KV: kv-budget-spent");
    assert_eq!(stage.told(&receipt).refresh, progress(0, 2, 3, problem));
    assert_eq!((stage.in_kv().len(), ledger_count()), (5, 5));
}

#[test]
fn refreshes_fail_while_kv_writes_are_paused() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60", "page");
    stage.origin("/1", 200, "max-age=60", "page");
    stage.world.state.borrow_mut().down.push("kv-writes");
    let receipt = stage.warm(&urls(2));
    stage.run_out();
    let refresh = stage.told(&receipt).refresh;
    assert_eq!((refresh.done, refresh.failed), (0, 2));
    assert_eq!(refresh.problem.as_deref(), Some("kv: kv-writes-paused"));
    // The first write detected it; then the breaker paused KV.
    assert!(stage.world.state.borrow().kv_writes <= 2);
}

#[test]
fn refresh_interrupted_by_restart_is_due_again() {
    let stage = Stage::new(false);
    stage.origin("/0", 200, "max-age=60", "page");
    let plan = Plan::Answer {
        slow_ms: 1500,
        cut: false,
        status: 200,
        fields: [("cache-control", "max-age=60")].into_iter().collect(),
        body: "page".to_owned(),
    };
    stage.plan("/0", plan);
    let receipt = stage.warm(&urls(1));
    // The attempt is recorded before the request is made.
    let _first = stage.start();
    stage.world.executor.settle();
    assert_eq!(stage.asked(), 1);
    assert_eq!(stage.told(&receipt).refresh, progress(1, 0, 0, None));
    assert_eq!(stage.next_due(), Some(START_MS + 5000));
}

#[test]
fn oldest_refreshes_beyond_ten_thousand_are_given_up() {
    let stage = Stage::new(false);
    let orders: Vec<Receipt> = (0..11).map(|_| stage.warm(&urls(1000))).collect();
    let problem = Some("more than 10000 were waiting");
    let refresh = stage.told(&orders[0]).refresh;
    assert_eq!(refresh, progress(0, 0, 1000, problem));
    for order in &orders[1..] {
        assert_eq!(stage.told(order).refresh, progress(1000, 0, 0, None));
    }
    let rows = stage
        .world
        .database
        .number("SELECT COUNT(*) FROM work", &[]);
    assert_eq!(rows, Ok(10_000));
}
