//! Shows what the origin sees of requests: of those that may be cached, and of
//! those that pass the cache by.

#[path = "given/requests.rs"]
mod given;
#[path = "given/settings.rs"]
mod settings;

use edgekeep::cache::request::{Bypass, Plan, USER_AGENT, classify, is_forwarding_field};
use edgekeep::cache::rules::Rules;
use edgekeep::http::fields::Fields;
use given::head;
use serde_json::{Value, json};
use settings::rules;

fn lines(fields: &Fields) -> String {
    let mut lines: Vec<String> = fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
    lines.sort();
    lines.join(" | ")
}

/// What the origin sees of a request that may be cached.
#[track_caller]
fn check_seen(defaults: &Value, request: &str, expected: &str) {
    let rules = rules(json!({ "defaults": defaults }));
    let Plan::Lookup(lookup) = classify(&rules, &head(request)) else {
        panic!("{request}: no lookup");
    };
    let mut fields = lookup.origin().fields.clone();
    // Seen of every such request, and left out of the rows below.
    assert_eq!(fields.get("x-forwarded-proto"), Some("http"), "{request}");
    fields.remove("x-forwarded-proto");
    if fields.get("user-agent") == Some(USER_AGENT) {
        fields.remove("user-agent");
    }
    if fields.get("accept-encoding") == Some("identity") {
        fields.remove("accept-encoding");
    }
    assert_eq!(lines(&fields), expected, "{request}");
    assert_eq!(lookup.origin().method, "GET", "{request}");
}

#[test]
fn the_origin_sees_what_is_keyed() {
    let plain = json!({});
    check_seen(&plain, "GET", "");
    check_seen(&plain, "HEAD", "");
    check_seen(
        &plain,
        "GET | Accept: Text/HTML , */*",
        "accept: */*, text/html",
    );
    check_seen(&plain, "GET | Accept-Language: DE", "accept-language: de");
    check_seen(
        &plain,
        "GET | Accept-Encoding: deflate, gzip",
        "accept-encoding: gzip",
    );
    check_seen(&plain, "GET | Accept: a | Accept: b", "accept: a, b");
    check_seen(
        &plain,
        "GET | Origin: http://b.test",
        "origin: http://b.test",
    );
    check_seen(
        &plain,
        "GET | Authorization: Basic x",
        "authorization: Basic x",
    );
    check_seen(&plain, "GET | Cookie: theme=dark", "");
    check_seen(
        &plain,
        "GET | User-Agent: Mozilla | Referer: http://b.test",
        "",
    );
    check_seen(
        &plain,
        "GET | If-None-Match: \"a\" | If-Modified-Since: x | If-Range: y",
        "",
    );
    check_seen(
        &plain,
        "GET | Cache-Control: no-cache | Pragma: no-cache",
        "",
    );
    check_seen(
        &plain,
        "GET | X-Anything: 1 | DNT: 1 | Host: b.test | Expect: 100-continue",
        "",
    );
    check_seen(
        &plain,
        "GET | Connection: close | TE: trailers | Proxy-Authorization: x",
        "",
    );
    let keyed = json!({ "key_headers": ["X-A", "Accept-Language"], "key_cookies": ["c", "d"] });
    check_seen(&keyed, "GET | X-A: 1 | X-B: 2", "x-a: 1");
    check_seen(&keyed, "GET | X-A: 1 | X-A: 2", "x-a: 1, 2");
    check_seen(&keyed, "GET | X-A: ", "x-a: ");
    check_seen(
        &keyed,
        "GET | Accept-Language: EN,de",
        "accept-language: de, en",
    );
    check_seen(
        &keyed,
        "GET | Cookie: b=1; d=2; c=3; c=4",
        "cookie: c=3; d=2",
    );
    check_seen(&keyed, "GET | Cookie: b=1", "");
    check_seen(&keyed, "GET | Cookie: c", "");
    check_seen(
        &json!({ "key_headers": ["User-Agent"] }),
        "GET | User-Agent: M",
        "user-agent: M",
    );
    let named = json!({ "forward_headers": ["X-A", "User-Agent", "Cookie", "X-Forwarded-For", "Host", "If-None-Match"] });
    check_seen(&named, "GET | X-A: 1 | X-A: 2 | X-B: 3", "x-a: 1 | x-a: 2");
    check_seen(
        &named,
        "GET | User-Agent: M | Cookie: a=1; b=2",
        "cookie: a=1; b=2 | user-agent: M",
    );
    check_seen(
        &named,
        "GET | X-Forwarded-For: 1 | Host: b | If-None-Match: *",
        "",
    );
    let all = json!({ "forward_headers": ["*"] });
    check_seen(
        &all,
        "GET | X-A: 1 | Cookie: a=1 | DNT: 1",
        "cookie: a=1 | dnt: 1 | via: 1.1 edgekeep | x-a: 1",
    );
    check_seen(
        &all,
        "GET | User-Agent: M | Cache-Control: no-cache",
        "cache-control: no-cache | user-agent: M | via: 1.1 edgekeep",
    );
    check_seen(
        &all,
        "GET | X-Forwarded-Host: b | Forwarded: c | CF-Ray: d | Via: e | X-HTTP-Method: PUT",
        "via: e, 1.1 edgekeep",
    );
    check_seen(
        &all,
        "GET | Connection: x-a | X-A: 1 | TE: b | Host: c | Expect: d",
        "via: 1.1 edgekeep",
    );
    check_seen(
        &all,
        "GET | If-None-Match: * | If-Modified-Since: x",
        "via: 1.1 edgekeep",
    );
}

#[test]
fn no_setting_lets_fields_of_the_connection_through() {
    // RFC 9110 §7.6.1. `Expect` a Worker must not wait for (`request::is_ours`).
    let request = "GET | Connection: close, x-a, accept-language, origin | Keep-Alive: 1 | TE: b | Trailer: c \
                   | Proxy-Authorization: d | Proxy-Connection: e | Expect: f | Host: g \
                   | X-A: h | Accept-Language: de | Origin: i";
    let gone = [
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "proxy-authorization",
        "proxy-connection",
        "expect",
        "host",
        "x-a",
        "accept-language",
        "origin",
    ];
    for setting in ["forward_headers", "key_headers"] {
        for name in gone {
            let settings = json!({ "defaults": { setting: [name] } });
            // To refuse the setting is as good.
            let Ok(rules) = Rules::read_json(&settings.to_string()) else {
                continue;
            };
            let Plan::Lookup(lookup) = classify(&rules, &head(request)) else {
                panic!("no lookup");
            };
            let seen = lookup.origin().fields.get(name);
            assert_eq!(seen, None, "{setting} = [{name:?}]");
        }
    }
}

#[test]
fn fields_that_claim_another_request_are_known() {
    for name in [
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-anything",
        "x-forwarded",
        "forwarded",
        "via",
        "true-client-ip",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-host",
        "x-original-url",
        "x-original-host",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "cf-connecting-ip",
        "cf-ray",
    ] {
        assert!(is_forwarding_field(name), "{name}");
    }
    for name in ["x-forward", "host", "accept", "x-a", "cf", "vias", "origin"] {
        assert!(!is_forwarding_field(name), "{name}");
    }
}

#[test]
fn the_origin_is_asked_for_the_canonical_url() {
    let told = rules(json!({
        "origins": { "b.test": "https://origin.test:8443" },
        "defaults": { "query": { "deny": ["x"] } },
    }));
    #[track_caller]
    fn check(rules: &Rules, request: &str, url: &str, host: Option<&str>) {
        let Plan::Lookup(lookup) = classify(rules, &head(request)) else {
            panic!("{request}: no lookup");
        };
        assert_eq!(lookup.origin().url, url, "{request}");
        let fields = &lookup.origin().fields.clone();
        assert_eq!(fields.get("x-forwarded-host"), host, "{request}");
        assert_eq!(fields.all("x-forwarded-proto").count(), 1, "{request}");
    }
    check(
        &told,
        "GET http://A.test:80/%61?b=1&a&x=1&gclid=2#f",
        "http://a.test/a?a&b=1",
        None,
    );
    check(
        &told,
        "GET http://a.test/a//b%2fc;d",
        "http://a.test/a//b%2Fc;d",
        None,
    );
    check(
        &told,
        "GET http://b.test/a/../b?",
        "https://origin.test:8443/b",
        Some("b.test"),
    );
    check(
        &told,
        "GET https://b.test:81/ | X-Forwarded-Host: evil",
        "https://origin.test:8443/",
        Some("b.test:81"),
    );
}

#[test]
fn a_bypassed_request_goes_through_whole() {
    let told = rules(json!({ "origins": { "b.test": "http://origin.test" } }));
    #[track_caller]
    fn check(rules: &Rules, request: &str, reason: Bypass, url: &str, fields: &str) {
        let Plan::Bypass(found, origin) = classify(rules, &head(request)) else {
            panic!("{request}: no bypass");
        };
        assert_eq!(found, reason, "{request}");
        assert_eq!(origin.url, url, "{request}");
        assert_eq!(lines(&origin.fields), fields, "{request}");
        let method = request.split(' ').next();
        assert_eq!(Some(origin.method.as_str()), method, "{request}");
    }
    check(
        &told,
        "POST http://a.test/%61?b&a&gclid=1& | Cookie: PHPSESSID=1 | X-A: 2 | Accept: Text/*",
        Bypass::Method,
        "http://a.test/%61?b&a&gclid=1&",
        "accept: Text/* | cookie: PHPSESSID=1 | x-a: 2 | x-forwarded-proto: http",
    );
    check(
        &told,
        "GET http://b.test/a/../b | Range: bytes=0-1 | If-Match: * | Host: b.test | Expect: 100-continue",
        Bypass::Precondition,
        "http://origin.test/a/../b",
        "if-match: * | range: bytes=0-1 | x-forwarded-host: b.test | x-forwarded-proto: http",
    );
    check(
        &told,
        "PATCH http://a.test/ | Connection: close, X-A | X-A: 1 | X-B: 2 | TE: x | Proxy-Authorization: y",
        Bypass::Method,
        "http://a.test/",
        "x-b: 2 | x-forwarded-proto: http",
    );
    check(
        &told,
        "GET https://a.test/ | Connection: Upgrade | Upgrade: websocket | Sec-WebSocket-Key: k | X-Forwarded-Proto: gopher",
        Bypass::Upgrade,
        "https://a.test/",
        "sec-websocket-key: k | upgrade: websocket | x-forwarded-proto: https",
    );
    check(
        &told,
        "get http://a.test/",
        Bypass::Method,
        "http://a.test/",
        "x-forwarded-proto: http",
    );
}
