//! Tests the messages for invalid settings, and which JSON forms are refused.

use edgekeep::cache::config::keys::KeyPermissions;
use edgekeep::cache::config::rule::Query;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::matching::key_scope::KeyScope;
use edgekeep::http::url::Url;

#[track_caller]
fn check(settings: &str, expected: &str) {
    let error = Rules::read_json(settings).expect_err(settings);
    assert_eq!(error.to_string(), expected, "{settings}");
}

#[track_caller]
fn check_rule(field: &str, expected: &str) {
    check(
        &format!(r#"{{"rules":[{{}},{{{field}}}]}}"#),
        &format!("rules[1].{expected}"),
    );
}

#[test]
fn errors_name_the_path_and_what_is_expected() {
    check(
        r#"{"max_purge_lag":"5"}"#,
        "max_purge_lag: invalid type: string, expected a whole number from 0",
    );
    check(
        r#"{"max_purge_lag":1.5}"#,
        "max_purge_lag: invalid type: floating point `1.5`, expected a whole number from 0",
    );
    check(
        r#"{"max_purge_lag":-1}"#,
        "max_purge_lag: invalid value: integer `-1`, expected a whole number from 0",
    );
    check(
        r#"{"max_purge_lag":0}"#,
        "max_purge_lag: must be from 1 to 60 seconds, not 0",
    );
    check(
        r#"{"warm":{"url":[]}}"#,
        "warm.url: unknown field `url`, expected one of `urls`, `sitemaps`, `limit`",
    );
    check(
        r#"{"keys":[{"name":"a"}]}"#,
        "keys[0]: missing field `secret`",
    );
    check(
        r#"{"on_ledger_outage":"Serve"}"#,
        r#"on_ledger_outage: must be "serve" or "revalidate""#,
    );
    check(
        r#"{"origins":{"a.test":5}}"#,
        "origins.a.test: invalid type: integer `5`, \
         expected \"http(s)://host[:port]\" or { url = \"…\", backup = \"…\" }",
    );
    check(
        r#"{"origins":{"a.test":{"url":5,"backup":"http://b.test"}}}"#,
        "origins.a.test.url: invalid type: integer `5`, expected a string",
    );
    check(
        r#"{"rules":{}}"#,
        "rules: invalid type: map, expected a list",
    );
    check(
        r#"{"log_hits":1}"#,
        "log_hits: invalid type: integer `1`, expected true or false",
    );
    check(
        r#"{"rules":[}"#,
        "EDGEKEEP: is not JSON: expected value at line 1 column 11",
    );
    check("[]", "EDGEKEEP: invalid type: sequence, expected a table");
    check_rule(
        r#""edge_ttl":"60""#,
        "edge_ttl: invalid type: string, expected a whole number from 0",
    );
    check_rule(
        r#""error_statuses":[70000]"#,
        "error_statuses[0]: invalid value: integer `70000`, \
         expected a whole number from 0 to 65535",
    );
    check_rule(
        r#""query":"none""#,
        r#"query: must be "all", { allow = [names] } or { deny = [names] }"#,
    );
    check_rule(r#""kv":1"#, r#"kv: must be true, false or "earned""#);
    check_rule(
        r#""collapse":true"#,
        r#"collapse: must be "off" or "isolate" or "data-centre""#,
    );
    check_rule(
        r#""purge_dialects":["nginx"]"#,
        r#"purge_dialects[0]: must be "varnish" or "fastly" or "cloudflare" or "github""#,
    );
}

#[test]
fn errors_do_not_show_strings_of_the_settings() {
    // A secret in the wrong place must not reach the log.
    for settings in [
        r#"{"keys":"whsec_c2Vj"}"#,
        r#"{"keys":["whsec_c2Vj"]}"#,
        r#"{"keys":[{"name":"a","secret":"whsec_c2Vj="}]}"#,
        r#"{"keys":[{"name":"a","secret":["whsec_c2Vj"]}]}"#,
        r#"{"keys":[{"name":"a","secret":"A","may":"whsec_c2Vj"}]}"#,
        r#"{"keys":[{"name":"a","secret":"A","may":{"hosts":"whsec_c2Vj, expected u64"}}]}"#,
        r#"{"keys":[{"name":"a","secret":"A","admin":"whsec_c2Vj\""}]}"#,
        r#"{"origins":"https://user:c2Vj@a.test"}"#,
        r#"{"origin":"https://user:c2Vj@a.test"}"#,
        r#"{"warm":{"urls":"https://user:c2Vj@a.test"}}"#,
        r#"{"max_purge_lag":"whsec_c2Vj, expected \"c2Vj"}"#,
        r#"{"rules":[{"query":"whsec_c2Vj","collapse":"c2Vj"}]}"#,
        r#"{"rules":[{"collapse":"whsec_c2Vj"}]}"#,
    ] {
        let error = Rules::read_json(settings).expect_err(settings).to_string();
        assert!(!error.contains("c2Vj"), "{settings}: {error}");
    }
}

#[test]
fn lists_are_not_read_as_tables() {
    for (settings, path) in [
        ("[5]", "EDGEKEEP"),
        (r#"{"protection":[1]}"#, "protection"),
        (r#"{"warm":[["http://a.test/"]]}"#, "warm"),
        (r#"{"fast_lane":[5,25]}"#, "fast_lane"),
        (r#"{"defaults":["a.test"]}"#, "defaults"),
        (r#"{"rules":[["a.test","/"]]}"#, "rules[0]"),
        (r#"{"keys":[["a","A"]]}"#, "keys[0]"),
        (
            r#"{"keys":[{"name":"a","secret":"A","may":[["*"],["*"],true]}]}"#,
            "keys[0].may",
        ),
        (r#"{"cascades":[["a",["b"]]]}"#, "cascades[0]"),
        (
            r#"{"origins":{"a.test":["http://b.test","http://c.test"]}}"#,
            "origins.a.test",
        ),
        (r#"{"origins":[["a.test","http://b.test"]]}"#, "origins"),
        (
            r#"{"rules":[{"negative_ttl":[["404",1]]}]}"#,
            "rules[0].negative_ttl",
        ),
        (r#"{"rules":[{"query":[["a"]]}]}"#, "rules[0].query"),
        (r#"{"rules":[{"kv":["earned"]}]}"#, "rules[0].kv"),
        (r#"{"rules":[{"collapse":["off"]}]}"#, "rules[0].collapse"),
    ] {
        let error = Rules::read_json(settings).expect_err(settings);
        assert_eq!(error.path, path, "{settings}: {error}");
    }
}

#[test]
fn keywords_are_not_read_from_tables() {
    for (settings, path) in [
        (r#"{"on_ledger_outage":{"serve":null}}"#, "on_ledger_outage"),
        (
            r#"{"rules":[{"collapse":{"off":null}}]}"#,
            "rules[0].collapse",
        ),
        (r#"{"rules":[{"kv":{"earned":null}}]}"#, "rules[0].kv"),
        (r#"{"rules":[{"query":{"all":null}}]}"#, "rules[0].query"),
        (
            r#"{"rules":[{"purge_dialects":[{"varnish":null}]}]}"#,
            "rules[0].purge_dialects[0]",
        ),
    ] {
        let error = Rules::read_json(settings).expect_err(settings);
        assert_eq!(error.path, path, "{settings}: {error}");
    }
}

#[test]
fn duplicate_fields_are_refused() {
    for (settings, field) in [
        (r#"{"max_purge_lag":5,"max_purge_lag":5}"#, "max_purge_lag"),
        (r#"{"rules":[{"kv":true,"kv":true}]}"#, "kv"),
        (
            r#"{"origins":{"a.test":"http://b.test","a.test":"http://b.test"}}"#,
            "a.test",
        ),
        (r#"{"rules":[{"negative_ttl":{"404":1,"404":1}}]}"#, "404"),
        (
            r#"{"keys":[{"name":"a","secret":"A","may":{},"may":{}}]}"#,
            "may",
        ),
    ] {
        let error = Rules::read_json(settings).expect_err(settings);
        let expected = format!("duplicate field `{field}`");
        assert_eq!(error.problem, expected, "{settings}: {error}");
    }
    let twice = r#"{"rules":[{"query":{"allow":["a"],"allow":["a"]}}]}"#;
    assert!(Rules::read_json(twice).is_err());
}

#[test]
fn null_means_unset_where_a_value_is_optional_and_is_refused_elsewhere() {
    let unset = r#"{"max_purge_lag":null,"origin":null,"on_ledger_outage":null,
        "protection":{"max_requests":null},"defaults":{"edge_ttl":null,"query":null,
        "kv":null,"negative_ttl":null,"collapse":null,"tags":null}}"#;
    let rules = Rules::read_json(unset).expect("good settings");
    let rule = rules.rule_for(&Url::parse("http://a.test/").expect("a URL"));
    assert_eq!(rules.max_purge_lag_seconds, 5);
    assert_eq!((rule.edge_ttl, rule.negative_ttl.len()), (None, 2));
    assert!(matches!(rule.query, Query::All));
    for (settings, path) in [
        (r#"{"origins":null}"#, "origins"),
        (r#"{"origins":{"a.test":null}}"#, "origins.a.test"),
        (r#"{"protection":null}"#, "protection"),
        (r#"{"defaults":null}"#, "defaults"),
        (r#"{"rules":null}"#, "rules"),
        (r#"{"rules":[null]}"#, "rules[0]"),
        (r#"{"keys":null}"#, "keys"),
        (r#"{"cascades":null}"#, "cascades"),
        (r#"{"fast_lane":null}"#, "fast_lane"),
        (r#"{"warm":null}"#, "warm"),
        (r#"{"warm":{"urls":null}}"#, "warm.urls"),
        (r#"{"rules":[{"tags":[null]}]}"#, "rules[0].tags[0]"),
        (r#"{"rules":[{"tags":["Edgekeep-a"]}]}"#, "rules[0].tags[0]"),
        (
            r#"{"cascades":[{"tag":"a","carries":["b","edgekeep-a"]}]}"#,
            "cascades[0].carries[1]",
        ),
        (r#"{"rules":[{"query":{"allow":null}}]}"#, "rules[0].query"),
        (
            r#"{"rules":[{"negative_ttl":{"404":null}}]}"#,
            "rules[0].negative_ttl.404",
        ),
    ] {
        let error = Rules::read_json(settings).expect_err(settings);
        assert_eq!(error.path, path, "{settings}: {error}");
    }
    for (may, path) in [
        ("null", "keys[0].may"),
        (r#"{"hosts":null}"#, "keys[0].may.hosts"),
        (r#"{"tags":null}"#, "keys[0].may.tags"),
        (r#"{"everything":null}"#, "keys[0].may.everything"),
    ] {
        let settings = format!(r#"{{"keys":[{{"name":"a","secret":"A","may":{may}}}]}}"#);
        let error = Rules::read_json(&settings).expect_err(&settings);
        assert_eq!(error.path, path, "{settings}: {error}");
    }
}

#[test]
fn key_without_may_permits_anything_and_empty_may_permits_nothing() {
    let permit = |may: &str| {
        let settings = format!(r#"{{"keys":[{{"name":"a","secret":"A"{may}}}]}}"#);
        let rules = Rules::read_json(&settings).expect("good settings");
        rules.keys.last().expect("a key").permit.clone()
    };
    assert!(matches!(permit(""), KeyPermissions::Anything));
    let KeyPermissions::Only { scope, everything } = permit(r#","may":{}"#) else {
        panic!("an empty may permits anything");
    };
    assert!(scope == KeyScope::default() && !everything);
}

#[test]
fn invalid_settings_pass_requests_if_origins_are_readable() {
    #[track_caller]
    fn check(settings: &str, passes: bool) {
        assert!(Rules::read_json(settings).is_err(), "{settings} is valid");
        assert_eq!(Rules::passing(settings).is_some(), passes, "{settings}");
    }
    check(r#"{"max_purge_lag":0,"max_purge_lag":0}"#, true);
    check(r#"{"rules":[[[[]]]],"origin":"http://a.test"}"#, true);
    check(r#"{"origin":null,"rules":5}"#, true);
    check(
        r#"{"origin":"http://a.test","origin":"http://b.test"}"#,
        false,
    );
    let twice = r#"{"origins":{"a.test":"http://b.test","a.test":"http://c.test"}}"#;
    check(twice, false);
    check(r#"{"origins":{},"origins":{}}"#, false);
    check(r#"{"origins":null}"#, false);
    check(r#"{"origins":{"a.test":["http://b.test"]}}"#, false);
    let half = r#"{"origins":{"a.test":{"url":"http://b.test"}}}"#;
    check(half, false);
    check(r#"{"max_purge_lag":0} {}"#, false);
    check(r#"{"max_purge_lag":0,}"#, false);
}
