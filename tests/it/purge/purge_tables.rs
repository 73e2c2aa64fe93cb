//! Tests of purges: which entries they match, how an isolate receives them in
//! any order, and how the ledger numbers and repeats them.

use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::{
    AppendDecision, Order, Record, decide_append, numbers as raised,
};
use edgekeep::cache::matching::tag::is_tag;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::{PREFIX_DEPTH_MAX, Selector, mark_of, marks};
use edgekeep::http::url::Url;

fn numbers(hard: u64, soft: u64) -> Numbers {
    Numbers { hard, soft }
}

/// The feed of all purges of a ledger.
fn complete_feed(sequence: u64, floor: (u64, u64), marks: &[(&Selector, u64, u64)]) -> PurgeFeed {
    let line = |(s, hard, soft): &(&Selector, u64, u64)| (s.mark(), numbers(*hard, *soft));
    PurgeFeed {
        sequence,
        complete: true,
        floor: numbers(floor.0, floor.1),
        marks: marks.iter().map(line).collect(),
        ..PurgeFeed::default()
    }
}

fn state(index: &PurgeIndex, seen: u64, url: &str, tags: &[&str]) -> PurgeState {
    let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let url = Url::parse(url).expect(url);
    index.state(seen, &marks(&url, &tags, &[]))
}

/// Whether a hard purge of this selector matches an entry that has seen none.
fn purge_matches(selector: &Selector, url: &str, tags: &[&str]) -> bool {
    let mut index = PurgeIndex::default();
    index.apply(&complete_feed(1, (0, 0), &[(selector, 1, 0)]));
    state(&index, 0, url, tags) == PurgeState::Hard
}

#[test]
fn purge_matches_entries_of_its_selector() {
    #[track_caller]
    fn check(selector: Selector, url: &str, tags: &[&str], expected: bool) {
        assert_eq!(
            purge_matches(&selector, url, tags),
            expected,
            "{selector} {url} {tags:?}"
        );
    }
    let url = |text: &str| Selector::Url(text.to_owned());
    check(url("a.test/"), "http://a.test/", &[], true);
    // Schemes are ignored.
    check(url("a.test/b"), "https://a.test/b", &[], true);
    check(url("a.test/b"), "http://a.test/b?c", &[], false);
    check(url("a.test/b?c=1"), "http://a.test/b?c=1", &[], true);
    check(url("a.test/b?c=1"), "http://a.test/b?c=2", &[], false);
    check(url("a.test/b"), "http://a.test/b/", &[], false);
    check(url("a.test/b"), "http://a.test:81/b", &[], false);
    check(url("a.test/b"), "http://b.test/b", &[], false);
    let tag = |text: &str| Selector::Tag(text.to_owned());
    check(tag("t"), "http://a.test/", &["t"], true);
    check(tag("t"), "http://a.test/", &["s", "t", "u"], true);
    check(tag("t"), "http://a.test/", &[], false);
    check(tag("t"), "http://a.test/", &["T", "tt"], false);
    let host = |text: &str| Selector::Host(text.to_owned());
    check(host("a.test"), "http://a.test/b/c?d", &[], true);
    check(host("a.test"), "http://b.a.test/", &[], false);
    // A host includes all its ports.
    check(host("a.test"), "http://a.test:81/", &[], true);
    check(host("a.test"), "https://a.test:8443/b?c", &[], true);
    check(host("a.test"), "http://a.test./", &[], true);
    // A tag, a host and a prefix of equal text are different selectors.
    check(tag("a.test"), "http://a.test/", &[], false);
    check(host("a.test"), "http://b.test/", &["a.test"], false);
    let prefix = |text: &str| Selector::Prefix(text.to_owned());
    check(prefix("a.test"), "http://a.test/", &[], true);
    check(prefix("a.test"), "http://a.test/b/c", &[], true);
    check(prefix("a.test/b"), "http://a.test/b", &[], true);
    check(prefix("a.test/b"), "http://a.test/b/", &[], true);
    check(prefix("a.test/b"), "http://a.test/b?c", &[], true);
    check(prefix("a.test/b"), "http://a.test/b/c/d", &[], true);
    check(prefix("a.test/b"), "http://a.test/bc", &[], false);
    check(prefix("a.test/b"), "http://a.test/", &[], false);
    check(prefix("a.test/b"), "http://a.test/c/b", &[], false);
    check(prefix("a.test/b/c"), "http://a.test/b/c/d", &[], true);
    check(prefix("a.test/b/c"), "http://a.test/b/d", &[], false);
    check(prefix("a.test/b"), "http://a.test/b//c", &[], true);
    check(prefix("a.test/b"), "http://b.test/b", &[], false);
}

#[test]
fn prefix_up_to_depth_limit_matches_urls_below() {
    for segments in [1, 2, PREFIX_DEPTH_MAX - 1, PREFIX_DEPTH_MAX] {
        let path = "/s".repeat(segments);
        let prefix = Selector::Prefix(format!("a.test{path}"));
        for below in ["", "/", "/x", "/x/y"] {
            let url = format!("http://a.test{path}{below}");
            assert!(
                purge_matches(&prefix, &url, &[]),
                "{segments} segments: {url}"
            );
        }
    }
}

#[test]
fn selectors_have_distinct_texts_and_marks() {
    let named = [
        (Selector::Url("a.test/?b".to_owned()), "url:a.test/?b"),
        (Selector::Tag("t".to_owned()), "tag:t"),
        (Selector::Prefix("a.test/b".to_owned()), "prefix:a.test/b"),
        (Selector::Host("a.test".to_owned()), "host:a.test"),
        (Selector::Everything, "everything"),
    ];
    let mut marks: Vec<u64> = named.iter().map(|(s, _)| s.mark()).collect();
    marks.sort_unstable();
    marks.dedup();
    assert_eq!(marks.len(), named.len());
    for (selector, text) in &named {
        assert_eq!(selector.to_string(), *text);
        assert_eq!(selector.mark(), mark_of(text));
    }
    // The first bytes of the SHA-256 of "everything", computed by another tool.
    assert_eq!(mark_of("everything"), 0xa0a4_4ed8_cfc3_2b7e);
}

#[test]
fn sequence_numbers_decide_between_fill_and_purge() {
    let tag = Selector::Tag("t".to_owned());
    let other = Selector::Tag("u".to_owned());
    #[track_caller]
    fn check(feed: &PurgeFeed, seen: u64, expected: PurgeState) {
        let mut index = PurgeIndex::default();
        index.apply(feed);
        let found = state(&index, seen, "http://a.test/b", &["t"]);
        assert_eq!(found, expected, "{feed:?} {seen}");
    }
    use PurgeState::{Alive, Hard, Soft};
    check(&complete_feed(0, (0, 0), &[]), 0, Alive);
    check(&complete_feed(9, (0, 0), &[]), 0, Alive);
    check(&complete_feed(9, (0, 0), &[(&tag, 5, 0)]), 4, Hard);
    check(&complete_feed(9, (0, 0), &[(&tag, 5, 0)]), 5, Alive);
    check(&complete_feed(9, (0, 0), &[(&tag, 5, 0)]), 6, Alive);
    check(&complete_feed(9, (0, 0), &[(&tag, 0, 5)]), 4, Soft);
    check(&complete_feed(9, (0, 0), &[(&tag, 0, 5)]), 5, Alive);
    check(&complete_feed(9, (0, 0), &[(&tag, 5, 7)]), 4, Hard);
    check(&complete_feed(9, (0, 0), &[(&tag, 5, 7)]), 6, Soft);
    check(&complete_feed(9, (0, 0), &[(&tag, 7, 5)]), 4, Hard);
    check(&complete_feed(9, (0, 0), &[(&tag, 7, 5)]), 6, Hard);
    check(&complete_feed(9, (0, 0), &[(&other, 5, 5)]), 0, Alive);
    // The floor is the mark of everything.
    check(&complete_feed(9, (5, 0), &[]), 4, Hard);
    check(&complete_feed(9, (5, 0), &[]), 5, Alive);
    check(&complete_feed(9, (0, 5), &[]), 4, Soft);
    check(&complete_feed(9, (0, 5), &[(&tag, 6, 0)]), 5, Hard);
    check(&complete_feed(9, (0, 7), &[(&tag, 5, 0)]), 6, Soft);
    check(&complete_feed(9, (8, 0), &[(&tag, 0, 9)]), 7, Hard);
    check(&complete_feed(9, (8, 0), &[(&tag, 0, 9)]), 8, Soft);
    // An entry may have seen more than this isolate has.
    check(&complete_feed(9, (0, 0), &[(&tag, 9, 9)]), 12, Alive);
    check(
        &complete_feed(u64::MAX, (u64::MAX, 0), &[]),
        u64::MAX - 1,
        Hard,
    );
}

#[test]
fn feeds_may_arrive_in_any_order_and_twice() {
    let tags: Vec<Selector> = (0..4).map(|n| Selector::Tag(format!("t{n}"))).collect();
    let feeds = [
        complete_feed(2, (0, 0), &[(&tags[0], 1, 0), (&tags[1], 2, 0)]),
        complete_feed(4, (0, 0), &[(&tags[0], 1, 3), (&tags[2], 0, 4)]),
        complete_feed(6, (0, 5), &[(&tags[1], 6, 0)]),
        complete_feed(7, (7, 5), &[]),
        complete_feed(9, (7, 5), &[(&tags[3], 8, 0), (&tags[2], 0, 9)]),
    ];
    let states = |index: &PurgeIndex| {
        let mut states = Vec::new();
        for seen in 0..11 {
            for tag in ["t0", "t1", "t2", "t3", "t4"] {
                states.push(state(index, seen, "http://a.test/", &[tag]));
            }
        }
        (index.sequence(), states)
    };
    let mut in_order = PurgeIndex::default();
    for feed in &feeds {
        in_order.apply(feed);
    }
    let expected = states(&in_order);
    assert_eq!(expected.0, 9);
    assert_eq!(
        state(&in_order, 7, "http://a.test/", &["t3"]),
        PurgeState::Hard
    );
    assert_eq!(
        state(&in_order, 8, "http://a.test/", &["t2"]),
        PurgeState::Soft
    );
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let mut order: Vec<usize> = (0..feeds.len()).chain(0..feeds.len()).collect();
        random.shuffle(&mut order);
        let mut index = PurgeIndex::default();
        for at in &order {
            index.apply(&feeds[*at]);
        }
        assert_eq!(states(&index), expected, "{order:?}");
    }
}

#[test]
fn further_feeds_never_revive_an_entry() {
    let tags: Vec<Selector> = (0..3).map(|n| Selector::Tag(format!("t{n}"))).collect();
    let mut random = fastrand::Rng::with_seed(11);
    let rank = |state| match state {
        PurgeState::Alive => 0,
        PurgeState::Soft => 1,
        PurgeState::Hard => 2,
    };
    for _ in 0..500 {
        let mut index = PurgeIndex::default();
        let seen = random.u64(0..10);
        let mut worst = 0;
        for _ in 0..8 {
            let mut number = || random.u64(0..12);
            let (floor, at) = ((number(), number()), (number(), number(), number()));
            // No number is above the ledger's last.
            let last = [floor.0, floor.1, at.1, at.2].into_iter().max();
            let tag = &tags[at.0 as usize % 3];
            index.apply(&complete_feed(
                last.unwrap_or(0),
                floor,
                &[(tag, at.1, at.2)],
            ));
            let now = rank(state(&index, seen, "http://a.test/", &["t0"]));
            assert!(now >= worst, "{index:?} {seen}");
            worst = now;
        }
    }
}

#[test]
fn ledger_numbers_orders_and_detects_repeats() {
    let order = |id: &str, digest: &str| Order {
        id: Some(id.to_owned()),
        body_digest: digest.to_owned(),
        key: Some("k".to_owned()),
        hard: vec!["tag:t".to_owned()],
        soft: vec!["tag:s".to_owned()],
        refresh: vec!["http://a.test/".to_owned()],
        lag_seconds: 5,
        ..Order::default()
    };
    #[track_caller]
    fn accepted(decision: AppendDecision) -> Record {
        match decision {
            AppendDecision::Accept(record) => record,
            other => panic!("{other:?}"),
        }
    }
    let first = accepted(decide_append(0, None, &order("a", "d"), 5000, 3));
    let receipt = &first.receipt;
    assert_eq!((receipt.id.as_str(), receipt.sequence), ("a", 1));
    assert_eq!((receipt.received_ms, receipt.in_force_ms), (5000, 10_000));
    assert_eq!(receipt.key.as_deref(), Some("k"));
    assert_eq!(receipt.hard, ["tag:t"]);
    assert_eq!(receipt.soft, ["tag:s"]);
    assert_eq!((receipt.refresh, receipt.fast_lane), (1, 3));
    assert_eq!(first.body_digest, "d");
    assert_eq!(
        (raised(1, false), raised(1, true)),
        (numbers(1, 0), numbers(0, 1))
    );
    let second = accepted(decide_append(41, None, &order("b", "d"), 5000, 0));
    assert_eq!(second.receipt.sequence, 42);
    let mut nameless = order("", "d");
    nameless.id = None;
    let nameless = accepted(decide_append(41, None, &nameless, 5000, 0));
    assert_eq!(nameless.receipt.id, "order-42");
    // A repeat returns the first receipt, whatever has changed since.
    let mut late = order("a", "d");
    (late.lag_seconds, late.after) = (60, 9);
    assert_eq!(
        decide_append(50, Some(&first), &late, 99_000, 0),
        AppendDecision::Repeat(first.receipt.clone())
    );
    assert_eq!(
        decide_append(50, Some(&first), &order("a", "e"), 5000, 0),
        AppendDecision::Conflict
    );
    let mut far = order("c", "d");
    far.lag_seconds = u64::MAX;
    let far = accepted(decide_append(1, None, &far, u64::MAX, 0));
    assert_eq!(far.receipt.in_force_ms, u64::MAX);
}

#[test]
fn tags_are_visible_ascii_without_commas() {
    for tag in ["a", "T-1_:/.;=|\\\"'<>", "~", "!", "#1", &"a".repeat(1024)] {
        assert!(is_tag(tag), "{tag}");
    }
    for tag in [
        "",
        " ",
        "a b",
        "a,b",
        "\t",
        "a\n",
        "é",
        "\u{7f}",
        "a\0",
        &"a".repeat(1025),
    ] {
        assert!(!is_tag(tag), "{tag}");
    }
}
