//! Tests how settings become rules: what is inherited, which rule applies to a
//! URL, and to which origin requests of a host go, also with invalid settings.

use edgekeep::cache::config::rule::{Kv, Rule};
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::matching::glob::Glob;
use edgekeep::http::url::Url;
use serde_json::json;
use std::rc::Rc;
use testkit::settings::rules;

/// The rule for a URL, by its canonical path as for requests.
fn rule_for(rules: &Rules, url: &str) -> Rc<Rule> {
    rules.rule_for(&cache_key::canonical_path(&Url::parse(url).expect(url)))
}

#[test]
fn host_selects_origin_and_backup() {
    let rules = rules(json!({
        "origin": "http://all.test",
        "backup_origin": "http://spare.test",
        "origins": {
            "one.test": "http://one.internal",
            "two.test": { "url": "http://two.internal", "backup": "https://two.spare:8443" },
        },
    }));
    let check = |host: &str, first: &str, backup: Option<&str>| {
        let name = |origin: &edgekeep::cache::config::rule::Origin| origin.host.clone();
        assert_eq!(
            rules.origin_of(host).map(name).as_deref(),
            Some(first),
            "{host}"
        );
        assert_eq!(rules.backup_of(host).map(name).as_deref(), backup, "{host}");
    };
    check("other.test", "all.test", Some("spare.test"));
    check("one.test", "one.internal", None);
    check("two.test", "two.internal", Some("two.spare:8443"));
    check("two.test:8080", "two.internal", Some("two.spare:8443"));
}

#[test]
fn purge_dialects_are_inherited_or_replaced_as_a_list() {
    use edgekeep::cache::config::setting_words::{Dialect::Fastly, Dialect::Varnish};
    let some = rules(json!({
        "defaults": { "purge_dialects": ["varnish"] },
        "rules": [
            { "path": "/own", "purge_dialects": ["fastly"] },
            { "path": "/none", "purge_dialects": [] },
            { "path": "/same" },
        ],
    }));
    let of = |path: &str| {
        rule_for(&some, &format!("http://a.test{path}"))
            .purge_dialects
            .clone()
    };
    assert_eq!(of("/"), [Varnish]);
    assert_eq!(of("/same"), [Varnish]);
    assert_eq!(of("/own"), [Fastly]);
    assert_eq!(of("/none"), []);
    assert_eq!(
        rule_for(&rules(json!({})), "http://a.test/").purge_dialects,
        []
    );
}

#[test]
fn valid_settings_are_accepted_with_defaults() {
    assert!(rules(json!({})).is_empty());
    assert_eq!(rules(json!({})).max_purge_lag_seconds, 5);
    assert_eq!(rules(json!({})).origin_timeout_seconds, 30);
    let edges = rules(json!({ "max_purge_lag": 60, "origin_timeout": 300 }));
    assert_eq!(
        (edges.max_purge_lag_seconds, edges.origin_timeout_seconds),
        (60, 300)
    );
    let edges = rules(json!({ "max_purge_lag": 1, "origin_timeout": 1 }));
    assert_eq!(
        (edges.max_purge_lag_seconds, edges.origin_timeout_seconds),
        (1, 1)
    );
    assert_eq!(rules(json!({ "rules": vec![json!({}); 500] })).len(), 500);
    let rule = rule_for(&rules(json!({})), "http://a.test/");
    assert!(rule.cache && rule.kv == Kv::Earned && rule.sort_query && rule.drop_tracking);
    assert_eq!((rule.edge_ttl, rule.browser_ttl), (None, None));
    assert_eq!(
        (rule.stale_while_revalidate, rule.stale_if_error),
        (None, None)
    );
    assert!(rule.key_headers.is_empty() && rule.key_cookies.is_empty() && rule.tags.is_empty());
    assert!(!rule.forward_all && rule.forward_headers.is_empty());
    assert!(rule.is_bypass_cookie("PHPSESSID"));
}

#[test]
fn rule_inherits_unset_settings() {
    let rules = rules(json!({
        "defaults": {
            "cache": false, "edge_ttl": 1, "browser_ttl": 2, "stale_while_revalidate": 3,
            "stale_if_error": 4, "query": { "allow": ["a"] }, "drop_tracking": false,
            "sort_query": false, "key_headers": ["X-A"], "key_cookies": ["c"],
            "bypass_cookies": ["b"], "forward_headers": ["F"], "tags": ["t"], "kv": false,
            "error_statuses": [429], "negative_ttl": { "404": 1 }, "ttl_jitter": 5,
            "early_refresh": false, "collapse": "off", "origin_timeout": 7, "retries": 2, "kv_min_ttl": 8,
        },
        "rules": [
            { "path": "/own/*",
              "cache": true, "edge_ttl": 0, "browser_ttl": 20, "stale_while_revalidate": 30,
              "stale_if_error": 0, "query": "all", "drop_tracking": true, "sort_query": true,
              "key_headers": [], "key_cookies": ["d"], "bypass_cookies": [],
              "forward_headers": ["*"], "tags": [], "kv": "earned",
              "error_statuses": [], "negative_ttl": {}, "ttl_jitter": 0, "early_refresh": true,
              "collapse": "isolate", "origin_timeout": 9, "retries": 0, "kv_min_ttl": 0 },
            { "path": "/half/*", "edge_ttl": 10 },
        ],
    }));
    let settings_text = |url: &str| {
        let r = rule_for(&rules, url);
        format!(
            "{} {:?} {:?} {:?} {:?} {:?} {} {} {:?} {:?} {} {:?} {} {:?} {:?} {:?} {:?} {} {} {:?} {} {} {}",
            r.cache,
            r.edge_ttl,
            r.browser_ttl,
            r.stale_while_revalidate,
            r.stale_if_error,
            r.query,
            r.drop_tracking,
            r.sort_query,
            r.key_headers,
            r.key_cookies,
            r.bypass_cookies.len(),
            r.forward_headers,
            r.forward_all,
            r.tags,
            r.kv,
            r.error_statuses,
            r.negative_ttl,
            r.ttl_jitter_percent,
            r.early_refresh,
            r.collapse,
            r.origin_timeout_seconds,
            r.retries,
            r.kv_min_ttl,
        )
    };
    assert_eq!(
        settings_text("http://a.test/"),
        "false Some(1) Some(2) Some(3) Some(4) Allow([\"a\"]) false false [\"x-a\"] [\"c\"] 1 [\"f\"] false [\"t\"] Never [429] [(404, 1)] 5 false Off 7 2 8"
    );
    assert_eq!(
        settings_text("http://a.test/own/a"),
        "true Some(0) Some(20) Some(30) Some(0) All true true [] [\"d\"] 0 [\"*\"] true [] Earned [] [] 0 true Isolate 9 0 0"
    );
    assert_eq!(
        settings_text("http://a.test/half/a"),
        settings_text("http://a.test/").replace("Some(1)", "Some(10)")
    );
}

#[test]
fn first_matching_rule_applies() {
    let rules = rules(json!({ "rules": [
        { "host": "A.test", "path": "/one", "edge_ttl": 1 },
        { "host": "a.test", "path": "/*.css", "edge_ttl": 2 },
        { "host": "*.test", "path": "/deep/*/end", "edge_ttl": 3 },
        { "path": "/caf%C3%A9", "edge_ttl": 4 },
        { "path": "/~me/*", "edge_ttl": 5 },
        { "host": "b.test", "edge_ttl": 6 },
        { "path": "*", "host": "c*", "edge_ttl": 7 },
        { "path": "/one", "edge_ttl": 8 },
    ] }));
    let check = |url: &str, expected: Option<u64>| {
        assert_eq!(rule_for(&rules, url).edge_ttl, expected, "{url}");
    };
    check("http://a.test/one", Some(1));
    check("http://A.TEST:8080/one", Some(1));
    check("http://a.test/one?query", Some(1));
    check("http://a.test/one/", None);
    check("http://a.test/One", None);
    check("http://d.test/one", Some(8));
    check("http://xa.test/one", Some(8));
    check("http://a.test/x/y.css", Some(2));
    check("http://a.test/.css", Some(2));
    check("http://a.test/y.css/z", None);
    check("http://a.test/y?z.css", None);
    check("http://b.test/y.css", Some(6));
    check("http://b.test/deep/a/b/end", Some(3));
    check("http://b.test/deep/end", Some(6));
    check("http://test/deep/a/end", None);
    check("http://cd.ef/", Some(7));
    // Paths match in their canonical form, so that no spelling evades a rule.
    check("http://a.test/%6Fne", Some(1));
    check("http://a.test/x/../one", Some(1));
    check("http://a.test/./%2e/one", Some(1));
    check("http://a.test/one/..", None);
    check("http://z.test/café", Some(4));
    check("http://z.test/caf%c3%a9", Some(4));
    check("http://z.test/%7Eme/a", Some(5));
    check("http://z.test//one", None);
}

#[test]
fn rule_path_is_normalized() {
    let rules = rules(json!({ "rules": [
        { "path": "/%7Eme/*", "edge_ttl": 1 },
        { "path": "/café/*", "edge_ttl": 2 },
        { "path": "/caf%c3%a8/*", "edge_ttl": 3 },
        { "path": "/a b", "edge_ttl": 4 },
    ] }));
    let check = |url: &str, expected: u64| {
        assert_eq!(rule_for(&rules, url).edge_ttl, Some(expected), "{url}");
    };
    check("http://a.test/~me/a", 1);
    check("http://a.test/café/a", 2);
    check("http://a.test/caf%C3%A8/a", 3);
    check("http://a.test/a%20b", 4);
}

#[test]
fn glob_star_matches_any_text() {
    #[track_caller]
    fn check(pattern: &str, fits: &[&str], others: &[&str]) {
        let glob = Glob::new(pattern);
        for text in fits {
            assert!(glob.matches(text), "{pattern} {text}");
        }
        for text in others {
            assert!(!glob.matches(text), "{pattern} {text}");
        }
    }
    check("", &[""], &["a"]);
    check("a", &["a"], &["", "A", "aa", "b"]);
    check("*", &["", "a", "/a/b", "*"], &[]);
    check("**", &["", "a", "ab"], &[]);
    check("a*", &["a", "ab", "a*"], &["", "ba"]);
    check("*a", &["a", "ba", "aaa"], &["", "ab"]);
    check("a*b", &["ab", "axb", "abab", "a/b"], &["a", "b", "aba"]);
    check("*a*", &["a", "bab"], &["", "b"]);
    check("a*b*c", &["abc", "aXbXc", "abcbc"], &["acb", "abcx"]);
    check("*ab", &["ab", "aab", "abab"], &["aba"]);
    check("*.test", &["a.test", ".test"], &["test", "a.test.b"]);
    // Every character except the star matches only itself.
    check("a?", &["a?"], &["ab", "a"]);
    check("[ab].", &["[ab]."], &["a."]);
    check("é*", &["é", "éa"], &["e"]);
    // Would take exponential time if each star retried all positions.
    check(&"a*".repeat(50), &[], &[&format!("{}b", "a".repeat(40))]);
}

#[test]
fn host_selects_its_origin_or_the_fallback() {
    let rules = rules(json!({
        "origin": "http://fallback.test",
        "origins": { "A.test": "https://one.test:8443", "b.test:8080": "http://two.test:80" },
    }));
    let check = |host: &str, expected: &str| {
        let origin = rules.origin_of(host).expect("an origin");
        assert_eq!(
            format!("{}://{}", origin.scheme, origin.host),
            expected,
            "{host}"
        );
    };
    check("a.test", "https://one.test:8443");
    check("a.test:81", "https://one.test:8443");
    check("b.test:8080", "http://two.test");
    check("b.test", "http://fallback.test");
    check("c.a.test", "http://fallback.test");
    assert_eq!(self::rules(json!({})).origin_of("a.test"), None);
}

#[test]
fn host_with_port_takes_precedence_over_host() {
    let rules = rules(json!({ "origins": {
        "a.test": "http://one.test", "a.test:8080": "http://two.test",
    } }));
    let host = |host: &str| rules.origin_of(host).map(|origin| origin.host.as_str());
    assert_eq!(host("a.test:81"), Some("one.test"));
    assert_eq!(host("a.test:8080"), Some("two.test"));
}

#[test]
fn invalid_settings_pass_requests_only_if_the_origin_is_certain() {
    #[track_caller]
    fn check(settings: &str, expected: Option<Option<&str>>) {
        assert!(Rules::read_json(settings).is_err(), "{settings} is valid");
        let rules = Rules::passing(settings);
        let origin = rules.as_ref().map(|rules| {
            assert!(rules.misconfigured && !rule_for(rules, "http://a.test/").cache);
            rules.origin_of("a.test").map(|origin| origin.host.as_str())
        });
        assert_eq!(origin, expected, "{settings}");
    }
    // In a routed zone, each request goes to its own host.
    check(r#"{ "max_purge_lag": 0 }"#, Some(None));
    check(r#"{ "rules": [{ "edge_ttl": "long" }] }"#, Some(None));
    check(r#"{ "rules": 5, "defaults": { "kv": 7 } }"#, Some(None));
    check(r#"{ "rules": [{ "orign": "x" }] }"#, Some(None));
    let all = r#"{ "max_purge_lag": 0, "origin": "http://b.test:8000" }"#;
    check(all, Some(Some("b.test:8000")));
    let some = r#"{ "max_purge_lag": 0, "origins": { "a.test": "http://b.test", "c.test": "http://d.test" } }"#;
    check(some, Some(Some("b.test")));
    // The origin is in doubt.
    check(r#"{ "origin": "b.test" }"#, None);
    check(
        r#"{ "origin": "http://b.test", "origins": { "c.test": "d" } }"#,
        None,
    );
    check(r#"{ "origin": "http://b.test", "orignis": {} }"#, None);
    check(r#"{ "orign": "http://b.test" }"#, None);
    check(r#"{ "origin": 5 }"#, None);
    check(r#"{ "origins": [] }"#, None);
    check(r#"["origin"]"#, None);
    check(r#""origin""#, None);
    check("null", None);
    check("", None);
    check("{", None);
    assert!(!rules(json!({})).misconfigured);
}
