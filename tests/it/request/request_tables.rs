//! Tests the classification of requests: which use the cache, and which pass and
//! why.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::request::classify::{Plan, classify};
use serde_json::{Value, json};
use testkit::requests::head;
use testkit::settings::rules;

fn plan(rules: &Rules, request: &str) -> String {
    match classify(rules, &head(request)) {
        Plan::Admin => "admin".to_owned(),
        Plan::Purge(call) => call.dialect.word().to_owned(),
        Plan::Bypass(reason, _, _) => reason.word().to_owned(),
        Plan::Lookup(lookup) if lookup.head_only => "lookup head".to_owned(),
        Plan::Lookup(_) => "lookup".to_owned(),
    }
}

#[test]
fn requests_are_classified() {
    let plain = rules(json!({}));
    #[track_caller]
    fn check(rules: &Rules, request: &str, expected: &str) {
        assert_eq!(plan(rules, request), expected, "{request}");
    }
    check(&plain, "GET", "lookup");
    check(&plain, "HEAD", "lookup head");
    for method in [
        "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT",
    ] {
        check(&plain, method, "method");
    }
    // Methods are case-sensitive (RFC 9110 §9.1).
    for method in [
        "get", "Get", "head", "PROPFIND", "PURGE", "GETS", "G", "QUERY",
    ] {
        check(&plain, method, "method");
    }
    check(&plain, "GET | Range: bytes=0-1", "lookup");
    check(&plain, "HEAD | Range: bytes=0-1", "lookup head");
    check(&plain, "GET | Range: nonsense", "lookup");
    check(&plain, "GET | If-Match: \"a\"", "precondition");
    check(&plain, "GET | If-Unmodified-Since: x", "precondition");
    check(&plain, "GET | If-None-Match: \"a\"", "lookup");
    check(&plain, "GET | If-Modified-Since: x", "lookup");
    check(&plain, "GET | If-Range: \"a\"", "lookup");
    check(
        &plain,
        "GET | Upgrade: websocket | Connection: upgrade",
        "upgrade",
    );
    check(&plain, "GET | Upgrade: h2c", "upgrade");
    check(&plain, "GET | Content-Length: 1", "request-body");
    check(&plain, "GET | Content-Length: 0", "lookup");
    check(&plain, "GET | Content-Length:  0 ", "lookup");
    check(&plain, "GET | Content-Length: x", "request-body");
    check(&plain, "GET | Transfer-Encoding: chunked", "request-body");
    // Only directives of the origin count: requests cannot empty the cache.
    check(&plain, "GET | Cache-Control: no-cache", "lookup");
    check(&plain, "GET | Cache-Control: no-store", "lookup");
    check(&plain, "GET | Pragma: no-cache", "lookup");
    check(&plain, "GET | Authorization: Basic x", "lookup");
    let long = "a".repeat(8190);
    check(&plain, &format!("GET http://a.test/{long}"), "lookup");
    check(&plain, &format!("GET http://a.test/{long}?a"), "lookup");
    check(&plain, &format!("GET http://a.test/{long}?ab"), "long-url");
    check(&plain, &format!("GET http://a.test/{long}ab"), "long-url");
    check(&plain, &format!("GET http://a.test/?{long}ab"), "long-url");
    check(&plain, "GET http://a.test/.edgekeep/purge", "admin");
    check(&plain, "POST http://b.test:81/.edgekeep/purge", "admin");
    check(&plain, "GET http://a.test/.edgekeep/", "admin");
    check(&plain, "GET http://a.test/%2Eedgekeep/x", "admin");
    check(&plain, "GET http://a.test/a/../.edgekeep/x", "admin");
    check(&plain, "GET http://a.test/.edgekeep", "lookup");
    check(&plain, "GET http://a.test/.Edgekeep/x", "lookup");
    check(&plain, "GET http://a.test/a/.edgekeep/x", "lookup");
    // Purge calls of other caches are ordinary requests, unless a rule accepts
    // them.
    for request in [
        "POST http://a.test/service/x/purge",
        "POST http://a.test/purge/a.test/b",
        "DELETE http://a.test/client/v4/zones/z/purge_cache",
    ] {
        check(&plain, request, "method");
    }
    check(&plain, "GET http://a.test/client/v4/zones", "lookup");
    let dialects = rules(json!({
        "defaults": { "purge_dialects": ["varnish"] },
        "rules": [
            { "path": "/service/*", "purge_dialects": ["fastly"] },
            { "path": "/client/*", "purge_dialects": ["cloudflare"] },
            { "path": "/off/*", "purge_dialects": [] },
            { "host": "b.test", "purge_dialects": ["varnish", "fastly", "cloudflare", "github"] },
        ],
    }));
    check(&dialects, "PURGE http://a.test/x", "varnish");
    check(&dialects, "PURGE http://a.test/off/x", "method");
    check(&dialects, "PURGE http://a.test/%6Fff/x", "method");
    check(&dialects, "purge http://a.test/x", "method");
    check(&dialects, "PURGE http://a.test/service/x", "fastly");
    check(&dialects, "POST http://a.test/service/x/purge", "fastly");
    check(&dialects, "GET http://a.test/service/x/purge", "lookup");
    check(&dialects, "POST http://b.test/service/x/purge", "fastly");
    check(
        &dialects,
        "POST http://a.test/client/v4/zones/z/purge_cache",
        "cloudflare",
    );
    check(
        &dialects,
        "POST http://b.test/client/v4/zones/z/purge_cache",
        "cloudflare",
    );
    check(
        &dialects,
        "GET http://a.test/client/v4/zones/z/purge_cache",
        "lookup",
    );
    check(&dialects, "POST http://a.test/x", "method");
    check(&dialects, "POST http://b.test/.edgekeep/purge", "admin");
    check(&dialects, "PURGE http://b.test/.edgekeep/purge", "admin");
    let some = rules(json!({ "rules": [
        { "path": "/private/*", "cache": false },
        { "path": "/shop/*", "bypass_cookies": ["cart_*"] },
        { "path": "/any/*", "bypass_cookies": [] },
    ] }));
    check(&some, "GET http://a.test/private/a", "rule");
    check(&some, "GET http://a.test/%70rivate/a", "rule");
    check(&some, "GET http://a.test/x/../private/a", "rule");
    check(&some, "GET http://a.test/private", "lookup");
    check(&some, "POST http://a.test/private/a", "method");
    check(
        &some,
        "GET http://a.test/shop/a | Cookie: cart_1=x",
        "cookie",
    );
    check(
        &some,
        "GET http://a.test/shop/a | Cookie: PHPSESSID=x",
        "lookup",
    );
    check(
        &some,
        "GET http://a.test/any/a | Cookie: PHPSESSID=x",
        "lookup",
    );
    check(&some, "GET http://a.test/ | Cookie: cart_1=x", "lookup");
}

#[test]
fn session_cookie_causes_a_pass() {
    let plain = rules(json!({}));
    #[track_caller]
    fn check(rules: &Rules, cookie: &str, expected: &str) {
        assert_eq!(
            plan(rules, &format!("GET | Cookie: {cookie}")),
            expected,
            "{cookie}"
        );
    }
    for name in [
        "sessionid",
        "PHPSESSID",
        "JSESSIONID",
        "ASP.NET_SessionId",
        ".AspNetCore.Identity",
        "connect.sid",
        "laravel_session",
        "_session_id",
        "_shop_session",
        "rack.session",
        "session",
        "next-auth.session-token",
        "__Secure-next-auth.session-token",
        "authjs.session-token",
        "__Secure-authjs.session-token",
        "wordpress_logged_in_1f",
        "wordpress_sec_1f",
        "wp-postpass_1f",
        "comment_author_1f",
        "woocommerce_cart_hash",
        "SESS0123",
        "SSESS0123",
    ] {
        check(&plain, &format!("{name}=x"), "cookie");
        check(&plain, &format!("theme=dark; {name}="), "cookie");
        check(&plain, &format!("theme=dark;{name} = x;"), "cookie");
        // The runtime joins lines by commas.
        check(&plain, &format!("theme=dark, {name}=x"), "cookie");
        check(&plain, &format!("{name}=x, theme=dark"), "cookie");
        check(&plain, &format!("a=b; c=d,e,{name}=; f=g"), "cookie");
        check(&plain, &format!("a, b, {name} = x"), "cookie");
        check(&plain, &format!("theme=\"dark, {name}=\""), "cookie");
    }
    for name in [
        "theme",
        "_ga",
        "sessionid2",
        "phpsessid",
        "mysession",
        "wordpress_test_cookie",
        "lang",
    ] {
        check(&plain, &format!("{name}=sessionid"), "lookup");
        check(&plain, &format!("a=b, {name}=sessionid, c"), "lookup");
    }
    check(&plain, "", "lookup");
    check(&plain, "; ;", "lookup");
    check(&plain, "theme=\"PHPSESSID=1\"", "lookup");
    assert_eq!(
        plan(&plain, "GET | Cookie: a=1 | Cookie: session=1"),
        "cookie"
    );
}

#[test]
fn invalid_settings_disable_the_cache() {
    let rules = Rules::passing(r#"{ "max_purge_lag": 0 }"#).expect("rules");
    #[track_caller]
    fn check(rules: &Rules, request: &str, expected: &str) {
        assert_eq!(plan(rules, request), expected, "{request}");
    }
    check(&rules, "GET", "misconfigured");
    check(&rules, "HEAD", "misconfigured");
    check(&rules, "GET | Cookie: sessionid=1", "misconfigured");
    check(&rules, "POST", "method");
    check(&rules, "POST http://b.test/.edgekeep/purge", "admin");
}

#[test]
fn unreadable_field_sent_to_the_origin_causes_a_pass() {
    // The runtime replaces every byte that is not UTF-8 by U+FFFD.
    #[track_caller]
    fn check(defaults: &Value, request: &str, expected: &str) {
        let rules = rules(json!({ "defaults": defaults }));
        let request = request.replace('?', "\u{fffd}");
        assert_eq!(plan(&rules, &request), expected, "{request}");
    }
    let plain = json!({});
    for name in ["Accept", "Accept-Language", "Origin", "Authorization"] {
        check(&plain, &format!("GET | {name}: a?"), "unreadable");
        check(&plain, &format!("HEAD | {name}: ?"), "unreadable");
    }
    check(&plain, "GET | Accept: a/b | Accept: c/d;e=?", "unreadable");
    // A field that the origin does not receive does not cause a pass.
    check(&plain, "GET | Accept-Encoding: gzip, ?", "lookup");
    check(&plain, "GET | Cookie: theme=? | Referer: /?", "lookup");
    check(&plain, "GET | User-Agent: ? | X-A: ?", "lookup");
    check(
        &plain,
        "GET | If-None-Match: \"?\" | Range: bytes=?",
        "lookup",
    );
    check(
        &plain,
        &format!("GET | Accept: {}?", "a/b, ".repeat(30)),
        "lookup",
    );
    let named = json!({ "key_headers": ["X-A"], "key_cookies": ["c"], "forward_headers": ["X-B"] });
    check(&named, "GET | X-A: ?", "unreadable");
    check(&named, "GET | X-B: ?", "unreadable");
    check(&named, "GET | X-C: ?", "lookup");
    check(&named, "GET | Cookie: c=?", "unreadable");
    check(&named, "GET | Cookie: c=1; d=?", "lookup");
    let all = json!({ "forward_headers": ["*"] });
    check(&all, "GET | X-C: ?", "unreadable");
    check(&all, "GET | User-Agent: ?", "unreadable");
    check(&all, "GET | X-Forwarded-Host: ?", "lookup");
    // Other reasons take precedence.
    check(&plain, "GET | Accept: ? | If-Match: *", "precondition");
    check(&plain, "POST | Accept: ?", "method");
}
