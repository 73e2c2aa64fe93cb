//! Tests that redirects to the requested URL are detected and never stored (RFC
//! 9110 §15.4, §10.2.2).

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use testkit::given::{exchange, head, outcome, stored};

/// A lookup of this URL; the origin receives it as `origin.test`.
fn lookup_of(url: &str, rule: &Value) -> Lookup {
    let settings = json!({ "origin": "http://origin.test:8080", "defaults": rule });
    let rules = Rules::read_json(&settings.to_string()).expect("good settings");
    let request = RequestHead {
        method: Method::Get,
        url: Url::parse(url).expect(url),
        fields: [("accept", "a")].into_iter().collect(),
    };
    match classify(&rules, &request) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{other:?}"),
    }
}

#[test]
fn self_redirect_is_not_stored() {
    #[track_caller]
    fn check(url: &str, location: &str, is_own: bool) {
        let rule = json!({ "edge_ttl": 600 });
        for status in [301, 302, 303, 307, 308] {
            for lifetime in ["cache-control: max-age=60", "x-a: 1", "expires: $+60"] {
                let answer = format!("{status} | {lifetime} | location: {location}");
                let found = outcome(&lookup_of(url, &rule), &answer);
                let fresh = lifetime != "x-a: 1" || matches!(status, 301 | 308);
                let expected = if !fresh {
                    found == "no-freshness"
                } else {
                    (found == "self-redirect") == is_own
                };
                assert!(expected, "{url} {answer}: {found}");
            }
        }
    }
    const PAGE: &str = "https://a.test/b/c?d=1";
    for own in [
        "https://a.test/b/c?d=1",
        "http://a.test/b/c?d=1",
        "HTTPS://A.Test/b/c?d=1",
        "https://a.test:443/b/c?d=1",
        "http://a.test:80/b/c?d=1",
        "https://a.test:80/b/c?d=1",
        "https://a.test./b/c?d=1",
        "https://a.test/b/c?d=1#top",
        "https://a.test/b/./c?d=1",
        "https://a.test/x/../b/c?d=1",
        "https://a.test/%62/c?d=1",
        "https://a.test/b/c?d=%31",
        "https://a.test/b/c?%64=1",
        "https://a.test\\b\\c?d=1",
        "//a.test/b/c?d=1",
        "/b/c?d=1",
        "/b/c?d=1#x",
        "c?d=1",
        "./c?d=1",
        "../b/c?d=1",
        "?d=1",
        "#x",
        "",
        "  /b/c?d=1  ",
        // The URL as the origin receives it.
        "http://origin.test:8080/b/c?d=1",
        "https://origin.test:8080/b/c?d=1",
        "http://ORIGIN.test:8080/b/c?d=1#x",
        "//origin.test:8080/b/c?d=1",
        // Parameters that the cache key omits, in another order.
        "/b/c?d=1&utm_source=x",
        "/b/c?utm_source=x&d=1",
        "https://user@a.test/b/c?d=1",
    ] {
        check(PAGE, own, true);
    }
    for other in [
        "https://a.test/b/c",
        "https://a.test/b/c?d=2",
        "https://a.test/b/c/?d=1",
        "https://a.test/B/c?d=1",
        "https://www.a.test/b/c?d=1",
        "https://a.test:8443/b/c?d=1",
        "https://b.test/b/c?d=1",
        "http://origin.test/b/x?d=1",
        "/",
        "d?d=1",
        "?d=2",
        "mailto:a@a.test",
    ] {
        check(PAGE, other, false);
    }
    check("https://a.test/", "https://a.test", true);
    check("https://a.test/", "/", true);
    check("https://a.test/?gclid=1", "/", true);
    check("https://a.test/a%2fb", "/a%2Fb", true);
    check("https://a.test/a%2fb", "/a/b", false);
    check("https://a.test/%e4", "/%E4", true);
    check("https://a.test/a?y=1&x=2", "/a?x=2&y=1", true);
    check("http://a.test/", "https://a.test/", true);
    check("https://a.test:8443/", "https://a.test:8443/", true);
}

#[test]
fn each_location_is_checked_and_only_in_redirects() {
    let rule = json!({ "edge_ttl": 600 });
    let at = lookup_of("https://a.test/b", &rule);
    let two = "301 | location: /c | location: /b";
    assert_eq!(outcome(&at, two), "self-redirect");
    assert_eq!(outcome(&at, "200 | location: /b"), "600 0 86400");
    assert_eq!(outcome(&at, "301"), "600 0 86400");
    // Also after a 304.
    let old = stored("301 | cache-control: max-age=60 | etag: \"a\" | location: /c");
    let old = Entry {
        key: at.key.text.clone(),
        ..old
    };
    let answer = head("304 | etag: \"a\" | location: /b");
    let next = decide_response(&exchange(&at, Some(&old), true), Ok(&answer));
    assert!(
        matches!(
            next,
            ResponseDecision::Freshen {
                may_store: false,
                ..
            }
        ),
        "{next:?}"
    );
}

#[test]
fn self_redirect_ignores_parameters_named_by_no_vary_search() {
    let rule = json!({ "no_vary_search": true, "edge_ttl": 600 });
    let at = lookup_of("https://a.test/b?u=1&p=2", &rule);
    let policy = "no-vary-search: params=(\"u\")";
    for own in ["/b?p=2", "/b?u=9&p=2", "?p=2&u="] {
        let answer = format!("301 | {policy} | location: {own}");
        assert_eq!(outcome(&at, &answer), "self-redirect", "{own}");
    }
    let answer = format!("301 | {policy} | location: /b?p=3");
    assert_eq!(outcome(&at, &answer), "600 0 86400");
    // Without the policy the URLs differ.
    assert_eq!(outcome(&at, "301 | location: /b?p=2"), "600 0 86400");
}
