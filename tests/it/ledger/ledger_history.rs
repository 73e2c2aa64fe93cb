//! Tests of the ledger's history: ids belong to keys, how past orders are
//! found, and how much one response contains.

use edgekeep::cache::ledger::wire::{
    HISTORY_BYTES_MAX, HistoryQuery, Order, PastOrder, Progress, Receipt,
};
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::http::json_object::{print, read};
use std::collections::BTreeSet;
use testkit::ledger::{Database, append, order};

fn receipt<S: Sql>(ledger: &LedgerStore<S>, id: &str) -> Option<Receipt> {
    let found = ledger.history(&HistoryQuery::Id(id.to_owned()));
    let found = found.expect("an answer").into_iter();
    found.map(|past| past.receipt).next()
}

/// The sequence numbers of the receipts after `after`.
fn sequences_after<S: Sql>(ledger: &LedgerStore<S>, after: u64, limit: u64) -> Vec<u64> {
    let found = ledger.history(&HistoryQuery::After { after, limit });
    let found = found.expect("an answer").into_iter();
    found.map(|past| past.receipt.sequence).collect()
}

/// An order of this key.
fn order_of_key(key: &str, order: Order) -> Order {
    Order {
        key: Some(key.to_owned()),
        ..order
    }
}

#[test]
fn order_ids_are_separate_for_each_key() {
    let ledger = Database::new().open(0);
    // A guessed id with the same body: both orders purge, and each has its
    // receipt.
    let (weak, _) = append(
        &ledger,
        &order_of_key("weak", order("2026-11-30", &["tag:a"], &[])),
        0,
    );
    let strong = order_of_key("strong", order("2026-11-30", &["tag:a"], &[]));
    let (first, feed) = append(&ledger, &strong, 1000);
    assert_eq!((weak.sequence, first.sequence), (1, 2));
    assert_eq!(first.key.as_deref(), Some("strong"));
    assert_eq!(feed.marks[0].1.hard, 2);
    // Another body conflicts only with an order of the same key.
    let mut other = order_of_key("third", order("2026-11-30", &["tag:b"], &[]));
    other.body_digest = "another".to_owned();
    assert_eq!(append(&ledger, &other, 0).0.sequence, 3);
    other.key = Some("weak".to_owned());
    assert_eq!(ledger.append(&other, 0).expect("an answer").receipt, None);
    // A repeat is still detected, for each key.
    assert_eq!(append(&ledger, &strong, 9000).0, first);
    let found = ledger.history(&HistoryQuery::Id("2026-11-30".to_owned()));
    let found = found.expect("an answer").into_iter();
    let keys: BTreeSet<_> = found.filter_map(|past| past.receipt.key).collect();
    assert_eq!(
        keys.into_iter().collect::<Vec<_>>(),
        ["strong", "third", "weak"]
    );
    // Key and id stay separate: `a` with `b-c` is not `a-b` with `c`.
    append(
        &ledger,
        &order_of_key("a", order("b-c", &["tag:a"], &[])),
        0,
    );
    append(
        &ledger,
        &order_of_key("a-b", order("c", &["tag:a"], &[])),
        0,
    );
    assert_eq!(sequences_after(&ledger, 3, 9), [4, 5]);
}

#[test]
fn generated_id_is_found_beside_equal_id_of_other_key() {
    let ledger = Database::new().open(0);
    append(
        &ledger,
        &order_of_key("weak", order("order-2", &["tag:b"], &[])),
        0,
    );
    let without_id = Order {
        id: None,
        ..order_of_key("strong", order("x", &["tag:a"], &[]))
    };
    append(&ledger, &without_id, 0);
    let found = ledger.history(&HistoryQuery::Id("order-2".to_owned()));
    let found = found.expect("an answer").into_iter();
    let numbers: Vec<u64> = found.map(|past| past.receipt.sequence).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn ids_stored_by_earlier_versions_stay_in_use() {
    let database = Database::new();
    let ledger = database.open(0);
    let (first, _) = append(
        &ledger,
        &order_of_key("k", order("one", &["tag:a"], &[])),
        0,
    );
    append(
        &ledger,
        &order_of_key("k", order("two", &["tag:a"], &[])),
        0,
    );
    // As earlier versions stored them: the id alone.
    let plain = "UPDATE receipts SET id = substr(id, instr(id, char(10)) + 1)";
    database.run(plain, &[]).expect("done");
    let damaged = "UPDATE receipts SET record = '{' WHERE id = 'two'";
    database.run(damaged, &[]).expect("done");
    for _ in 0..2 {
        let ledger = database.open(0);
        let (repeat, _) = append(
            &ledger,
            &order_of_key("k", order("one", &["tag:a"], &[])),
            0,
        );
        assert_eq!(repeat, first);
        assert_eq!(receipt(&ledger, "one"), Some(first.clone()));
    }
    let ledger = database.open(0);
    assert_eq!(
        append(
            &ledger,
            &order_of_key("x", order("one", &["tag:a"], &[])),
            0
        )
        .0
        .sequence,
        3
    );
}

#[test]
fn history_page_is_bounded_in_bytes() {
    let ledger = Database::new().open(0);
    // 200 orders of 60 kB, and one that is larger than a page.
    for n in 0..200 {
        let tags: Vec<String> = (0..6).map(|at| format!("tag:{n}-{at:0>10000}")).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        append(&ledger, &order(&format!("o{n}"), &tags, &[]), 0);
        if n == 100 {
            let large = format!("tag:{}", "x".repeat(HISTORY_BYTES_MAX as usize));
            append(&ledger, &order("large", &[&large], &[]), 0);
        }
    }
    let (mut after, mut seen, mut pages) = (0, Vec::new(), 0);
    loop {
        let found = ledger.history(&HistoryQuery::After { after, limit: 100 });
        let found = found.expect("an answer");
        let Some(last) = found.last() else { break };
        let bytes: usize = found.iter().map(|past| print(&past.receipt).len()).sum();
        let alone = found.len() == 1 && last.receipt.id == "large";
        assert!(alone || bytes as u64 <= HISTORY_BYTES_MAX, "{bytes}");
        // `more` is set if a page ends before its limit and there are more.
        assert_eq!(last.more, last.receipt.sequence < 201, "{after}");
        assert!(found.iter().rev().skip(1).all(|past| !past.more));
        after = last.receipt.sequence;
        seen.extend(found.iter().map(|past| past.receipt.sequence));
        pages += 1;
    }
    assert_eq!(seen, (1..=201).collect::<Vec<u64>>());
    assert!((13..=16).contains(&pages), "{pages}");
}

#[test]
fn more_flag_is_optional_for_other_versions() {
    let past = PastOrder {
        fast_lane: Progress::default(),
        ..PastOrder::default()
    };
    let text = print(&past);
    assert!(!text.contains("more"), "{text}");
    assert_eq!(read::<PastOrder>(&text), Ok(past.clone()));
    let more = PastOrder { more: true, ..past };
    let longer = text.replace("}}", "},\"more\":true}");
    assert_eq!(print(&more), longer);
    assert_eq!(read::<PastOrder>(&longer), Ok(more));
}
