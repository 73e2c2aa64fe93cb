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
            let obeyed = state == PurgeState::Hard || soft && state == PurgeState::Soft;
            assert!(
                obeyed,
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
    let told = ledger.history(&question).expect("an answer").into_iter();
    told.map(|told| told.receipt).collect()
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
            assert!(n < 100, "an order without end");
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
            assert!(PurgeFeed::decode(&ledger.read_feed(0, now_ms).expect("news")).is_ok());
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

fn nothing(_: &Database, _: &LedgerStore<Database>) {}

/// Two orders of day 0.
fn two(_: &Database, ledger: &LedgerStore<Database>) {
    append(ledger, &order("one", &["tag:a", "tag:b"], &["tag:c"]), 0);
    append(ledger, &order("two", &["url:a.test/"], &["tag:a"]), 0);
}

#[test]
fn an_order_is_done_wholly_or_can_be_sent_again() {
    let plain = order("new", &["tag:a", "tag:x"], &["tag:b", "tag:y"]);
    check(nothing, &plain, 1000, 12);
    check(two, &plain, 1000, 12);
    let hard = order("new", &["everything", "tag:a"], &["tag:b"]);
    check(two, &hard, 1000, 12);
    let soft = order("new", &["tag:a"], &["tag:b", "everything"]);
    check(two, &soft, 1000, 12);
    // A write, which leaves no receipt.
    check(
        two,
        &order("", &["url:a.test/", "url:a.test/b"], &[]),
        1000,
        10,
    );
}

#[test]
fn an_order_that_makes_room_is_done_wholly_or_can_be_sent_again() {
    let plain = order("new", &["tag:a", "tag:x"], &["tag:b", "tag:y"]);
    // Marks and receipts that have expired.
    check(two, &plain, 40 * DAY_MS, 14);
    check(two, &order("new", &["everything"], &[]), 40 * DAY_MS, 10);
    // The ledger counts its marks.
    let counted = |database: &Database, ledger: &LedgerStore<Database>| {
        two(database, ledger);
        database
            .run("UPDATE state SET marks = 1000000", &[])
            .expect("a count");
    };
    check(counted, &plain, 1000, 14);
}

#[test]
fn an_order_that_knows_more_is_done_wholly_or_can_be_sent_again() {
    let ahead = |order: Order| Order { after: 50, ..order };
    check(
        nothing,
        &ahead(order("new", &["tag:a"], &["tag:b"])),
        1000,
        12,
    );
    check(two, &ahead(order("new", &["tag:a"], &["tag:b"])), 1000, 12);
    check(two, &ahead(order("new", &["everything"], &[])), 1000, 12);
}

#[test]
fn a_question_that_knows_more_kills_what_is_older_or_can_be_asked_again() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "a question without end");
            let database = Database::new();
            let ledger = database.open(0);
            two(&database, &ledger);
            database.fail_at(n, how);
            let answer = ledger.read_feed(50, 0);
            database.heal();
            if answer.is_ok() {
                assert!(n > 5, "{n} statements only");
                break;
            }
            let mut index = PurgeIndex::default();
            ledger::news(&ledger, 50);
            index.apply(&ledger::news(&ledger, 0));
            assert_eq!(index.state(49, &[1]), PurgeState::Hard, "{how:?} {n}");
            assert!(index.sequence() >= 50);
        }
    }
}

#[test]
fn a_ledger_whose_opening_fails_opens_later() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "an opening without end");
            let database = Database::new();
            database.fail_at(n, how);
            let opened = LedgerStore::open(database.clone(), 5000, false).is_ok();
            database.heal();
            if opened {
                assert!(n > 7, "{n} statements only");
                break;
            }
            let ledger = database.open(6000);
            let start = ledger::news(&ledger, 0);
            assert!(start.floor.hard >= 5000 && start.sequence == start.floor.hard);
            let (receipt, _) = append(&ledger, &order("one", &["tag:a"], &[]), 0);
            check_in_force(&ledger, &receipt, "opened");
        }
    }
}

#[test]
fn a_count_is_added_or_can_be_told_again() {
    for how in [Fails::Before, Fails::After] {
        for n in 0.. {
            assert!(n < 100, "a question without end");
            let database = Database::new();
            let ledger = database.open(0);
            two(&database, &ledger);
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
            let total = PurgeFeed::decode(&again).expect("news").kv_writes;
            assert!(matches!(total, Some(7 | 10)), "{how:?} {n}: {total:?}");
        }
    }
}

#[test]
fn a_start_that_failed_is_tried_again_at_the_next_question() {
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
