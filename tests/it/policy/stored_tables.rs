//! Tests of reuse: the verdict about a stored response by its key, variant,
//! authorization, purges and age.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::variant::{choices, choosing_fields, fits, value, variant_text};
use edgekeep::cache::ledger::sequence::Numbers;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::policy::reuse::{Age, ReuseVerdict, Unusable, judge};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::{Selector, marks};
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;

/// When the entries below were stored.
const STORED_MS: u64 = 1_795_424_400_000;
/// The sequence number that their fills noted.
const SEEN: u64 = 5;

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

fn lookup(url: &str, lines: &[(&str, &str)]) -> Lookup {
    let rules = Rules::read_json("{}").expect("good settings");
    let head = RequestHead {
        method: Method::Get,
        url: Url::parse(url).expect(url),
        fields: fields(lines),
    };
    match classify(&rules, &head) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{other:?}"),
    }
}

fn entry(lifetime: u64, swr: u64, sie: u64) -> Entry {
    let tags = vec!["t".to_owned()];
    Entry {
        key: "http://a.test/b/c?d=1".to_owned(),
        seen: SEEN,
        received_ms: STORED_MS,
        initial_age: 0,
        cost_ms: 0,
        terms: Terms {
            lifetime,
            stale_while_revalidate: swr,
            stale_if_error: sie,
            stale_allowed: true,
        },
        for_authorized: false,
        by_credentials: false,
        status: 200,
        length: None,
        marks: marks(&Url::parse(URL).expect(URL), &tags, &[]),
        tags,
        choices: Vec::new(),
        fields: Fields::new(),
    }
}

fn index(purged: &[(Selector, u64, u64)], floor: (u64, u64), sequence: u64) -> PurgeIndex {
    let numbers = |(hard, soft): (u64, u64)| Numbers { hard, soft };
    let mut index = PurgeIndex::default();
    index.apply(&PurgeFeed {
        sequence,
        floor: numbers(floor),
        marks: purged
            .iter()
            .map(|(s, hard, soft)| (s.mark(), numbers((*hard, *soft))))
            .collect(),
        ..PurgeFeed::default()
    });
    index
}

fn words(verdict: &ReuseVerdict) -> String {
    let age = |a: &Age| format!("{} {}", a.age, a.ttl);
    match verdict {
        ReuseVerdict::Fresh(a) => format!("fresh {}", age(a)),
        ReuseVerdict::Early(a) => format!("early {}", age(a)),
        ReuseVerdict::WhileRevalidate(a) => format!("swr {}", age(a)),
        ReuseVerdict::Stale { age: a, on_error } => {
            format!("stale {}{}", age(a), if *on_error { " sie" } else { "" })
        }
        ReuseVerdict::OtherVariant(names) => format!("other {}", names.join(",")),
        ReuseVerdict::Unusable(why) => format!("{why:?}"),
    }
}

const URL: &str = "http://a.test/b/c?d=1";

#[test]
fn verdict_depends_on_age_and_windows() {
    #[track_caller]
    fn check(terms: (u64, u64, u64), initial_age: u64, later_ms: u64, expected: &str) {
        let mut entry = entry(terms.0, terms.1, terms.2);
        entry.initial_age = initial_age;
        let (lookup, index) = (lookup(URL, &[]), index(&[], (0, 0), 9));
        let verdict = judge(&entry, &lookup, Some(&index), STORED_MS + later_ms);
        assert_eq!(words(&verdict), expected);
    }
    check((60, 0, 0), 0, 0, "fresh 0 60");
    check((60, 0, 0), 0, 999, "fresh 0 60");
    check((60, 0, 0), 0, 59_999, "fresh 59 1");
    // RFC 9111 §4.2: fresh while lifetime > age.
    check((60, 0, 0), 0, 60_000, "stale 60 0");
    check((60, 0, 0), 10, 49_000, "fresh 59 1");
    check((60, 0, 0), 10, 50_000, "stale 60 0");
    check((60, 0, 0), 100, 0, "stale 100 -40");
    check((0, 0, 0), 0, 0, "stale 0 0");
    check((60, 30, 0), 0, 59_000, "fresh 59 1");
    check((60, 30, 0), 0, 60_000, "swr 60 0");
    check((60, 30, 0), 0, 89_999, "swr 89 -29");
    check((60, 30, 0), 0, 90_000, "stale 90 -30");
    check((60, 0, 30), 0, 60_000, "stale 60 0 sie");
    check((60, 0, 30), 0, 89_000, "stale 89 -29 sie");
    check((60, 0, 30), 0, 90_000, "stale 90 -30");
    check((60, 10, 30), 0, 65_000, "swr 65 -5");
    check((60, 10, 30), 0, 75_000, "stale 75 -15 sie");
    check((0, 30, 0), 0, 0, "swr 0 0");
    check((u64::MAX, 0, 0), 0, 1000, "fresh 1 9223372036854775806");
    check(
        (u64::MAX, 0, 0),
        u64::MAX,
        0,
        "stale 18446744073709551615 0",
    );
    check(
        (0, u64::MAX, u64::MAX),
        u64::MAX,
        5000,
        "stale 18446744073709551615 -9223372036854775807",
    );
}

#[test]
fn clock_before_arrival_counts_as_age_zero() {
    let verdict = judge(
        &entry(60, 0, 0),
        &lookup(URL, &[]),
        Some(&index(&[], (0, 0), 9)),
        0,
    );
    assert_eq!(words(&verdict), "fresh 0 60");
}

#[test]
fn hard_purge_makes_unusable_and_soft_purge_makes_stale() {
    #[track_caller]
    fn check(purged: &[(Selector, u64, u64)], floor: (u64, u64), expected: &str) {
        let (entry, index) = (entry(60, 10, 20), index(purged, floor, 9));
        let verdict = judge(&entry, &lookup(URL, &[]), Some(&index), STORED_MS + 5000);
        assert_eq!(words(&verdict), expected, "{purged:?} {floor:?}");
    }
    let tag = || Selector::Tag("t".to_owned());
    check(&[], (0, 0), "fresh 5 55");
    check(&[(tag(), 6, 0)], (0, 0), "Purged");
    check(&[(tag(), 5, 0)], (0, 0), "fresh 5 55");
    check(
        &[(Selector::Tag("u".to_owned()), 6, 0)],
        (0, 0),
        "fresh 5 55",
    );
    check(&[], (6, 0), "Purged");
    check(&[], (5, 5), "fresh 5 55");
    // Soft: stale now, and so within its windows.
    check(&[(tag(), 0, 6)], (0, 0), "swr 5 0");
    check(&[], (0, 6), "swr 5 0");
    check(&[(tag(), 7, 6)], (0, 0), "Purged");
    check(&[(tag(), 5, 6)], (0, 0), "swr 5 0");
    let soft = index(&[(tag(), 0, 6)], (0, 0), 9);
    let at = |terms: (u64, u64, u64), ms| {
        let entry = entry(terms.0, terms.1, terms.2);
        words(&judge(
            &entry,
            &lookup(URL, &[]),
            Some(&soft),
            STORED_MS + ms,
        ))
    };
    assert_eq!(at((60, 0, 20), 5000), "stale 5 0 sie");
    assert_eq!(at((60, 0, 0), 5000), "stale 5 0");
    assert_eq!(at((60, 10, 0), 69_000), "swr 69 -9");
    assert_eq!(at((60, 10, 0), 70_000), "stale 70 -10");
}

#[test]
fn without_purge_index_every_entry_is_stale() {
    let at = |terms: (u64, u64, u64), ms| {
        let entry = entry(terms.0, terms.1, terms.2);
        words(&judge(&entry, &lookup(URL, &[]), None, STORED_MS + ms))
    };
    assert_eq!(at((60, 10, 20), 0), "stale 0 0 sie");
    assert_eq!(at((60, 10, 0), 65_000), "stale 65 -5 sie");
    // Fresh, so no window is needed if the origin fails.
    assert_eq!(at((60, 0, 0), 59_000), "stale 59 0 sie");
    assert_eq!(at((60, 0, 0), 60_000), "stale 60 0");
    assert_eq!(at((60, 10, 20), 80_000), "stale 80 -20");
}

#[test]
fn entry_with_another_key_is_unusable() {
    let index = index(&[], (0, 0), 9);
    let check = |url: &str, lines: &[(&str, &str)], expected: &str| {
        let verdict = judge(
            &entry(60, 0, 0),
            &lookup(url, lines),
            Some(&index),
            STORED_MS,
        );
        assert_eq!(words(&verdict), expected, "{url}");
    };
    check(URL, &[], "fresh 0 60");
    check("http://A.test:80/b/x/../c?d=%31&gclid=2", &[], "fresh 0 60");
    for url in [
        "https://a.test/b/c?d=1",
        "http://a.test/b/c",
        "http://a.test/b/c?d=2",
        "http://b.test/b/c?d=1",
    ] {
        check(url, &[], "OtherKey");
    }
    check(URL, &[("origin", "http://b.test")], "OtherKey");
    // An entry without marks cannot be purged: doubt is a miss.
    let mut odd = entry(60, 0, 0);
    odd.marks.clear();
    let verdict = judge(&odd, &lookup(URL, &[]), Some(&index), STORED_MS);
    assert_eq!(verdict, ReuseVerdict::Unusable(Unusable::OtherKey));
}

#[test]
fn authorized_request_requires_an_entry_that_permits_it() {
    let index = index(&[], (0, 0), 9);
    let with = [("authorization", "Basic x")];
    let check = |for_authorized: bool, lines: &[(&str, &str)], expected: &str| {
        let mut entry = entry(60, 0, 0);
        entry.for_authorized = for_authorized;
        let verdict = judge(&entry, &lookup(URL, lines), Some(&index), STORED_MS);
        assert_eq!(words(&verdict), expected);
    };
    check(false, &[], "fresh 0 60");
    check(true, &[], "fresh 0 60");
    check(false, &with, "Unauthorized");
    check(true, &with, "fresh 0 60");
}

#[test]
fn variant_matches_only_equal_choosing_fields() {
    #[track_caller]
    fn check(vary: &str, stored: &[(&str, &str)], asked: &[(&str, &str)], expected: bool) {
        let names = choosing_fields(&fields(&[("vary", vary)])).expect(vary);
        let stored_choices = choices(&names, &|name| value(name, &fields(stored)));
        assert_eq!(
            fits(&stored_choices, &|name| value(name, &fields(asked))),
            expected,
            "{vary} {stored:?} {asked:?}"
        );
        let request_choices = choices(&names, &|name| value(name, &fields(asked)));
        let same = variant_text(&stored_choices) == variant_text(&request_choices);
        assert_eq!(same, expected, "{vary} {stored:?} {asked:?}");
    }
    let al = |value| [("accept-language", value)];
    check("", &al("en"), &al("de"), true);
    check("Accept-Language", &al("en"), &al("en"), true);
    check("Accept-Language", &al("en, de"), &al("en,de;q=1"), true);
    check("Accept-Language", &al("en, de"), &al("EN,de"), false);
    check("Accept-Language", &al("en"), &al("de"), false);
    // Equal weights: applications use the first.
    check("Accept-Language", &al("en, de"), &al("de, en"), false);
    // RFC 9111 §4.1: an absent field matches only an absent one.
    check("Accept-Language", &[], &[], true);
    check("Accept-Language", &al("en"), &[], false);
    check("Accept-Language", &[], &al("en"), false);
    check("X-A", &[("x-a", "")], &[], false);
    check(
        "accept-encoding",
        &[("accept-encoding", "gzip, br")],
        &[("accept-encoding", "br;q=0.5,gzip")],
        true,
    );
    check("X-A, X-B", &[("x-a", "1")], &[("x-b", "1")], false);
    check(
        "X-A, X-B",
        &[("x-a", "1"), ("x-b", "2")],
        &[("x-b", "2"), ("x-a", "1")],
        true,
    );
    check(
        "X-A",
        &[("x-a", "1"), ("x-a", "2")],
        &[("x-a", "1,  2")],
        true,
    );
    check("X-A", &[("x-a", "A")], &[("x-a", "a")], false);
    let mut varied = entry(60, 0, 0);
    varied.choices = vec![
        ("accept".to_owned(), Some("a".to_owned())),
        ("x-a".to_owned(), None),
    ];
    let verdict = judge(&varied, &lookup(URL, &[("accept", "b")]), None, STORED_MS);
    assert_eq!(words(&verdict), "other accept,x-a");
    let verdict = judge(&varied, &lookup(URL, &[("accept", "a")]), None, STORED_MS);
    assert_eq!(words(&verdict), "stale 0 0 sie");
}

#[test]
fn vary_names_the_choosing_fields() {
    #[track_caller]
    fn check(lines: &[(&str, &str)], expected: Option<&str>) {
        let found = choosing_fields(&fields(lines))
            .ok()
            .map(|names| names.join(" "));
        assert_eq!(found.as_deref(), expected, "{lines:?}");
    }
    check(&[], Some(""));
    check(&[("vary", "")], Some(""));
    check(&[("vary", "B, a,, A")], Some("a b"));
    check(&[("vary", "b"), ("vary", "a")], Some("a b"));
    check(&[("content-encoding", "br")], Some("accept-encoding"));
    check(
        &[("content-encoding", "br"), ("vary", "Accept-Encoding, a")],
        Some("a accept-encoding"),
    );
    check(&[("vary", "*")], None);
    check(&[("vary", "a, *")], None);
    check(&[("vary", "a"), ("vary", " * ")], None);
    let names = |n: usize| {
        (0..n)
            .map(|i| format!("x-{i}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert!(choosing_fields(&fields(&[("vary", &names(16))])).is_ok());
    assert!(choosing_fields(&fields(&[("vary", &names(17))])).is_err());
}
