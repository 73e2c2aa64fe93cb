//! Tests of the fast lane, on the ledger's real database: the calls of the
//! zone's own purge API that orders cause, their rate, retries and failures,
//! and the history.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::cache::purge::zone_purge::ZoneResponse;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::flow::runtime::host::Host;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use testkit::stage::{NOTHING, START_MS, Stage, progress, says, urls};

#[test]
fn alarm_is_not_set_without_work() {
    for fast_lane in [false, true] {
        let stage = Stage::new(fast_lane);
        assert_eq!(stage.next_due(), None);
        let receipt = stage.order(Order {
            soft: vec!["tag:x".to_owned()],
            ..Order::default()
        });
        assert_eq!((receipt.fast_lane, receipt.refresh), (0, 0));
        assert_eq!(stage.next_due(), None);
    }
    let stage = Stage::new(false);
    assert_eq!(stage.purge(&["tag:x"]).fast_lane, 0);
    assert_eq!(stage.next_due(), None);
}

#[test]
fn hard_order_calls_the_zone_and_is_counted_in_its_receipt() {
    let stage = Stage::new(true);
    let receipt = stage.purge(&["tag:front"]);
    assert_eq!(receipt.fast_lane, 1);
    assert_eq!(stage.next_due(), Some(START_MS));
    assert_eq!(stage.told(&receipt).fast_lane, progress(1, 0, 0, None));
    assert!(stage.run());
    let calls = [(0, json!({ "tags": ["front"] }))];
    assert_eq!(stage.zone_calls(), calls);
    let past = stage.told(&receipt);
    assert_eq!(past.fast_lane, progress(0, 1, 0, None));
    assert_eq!(past.refresh, NOTHING);
    assert_eq!(stage.next_due(), None);
    // The same order again adds no work.
    stage.orders.set(0);
    assert_eq!(stage.purge(&["tag:front"]), receipt);
    assert_eq!(stage.next_due(), None);
}

#[test]
fn write_does_not_call_the_zone() {
    let stage = Stage::new(true);
    let order = Order {
        hard: vec!["url:a.test/".to_owned()],
        ..Order::default()
    };
    let reply = stage
        .world
        .ledger
        .borrow()
        .append(&order, START_MS)
        .expect("reply");
    assert_eq!(reply.receipt.expect("a receipt").fast_lane, 0);
    assert_eq!(stage.next_due(), None);
}

#[test]
fn large_order_is_sent_in_batches_of_a_hundred() {
    let stage = Stage::new(true);
    let names: Vec<String> = (0..250).map(|n| format!("tag:t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let receipt = stage.purge(&names);
    assert_eq!(receipt.fast_lane, 3);
    stage.run_out();
    let sizes = stage.zone_calls().into_iter();
    let sizes: Vec<usize> = sizes
        .map(|(_, body)| body["tags"].as_array().expect("tags").len())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 3, 0, None));
}

#[test]
fn small_waiting_orders_share_a_call_and_keep_their_own_records() {
    let stage = Stage::new(true);
    let one = stage.purge(&["tag:a", "tag:b"]);
    let other = stage.purge(&["tag:b", "tag:c"]);
    stage.zone_says([says(503, None)]);
    assert!(stage.run());
    let together = json!({ "tags": ["a", "b", "c"] });
    assert_eq!(stage.zone_calls(), [(0, together)]);
    let problem = Some("status 503: 971 Please wait");
    for receipt in [&one, &other] {
        assert_eq!(stage.told(receipt).fast_lane, progress(1, 0, 0, problem));
    }
    // A failed call is retried alone.
    stage.run_out();
    let calls = stage.zone_calls();
    assert_eq!(calls[1], (1, json!({ "tags": ["a", "b"] })));
    assert_eq!(calls[2], (1, json!({ "tags": ["b", "c"] })));
    assert_eq!(calls.len(), 3);
    for receipt in [&one, &other] {
        assert_eq!(stage.told(receipt).fast_lane, progress(0, 1, 0, problem));
    }
}

#[test]
fn failed_call_is_retried_without_new_orders() {
    let stage = Stage::new(true);
    stage.zone_says([says(503, None)]);
    stage.purge(&["tag:old"]);
    assert!(stage.run());
    stage.world.executor.advance(1000);
    stage.purge(&["tag:new"]);
    stage.run_out();
    let bodies: Vec<Value> = stage.zone_calls().into_iter().map(|(_, b)| b).collect();
    let [old, new] = ["old", "new"].map(|tag| json!({ "tags": [tag] }));
    assert_eq!(bodies, [old.clone(), old, new]);
}

#[test]
fn refused_order_does_not_fail_others_of_its_call() {
    let stage = Stage::new(true);
    let good = stage.purge(&["tag:good"]);
    let bad = stage.purge(&["tag:bad"]);
    stage.zone_says([
        says(400, None),
        None.or(says(200, None)).map(|_| ok()),
        says(400, None),
    ]);
    stage.run_out();
    let bodies: Vec<Value> = stage.zone_calls().into_iter().map(|(_, b)| b).collect();
    assert_eq!(
        bodies,
        [
            json!({ "tags": ["good", "bad"] }),
            json!({ "tags": ["good"] }),
            json!({ "tags": ["bad"] })
        ]
    );
    let problem = Some("status 400: 971 Please wait");
    assert_eq!(stage.told(&good).fast_lane, progress(0, 1, 0, problem));
    assert_eq!(stage.told(&bad).fast_lane, progress(0, 0, 1, problem));
}

fn ok() -> Result<ZoneResponse, String> {
    Ok(ZoneResponse {
        status: 200,
        retry_after_seconds: None,
        text: r#"{"success":true}"#.to_owned(),
    })
}

#[test]
fn purge_everything_covers_waiting_calls() {
    let stage = Stage::new(true);
    stage.purge(&["tag:a"]);
    let all = stage.purge(&["everything"]);
    let late = stage.purge(&["tag:b"]);
    stage.run_out();
    let calls = [(0, json!({ "purge_everything": true }))];
    assert_eq!(stage.zone_calls(), calls);
    assert_eq!(stage.told(&all).fast_lane, progress(0, 1, 0, None));
    assert_eq!(stage.told(&late).fast_lane, progress(0, 1, 0, None));
}

#[test]
fn calls_keep_to_the_configured_rate() {
    let stage = Stage::new(true);
    let names: Vec<String> = (0..3000).map(|n| format!("tag:t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let receipt = stage.purge(&names);
    assert_eq!(receipt.fast_lane, 30);
    stage.run_out();
    let seconds: Vec<u64> = stage.zone_calls().iter().map(|(at, _)| *at).collect();
    assert_eq!(seconds[..25], [0; 25]);
    assert_eq!(seconds[25..], [12, 24, 36, 48, 60]);
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 30, 0, None));

    let settings = json!({ "fast_lane": { "requests_per_minute": 60, "bucket": 1 } });
    let stage = Stage::with(true, settings);
    stage.purge(&names[..300]);
    stage.run_out();
    let seconds: Vec<u64> = stage.zone_calls().iter().map(|(at, _)| *at).collect();
    assert_eq!(seconds, [0, 1, 2]);
}

/// The zone uses a token when a call arrives. That may be long after it was
/// sent, and the next call may arrive earlier.
#[test]
fn rate_is_counted_from_responses() {
    let settings = json!({ "fast_lane": { "requests_per_minute": 60, "bucket": 1 } });
    let stage = Stage::with(true, settings);
    stage.world.state.borrow_mut().zone_slow_ms = 4000;
    let names: Vec<String> = (0..200).map(|n| format!("tag:t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.purge(&names);
    stage.run_out();
    let seconds: Vec<u64> = stage.zone_calls().iter().map(|(at, _)| *at).collect();
    assert_eq!(seconds, [0, 5]);
}

#[test]
fn retry_after_of_429_pauses_all_calls() {
    let stage = Stage::new(true);
    stage.zone_says([says(429, Some(30))]);
    let first = stage.purge(&["tag:a"]);
    assert!(stage.run());
    let second = stage.purge(&["tag:b"]);
    stage.run_out();
    let calls = stage.zone_calls();
    // The bucket was empty: the next token takes one more interval.
    assert_eq!(calls[1], (30, json!({ "tags": ["b"] })));
    assert_eq!(calls[2], (42, json!({ "tags": ["a"] })));
    assert_eq!(calls.len(), 3);
    assert_eq!(stage.told(&first).fast_lane.done, 1);
    assert_eq!(stage.told(&second).fast_lane, progress(0, 1, 0, None));
}

#[test]
fn failed_call_is_retried_with_backoff_and_then_given_up() {
    let stage = Stage::new(true);
    let down = || Some(Err("no route".to_owned()));
    stage.zone_says((0..7).map(|_| down()));
    let receipt = stage.purge(&["tag:a"]);
    stage.run_out();
    let seconds: Vec<u64> = stage.zone_calls().iter().map(|(at, _)| *at).collect();
    assert_eq!(seconds, [0, 1, 3, 7, 15, 31, 63, 127]);
    let problem = Some("no answer: no route");
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 1, 0, problem));

    stage.zone_says((0..20).map(|_| down()));
    let receipt = stage.purge(&["tag:a"]);
    stage.run_out();
    assert_eq!(stage.zone_calls().len(), 16);
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 0, 1, problem));
    assert_eq!(stage.next_due(), None);
}

#[test]
fn call_with_wrong_token_is_not_retried() {
    let stage = Stage::new(true);
    stage.zone_says([says(403, None)]);
    let receipt = stage.purge(&["tag:a"]);
    stage.run_out();
    assert_eq!(stage.zone_calls().len(), 1);
    let problem = Some("status 403: 971 Please wait");
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 0, 1, problem));
}

#[test]
fn call_interrupted_by_restart_is_repeated() {
    let stage = Stage::new(true);
    stage.zone_says([None]);
    let receipt = stage.purge(&["tag:a"]);
    // This run never ends; the next one begins when the step is due again.
    let interrupted = stage.start();
    stage.world.executor.settle();
    assert_eq!(stage.zone_calls().len(), 1);
    assert_eq!(stage.told(&receipt).fast_lane, progress(1, 0, 0, None));
    assert_eq!(stage.next_due(), Some(START_MS + 1000));
    stage.run_out();
    assert!(!interrupted.get());
    assert_eq!(stage.zone_calls().len(), 2);
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 1, 0, None));
}

#[test]
fn interrupted_call_uses_a_token() {
    let settings = json!({ "fast_lane": { "requests_per_minute": 1, "bucket": 1 } });
    let stage = Stage::with(true, settings);
    stage.zone_says([None]);
    stage.purge(&["tag:a"]);
    stage.start();
    stage.world.executor.settle();
    assert_eq!(stage.next_due(), Some(START_MS + 60_000));
}

#[test]
fn call_given_up_in_flight_is_counted_once() {
    let stage = Stage::new(true);
    stage.world.state.borrow_mut().zone_slow_ms = 500;
    let first = stage.purge(&["tag:first"]);
    let ended = stage.start();
    stage.world.executor.settle();
    for n in 0..300 {
        stage.purge(&[&format!("tag:t{n}")]);
    }
    let problem = Some("more than 300 were waiting");
    assert_eq!(stage.told(&first).fast_lane, progress(0, 0, 1, problem));
    stage.world.executor.run_until(|| ended.get());
    assert_eq!(stage.told(&first).fast_lane, progress(0, 0, 1, problem));
}

#[test]
fn call_that_is_always_interrupted_is_given_up() {
    let stage = Stage::new(true);
    stage.zone_says((0..100).map(|_| None));
    let receipt = stage.purge(&["tag:a"]);
    for _ in 0..20 {
        let Some(due_ms) = stage.next_due() else {
            break;
        };
        let wait_ms = due_ms.saturating_sub(stage.world.now_ms());
        stage.world.executor.advance(wait_ms);
        stage.start();
        stage.world.executor.settle();
    }
    assert_eq!(stage.zone_calls().len(), 8);
    let problem = Some("broken off, again and again");
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 0, 1, problem));
    assert_eq!(stage.next_due(), None);
}

#[test]
fn bucket_survives_restart_of_the_object() {
    let stage = Stage::new(true);
    let names: Vec<String> = (0..2500).map(|n| format!("tag:t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.purge(&names);
    stage.run_out();
    assert_eq!(stage.zone_calls().len(), 25);
    stage.purge(&["tag:a"]);
    // The object now runs in another isolate; all its state is in its tables.
    let restarted = Stage {
        isolate: Rc::new(Isolate::new(
            Rules::read_json("{}").expect("rules"),
            Keys::of_default(""),
        )),
        world: stage.world.clone(),
        orders: Cell::new(9),
    };
    restarted.run_out();
    assert_eq!(restarted.zone_calls()[25].0, 12);
}

#[test]
fn waiting_calls_are_limited_in_number_and_time() {
    let stage = Stage::new(true);
    // No call succeeds, and more orders arrive.
    stage.zone_says([says(429, Some(3600))]);
    let first = stage.purge(&["tag:first"]);
    assert!(stage.run());
    let orders: Vec<Receipt> = (0..301)
        .map(|n| stage.purge(&[&format!("tag:t{n}")]))
        .collect();
    let problem = Some("more than 300 were waiting");
    for dropped in [&first, &orders[0]] {
        assert_eq!(stage.told(dropped).fast_lane.failed, 1);
        assert_eq!(stage.told(dropped).fast_lane.problem.as_deref(), problem);
    }
    assert_eq!(stage.told(&orders[1]).fast_lane, progress(1, 0, 0, None));
    stage.world.executor.advance(3_600_001);
    stage.run_out();
    let problem = Some("not done within an hour");
    for late in &orders[1..] {
        assert_eq!(stage.told(late).fast_lane, progress(0, 0, 1, problem));
    }
    assert_eq!(stage.zone_calls().len(), 1);
}

#[test]
fn progress_expires_with_its_receipt() {
    let stage = Stage::new(true);
    stage.purge(&["tag:a"]);
    stage.warm(&urls(2));
    stage.run_out();
    let count = |table: &str| {
        let statement = format!("SELECT COUNT(*) FROM {table}");
        stage
            .world
            .database
            .number(&statement, &[])
            .expect("a number")
    };
    assert_eq!((count("work"), count("progress")), (0, 2));
    const DAY_MS: u64 = 86_400_000;
    stage.world.executor.advance(30 * DAY_MS + 1000);
    stage.purge(&["tag:b"]);
    stage.world.executor.advance(1000);
    stage.purge(&["tag:c"]);
    assert_eq!((count("receipts"), count("progress")), (2, 2));
}
