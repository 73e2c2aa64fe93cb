//! Tests which cookies a rule removes from responses (`strip_set_cookie`), so that
//! they can be stored: those that it names, but no cookie of a session.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use testkit::given::{exchange, head};

fn lookup(settings: &Value) -> Lookup {
    let settings = json!({ "defaults": settings });
    let rules = Rules::read_json(&settings.to_string()).expect("good settings");
    let request = RequestHead {
        method: Method::named("GET"),
        url: Url::parse("http://www.example.com/a").expect("a URL"),
        fields: Fields::new(),
    };
    match classify(&rules, &request) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{other:?}"),
    }
}

/// The storability of a response with these `Set-Cookie` lines.
#[track_caller]
fn check(settings: Value, control: &str, lines: &[&str], expected: &str) {
    let lookup = lookup(&settings);
    let mut answer = format!("200 | cache-control: {control} | etag: \"1\"");
    for line in lines {
        answer.push_str(" | set-cookie: ");
        answer.push_str(line);
    }
    let found = match decide_response(&exchange(&lookup, None, false), Ok(&head(&answer))) {
        ResponseDecision::Store(entry) if entry.fields.has("set-cookie") => "stored with a cookie",
        ResponseDecision::Store(_) => "stored",
        ResponseDecision::Forward(reason) => reason.word(),
        other => panic!("{answer}: {other:?}"),
    };
    assert_eq!(found, expected, "{answer}");
}

const FRESH: &str = "max-age=60";

#[test]
fn response_is_stored_if_all_its_cookies_are_named() {
    let some = || json!({ "strip_set_cookie": ["lang", "ab_*"] });
    let all = || json!({ "strip_set_cookie": ["*"] });
    for settings in [some(), all()] {
        check(settings.clone(), FRESH, &[], "stored");
        check(settings.clone(), FRESH, &["lang=de"], "stored");
        check(
            settings.clone(),
            FRESH,
            &["lang=de; Path=/; Secure"],
            "stored",
        );
        check(settings.clone(), FRESH, &[" lang =de"], "stored");
        check(
            settings.clone(),
            FRESH,
            &["lang=de", "ab_1=x", "ab_=y"],
            "stored",
        );
        check(settings.clone(), FRESH, &["lang"], "stored");
        check(settings, "private", &["lang=de"], "private");
    }
    check(some(), FRESH, &["Lang=de"], "set-cookie");
    check(some(), FRESH, &["xlang=de"], "set-cookie");
    check(some(), FRESH, &["lang=de", "theme=dark"], "set-cookie");
    check(some(), FRESH, &["a=lang=de"], "set-cookie");
    check(all(), FRESH, &["Lang=de", "theme=dark"], "stored");
    check(all(), FRESH, &["=x"], "stored");
    // Several lines joined to one, as a proxy may do it.
    for line in [
        "lang=de, theme=dark",
        "lang=de,theme=dark",
        "lang=de; Path=/, theme=dark; Path=/",
        "lang=de; Expires=Wed, 09 Jun 2027 10:18:14 GMT, theme=dark",
        "lang=de, ab_1=x,\ttheme =dark",
        "lang, theme=dark",
        "lang=a, b, theme=dark",
        "lang=\"a, theme=dark\"",
    ] {
        check(some(), FRESH, &[line], "set-cookie");
        check(all(), FRESH, &[line], "stored");
    }
    for line in [
        "lang=de; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/",
        "lang=de; Expires=Wed, 09 Jun 2027 10:18:14 GMT, ab_1=x; Path=/",
        "lang=de, ab_1=x",
        "lang=de,en",
        "lang=de,",
    ] {
        check(some(), FRESH, &[line], "stored");
    }
    for settings in [json!({}), json!({ "strip_set_cookie": [] })] {
        check(settings, FRESH, &["lang=de"], "set-cookie");
    }
}

#[test]
fn session_and_csrf_cookies_are_never_stripped() {
    for name in [
        "sessionid",
        "__Host-sessionid",
        "PHPSESSID",
        "my_app_session",
        "wordpress_logged_in_1",
        "next-auth.session-token",
        ".AspNetCore.Identity.Application",
        // Nor a cookie that belongs to the CSRF token of a form.
        "csrftoken",
        "XSRF-TOKEN",
        "_csrf",
        "my-Csrf-cookie",
    ] {
        let line = format!("{name}=x; Path=/");
        for names in [json!(["*"]), json!([name]), json!([format!("{name}*")])] {
            // With any `bypass_cookies` of the rule.
            for sessions in [json!(["@default"]), json!([]), json!(["other"])] {
                let settings = || json!({ "strip_set_cookie": names, "bypass_cookies": sessions });
                check(settings(), FRESH, &[&line], "set-cookie");
                check(settings(), FRESH, &["a=1", &line], "set-cookie");
                check(settings(), FRESH, &[&line, "a=1"], "set-cookie");
                for folded in [
                    format!("a=1, {line}"),
                    format!("a=1; Path=/,{line}"),
                    format!("a=1; Expires=Wed, 09 Jun 2027 10:18:14 GMT, {line}"),
                    format!("{line}, a=1"),
                    format!("a, {name} =x"),
                ] {
                    check(settings(), FRESH, &[&folded], "set-cookie");
                }
            }
        }
    }
    let own = json!({ "strip_set_cookie": ["*"], "bypass_cookies": ["mine*"] });
    check(own, FRESH, &["mine_1=x"], "set-cookie");
    let token = || json!({ "strip_set_cookie": ["*"], "csrf_cookies": ["tok"] });
    check(token(), FRESH, &["tok=x"], "csrf-token");
    check(token(), FRESH, &["a=1, tok=x; Path=/"], "csrf-token");
    check(token(), FRESH, &["other=x"], "stored");
}

#[test]
fn no_cache_that_names_set_cookie_allows_storing() {
    let all = || json!({ "strip_set_cookie": ["*"] });
    let control = "max-age=60, no-cache=\"set-cookie\"";
    check(all(), control, &["a=1"], "stored");
    check(all(), control, &["sessionid=1"], "stored");
    check(json!({}), control, &["a=1"], "stored");
}

#[test]
fn entry_is_kept_after_304_if_its_cookies_can_be_stripped() {
    let all = lookup(&json!({ "strip_set_cookie": ["*"] }));
    let page = head("200 | cache-control: max-age=60 | etag: \"1\" | set-cookie: a=1");
    let entry = match decide_response(&exchange(&all, None, false), Ok(&page)) {
        ResponseDecision::Store(entry) => *entry,
        other => panic!("{other:?}"),
    };
    for (cookie, kept) in [
        ("a=2", true),
        ("sessionid=2", false),
        ("csrftoken=2", false),
    ] {
        let confirmed = head(&format!("304 | etag: \"1\" | set-cookie: {cookie}"));
        match decide_response(&exchange(&all, Some(&entry), false), Ok(&confirmed)) {
            ResponseDecision::Freshen { entry, may_store } => {
                assert_eq!(may_store, kept, "{cookie}");
                assert_eq!(entry.fields.has("set-cookie"), !kept, "{cookie}");
            }
            other => panic!("{cookie}: {other:?}"),
        }
    }
}
