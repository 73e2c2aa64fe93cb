//! Tests which requests share a cache key and which never do.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key::{CacheKey, TRACKING};
use edgekeep::cache::request::classify::{Plan, classify};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::collections::HashSet;

fn rules(defaults: Value) -> Rules {
    Rules::read_json(&json!({ "defaults": defaults }).to_string()).expect("good settings")
}

/// The key of a GET for `URL[ | Name: value]…`.
#[track_caller]
fn key(rules: &Rules, request: &str) -> CacheKey {
    let mut parts = request.split(" | ");
    let url = Url::parse(parts.next().unwrap_or_default()).expect(request);
    let fields: Fields = parts
        .map(|line| line.split_once(": ").expect("Name: value"))
        .collect();
    let head = RequestHead {
        method: Method::Get,
        url,
        fields,
    };
    match classify(rules, &head) {
        Plan::Lookup(lookup) => (*lookup.key).clone(),
        other => panic!("{request}: {other:?}"),
    }
}

#[test]
fn key_text_is_normalized() {
    let plain = rules(json!({}));
    #[track_caller]
    fn check(rules: &Rules, url: &str, expected: &str) {
        assert_eq!(key(rules, url).text, expected, "{url}");
    }
    check(&plain, "HTTP://A.Test:80", "http://a.test/");
    check(&plain, "https://a.test:443/a/../b#c", "https://a.test/b");
    check(&plain, "http://a.test/?", "http://a.test/");
    check(&plain, "http://a.test/?&&", "http://a.test/");
    check(&plain, "http://a.test/?b=1&a=2", "http://a.test/?a=2&b=1");
    // Equal names keep their order.
    check(
        &plain,
        "http://a.test/?b=2&a=1&b=1&a=0",
        "http://a.test/?a=1&a=0&b=2&b=1",
    );
    check(&plain, "http://a.test/?b&a&b=", "http://a.test/?a&b&b=");
    check(
        &plain,
        "http://a.test/?%62=1&a=%7e%2f",
        "http://a.test/?a=~%2F&b=1",
    );
    check(&plain, "http://a.test/?a=1;b=2", "http://a.test/?a=1;b=2");
    check(&plain, "http://a.test/?=&=a", "http://a.test/?=&=a");
    check(&plain, "http://a.test/?a=b=c?d", "http://a.test/?a=b=c?d");
    check(&plain, "http://a.test/?B=1&a=2", "http://a.test/?B=1&a=2");
    let unsorted = rules(json!({ "sort_query": false }));
    check(
        &unsorted,
        "http://a.test/?b=1&&a=2&utm_id=3",
        "http://a.test/?b=1&a=2",
    );
}

#[test]
fn tracking_parameters_are_dropped() {
    let plain = rules(json!({}));
    // Links from the documentation of advertisers and mail services.
    for query in [
        // Google Analytics: Campaign URL Builder.
        "utm_id=1&utm_source=news&utm_medium=mail&utm_campaign=spring&utm_term=a&utm_content=b",
        // Google Ads: auto-tagging, with what Safari on iOS gets instead;
        // cross-domain links.
        "gclid=Cj0KCQ&gad_source=1&gad_campaignid=2",
        "gbraid=0AAAA&wbraid=Cj0KCQ&_gl=1*1a*_ga*MQ",
        // Meta, Instagram; Microsoft Advertising; TikTok.
        "fbclid=IwAR0&igsh=MzRl&msclkid=3b1&ttclid=E.C.P",
        // Mailchimp; HubSpot; Marketo.
        "mc_cid=a1&mc_eid=UNIQID&_hsenc=p2A&_hsmi=1&mkt_tok=MTIz",
        // With another escaping.
        "utm%5Fsource=x&%67clid=1",
    ] {
        let url = format!("http://a.test/?b=1&{query}&a");
        assert_eq!(key(&plain, &url).text, "http://a.test/?a&b=1", "{query}");
    }
    // Each tracking parameter is dropped however often it occurs, with and
    // without a value. A longer name is not dropped.
    for name in TRACKING {
        let (one, longer) = match name.strip_suffix('*') {
            Some(start) => (format!("{start}anything"), format!("x{start}")),
            None => (name.to_owned(), format!("{name}2")),
        };
        let url = format!("http://a.test/?b=1&{one}=x&{one}&a");
        assert_eq!(key(&plain, &url).text, "http://a.test/?a&b=1", "{name}");
        let url = format!("http://a.test/?{one}=x");
        assert_eq!(key(&plain, &url).text, "http://a.test/", "{name}");
        let url = format!("http://a.test/?{longer}=x");
        assert_eq!(key(&plain, &url).text, url, "{name}");
    }
    let kept = [
        "utm",
        "xutm_source",
        "UTM_source",
        "gclid2",
        "gcli",
        "ref",
        "page",
        "id",
        "_g",
        "a[gclid]",
    ];
    for name in kept {
        let url = format!("http://a.test/?{name}=x");
        assert_ne!(key(&plain, &url).text, "http://a.test/", "{name}");
    }
    let with_tracking = rules(json!({ "drop_tracking": false }));
    assert_eq!(
        key(&with_tracking, "http://a.test/?utm_id=1").text,
        "http://a.test/?utm_id=1"
    );
}

#[test]
fn rule_selects_the_query_parameters_of_the_key() {
    #[track_caller]
    fn check(settings: Value, query: &str, expected: &str) {
        let found = key(&rules(settings.clone()), &format!("http://a.test/?{query}"));
        assert_eq!(
            found.url.query.as_deref().unwrap_or_default(),
            expected,
            "{settings} {query}"
        );
    }
    check(json!({ "query": "all" }), "b=1&a=2&gclid=3", "a=2&b=1");
    check(json!({ "query": { "allow": [] } }), "a=1&b=2", "");
    check(
        json!({ "query": { "allow": ["a"] } }),
        "b=1&a=2&A=3&aa=4&a=1",
        "a=2&a=1",
    );
    check(json!({ "query": { "allow": ["a"] } }), "%61=1", "a=1");
    check(
        json!({ "query": { "allow": ["%61b", "c d"] } }),
        "ab=1&c%20d=2&x=3",
        "ab=1&c%20d=2",
    );
    check(
        json!({ "query": { "allow": ["a[]"] } }),
        "a[]=1&a%5b%5D=2",
        "a%5B%5D=1&a%5B%5D=2",
    );
    // A parameter that a rule names is kept, even if it is a tracking one.
    check(
        json!({ "query": { "allow": ["gclid"] } }),
        "gclid=1&utm_id=2",
        "gclid=1",
    );
    check(
        json!({ "query": { "deny": ["a"] } }),
        "b=1&a=2&c=3&gclid=4",
        "b=1&c=3",
    );
    check(json!({ "query": { "deny": [] } }), "b=1&a=2", "a=2&b=1");
    let unsorted =
        json!({ "query": { "deny": ["a"] }, "sort_query": false, "drop_tracking": false });
    check(unsorted, "b=1&a=2&_ga=3", "b=1&_ga=3");
}

#[test]
fn different_requests_have_different_keys() {
    let settings =
        rules(json!({ "key_headers": ["X-A", "Accept-Language"], "key_cookies": ["c", "d"] }));
    let distinct = [
        "http://a.test/",
        "https://a.test/",
        "http://b.test/",
        "http://a.test:8080/",
        "http://a.test/?a",
        "http://a.test/?a=",
        "http://a.test/?a=1",
        "http://a.test/?A=1",
        "http://a.test/?a=1&a=2",
        "http://a.test/?a=2&a=1",
        "http://a.test/?a=1%26a=2",
        "http://a.test/?a+b",
        "http://a.test/?a%20b",
        "http://a.test/?a;b",
        "http://a.test/?a&b",
        "http://a.test/%3Fa",
        "http://a.test//",
        "http://a.test/a",
        "http://a.test/a/",
        "http://a.test/a//",
        "http://a.test/a%2F",
        "http://a.test/a;",
        "http://a.test/A",
        "http://a.test/ | Origin: http://b.test",
        "http://a.test/ | Origin: null",
        "http://a.test/ | Origin: ",
        "http://a.test/ | X-A: 1",
        "http://a.test/ | X-A: 2",
        "http://a.test/ | X-A: ",
        "http://a.test/ | X-A: 1 | X-A: 2",
        "http://a.test/ | Accept-Language: de",
        "http://a.test/ | Accept-Language: en",
        "http://a.test/ | Accept-Language: EN",
        "http://a.test/ | Accept-Language: de, en",
        "http://a.test/ | Accept-Language: en, de",
        "http://a.test/ | Cookie: c=1",
        "http://a.test/ | Cookie: c=2",
        "http://a.test/ | Cookie: c=",
        "http://a.test/ | Cookie: d=1",
        "http://a.test/ | Cookie: c=1; d=1",
        "http://a.test/ | Cookie: c=1 d=1",
        "http://a.test/ | Cookie: c=1, d=1",
        "http://a.test/ | Cookie: c=1,d=1",
        "http://a.test/ | Cookie: c=1, x=1",
        "http://a.test/ | Cookie: c=1, x=2",
        "http://a.test/ | Cookie: c=1,2",
        "http://a.test/?field:x-a=1",
        "http://a.test/ | X-A: x-a=1",
    ];
    let mut texts = HashSet::new();
    let mut slots = HashSet::new();
    for request in distinct {
        let key = key(&settings, request);
        assert!(
            texts.insert(key.text.clone()),
            "{request} shares the key {:?}",
            key.text
        );
        assert!(slots.insert(key.slot().digest.clone()), "{request}");
    }
}

#[test]
fn equivalent_requests_share_a_key() {
    let settings = rules(
        json!({ "key_headers": ["X-A", "Accept-Language", "Accept-Encoding"], "key_cookies": ["c"] }),
    );
    let same: [&[&str]; 8] = [
        &[
            "http://a.test/",
            "http://A.TEST:80",
            "http://a.test/?#x",
            "http://a.test/?utm_id=1",
        ],
        &[
            "http://a.test/?a=1&b=2",
            "http://a.test/?b=2&a=1",
            "http://a.test/?b=%32&&%61=1",
        ],
        &[
            "http://a.test/a",
            "http://a.test/%61",
            "http://a.test/b/../a",
            "http://a.test/./a",
            "http://a.test./b\\.%2e\\a",
            "http://A.TEST.:80/\\..\\a",
        ],
        // Fields and cookies that no rule names.
        &[
            "http://a.test/",
            "http://a.test/ | Cookie: theme=dark",
            "http://a.test/ | User-Agent: x",
        ],
        &[
            "http://a.test/",
            "http://a.test/ | Accept: text/html",
            "http://a.test/ | Referer: x",
        ],
        &[
            "http://a.test/",
            "http://a.test/ | X-Forwarded-Host: evil",
            "http://a.test/ | If-None-Match: *",
        ],
        &[
            "http://a.test/ | Accept-Language: de,  en;q=0.7",
            "http://a.test/ | accept-language: de, en; q=0.5",
        ],
        &[
            "http://a.test/ | Accept-Encoding: gzip, deflate, br",
            "http://a.test/ | Accept-Encoding: br;q=1,gzip;q=0.1",
        ],
    ];
    for group in same {
        let texts: HashSet<String> = group
            .iter()
            .map(|request| key(&settings, request).text)
            .collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
    }
    let cookies = [
        "c=1",
        "c=1; theme=x",
        "theme=x;c=1",
        "c=1; c=2",
        " c = 1 ",
        "theme=x, c=1",
        "theme=x,y,c=1; c=2",
    ];
    let texts: HashSet<String> = cookies
        .iter()
        .map(|c| key(&settings, &format!("http://a.test/ | Cookie: {c}")).text)
        .collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[test]
fn slot_url_keeps_host_and_path_for_zone_purges() {
    let plain = rules(json!({}));
    let key = key(&plain, "https://a.test:8443/b/c?d=1 | Origin: x");
    let slot = key.slot();
    assert_eq!(
        slot.entry_url,
        format!("https://a.test:8443/b/c?edgekeep={}", slot.digest)
    );
    assert_eq!(slot.digest.len(), 32);
    assert!(slot.digest.bytes().all(|b| b.is_ascii_hexdigit()));
    // From the Secure Hash Standard: the first half of the SHA-256 of "abc".
    assert_eq!(
        edgekeep::cache::key::cache_key::digest("abc"),
        "ba7816bf8f01cfea414140de5dae2223"
    );
    let (one, other) = (key.variant_slot("a=1\n"), key.variant_slot("a=2\n"));
    assert_ne!(one, other);
    assert_ne!(&one, slot);
    assert_ne!(&key.variant_slot(""), slot);
    let mut longer = key.clone();
    longer.add("header", "x", Some("1"));
    assert_ne!(longer.slot(), slot);
}
