//! Tests of orders to warm: their content, their errors, and the pages that are
//! chosen; and that no input causes a panic. `EDGEKEEP_SEED` sets the seed; a
//! failure prints it.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::purge::order::NotOrder;
use edgekeep::cache::warm::sitemap::{self, Sitemap, SitemapUrl};
use edgekeep::cache::warm::warm_order::{
    self, CHILDREN_MAX, PageSelection, ParsedWarming, Skipped, read,
};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::collections::HashSet;
use testkit::random::Hostile;
use testkit::settings::rules;

fn settings() -> Value {
    json!({
        "warm": { "urls": ["https://a.test/", "https://b.test/"], "sitemaps": ["https://a.test/sitemap.xml"], "limit": 7 },
        "rules": [{ "path": "/admin/*", "cache": false }, { "path": "/search", "kv": false },
            { "path": "/q", "query": { "allow": ["q"] } }],
        "keys": [{ "name": "a", "secret": "A", "may": { "hosts": ["a.test"], "tags": ["*"] } }],
    })
}

/// Checks the URLs of an order with their paths in it, its limit, and its
/// refusals.
#[track_caller]
fn check(body: Value, expected: &[&str], refused: &[(&str, &str)]) {
    let order = read(&rules(settings()), body.to_string().as_bytes()).expect("an order");
    assert_eq!(shown(&order), expected, "{body}");
    check_refused(&order, refused);
}

fn shown(order: &ParsedWarming) -> Vec<String> {
    let all = order.urls.iter().chain(&order.sitemaps);
    let all = all.map(|(path, url)| format!("{path} {url}"));
    all.chain([order.limit.to_string()]).collect()
}

#[track_caller]
fn check_refused(order: &ParsedWarming, expected: &[(&str, &str)]) {
    let refused = order.refused.iter();
    let refused: Vec<(&str, &str)> = refused.map(|(p, d)| (p.as_str(), d.as_str())).collect();
    assert_eq!(refused, expected);
}

#[test]
fn order_to_warm_is_parsed() {
    check(
        json!({ "urls": ["HTTPS://A.test/b", "http://b.test"], "sitemaps": ["https://a.test/s.xml"], "limit": 5 }),
        &[
            "urls[0] https://a.test/b",
            "urls[1] http://b.test/",
            "sitemaps[0] https://a.test/s.xml",
            "5",
        ],
        &[],
    );
    // The settings' own limit applies always; their lists only if the order has
    // none.
    check(
        json!({ "urls": ["http://a.test/"] }),
        &["urls[0] http://a.test/", "7"],
        &[],
    );
    check(
        json!({ "sitemaps": ["http://a.test/s"] }),
        &["sitemaps[0] http://a.test/s", "7"],
        &[],
    );
    let own = [
        "warm.urls[0] https://a.test/",
        "warm.urls[1] https://b.test/",
        "warm.sitemaps[0] https://a.test/sitemap.xml",
    ];
    let with = |limit| own.into_iter().chain([limit]).collect::<Vec<_>>();
    check(json!({}), &with("7"), &[]);
    check(
        json!({ "limit": 10_000, "dry_run": true }),
        &with("10000"),
        &[],
    );
    check(json!({ "urls": [], "sitemaps": [] }), &with("7"), &[]);
}

#[test]
fn invalid_members_of_an_order_are_refused() {
    check(
        json!({ "urls": ["/a", 5, "https://a.test/", "ftp://a.test/"], "sitemaps": [null, "https:///s.xml"] }),
        &["urls[2] https://a.test/", "7"],
        &[
            ("urls[0]", "the URL must begin with http:// or https://"),
            ("urls[1]", "must be a text"),
            ("urls[3]", "the URL must begin with http:// or https://"),
            ("sitemaps[0]", "must be a text"),
            ("sitemaps[1]", "the URL has no valid host name"),
        ],
    );
    check(
        json!({ "urls": vec!["https://a.test/"; 1001], "sitemaps": vec!["https://a.test/"; 21] }),
        &["7"],
        &[
            ("urls", "more than 1000 URLs; split the order"),
            ("sitemaps", "more than 20 URLs; split the order"),
        ],
    );
    for limit in [0, 10_001] {
        let problem = format!("must be from 1 to 10000 pages, not {limit}");
        let order = read(
            &rules(settings()),
            json!({ "limit": limit }).to_string().as_bytes(),
        );
        check_refused(&order.expect("an order"), &[("limit", &problem)]);
    }
}

#[test]
fn body_that_is_not_an_order_is_rejected() {
    let read = |text: &str| read(&rules(settings()), text.as_bytes()).map(|order| shown(&order));
    for text in ["", "{", "urls", "{}}"] {
        assert!(matches!(read(text), Err(NotOrder::Json(_))), "{text}");
    }
    for text in [
        "[]",
        "5",
        "[[],[],1,true]",
        r#"{"url":["a"]}"#,
        r#"{"urls":"a"}"#,
        r#"{"limit":-1}"#,
        r#"{"limit":1.5}"#,
        r#"{"soft":true}"#,
    ] {
        assert!(matches!(read(text), Err(NotOrder::Shape(_))), "{text}");
    }
}

#[test]
fn key_may_warm_only_hosts_that_it_may_purge() {
    let rules = rules(settings());
    let body = json!({ "urls": ["https://a.test:8443/b", "https://b.test/", "https://www.a.test/"], "sitemaps": ["http://a.test/", "http://b.test/"] });
    let parse = || read(&rules, body.to_string().as_bytes()).expect("an order");
    let mut order = parse();
    order.limit(&rules.keys[0].permit, "default");
    check_refused(&order, &[]);
    let mut order = parse();
    order.limit(&rules.keys[1].permit, "a");
    check_refused(
        &order,
        &[
            ("urls[1]", "the key a may not warm pages of b.test"),
            ("urls[2]", "the key a may not warm pages of www.a.test"),
            ("sitemaps[1]", "the key a may not warm pages of b.test"),
        ],
    );
    assert_eq!(
        shown(&order),
        [
            "urls[0] https://a.test:8443/b",
            "sitemaps[0] http://a.test/",
            "7"
        ]
    );
    // The same holds for the URLs of the settings.
    let mut order = ParsedWarming::of_settings(&rules);
    order.limit(&rules.keys[1].permit, "a");
    check_refused(
        &order,
        &[("warm.urls[1]", "the key a may not warm pages of b.test")],
    );
}

#[test]
fn named_urls_that_kv_may_not_hold_are_refused() {
    let rules = rules(settings());
    let body = json!({ "urls": ["https://a.test/./b?utm_source=x", "https://a.test/admin/", "http://a.test/b",
        "https://a.test/b", "https://a.test/search?q=1", "https://a.test/.edgekeep/purge", "https://a.test/q?x=1&q=2"] });
    let mut order = read(&rules, body.to_string().as_bytes()).expect("an order");
    let choice = order.choose(&rules);
    assert_eq!(
        choice.urls(),
        [
            "https://a.test/b",
            "http://a.test/b",
            "https://a.test/q?q=2"
        ]
    );
    check_refused(
        &order,
        &[
            ("urls[1]", "it is not cached: rule"),
            ("urls[4]", "its rule says kv = false"),
            ("urls[5]", "it is an address of Edgekeep's own"),
        ],
    );
}

/// The pages that an order for `https://a.test/0` selects, with this limit.
fn choose(rules: &Rules, limit: usize) -> PageSelection {
    let body = json!({ "urls": ["https://a.test/0"], "limit": limit });
    let order = read(rules, body.to_string().as_bytes());
    order.expect("an order").choose(rules)
}

fn entries(list: &[(&str, u64)]) -> Vec<SitemapUrl> {
    let entry = |(url, changed): &(&str, u64)| SitemapUrl {
        url: (*url).to_owned(),
        changed: *changed,
    };
    list.iter().map(entry).collect()
}

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

#[test]
fn sitemap_urls_of_other_hosts_or_not_for_kv_are_skipped() {
    let rules = rules(settings());
    let mut choice = choose(&rules, 100);
    let long = format!("https://a.test/{}", "x".repeat(8192));
    let found = entries(&[
        ("https://a.test/1", 0),
        ("http://a.test/2?fbclid=x", 0),
        ("https://www.a.test/", 0),
        ("https://a.test:8443/", 0),
        ("https://a.test.evil.test/", 0),
        ("https://evil.test/?https://a.test/", 0),
        ("//a.test/3", 0),
        ("/3", 0),
        ("javascript:alert(1)", 0),
        (&long, 0),
        ("https://a.test/admin/x", 0),
        ("https://a.test/.edgekeep/warm", 0),
        ("https://a.test/1#top", 0),
        ("https://a.test/0", 0),
    ]);
    choice.add(&rules, &url("https://a.test/sitemap.xml"), found);
    let skipped = Skipped {
        other_host: 4,
        not_a_url: 4,
        not_kept: 2,
        ..Skipped::default()
    };
    assert_eq!(choice.skipped, skipped);
    assert_eq!(
        choice.urls(),
        ["https://a.test/0", "https://a.test/1", "http://a.test/2"]
    );
}

#[test]
fn limit_keeps_named_urls_then_latest_changes() {
    #[track_caller]
    fn check(limit: usize, expected: &[&str], beyond: usize) {
        let rules = rules(json!({}));
        let mut choice = choose(&rules, limit);
        let sitemap = url("https://a.test/");
        let one = [
            ("https://a.test/old", 2020),
            ("https://a.test/none", 0),
            ("https://a.test/new", 2026),
        ];
        choice.add(&rules, &sitemap, entries(&one));
        let other = [
            ("https://a.test/none2", 0),
            ("https://a.test/future", u64::MAX),
            ("https://a.test/newer", 2027),
        ];
        choice.add(&rules, &sitemap, entries(&other));
        assert_eq!(choice.skipped.beyond_limit, beyond);
        let urls = choice.urls();
        let names: Vec<&str> = urls
            .iter()
            .map(|url| &url["https://a.test/".len()..])
            .collect();
        assert_eq!(names, expected);
    }
    let all = ["0", "future", "newer", "new", "old", "none", "none2"];
    check(100, &all, 0);
    for limit in 1..=7 {
        check(limit, &all[..limit], 7 - limit);
    }
}

#[test]
fn long_sitemap_keeps_no_more_urls_than_the_limit() {
    let rules = rules(json!({}));
    let mut choice = choose(&rules, 10);
    let many: Vec<SitemapUrl> = (1..=50_000)
        .map(|n| SitemapUrl {
            url: format!("https://a.test/{n}"),
            changed: n,
        })
        .collect();
    choice.add(&rules, &url("https://a.test/"), many);
    assert_eq!(choice.skipped.beyond_limit, 49_991);
    assert_eq!(
        choice.first(2),
        ["https://a.test/0", "https://a.test/50000"]
    );
    assert_eq!(choice.len(), 10);
}

#[test]
fn urls_of_an_order_fit_into_the_ledger() {
    let rules = rules(json!({}));
    let mut choice = choose(&rules, 10_000);
    let long = "x".repeat(1000);
    let many: Vec<SitemapUrl> = (1..=2000)
        .map(|n| SitemapUrl {
            url: format!("https://a.test/{n}/{long}"),
            changed: 0,
        })
        .collect();
    choice.add(&rules, &url("https://a.test/"), many);
    assert_eq!(choice.skipped.beyond_limit, 2001 - choice.len());
    let bytes: usize = choice.urls().iter().map(String::len).sum();
    assert!((899_000..=900_000).contains(&bytes), "{bytes}");
}

#[test]
fn newest_sitemaps_of_an_index_are_read() {
    let rules = rules(json!({}));
    let mut choice = choose(&rules, 10);
    let mut index: Vec<SitemapUrl> = (0..30)
        .map(|n| SitemapUrl {
            url: format!("https://a.test/{n}.xml"),
            changed: n,
        })
        .collect();
    index.extend(entries(&[("https://b.test/1.xml", 99), ("1.xml", 99)]));
    let children = choice.children(&url("https://a.test/index.xml"), index);
    assert_eq!(children.len(), CHILDREN_MAX);
    assert_eq!(children[0].to_string(), "https://a.test/29.xml");
    assert_eq!(children[19].to_string(), "https://a.test/10.xml");
    assert_eq!(choice.skipped.sitemaps, 12);
}

const BODIES: [&str; 4] = [
    r#"{"urls":["https://a.test/b?x=1","http://b.test/"],"sitemaps":["https://a.test/s.xml"],"limit":3}"#,
    r#"{"urls":["https://a.test/./%41","https://a.test/A","https://a.test/search"],"dry_run":true}"#,
    r#"{"limit":10001,"urls":[5,null,{}]}"#,
    "{}",
];

const FILES: [&str; 3] = [
    "<urlset><url><loc>https://a.test/1</loc><lastmod>2026</lastmod></url><url><loc>https://a.test/admin/</loc></url></urlset>",
    "<urlset><url><loc>https://a.test/%7Eb?utm_id=1&amp;c</loc></url><url><loc>http://c.test/</loc></url></urlset>",
    "https://a.test/\nhttps://a.test/?\nhttp://a.test:80/",
];

#[test]
fn random_orders_choose_only_allowed_urls() {
    let rules = rules(settings());
    let mut hostile = Hostile::new();
    let (mut read_well, mut found) = (0, 0);
    for _ in 0..10_000 {
        let text = hostile.text(&BODIES);
        let Ok(mut order) = read(&rules, text.as_bytes()) else {
            continue;
        };
        read_well += 1;
        order.limit(&rules.keys[1].permit, "a");
        let allowed = |(_, url): &(String, Url)| url.host_name() == "a.test";
        assert!(
            order.urls.iter().chain(&order.sitemaps).all(allowed),
            "{text}"
        );
        let mut choice = order.choose(&rules);
        let file = hostile.text(&FILES);
        if let Ok(Sitemap::Pages(entries)) = sitemap::read(file.as_bytes()) {
            choice.add(&rules, &url("https://a.test/s.xml"), entries);
        }
        let urls = choice.urls();
        found += urls.len();
        assert!(urls.len() <= order.limit && order.limit <= 10_000, "{text}");
        let once: HashSet<&String> = urls.iter().collect();
        assert_eq!(once.len(), urls.len(), "{text} {file}");
        for text in &urls {
            // The ledger finds a chosen URL under the same key again.
            let visit = warm_order::lookup_to_warm(&rules, &url(text)).expect("a page");
            assert_eq!(visit.key.url.to_string(), *text, "{file}");
            assert_eq!(visit.key.url.host_name(), "a.test", "{file}");
        }
    }
    assert!(read_well > 2000 && found > 2000, "{read_well} {found}");
}
