//! Tests that an order is executed completely or can be repeated, whichever of
//! its statements fails. No receipt is stored for an order that is not in force
//! completely, and no purge in force is lost.

use edgekeep::cache::ledger::sequence::PurgeState;
use edgekeep::cache::ledger::wire::{HistoryQuery, Order, Receipt};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::flow::ledger::start::LedgerStart;
use std::rc::Rc;
use testkit::ledger;
use testkit::ledger::{DAY_MS, Database, Fails, append, order, pages};

/// Checks whether an isolate that starts now has received all of an order.
#[track_caller]
fn check_in_force(ledger: &LedgerStore<Database>, receipt: &Receipt, context: &str) {
    let mut index = PurgeIndex::default();
    for page in pages(ledger, 0) {
        assert!(index.apply(&page), "{context}");
    }
    assert!(index.sequence() >= receipt.sequence, "{context}");
    let before = receipt.sequence - 1;
    for (names, soft) in [(&receipt.hard, false), (&receipt.soft, true)] {
        for name in names {
            let state = index.state(before, &[mark_of(name)]);
            let is_applied = state == PurgeState::Hard || soft && state == PurgeState::Soft;
            assert!(
                is_applied,
                "{context}: {name} of {} is {state:?}",
                receipt.sequence
            );
        }
    }
}

fn receipts(ledger: &LedgerStore<Database>) -> Vec<Receipt> {
    let question = HistoryQuery::After {
        after: 0,
        limit: 100,
    };
    let found = ledger.history(&question).expect("an answer").into_iter();
    found.map(|past| past.receipt).collect()
}

/// Makes each statement of an order fail in turn; there must be at least a few.
/// `prepare` creates the state before the order.
#[track_caller]
fn check(
    prepare: impl Fn(&Database, &LedgerStore<Database>),
    order: &Order,
    now_ms: u64,
    statements_min: usize,
) {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "the order never completes");
            let context = format!("{how:?} {n} of {:?} and {:?}", order.hard, order.soft);
            let database = Database::new();
            let ledger = database.open(0);
            prepare(&database, &ledger);
            let earlier = receipts(&ledger);
            let last = ledger.last().expect("a number");
            database.fail_at(n, how);
            let answer = ledger.append(order, now_ms);
            database.heal();
            if answer.is_ok() {
                assert!(n >= statements_min, "{n} statements only");
                break;
            }
            let kept = receipts(&ledger);
            let kept = kept.iter().filter(|one| Some(&one.id) == order.id.as_ref());
            let kept: Vec<_> = kept.cloned().collect();
            for receipt in kept.iter().chain(&earlier) {
                check_in_force(&ledger, receipt, &context);
            }
            // A feed of the ledger at this time is valid, even if incomplete.
            assert!(PurgeFeed::decode(&ledger.read_feed(0, now_ms).expect("a feed")).is_ok());
            let (receipt, _) = append(&ledger, order, now_ms);
            assert!(receipt.sequence > last.max(order.after), "{context}");
            assert!(kept.iter().all(|first| *first == receipt), "{context}");
            for receipt in earlier.iter().chain([&receipt]) {
                check_in_force(&ledger, receipt, &context);
            }
            if order.after > last {
                // The database was set back: entries with later numbers count
                // as purged.
                let mut index = PurgeIndex::default();
                for page in pages(&ledger, 0) {
                    index.apply(&page);
                }
                assert_eq!(
                    index.state(order.after - 1, &[1]),
                    PurgeState::Hard,
                    "{context}"
                );
            }
        }
    }
}

fn no_orders(_: &Database, _: &LedgerStore<Database>) {}

/// Two orders of day 0.
fn two_orders(_: &Database, ledger: &LedgerStore<Database>) {
    append(ledger, &order("one", &["tag:a", "tag:b"], &["tag:c"]), 0);
    append(ledger, &order("two", &["url:a.test/"], &["tag:a"]), 0);
}

#[test]
fn failed_order_can_be_repeated() {
    let plain = order("new", &["tag:a", "tag:x"], &["tag:b", "tag:y"]);
    check(no_orders, &plain, 1000, 12);
    check(two_orders, &plain, 1000, 12);
    let hard = order("new", &["everything", "tag:a"], &["tag:b"]);
    check(two_orders, &hard, 1000, 12);
    let soft = order("new", &["tag:a"], &["tag:b", "everything"]);
    check(two_orders, &soft, 1000, 12);
    // A write, which leaves no receipt.
    check(
        two_orders,
        &order("", &["url:a.test/", "url:a.test/b"], &[]),
        1000,
        10,
    );
}

#[test]
fn failed_order_that_removes_old_marks_can_be_repeated() {
    let plain = order("new", &["tag:a", "tag:x"], &["tag:b", "tag:y"]);
    // Marks and receipts that have expired.
    check(two_orders, &plain, 40 * DAY_MS, 14);
    check(
        two_orders,
        &order("new", &["everything"], &[]),
        40 * DAY_MS,
        10,
    );
    // The ledger counts its marks.
    let counted = |database: &Database, ledger: &LedgerStore<Database>| {
        two_orders(database, ledger);
        database
            .run("UPDATE state SET marks = 1000000", &[])
            .expect("a count");
    };
    check(counted, &plain, 1000, 14);
}

#[test]
fn failed_order_ahead_of_ledger_can_be_repeated() {
    let ahead = |order: Order| Order { after: 50, ..order };
    check(
        no_orders,
        &ahead(order("new", &["tag:a"], &["tag:b"])),
        1000,
        12,
    );
    check(
        two_orders,
        &ahead(order("new", &["tag:a"], &["tag:b"])),
        1000,
        12,
    );
    check(
        two_orders,
        &ahead(order("new", &["everything"], &[])),
        1000,
        12,
    );
}

#[test]
fn failed_query_ahead_of_ledger_can_be_repeated() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "the query never completes");
            let database = Database::new();
            let ledger = database.open(0);
            two_orders(&database, &ledger);
            database.fail_at(n, how);
            let answer = ledger.read_feed(50, 0);
            database.heal();
            if answer.is_ok() {
                assert!(n > 5, "{n} statements only");
                break;
            }
            let mut index = PurgeIndex::default();
            ledger::feed_after(&ledger, 50);
            index.apply(&ledger::feed_after(&ledger, 0));
            assert_eq!(index.state(49, &[1]), PurgeState::Hard, "{how:?} {n}");
            assert!(index.sequence() >= 50);
        }
    }
}

#[test]
fn ledger_opens_after_failed_opening() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "the opening never completes");
            let database = Database::new();
            database.fail_at(n, how);
            let opened = LedgerStore::open(database.clone(), 5000, false).is_ok();
            database.heal();
            if opened {
                assert!(n > 7, "{n} statements only");
                break;
            }
            let ledger = database.open(6000);
            let start = ledger::feed_after(&ledger, 0);
            assert!(start.floor.hard >= 5000 && start.sequence == start.floor.hard);
            let (receipt, _) = append(&ledger, &order("one", &["tag:a"], &[]), 0);
            check_in_force(&ledger, &receipt, "opened");
        }
    }
}

#[test]
fn failed_report_of_kv_writes_can_be_repeated() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "the query never completes");
            let database = Database::new();
            let ledger = database.open(0);
            two_orders(&database, &ledger);
            ledger.read_counted_feed(0, 4, 0).expect("an answer");
            database.fail_at(n, how);
            let answer = ledger.read_counted_feed(0, 3, 0);
            database.heal();
            if answer.is_ok() {
                assert!(n > 5, "{n} statements only");
                break;
            }
            // Reported again, because the first result is unknown: never too
            // few.
            let again = ledger.read_counted_feed(0, 3, 0).expect("an answer");
            let total = PurgeFeed::decode(&again).expect("a feed").kv_writes;
            assert!(matches!(total, Some(7 | 10)), "{how:?} {n}: {total:?}");
        }
    }
}

#[test]
fn failed_start_is_retried_at_next_query() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            let database = Database::new();
            let start = LedgerStart::default();
            let open = || LedgerStore::open(database.clone(), 1000, false);
            database.fail_at(n, how);
            let first = start.get(open);
            database.heal();
            if first.is_ok() {
                assert!(n > 5, "{n} statements only");
                break;
            }
            let ledger = start.get(open).expect("a ledger");
            assert!(Rc::ptr_eq(&ledger, &start.get(open).expect("the same")));
            let (receipt, _) = append(&ledger, &order("a", &["tag:a"], &[]), 2000);
            assert!(receipt.sequence > 1000, "{how:?} {n}");
        }
    }
}
