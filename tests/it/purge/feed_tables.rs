//! Tests of the purge feed: it is parsed as it was written, no other text is
//! accepted, its pages can be merged, and an index accepts it whole, in pieces,
//! twice, or with a gap.

use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::Receipt;
use edgekeep::cache::purge::feed::{InvalidFeed, LedgerTime, NUMBER_MAX, PurgeFeed};
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use testkit::random::Hostile;

fn numbers(hard: u64, soft: u64) -> Numbers {
    Numbers { hard, soft }
}

/// A page of a feed, with the purges `after..=sequence`: marks with their
/// numbers.
fn page(after: u64, sequence: u64, marks: &[(u64, u64, u64)]) -> PurgeFeed {
    let line = |&(mark, hard, soft): &(u64, u64, u64)| (mark, numbers(hard, soft));
    PurgeFeed {
        after,
        sequence,
        complete: true,
        marks: marks.iter().map(line).collect(),
        ..PurgeFeed::default()
    }
}

fn with_floor(hard: u64, soft: u64, feed: PurgeFeed) -> PurgeFeed {
    let floor = numbers(hard, soft);
    PurgeFeed { floor, ..feed }
}

/// An example with a line for every kind of number.
fn example() -> PurgeFeed {
    PurgeFeed {
        after: 4,
        sequence: 9,
        complete: false,
        floor: numbers(2, 3),
        at: LedgerTime {
            run: 6,
            ms: 1_795_424_400_000,
        },
        kv_writes: None,
        marks: vec![
            (0xf1, numbers(7, 0)),
            (u64::MAX, numbers(0, 8)),
            (0, numbers(9, 5)),
        ],
        ..PurgeFeed::default()
    }
}

const TEXT: &str = "N1 4 9 0 2 3 6 1795424400000
00000000000000f1 7 0
ffffffffffffffff 0 8
0000000000000000 9 5
.";

#[test]
fn feed_is_decoded_as_it_was_encoded() {
    #[track_caller]
    fn check(feed: &PurgeFeed) {
        assert_eq!(PurgeFeed::decode(&feed.encode()).as_ref(), Ok(feed));
    }
    assert_eq!(example().encode(), TEXT);
    check(&example());
    check(&PurgeFeed::default());
    check(&page(0, 0, &[]));
    check(&page(7, 7, &[]));
    check(&with_floor(8, 9, page(0, 7, &[])));
    check(&page(0, NUMBER_MAX, &[(1, NUMBER_MAX, NUMBER_MAX)]));
    check(&with_floor(
        NUMBER_MAX,
        NUMBER_MAX,
        page(0, NUMBER_MAX, &[]),
    ));
    // The lines that the ledger writes itself.
    let parts = format!("{}00000000000000f1 7 0\n.", example().first_line());
    let one = PurgeFeed {
        marks: vec![(0xf1, numbers(7, 0))],
        ..example()
    };
    assert_eq!(PurgeFeed::decode(&parts), Ok(one));
}

#[test]
fn feed_with_count_of_kv_writes_has_version_n2() {
    let counted = PurgeFeed {
        kv_writes: Some(12),
        ..example()
    };
    let text = TEXT.replacen("N1", "N2", 1).replacen("\n", " 12\n", 1);
    assert_eq!(counted.encode(), text);
    assert_eq!(PurgeFeed::decode(&text), Ok(counted.clone()));
    let none = PurgeFeed {
        kv_writes: Some(0),
        ..PurgeFeed::default()
    };
    assert_eq!(PurgeFeed::decode(&none.encode()), Ok(none));
    let decode = |first: &str| PurgeFeed::decode(&format!("{first}\n."));
    for bad in [
        "N2 0 0 0 0 0 0 0",
        "N2 0 0 0 0 0 0 0 1 1",
        "N2 0 0 0 0 0 0 0 ",
        "N2 0 0 0 0 0 0 0 -1",
        "N2 0 0 0 0 0 0 0 9007199254740992",
        "N3 0 0 0 0 0 0 0 1",
        "N1 0 0 0 0 0 0 0 1",
        "N2",
    ] {
        assert_eq!(decode(bad), Err(InvalidFeed), "{bad}");
    }
    for end in 0..text.len() {
        assert_eq!(PurgeFeed::decode(&text[..end]), Err(InvalidFeed), "{end}");
    }
}

#[test]
fn merged_feed_keeps_last_count_of_same_day() {
    #[track_caller]
    fn check(one: (u64, Option<u64>), other: (u64, Option<u64>), expected: Option<u64>) {
        let feed_at = |(ms, kv_writes)| PurgeFeed {
            at: LedgerTime { run: 1, ms },
            kv_writes,
            ..page(3, 3, &[])
        };
        let joined = feed_at(one)
            .followed_by(&feed_at(other))
            .expect("they connect");
        assert_eq!(joined.kv_writes, expected, "{one:?} {other:?}");
    }
    const DAY_MS: u64 = 86_400_000;
    check((5, None), (6, None), None);
    check((5, Some(7)), (6, Some(9)), Some(9));
    check((5, None), (6, Some(9)), Some(9));
    // The feed of an order has no count.
    check((5, Some(7)), (DAY_MS - 1, None), Some(7));
    check((5, Some(7)), (DAY_MS, None), None);
}

#[test]
fn malformed_feeds_are_refused() {
    #[track_caller]
    fn check(text: &str) {
        assert_eq!(PurgeFeed::decode(text), Err(InvalidFeed), "{text:?}");
    }
    for text in [
        "",
        ".",
        "\n.",
        "N1",
        "N1\n.",
        "{}",
        "N1 0 0 0 0 0 0\n.",
        "N1 0 0 0 0 0 0 0 0\n.",
        "N1  0 0 0 0 0 0 0\n.",
        "N1 0 0 0 0 0 0 0 \n.",
        " N1 0 0 0 0 0 0 0\n.",
        "N10 0 0 0 0 0 0 0\n.",
        "N2 0 0 0 0 0 0 0\n.",
        "n1 0 0 0 0 0 0 0\n.",
        "N1 0 0 0 0 0 0 0\r\n.",
        "N1 0 0 0 0 0 0 -1\n.",
        "N1 0 0 0 0 0 0 1.5\n.",
        "N1 0 0 0 0 0 0 1e3\n.",
        "N1 0 0 0 0 0 0 18446744073709551616\n.",
        "N1 0 0 0 0 0 0 é\n.",
        "N1 0 0 0 0 0 0 0\n.\n",
        "N1 0 0 0 0 0 0 0\n. ",
        "N1 0 0 0 0 0 0 0\n.\n.",
        "N1 0 0 0 0 0 0 0\n\n.",
    ] {
        check(text);
    }
    for line in [
        "",
        " ",
        "x",
        "00000000000000f1",
        "00000000000000f1 7",
        "00000000000000f1 7 0 0",
        "00000000000000f1 7 0 ",
        "00000000000000f1  7 0",
        " 00000000000000f1 7 0",
        "f1 7 0",
        "-000000000000001 7 0",
        "000000000000000f1 7 0",
        "00000000000000g1 7 0",
        "00000000000000f1 -7 0",
        "00000000000000f1 x 0",
        "00000000000000f1 7 x",
        "00000000000000f1 7 18446744073709551616",
        "ééééé00 7 0",
    ] {
        check(&format!("N1 0 9 1 0 0 1 5\n{line}\n."));
    }
    // Contradictions: it ends before it begins, or has purges beyond its end.
    check("N1 8 7 1 0 0 1 5\n.");
    check("N1 0 7 1 0 0 1 5\n00000000000000f1 8 0\n.");
    check("N1 0 7 1 0 0 1 5\n00000000000000f1 0 8\n.");
    // Numbers that no ledger can have reached: with them an index would miss
    // all later purges.
    let far = NUMBER_MAX + 1;
    check(&format!("N1 0 {far} 1 0 0 1 5\n."));
    check(&format!("N1 {far} {far} 1 0 0 1 5\n."));
    check(&format!("N1 0 7 1 {far} 0 1 5\n."));
    check(&format!("N1 0 7 1 0 {far} 1 5\n."));
}

#[test]
fn truncated_feed_is_refused() {
    for end in 0..TEXT.len() {
        assert_eq!(PurgeFeed::decode(&TEXT[..end]), Err(InvalidFeed), "{end}");
    }
    // Nor can any line be missing at the start.
    for (at, _) in TEXT.match_indices('\n') {
        assert_eq!(PurgeFeed::decode(&TEXT[at + 1..]), Err(InvalidFeed), "{at}");
    }
}

#[test]
fn hostile_feed_is_refused_or_round_trips() {
    let mut hostile = Hostile::new();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let text = hostile.text(&[TEXT, "N1 0 0 1 0 0 1 5\n.", "00000000000000f1 7 0\n"]);
        let Ok(feed) = PurgeFeed::decode(&text) else {
            refused += 1;
            continue;
        };
        taken += 1;
        assert_eq!(
            PurgeFeed::decode(&feed.encode()).as_ref(),
            Ok(&feed),
            "{text:?}"
        );
        // Its content never causes a panic.
        let mut index = PurgeIndex::default();
        index.apply(&feed);
        index.apply(&example());
        let _ = (index.state(5, &[0, 0xf1]), index.state(u64::MAX, &[]));
        let _ = (feed.followed_by(&example()), example().followed_by(&feed));
    }
    assert!(taken > 1000 && refused > 5000, "{taken} {refused}");
}

#[test]
fn feed_of_receipt_covers_only_its_order() {
    let receipt = |sequence, hard: &[&str], soft: &[&str]| Receipt {
        sequence,
        key: Some("k".to_owned()),
        hard: hard.iter().map(|&name| name.to_owned()).collect(),
        soft: soft.iter().map(|&name| name.to_owned()).collect(),
        ..Receipt::default()
    };
    let feed = PurgeFeed::of_receipt(&receipt(7, &["tag:a", "url:a.test/"], &["tag:b"]));
    let expected = [
        (mark_of("tag:a"), numbers(7, 0)),
        (mark_of("url:a.test/"), numbers(7, 0)),
        (mark_of("tag:b"), numbers(0, 7)),
    ];
    // It connects to nothing before it: a mark that it raises may have been
    // raised before, by an order that only the ledger's next feed contains.
    assert_eq!((feed.after, feed.sequence), (7, 7));
    assert_eq!(
        (feed.floor, feed.marks.as_slice()),
        (numbers(0, 0), &expected[..])
    );
    // The marks of a write are separate.
    let of_write = PurgeFeed::of_receipt(&Receipt {
        key: None,
        ..receipt(7, &["tag:a", "url:a.test/"], &["tag:b"])
    });
    assert_eq!(
        (of_write.marks, of_write.writes),
        (vec![], feed.marks.clone())
    );
    // It is not a feed of the ledger itself: it is incomplete, and has no time.
    assert_eq!((feed.complete, feed.at), (false, LedgerTime::default()));
    let all = PurgeFeed::of_receipt(&receipt(7, &["everything"], &["everything", "tag:a"]));
    assert_eq!(all.floor, numbers(7, 7));
    assert_eq!(all.marks, [(mark_of("tag:a"), numbers(0, 7))]);
    assert_eq!(PurgeFeed::of_receipt(&receipt(0, &[], &[])).after, 0);
    // An isolate applies it, and records that earlier purges may be missing.
    let mut behind = PurgeIndex::default();
    behind.apply(&page(0, 6, &[]));
    assert!(!behind.apply(&feed));
    assert_eq!(behind.sequence(), 6);
    assert_eq!(behind.state(6, &[mark_of("tag:a")]), PurgeState::Hard);
}

/// All states that an index can return for a few marks and numbers.
fn all_states(index: &PurgeIndex) -> (u64, Vec<PurgeState>) {
    let sets: [&[u64]; 6] = [&[], &[0], &[1], &[2], &[3], &[0, 3]];
    let states = (0..14).flat_map(|seen| sets.map(|marks| index.state(seen, marks)));
    (index.sequence(), states.collect())
}

fn index_of(all: &[&PurgeFeed]) -> PurgeIndex {
    let mut index = PurgeIndex::default();
    for feed in all {
        index.apply(feed);
    }
    index
}

#[test]
fn connected_feeds_merge() {
    #[track_caller]
    fn check(one: &PurgeFeed, other: &PurgeFeed, expected: Option<(u64, u64)>) {
        let joined = one.followed_by(other);
        let ends = joined.as_ref().map(|feed| (feed.after, feed.sequence));
        assert_eq!(ends, expected, "{one:?} {other:?}");
        if let Some(joined) = joined {
            assert_eq!(
                all_states(&index_of(&[&joined])),
                all_states(&index_of(&[one, other]))
            );
            assert_eq!((joined.complete, joined.at), (other.complete, other.at));
        }
    }
    let empty = |after, sequence| page(after, sequence, &[]);
    check(&empty(0, 3), &empty(3, 5), Some((0, 5)));
    check(&empty(2, 3), &empty(3, 3), Some((2, 3)));
    check(&empty(3, 3), &empty(3, 5), Some((3, 5)));
    // Overlapping feeds.
    check(&empty(0, 3), &empty(1, 5), Some((0, 5)));
    check(&empty(2, 3), &empty(1, 5), Some((1, 5)));
    check(&empty(2, 5), &empty(2, 5), Some((2, 5)));
    // A gap; and a feed that ends earlier does not follow.
    check(&empty(0, 3), &empty(4, 5), None);
    check(&empty(0, 5), &empty(1, 4), None);
    check(&empty(0, 5), &empty(7, 9), None);
    // Marks: the larger numbers if both feeds have the mark.
    let first = page(0, 5, &[(0, 1, 4), (1, 5, 0), (2, 0, 3)]);
    check(&first, &page(5, 8, &[(0, 6, 4), (3, 0, 8)]), Some((0, 8)));
    check(&first, &page(5, 8, &[(0, 0, 7), (1, 5, 8)]), Some((0, 8)));
    check(&first, &page(5, 8, &[(0, 6, 0), (2, 7, 0)]), Some((0, 8)));
    // Floors: the higher one.
    let raised = with_floor(6, 2, page(5, 8, &[(1, 7, 0)]));
    check(&first, &raised, Some((0, 8)));
    check(&with_floor(3, 5, first.clone()), &raised, Some((0, 8)));
    let lowered = with_floor(1, 0, page(5, 8, &[]));
    check(&with_floor(3, 5, first.clone()), &lowered, Some((0, 8)));
    // Half of a response and its end.
    let half = PurgeFeed {
        complete: false,
        at: LedgerTime { run: 1, ms: 5 },
        ..first
    };
    check(&half, &page(5, 8, &[(3, 8, 0)]), Some((0, 8)));
}

/// A random feed of a few marks.
fn random_feed(random: &mut fastrand::Rng) -> PurgeFeed {
    let after = random.u64(0..10);
    let sequence = random.u64(after..12);
    let mut number = |to: u64| match random.bool() {
        true => 0,
        false => random.u64(0..=to),
    };
    let marks = (0..4).map(|mark| (mark, number(sequence), number(sequence)));
    let marks: Vec<_> = marks.collect();
    let (hard, soft) = (number(12), number(12));
    let kept = random.usize(0..=4);
    with_floor(hard, soft, page(after, sequence, &marks[..kept]))
}

#[test]
fn merged_feed_has_effect_of_its_parts() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut joins = 0;
    for _ in 0..20_000 {
        let all: Vec<PurgeFeed> = (0..3).map(|_| random_feed(&mut random)).collect();
        let [before, one, other] = all.as_slice() else {
            unreachable!("three")
        };
        let Some(joined) = one.followed_by(other) else {
            assert!(other.after > one.sequence || other.sequence < one.sequence);
            continue;
        };
        joins += 1;
        // With any earlier state.
        for known in [&PurgeFeed::default(), before] {
            let parts = index_of(&[known, one, other]);
            let whole = index_of(&[known, &joined]);
            assert_eq!(
                all_states(&whole),
                all_states(&parts),
                "{known:?} {one:?} {other:?}"
            );
        }
        if let (Some(left), Some(right)) = (
            before
                .followed_by(one)
                .and_then(|two| two.followed_by(other)),
            before.followed_by(&joined),
        ) {
            assert_eq!(
                all_states(&index_of(&[&left])),
                all_states(&index_of(&[&right]))
            );
        }
    }
    assert!(joins > 1000, "{joins}");
}

#[test]
fn marks_beyond_gap_apply_at_once_and_gap_remains() {
    use PurgeState::{Alive, Hard, Soft};
    let mut index = index_of(&[&page(0, 3, &[(0, 3, 0)])]);
    assert!(!index.apply(&page(5, 8, &[(1, 7, 0), (2, 0, 8)])));
    assert_eq!(index.sequence(), 3);
    assert_eq!(index.len(), 3);
    // A fill of the isolate now has seen 3, so the purges received later apply
    // to it.
    assert_eq!(index.state(3, &[1]), Hard);
    assert_eq!(index.state(3, &[2]), Soft);
    assert_eq!(index.state(3, &[0]), Alive);
    assert_eq!(index.state(3, &[3]), Alive);
    // Entries of isolates that have seen more.
    assert_eq!(index.state(6, &[1]), Hard);
    assert_eq!(index.state(7, &[1]), Alive);
    assert_eq!(index.state(7, &[2]), Soft);
    assert_eq!(index.state(8, &[2]), Alive);
    // More purges beyond the gap do not close it. Those within it do, and
    // purges before it are not requested again.
    assert!(!index.apply(&page(8, 9, &[(3, 9, 0)])));
    assert_eq!(index.sequence(), 3);
    assert!(index.apply(&page(3, 5, &[(0, 3, 4)])));
    assert_eq!(index.sequence(), 5);
    assert!(index.apply(&page(5, 9, &[])));
    assert_eq!(index.sequence(), 9);
    assert_eq!(index.state(3, &[0]), Soft);
    assert_eq!(index.state(8, &[3]), Hard);
    assert_eq!(index.state(9, &[0, 1, 2, 3]), Alive);
    // A floor beyond the gap counts at once, too.
    let mut index = index_of(&[&page(0, 3, &[(0, 3, 0)])]);
    assert!(!index.apply(&with_floor(6, 8, page(7, 8, &[]))));
    assert_eq!((index.sequence(), index.is_empty()), (3, true));
    assert_eq!(index.state(5, &[]), Hard);
    assert_eq!(index.state(6, &[]), Soft);
    assert_eq!(index.state(8, &[]), Alive);
}

#[test]
fn pages_may_arrive_in_any_order_and_twice() {
    let pages = [
        page(0, 3, &[(0, 3, 0), (1, 0, 2)]),
        page(3, 5, &[(0, 3, 5), (2, 4, 0)]),
        with_floor(2, 4, page(5, 5, &[])),
        with_floor(2, 4, page(5, 8, &[(1, 6, 2), (3, 0, 8)])),
        with_floor(7, 4, page(8, 11, &[(0, 11, 5), (2, 9, 10)])),
    ];
    let expected = all_states(&index_of(&pages.each_ref()));
    assert_eq!(expected.0, 11);
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut order: Vec<&PurgeFeed> = pages.iter().chain(&pages).collect();
        random.shuffle(&mut order);
        let mut index = index_of(&order);
        // All marks are there; the gaps close if the pages arrive in order.
        assert_eq!(all_states(&index).1, expected.1, "{order:?}");
        for page in &pages {
            assert!(index.apply(page));
        }
        assert_eq!(all_states(&index), expected);
    }
}

#[test]
fn floor_drops_marks_that_it_covers() {
    #[track_caller]
    fn check(floor: (u64, u64), marks: &[(u64, u64, u64)], kept: usize) {
        let floor = with_floor(floor.0, floor.1, page(0, 9, &[]));
        let marks = page(0, 9, marks);
        let both = with_floor(floor.floor.hard, floor.floor.soft, marks.clone());
        for order in [&[&floor, &marks][..], &[&marks, &floor], &[&both]] {
            assert_eq!(index_of(order).len(), kept, "{order:?}");
        }
    }
    check((0, 0), &[(0, 1, 0), (1, 0, 1)], 2);
    check((0, 0), &[(0, 0, 0)], 0);
    check((5, 0), &[(0, 5, 0), (1, 6, 0)], 1);
    check((5, 0), &[(0, 0, 5), (1, 0, 6)], 1);
    check((5, 0), &[(0, 5, 6)], 1);
    // A soft floor does not cover hard marks, however old.
    check((0, 5), &[(0, 1, 0), (1, 0, 5), (2, 0, 6), (3, 1, 5)], 3);
    check((3, 5), &[(0, 3, 5), (1, 4, 0), (2, 3, 6)], 2);
    check((9, 9), &[(0, 9, 9), (1, 8, 0)], 0);
}
