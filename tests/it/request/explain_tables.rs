//! Tests of the pure part of explanations: where settings come from, what was
//! changed on the way to the key, and the short form for a response field.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::config::setting_sources::DEFAULT_SETTINGS;
use edgekeep::cache::explain::report::{Explanation, FIELD_BYTES_MAX};
use edgekeep::cache::key::cache_key::canonical_path;
use edgekeep::cache::request::classify::{Plan, classify, whole_request};
use edgekeep::cache::request::client_fields::DEBUG_FIELD;
use serde_json::{Value, json};
use testkit::requests::head;
use testkit::settings::rules;

fn explain(settings: Value, request: &str) -> Value {
    let (rules, head) = (rules(settings), head(request));
    let plan = classify(&rules, &head);
    let explanation = Explanation::of_plan(&rules, &head, &plan);
    serde_json::to_value(&explanation).expect("JSON")
}

#[test]
fn listed_defaults_are_the_defaults() {
    let mut defaults: Value = serde_json::from_str(DEFAULT_SETTINGS).expect("JSON");
    let table = defaults.as_object_mut().expect("a table");
    // Unset is kept apart from the default: they yield to the origin.
    for name in ["stale_while_revalidate", "stale_if_error"] {
        table.remove(name).expect("a setting");
    }
    table.retain(|_, value| !value.is_null());
    let listed = rules(json!({ "defaults": defaults }));
    let unset = rules(json!({}));
    assert_eq!(format!("{listed:?}"), format!("{unset:?}"));
}

#[test]
fn settings_come_from_the_first_table_that_sets_them() {
    let settings = json!({
        "profile": "django",
        "origin_timeout": 7,
        "defaults": { "retries": 2, "kv": false, "edge_ttl": 5 },
        "rules": [
            { "path": "/a/*", "edge_ttl": 60 },
            { "path": "/static/*", "kv": true },
        ],
    });
    // URL | rule | setting = value, from
    let rows = [
        ("/a/b | rules[0], /a/*", "edge_ttl = 60, rules[0], /a/*"),
        ("/a/b | rules[0], /a/*", "retries = 2, defaults"),
        ("/a/b | rules[0], /a/*", "kv = false, defaults"),
        (
            "/a/b | rules[0], /a/*",
            "key_cookies = [\"django_language\"], profile django",
        ),
        ("/a/b | rules[0], /a/*", "sort_query = true, default"),
        ("/a/b | rules[0], /a/*", "origin_timeout = 7, default"),
        (
            "/static/x | rules[1], /static/*",
            "kv = true, rules[1], /static/*",
        ),
        (
            "/static/x | rules[1], /static/*",
            "edge_ttl = 3600, profile django, /static/*",
        ),
        (
            "/static/x | rules[1], /static/*",
            "tags = [\"static\"], profile django, /static/*",
        ),
        (
            "/media/x | profile django, /media/*",
            "edge_ttl = 2592000, profile django, /media/*",
        ),
        (
            "/media/x | profile django, /media/*",
            "kv = false, defaults",
        ),
        ("/other | defaults", "edge_ttl = 5, defaults"),
        ("/other | defaults", "stale_if_error = 86400, default"),
        ("/other | defaults", "browser_ttl = null, default"),
    ];
    for (request, expected) in rows {
        let (path, name) = request.split_once(" | ").expect("URL | rule");
        let explained = explain(settings.clone(), &format!("GET http://a.test{path}"));
        assert_eq!(explained["rule"]["name"], name, "{request}");
        let settings = explained["rule"]["settings"].as_array().expect("settings");
        let lines: Vec<String> = settings
            .iter()
            .map(|setting| {
                let (name, from) = (&setting["name"], &setting["from"]);
                let name = name.as_str().unwrap_or_default();
                let from = from.as_str().unwrap_or_default();
                format!("{name} = {}, {from}", setting["value"])
            })
            .collect();
        assert!(
            lines.iter().any(|line| line == expected),
            "{request}: {lines:#?}"
        );
        let mut names: Vec<_> = settings
            .iter()
            .map(|setting| setting["name"].to_string())
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), settings.len(), "a setting is listed twice");
    }
}

/// The changes as `part what from[ -> to][ (by)]`, separated by ` | `.
fn changes(settings: Value, request: &str) -> String {
    let explained = explain(json!({ "defaults": settings }), request);
    let changes = explained["key"]["changes"]
        .as_array()
        .expect("changes")
        .clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = changes.iter().map(|change| {
        let mut line = ["part", "what", "from"]
            .map(|name| text(&change[name]))
            .join(" ");
        if let Some(to) = change["to"].as_str() {
            line += &format!(" -> {to}");
        }
        if let Some(by) = change["by"].as_str() {
            line += &format!(" ({by})");
        }
        line
    });
    lines.collect::<Vec<_>>().join(" | ")
}

#[test]
fn changes_on_the_way_to_the_key_are_listed() {
    let rows = [
        (json!({}), "GET http://a.test/p?a=1", ""),
        (
            json!({}),
            "GET http://a.test/%7Ea/./b",
            "path decoded /%7Ea/b -> /~a/b",
        ),
        (
            json!({}),
            "GET http://a.test/p?utm_source=x&a=%7e",
            "query dropped utm_source=x (drop_tracking) | query decoded a=%7e -> a=~",
        ),
        (
            json!({ "drop_tracking": false }),
            "GET http://a.test/p?utm_source=x",
            "",
        ),
        (
            json!({}),
            "GET http://a.test/p?b=1&a=2",
            "query sorted b=1&a=2 -> a=2&b=1 (sort_query)",
        ),
        (
            json!({ "sort_query": false }),
            "GET http://a.test/p?b=1&a=2",
            "",
        ),
        (
            json!({ "query": { "allow": ["a"] } }),
            "GET http://a.test/p?b=1&a=2&utm_id=3",
            "query dropped b=1 (query) | query dropped utm_id=3 (query)",
        ),
        (
            json!({ "query": { "allow": ["utm_id"] } }),
            "GET http://a.test/p?utm_id=3",
            "",
        ),
        (
            json!({ "query": { "deny": ["b"] } }),
            "GET http://a.test/p?b=1&a=2",
            "query dropped b=1 (query)",
        ),
        (
            json!({}),
            "GET http://a.test/ | Accept-Language: de;q=0.4, en | X-A: 1",
            "field replaced accept-language: de;q=0.4, en -> accept-language: en, de;q=0.9 | field dropped x-a",
        ),
        (
            json!({ "key_headers": ["X-A"] }),
            "GET http://a.test/ | X-A: 1",
            "",
        ),
        (
            json!({ "forward_headers": ["X-A"] }),
            "GET http://a.test/ | X-A: 1",
            "",
        ),
        (
            json!({ "key_cookies": ["b"] }),
            "GET http://a.test/ | Cookie: a=1; b=2",
            "cookie dropped a",
        ),
        (
            json!({}),
            "GET http://a.test/ | User-Agent: curl",
            &format!(
                "field replaced user-agent: curl -> user-agent: Edgekeep/{}",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        (
            json!({}),
            "GET http://a.test/ | If-None-Match: \"1\" | Range: bytes=0-1 | Edgekeep-Debug: token_x",
            "",
        ),
    ];
    for (settings, request, expected) in rows {
        // What Edgekeep adds for every client is no change of the client's.
        assert_eq!(
            changes(settings.clone(), request),
            expected,
            "{settings} {request}"
        );
    }
}

#[test]
fn plans_are_named() {
    let rows = [
        ("GET http://a.test/", "miss", Value::Null),
        ("POST http://a.test/", "pass", json!("method")),
        (
            "GET http://a.test/ | Cookie: sessionid=1",
            "pass",
            json!("cookie"),
        ),
        (
            "GET http://a.test/ | If-Match: \"1\"",
            "pass",
            json!("precondition"),
        ),
        ("GET http://a.test/off", "pass", json!("rule")),
        ("GET http://a.test/.edgekeep/purges", "own", Value::Null),
    ];
    let settings = json!({ "rules": [{ "path": "/off", "cache": false }] });
    for (request, result, reason) in rows {
        let explained = explain(settings.clone(), request);
        assert_eq!(explained["expected"]["result"], result, "{request}");
        assert_eq!(explained["expected"]["reason"], reason, "{request}");
        let is_lookup = result == "miss";
        assert_eq!(explained["key"].is_object(), is_lookup, "{request}");
        assert_eq!(explained["rule"].is_object(), result != "own", "{request}");
    }
}

/// The token of an administrator must leave no trace, however the rule is.
#[test]
fn debug_field_is_in_no_key_and_reaches_no_origin() {
    let with = format!("GET http://a.test/p | {DEBUG_FIELD}: token_secret | X-A: 1");
    for defaults in [
        json!({}),
        json!({ "forward_headers": ["*"] }),
        json!({ "forward_headers": [DEBUG_FIELD, "Edgekeep-Debug", "X-A"] }),
        json!({ "forward_headers": ["*", DEBUG_FIELD], "esi": true }),
        json!({ "cache": false }),
        json!({ "cache": false, "forward_headers": ["*"] }),
    ] {
        let rules = rules(json!({ "defaults": defaults }));
        for request in [
            with.clone(),
            with.replace("GET", "POST"),
            with.replace("GET", "HEAD"),
        ] {
            let sent = head(&request);
            let (key, origin) = match classify(&rules, &sent) {
                Plan::Lookup(lookup) => (lookup.key.text.clone(), lookup.origin().clone()),
                Plan::Bypass(_, origin, _) => (String::new(), origin),
                plan => panic!("{plan:?}"),
            };
            let rule = rules.rule_for(&canonical_path(&sent.url));
            let whole = whole_request(&rules, &rule, &sent);
            for (name, value) in origin.fields.iter().chain(whole.fields.iter()) {
                assert!(
                    name != DEBUG_FIELD && !value.contains("secret"),
                    "{defaults} {name}: {value}"
                );
            }
            assert!(
                !key.contains("secret") && !key.contains(DEBUG_FIELD),
                "{defaults}: {key}"
            );
        }
    }
    let settings = json!({ "defaults": { "key_headers": ["Edgekeep-Debug"] } });
    assert!(Rules::read_json(&settings.to_string()).is_err());
}

#[test]
fn short_form_is_ascii_and_bounded() {
    let long = "x".repeat(6000);
    let many: Vec<String> = (0..150)
        .map(|n| format!("x-quite-a-long-name-of-a-field-{n}"))
        .collect();
    let rows = [
        // URL, settings, whether it is cut
        ("GET http://a.test/p".to_owned(), json!({}), false),
        (
            "GET http://a.test/p | X-Ü: ü😀".replace("X-Ü", "X-A"),
            json!({ "key_headers": ["X-A"] }),
            false,
        ),
        (format!("GET http://a.test/{long}"), json!({}), true),
        (format!("GET http://a.test/?a={long}"), json!({}), true),
        (
            "GET http://a.test/".to_owned(),
            json!({ "forward_headers": many }),
            true,
        ),
        (
            format!("POST http://a.test/{long}"),
            json!({ "cache": false }),
            false,
        ),
    ];
    for (request, defaults, is_cut) in rows {
        let (rules, head) = (rules(json!({ "defaults": defaults })), head(&request));
        let plan = classify(&rules, &head);
        let explanation = Explanation::of_plan(&rules, &head, &plan);
        let short = explanation.short();
        assert!(short.len() <= FIELD_BYTES_MAX, "{} bytes", short.len());
        assert!(
            short.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{short}"
        );
        let read: Value = serde_json::from_str(&short).expect("JSON");
        assert_eq!(read["cut"] == true, is_cut, "{short}");
        if let Some(text) = read["key"]["text"]
            .as_str()
            .filter(|_| request.contains('ü'))
        {
            assert!(text.contains("ü😀"), "{text}");
        }
    }
}
