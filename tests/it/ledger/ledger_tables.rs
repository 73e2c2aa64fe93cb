//! Tests of the ledger on a real database: sequence numbers, repeats, marks and
//! floors, the purges since any number, the history, and what remains after a
//! restart, thirty days, or a database that is set back.

use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::{HISTORY_MAX, HistoryQuery, Order, Receipt};
use edgekeep::cache::purge::feed::{LedgerTime, PurgeFeed};
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use std::collections::{BTreeMap, BTreeSet};
use testkit::ledger::{DAY_MS, Database, append, feed_after, order};

/// The marks of a feed, by the selectors in `names`.
fn named(feed: &PurgeFeed, names: &[&str]) -> BTreeMap<String, (u64, u64)> {
    let named = |(mark, numbers): &(u64, Numbers)| {
        let name = names.iter().find(|name| mark_of(name) == *mark);
        let name = name.expect("a name that was purged");
        ((*name).to_owned(), (numbers.hard, numbers.soft))
    };
    let found: BTreeMap<_, _> = feed.marks.iter().map(named).collect();
    assert_eq!(found.len(), feed.marks.len(), "the feed repeats a mark");
    found
}

/// The feed after `after`, as `SEQUENCE HARD/SOFT: NAME HARD/SOFT, …`.
fn describe_feed<S: Sql>(ledger: &LedgerStore<S>, after: u64) -> String {
    let feed = feed_after(ledger, after);
    assert_eq!((feed.after, feed.complete), (after, true));
    let names = ["tag:a", "tag:b", "tag:c", "url:a.test/", "host:a.test"];
    let marks = named(&feed, &names).into_iter();
    let marks: Vec<String> = marks
        .map(|(name, (h, s))| format!("{name} {h}/{s}"))
        .collect();
    let Numbers { hard, soft } = feed.floor;
    format!("{} {hard}/{soft}: {}", feed.sequence, marks.join(", "))
}

fn receipt<S: Sql>(ledger: &LedgerStore<S>, id: &str) -> Option<Receipt> {
    let found = ledger
        .history(&HistoryQuery::Id(id.to_owned()))
        .expect("an answer");
    assert!(found.len() < 2, "{found:?}");
    found.into_iter().next().map(|past| past.receipt)
}

/// The sequence numbers of the receipts after `after`.
fn sequences_after<S: Sql>(ledger: &LedgerStore<S>, after: u64, limit: u64) -> Vec<u64> {
    let found = ledger.history(&HistoryQuery::After { after, limit });
    let found = found.expect("an answer").into_iter();
    found.map(|past| past.receipt.sequence).collect()
}

#[test]
fn orders_are_numbered_without_gaps_and_repeats_get_first_receipt() {
    let ledger = Database::new().open(0);
    let (first, _) = append(&ledger, &order("one", &["tag:a"], &[]), 1000);
    let (write, _) = append(&ledger, &order("", &["url:a.test/"], &[]), 2000);
    let (second, _) = append(&ledger, &order("two", &["tag:b"], &["tag:a"]), 3000);
    assert_eq!((first.sequence, write.sequence, second.sequence), (1, 2, 3));
    assert_eq!(
        (first.id.as_str(), first.key.as_deref()),
        ("one", Some("k"))
    );
    assert_eq!((first.received_ms, first.in_force_ms), (1000, 6000));
    let before = describe_feed(&ledger, 0);
    // A repeat, later, from an isolate that has seen more.
    let mut again = order("one", &["tag:a"], &[]);
    (again.after, again.lag_seconds) = (2, 60);
    let (repeat, feed) = append(&ledger, &again, 9000);
    assert_eq!(repeat, first);
    assert_eq!((feed.after, feed.sequence, feed.marks.len()), (2, 3, 2));
    // The digest of the body decides, not the parsed order.
    let (repeat, _) = append(&ledger, &order("one", &["tag:c"], &[]), 9000);
    assert_eq!(repeat, first);
    // A used id with another body.
    let mut other = order("one", &["tag:c"], &[]);
    other.body_digest = "another".to_owned();
    let reply = ledger.append(&other, 9000).expect("an answer");
    assert_eq!(reply.receipt, None);
    assert!(PurgeFeed::decode(&reply.feed).is_ok());
    assert_eq!(describe_feed(&ledger, 0), before);
    assert_eq!(receipt(&ledger, "one"), Some(first));
    // It used up no number. A write is executed each time it is sent.
    let (write, _) = append(&ledger, &order("", &["url:a.test/"], &[]), 9000);
    let (next, _) = append(&ledger, &order("three", &[], &["tag:c"]), 9000);
    assert_eq!((write.sequence, next.sequence), (4, 5));
    assert_eq!(ledger.last(), Ok(5));
    assert_eq!(sequences_after(&ledger, 0, 10), [1, 3, 5]);
}

#[test]
fn generated_id_never_collides_with_sent_id() {
    let ledger = Database::new().open(0);
    let without_id = || Order {
        id: None,
        ..order("x", &["tag:a"], &[])
    };
    append(&ledger, &order("order-2", &["tag:b"], &[]), 1000);
    let (made, _) = append(&ledger, &without_id(), 1000);
    assert_eq!((made.id.as_str(), made.sequence), ("order-2", 2));
    let (made, _) = append(&ledger, &without_id(), 1000);
    assert_eq!((made.id.as_str(), made.sequence), ("order-3", 3));
    let mut taken = order("order-3", &["tag:c"], &[]);
    taken.body_digest = "another".to_owned();
    let (taken, _) = append(&ledger, &taken, 1000);
    assert_eq!(taken.sequence, 4);
    // An id from the sender finds its order; an id made by the ledger does so,
    // too.
    let found = |id: &str| receipt(&ledger, id).map(|receipt| receipt.sequence);
    assert_eq!((found("order-2"), found("order-3")), (Some(1), Some(4)));
    append(&ledger, &without_id(), 1000);
    assert_eq!((found("order-5"), found("order-6")), (Some(5), None));
    for unknown in [
        "", "5", "order-", "order-x", "order--5", "order-05", "order-4",
    ] {
        assert_eq!(found(unknown), None, "{unknown}");
    }
    assert_eq!(sequences_after(&ledger, 0, 10), [1, 2, 3, 4, 5]);
}

#[test]
fn order_raises_marks_of_its_selectors() {
    #[track_caller]
    fn check(orders: &[(&[&str], &[&str])], expected: &str) {
        let ledger = Database::new().open(0);
        for (at, (hard, soft)) in orders.iter().enumerate() {
            let order = order(&format!("o{at}"), hard, soft);
            let (receipt, feed) = append(&ledger, &order, 0);
            let sequence = at as u64 + 1;
            assert_eq!((receipt.sequence, feed.sequence), (sequence, sequence));
            assert_eq!((receipt.hard, receipt.soft), (order.hard, order.soft));
        }
        assert_eq!(describe_feed(&ledger, 0), expected, "{orders:?}");
    }
    check(&[], "0 0/0: ");
    check(&[(&["tag:a"], &[])], "1 0/0: tag:a 1/0");
    check(&[(&[], &["tag:a"])], "1 0/0: tag:a 0/1");
    check(&[(&["tag:a"], &["tag:b"])], "1 0/0: tag:a 1/0, tag:b 0/1");
    check(&[(&["tag:a"], &["tag:a"])], "1 0/0: tag:a 1/1");
    check(&[(&["tag:a", "tag:a"], &[])], "1 0/0: tag:a 1/0");
    check(&[(&["tag:a"], &[]), (&[], &["tag:a"])], "2 0/0: tag:a 1/2");
    check(&[(&[], &["tag:a"]), (&["tag:a"], &[])], "2 0/0: tag:a 2/1");
    check(
        &[
            (&["tag:a"], &[]),
            (&["url:a.test/", "tag:a"], &["host:a.test"]),
        ],
        "2 0/0: host:a.test 0/2, tag:a 2/0, url:a.test/ 2/0",
    );
    // Everything becomes the floor, which removes the marks that it covers.
    check(&[(&["everything"], &[])], "1 1/0: ");
    check(&[(&[], &["everything"])], "1 0/1: ");
    check(&[(&["everything"], &["everything"])], "1 1/1: ");
    check(
        &[(&["tag:a"], &["tag:b"]), (&["everything"], &[])],
        "2 2/0: ",
    );
    check(
        &[(&["tag:a"], &["tag:b"]), (&[], &["everything"])],
        "2 0/2: tag:a 1/0",
    );
    check(
        &[(&["everything"], &[]), (&["tag:a"], &["tag:b"])],
        "2 1/0: tag:a 2/0, tag:b 0/2",
    );
    check(&[(&["tag:a", "everything"], &[])], "1 1/0: ");
    check(&[(&["everything"], &["tag:a"])], "1 1/0: tag:a 0/1");
    check(&[(&["tag:a"], &["everything"])], "1 0/1: tag:a 1/0");
    // An empty order is an order, too.
    check(&[(&[], &[])], "1 0/0: ");
}

#[test]
fn feed_contains_changes_since_any_number() {
    const NAMES: [&str; 5] = ["tag:a", "tag:b", "tag:c", "url:a.test/", "host:a.test"];
    let mut random = fastrand::Rng::with_seed(17);
    for _ in 0..30 {
        let ledger = Database::new().open(0);
        // Independent calculation: the largest numbers of each name.
        let mut now: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for sequence in 1..=12 {
            let mut some = || -> Vec<&str> {
                let count = random.usize(0..3);
                random.choose_multiple(NAMES, count)
            };
            let (hard, soft) = (some(), some());
            for name in &hard {
                now.entry((*name).to_owned()).or_default().0 = sequence;
            }
            for name in &soft {
                now.entry((*name).to_owned()).or_default().1 = sequence;
            }
            let mut order = order(&format!("o{sequence}"), &hard, &soft);
            order.after = random.u64(0..sequence);
            let (_, reply) = append(&ledger, &order, 0);
            for after in 0..=sequence {
                let feed = match after == order.after {
                    true => reply.clone(),
                    false => feed_after(&ledger, after),
                };
                assert_eq!((feed.after, feed.sequence), (after, sequence));
                let mut expected = now.clone();
                expected.retain(|_, (hard, soft)| *hard.max(soft) > after);
                assert_eq!(
                    named(&feed, &NAMES),
                    expected,
                    "after {after} of {sequence}"
                );
            }
        }
    }
}

#[test]
fn new_ledger_purges_all_earlier_entries() {
    const NOW_MS: u64 = 1_795_424_400_000;
    let ledger = Database::new().open(NOW_MS);
    let start = feed_after(&ledger, 0);
    assert_eq!((start.sequence, start.complete), (NOW_MS, true));
    assert_eq!(
        start.floor,
        Numbers {
            hard: NOW_MS,
            soft: 0
        }
    );
    let mut index = PurgeIndex::default();
    assert!(index.apply(&start));
    // An isolate that has seen no ledger, or an earlier one with lower numbers.
    for seen in [0, 1, 5000, NOW_MS - 1] {
        assert_eq!(index.state(seen, &[1]), PurgeState::Hard);
    }
    assert_eq!(index.state(NOW_MS, &[1]), PurgeState::Alive);
    let (receipt, _) = append(&ledger, &order("one", &["tag:a"], &[]), NOW_MS);
    assert_eq!(receipt.sequence, NOW_MS + 1);
}

#[test]
fn reopened_ledger_keeps_its_state_and_raises_run_number() {
    let database = Database::new();
    let mut before: Option<LedgerTime> = None;
    for run in 1..5_u64 {
        let ledger = database.open(1000 * run);
        let at = PurgeFeed::decode(&ledger.read_feed(0, 7000).expect("an answer"))
            .expect("a feed")
            .at;
        assert_eq!(at.ms, 7000);
        assert!(before.is_none_or(|before| at.run > before.run), "{at:?}");
        before = Some(at);
        let (receipt, _) = append(&ledger, &order(&format!("o{run}"), &["tag:a"], &[]), 7000);
        assert_eq!(receipt.sequence, 1000 + run);
    }
    let ledger = database.open(9_000_000);
    assert_eq!(describe_feed(&ledger, 0), "1004 1000/0: tag:a 1004/0");
    assert_eq!(sequences_after(&ledger, 0, 10), [1001, 1002, 1003, 1004]);
    let (repeat, _) = append(&ledger, &order("o2", &["tag:a"], &[]), 9_000_000);
    assert_eq!(repeat.sequence, 1002);
}

#[test]
fn run_numbers_of_ledgers_are_unique() {
    // A database that is set back, or a new one, may reach the number of an
    // earlier instance again: on another machine, by another clock.
    let run = |database: &Database, now_ms| feed_after(&database.open(now_ms), 0).at.run;
    let (one, other) = (Database::new(), Database::new());
    let runs = [
        run(&one, 5_000),
        run(&one, 6_000),
        run(&other, 7_000),
        run(&other, 7_000),
    ];
    let distinct: BTreeSet<u64> = runs.into_iter().collect();
    assert_eq!(distinct.len(), runs.len(), "{runs:?}");
    // Even if the clock goes back.
    assert!(run(&one, 4_000) > runs[1]);
}

#[test]
fn ledger_that_was_set_back_purges_unknown_numbers() {
    #[track_caller]
    fn check(ledger: &LedgerStore<Database>, known: u64) {
        let all = feed_after(ledger, 0);
        assert_eq!((all.sequence, all.floor.hard), (known, known));
        assert_eq!(all.marks, []);
        let mut index = PurgeIndex::default();
        index.apply(&all);
        assert_eq!(index.state(known - 1, &[1]), PurgeState::Hard);
        assert_eq!(index.state(known, &[1]), PurgeState::Alive);
        let (next, _) = append(ledger, &order("next", &["tag:a"], &[]), 0);
        assert_eq!(next.sequence, known + 1);
    }
    let two_orders = || {
        let ledger = Database::new().open(0);
        append(&ledger, &order("one", &["tag:a"], &[]), 0);
        append(&ledger, &order("two", &[], &["tag:b"]), 0);
        ledger
    };
    // By a query.
    let ledger = two_orders();
    let answer = feed_after(&ledger, 9);
    assert_eq!(
        (answer.after, answer.sequence, answer.floor.hard),
        (9, 9, 9)
    );
    check(&ledger, 9);
    // By an order, which gets its number after that.
    let ledger = two_orders();
    let (receipt, feed) = append(
        &ledger,
        &Order {
            after: 9,
            ..order("o", &["tag:c"], &[])
        },
        0,
    );
    assert_eq!(
        (receipt.sequence, feed.sequence, feed.marks.len()),
        (10, 10, 1)
    );
    assert_eq!(describe_feed(&ledger, 0), "10 9/0: tag:c 10/0");
    // By a repeat.
    let ledger = two_orders();
    append(
        &ledger,
        &Order {
            after: 9,
            ..order("one", &["tag:a"], &[])
        },
        0,
    );
    check(&ledger, 9);
    // An isolate that has seen no more than the ledger causes no purge.
    let ledger = two_orders();
    for after in 0..=2 {
        ledger.read_feed(after, 0).expect("an answer");
    }
    assert_eq!(describe_feed(&ledger, 0), "2 0/0: tag:a 1/0, tag:b 0/2");
}

#[test]
fn marks_older_than_thirty_days_become_floor() {
    let ledger = Database::new().open(0);
    append(&ledger, &order("one", &["tag:a"], &[]), 0);
    append(&ledger, &order("two", &[], &["tag:b"]), DAY_MS);
    append(&ledger, &order("three", &["tag:c"], &[]), 2 * DAY_MS);
    // It is kept to the day.
    append(&ledger, &order("four", &["url:a.test/"], &[]), 30 * DAY_MS);
    assert_eq!(
        describe_feed(&ledger, 0),
        "4 0/0: tag:a 1/0, tag:b 0/2, tag:c 3/0, url:a.test/ 4/0"
    );
    append(
        &ledger,
        &order("five", &["url:a.test/"], &[]),
        30 * DAY_MS + 1,
    );
    assert_eq!(
        describe_feed(&ledger, 0),
        "5 1/0: tag:b 0/2, tag:c 3/0, url:a.test/ 5/0"
    );
    append(&ledger, &order("six", &["tag:c"], &[]), 32 * DAY_MS);
    assert_eq!(
        describe_feed(&ledger, 0),
        "6 1/2: tag:c 6/0, url:a.test/ 5/0"
    );
    // A mark that is raised again counts as new.
    append(&ledger, &order("seven", &["host:a.test"], &[]), 61 * DAY_MS);
    assert_eq!(
        describe_feed(&ledger, 0),
        "7 5/2: host:a.test 7/0, tag:c 6/0"
    );
    append(&ledger, &order("eight", &[], &["tag:a"]), 100 * DAY_MS);
    assert_eq!(describe_feed(&ledger, 0), "8 7/2: tag:a 0/8");
}

#[test]
fn receipts_are_kept_for_thirty_days() {
    let ledger = Database::new().open(0);
    append(&ledger, &order("one", &["tag:a"], &[]), 0);
    append(&ledger, &order("two", &["tag:b"], &[]), DAY_MS);
    append(&ledger, &order("three", &["tag:c"], &[]), 30 * DAY_MS);
    assert_eq!(sequences_after(&ledger, 0, 10), [1, 2, 3]);
    // A write removes expired records, too.
    append(&ledger, &order("", &["url:a.test/"], &[]), 30 * DAY_MS + 1);
    assert_eq!(sequences_after(&ledger, 0, 10), [2, 3]);
    assert_eq!(receipt(&ledger, "one"), None);
    // An expired id is new; a stored one is not.
    let later = 31 * DAY_MS;
    assert_eq!(
        append(&ledger, &order("two", &["tag:b"], &[]), later)
            .0
            .sequence,
        2
    );
    assert_eq!(
        append(&ledger, &order("one", &["tag:a"], &[]), later)
            .0
            .sequence,
        5
    );
}

#[test]
fn history_is_found_by_id_and_in_order() {
    const NONE: [u64; 0] = [];
    let ledger = Database::new().open(0);
    for n in 1..=150 {
        // Every tenth is a write, which has no receipt.
        let id = if n % 10 == 0 {
            String::new()
        } else {
            format!("o{n}")
        };
        append(&ledger, &order(&id, &["tag:a"], &["tag:b"]), n * 1000);
    }
    let recorded: Vec<u64> = (1..=150).filter(|n| n % 10 != 0).collect();
    assert_eq!(sequences_after(&ledger, 0, 5), recorded[..5]);
    assert_eq!(sequences_after(&ledger, 9, 2), [11, 12]);
    assert_eq!(sequences_after(&ledger, 10, 2), [11, 12]);
    assert_eq!(sequences_after(&ledger, 147, 9), [148, 149]);
    assert_eq!(sequences_after(&ledger, 149, 9), NONE);
    assert_eq!(sequences_after(&ledger, u64::MAX, 9), NONE);
    assert_eq!(sequences_after(&ledger, 0, 0), NONE);
    assert_eq!(
        sequences_after(&ledger, 0, u64::MAX),
        recorded[..HISTORY_MAX as usize]
    );
    let found = receipt(&ledger, "o42").expect("a receipt");
    assert_eq!(
        (found.sequence, found.received_ms, found.in_force_ms),
        (42, 42_000, 47_000)
    );
    assert_eq!(
        (found.hard, found.soft),
        (vec!["tag:a".to_owned()], vec!["tag:b".to_owned()])
    );
    assert_eq!(
        (found.via.as_str(), found.key.as_deref()),
        ("webhook", Some("k"))
    );
    for id in ["", "o10", "o151", "O42", "o42 ", "' OR 1=1 --"] {
        assert_eq!(receipt(&ledger, id), None, "{id}");
    }
}

#[test]
fn kv_writes_are_counted_per_day() {
    let database = Database::new();
    let ledger = database.open(0);
    let report = |ledger: &LedgerStore<Database>, writes, now_ms| {
        let feed = ledger
            .read_counted_feed(0, writes, now_ms)
            .expect("an answer");
        let feed = PurgeFeed::decode(&feed).expect("a feed");
        assert_eq!(feed.at.ms, now_ms);
        feed.kv_writes
    };
    // An isolate that does not count receives no count.
    assert_eq!(feed_after(&ledger, 0).kv_writes, None);
    assert_eq!(report(&ledger, 0, 0), Some(0));
    assert_eq!(report(&ledger, 3, 1), Some(3));
    assert_eq!(report(&ledger, 4, 2), Some(7));
    assert_eq!(report(&ledger, 0, DAY_MS - 1), Some(7));
    // The count survives a restart of the object, but not the day.
    let ledger = database.open(5);
    assert_eq!(report(&ledger, 1, DAY_MS - 1), Some(8));
    assert_eq!(report(&ledger, 0, DAY_MS), Some(0));
    assert_eq!(report(&ledger, 2, DAY_MS), Some(2));
    // If the clock goes back to the day before, that day begins anew.
    assert_eq!(report(&ledger, 5, DAY_MS - 1), Some(5));
    // Invalid reports of a faulty caller leave the sums exact.
    for total in [1_000_005, 2_000_005] {
        assert_eq!(report(&ledger, u64::MAX, DAY_MS - 1), Some(total));
    }
    // It is part of every feed.
    let (receipt, _) = append(&ledger, &order("one", &["tag:a"], &[]), 0);
    let feed = ledger.read_counted_feed(0, 1, 0).expect("an answer");
    let feed = PurgeFeed::decode(&feed).expect("a feed");
    assert_eq!((feed.sequence, feed.marks.len()), (receipt.sequence, 1));
}
