//! Tests which data of a request count as withheld from the origin: cookies on
//! which a page may depend, and fields that the response's `Vary` names; and
//! which responses are remembered as personal.

use edgekeep::cache::config::rule::Rule;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::policy::remembered::{ExpiringSet, REMEMBERED_MAX};
use edgekeep::cache::policy::storability::NotStored;
use edgekeep::cache::policy::withheld_fields::{
    cookies_of, has_own_cookie, may_need_cookies, vary_of,
};
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::rc::Rc;

fn rule(settings: Value) -> Rc<Rule> {
    let settings = json!({ "defaults": settings });
    let rules = Rules::read_json(&settings.to_string()).expect("good settings");
    let url = Url::parse("http://www.example.com/").expect("a URL");
    rules.rule_for(&cache_key::canonical_path(&url))
}

/// `own`: whether the request must be sent whole.
#[track_caller]
fn check(settings: Value, cookies: &str, withheld: &str, own: bool) {
    let rule = rule(settings);
    let client: Fields = [("cookie", cookies)].into_iter().collect();
    let found: Vec<&str> = cookies_of(&rule, &client).collect();
    assert_eq!(found.join(" "), withheld, "{cookies}");
    assert_eq!(has_own_cookie(&rule, &client), own, "{cookies}");
}

#[test]
fn unforwarded_cookies_count_as_withheld() {
    let plain = || json!({});
    check(plain(), "", "", false);
    check(plain(), "a=1", "a", true);
    check(plain(), "a=1; b=2,c=3", "a b c", true);
    check(plain(), "=1; 2", "", false);
    for every in [
        "_ga=1",
        "_hjSession_1=x; CookieConsent=y",
        "pysTrafficSource=1",
    ] {
        check(plain(), every, "", false);
        check(plain(), &format!("{every}; a=1"), "a", true);
    }
    // A request with a cookie of a CSRF token must be sent whole, even if known
    // software sets it. The cookie is not named if the rule drops it on purpose.
    let django = || json!({ "csrf_cookies": ["csrftoken"] });
    check(django(), "csrftoken=t", "", true);
    check(django(), "csrftoken=t; _ga=1", "", true);
    check(plain(), "csrftoken=t", "csrftoken", true);
    check(plain(), "XSRF-TOKEN=t", "XSRF-TOKEN", true);
    check(plain(), "_csrf=t", "_csrf", true);
    check(plain(), "csrfToken=t", "", true);
    check(plain(), "cSrX=t; sxrf=1", "cSrX sxrf", true);
    // Cookies that the rule names.
    let keyed = || json!({ "key_cookies": ["lang"] });
    check(keyed(), "lang=de", "", false);
    check(keyed(), "lang=de; a=1", "a", true);
    let dropped = || json!({ "drop_cookies": ["a*"] });
    check(dropped(), "abc=1; a=2", "", false);
    check(dropped(), "abc=1; b=2", "b", true);
    for forward in ["cookie", "Cookie", "*"] {
        let forwarded = || json!({ "forward_headers": [forward], "drop_cookies": ["a"] });
        check(forwarded(), "b=1; csrftoken=t", "", false);
        check(forwarded(), "a=1", "", false);
        let token = json!({ "forward_headers": [forward], "csrf_cookies": ["t"] });
        check(token, "b=1; t=1", "", true);
    }
}

#[track_caller]
fn check_vary(settings: Value, vary: &str, expected: &str) {
    let answer: Fields = [("vary", vary)].into_iter().collect();
    assert_eq!(
        vary_of(&rule(settings), &answer).join(" "),
        expected,
        "{vary}"
    );
}

#[test]
fn unforwarded_vary_fields_count_as_withheld() {
    let plain = || json!({});
    check_vary(plain(), "", "");
    check_vary(plain(), "*", "");
    check_vary(
        plain(),
        "Accept, accept-language, Accept-Encoding, Origin",
        "",
    );
    check_vary(plain(), "Cookie, Authorization, Host, X-Forwarded-Host", "");
    // Edgekeep sets it if pages are assembled from fragments.
    check_vary(plain(), "Surrogate-Capability, Cookie", "");
    for name in [
        "RSC",
        "Next-Router-State-Tree",
        "Next-Router-Prefetch",
        "Next-Router-Segment-Prefetch",
        "Next-Url",
        "X-Inertia",
        "HX-Request",
        "HX-Boosted",
        "Turbo-Frame",
        "User-Agent",
        "X-Requested-With",
        "Save-Data",
        "Sec-CH-UA-Mobile",
        "X-Forwarded-For",
        "CF-IPCountry",
    ] {
        let lower = name.to_ascii_lowercase();
        check_vary(plain(), name, &lower);
        check_vary(plain(), &format!("Accept, {name} ,Cookie"), &lower);
        if !name.starts_with("X-Forwarded") && !name.starts_with("CF-") {
            check_vary(json!({ "key_headers": [name] }), name, "");
        }
        check_vary(json!({ "key_headers": ["other"] }), name, &lower);
    }
    check_vary(
        json!({ "forward_headers": ["user-agent"] }),
        "User-Agent",
        "",
    );
    let all = || json!({ "forward_headers": ["*"] });
    check_vary(all(), "RSC, User-Agent, Save-Data", "");
    // Forwarding fields and conditions never reach the origin.
    check_vary(all(), "Range, CF-IPCountry", "cf-ipcountry range");
}

#[test]
fn may_need_cookies_depends_on_reason_and_status() {
    use NotStored::*;
    for reason in [Private, NoStore, SetCookie, CsrfToken, Vary, NoFreshness] {
        for status in [200, 302, 304, 403, 404, 451] {
            assert!(may_need_cookies(reason, status), "{reason:?} {status}");
        }
        for status in [400, 406, 408, 416, 429, 431, 500, 503, 599] {
            assert!(!may_need_cookies(reason, status), "{reason:?} {status}");
        }
    }
    for reason in [
        NotUnderstood,
        RequestNoStore,
        Authorization,
        Credentials,
        RequestError,
        Expired,
        Status,
        Head,
        TooManyTags,
        LargeHead,
        Coded,
    ] {
        assert!(!may_need_cookies(reason, 200), "{reason:?}");
    }
}

#[test]
fn remembered_responses_expire_and_are_limited() {
    let mut set = ExpiringSet::default();
    assert!(set.is_empty());
    set.add("a", 10, 0);
    assert!(set.holds("a", 9) && !set.holds("a", 10) && !set.holds("b", 0));
    set.add("a", 20, 10);
    assert!(set.holds("a", 19));
    assert!(set.forget("a") && !set.forget("a") && set.is_empty());
    for n in 0..REMEMBERED_MAX {
        set.add(&n.to_string(), 100 + n as u64, 0);
    }
    let held = |set: &ExpiringSet| {
        (0..=REMEMBERED_MAX)
            .filter(|n| set.holds(&n.to_string(), 0))
            .count()
    };
    assert_eq!(held(&set), REMEMBERED_MAX);
    // One more entry: an eighth is removed, those that expire first.
    set.add(&REMEMBERED_MAX.to_string(), 1_000_000, 0);
    assert_eq!(held(&set), REMEMBERED_MAX - REMEMBERED_MAX / 8 + 1);
    assert!(!set.holds("0", 0) && set.holds("9999", 0) && set.holds("10000", 0));
}
