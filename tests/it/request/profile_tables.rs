//! Tests profiles: which of their settings apply to a URL, how the user's rules
//! override them, and that the data of one user of a Django site are not in a
//! key, do not reach the origin, and are not stored.

use edgekeep::cache::config::rule::{Kv, Query, Rule};
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::policy::storability::{NotStored, ResponseDecision, decide_response};
use edgekeep::cache::profiles::profile::PROFILES;
use edgekeep::cache::request::classify::{Bypass, Lookup, Plan, classify};
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::rc::Rc;
use testkit::given::{exchange, head};

const YEAR: u64 = 31_536_000;
const MONTH: u64 = 2_592_000;
const HOUR: u64 = 3600;

fn rules(settings: &Value) -> Rules {
    Rules::read_json(&settings.to_string()).expect("good settings")
}

fn django() -> Rules {
    rules(&json!({ "profile": "django" }))
}

fn url(path: &str) -> Url {
    Url::parse(&format!("http://www.example.com{path}")).expect(path)
}

fn rule_for(rules: &Rules, path: &str) -> Rc<Rule> {
    rules.rule_for(&cache_key::canonical_path(&url(path)))
}

#[track_caller]
fn check_error(settings: Value, path: &str, problem: &str) {
    let error = Rules::read_json(&settings.to_string()).expect_err("bad settings");
    assert_eq!(error.path, path, "{settings}: {error}");
    assert!(error.problem.contains(problem), "{settings}: {error}");
}

#[test]
fn unknown_or_misplaced_profile_is_refused() {
    for name in ["", "Django", "djagno", "railz"] {
        check_error(json!({ "profile": name }), "profile", "none, django");
        let settings = json!({ "rules": [{ "path": "/a" }, { "profile": name }] });
        check_error(settings, "rules[1].profile", "none, django");
    }
    check_error(json!({ "profile": true }), "profile", "string");
    let misplaced = json!({ "defaults": { "profile": "django" } });
    check_error(misplaced, "defaults.profile", "at the top");
    let misplaced = json!({ "defaults": { "hashed": true } });
    check_error(misplaced, "defaults.hashed", "use a rule");
}

#[test]
fn each_profile_is_valid_as_settings() {
    for profile in &PROFILES {
        let own = Rules::read_json(profile.json).expect(profile.name);
        let settings = json!({ "profile": profile.name });
        // Under empty settings, the profile's own settings apply.
        let beneath = rules(&settings);
        assert!(beneath.is_empty(), "its rules are not the user's");
        for path in ["/", "/a/b", "/static/a.css", "/api/x", "/search", "/admin/"] {
            let (own, beneath) = (rule_for(&own, path), rule_for(&beneath, path));
            assert_eq!(own.edge_ttl, beneath.edge_ttl, "{path}");
            assert_eq!(own.tags, beneath.tags, "{path}");
            assert_eq!(own.cache, beneath.cache, "{path}");
            assert_eq!(own.key_headers, beneath.key_headers, "{path}");
            assert_eq!(own.drop_cookies, beneath.drop_cookies, "{path}");
        }
    }
}

/// Checks the settings of the Django profile for a path.
#[track_caller]
fn check_rule(path: &str, expected: &str) {
    check_rule_of(&django(), path, expected);
}

#[track_caller]
fn check_rule_of(rules: &Rules, path: &str, expected: &str) {
    let rule = rule_for(rules, path);
    let mut found = Vec::new();
    let mut add = |word: String| found.push(word);
    if !rule.cache {
        add("bypass".into());
    }
    if let Some(seconds) = rule.edge_ttl {
        add(format!("edge={seconds}"));
    }
    if let Some(seconds) = rule.browser_ttl {
        add(format!("browser={seconds}"));
    }
    if rule.immutable {
        add("immutable".into());
    }
    if let Some(seconds) = rule.stale_while_revalidate {
        add(format!("swr={seconds}"));
    }
    if let Query::Allow(names) = &rule.query {
        add(format!("query={}", names.len()));
    }
    if rule.kv == Kv::Never {
        add("no-kv".into());
    }
    if !rule.key_headers.is_empty() {
        add(format!("key={}", rule.key_headers.join("+")));
    }
    if !rule.tags.is_empty() {
        add(format!("tags={}", rule.tags.join("+")));
    }
    assert_eq!(found.join(" "), expected, "{path}");
}

#[test]
fn django_profile_sets_rules_by_path() {
    check_rule("/", "");
    check_rule("/articles/a/", "");
    for path in ["/admin/", "/admin/blog/article/1/change/", "/en/admin/"] {
        check_rule(path, "bypass");
    }
    for path in [
        "/accounts/login/",
        "/accounts/profile/",
        "/login/",
        "/members/login/",
        "/logout/",
        "/%61dmin/",
    ] {
        check_rule(path, "bypass");
    }
    // The safe default; a rule can change it.
    check_rule("/api/accounts/7/", "bypass");
    for path in ["/administration/", "/blogin/", "/loginless/", "/admin.html"] {
        check_rule(path, "");
    }
    for path in ["/search", "/search/", "/search/news/"] {
        check_rule(path, "query=15 no-kv");
    }
    check_rule("/research/", "");
    check_rule("/api/", "key=accept");
    check_rule("/api/articles/7/", "key=accept");
    check_rule("/apiary/", "");
    let hashed = format!("edge={YEAR} browser={YEAR} immutable tags=static");
    let plain = format!("edge={HOUR} swr=86400 tags=static");
    for path in [
        "/static/blog.55e7cbb9ba48.css",
        "/static/admin/css/base.55e7cbb9ba48.css",
        "/static/js/main.1f2E3d4c.js",
        "/static/jquery.min.55e7cbb9ba48.js",
        "/static/a.55e7cbb9ba48.min.js",
        "/static/blog.55e7cbb9ba48.css.map",
    ] {
        check_rule(path, &hashed);
    }
    for path in [
        "/static/blog.css",
        "/static/jquery.min.js",
        "/static/55e7cbb9ba48.css",  // before the first dot: a name
        "/static/blog.55e7cbb9ba48", // after the last: a file's type
        "/static/a.20261126.css",    // a date
        "/static/a.55e7cbb.css",     // too short
        "/static/a.55e7cbb9ba4g.css",
        "/static/a.55e7cbb9ba48.d/b.css",
        "/static/",
    ] {
        check_rule(path, &plain);
    }
    check_rule(
        "/static/a.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0.js",
        &plain,
    );
    let media = format!("edge={MONTH} browser={HOUR} swr=86400 tags=media");
    check_rule("/media/covers/boat.png", &media);
    check_rule("/media/covers/boat.55e7cbb9ba48.png", &media);
}

#[test]
fn profile_none_adds_no_settings() {
    let none = rules(&json!({ "profile": "none" }));
    for path in ["/admin/", "/static/a.css", "/api/", "/search"] {
        check_rule_of(&none, path, "");
        check_rule_of(&rules(&json!({})), path, "");
    }
}

#[test]
fn user_rule_overrides_only_the_settings_it_names() {
    let own = rules(&json!({
        "profile": "django",
        "defaults": { "query": { "allow": ["a"] }, "tags": ["all"], "kv": true },
        "rules": [
            { "path": "/search/", "query": { "allow": ["q"] } },
            { "path": "/api/v2/*", "key_headers": [] },
            { "path": "/accounts/help/", "cache": true },
            { "path": "/static/*", "hashed": true, "browser_ttl": 60 },
            { "path": "/media/*", "edge_ttl": 9, "tags": [] },
            { "host": "shop.example.com", "edge_ttl": 5 },
            { "path": "*", "edge_ttl": 7 },
        ],
    }));
    assert_eq!(own.len(), 7);
    // The profile's rule takes precedence over `kv` of the user's defaults.
    check_rule_of(&own, "/search/", "query=1 no-kv tags=all");
    check_rule_of(&own, "/search/x", "edge=7 query=15 no-kv tags=all");
    check_rule_of(&own, "/api/v2/x", "query=1 tags=all");
    check_rule_of(&own, "/api/v1/x", "edge=7 query=1 key=accept tags=all");
    check_rule_of(&own, "/accounts/help/", "query=1 tags=all");
    check_rule_of(&own, "/accounts/login/", "bypass edge=7 query=1 tags=all");
    let css = "/static/blog.55e7cbb9ba48.css";
    let hashed = format!("edge={YEAR} browser=60 immutable query=1 tags=static");
    check_rule_of(&own, css, &hashed);
    check_rule_of(
        &own,
        "/static/blog.css",
        "edge=7 swr=86400 query=1 tags=static",
    );
    let media = format!("edge=9 browser={HOUR} swr=86400 query=1");
    check_rule_of(&own, "/media/a.png", &media);
    check_rule_of(&own, "/", "edge=7 query=1 tags=all");
    // A rule for a host inherits from the profile's rules.
    let shop = |path: &str| Url::parse(&format!("http://shop.example.com{path}")).expect(path);
    let at = |path: &str| own.rule_for(&shop(path));
    assert!(!at("/admin/").cache);
    assert_eq!(at("/admin/").edge_ttl, Some(5));
    assert_eq!(at("/static/blog.css").tags, ["static"]);
    assert!(at("/").cache);
    assert_eq!(at("/").tags, ["all"]);
}

#[test]
fn rule_can_select_its_own_profile() {
    let some = rules(&json!({
        "rules": [{ "host": "www.example.com", "profile": "django" }, { "path": "/admin/*" }],
    }));
    check_rule_of(&some, "/admin/", "bypass");
    check_rule_of(&some, "/api/", "key=accept");
    let other = |path: &str| Url::parse(&format!("http://b.example.com{path}")).expect(path);
    assert!(some.rule_for(&other("/admin/")).cache);
    assert!(some.rule_for(&other("/api/")).key_headers.is_empty());
    assert!(some.rule_for(&other("/api/")).csrf_cookies.is_empty());
    let without = rules(&json!({
        "profile": "django",
        "rules": [{ "host": "www.example.com", "profile": "none", "edge_ttl": 3 }],
    }));
    check_rule_of(&without, "/admin/", "edge=3");
    check_rule_of(&without, "/static/a.css", "edge=3");
    assert!(!without.rule_for(&other("/admin/")).cache);
}

#[test]
fn rule_source_names_user_rule_and_profile() {
    let rules = rules(&json!({
        "profile": "django",
        "rules": [{ "path": "/api/v2/*" }, { "path": "/plain/*", "profile": "none" }],
    }));
    let source = |path: &str| {
        let source = rule_for(&rules, path).source;
        let profile = source.profile.map(|profile| profile.name);
        (source.own, profile, source.beneath)
    };
    assert_eq!(source("/api/v2/a"), (Some(0), Some("django"), Some(8)));
    assert_eq!(source("/api/v1/a"), (None, Some("django"), Some(8)));
    assert_eq!(source("/plain/a"), (Some(1), Some("none"), None));
    assert_eq!(source("/a"), (None, Some("django"), None));
}

/// The plan for a GET with these lines.
fn plan(rules: &Rules, path: &str, lines: &[(&str, &str)]) -> Plan {
    let request = RequestHead {
        method: Method::named("GET"),
        url: url(path),
        fields: lines.iter().copied().collect(),
    };
    classify(rules, &request)
}

#[track_caller]
fn lookup(rules: &Rules, path: &str, cookies: &str) -> Lookup {
    match plan(rules, path, &[("Cookie", cookies)]) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{path} {cookies}: {other:?}"),
    }
}

/// The cookies of a request that Django receives, and those in the key.
#[track_caller]
fn check_cookies(rules: &Rules, cookies: &str, sent: Option<&str>, keyed: &str) {
    let lookup = lookup(rules, "/a/", cookies);
    assert_eq!(lookup.origin().fields.get("cookie"), sent, "{cookies}");
    let key = lookup
        .key
        .text
        .split_once('\n')
        .map_or("", |(_, rest)| rest);
    assert_eq!(key, keyed, "{cookies}");
}

#[test]
fn session_and_message_cookies_cause_a_pass() {
    for cookies in [
        "sessionid=x",
        "theme=dark; sessionid=x",
        "csrftoken=t;sessionid=",
        "__Host-sessionid=x",
        "__Secure-sessionid=x",
        "messages=m",
    ] {
        let found = plan(&django(), "/a/", &[("Cookie", cookies)]);
        assert!(
            matches!(found, Plan::Bypass(Bypass::Cookie, _, _)),
            "{cookies}"
        );
    }
}

#[test]
fn only_the_language_cookie_is_forwarded_and_keyed() {
    let none = "cookie:django_language";
    let rules = django();
    check_cookies(&rules, "", None, none);
    check_cookies(&rules, "csrftoken=t", None, none);
    check_cookies(&rules, "_ga=GA1.2; _ga_X1=2; _gid=3; _fbp=fb.1", None, none);
    check_cookies(&rules, "theme=dark; csrftoken=t", None, none);
    let german = "django_language=de";
    check_cookies(&rules, german, Some(german), "cookie:django_language=de");
    check_cookies(
        &rules,
        "csrftoken=t; django_language=de; _ga=1",
        Some(german),
        "cookie:django_language=de",
    );
}

#[test]
fn csrf_token_is_dropped_where_all_cookies_are_forwarded() {
    for forward in ["cookie", "*"] {
        let rules = rules(&json!({
            "profile": "django",
            "rules": [{ "forward_headers": [forward] }],
        }));
        let none = "cookie:django_language";
        check_cookies(&rules, "csrftoken=t", None, none);
        check_cookies(&rules, "_ga=1; __utmz=2; csrftoken=t", None, none);
        check_cookies(
            &rules,
            "a=1;csrftoken=t; b=x=y;c; _gid=3",
            Some("a=1; b=x=y; c"),
            none,
        );
        // Unchanged if there is nothing to drop.
        check_cookies(&rules, "a=1;b=2", Some("a=1;b=2"), none);
        check_cookies(&rules, "a=1, b=2", Some("a=1, b=2"), none);
        // A cookie in the key is kept, even one of analytics.
        let keyed = self::rules(&json!({
            "profile": "django",
            "rules": [{ "forward_headers": [forward], "key_cookies": ["_ga"] }],
        }));
        check_cookies(&keyed, "_ga=1; _gid=2", Some("_ga=1"), "cookie:_ga=1");
        // A pass sends all cookies.
        match plan(&rules, "/admin/", &[("Cookie", "csrftoken=t; _ga=1")]) {
            Plan::Bypass(Bypass::Rule, origin, _) => {
                assert_eq!(origin.fields.get("cookie"), Some("csrftoken=t; _ga=1"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn csrf_cookie_in_the_key_is_refused() {
    let names = |list: Value| json!({ "profile": "django", "rules": [{ "key_cookies": list }] });
    for name in ["csrftoken", "__Host-csrftoken"] {
        let settings = names(json!(["a", name]));
        check_error(settings, "rules[0].key_cookies", name);
        let settings = json!({ "profile": "django", "defaults": { "key_cookies": [name] } });
        check_error(settings, "defaults.key_cookies", name);
    }
    // Another CSRF_COOKIE_NAME.
    let own = json!({ "defaults": { "csrf_cookies": ["xsrf_*"], "key_cookies": ["xsrf_a"] } });
    check_error(own, "defaults.key_cookies", "xsrf_a");
    Rules::read_json(&json!({ "defaults": { "key_cookies": ["csrftoken"] } }).to_string())
        .expect("no profile, no CSRF cookie");
}

/// Why a response is not stored; `stored` if it is.
#[track_caller]
fn check_storability(settings: Value, answer: &str, expected: &str) {
    let rules = rules(&settings);
    let lookup = lookup(&rules, "/a/", "csrftoken=t");
    let found = match decide_response(&exchange(&lookup, None, false), Ok(&head(answer))) {
        ResponseDecision::Store(_) => "stored",
        ResponseDecision::Forward(reason) => reason.word(),
        other => panic!("{answer}: {other:?}"),
    };
    assert_eq!(found, expected, "{answer}");
}

#[test]
fn response_that_sets_csrf_token_is_not_stored() {
    let check = |answer: &str, expected: &str| {
        check_storability(json!({ "profile": "django" }), answer, expected);
        // No other setting of a rule changes that.
        let rule = json!({ "edge_ttl": 60, "stale_if_error": 9 });
        let settings = json!({ "profile": "django", "rules": [rule] });
        check_storability(settings, answer, expected);
    };
    let token = "set-cookie: csrftoken=abc; Path=/; SameSite=Lax";
    let fresh = "200 | cache-control: max-age=60";
    check(&format!("{fresh} | {token} | vary: Cookie"), "csrf-token");
    check(
        &format!("{fresh} | set-cookie: a=b | {token}"),
        "csrf-token",
    );
    check(
        &format!("{fresh} | set-cookie: __Host-csrftoken=x"),
        "csrf-token",
    );
    check(&format!("{fresh} | set-cookie: csrftoken"), "csrf-token");
    check(
        &format!("{fresh} | set-cookie: a=csrftoken=b"),
        "set-cookie",
    );
    check(&format!("{fresh} | set-cookie: sessionid=b"), "set-cookie");
    check(
        &format!("200 | cache-control: private, no-store | {token}"),
        "csrf-token",
    );
    // A directive by which only this field must not be stored.
    for control in ["no-cache=\"set-cookie\"", "private=\"Set-Cookie\""] {
        let answer = format!("200 | cache-control: max-age=60, {control} | {token}");
        check(&answer, "csrf-token");
        check_storability(json!({}), &answer, "stored");
        let answer = answer.replace("csrftoken", "other");
        check(&answer, "stored");
    }
    check(
        &format!("{fresh} | cdn-cache-control: max-age=9 | {token}"),
        "csrf-token",
    );
    check(&format!("404 | {token}"), "csrf-token");
    check(&format!("{fresh} | vary: Cookie"), "stored");
    assert!(NotStored::CsrfToken.advice().is_some());
    assert_eq!(NotStored::SetCookie.advice(), None);
}

#[test]
fn entry_is_not_kept_after_304_that_sets_csrf_token() {
    let rules = django();
    let lookup = lookup(&rules, "/a/", "");
    let page = "200 | cache-control: max-age=60 | etag: \"1\"";
    let entry = match decide_response(&exchange(&lookup, None, false), Ok(&head(page))) {
        ResponseDecision::Store(entry) => *entry,
        other => panic!("{other:?}"),
    };
    let confirmed = |fields: &str| {
        let answer = head(&format!("304 | etag: \"1\"{fields}"));
        match decide_response(&exchange(&lookup, Some(&entry), false), Ok(&answer)) {
            ResponseDecision::Freshen { may_store, .. } => may_store,
            other => panic!("{other:?}"),
        }
    };
    assert!(confirmed(""));
    assert!(!confirmed(
        " | set-cookie: csrftoken=x | cache-control: max-age=60, no-cache=\"set-cookie\""
    ));
}

#[test]
fn maximum_number_of_rules_combines_with_a_profile() {
    // Each rule is combined with every rule of the profile: 500 become 5,009.
    let many: Vec<Value> = (0..500)
        .map(|n| json!({ "path": "*", "host": format!("h{n}.test"), "edge_ttl": n }))
        .collect();
    let many = rules(&json!({ "profile": "django", "rules": many }));
    assert_eq!(many.len(), 500);
    for n in [0, 250, 499] {
        let at = |path: &str| {
            let url = Url::parse(&format!("http://h{n}.test{path}")).expect(path);
            let rule = many.rule_for(&url);
            (rule.edge_ttl, rule.cache, rule.tags.clone())
        };
        assert_eq!(at("/"), (Some(n), true, vec![]));
        assert_eq!(at("/admin/"), (Some(n), false, vec![]));
        assert_eq!(at("/media/a"), (Some(n), true, vec!["media".to_owned()]));
    }
    check_rule_of(&many, "/api/", "key=accept");
}
