//! Tests that purges of one key do not purge pages of another: keys with
//! limited permissions have budgets of their own, and their marks widen within
//! the permissions.

use edgekeep::cache::ledger::sequence::PurgeState;
use edgekeep::cache::ledger::wire::{MARK_MS, Order, SCOPE_MARKS_MAX, SCOPES_MAX};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::{Selector, mark_of};
use edgekeep::flow::ledger::sql::Sql;
use testkit::ledger::{
    DAY_MS, Database, append, feed_after, fresh_index, order, pages, state, write,
};

const NOW: u64 = 1_795_424_400_000;

/// An order of a key with this scope.
fn order_of_scope(scope: &str, id: &str, hard: Vec<String>) -> Order {
    Order {
        scope: Some(scope.to_owned()),
        hard,
        ..order(id, &[], &[])
    }
}

/// The `n`th batch of a thousand selectors: new tags each time.
fn batch(scope: &str, n: u64) -> Order {
    let tags = (0..1000).map(|at| format!("tag:shop-{n}-{at}"));
    order_of_scope(scope, &format!("batch-{n}"), tags.collect())
}

#[test]
fn marks_beyond_budget_of_key_widen_to_its_scope() {
    const SCOPE: &str = "scope:h=*.shop.test,t=shop-*";
    let ledger = Database::new().open(NOW);
    let (other, _) = append(&ledger, &order("other", &["tag:other"], &[]), NOW);
    let start = other.sequence;
    let mut warm = fresh_index(&ledger, NOW);
    for n in 0..130 {
        let mut order = batch(SCOPE, n);
        order.after = warm.sequence();
        let (_, feed) = append(&ledger, &order, NOW);
        assert!(warm.apply(&feed));
    }
    let cold = fresh_index(&ledger, NOW);
    assert!(cold.len() as u64 <= SCOPE_MARKS_MAX + 1, "{}", cold.len());
    let last = ledger.last().expect("a number");
    assert_eq!(
        feed_after(&ledger, 0).floor.hard,
        NOW,
        "the floor has risen"
    );
    for index in [&cold, &warm] {
        // Entries of others are not purged, however old: pages, tags and hosts.
        for (url, tags) in [
            ("https://a.test/", &["news", "shops"][..]),
            ("https://shop.test/", &[]),
            ("https://shop.test.evil.test/x", &["other-shop-1"]),
        ] {
            assert_eq!(state(index, start, url, tags), PurgeState::Alive, "{url}");
        }
        // All that it purged is purged for earlier entries.
        for n in [0, 1, 64, 128, 129] {
            let tag = format!("shop-{n}-7");
            let found = state(index, start, "https://a.test/", &[&tag]);
            assert_eq!(found, PurgeState::Hard, "{tag}");
            let found = state(index, last, "https://a.test/", &[&tag]);
            assert_eq!(found, PurgeState::Alive, "{tag}");
        }
    }
    // The marks of the last batches have not widened.
    let seen = last - 1;
    assert_eq!(
        state(&cold, seen, "https://a.test/", &["shop-x"]),
        PurgeState::Alive
    );
    assert_eq!(
        state(&cold, seen, "https://a.test/", &["shop-129-1"]),
        PurgeState::Hard
    );
    // The scope that older marks have widened to: by tag and by host.
    assert_eq!(
        state(&cold, start, "https://a.test/", &["shop-x"]),
        PurgeState::Hard
    );
    assert_eq!(
        state(&cold, start, "https://www.shop.test/", &[]),
        PurgeState::Hard
    );
}

#[test]
fn change_of_scope_loses_no_purge() {
    let ledger = Database::new().open(NOW);
    let (earlier, later) = ("scope:t=shop-*", "scope:t=blog-*");
    for n in 0..3 {
        append(&ledger, &batch(earlier, n), NOW);
    }
    // The same key with other settings, and no key at all any more.
    append(
        &ledger,
        &order_of_scope(later, "new", vec!["tag:blog-1".to_owned()]),
        NOW,
    );
    let index = fresh_index(&ledger, NOW);
    for n in 0..3 {
        let tag = format!("shop-{n}-999");
        assert_eq!(
            state(&index, NOW, "https://a.test/", &[&tag]),
            PurgeState::Hard
        );
    }
    assert_eq!(
        state(&index, NOW, "https://a.test/", &["blog-2"]),
        PurgeState::Alive
    );
}

#[test]
fn cascaded_tags_may_lie_outside_scope() {
    let ledger = Database::new().open(NOW);
    for n in 0..4 {
        let mut order = batch("scope:t=shop-*", n);
        order.hard.push("tag:home".to_owned());
        append(&ledger, &order, NOW);
    }
    let index = fresh_index(&ledger, NOW);
    let last = ledger.last().expect("a number");
    assert_eq!(
        state(&index, last - 1, "https://a.test/", &["home"]),
        PurgeState::Hard
    );
    assert_eq!(
        state(&index, NOW, "https://a.test/", &["homes"]),
        PurgeState::Alive
    );
    // It is one mark, however often it is purged.
    let all_pages = pages(&ledger, 0);
    let marks: usize = all_pages.iter().map(|page| page.marks.len()).sum();
    assert!(marks as u64 <= SCOPE_MARKS_MAX + 1);
}

#[test]
fn invalid_scope_is_an_error() {
    let ledger = Database::new().open(NOW);
    for scope in ["", "scope", "scope:x=a", "everything"] {
        let order = order_of_scope(scope, "a", vec!["tag:a".to_owned()]);
        assert!(ledger.append(&order, NOW).is_err(), "{scope}");
    }
}

#[test]
fn number_of_scopes_is_bounded_when_settings_change() {
    let ledger = Database::new().open(NOW);
    let scopes = SCOPES_MAX + 10;
    for n in 0..scopes {
        let scope = format!("scope:t={n}-*");
        append(
            &ledger,
            &order_of_scope(&scope, &format!("o{n}"), vec![format!("tag:{n}-a")]),
            NOW,
        );
    }
    let owners = "SELECT COUNT(*) FROM owners";
    assert_eq!(ledger.sql().number(owners, &[]), Ok(SCOPES_MAX));
    // The oldest marks have become the floor: none of them is lost.
    let index = fresh_index(&ledger, NOW);
    for n in 0..scopes {
        let tag = format!("{n}-a");
        assert_eq!(
            state(&index, NOW + n, "https://a.test/", &[&tag]),
            PurgeState::Hard
        );
    }
    assert_eq!(feed_after(&ledger, 0).floor.hard, NOW + 10);
}

#[test]
fn expired_marks_widen_within_their_owner() {
    let ledger = Database::new().open(0);
    append(
        &ledger,
        &order_of_scope("scope:t=shop-*", "a", vec!["tag:shop-1".to_owned()]),
        0,
    );
    write(&ledger, &["url:a.test/old"], 0);
    let later = MARK_MS + DAY_MS;
    append(
        &ledger,
        &order_of_scope("scope:t=shop-*", "b", vec!["tag:shop-2".to_owned()]),
        later,
    );
    write(&ledger, &["url:a.test/new"], later);
    let index = fresh_index(&ledger, later);
    assert_eq!(feed_after(&ledger, 0).floor.newest(), 0);
    assert_eq!(
        state(&index, 0, "https://b.test/", &["shop-1"]),
        PurgeState::Hard
    );
    assert_eq!(
        state(&index, 0, "https://b.test/", &["shop-9"]),
        PurgeState::Hard
    );
    assert_eq!(
        state(&index, 1, "https://b.test/", &["shop-9"]),
        PurgeState::Alive
    );
    assert_eq!(
        state(&index, 0, "https://b.test/", &["news"]),
        PurgeState::Alive
    );
    assert_eq!(
        state(&index, 1, "https://a.test/other", &[]),
        PurgeState::Soft
    );
    assert_eq!(
        state(&index, 2, "https://a.test/other", &[]),
        PurgeState::Alive
    );
    assert_eq!(
        state(&index, 3, "https://a.test/new", &[]),
        PurgeState::Hard
    );
}

#[test]
fn plain_feed_for_earlier_versions_purges_no_less() {
    let ledger = Database::new().open(NOW);
    for n in 0..4 {
        append(&ledger, &batch("scope:t=shop-*", n), NOW);
    }
    let (write, _) = write(&ledger, &["url:a.test/p"], NOW);
    let mut index = PurgeIndex::default();
    for page in pages(&ledger, 0) {
        let text = page.plain().encode();
        let old = |line: &str| line.len() > 16 && !line.contains(':') && !line.starts_with('w');
        assert!(text.lines().skip(1).all(|line| line == "." || old(line)));
        index.apply(&PurgeFeed::decode(&text).expect("a feed"));
    }
    let page = mark_of("url:a.test/p");
    assert_eq!(index.state(write - 1, &[page]), PurgeState::Hard);
    let first = Selector::Tag("shop-0-0".to_owned()).mark();
    assert_eq!(index.state(NOW, &[first]), PurgeState::Hard);
}
