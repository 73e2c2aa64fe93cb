//! Tests the fields that the origin receives, for requests that may use the cache
//! and for those that pass.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::request::classify::{Bypass, Plan, classify};
use edgekeep::cache::request::origin_request::USER_AGENT;
use edgekeep::http::fields::Fields;
use edgekeep::http::forwarding::is_forwarding_field;
use serde_json::{Value, json};
use testkit::requests::head;
use testkit::settings::rules;

fn lines(fields: &Fields) -> String {
    let mut lines: Vec<String> = fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
    lines.sort();
    lines.join(" | ")
}

/// The fields that the origin receives of a request that may use the cache.
#[track_caller]
fn check_sent(defaults: &Value, request: &str, expected: &str) {
    let rules = rules(json!({ "defaults": defaults }));
    let Plan::Lookup(lookup) = classify(&rules, &head(request)) else {
        panic!("{request}: no lookup");
    };
    let mut fields = lookup.origin().fields.clone();
    // Sent with every such request, and left out of the rows below.
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
fn origin_receives_only_default_keyed_and_forwarded_fields() {
    let plain = json!({});
    check_sent(&plain, "GET", "");
    check_sent(&plain, "HEAD", "");
    check_sent(
        &plain,
        "GET | Accept: Text/HTML , */*",
        "accept: Text/HTML, */*",
    );
    check_sent(
        &plain,
        "GET | Accept: application/json, text/plain, */*",
        "accept: application/json, text/plain, */*",
    );
    check_sent(&plain, "GET | Accept-Language: DE", "accept-language: DE");
    check_sent(
        &plain,
        "GET | Accept-Language: nl, en",
        "accept-language: nl, en",
    );
    check_sent(
        &plain,
        "GET | Accept-Encoding: deflate, gzip",
        "accept-encoding: gzip",
    );
    check_sent(&plain, "GET | Accept: a | Accept: b", "accept: a, b");
    check_sent(
        &plain,
        "GET | Origin: http://b.test",
        "origin: http://b.test",
    );
    check_sent(
        &plain,
        "GET | Authorization: Basic x",
        "authorization: Basic x",
    );
    check_sent(&plain, "GET | Cookie: theme=dark", "");
    check_sent(
        &plain,
        "GET | User-Agent: Mozilla | Referer: http://b.test",
        "",
    );
    check_sent(
        &plain,
        "GET | If-None-Match: \"a\" | If-Modified-Since: x | If-Range: y",
        "",
    );
    check_sent(
        &plain,
        "GET | Cache-Control: no-cache | Pragma: no-cache",
        "",
    );
    check_sent(
        &plain,
        "GET | X-Anything: 1 | DNT: 1 | Host: b.test | Expect: 100-continue",
        "",
    );
    check_sent(
        &plain,
        "GET | Connection: close | TE: trailers | Proxy-Authorization: x",
        "",
    );
    let keyed = json!({ "key_headers": ["X-A", "Accept-Language"], "key_cookies": ["c", "d"] });
    check_sent(&keyed, "GET | X-A: 1 | X-B: 2", "x-a: 1");
    check_sent(&keyed, "GET | X-A: 1 | X-A: 2", "x-a: 1, 2");
    check_sent(&keyed, "GET | X-A: ", "x-a: ");
    check_sent(
        &keyed,
        "GET | Accept-Language: EN,de",
        "accept-language: EN, de",
    );
    check_sent(
        &keyed,
        "GET | Cookie: b=1; d=2; c=3; c=4",
        "cookie: c=3; d=2",
    );
    check_sent(&keyed, "GET | Cookie: b=1", "");
    check_sent(&keyed, "GET | Cookie: c", "");
    check_sent(
        &json!({ "key_headers": ["User-Agent"] }),
        "GET | User-Agent: M",
        "user-agent: M",
    );
    let named = json!({ "forward_headers": ["X-A", "User-Agent", "Cookie", "X-Forwarded-For", "Host", "If-None-Match"] });
    check_sent(&named, "GET | X-A: 1 | X-A: 2 | X-B: 3", "x-a: 1 | x-a: 2");
    check_sent(
        &named,
        "GET | User-Agent: M | Cookie: a=1; b=2",
        "cookie: a=1; b=2 | user-agent: M",
    );
    check_sent(
        &named,
        "GET | X-Forwarded-For: 1 | Host: b | If-None-Match: *",
        "",
    );
    let all = json!({ "forward_headers": ["*"] });
    check_sent(
        &all,
        "GET | X-A: 1 | Cookie: a=1 | DNT: 1",
        "cookie: a=1 | dnt: 1 | via: 1.1 edgekeep | x-a: 1",
    );
    check_sent(
        &all,
        "GET | User-Agent: M | Cache-Control: no-cache",
        "cache-control: no-cache | user-agent: M | via: 1.1 edgekeep",
    );
    check_sent(
        &all,
        "GET | X-Forwarded-Host: b | Forwarded: c | CF-Ray: d | Via: e | X-HTTP-Method: PUT",
        "via: e, 1.1 edgekeep",
    );
    check_sent(
        &all,
        "GET | Connection: x-a | X-A: 1 | TE: b | Host: c | Expect: d",
        "via: 1.1 edgekeep",
    );
    check_sent(
        &all,
        "GET | If-None-Match: * | If-Modified-Since: x",
        "via: 1.1 edgekeep",
    );
}

#[test]
fn no_setting_forwards_connection_fields() {
    // RFC 9110 §7.6.1. A Worker must not send `Expect`
    // (`client_fields::is_ours`).
    let request = "GET | Connection: close, x-a, accept-language, origin | Keep-Alive: 1 | TE: b | Trailer: c \
                   | Proxy-Authorization: d | Proxy-Connection: e | Expect: f | Host: g \
                   | X-A: h | Accept-Language: de | Origin: i";
    let removed = [
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
        for name in removed {
            let settings = json!({ "defaults": { setting: [name] } });
            // Refusing the setting is also correct.
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

/// Fields that state another host, path or client, and the servers, proxies or
/// frameworks that read them.
const FORWARDING_FIELDS: [(&str, &str); 22] = [
    ("Forwarded", "RFC 7239"),
    ("X-Forwarded", "before RFC 7239"),
    ("X-Forwarded-For", "nearly all"),
    ("X-Forwarded-Host", "Django, Rails, Symfony"),
    ("X-Forwarded-Proto", "nearly all"),
    ("X-Forwarded-Port", "load balancers of AWS"),
    ("X-Forwarded-Prefix", "Spring, Traefik"),
    ("X-Forwarded-Server", "Apache's mod_proxy"),
    ("X-Real-IP", "nginx"),
    ("X-Client-IP", "Apache's mod_remoteip"),
    ("X-Cluster-Client-IP", "Rackspace, Zeus"),
    ("True-Client-IP", "Akamai, Cloudflare"),
    ("CF-Connecting-IP", "Cloudflare"),
    ("CF-IPCountry", "Cloudflare"),
    ("CF-Visitor", "Cloudflare"),
    ("X-Host", "reverse proxies in front of PHP"),
    ("X-Original-Host", "Azure Application Gateway"),
    ("X-Original-URL", "IIS, Symfony, Zend"),
    ("X-Rewrite-URL", "ISAPI_Rewrite, Zend"),
    ("X-HTTP-Method", "OData"),
    ("X-HTTP-Method-Override", "Rails, Google's APIs"),
    ("X-Method-Override", "Express's method-override"),
];

#[test]
fn forwarding_fields_reach_neither_origin_nor_key() {
    for (name, reader) in FORWARDING_FIELDS {
        for forwarded in [json!([]), json!(["*"]), json!([name])] {
            let settings = json!({ "defaults": { "forward_headers": forwarded } }).to_string();
            // Refusing the setting is also correct.
            let Ok(rules) = Rules::read_json(&settings) else {
                continue;
            };
            let lookup = |request: &str| match classify(&rules, &head(request)) {
                Plan::Lookup(lookup) => lookup,
                other => panic!("{request}: {other:?}"),
            };
            let (plain, forged) = (lookup("GET"), lookup(&format!("GET | {name}: evil")));
            assert_eq!(
                forged.origin(),
                plain.origin(),
                "{name}, {reader}: {forwarded}"
            );
            assert_eq!(
                forged.key.text, plain.key.text,
                "{name}, {reader}: {forwarded}"
            );
        }
    }
    // Names with the same beginning or end are not forwarding fields.
    for name in ["x-forward", "accept", "x-a", "cf", "vias"] {
        assert!(!is_forwarding_field(name), "{name}");
    }
}

#[test]
fn origin_request_has_the_canonical_url() {
    let with_origin = rules(json!({
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
        &with_origin,
        "GET http://A.test:80/%61?b=1&a&x=1&gclid=2#f",
        "http://a.test/a?a&b=1",
        None,
    );
    check(
        &with_origin,
        "GET http://a.test/a//b%2fc;d",
        "http://a.test/a//b%2Fc;d",
        None,
    );
    check(
        &with_origin,
        "GET http://b.test/a/../b?",
        "https://origin.test:8443/b",
        Some("b.test"),
    );
    check(
        &with_origin,
        "GET https://b.test:81/ | X-Forwarded-Host: evil",
        "https://origin.test:8443/",
        Some("b.test:81"),
    );
}

#[test]
fn bypass_forwards_the_whole_request() {
    let with_origin = rules(json!({ "origins": { "b.test": "http://origin.test" } }));
    #[track_caller]
    fn check(rules: &Rules, request: &str, reason: Bypass, url: &str, fields: &str) {
        let Plan::Bypass(found, origin, _) = classify(rules, &head(request)) else {
            panic!("{request}: no bypass");
        };
        assert_eq!(found, reason, "{request}");
        assert_eq!(origin.url, url, "{request}");
        assert_eq!(lines(&origin.fields), fields, "{request}");
        let method = request.split(' ').next();
        assert_eq!(Some(origin.method.as_str()), method, "{request}");
    }
    check(
        &with_origin,
        "POST http://a.test/%61?b&a&gclid=1& | Cookie: PHPSESSID=1 | X-A: 2 | Accept: Text/*",
        Bypass::Method,
        "http://a.test/%61?b&a&gclid=1&",
        "accept: Text/* | cookie: PHPSESSID=1 | x-a: 2 | x-forwarded-proto: http",
    );
    check(
        &with_origin,
        "GET http://b.test/a/../b | Range: bytes=0-1 | If-Match: * | Host: b.test | Expect: 100-continue",
        Bypass::Precondition,
        "http://origin.test/b",
        "if-match: * | range: bytes=0-1 | x-forwarded-host: b.test | x-forwarded-proto: http",
    );
    check(
        &with_origin,
        "PATCH http://a.test/ | Connection: close, X-A | X-A: 1 | X-B: 2 | TE: x | Proxy-Authorization: y",
        Bypass::Method,
        "http://a.test/",
        "x-b: 2 | x-forwarded-proto: http",
    );
    check(
        &with_origin,
        "GET https://a.test/ | Connection: Upgrade | Upgrade: websocket | Sec-WebSocket-Key: k | X-Forwarded-Proto: gopher",
        Bypass::Upgrade,
        "https://a.test/",
        "sec-websocket-key: k | upgrade: websocket | x-forwarded-proto: https",
    );
    check(
        &with_origin,
        "get http://a.test/",
        Bypass::Method,
        "http://a.test/",
        "x-forwarded-proto: http",
    );
}

/// A list of this many members and bytes.
fn long_list(members: usize, bytes: usize) -> String {
    let mut list = "x, ".repeat(members - 1);
    list.push_str(&"y".repeat(bytes - list.len()));
    list
}

#[test]
fn field_lists_beyond_limits_count_as_absent() {
    let allowed = [long_list(1, 1024), long_list(20, 1024), long_list(20, 100)];
    let too_long = [
        long_list(1, 1025),
        long_list(21, 100),
        long_list(400, 12_000),
        ", ".repeat(600),
    ];
    let named = |name: &str| json!({ "forward_headers": [name] });
    for name in ["accept", "accept-language", "accept-encoding", "origin"] {
        for defaults in [
            json!({}),
            named(name),
            json!({ "forward_headers": ["*"] }),
            json!({ "key_headers": [name] }),
        ] {
            let rules = rules(json!({ "defaults": defaults }));
            let lookup = |value: Option<&str>| {
                let mut request = head("GET");
                if let Some(value) = value {
                    request.fields.add(name, value);
                }
                match classify(&rules, &request) {
                    Plan::Lookup(lookup) => lookup,
                    other => panic!("{other:?}"),
                }
            };
            let none = lookup(None);
            for value in &allowed {
                let seen = lookup(Some(value)).origin().fields.get(name).map(str::len);
                // Unknown codings are left out in any case.
                let coding = name == "accept-encoding";
                assert!(
                    coding || seen > Some(2),
                    "{defaults} {name} {}",
                    value.len()
                );
            }
            for value in &too_long {
                let other = lookup(Some(value));
                assert_eq!(other.origin(), none.origin(), "{defaults} {name}");
                assert_eq!(other.key.text, none.key.text, "{defaults} {name}");
                let choice = [name.to_owned()];
                assert_eq!(other.choices(&choice), none.choices(&choice), "{name}");
            }
        }
    }
    // Gzip at the end of a list that is longer than any list in practice.
    let codings = format!("{}, gzip", long_list(20, 100));
    check_sent(&json!({}), &format!("GET | Accept-Encoding: {codings}"), "");
    let codings = format!("{}, gzip", long_list(19, 100));
    let request = format!("GET | Accept-Encoding: {codings}");
    check_sent(&json!({}), &request, "accept-encoding: gzip");
    // Several lines count as one list.
    let lines = "GET | Accept: a | Accept: b";
    check_sent(&json!({}), lines, "accept: a, b");
    let lines = format!("GET{}", " | Accept-Language: de".repeat(21));
    check_sent(&json!({}), &lines, "");
    // A pass does not change the list.
    let mut request = head("POST");
    request.fields.add("accept", long_list(21, 5000));
    let Plan::Bypass(_, origin, _) = classify(&rules(json!({})), &request) else {
        panic!("no bypass");
    };
    assert_eq!(origin.fields.get("accept").map(str::len), Some(5000));
}

#[test]
fn cookie_after_comma_is_dropped_or_keyed() {
    // The runtime joins lines by commas, which values may also contain.
    let all = json!({
        "forward_headers": ["cookie"], "drop_cookies": ["csrf*"], "key_cookies": ["lang"],
    });
    let check = |cookies: &str, expected: &str| {
        check_sent(&all, &format!("GET | Cookie: {cookies}"), expected);
    };
    check("a=1, b=2", "cookie: a=1, b=2");
    check("a=1, csrftoken=t", "cookie: a=1");
    check("a=1,2, csrftoken=t, b=3; c=4", "cookie: a=1,2; c=4");
    check("csrftoken=t, b=3", "");
    // The origin receives keyed data in one form, and once.
    for cookies in [
        "lang=de; a=1",
        "a=1; lang=de; lang=fr",
        "a=1, lang=de",
        "a=1,lang = de; lang=fr",
        "a=1; csrftoken=t, lang=de; lang=fr",
    ] {
        check(cookies, "cookie: a=1; lang=de");
    }
    check("lang=de, a=1", "cookie: lang=de, a=1");
    let keyed = json!({ "key_cookies": ["lang"] });
    check_sent(&keyed, "GET | Cookie: a=1, lang=de; b=2", "cookie: lang=de");
    check_sent(
        &keyed,
        "GET | Cookie: a=1 | Cookie: lang=de",
        "cookie: lang=de",
    );
}
