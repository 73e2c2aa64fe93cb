//! Tests of the conclusions that an isolate may draw from a feed. The
//! simulation found each of these cases.

use edgekeep::cache::ledger::sequence::PurgeState;
use edgekeep::cache::ledger::wire::Receipt;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use std::collections::BTreeSet;
use testkit::world::sqlite::Sqlite;

const START_MS: u64 = 1_795_424_400_000;

/// The receipt of a soft order for one tag.
fn soft_receipt(tag: &str, sequence: u64) -> Receipt {
    Receipt {
        sequence,
        soft: vec![format!("tag:{tag}")],
        ..Receipt::default()
    }
}

/// The first of several pages may end before a mark that a later order raised
/// again. An isolate that has received only that page and the later order has
/// not received the earlier one, and must query on.
#[test]
fn order_beyond_gap_does_not_close_it() {
    let page = "N1 0 3 0 0 0 1 1000\n0000000000000001 3 0\n.";
    let mut index = PurgeIndex::default();
    index.apply(&PurgeFeed::decode(page).expect("a feed"));
    assert_eq!(index.sequence(), 3);
    // Order 2 purged `t` hard, order 4 softly: one mark, sent after order 3.
    index.apply(&PurgeFeed::of_receipt(&soft_receipt("t", 4)));
    assert_eq!(index.state(3, &[mark_of("tag:t")]), PurgeState::Soft);
    assert_eq!(index.sequence(), 3, "order 2 is not known yet");
    let mark = mark_of("tag:t");
    let rest = format!("N1 3 4 1 0 0 1 1000\n{mark:016x} 2 4\n.");
    index.apply(&PurgeFeed::decode(&rest).expect("a feed"));
    assert_eq!(index.state(1, &[mark]), PurgeState::Hard);
    assert_eq!(index.sequence(), 4);
}

/// A ledger may be lost, and a new one may have as many instances as the old
/// one had. Their clocks differ, and their times cannot be compared.
#[test]
fn run_numbers_are_unique_across_ledgers() {
    let mut runs = BTreeSet::new();
    for ledger in 0..3 {
        let sqlite = Sqlite::in_memory();
        for life in 0..3 {
            runs.insert(run(&sqlite, START_MS + ledger * 100_000 + life * 1000));
        }
    }
    assert_eq!(runs.len(), 9, "{runs:?}");
}

/// Instances are distinguished even if the clock of a later one is behind.
#[test]
fn run_number_increases_even_if_clock_is_behind() {
    let sqlite = Sqlite::in_memory();
    let clocks = [START_MS, START_MS - 300_000, 0, START_MS];
    let runs = clocks.map(|now_ms| run(&sqlite, now_ms));
    assert!(runs.is_sorted_by(|one, next| one < next), "{runs:?}");
}

/// The instance of a ledger that is opened at `now_ms`.
fn run(sqlite: &Sqlite, now_ms: u64) -> u64 {
    let ledger = LedgerStore::open(sqlite.clone(), now_ms, false).expect("a ledger");
    let feed = ledger.read_feed(0, now_ms).expect("a feed");
    PurgeFeed::decode(&feed).expect("a feed").at.run
}
