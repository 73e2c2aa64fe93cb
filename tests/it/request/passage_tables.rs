//! Tests that no field and no spelling of a URL makes the origin receive another
//! request than the one to which the rule and the key belong.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::request::classify::{Plan, classify};
use edgekeep::http::fields::Fields;
use serde_json::json;
use testkit::requests::head;
use testkit::settings::rules;

fn lines(fields: &Fields) -> String {
    let mut lines: Vec<String> = fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
    lines.sort();
    lines.join(" | ")
}

/// The key of a request under `forward_headers = ["*", "X-Named"]`.
fn key_text(request: &str) -> String {
    let rules = rules(
        json!({ "defaults": { "forward_headers": ["*", "X-Named"], "key_headers": ["X-K"] } }),
    );
    let Plan::Lookup(lookup) = classify(&rules, &head(request)) else {
        panic!("{request}: no lookup");
    };
    let text = lookup.key.text.clone();
    let origin = lookup.origin().clone();
    // Two requests with one key may differ only in fields of these kinds.
    for (name, _) in origin.fields.iter() {
        let value = origin.fields.joined(name).unwrap_or_default();
        let line = format!("\nfield:{name}={value}");
        let fixed = ["via", "x-forwarded-proto", "user-agent", "accept-encoding"];
        assert!(
            text.contains(&line) || is_unkeyed(name) || fixed.contains(&name),
            "{request}: {name}: {value} is not in {text:?}"
        );
    }
    text
}

/// Fields that may reach the origin without being in the key, by the
/// specification of their purpose: none of them selects another resource.
const UNKEYED: [&str; 15] = [
    "accept",
    "accept-encoding",
    "accept-language", // negotiation: RFC 9110 §12.5
    "authorization",
    "cookie", // identity: RFC 9110 §11.6.2, RFC 6265 §5.4
    "cache-control",
    "pragma", // directives to caches: RFC 9111 §5.2, §5.4
    "referer",
    "user-agent",                // context: RFC 9110 §10.1
    "priority",                  // RFC 9218
    "upgrade-insecure-requests", // CSP: Upgrade Insecure Requests
    "save-data",                 // Save Data API
    "dnt",
    "sec-gpc", // Tracking Preference Expression, Global Privacy Control
    "x-named", // named by the setting
];

/// Fields of Client Hints and of Fetch Metadata.
fn is_unkeyed(name: &str) -> bool {
    UNKEYED.contains(&name) || name.starts_with("sec-ch-") || name.starts_with("sec-fetch-")
}

/// Requests of two browsers for a page share a key.
#[test]
fn default_browser_fields_are_not_in_the_key() {
    let chrome = "GET | Sec-CH-UA: \"Chromium\";v=\"142\" | Sec-CH-UA-Mobile: ?0 | Sec-CH-UA-Platform: \"Linux\" \
        | Upgrade-Insecure-Requests: 1 | User-Agent: Mozilla/5.0 | Accept: text/html,*/*;q=0.8 \
        | Sec-Fetch-Site: none | Sec-Fetch-Mode: navigate | Sec-Fetch-User: ?1 | Sec-Fetch-Dest: document \
        | Accept-Encoding: gzip, deflate, br, zstd | Accept-Language: en-GB,en;q=0.9 | Priority: u=0, i";
    let firefox = "GET | User-Agent: Mozilla/5.0 | Accept: text/html,*/*;q=0.8 | Accept-Language: de | DNT: 1 | Sec-GPC: 1 \
        | Referer: http://a.test/x | Cookie: theme=dark | Cache-Control: no-cache | Pragma: no-cache | Save-Data: on";
    let (chrome, firefox) = (key_text(chrome), key_text(firefox));
    assert_eq!(chrome, firefox);
}

#[test]
fn fields_forwarded_by_star_are_keyed_unless_exempt() {
    let plain = key_text("GET");
    // There is no complete list of the fields that some server reads as
    // another host, path, scheme, method or client.
    for name in [
        "X-HTTP-Host-Override",
        "X-Original-URI",
        "X-Envoy-Original-Path",
        "X-Scheme",
        "Front-End-Https",
        "X-Script-Name",
        "Client-IP",
        "X-Url-Scheme",
        "X-Proxyuser-Ip",
        "X-Backend-Host",
        "Base-Url",
        "X-Wap-Profile",
        "Destination",
        "Surrogate-Capability-2",
        "X-Sendfile-Type",
        "X-Requested-With",
        "Content-Type",
        "Prefer",
        "Sec-Anything",
        "X-Made-Up-Just-Now",
    ] {
        let one = key_text(&format!("GET | {name}: evil"));
        let other = key_text(&format!("GET | {name}: worse"));
        assert!(one != plain && one != other, "{name}");
        let twice = key_text(&format!("GET | {name}: evil | {name}: worse"));
        assert!(![&one, &other, &plain].contains(&&twice), "{name}");
    }
    for name in UNKEYED.into_iter().chain(["sec-ch-ua", "sec-fetch-mode"]) {
        assert_eq!(key_text(&format!("GET | {name}: a")), plain, "{name}");
    }
    // Fields that do not reach the origin are not in the key either.
    for name in [
        "X-Forwarded-Host",
        "CF-Ray",
        "If-None-Match",
        "Host",
        "TE",
        "X-HTTP-Method",
    ] {
        assert_eq!(key_text(&format!("GET | {name}: a")), plain, "{name}");
    }
    // `Via` is forwarded (RFC 9110 §7.6.3), and some servers compress or not
    // depending on it.
    assert_ne!(key_text("GET | Via: 1.1 a"), plain);
    assert_eq!(
        key_text("GET | X-B: 1 | X-A: 2 | X-K: 3"),
        key_text("GET | X-K: 3 | X-A: 2 | X-B: 1"),
    );
    // A field that `Connection` names counts as absent.
    assert_eq!(key_text("GET | Connection: x-a | X-A: 1"), plain);
    assert_ne!(key_text("GET | X-A: 1\tb"), key_text("GET | X-A: 1"));
}

#[test]
fn client_cannot_replace_or_remove_edge_fields() {
    let with_origin = rules(json!({ "origins": { "b.test": "http://origin.test" } }));
    #[track_caller]
    fn check(rules: &Rules, request: &str, expected: &str) {
        let Plan::Bypass(_, origin, _) = classify(rules, &head(request)) else {
            panic!("{request}: no bypass");
        };
        assert_eq!(lines(&origin.fields), expected, "{request}");
    }
    // In a routed zone only the URL determines the host, the port, the prefix,
    // and whatever else a framework may read from fields.
    check(
        &with_origin,
        "POST http://a.test/ | X-Forwarded-Host: evil | X-Forwarded-Port: 1 | X-Forwarded-Prefix: /e | Forwarded: host=evil",
        "x-forwarded-proto: http",
    );
    check(
        &with_origin,
        "POST https://b.test/ | X-Forwarded-Host: evil | X-Forwarded-Ssl: off | X-Forwarded-Made-Up: e",
        "x-forwarded-host: b.test | x-forwarded-proto: https",
    );
    // Cloudflare appends the client's address to the client's own value.
    check(
        &with_origin,
        "POST http://a.test/ | X-Forwarded-For: 6.6.6.6, 192.0.2.1 | CF-Connecting-IP: 192.0.2.1",
        "cf-connecting-ip: 192.0.2.1 | x-forwarded-for: 6.6.6.6, 192.0.2.1 | x-forwarded-proto: http",
    );
    // `Connection` cannot remove a field that the edge has set.
    check(
        &with_origin,
        "DELETE http://a.test/ | Connection: X-Forwarded-For, cf-ipcountry, cf-access-jwt-assertion, true-client-ip, x-real-ip, x-a, x-forwarded-proto \
         | X-Forwarded-For: 1 | CF-IPCountry: DE | Cf-Access-Jwt-Assertion: t | True-Client-IP: 2 | X-Real-IP: 3 | X-A: 4",
        "cf-access-jwt-assertion: t | cf-ipcountry: DE | true-client-ip: 2 | x-forwarded-for: 1 | x-forwarded-proto: http | x-real-ip: 3",
    );
}

#[test]
fn rule_matches_the_path_sent_to_the_origin() {
    let with_rule =
        rules(json!({ "rules": [{ "path": "/members/*", "host": "a.test", "cache": false }] }));
    #[track_caller]
    fn check(rules: &Rules, url: &str, expected: &str) {
        let found = match classify(rules, &head(&format!("GET {url}"))) {
            Plan::Bypass(_, origin, _) => format!("bypass {}", origin.url),
            Plan::Lookup(lookup) => format!("lookup {}", lookup.origin().url),
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{url}");
    }
    // No spelling of the path evades a rule, in either direction.
    check(
        &with_rule,
        "http://a.test./css\\..\\members\\me%20too",
        "bypass http://a.test/members/me%20too",
    );
    check(
        &with_rule,
        "http://A.test/css/%2E%2e\\members/x?a=\\..\\",
        "bypass http://a.test/members/x?a=\\..\\",
    );
    check(
        &with_rule,
        "http://a.test/members\\..\\b.css",
        "lookup http://a.test/b.css",
    );
    check(
        &with_rule,
        "http://a.test:8443/members/.%2e/.edge",
        "lookup http://a.test:8443/.edge",
    );
    check(
        &with_rule,
        "http://a.test:8443/members/x",
        "bypass http://a.test:8443/members/x",
    );
    let plan = classify(
        &with_rule,
        &head("GET http://a.test./x\\..\\.edgekeep\\purge"),
    );
    assert!(matches!(plan, Plan::Admin), "{plan:?}");
}
