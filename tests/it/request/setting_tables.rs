//! Tests which settings are refused, and that errors contain the path.

use edgekeep::cache::config::rules::Rules;
use serde_json::{Value, json};
use testkit::settings::rules;

/// The path and problem of invalid settings.
#[track_caller]
fn settings_error(settings: &str) -> (String, String) {
    let error = Rules::read_json(settings).expect_err(settings);
    (error.path, error.problem)
}

#[track_caller]
fn check_path(settings: Value, path: &str) {
    let (found, problem) = settings_error(&settings.to_string());
    assert_eq!(found, path, "{settings}: {problem}");
    assert!(problem.len() > 5, "{settings}: {problem:?}");
}

#[test]
fn invalid_settings_text_is_refused() {
    for text in ["", "{", "{}}", "nonsense", "{\"rules\":[}", "\u{feff}{}"] {
        assert_eq!(settings_error(text).0, "EDGEKEEP", "{text}");
    }
    for text in ["null", "1", "true", "\"{}\"", "[]", "[5, 30]"] {
        assert_eq!(settings_error(text).0, "EDGEKEEP", "{text}");
    }
    // Deeper than any plausible settings.
    assert_eq!(settings_error(&"[".repeat(10_000)).0, "EDGEKEEP");
}

#[test]
fn error_path_names_invalid_setting() {
    check_path(json!({ "max_purge_lag": 0 }), "max_purge_lag");
    check_path(json!({ "max_purge_lag": 61 }), "max_purge_lag");
    check_path(json!({ "max_purge_lag": -1 }), "max_purge_lag");
    check_path(json!({ "max_purge_lag": 1.5 }), "max_purge_lag");
    check_path(json!({ "max_purge_lag": "5" }), "max_purge_lag");
    check_path(json!({ "origin_timeout": 0 }), "origin_timeout");
    check_path(json!({ "origin_timeout": 301 }), "origin_timeout");
    check_path(json!({ "max_purge_lagg": 5 }), "max_purge_lagg");
    check_path(json!({ "Rules": [] }), "Rules");
    check_path(json!({ "origin": 5 }), "origin");
    for origin in [
        "",
        "a.test",
        "//a.test",
        "ftp://a.test",
        "http://a.test/b",
        "http://a.test/?b",
    ] {
        check_path(json!({ "origin": origin }), "origin");
        check_path(json!({ "origins": { "b.test": origin } }), "origins.b.test");
    }
    check_path(json!({ "origin": "http://u:p@a.test" }), "origin");
    check_path(json!({ "origins": ["http://a.test"] }), "origins");
    check_path(json!({ "origins": { "b.test": 1 } }), "origins.b.test");
    check_path(json!({ "origins": { "": "http://a.test" } }), "origins.");
    check_path(
        json!({ "origins": { "b c": "http://a.test" } }),
        "origins.b c",
    );
    check_path(
        json!({ "origins": { "*.b": "http://a.test" } }),
        "origins.*.b",
    );
    check_path(
        json!({ "origins": { "http://b": "http://a.test" } }),
        "origins.http://b",
    );
    check_path(json!({ "defaults": [] }), "defaults");
    check_path(json!({ "defaults": null }), "defaults");
    check_path(json!({ "defaults": { "host": "a.test" } }), "defaults.host");
    check_path(json!({ "defaults": { "path": "/a" } }), "defaults.path");
    check_path(
        json!({ "defaults": { "edge_tll": 5 } }),
        "defaults.edge_tll",
    );
    check_path(json!({ "rules": {} }), "rules");
    check_path(json!({ "rules": [[]] }), "rules[0]");
    check_path(json!({ "rules": [{}, 5] }), "rules[1]");
    check_path(json!({ "rules": vec![json!({}); 501] }), "rules");
}

#[test]
fn error_path_names_invalid_origin_limit() {
    check_path(json!({ "origin_deadline": 0 }), "origin_deadline");
    check_path(json!({ "origin_deadline": 601 }), "origin_deadline");
    check_path(json!({ "origin_body_timeout": 0 }), "origin_body_timeout");
    check_path(
        json!({ "origin_body_timeout": 3601 }),
        "origin_body_timeout",
    );
    check_path(json!({ "memory_bytes": 64_000_001 }), "memory_bytes");
    check_path(json!({ "memory_bytes": -1 }), "memory_bytes");
    check_path(json!({ "log_hits": "no" }), "log_hits");
    check_path(json!({ "kv_writes_per_day": -1 }), "kv_writes_per_day");
    check_path(json!({ "backup_origin": "a.test" }), "backup_origin");
    let origins = |value: Value| json!({ "origins": { "b.test": value } });
    check_path(origins(json!({ "url": "http://a.test" })), "origins.b.test");
    for (field, at) in [
        ("url", "origins.b.test.url"),
        ("backup", "origins.b.test.backup"),
    ] {
        let mut two = json!({ "url": "http://a.test", "backup": "http://c.test" });
        two[field] = "http://a.test/b".into();
        check_path(origins(two), at);
    }
    check_path(json!({ "protection": [] }), "protection");
    check_path(
        json!({ "protection": { "breaker": 1 } }),
        "protection.breaker",
    );
    for (field, least, most) in [
        ("breaker_failures", 0, 1000),
        ("breaker_pause", 1, 3600),
        ("max_requests", 1, 10_000),
        ("queue_timeout", 0, 60),
        ("retry_budget", 0, 100),
    ] {
        let with = |value: i64| json!({ "protection": { field: value } });
        rules(with(least));
        rules(with(most));
        check_path(with(least - 1), &format!("protection.{field}"));
        check_path(with(most + 1), &format!("protection.{field}"));
    }
    check_path(json!({ "warm": [] }), "warm");
    check_path(json!({ "warm": { "urls": ["/a"] } }), "warm.urls[0]");
    check_path(json!({ "warm": { "sitemaps": ["x"] } }), "warm.sitemaps[0]");
    check_path(json!({ "warm": { "limit": 0 } }), "warm.limit");
    check_path(json!({ "warm": { "limit": 10_001 } }), "warm.limit");
    for (list, most) in [("urls", 1000), ("sitemaps", 20)] {
        let with = |count| json!({ "warm": { list: vec!["http://a.test/"; count] } });
        rules(with(most));
        check_path(with(most + 1), &format!("warm.{list}"));
    }
}

#[test]
fn error_path_names_invalid_key() {
    #[track_caller]
    fn check(key: Value, at: &str) {
        let good = json!({ "name": "good", "secret": "GOOD" });
        check_path(json!({ "keys": [good, key] }), &format!("keys[1].{at}"));
    }
    check_path(json!({ "keys": {} }), "keys");
    check_path(json!({ "keys": [5] }), "keys[0]");
    check_path(json!({ "keys": [["a", "B"]] }), "keys[0]");
    check_path(json!({ "keys": [{ "name": "a" }] }), "keys[0]");
    let many = |count: usize| {
        let key = |n| json!({ "name": format!("k{n}"), "secret": format!("K{n}") });
        json!({ "keys": (0..count).map(key).collect::<Vec<_>>() })
    };
    assert_eq!(rules(many(20)).keys.len(), 21);
    check_path(many(21), "keys");
    for name in [
        "",
        "A",
        "a b",
        "ä",
        "a.b",
        &"a".repeat(65),
        "default",
        "good",
    ] {
        check(json!({ "name": name, "secret": "OTHER" }), "name");
    }
    for secret in [
        "",
        "1A",
        "A B",
        "A-B",
        "Ä",
        &"A".repeat(65),
        "PURGE_SECRETS",
        "GOOD",
    ] {
        check(json!({ "name": "other", "secret": secret }), "secret");
    }
    // A secret in place of its variable's name is not shown.
    let error = settings_error(
        &json!({ "keys": [{ "name": "a", "secret": "whsec_c2VjcmV0LXRleHQ=" }] }).to_string(),
    );
    assert!(
        error.0 == "keys[0].secret" && !error.1.contains("c2Vj"),
        "{error:?}"
    );
    let with = |field: &str, value: Value| json!({ "name": "k", "secret": "K", field: value });
    check(with("may", json!(null)), "may");
    check(with("may", json!([])), "may");
    check(with("may", json!("everything")), "may");
    check(with("may", json!({ "all": true })), "may.all");
    check(with("may", json!({ "everything": 1 })), "may.everything");
    check(with("may", json!({ "hosts": "a.test" })), "may.hosts");
    check(with("may", json!({ "tags": [7] })), "may.tags[0]");
    check(with("may", json!({ "tags": ["a", "b c"] })), "may.tags[1]");
    check(with("may", json!({ "tags": ["a,b"] })), "may.tags[0]");
    for host in ["", "a.test/", "https://a.test", "a.test:81", "a b"] {
        check(
            with("may", json!({ "hosts": ["a.test", host] })),
            "may.hosts[1]",
        );
    }
    check(with("may", json!({ "hosts": vec!["a"; 51] })), "may.hosts");
    check(with("may", json!({ "tags": vec!["a"; 51] })), "may.tags");
    check(with("admin", json!("yes")), "admin");
    check(with("secrets", json!("K")), "secrets");
    rules(
        json!({ "keys": [with("may", json!({ "hosts": ["*", "*.a.test", "A-1.test"], "tags": ["*"] }))] }),
    );
}

#[test]
fn error_path_names_invalid_cascade() {
    #[track_caller]
    fn check(cascade: Value, at: &str) {
        let good = json!({ "tag": "a", "carries": ["b"] });
        check_path(
            json!({ "cascades": [good, cascade] }),
            &format!("cascades[1]{at}"),
        );
    }
    check_path(json!({ "cascades": {} }), "cascades");
    check(json!(["a", ["b"]]), "");
    check(json!({ "tag": "c" }), ".carries");
    check(json!({ "tag": "c", "carries": "d" }), ".carries");
    check(json!({ "tag": "c", "carries": [] }), ".carries");
    check(json!({ "tag": "c", "carries": vec!["d"; 21] }), ".carries");
    check(json!({ "tag": "c", "carries": ["d", ""] }), ".carries[1]");
    check(json!({ "tag": "c", "carries": ["d e"] }), ".carries[0]");
    check(json!({ "tag": "c", "carries": ["d*"] }), ".carries[0]");
    check(json!({ "tag": "c", "carries": [7] }), ".carries[0]");
    check(json!({ "tag": "c d", "carries": ["e"] }), ".tag");
    check(json!({ "tag": "", "carries": ["e"] }), ".tag");
    check(
        json!({ "tag": "c", "carries": ["d"], "soft": true }),
        ".soft",
    );
    let many = |count: usize| {
        let cascade = |n| json!({ "tag": format!("t{n}"), "carries": ["c"] });
        json!({ "cascades": (0..count).map(cascade).collect::<Vec<_>>() })
    };
    rules(many(50));
    check_path(many(51), "cascades");
}

#[test]
fn error_path_names_invalid_rule_field() {
    #[track_caller]
    fn check(field: &str, value: Value, at: &str) {
        check_path(
            json!({ "rules": [{}, { field: value }] }),
            &format!("rules[1].{at}"),
        );
        if !matches!(field, "host" | "path") {
            check_path(
                json!({ "defaults": { field: value } }),
                &format!("defaults.{at}"),
            );
        }
    }
    check("host", json!(5), "host");
    check("path", json!(5), "path");
    check("path", json!(""), "path");
    check("path", json!("a/*"), "path");
    check("path", json!("http://a.test/"), "path");
    check("cache", json!("no"), "cache");
    check("cache", json!(0), "cache");
    for field in [
        "edge_ttl",
        "browser_ttl",
        "stale_while_revalidate",
        "stale_if_error",
    ] {
        check(field, json!(-1), field);
        check(field, json!(1.5), field);
        check(field, json!("60"), field);
        check(field, json!(315_360_001), field);
        check(field, json!(u64::MAX), field);
    }
    for value in [
        json!("none"),
        json!("All"),
        json!(5),
        json!(["a"]),
        json!({}),
    ] {
        check("query", value, "query");
    }
    check("query", json!({ "allow": ["a"], "deny": ["b"] }), "query");
    check("query", json!({ "allow": "a" }), "query");
    check("query", json!({ "allow": [1] }), "query");
    check("query", json!({ "allow": vec!["a"; 201] }), "query");
    check("query", json!({ "deny": vec!["a"; 201] }), "query");
    check("purge_dialects", json!("varnish"), "purge_dialects");
    check(
        "purge_dialects",
        json!(["varnish", "nginx"]),
        "purge_dialects[1]",
    );
    check("purge_dialects", json!(["Varnish"]), "purge_dialects[0]");
    check("drop_tracking", json!(1), "drop_tracking");
    check("sort_query", json!("yes"), "sort_query");
    check("kv", json!(1), "kv");
    check("kv", json!("always"), "kv");
    check("kv_min_ttl", json!(315_360_001), "kv_min_ttl");
    check("error_statuses", json!(500), "error_statuses");
    for status in [0, 200, 404, 428, 430, 499, 600] {
        check("error_statuses", json!([500, status]), "error_statuses[1]");
    }
    check("error_statuses", json!(vec![500; 201]), "error_statuses");
    check("negative_ttl", json!(10), "negative_ttl");
    check("negative_ttl", json!({ "404": -1 }), "negative_ttl.404");
    check(
        "negative_ttl",
        json!({ "404": 315_360_001 }),
        "negative_ttl.404",
    );
    for status in ["", "200", "399", "600", "4xx", "99999"] {
        let at = format!("negative_ttl.{status}");
        check("negative_ttl", json!({ status: 10 }), &at);
    }
    for (field, most) in [("ttl_jitter", 50), ("origin_timeout", 300), ("retries", 5)] {
        check(field, json!(most + 1), field);
        check(field, json!("1"), field);
    }
    check("origin_timeout", json!(0), "origin_timeout");
    check("memory", json!(1), "memory");
    check("early_refresh", json!(1), "early_refresh");
    check("collapse", json!(true), "collapse");
    check("collapse", json!("datacentre"), "collapse");
    for field in [
        "key_headers",
        "key_cookies",
        "bypass_cookies",
        "strip_set_cookie",
        "forward_headers",
    ] {
        check(field, json!("a"), field);
        check(field, json!([1]), &format!("{field}[0]"));
        check(field, json!(["a", ""]), &format!("{field}[1]"));
        check(field, json!(["a b"]), &format!("{field}[0]"));
        check(field, json!(["a:"]), &format!("{field}[0]"));
        check(field, json!(["a=b"]), &format!("{field}[0]"));
        check(field, json!(["a\n"]), &format!("{field}[0]"));
        check(field, json!(["é"]), &format!("{field}[0]"));
        check(field, json!(["a".repeat(257)]), &format!("{field}[0]"));
        check(field, json!(vec!["a"; 201]), field);
    }
    check("tags", json!(["a", "b c"]), "tags[1]");
    check("tags", json!(["a,b"]), "tags[0]");
    check("tags", json!([""]), "tags[0]");
    check("tags", json!(["é"]), "tags[0]");
    check("tags", json!(["a".repeat(1025)]), "tags[0]");
    check("tags", json!(vec!["a"; 201]), "tags");
}

#[test]
fn fields_that_edgekeep_handles_are_refused_in_key_headers() {
    for name in [
        "*",
        "Cookie",
        "host",
        "Connection",
        "Range",
        "If-Range",
        "If-Match",
        "If-None-Match",
        "If-Modified-Since",
        "If-Unmodified-Since",
        "Cache-Control",
        "Pragma",
        "AUTHORIZATION",
        "X-Forwarded-For",
        "x-forwarded-anything",
        "Forwarded",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "CF-Connecting-IP",
        "Via",
    ] {
        check_path(
            json!({ "rules": [{ "key_headers": ["a", name] }] }),
            "rules[0].key_headers",
        );
    }
}

#[test]
fn error_path_of_invalid_default_is_below_defaults() {
    // The error does not name a rule that inherits the setting.
    check_path(
        json!({ "defaults": { "edge_ttl": 400_000_000 }, "rules": [{}] }),
        "defaults.edge_ttl",
    );
    check_path(
        json!({ "defaults": { "tags": [""] }, "rules": [{}] }),
        "defaults.tags[0]",
    );
    check_path(
        json!({ "defaults": { "key_headers": ["host"] }, "rules": [{ "path": "/a" }] }),
        "defaults.key_headers",
    );
}

#[test]
fn origin_for_host_with_invalid_port_is_refused() {
    for host in ["b.test:0", "b.test:99999"] {
        let settings = json!({ "origins": { host: "http://a.test" } });
        check_path(settings, &format!("origins.{host}"));
    }
}
