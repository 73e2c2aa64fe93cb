//! Tests of the parser of purge orders: which texts are selectors, which are
//! refused with which path, how hard and soft selectors are resolved, and what
//! a key may not purge.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::purge::order::{NotOrder, ORDER_BYTES_MAX, SELECTORS_MAX, read};
use serde_json::{Value, json};
use testkit::orders::{parse_order, resolve_order};
use testkit::settings::rules;

fn plain() -> Rules {
    rules(json!({ "rules": [
        { "path": "/search", "query": { "allow": ["q"] } },
        { "path": "/nvs/*", "no_vary_search": true },
    ] }))
}

/// The hard selectors of an order, separated by `|`.
#[track_caller]
fn check(order: Value, expected: &str) {
    let found = resolve_order(&plain(), &order);
    assert_eq!(found.hard.join(" | "), expected, "{order}");
    assert!(found.soft.is_empty() && found.cascade.is_empty(), "{order}");
}

#[test]
fn selectors_are_normalised_like_requests() {
    check(json!({ "files": ["https://a.test/b"] }), "url:a.test/b");
    check(
        json!({ "files": ["HTTP://A.Test:80/./b/../%7Ec"] }),
        "url:a.test/~c",
    );
    check(json!({ "files": ["https://a.test"] }), "url:a.test/");
    check(
        json!({ "files": ["https://a.test:8443/b#c"] }),
        "url:a.test:8443/b",
    );
    check(
        json!({ "files": ["https://a.test/b?z=1&utm_source=x&a=2"] }),
        "url:a.test/b?a=2&z=1",
    );
    check(
        json!({ "files": ["https://a.test/search?q=x&from=y"] }),
        "url:a.test/search?q=x",
    );
    check(
        json!({ "files": ["https://a.test/nvs/b?q=x"] }),
        "path:a.test/nvs/b",
    );
    check(
        json!({ "files": [{ "url": "https://a.test/b" }] }),
        "url:a.test/b",
    );
    check(
        json!({ "tags": ["a", { "tag": "B:*" }] }),
        "tag:a | tag:B:*",
    );
    check(json!({ "prefixes": ["a.test/b"] }), "prefix:a.test/b");
    check(
        json!({ "prefixes": ["https://A.test/b//"] }),
        "prefix:a.test/b",
    );
    check(
        json!({ "prefixes": [{ "prefix": "a.test" }] }),
        "prefix:a.test",
    );
    check(
        json!({ "hosts": ["A.test", { "host": "b.test:81" }] }),
        "host:a.test | host:b.test",
    );
    check(json!({ "purge_everything": true }), "everything");
    check(
        json!({ "purge_everything": true, "tags": ["a"] }),
        "tag:a | everything",
    );
    // The order of kinds is fixed, the order within a list is kept; each
    // selector appears once.
    check(
        json!({ "hosts": ["h.test"], "tags": ["b", "a", "b"], "files": ["http://a.test/", "https://a.test"] }),
        "url:a.test/ | tag:b | tag:a | host:h.test",
    );
}

#[test]
fn order_may_mix_hard_and_soft_selectors() {
    #[track_caller]
    fn check(order: Value, hard: &[&str], soft: &[&str]) {
        let found = resolve_order(&plain(), &order);
        assert_eq!(
            (found.hard, found.soft),
            (owned(hard), owned(soft)),
            "{order}"
        );
    }
    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
    let soft = |tag: &str, soft: bool| json!({ "tag": tag, "soft": soft });
    check(json!({ "tags": ["a"], "soft": true }), &[], &["tag:a"]);
    check(
        json!({ "tags": ["a", soft("b", true)] }),
        &["tag:a"],
        &["tag:b"],
    );
    check(
        json!({ "tags": ["a", soft("b", false)], "soft": true }),
        &["tag:b"],
        &["tag:a"],
    );
    check(json!({ "tags": [soft("a", true), "a"] }), &["tag:a"], &[]);
    check(json!({ "tags": ["a", soft("a", true)] }), &["tag:a"], &[]);
    check(
        json!({ "tags": [soft("a", true), soft("a", true), soft("b", true)] }),
        &[],
        &["tag:a", "tag:b"],
    );
    check(
        json!({ "files": ["https://a.test/b", { "url": "http://a.test/./b", "soft": true }] }),
        &["url:a.test/b"],
        &[],
    );
    check(
        json!({ "purge_everything": true, "soft": true }),
        &[],
        &["everything"],
    );
    check(
        json!({ "purge_everything": true, "soft": true, "hosts": [{ "host": "a.test", "soft": false }] }),
        &["host:a.test"],
        &["everything"],
    );
}

#[test]
fn every_invalid_part_is_refused_with_its_path() {
    #[track_caller]
    fn check(order: Value, paths: &[&str]) {
        let found = parse_order(&plain(), &order).expect("JSON of the right shape");
        let found: Vec<&str> = found
            .refused
            .iter()
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(found, paths, "{order}");
    }
    for file in [
        json!(""),
        json!("/b"),
        json!("a.test/b"),
        json!("ftp://a.test/"),
        json!("https://"),
        json!("https://u@a.test/"),
        json!("https://a b/"),
        json!("https://a.test:0/"),
        json!(7),
        json!(null),
        json!(["https://a.test/"]),
        json!({}),
        json!({ "soft": true }),
    ] {
        check(json!({ "files": [file] }), &["files[0]"]);
    }
    for tag in [
        json!(""),
        json!("a b"),
        json!("a,b"),
        json!("é"),
        json!("a\n"),
        json!("a".repeat(1025)),
        // Reserved: with them the zone's purge would match pages by other
        // selectors.
        json!("edgekeep-0011223344556677"),
        json!("EdgeKeep-x"),
        json!({ "tag": "edgekeep-", "soft": true }),
    ] {
        check(json!({ "tags": ["good", tag] }), &["tags[1]"]);
    }
    for prefix in [
        json!(""),
        json!("/b"),
        json!("a.test/b?c"),
        json!("a.test/b?"),
        json!("ftp://a.test/"),
    ] {
        check(json!({ "prefixes": [prefix] }), &["prefixes[0]"]);
    }
    check(
        json!({ "prefixes": [format!("a.test{}", "/b".repeat(33))] }),
        &["prefixes[0]"],
    );
    check(
        json!({ "prefixes": [format!("a.test{}", "/b".repeat(32))] }),
        &[],
    );
    for host in [
        json!(""),
        json!("a.test/"),
        json!("*.a.test"),
        json!("https://a.test"),
        json!("a.test:x"),
    ] {
        check(json!({ "hosts": [host] }), &["hosts[0]"]);
    }
    check(json!({ "files": [{ "url": 7 }] }), &["files[0].url"]);
    check(
        json!({ "files": [{ "url": "https://a.test/", "soft": "yes" }] }),
        &["files[0].soft"],
    );
    check(
        json!({ "files": [{ "url": "https://a.test/", "headers": {} }] }),
        &["files[0].headers"],
    );
    check(json!({ "tags": [{ "url": "a" }] }), &["tags[0].url"]);
    check(
        json!({ "hosts": [{ "host": "a.test", "port": 1 }] }),
        &["hosts[0].port"],
    );
    check(
        json!({ "files": ["x", "https://a.test/", "y"], "tags": ["", "a"], "hosts": [1] }),
        &["files[0]", "files[2]", "tags[0]", "hosts[0]"],
    );
    // All errors: as many as an order may have selectors.
    let all = parse_order(&plain(), &json!({ "tags": vec![""; SELECTORS_MAX] })).expect("an order");
    assert_eq!(all.refused.len(), SELECTORS_MAX);
    assert_eq!(all.refused[999].0, "tags[999]");
}

#[test]
fn file_headers_are_ignored_in_cloudflare_calls() {
    let order = json!({ "files": [{ "url": "https://a.test/b", "headers": { "Origin": "x" } }] });
    let text = order.to_string();
    let found = read(&plain(), text.as_bytes(), true).expect("an order");
    assert_eq!(found.refused, []);
    let resolved = found.resolve(&plain().cascades).expect("not too much");
    assert_eq!(resolved.hard, ["url:a.test/b"]);
    let tag = json!({ "tags": [{ "tag": "a", "headers": {} }] }).to_string();
    let found = read(&plain(), tag.as_bytes(), true).expect("an order");
    assert_eq!(found.refused[0].0, "tags[0].headers");
}

#[test]
fn invalid_json_and_other_shapes_are_refused() {
    #[track_caller]
    fn check(text: &str, json: bool) {
        let found = read(&plain(), text.as_bytes(), false).map(|_| ());
        match found {
            Err(NotOrder::Json(problem)) if !json => assert!(!problem.is_empty()),
            Err(NotOrder::Shape(problem)) if json => assert!(!problem.is_empty()),
            found => panic!("{text}: {found:?}"),
        }
    }
    for text in [
        "",
        " ",
        "{",
        "{}}",
        "{\"tags\": [\"a\"",
        "tags",
        "{\"tags\": [\"a\"]} x",
    ] {
        check(text, false);
    }
    for text in [
        "null",
        "7",
        "\"tags\"",
        "[]",
        "true",
        "[[\"https://a.test/\"], [], [], [], true, false, false, false]",
        r#"{"tag": ["a"]}"#,
        r#"{"tags": "a"}"#,
        r#"{"tags": {}}"#,
        r#"{"tags": null}"#,
        r#"{"tags": ["a"], "soft": 1}"#,
        r#"{"tags": ["a"], "dry_run": "yes"}"#,
        r#"{"purge_everything": "yes"}"#,
        r#"{"tags": ["a"], "refresh": null}"#,
        r#"{"tags": ["a"], "tags": ["b"]}"#,
        r#"{"Tags": ["a"]}"#,
    ] {
        check(text, true);
    }
    // Nested as deep as the size limit allows.
    assert!(read(&plain(), "[".repeat(ORDER_BYTES_MAX).as_bytes(), false).is_err());
    let deep = format!("{{\"tags\": {}", "[".repeat(10_000));
    assert!(read(&plain(), deep.as_bytes(), false).is_err());
}

#[test]
fn order_has_1_to_1000_selectors() {
    let size = |order: Value| parse_order(&plain(), &order).and_then(|draft| draft.check_size());
    assert_eq!(size(json!({})), Err(NotOrder::Empty));
    assert_eq!(
        size(json!({ "tags": [], "purge_everything": false })),
        Err(NotOrder::Empty)
    );
    assert_eq!(
        size(json!({ "tags": [""] })),
        Ok(()),
        "invalid, but not empty"
    );
    let tags = |count: usize| (0..count).map(|n| format!("t{n}")).collect::<Vec<_>>();
    assert_eq!(size(json!({ "tags": tags(1000) })), Ok(()));
    assert_eq!(size(json!({ "tags": tags(1001) })), Err(NotOrder::TooMany));
    assert_eq!(
        size(json!({ "tags": tags(500), "hosts": vec!["a.test"; 500] })),
        Ok(())
    );
    let one_more =
        json!({ "tags": tags(500), "hosts": vec!["a.test"; 500], "purge_everything": true });
    assert_eq!(size(one_more), Err(NotOrder::TooMany));
}

/// The arithmetic in the comment of `ORDER_BYTES_MAX`.
#[test]
fn order_size_limit_fits_1000_urls_of_usual_length() {
    let sample = include_str!("../../data/blog-access-sample.tsv");
    let targets = sample
        .lines()
        .skip(1)
        .filter_map(|line| line.split('\t').nth(3));
    let mut lengths: Vec<usize> = targets
        .collect::<std::collections::HashSet<_>>()
        .into_iter()
        .map(|target| "https://www.example.com".len() + target.len())
        .collect();
    lengths.sort_unstable();
    let usual = lengths[lengths.len() * 95 / 100];
    let url = format!("https://www.example.com/{}", "x".repeat(usual - 24));
    let item = json!({ "url": url, "soft": true });
    let order = json!({ "files": vec![item; SELECTORS_MAX] }).to_string();
    assert!(
        order.len() <= ORDER_BYTES_MAX + 64,
        "{} for {usual}",
        order.len()
    );
    assert!(
        order.len() > 64 * 1024,
        "half the limit would be too small: {}",
        order.len()
    );
}

#[test]
fn refresh_lists_soft_files() {
    let order = json!({
        "refresh": true, "soft": true, "tags": ["a"],
        "files": [
            "https://a.test/./b?utm_source=x", "http://a.test/b", "https://a.test/b",
            { "url": "https://a.test/hard", "soft": false }, "https://a.test/hard",
            "https://a.test/nvs/c?x=1",
        ],
    });
    let found = resolve_order(&plain(), &order);
    assert_eq!(
        found.refresh,
        [
            "https://a.test/b",
            "http://a.test/b",
            "https://a.test/nvs/c?x=1"
        ]
    );
    assert_eq!(found.hard, ["url:a.test/hard"]);
    #[track_caller]
    fn refused(order: Value) {
        let found = parse_order(&plain(), &order).expect("an order");
        let paths: Vec<&str> = found
            .refused
            .iter()
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(paths, ["refresh"], "{order}");
    }
    refused(json!({ "refresh": true }));
    refused(json!({ "refresh": true, "files": ["https://a.test/"] }));
    refused(json!({ "refresh": true, "soft": true, "tags": ["a"] }));
    refused(
        json!({ "refresh": true, "files": ["https://a.test/", { "url": "https://a.test/", "soft": true }] }),
    );
    let without = json!({ "soft": true, "files": ["https://a.test/"] });
    assert!(resolve_order(&plain(), &without).refresh.is_empty());
}

#[test]
fn selectors_outside_key_permissions_are_refused() {
    let rules = rules(json!({ "keys": [{ "name": "k", "secret": "K", "may": {
        "hosts": ["*.a.test", "B.test"], "tags": ["x:*"],
    } }, { "name": "none", "secret": "N", "may": {} }, { "name": "all", "secret": "A" }] }));
    let refused = |key: usize, order: &Value| {
        let mut draft = parse_order(&rules, order).expect("an order");
        draft.limit(&rules.keys[key].permit, "k");
        let kept = draft.resolve(&rules.cascades).expect("not too much");
        let paths: Vec<String> = draft.refused.into_iter().map(|(path, _)| path).collect();
        (paths.join(" "), kept.hard.join(" "))
    };
    let order = json!({
        "files": ["https://www.a.test/x", "https://a.test/x", "http://b.test:81/", "https://xb.test/", "https://b.test.c.test/"],
        "tags": ["x:1", "x", "y:1", "X:1"],
        "prefixes": ["www.a.test/a", "c.test/www.a.test", "b.test"],
        "hosts": ["b.test", "b.test:81", "c.test"],
        "purge_everything": true,
    });
    let (paths, kept) = refused(1, &order);
    assert_eq!(
        paths,
        "files[1] files[3] files[4] tags[1] tags[2] tags[3] prefixes[1] hosts[2] purge_everything"
    );
    assert_eq!(
        kept,
        "url:www.a.test/x url:b.test:81/ tag:x:1 prefix:www.a.test/a prefix:b.test host:b.test"
    );
    let (paths, kept) = refused(2, &order);
    assert_eq!((paths.split(' ').count(), kept.as_str()), (16, ""));
    assert_eq!(
        refused(3, &order).0,
        "",
        "a key without `may` has no limits"
    );
    assert_eq!(refused(0, &order).0, "", "the default key has no limits");
}
