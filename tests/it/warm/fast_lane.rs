//! Shows how orders are sent to the zone's own purge: in which calls, at which
//! rate, with retries and limits, and how the history reports it. With the
//! ledger's real engine.

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
fn without_work_there_is_no_alarm() {
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
fn a_hard_order_goes_to_the_zone_and_its_receipt_says_so() {
    let stage = Stage::new(true);
    let receipt = stage.purge(&["tag:front"]);
    assert_eq!(receipt.fast_lane, 1);
    assert_eq!(stage.next_due(), Some(START_MS));
    assert_eq!(stage.told(&receipt).fast_lane, progress(1, 0, 0, None));
    assert!(stage.run());
    let calls = [(0, json!({ "tags": ["front"] }))];
    assert_eq!(stage.zone_calls(), calls);
    let told = stage.told(&receipt);
    assert_eq!(told.fast_lane, progress(0, 1, 0, None));
    assert_eq!(told.refresh, NOTHING);
    assert_eq!(stage.next_due(), None);
    // A repeated order adds no new calls.
    stage.orders.set(0);
    assert_eq!(stage.purge(&["tag:front"]), receipt);
    assert_eq!(stage.next_due(), None);
}

#[test]
fn a_write_does_not_go_to_the_zone() {
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
fn a_large_order_goes_in_batches_of_a_hundred() {
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
fn small_orders_that_wait_go_together_each_with_its_own_record() {
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
fn what_failed_takes_nothing_new_with_it() {
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
fn an_order_that_the_zone_refuses_does_not_take_others_with_it() {
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
fn everything_covers_what_waits_with_it() {
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
fn calls_keep_the_pace_of_the_plan() {
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

/// The zone counts a call when it arrives, which may be long after it was sent,
/// and the next call may arrive sooner.
#[test]
fn the_pace_counts_from_the_answers() {
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
fn a_429_is_heeded_by_all_calls() {
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
fn a_call_that_fails_is_tried_again_and_given_up_in_the_end() {
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
fn a_wrong_token_is_not_tried_again() {
    let stage = Stage::new(true);
    stage.zone_says([says(403, None)]);
    let receipt = stage.purge(&["tag:a"]);
    stage.run_out();
    assert_eq!(stage.zone_calls().len(), 1);
    let problem = Some("status 403: 971 Please wait");
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 0, 1, problem));
}

#[test]
fn a_call_that_a_restart_breaks_off_is_made_again() {
    let stage = Stage::new(true);
    stage.zone_says([None]);
    let receipt = stage.purge(&["tag:a"]);
    // This run never ends; the next one starts when the step is due again.
    let broken = stage.start();
    stage.world.executor.settle();
    assert_eq!(stage.zone_calls().len(), 1);
    assert_eq!(stage.told(&receipt).fast_lane, progress(1, 0, 0, None));
    assert_eq!(stage.next_due(), Some(START_MS + 1000));
    stage.run_out();
    assert!(!broken.get());
    assert_eq!(stage.zone_calls().len(), 2);
    assert_eq!(stage.told(&receipt).fast_lane, progress(0, 1, 0, None));
}

#[test]
fn a_call_that_breaks_off_has_taken_a_token() {
    let settings = json!({ "fast_lane": { "requests_per_minute": 1, "bucket": 1 } });
    let stage = Stage::with(true, settings);
    stage.zone_says([None]);
    stage.purge(&["tag:a"]);
    stage.start();
    stage.world.executor.settle();
    assert_eq!(stage.next_due(), Some(START_MS + 60_000));
}

#[test]
fn a_call_that_is_given_up_on_its_way_counts_once() {
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
fn a_call_that_always_breaks_off_is_given_up() {
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
fn the_bucket_outlives_the_object() {
    let stage = Stage::new(true);
    let names: Vec<String> = (0..2500).map(|n| format!("tag:t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    stage.purge(&names);
    stage.run_out();
    assert_eq!(stage.zone_calls().len(), 25);
    stage.purge(&["tag:a"]);
    // Another isolate has the object now; its state is only in the tables.
    let again = Stage {
        isolate: Rc::new(Isolate::new(
            Rules::read_json("{}").expect("rules"),
            Keys::of_default(""),
        )),
        world: stage.world.clone(),
        orders: Cell::new(9),
    };
    again.run_out();
    assert_eq!(again.zone_calls()[25].0, 12);
}

#[test]
fn calls_that_wait_too_long_or_are_too_many_are_given_up() {
    let stage = Stage::new(true);
    // All calls are refused, and more orders follow.
    stage.zone_says([says(429, Some(3600))]);
    let first = stage.purge(&["tag:first"]);
    assert!(stage.run());
    let orders: Vec<Receipt> = (0..301)
        .map(|n| stage.purge(&[&format!("tag:t{n}")]))
        .collect();
    let problem = Some("more than 300 were waiting");
    for gone in [&first, &orders[0]] {
        assert_eq!(stage.told(gone).fast_lane.failed, 1);
        assert_eq!(stage.told(gone).fast_lane.problem.as_deref(), problem);
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
fn nothing_is_left_of_work_when_its_receipt_is_gone() {
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
