//! Shows which purges reach which entries, how an isolate learns of them in
//! any order, and how the ledger numbers and repeats them.

use edgekeep::cache::ledger::{Decision, Order, Record, decide};
use edgekeep::cache::purge::{
    Covered, News, Numbers, PREFIX_DEPTH_MAX, PurgeIndex, PurgeState, Selector, is_tag,
};
use edgekeep::http::url::Url;

fn mark(selector: &Selector) -> String {
    format!("{:016x}", selector.mark())
}

fn numbers(hard: u64, soft: u64) -> Numbers {
    Numbers { hard, soft }
}

fn news(sequence: u64, floor: (u64, u64), marks: &[(&Selector, u64, u64)]) -> News {
    let line = |(s, hard, soft): &(&Selector, u64, u64)| (mark(s), numbers(*hard, *soft));
    News {
        sequence,
        floor: numbers(floor.0, floor.1),
        marks: marks.iter().map(line).collect(),
    }
}

fn state(index: &PurgeIndex, seen: u64, url: &str, tags: &[&str]) -> PurgeState {
    let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let url = Url::parse(url).expect(url);
    index.state(
        seen,
        &Covered {
            url,
            tags: &tags,
            groups: &[],
        },
    )
}

/// Whether a hard purge of this selector reaches an entry that knows of none.
fn reaches(selector: &Selector, url: &str, tags: &[&str]) -> bool {
    let mut index = PurgeIndex::default();
    index.learn(&news(1, (0, 0), &[(selector, 1, 0)]));
    state(&index, 0, url, tags) == PurgeState::Hard
}

#[test]
fn a_purge_reaches_what_it_names() {
    #[track_caller]
    fn check(selector: Selector, url: &str, tags: &[&str], expected: bool) {
        assert_eq!(
            reaches(&selector, url, tags),
            expected,
            "{selector} {url} {tags:?}"
        );
    }
    let url = |text: &str| Selector::Url(text.to_owned());
    check(url("a.test/"), "http://a.test/", &[], true);
    // Schemes do not count.
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
    check(host("a.test"), "http://a.test:81/", &[], false);
    check(host("a.test:81"), "http://a.test:81/", &[], true);
    // A tag, a host and a prefix of one spelling are three things.
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
fn a_prefix_as_deep_as_an_order_may_name_reaches_what_lies_below() {
    for segments in [1, 2, PREFIX_DEPTH_MAX - 1, PREFIX_DEPTH_MAX] {
        let path = "/s".repeat(segments);
        let prefix = Selector::Prefix(format!("a.test{path}"));
        for below in ["", "/", "/x", "/x/y"] {
            let url = format!("http://a.test{path}{below}");
            assert!(reaches(&prefix, &url, &[]), "{segments} segments: {url}");
        }
    }
}

#[test]
fn a_selector_has_its_text_and_mark() {
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
    }
    let selectors: Vec<Selector> = named.into_iter().map(|(s, _)| s).collect();
    let (marks, everything) = Order::marks_of(&selectors);
    assert!(everything);
    assert_eq!(marks, selectors[..4].iter().map(mark).collect::<Vec<_>>());
    assert_eq!(Order::marks_of(&[]), (Vec::new(), false));
}

#[test]
fn numbers_decide_between_fill_and_purge() {
    let tag = Selector::Tag("t".to_owned());
    let other = Selector::Tag("u".to_owned());
    #[track_caller]
    fn check(told: &News, seen: u64, expected: PurgeState) {
        let mut index = PurgeIndex::default();
        index.learn(told);
        let found = state(&index, seen, "http://a.test/b", &["t"]);
        assert_eq!(found, expected, "{told:?} {seen}");
    }
    use PurgeState::{Alive, Hard, Soft};
    check(&news(0, (0, 0), &[]), 0, Alive);
    check(&news(9, (0, 0), &[]), 0, Alive);
    check(&news(9, (0, 0), &[(&tag, 5, 0)]), 4, Hard);
    check(&news(9, (0, 0), &[(&tag, 5, 0)]), 5, Alive);
    check(&news(9, (0, 0), &[(&tag, 5, 0)]), 6, Alive);
    check(&news(9, (0, 0), &[(&tag, 0, 5)]), 4, Soft);
    check(&news(9, (0, 0), &[(&tag, 0, 5)]), 5, Alive);
    check(&news(9, (0, 0), &[(&tag, 5, 7)]), 4, Hard);
    check(&news(9, (0, 0), &[(&tag, 5, 7)]), 6, Soft);
    check(&news(9, (0, 0), &[(&tag, 7, 5)]), 4, Hard);
    check(&news(9, (0, 0), &[(&tag, 7, 5)]), 6, Hard);
    check(&news(9, (0, 0), &[(&other, 5, 5)]), 0, Alive);
    // The floor is everything's.
    check(&news(9, (5, 0), &[]), 4, Hard);
    check(&news(9, (5, 0), &[]), 5, Alive);
    check(&news(9, (0, 5), &[]), 4, Soft);
    check(&news(9, (0, 5), &[(&tag, 6, 0)]), 5, Hard);
    check(&news(9, (0, 7), &[(&tag, 5, 0)]), 6, Soft);
    check(&news(9, (8, 0), &[(&tag, 0, 9)]), 7, Hard);
    check(&news(9, (8, 0), &[(&tag, 0, 9)]), 8, Soft);
    // An entry may have seen more than this isolate has.
    check(&news(9, (0, 0), &[(&tag, 9, 9)]), 12, Alive);
    check(&news(u64::MAX, (u64::MAX, 0), &[]), u64::MAX - 1, Hard);
}

#[test]
fn what_is_no_mark_is_passed_over() {
    let tag = Selector::Tag("t".to_owned());
    let mut told = news(9, (0, 0), &[(&tag, 5, 0)]);
    for odd in ["", "x", "-1", "10000000000000000", "é"] {
        told.marks.insert(0, (odd.to_owned(), numbers(9, 9)));
    }
    let mut index = PurgeIndex::default();
    index.learn(&told);
    assert_eq!(index.sequence(), 9);
    assert_eq!(state(&index, 0, "http://a.test/", &["t"]), PurgeState::Hard);
    assert_eq!(
        state(&index, 0, "http://a.test/", &["u"]),
        PurgeState::Alive
    );
}

#[test]
fn news_may_come_in_any_order_and_twice() {
    let tags: Vec<Selector> = (0..4).map(|n| Selector::Tag(format!("t{n}"))).collect();
    let told = [
        news(2, (0, 0), &[(&tags[0], 1, 0), (&tags[1], 2, 0)]),
        news(4, (0, 0), &[(&tags[0], 1, 3), (&tags[2], 0, 4)]),
        news(6, (0, 5), &[(&tags[1], 6, 0)]),
        news(7, (7, 5), &[]),
        news(9, (7, 5), &[(&tags[3], 8, 0), (&tags[2], 0, 9)]),
    ];
    let fates = |index: &PurgeIndex| {
        let mut fates = Vec::new();
        for seen in 0..11 {
            for tag in ["t0", "t1", "t2", "t3", "t4"] {
                fates.push(state(index, seen, "http://a.test/", &[tag]));
            }
        }
        (index.sequence(), fates)
    };
    let mut in_order = PurgeIndex::default();
    for news in &told {
        in_order.learn(news);
    }
    let expected = fates(&in_order);
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
        let mut order: Vec<usize> = (0..told.len()).chain(0..told.len()).collect();
        random.shuffle(&mut order);
        let mut index = PurgeIndex::default();
        for at in &order {
            index.learn(&told[*at]);
        }
        assert_eq!(fates(&index), expected, "{order:?}");
    }
}

#[test]
fn more_news_revives_nothing() {
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
            // A number is never above the ledger's last.
            let last = [floor.0, floor.1, at.1, at.2].into_iter().max();
            let tag = &tags[at.0 as usize % 3];
            index.learn(&news(last.unwrap_or(0), floor, &[(tag, at.1, at.2)]));
            let now = rank(state(&index, seen, "http://a.test/", &["t0"]));
            assert!(now >= worst, "{index:?} {seen}");
            worst = now;
        }
    }
}

#[test]
fn the_ledger_numbers_orders_and_knows_repeats() {
    let order = |id: &str, digest: &str, soft: bool| Order {
        id: Some(id.to_owned()),
        body_digest: digest.to_owned(),
        soft,
        selectors: vec!["tag:t".to_owned()],
        marks: vec!["00ff".to_owned()],
        everything: false,
        received_ms: 5000,
        lag_seconds: 5,
        after: 0,
    };
    #[track_caller]
    fn accepted(decision: Decision) -> (Record, Numbers) {
        match decision {
            Decision::Accept(record, numbers) => (record, numbers),
            other => panic!("{other:?}"),
        }
    }
    let (first, hard) = accepted(decide(0, None, &order("a", "d", false)));
    assert_eq!((hard, first.receipt.sequence), (numbers(1, 0), 1));
    assert_eq!(
        (first.receipt.received_ms, first.receipt.in_force_ms),
        (5000, 10_000)
    );
    assert_eq!(
        (first.receipt.id.as_deref(), first.receipt.soft),
        (Some("a"), false)
    );
    assert_eq!(first.receipt.selectors, ["tag:t"]);
    let (second, soft) = accepted(decide(41, None, &order("b", "d", true)));
    assert_eq!(
        (soft, second.receipt.sequence, second.receipt.soft),
        (numbers(0, 42), 42, true)
    );
    // A repeat: the receipt of then, whatever has changed since.
    let mut late = order("a", "d", false);
    (late.received_ms, late.lag_seconds, late.after) = (99_000, 60, 9);
    assert_eq!(
        decide(50, Some(&first), &late),
        Decision::Repeat(first.receipt.clone())
    );
    assert_eq!(
        decide(50, Some(&first), &order("a", "e", false)),
        Decision::Conflict
    );
    let mut far = order("c", "d", false);
    (far.received_ms, far.lag_seconds) = (u64::MAX, u64::MAX);
    let (far, _) = accepted(decide(1, None, &far));
    assert_eq!(far.receipt.in_force_ms, u64::MAX);
}

#[test]
fn tags_are_plain_words() {
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
