//! Tests of other caches' purge calls: which requests are calls, and what they
//! purge.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::config::setting_words::Dialect;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::purge::purge_call::{Action, PurgeCall, call};
use edgekeep::http::head::RequestHead;
use edgekeep::http::url::decoded;
use serde_json::json;
use testkit::requests;

/// Parses `METHOD URL[ | Name: value]…`, and the body after ` << `.
#[track_caller]
fn head(request: &str) -> (RequestHead, &[u8]) {
    let (request, body) = request.split_once(" << ").unwrap_or((request, ""));
    (requests::head(request), body.as_bytes())
}

/// The call that a request makes if all of `dialects` are enabled.
#[track_caller]
fn call_of(dialects: &[&str], request: &str) -> (Rules, Option<PurgeCall>) {
    let settings = json!({ "defaults": { "purge_dialects": dialects } });
    let rules = Rules::read_json(&settings.to_string()).expect("good settings");
    let (head, _) = head(request);
    let url = cache_key::canonical_path(&head.url);
    let found = call(&rules.rule_for(&url), &head, &url);
    (rules, found)
}

/// The dialect, and the selectors: hard, then soft after ` / `, or the error
/// after ` ! `.
#[track_caller]
fn describe_call(dialects: &[&str], request: &str) -> String {
    let (rules, Some(call)) = call_of(dialects, request) else {
        return "-".to_owned();
    };
    let (head, body) = head(request);
    let word = call.dialect.word();
    let draft = match call.parse(&rules, &head.fields, body) {
        Ok(draft) => draft,
        Err(problem) => return format!("{word} ! {problem}"),
    };
    if let Some((path, _)) = draft.refused.first() {
        return format!("{word} ! {path}");
    }
    if let Err(problem) = draft.check_size() {
        return format!("{word} ! {problem}");
    }
    let resolved = draft.resolve(&rules.cascades).expect("not too much");
    let soft = match resolved.soft.is_empty() {
        true => String::new(),
        false => format!(" / {}", resolved.soft.join(" ")),
    };
    format!("{word} {}{soft}", resolved.hard.join(" "))
}

const ALL: [&str; 4] = ["varnish", "fastly", "cloudflare", "github"];

#[test]
fn purge_requests() {
    #[track_caller]
    fn check(dialects: &[&str], request: &str, expected: &str) {
        assert_eq!(describe_call(dialects, request), expected, "{request}");
    }
    let varnish = ["varnish"];
    check(&[], "PURGE http://a.test/b", "-");
    check(&["github", "cloudflare"], "PURGE http://a.test/b", "-");
    check(&varnish, "PURGE http://a.test/b", "varnish url:a.test/b");
    check(
        &varnish,
        "PURGE https://a.test/./b?z=1&a=2&gclid=x",
        "varnish url:a.test/b?a=2&z=1",
    );
    check(
        &varnish,
        "PURGE http://a.test:81/",
        "varnish url:a.test:81/",
    );
    check(
        &varnish,
        "PURGE http://a.test/b | Fastly-Soft-Purge: 1",
        "varnish url:a.test/b",
    );
    for method in ["purge", "Purge", "PURGEALL", "ban", "GET", "POST"] {
        check(&varnish, &format!("{method} http://a.test/b"), "-");
    }
    // Fields of Varnish calls: tests/it/purge/varnish_tables.rs.
    check(
        &varnish,
        "PURGE http://a.test/.* | X-Purge-Method: regex",
        "varnish prefix:a.test",
    );
    check(&varnish, "BAN http://a.test/b", "varnish prefix:a.test/b");
    check(&["fastly", "cloudflare"], "BAN http://a.test/b", "-");
    // Both dialects have this method: Fastly's field decides.
    check(&ALL, "PURGE http://a.test/b", "varnish url:a.test/b");
    check(
        &ALL,
        "PURGE http://a.test/b | Fastly-Key: x",
        "fastly url:a.test/b",
    );
    check(
        &ALL,
        "PURGE http://a.test/b | Fastly-Key: x | Fastly-Soft-Purge: 1",
        "fastly  / url:a.test/b",
    );
    check(&["fastly"], "PURGE http://a.test/b", "fastly url:a.test/b");
    check(
        &["fastly"],
        "PURGE http://a.test/b | Fastly-Soft-Purge: 0",
        "fastly  / url:a.test/b",
    );
}

#[test]
fn fastly_calls() {
    #[track_caller]
    fn check(request: &str, expected: &str) {
        let found = describe_call(&["fastly"], &format!("POST http://a.test{request}"));
        assert_eq!(found, expected, "{request}");
        let elsewhere = describe_call(
            &["varnish", "cloudflare", "github"],
            &format!("POST http://a.test{request}"),
        );
        assert_eq!(elsewhere, "-", "{request}");
    }
    check("/service/x/purge | Surrogate-Key: a", "fastly tag:a");
    check(
        "/service/x/purge | Surrogate-Key: a  b\tc",
        "fastly tag:a tag:b tag:c",
    );
    check(
        "/service/x/purge | Surrogate-Key: a | Surrogate-Key: b",
        "fastly tag:a tag:b",
    );
    check(
        "/service/x/purge | Surrogate-Key: a b | Fastly-Soft-Purge: 1",
        "fastly  / tag:a tag:b",
    );
    check(
        "/service/x/purge | Surrogate-Key: é",
        "fastly ! surrogate_keys[0]",
    );
    check(
        "/service/x/purge << {\"surrogate_keys\": [\"a\", \"b\"]}",
        "fastly tag:a tag:b",
    );
    check(
        "/service/x/purge << {\"surrogate_keys\": [\"a\", \"\"]}",
        "fastly ! surrogate_keys[1]",
    );
    check(
        "/service/x/purge | Surrogate-Key: a << {\"surrogate_keys\": [\"b\"]}",
        "fastly tag:a",
    );
    for body in [
        "{}",
        "[]",
        "{\"surrogate_keys\": \"a\"}",
        "{\"surrogate_keys\": [1]}",
        "7",
    ] {
        let found = describe_call(
            &["fastly"],
            &format!("POST http://a.test/service/x/purge << {body}"),
        );
        assert!(found.contains("surrogate_keys"), "{body}: {found}");
    }
    assert!(
        describe_call(&["fastly"], "POST http://a.test/service/x/purge << a b")
            .starts_with("fastly ! ")
    );
    check(
        "/service/x/purge << {\"surrogate_keys\": []}",
        "fastly ! name files, tags, prefixes, hosts or purge_everything",
    );
    let many = vec!["t"; 1001].join(" ");
    check(
        &format!("/service/x/purge | Surrogate-Key: {many}"),
        "fastly ! an order has at most 1000 selectors; split it",
    );
    check("/service/x/purge/a", "fastly tag:a");
    check("/service/x/purge/a%3A7", "fastly tag:a:7");
    check("/service/x/purge/a/b", "fastly tag:a/b");
    check("/service/x/purge/a%20b", "fastly ! surrogate_key");
    check("/service/x/purge/", "fastly ! surrogate_key");
    check("/service/x/purge/%FF", "-");
    check("/service/x/purge_all", "fastly everything");
    check(
        "/service/x/purge_all | Fastly-Soft-Purge: 1",
        "fastly everything",
    );
    check("/purge/b.test/c", "fastly url:b.test/c");
    check(
        "/purge/b.test/c%2Fd?z=1&utm_id=1",
        "fastly url:b.test/c%2Fd?z=1",
    );
    check("/purge/b.test%2Fc%3Fd=1", "fastly url:b.test/c?d=1");
    check("/purge/b.test", "fastly url:b.test/");
    check("/purge/https://b.test/c", "fastly url:b.test/c");
    check("/purge/ftp://b.test/c", "fastly ! url");
    check("/purge/", "fastly ! url");
    check("/purge/*", "fastly ! url");
    for other in [
        "/service/x/purgeall",
        "/service//purge",
        "/service/purge",
        "/service/x/version/1",
        "/services/x/purge",
        "/service/x/purge/../version",
        "/purge",
        "/a/service/x/purge",
    ] {
        check(other, "-");
    }
    for method in ["GET", "PUT", "DELETE", "post"] {
        let request = format!("{method} http://a.test/service/x/purge_all");
        assert_eq!(describe_call(&ALL, &request), "-", "{request}");
    }
}

#[test]
fn cloudflare_calls() {
    #[track_caller]
    fn action(request: &str, expected: Option<Action>) {
        let (_, found) = call_of(&["cloudflare"], request);
        let expected = expected.map(|action| PurgeCall {
            dialect: Dialect::Cloudflare,
            action,
        });
        assert_eq!(found, expected, "{request}");
        assert_eq!(
            call_of(&["varnish", "fastly", "github"], request).1,
            None,
            "{request}"
        );
    }
    const API: &str = "http://a.test/client/v4";
    for request in [
        "POST {}/zones/z/purge_cache",
        "DELETE {}/zones/z/purge_cache",
        "POST {}/zones/z/purge_cache/",
        "POST {}/zones/0123456789abcdef/purge_cache?x=1",
    ] {
        action(&request.replace("{}", API), Some(Action::Order));
    }
    for request in [
        "PUT {}/zones/z/purge_cache",
        "GET {}/zones/z/purge_cache",
        "POST {}/zones/purge_cache",
        "POST {}/zones//purge_cache",
        "POST {}/zones/a/b/purge_cache",
        "POST {}/zones/z/purge_caches",
        "POST {}/zones/z",
        "GET {}/zones/z",
        "POST {}/zones",
        "GET {}/user",
        "POST {}/user/tokens/verify",
        "GET {}",
        "GET {}/",
        "POST http://a.test/client/v3/zones/z/purge_cache",
        "POST http://a.test/x/client/v4/zones/z/purge_cache",
    ] {
        action(&request.replace("{}", API), None);
    }
    let zone = |name: &str| Some(Action::Zone(name.to_owned()));
    action(&format!("GET {API}/zones"), zone("a.test"));
    action(&format!("GET {API}/zones/?per_page=50"), zone("a.test"));
    action(
        &format!("GET {API}/zones?status=active&name=b%2Etest&name=c"),
        zone("b.test"),
    );
    action(&format!("GET {API}/zones?name=%FF"), None);
    action(
        &format!("GET {API}/user/tokens/verify"),
        Some(Action::Verify),
    );
    #[track_caller]
    fn order(body: &str, expected: &str) {
        let request = format!("POST {API}/zones/z/purge_cache << {body}");
        assert_eq!(describe_call(&ALL, &request), expected, "{body}");
    }
    order(
        r#"{"files": ["https://a.test/b"], "tags": ["t"]}"#,
        "cloudflare url:a.test/b tag:t",
    );
    order(
        r#"{"files": [{"url": "https://a.test/b", "headers": {"Origin": "x"}}]}"#,
        "cloudflare url:a.test/b",
    );
    order(r#"{"purge_everything": true}"#, "cloudflare everything");
    order(
        r#"{"hosts": ["a.test"], "soft": true}"#,
        "cloudflare  / host:a.test",
    );
    order(r#"{"files": ["b"]}"#, "cloudflare ! files[0]");
}

#[test]
fn percent_escapes_are_decoded_once() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(decoded(text).as_deref(), expected, "{text}");
    }
    for text in ["", "a", "a/b?c", "é", "%", "%z1", "%2", "a%", "%%"] {
        check(text, Some(text));
    }
    check("%41%2f%2F", Some("A//"));
    check("%2541", Some("%41"));
    check("%%41", Some("%A"));
    check("%C3%A9", Some("é"));
    check("%C3", None);
    check("%FF%FE", None);
    check("%00", Some("\0"));
}
