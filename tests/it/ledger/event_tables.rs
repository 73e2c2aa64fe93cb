//! Tests of the ledger's events: their numbers, what is read after a number,
//! and that no failure of the ledger loses one.

use edgekeep::cache::ledger::wire::{Order, RECORD_MS};
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use testkit::ledger::{Database, Fails, append, order};
use testkit::stage::Stage;

/// The events after a number: number, whether the order is new, sequence, and
/// how much of its work is pending, done and failed.
fn events<S: Sql>(ledger: &LedgerStore<S>, after: u64) -> Vec<(u64, bool, u64, [u64; 3])> {
    let (mut after, mut all) = (after, Vec::new());
    loop {
        let events = ledger.events_after(after).expect("events");
        let Some(last) = events.last() else {
            return all;
        };
        after = last.number;
        all.extend(events.into_iter().map(|event| {
            let work = [event.past.refresh, event.past.fast_lane];
            let sum = work.iter().fold([0; 3], |sum, work| {
                [
                    sum[0] + work.pending,
                    sum[1] + work.done,
                    sum[2] + work.failed,
                ]
            });
            (event.number, event.is_new, event.past.receipt.sequence, sum)
        }));
    }
}

#[test]
fn each_order_is_an_event_under_its_sequence_number() {
    let ledger = Database::new().open(1000);
    assert_eq!(events(&ledger, 0), []);
    append(&ledger, &order("a", &["tag:a"], &[]), 2000);
    // A write takes a sequence number, but is no event.
    append(&ledger, &order("", &["url:a.test/"], &[]), 2000);
    append(&ledger, &order("b", &["tag:b"], &[]), 2000);
    let all = [(1001, true, 1001, [0; 3]), (1003, true, 1003, [0; 3])];
    assert_eq!(events(&ledger, 0), all);
    assert_eq!(events(&ledger, 1000), all);
    assert_eq!(events(&ledger, 1001), all[1..]);
    assert_eq!(events(&ledger, 1002), all[1..]);
    assert_eq!(events(&ledger, 1003), []);
    // A repeat is no event.
    append(&ledger, &order("b", &["tag:b"], &[]), 3000);
    assert_eq!(ledger.last_event(), Ok(1003));
}

#[test]
fn work_of_an_order_makes_events_with_new_numbers() {
    let stage = Stage::new(true);
    let url = |n: u32| format!("https://a.test/{n}");
    let first = stage.warm(&[url(1), url(2)]).sequence;
    let second = stage.purge(&["tag:x"]).sequence;
    let read = |after| events(&stage.world.ledger.borrow(), after);
    assert_eq!(
        read(0),
        [
            (first, true, first, [2, 0, 0]),
            (second, true, second, [1, 0, 0])
        ]
    );
    stage.run_out();
    // One event for each order, whatever number of steps was done meanwhile.
    let after = read(second);
    let shown: Vec<_> = after.iter().map(|event| (event.1, event.2)).collect();
    assert_eq!(shown.len(), 2, "{after:?}");
    assert!(shown.contains(&(false, first)) && shown.contains(&(false, second)));
    for (number, _, _, work) in &after {
        assert!(*number > second && work[0] == 0, "{after:?}");
    }
    // For one who has seen neither order, both are new.
    assert!(read(first - 1).iter().all(|event| event.1));
    assert_eq!(read(after[1].0), []);
    // The next order has a larger number than all before, and no smaller one
    // than its sequence number.
    let third = stage.purge(&["tag:y"]).sequence;
    let last = stage.world.ledger.borrow().last_event().expect("a number");
    assert!(last > after[1].0 && last >= third);
    assert_eq!(read(after[1].0), [(last, true, third, [1, 0, 0])]);
}

#[test]
fn dropped_steps_are_an_event_of_their_order() {
    let stage = Stage::new(false);
    let urls = |order: u32| -> Vec<String> {
        (0..1000)
            .map(|n| format!("https://a.test/{order}/{n}"))
            .collect()
    };
    let first = stage.warm(&urls(0)).sequence;
    for n in 1..10 {
        stage.warm(&urls(n));
    }
    let last = stage.world.ledger.borrow().last_event().expect("a number");
    // More than 10,000 refreshes wait: those of the first order are dropped.
    stage.warm(&urls(10));
    let after = events(&stage.world.ledger.borrow(), last);
    let dropped = after.iter().find(|event| event.2 == first);
    assert_eq!(dropped.expect("an event").3, [0, 0, 1000]);
}

#[test]
fn events_outlive_the_object_and_end_with_the_receipts() {
    let database = Database::new();
    let ledger = database.open(1000);
    append(&ledger, &order("a", &["tag:a"], &[]), 2000);
    append(&ledger, &order("b", &["tag:b"], &[]), 3000);
    let before = events(&ledger, 0);
    drop(ledger);
    let ledger = database.open(4000);
    assert_eq!(events(&ledger, 0), before);
    // Both receipts are forgotten, and then their events.
    for n in 0..2 {
        let now_ms = 4000 + RECORD_MS + n;
        append(
            &ledger,
            &order(&format!("late-{n}"), &["tag:c"], &[]),
            now_ms,
        );
    }
    assert_eq!(events(&ledger, 0).len(), 2);
    let rows = database.number("SELECT COUNT(*) FROM events", &[]);
    assert_eq!(rows, Ok(2));
}

#[test]
fn orders_of_an_earlier_version_are_events() {
    let database = Database::new();
    let ledger = database.open(1000);
    for id in ["a", "b", "c"] {
        append(&ledger, &order(id, &["tag:a"], &[]), 2000);
    }
    let all = events(&ledger, 0);
    // An earlier version had no such table.
    database.run("DROP TABLE events", &[]).expect("done");
    let ledger = database.open(3000);
    assert_eq!(events(&ledger, 0), all);
    // An earlier version ran for a while: it numbered neither `b` nor `c`, and
    // work of `a` had run ahead.
    database
        .run("DELETE FROM events WHERE sequence > 1001", &[])
        .expect("done");
    database
        .run("UPDATE events SET changed = 1900", &[])
        .expect("done");
    let ledger = database.open(4000);
    assert_eq!(
        events(&ledger, 1900),
        [(1901, true, 1002, [0; 3]), (1902, true, 1003, [0; 3])]
    );
}

#[test]
fn no_receipt_is_without_its_event_whichever_statement_fails() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "the order never completes");
            let database = Database::new();
            let ledger = database.open(1000);
            append(&ledger, &order("a", &["tag:a"], &[]), 2000);
            let with_work = Order {
                refresh: vec!["https://a.test/".to_owned()],
                ..order("b", &[], &["url:a.test/"])
            };
            database.fail_at(n, how);
            let is_done = ledger.append(&with_work, 3000).is_ok();
            database.heal();
            let receipts = database.number("SELECT COUNT(*) FROM receipts", &[]);
            let seen = events(&ledger, 0).len() as u64;
            assert_eq!(Ok(seen), receipts, "{how:?} {n}");
            // The sender repeats it, and it is an event.
            let (receipt, _) = append(&ledger, &with_work, 5000);
            let last = events(&ledger, 1001);
            assert_eq!(last.last().map(|event| event.2), Some(receipt.sequence));
            if is_done {
                assert!(n > 8, "{n} statements only");
                break;
            }
        }
    }
}
