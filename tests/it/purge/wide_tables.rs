//! Tests of wide purges: their text, their lines in a feed, and the entries
//! that they match; and of fair shares.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::Order;
use edgekeep::cache::matching::key_scope::{KeyScope, SCOPE_BYTES_MAX};
use edgekeep::cache::purge::fair_share::fair_share;
use edgekeep::cache::purge::feed::{InvalidFeed, PurgeFeed};
use edgekeep::cache::purge::index::{PurgeIndex, Purgeable};
use edgekeep::cache::purge::selector::Selector;
use edgekeep::cache::purge::wide::{HostBucket, Wide};
use edgekeep::http::json_object::{print, read};

fn numbers(hard: u64, soft: u64) -> Numbers {
    Numbers { hard, soft }
}

fn index_of(feeds: &[&PurgeFeed]) -> PurgeIndex {
    let mut index = PurgeIndex::default();
    for feed in feeds {
        index.apply(feed);
    }
    index
}

fn example() -> PurgeFeed {
    PurgeFeed {
        after: 4,
        sequence: 9,
        floor: numbers(2, 3),
        marks: vec![
            (0xf1, numbers(7, 0)),
            (u64::MAX, numbers(0, 8)),
            (0, numbers(9, 5)),
        ],
        ..PurgeFeed::default()
    }
}

const TEXT: &str = "N1 4 9 0 2 3 0 0
00000000000000f1 7 0
ffffffffffffffff 0 8
0000000000000000 9 5
.";

fn scope(hosts: &[&str], tags: &[&str]) -> Wide {
    let owned = |list: &[&str]| -> Vec<String> { list.iter().map(|&t| t.to_owned()).collect() };
    Wide::Scope(KeyScope::new(&owned(hosts), &owned(tags)))
}

fn bucket(number: u16) -> Wide {
    Wide::read(&format!("bucket:{number}")).expect("a bucket")
}

/// An example with marks of writes, and wide purges.
fn wide_example() -> PurgeFeed {
    PurgeFeed {
        writes: vec![(0xa7, numbers(8, 0)), (0x10, numbers(0, 9))],
        wide: vec![
            (scope(&["*.a.test", "b.test"], &["t=:*"]), numbers(9, 1)),
            (scope(&[], &[]), numbers(1, 0)),
            (bucket(1023), numbers(0, 9)),
        ],
        ..example()
    }
}

#[test]
fn write_marks_and_wide_purges_have_separate_lines() {
    let lines = "w00000000000000a7 8 0
w0000000000000010 0 9
scope:h=*.a.test,h=b.test,t=t=:* 9 1
scope: 1 0
bucket:1023 0 9
.";
    let text = format!("{}{lines}", TEXT.strip_suffix('.').expect("an end"));
    assert_eq!(wide_example().encode(), text);
    assert_eq!(PurgeFeed::decode(&text), Ok(wide_example()));
    assert_eq!(wide_example().len(), 8);
    for line in [
        "w0000000000000a7 8 0",
        "w00000000000000a7 8",
        "w00000000000000a7 10 0",
        "W00000000000000a7 8 0",
        "wide 8 0",
        "scope:x=a 8 0",
        "scope:a 8 0",
        "scope:h=a 10 0",
        "scope:h=a b 8 0",
        "bucket:1024 0 9",
        "bucket:-1 0 9",
        "bucket: 0 9",
        "other:1 0 9",
    ] {
        let text = format!("{}{line}\n.", example().first_line());
        assert_eq!(PurgeFeed::decode(&text), Err(InvalidFeed), "{line}");
    }
    // The form for earlier versions: it never purges less.
    let plain = wide_example().plain();
    assert_eq!((plain.writes.len(), plain.wide.len()), (0, 0));
    assert_eq!((plain.marks.len(), plain.floor), (5, numbers(9, 9)));
    assert_eq!(example().plain(), example());
    let bare = wide_example().without_marks();
    assert_eq!((bare.after, bare.sequence, bare.len()), (9, 9, 0));
    assert_eq!(bare.floor, wide_example().floor);
}

#[test]
fn write_marks_and_wide_purges_merge() {
    let later = PurgeFeed {
        after: 9,
        sequence: 12,
        writes: vec![(0xa7, numbers(0, 12))],
        wide: vec![
            (bucket(1023), numbers(0, 11)),
            (scope(&[], &["x"]), numbers(10, 0)),
        ],
        ..PurgeFeed::default()
    };
    let joined = wide_example().followed_by(&later).expect("they connect");
    assert_eq!(joined.writes.len(), 2);
    assert!(joined.writes.contains(&(0xa7, numbers(8, 12))));
    assert!(joined.wide.contains(&(bucket(1023), numbers(0, 11))));
    assert_eq!(joined.wide.len(), 4);
}

#[test]
fn scope_matches_entries_that_its_key_may_purge() {
    use PurgeState::{Alive, Hard, Soft};
    let index = index_of(&[&PurgeFeed {
        after: 0,
        sequence: 20,
        complete: true,
        wide: vec![
            (scope(&["*.a.test"], &["shop-*"]), numbers(10, 0)),
            (scope(&[], &["blog-*"]), numbers(0, 20)),
        ],
        ..PurgeFeed::default()
    }]);
    let check = |seen, host: &str, tags: &[&str], expected| {
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        let entry = Purgeable {
            seen,
            marks: &[1],
            host,
            tags: &tags,
        };
        assert_eq!(index.state_of(entry), expected, "{seen} {host} {tags:?}");
        assert!(!index.is_of_write(entry));
    };
    check(9, "www.a.test", &[], Hard);
    check(9, "www.a.test:8443", &[], Hard);
    check(10, "www.a.test", &[], Alive);
    check(9, "a.test", &[], Alive);
    check(9, "b.test", &["x", "shop-1"], Hard);
    check(9, "b.test", &["shop"], Alive);
    check(10, "b.test", &["shop-1", "blog-1"], Soft);
    check(9, "b.test", &["shop-1", "blog-1"], Hard);
    check(19, "b.test", &["blog-1"], Soft);
    check(20, "b.test", &["blog-1"], Alive);
    check(0, "b.test", &[], Alive);
}

#[test]
fn index_reports_entries_purged_only_by_writes() {
    use PurgeState::{Alive, Hard, Soft};
    let host = "c.test";
    let mark = Selector::Host(host.to_owned()).mark();
    let of_host = HostBucket::of_host(host);
    let index = index_of(&[&PurgeFeed {
        after: 0,
        sequence: 20,
        complete: true,
        marks: vec![(1, numbers(5, 0)), (2, numbers(0, 12))],
        writes: vec![(1, numbers(10, 0)), (mark, numbers(0, 15))],
        wide: vec![(Wide::Bucket(of_host), numbers(0, 20))],
        ..PurgeFeed::default()
    }]);
    let check = |seen, host, marks: &[u64], expected, of_write| {
        let entry = Purgeable {
            seen,
            marks,
            host,
            tags: &[],
        };
        assert_eq!(index.state_of(entry), expected, "{seen} {host} {marks:?}");
        assert_eq!(index.is_of_write(entry), of_write, "{seen} {marks:?}");
    };
    check(4, "a.test", &[1], Hard, false);
    check(5, "a.test", &[1], Hard, true);
    check(10, "a.test", &[1], Alive, false);
    check(11, "a.test", &[2, mark], Soft, false);
    check(12, "a.test", &[2, mark], Soft, true);
    check(15, "a.test", &[mark], Alive, false);
    check(19, host, &[9], Soft, true);
    check(20, host, &[9], Alive, false);
}

#[test]
fn order_carries_its_scope() {
    let order = Order {
        scope: Some("scope:h=a.test,t=a*".to_owned()),
        ..Order::default()
    };
    let text = r#"{"id":null,"body_digest":"","key":null,"via":"","hard":[],"soft":[],"cascade":{},"refresh":[],"lag_seconds":0,"after":0,"scope":"scope:h=a.test,t=a*"}"#;
    assert_eq!(print(&order), text);
    assert_eq!(read::<Order>(text), Ok(order));
}

#[test]
fn key_has_scope_unless_it_may_purge_everything() {
    #[track_caller]
    fn check(may: &str, expected: Option<&str>) {
        let settings = format!(r#"{{"keys":[{{"name":"a","secret":"A"{may}}}]}}"#);
        let rules = Rules::read_json(&settings).expect("good settings");
        let key = rules.keys.last().expect("a key");
        let scope = key.permit.scope().map(ToString::to_string);
        assert_eq!(scope.as_deref(), expected, "{may}");
        if let Some(scope) = key.permit.scope() {
            assert_eq!(KeyScope::read(&scope.to_string()).as_ref(), Some(scope));
        }
    }
    check("", None);
    check(r#","may":{"tags":["a"],"everything":true}"#, None);
    check(r#","may":{}"#, Some("scope:"));
    check(
        r#","may":{"hosts":["*.A.test","b.test"],"tags":["t:*","h=x"]}"#,
        Some("scope:h=*.a.test,h=b.test,t=t:*,t=h=x"),
    );
    let long = |count: usize, bytes: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("\"{n:0>bytes$}\"")).collect();
        let tags = tags.join(",");
        let settings =
            format!(r#"{{"keys":[{{"name":"a","secret":"A","may":{{"tags":[{tags}]}}}}]}}"#);
        Rules::read_json(&settings)
            .map(|_| ())
            .map_err(|error| error.path)
    };
    // `scope:`, and three bytes of `,t=` for each, except for the first comma.
    let bytes = (SCOPE_BYTES_MAX - 5) / 20 - 3;
    assert_eq!(long(20, bytes), Ok(()));
    assert_eq!(long(20, bytes + 1), Err("keys[0].may".to_owned()));
}

#[test]
fn write_belongs_to_host_of_its_selectors() {
    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let order = Order {
            hard: vec![name.to_owned()],
            ..Order::default()
        };
        assert_eq!(order.host_of_write(), expected, "{name}");
        let of_key = Order {
            key: Some("k".to_owned()),
            ..order
        };
        assert_eq!(of_key.host_of_write(), None);
    }
    check("url:a.test/", Some("a.test"));
    check("url:a.test:8443/b/c?d", Some("a.test"));
    check("path:a.test/b", Some("a.test"));
    check("host:a.test", Some("a.test"));
    check("host:[2001:db8::1]:81", Some("[2001:db8::1]"));
    check("group:https://a.test:81 g h/i", Some("a.test"));
    // An order with other selectors is not a write, and is stored like the
    // order of a key.
    for (hard, soft) in [
        (&["url:a.test/", "url:b.test/"][..], &[][..]),
        (&["url:a.test/", "tag:a"], &[]),
        (&["url:a.test/"], &["host:b.test"]),
        (&["url:a.test/"], &["url:a.test/b"]),
        (&[], &["url:a.test/"]),
    ] {
        let owned = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
        let order = Order {
            hard: owned(hard),
            soft: owned(soft),
            ..Order::default()
        };
        assert_eq!(order.host_of_write(), None, "{order:?}");
    }
    check("tag:a", None);
    check("everything", None);
    check("", None);
}

#[test]
fn fair_share_reduces_largest_counts_first() {
    #[track_caller]
    fn check(counts: &[u64], total: u64, expected: u64) {
        let share = fair_share(counts, total);
        assert_eq!(share, expected, "{counts:?} of {total}");
        let kept: u64 = counts.iter().map(|count| (*count).min(share)).sum();
        assert!(kept <= total, "{counts:?} of {total}");
    }
    check(&[], 10, u64::MAX);
    check(&[3], 10, u64::MAX);
    check(&[11], 10, 10);
    check(&[5, 5], 10, u64::MAX);
    check(&[6, 5], 10, 5);
    check(&[1, 100], 10, 9);
    check(&[100, 1, 2], 10, 7);
    check(&[4, 4, 4], 10, 3);
    check(&[1, 1, 1], 2, 0);
    check(&[u64::MAX, u64::MAX], 10, 5);
    check(&[1, 2], 0, 0);
}

#[test]
fn hosts_spread_over_all_buckets() {
    let mut found = std::collections::BTreeSet::new();
    for n in 0..20_000 {
        let bucket = HostBucket::of_host(&format!("h{n}.test")).to_string();
        assert_eq!(
            HostBucket::read(&bucket).map(|b| b.to_string()),
            Some(bucket.clone())
        );
        found.insert(bucket);
    }
    assert_eq!(found.len(), 1024);
}
