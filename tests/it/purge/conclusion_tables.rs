//! Shows what an isolate may conclude from news, and what not: each case is
//! one that the simulation has found.

use edgekeep::cache::ledger::sequence::PurgeState;
use edgekeep::cache::ledger::wire::Receipt;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use std::collections::BTreeSet;
use testkit::world::sqlite::Sqlite;

const START_MS: u64 = 1_795_424_400_000;

/// A receipt of a soft order for one tag.
fn soft(tag: &str, sequence: u64) -> Receipt {
    Receipt {
        sequence,
        soft: vec![format!("tag:{tag}")],
        ..Receipt::default()
    }
}

/// The first of several pages may end before a mark that a later order raised
/// again. Who knows only that page and the later order does not know of the
/// earlier one, and must go on asking.
#[test]
fn an_order_alone_does_not_close_a_gap() {
    let page = "N1 0 3 0 0 0 1 1000\n0000000000000001 3 0\n.";
    let mut index = PurgeIndex::default();
    index.learn(&PurgeFeed::decode(page).expect("news"));
    assert_eq!(index.sequence(), 3);
    // Order 2 purged `t` hard, order 4 softly: one mark, told behind order 3.
    index.learn(&PurgeFeed::of_receipt(&soft("t", 4)));
    assert_eq!(index.state(3, &[mark_of("tag:t")]), PurgeState::Soft);
    assert_eq!(index.sequence(), 3, "order 2 is not known yet");
    let mark = mark_of("tag:t");
    let rest = format!("N1 3 4 1 0 0 1 1000\n{mark:016x} 2 4\n.");
    index.learn(&PurgeFeed::decode(&rest).expect("news"));
    assert_eq!(index.state(1, &[mark]), PurgeState::Hard);
    assert_eq!(index.sequence(), 4);
}

/// A ledger may be lost, and a new one have as many lives as the old one had.
/// Their clocks differ, and times of one say nothing to the other.
#[test]
fn no_two_lives_of_two_ledgers_look_alike() {
    let mut runs = BTreeSet::new();
    for ledger in 0..3 {
        let sqlite = Sqlite::in_memory();
        for life in 0..3 {
            runs.insert(run(&sqlite, START_MS + ledger * 100_000 + life * 1000));
        }
    }
    assert_eq!(runs.len(), 9, "{runs:?}");
}

/// Lives are told apart even where the clock of a later one is behind.
#[test]
fn a_life_is_told_from_the_one_before_whatever_the_clock_says() {
    let sqlite = Sqlite::in_memory();
    let clocks = [START_MS, START_MS - 300_000, 0, START_MS];
    let runs = clocks.map(|now_ms| run(&sqlite, now_ms));
    assert!(runs.is_sorted_by(|one, next| one < next), "{runs:?}");
}

/// The life that a ledger says it has when it is opened at `now_ms`.
fn run(sqlite: &Sqlite, now_ms: u64) -> u64 {
    let ledger = LedgerStore::open(sqlite.clone(), now_ms, false).expect("a ledger");
    let news = ledger.news(0, now_ms).expect("news");
    PurgeFeed::decode(&news).expect("news").at.run
}
