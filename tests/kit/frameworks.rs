//! Classifies requests under a profile, and decides its framework's responses.

use crate::given::{exchange, head};
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::cache::policy::withheld_fields::vary_of;
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::json;

/// The plan for the request `PATH[ | Name: value]…`.
pub fn plan(profile: &str, request: &str) -> Plan {
    let settings = json!({ "profile": profile });
    let rules = Rules::read_json(&settings.to_string()).expect(profile);
    let mut parts = request.split(" | ");
    let path = parts.next().unwrap_or_default();
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").expect("name: value");
        (name.to_owned(), value.to_owned())
    };
    let request = RequestHead {
        method: Method::named("GET"),
        url: Url::parse(&format!("https://www.example.com{path}")).expect(path),
        fields: parts.map(line).collect(),
    };
    classify(&rules, &request)
}

/// The look-up of such a request. Panics if it bypasses the cache.
#[track_caller]
pub fn lookup(profile: &str, request: &str) -> Lookup {
    match plan(profile, request) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{profile} {request}: {other:?}"),
    }
}

/// Checks that each request bypasses the cache.
#[track_caller]
pub fn whole(profile: &str, requests: &[&str]) {
    for request in requests {
        let found = plan(profile, request);
        assert!(matches!(found, Plan::Bypass(..)), "{profile} {request}");
    }
}

/// Checks the decision on a response to `PATH[ | Name: value]…`: `stored N` for
/// N seconds, or the reason why it is not stored; then the fields of its `Vary`
/// that the origin does not receive.
#[track_caller]
pub fn check(profile: &str, request: &str, answer: &str, expected: &str) {
    let lookup = lookup(profile, request);
    let answer = head(answer);
    let mut found = match decide_response(&exchange(&lookup, None, false), Ok(&answer)) {
        ResponseDecision::Store(entry) => {
            assert!(!entry.fields.has("set-cookie"), "{profile} {request}");
            format!("stored {}", entry.terms.lifetime)
        }
        ResponseDecision::Forward(reason) => reason.word().to_owned(),
        other => panic!("{profile} {request}: {other:?}"),
    };
    for name in vary_of(&lookup.rule, &answer.fields) {
        found = format!("{found} dropped:{name}");
    }
    assert_eq!(found, expected, "{profile} {request}");
}

/// Checks whether two requests have the same cache key.
#[track_caller]
pub fn same(profile: &str, one: &str, other: &str, is_same: bool) {
    let key = |request: &str| lookup(profile, request).key.text.clone();
    assert_eq!(key(one) == key(other), is_same, "{profile}: {one}; {other}");
}

/// Checks the value of a request field that the origin receives.
#[track_caller]
pub fn sent(profile: &str, request: &str, name: &str, value: Option<&str>) {
    let lookup = lookup(profile, request);
    let found = lookup.origin().fields.get(name);
    assert_eq!(found, value, "{profile} {request}");
}
