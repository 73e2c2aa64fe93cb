//! What `explain` says about a request without tiers.

use edgekeep::cli::rules::explanation::{UrlExplanation, explain, written_settings};
use edgekeep::cli::rules::settings_file::SettingsFile;
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use testkit::settings::rules;

fn file() -> SettingsFile {
    let settings = json!({
        "profile": "django",
        "defaults": { "edge_ttl": 60 },
        "rules": [
            { "path": "/search", "query": { "allow": ["q", "page"] }, "key_headers": ["x-tenant"] },
            { "path": "/private/*", "cache": false },
            { "path": "/calls/*", "purge_dialects": ["varnish"], "edge_ttl": 5 },
        ],
    });
    SettingsFile {
        rules: rules(settings.clone()),
        settings,
    }
}

fn explained(url: &str, fields: &[(&str, &str)]) -> UrlExplanation {
    let url = Url::parse(url).expect("a URL");
    explain(&file(), &url, fields.iter().copied().collect::<Fields>())
}

#[test]
fn result_and_reason_are_those_of_the_classification() {
    for (url, fields, result, reason) in [
        ("https://a.test/", &[][..], "lookup", None),
        (
            "https://a.test/",
            &[("cookie", "sessionid=1")],
            "pass",
            Some("cookie"),
        ),
        (
            "https://a.test/",
            &[("if-match", "x")],
            "pass",
            Some("precondition"),
        ),
        (
            "https://a.test/",
            &[("upgrade", "websocket")],
            "pass",
            Some("upgrade"),
        ),
        ("https://a.test/private/x", &[], "pass", Some("rule")),
        ("https://a.test/.edgekeep/purge", &[], "own", None),
    ] {
        let explanation = explained(url, fields);
        let expected = &explanation.expected;
        assert_eq!(
            (expected.result, expected.reason),
            (result, reason),
            "{url}"
        );
        assert_eq!(explanation.key.is_some(), result == "lookup", "{url}");
        assert_eq!(explanation.rule.is_none(), result == "own", "{url}");
    }
}

#[test]
fn key_is_shown_with_what_was_changed() {
    let fields = [
        ("cookie", "a=1; django_language=de"),
        ("x-tenant", "7"),
        ("x-other", "8"),
        ("accept-language", "de,en;q=0.5"),
        ("accept-encoding", "br"),
    ];
    let url = "https://A.test/%73earch?utm_source=1&q=%61&page=2&x=1";
    let explanation = explained(url, &fields);
    let key = explanation.key.as_ref().expect("a key");
    assert_eq!(
        key.text,
        "https://a.test/search?page=2&q=a\nfield:x-tenant=7\ncookie:django_language=de"
    );
    let changes: Vec<_> = key
        .changes
        .iter()
        .map(|c| {
            (
                c.part,
                c.what,
                c.from.as_str(),
                c.to.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            ("path", "decoded", "/%73earch", "/search"),
            ("query", "dropped", "utm_source=1", ""),
            ("query", "decoded", "q=%61", "q=a"),
            ("query", "dropped", "x=1", ""),
            ("query", "sorted", "q=a&page=2", "page=2&q=a"),
            ("field", "dropped", "x-other", ""),
            (
                "field",
                "replaced",
                "accept-language: de,en;q=0.5",
                "accept-language: de, en;q=0.9"
            ),
            ("cookie", "dropped", "a", ""),
        ]
    );
    let purged_by = explanation.purged_by.as_deref();
    assert_eq!(purged_by, Some("url:a.test/search?page=2&q=a"));
    let vary: Vec<_> = explanation
        .vary
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(vary[0], ("accept-encoding", "br"));
    assert!(
        vary.contains(&("accept-language", "de, en;q=0.9")),
        "{vary:?}"
    );
    assert!(!vary.iter().any(|(name, _)| *name == "x-other"), "{vary:?}");
}

#[test]
fn plain_url_has_no_changes() {
    let explanation = explained("https://a.test/x?a=1&b=2", &[]);
    assert_eq!(explanation.key.map(|key| key.changes), Some(Vec::new()));
}

#[test]
fn settings_have_the_table_that_sets_them() {
    let explanation = explained("https://a.test/calls/x", &[]);
    let rule = explanation.rule.expect("a rule");
    assert_eq!(rule.name, "rules[2], /calls/*");
    let of = |name: &str| {
        let setting = rule.settings.iter().find(|setting| setting.name == name);
        setting.map(|setting| (setting.from.as_str(), setting.value.clone()))
    };
    // The rule's own value hides that of the defaults.
    assert_eq!(of("edge_ttl"), Some(("rules[2], /calls/*", json!(5))));
    assert_eq!(
        of("purge_dialects").map(|(from, _)| from),
        Some("rules[2], /calls/*")
    );
    assert_eq!(
        of("key_cookies").map(|(from, _)| from),
        Some("profile django")
    );
    assert_eq!(of("path"), None);
    let elsewhere = explained("https://a.test/x", &[]).rule.expect("a rule");
    assert_eq!(elsewhere.name, "defaults");
    let settings = file();
    let fallback = settings
        .rules
        .rule_for(&Url::parse("https://a.test/x").expect("a URL"));
    let sources = written_settings(&settings.rules, &fallback);
    assert_eq!(sources.settings[0].from, "defaults");
}

#[test]
fn json_has_the_members_that_scripts_read() {
    let explanation = explained("https://a.test/private/x", &[]);
    let value: Value = serde_json::to_value(&explanation).expect("JSON");
    assert_eq!(
        value["expected"],
        json!({ "result": "pass", "reason": "rule" })
    );
    assert_eq!(value["key"], Value::Null);
    assert_eq!(value["rule"]["name"], "rules[1], /private/*");
    assert_eq!(
        value["rule"]["settings"][0],
        json!({ "name": "cache", "value": false, "from": "rules[1], /private/*" })
    );
}
