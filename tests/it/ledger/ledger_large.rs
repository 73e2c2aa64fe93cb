//! Tests of the ledger with many marks: pages, 100,000 live selectors, and one
//! more.

use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::{MARKS_DROPPED, MARKS_MAX, Order};
use edgekeep::cache::purge::feed::FEED_MARKS_MAX;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use std::collections::{BTreeMap, HashMap};
use testkit::ledger;
use testkit::ledger::{Database, append, feed_after, order, order_of_tags, pages};

/// The index of an isolate that starts now.
fn index_of<S: Sql>(ledger: &LedgerStore<S>) -> PurgeIndex {
    let mut index = PurgeIndex::default();
    for page in pages(ledger, 0) {
        assert!(index.apply(&page));
    }
    index
}

#[test]
fn feed_beyond_page_limit_is_split_into_pages() {
    const START_MS: u64 = 1_795_424_400_000;
    let ledger = Database::new().open(START_MS);
    // 45,000 marks, by orders of 700 and of 7.
    let (mut orders, mut tags) = (BTreeMap::new(), 0);
    while tags < 45_000 {
        let end = tags + if orders.len() % 2 == 0 { 700 } else { 7 };
        let id = format!("o{}", orders.len());
        let (receipt, _) = append(&ledger, &order_of_tags(&ledger, &id, tags..end), START_MS);
        orders.insert(receipt.sequence, (end - tags) as usize);
        tags = end;
    }
    let all_pages = pages(&ledger, 0);
    assert_eq!(all_pages.len(), 3);
    let sizes: Vec<usize> = all_pages.iter().map(|page| page.marks.len()).collect();
    assert!(
        sizes[..2]
            .iter()
            .all(|n| (FEED_MARKS_MAX..FEED_MARKS_MAX + 701).contains(n))
    );
    assert_eq!(sizes.iter().sum::<usize>(), tags as usize);
    for page in &all_pages {
        assert!(page.encode().len() < 2_000_000);
        // Each order's marks are on the page of its number, and on no other.
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for (_, numbers) in &page.marks {
            *counts.entry(numbers.hard).or_default() += 1;
        }
        let mut here = orders.clone();
        here.retain(|sequence, _| (page.after + 1..=page.sequence).contains(sequence));
        assert_eq!(counts, here);
    }
    // Merged, or added page by page, they are complete.
    let joined = all_pages
        .iter()
        .skip(1)
        .try_fold(all_pages[0].clone(), |all, page| all.followed_by(page));
    let joined = joined.expect("pages that connect");
    let (mut whole, mut parts) = (PurgeIndex::default(), PurgeIndex::default());
    assert!(whole.apply(&joined));
    assert!(all_pages.iter().all(|page| parts.apply(page)));
    for index in [&whole, &parts] {
        assert_eq!(
            (index.len(), index.sequence()),
            (tags as usize, ledger.last().expect("a number"))
        );
    }
    // Marks that are raised again between two pages appear on a later page.
    let first = feed_after(&ledger, 0);
    let raised = order_of_tags(&ledger, "again", 0..900);
    let (receipt, _) = append(&ledger, &raised, START_MS);
    let mut reader = PurgeIndex::default();
    reader.apply(&first);
    for page in pages(&ledger, first.sequence) {
        assert!(reader.apply(&page));
    }
    assert_eq!(
        (reader.len(), reader.sequence()),
        (tags as usize, receipt.sequence)
    );
    for name in &raised.hard {
        let state = reader.state(receipt.sequence - 1, &[mark_of(name)]);
        assert_eq!(state, PurgeState::Hard, "{name}");
    }
}

#[test]
fn largest_page_fits_database_row() {
    const START_MS: u64 = 9_999_999_999_998;
    let ledger = Database::new().open(START_MS);
    let hard = order_of_tags(&ledger, "one", 0..500);
    let soft = hard.hard.clone();
    append(&ledger, &Order { soft, ..hard }, START_MS);
    let page = ledger.read_feed(0, START_MS).expect("an answer");
    let longest = page.lines().skip(1).map(str::len).max().unwrap_or(0) + 1;
    assert_eq!(longest, 45);
    // With an order of as many marks again at its end.
    assert!(2 * FEED_MARKS_MAX * longest < 2_000_000);
}

#[test]
fn feed_contains_order_completely() {
    let ledger = Database::new().open(0);
    append(&ledger, &order_of_tags(&ledger, "before", 0..25_000), 0);
    for (id, after) in [("a", 0), ("b", 1), ("c", 2)] {
        let mut order = order_of_tags(&ledger, id, 30_000..31_000);
        order.soft = vec!["tag:s".to_owned(), "host:a.test".to_owned()];
        order.after = after;
        let (receipt, feed) = append(&ledger, &order, 0);
        // An isolate that is further behind than a page receives the first
        // page, and queries again.
        assert_eq!(feed.complete, after > 0);
        let from = match feed.complete {
            true => feed,
            false => ledger::feed_after(&ledger, 1),
        };
        let from: HashMap<u64, Numbers> = from.marks.into_iter().collect();
        for (names, soft) in [(&order.hard, false), (&order.soft, true)] {
            for name in names {
                let numbers = from.get(&mark_of(name)).expect(name);
                let number = if soft { numbers.soft } else { numbers.hard };
                assert_eq!(number, receipt.sequence, "{name}");
            }
        }
    }
}

#[test]
fn marks_up_to_limit_are_kept_and_one_more_raises_floor() {
    const EACH: u32 = 500;
    const START: u64 = 1_795_424_400_000;
    let all = u32::try_from(MARKS_MAX).expect("a count");
    let ledger = Database::new().open(START);
    let mut orders = Vec::new();
    for first in (0..all).step_by(EACH as usize) {
        let order = order_of_tags(&ledger, &format!("o{first}"), first..first + EACH);
        let (receipt, _) = append(&ledger, &order, START);
        let marks: Vec<u64> = order.hard.iter().map(|name| mark_of(name)).collect();
        orders.push((receipt.sequence, marks));
    }
    let newest = START + orders.len() as u64;
    let full = index_of(&ledger);
    assert_eq!((full.len() as u64, full.sequence()), (MARKS_MAX, newest));
    for (sequence, marks) in &orders {
        for mark in marks {
            assert_eq!(full.state(sequence - 1, &[*mark]), PurgeState::Hard);
            assert_eq!(full.state(*sequence, &[*mark]), PurgeState::Alive);
        }
    }
    // No floor yet except that of the start.
    assert_eq!(full.state(START, &[1]), PurgeState::Alive);
    // A mark that is raised again is not an additional one.
    append(
        &ledger,
        &order_of_tags(&ledger, "again", all - EACH..all),
        START,
    );
    assert_eq!(index_of(&ledger).len() as u64, MARKS_MAX);
    assert_eq!(feed_after(&ledger, newest).floor.hard, START);

    // One more: the oldest eighth is removed, in whole orders.
    let (last, _) = append(&ledger, &order("more", &["url:a.test/"], &[]), START);
    let index = index_of(&ledger);
    let dropped = MARKS_MAX + 1 - index.len() as u64;
    assert!(
        (MARKS_DROPPED..=MARKS_DROPPED + u64::from(EACH)).contains(&dropped),
        "{dropped}"
    );
    let floor = feed_after(&ledger, newest).floor;
    let floor_now = START + dropped / u64::from(EACH);
    assert_eq!(
        floor,
        Numbers {
            hard: floor_now,
            soft: 0
        }
    );
    // An earlier entry is purged, whatever its selectors; a later one is not.
    assert_eq!(index.state(floor_now - 1, &[1]), PurgeState::Hard);
    assert_eq!(index.state(floor_now, &[1]), PurgeState::Alive);
    let mut warm = full;
    assert!(warm.apply(&feed_after(&ledger, newest)));
    // No purge in force is lost, and no index keeps marks that the floor
    // covers.
    for index in [&index, &warm] {
        for (sequence, marks) in &orders {
            for mark in marks.iter().step_by(7) {
                assert_eq!(index.state(sequence - 1, &[*mark]), PurgeState::Hard);
            }
        }
        let page = mark_of("url:a.test/");
        assert_eq!(index.state(last.sequence - 1, &[page]), PurgeState::Hard);
        assert_eq!(index.len() as u64, MARKS_MAX + 1 - dropped);
    }
    // There is room for an eighth now.
    append(&ledger, &order("and more", &["url:a.test/b"], &[]), START);
    assert_eq!(feed_after(&ledger, newest).floor, floor);
}
