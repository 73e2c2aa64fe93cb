//! Tests of request directives, where a rule enables them. RFC 9111
//! §5.2.1.1 to §5.2.1.7 (each of them), §5.2 (their form), §5.4 (Pragma),
//! §4.2.4 (what may be served stale).

use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::http::cache_control::RequestControl;
use edgekeep::http::fields::Fields;
use serde_json::{Value, json};
use testkit::controls::{fields, in_words};
use testkit::given::{NOW, lookup, stored};

/// A control as text: numbers as `name=n`, flags by name.
fn words(control: &RequestControl) -> String {
    let numbers = [
        ("max-age", control.max_age),
        ("min-fresh", control.min_fresh),
        ("max-stale", control.max_stale),
    ];
    let flags = [
        ("no-cache", control.no_cache),
        ("no-store", control.no_store),
        ("only-if-cached", control.only_if_cached),
    ];
    in_words(&numbers, &flags)
}

#[test]
fn request_directives_are_read() {
    #[track_caller]
    fn check(value: &str, expected: &str) {
        let mut one = Fields::new();
        one.add("cache-control", value);
        assert_eq!(words(&RequestControl::of(&one)), expected, "{value}");
    }
    check("", "");
    check("no-cache", "no-cache");
    check("NO-CACHE, No-Store", "no-cache no-store");
    check("only-if-cached", "only-if-cached");
    check("max-age=0", "max-age=0");
    check("Max-Age=60, MIN-FRESH=5", "max-age=60 min-fresh=5");
    check("max-age=\"60\"", "max-age=60");
    check("max-stale=9", "max-stale=9");
    // §5.2.1.2: without an argument, any staleness is accepted.
    check("max-stale", "max-stale=2147483648");
    check("max-stale=", "max-stale=0");
    check("max-stale=x", "max-stale=0");
    check("max-stale=\"9\"", "max-stale=9");
    check("max-stale=99999999999999999999", "max-stale=2147483648");
    // An invalid argument is read as the stricter value.
    check("max-age=x", "max-age=0");
    check("max-age=-1", "max-age=0");
    check("max-age=1.5", "max-age=0");
    check("max-age='60'", "max-age=0");
    check("max-age", "");
    check("min-fresh", "");
    check("min-fresh=99999999999999999999", "min-fresh=2147483648");
    check("max-age=5, max-age=60", "max-age=5");
    check("max-stale=5, max-stale", "max-stale=5");
    check("no-cache=\"x-a\"", "no-cache");
    check("no-cache=1, no-store=true", "no-cache no-store");
    check("no-cache=\"true\"", "no-cache");
    check("foo=\"no-cache\", bar=\"a, no-store\"", "");
    check("s-maxage=5, public, must-revalidate, no-transform", "");
    check("no-cachex, xno-store, max-ages=1", "");
    check(",, ,no-cache,,max-age=1,", "max-age=1 no-cache");
}

#[test]
fn pragma_applies_only_without_cache_control() {
    // RFC 9111 §5.4.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(
            words(&RequestControl::of(&fields(text))),
            expected,
            "{text}"
        );
    }
    check("pragma: no-cache", "no-cache");
    check("pragma: No-Cache", "no-cache");
    check("pragma: foo, no-cache", "no-cache");
    check("pragma: foo | pragma: no-cache", "no-cache");
    check("pragma: foo=\"no-cache\"", "");
    check("pragma: no-cachex", "");
    check("pragma: no-cache | cache-control: max-age=5", "max-age=5");
    check("pragma: no-cache | cache-control: foo", "");
    check(
        "cache-control: max-age=5 | cache-control: no-store",
        "max-age=5 no-store",
    );
    check(
        "cache-control: max-age=5 | cache-control: max-age=6",
        "max-age=5",
    );
    check("cdn-cache-control: no-cache", "");
}

/// The verdict about a stored response, `later` seconds after its arrival.
fn verdict(defaults: &Value, entry: &Entry, control: &str, later: u64) -> String {
    let request = match control {
        "" => "GET".to_owned(),
        _ => format!("GET | Cache-Control: {control}"),
    };
    let lookup = lookup(defaults, &request);
    let mut index = PurgeIndex::default();
    index.apply(&PurgeFeed::default());
    match judge(entry, &lookup, Some(&index), (NOW + later) * 1000) {
        ReuseVerdict::Fresh(_) => "fresh".to_owned(),
        ReuseVerdict::WhileRevalidate(_) => "swr".to_owned(),
        ReuseVerdict::Stale { on_error, .. } => if on_error {
            "revalidate, sie"
        } else {
            "revalidate"
        }
        .to_owned(),
        other => format!("{other:?}"),
    }
}

#[track_caller]
fn check(entry: &str, control: &str, later: u64, expected: &str) {
    let entry = stored(&format!("200 | cache-control: {entry} | etag: \"a\""));
    let enabled = json!({ "request_directives": true });
    let found = verdict(&enabled, &entry, control, later);
    assert_eq!(found, expected, "{control:?} after {later}");
}

/// Fresh for a minute, then unusable.
const MINUTE: &str = "max-age=60, stale-if-error=0";

#[test]
fn without_directives_freshness_depends_on_age() {
    check(MINUTE, "", 59, "fresh");
    check(MINUTE, "", 60, "revalidate");
    check(MINUTE, "foo, no-transform", 59, "fresh");
}

#[test]
fn max_age_limits_the_age() {
    // RFC 9111 §5.2.1.1: less than or equal. A response that is still fresh is
    // the fallback if the origin fails ("sie"): clients only state a preference
    // (§5.2.1).
    check(MINUTE, "max-age=10", 9, "fresh");
    check(MINUTE, "max-age=10", 10, "fresh");
    check(MINUTE, "max-age=10", 11, "revalidate, sie");
    // Our choice, because browsers reload this way.
    check(MINUTE, "max-age=0", 0, "revalidate, sie");
    check(MINUTE, "max-age=0", 1, "revalidate, sie");
    check(MINUTE, "max-age=x", 1, "revalidate, sie");
    // It does not extend the lifetime.
    check(MINUTE, "max-age=3600", 59, "fresh");
    check(MINUTE, "max-age=3600", 60, "revalidate");
    check(MINUTE, "max-age=99999999999999999999", 59, "fresh");
    // The age on arrival counts too (§4.2.3).
    check("max-age=60 | age: 20", "max-age=25", 5, "fresh");
    check("max-age=60 | age: 20", "max-age=25", 6, "revalidate, sie");
    check("max-age=60 | date: $-20", "max-age=25", 5, "fresh");
    check(
        "max-age=60 | date: $-20",
        "max-age=25",
        6,
        "revalidate, sie",
    );
}

#[test]
fn min_fresh_requires_remaining_lifetime() {
    // RFC 9111 §5.2.1.3: the lifetime is at least the age plus this.
    check(MINUTE, "min-fresh=10", 49, "fresh");
    check(MINUTE, "min-fresh=10", 50, "fresh");
    check(MINUTE, "min-fresh=10", 51, "revalidate, sie");
    check(MINUTE, "min-fresh=60", 0, "fresh");
    check(MINUTE, "min-fresh=61", 0, "revalidate, sie");
    check(MINUTE, "min-fresh=0", 59, "fresh");
    check(MINUTE, "min-fresh=0", 60, "revalidate");
    check(
        MINUTE,
        "min-fresh=99999999999999999999",
        0,
        "revalidate, sie",
    );
    // Both apply.
    check(MINUTE, "min-fresh=10, max-age=30", 30, "fresh");
    check(MINUTE, "min-fresh=10, max-age=30", 31, "revalidate, sie");
    check(MINUTE, "min-fresh=40, max-age=30", 21, "revalidate, sie");
}

#[test]
fn max_stale_accepts_limited_staleness() {
    // RFC 9111 §5.2.1.2: stale by no more than this.
    check(MINUTE, "max-stale=10", 60, "fresh");
    check(MINUTE, "max-stale=10", 70, "fresh");
    check(MINUTE, "max-stale=10", 71, "revalidate");
    check(MINUTE, "max-stale=0", 60, "fresh");
    check(MINUTE, "max-stale=0", 61, "revalidate");
    check(MINUTE, "max-stale", 86_400, "fresh");
    check(MINUTE, "max-stale=x", 61, "revalidate");
    check("max-age=0", "max-stale=5", 5, "fresh");
    check("max-age=0", "max-stale=5", 6, "revalidate");
    // Combined with the other two.
    check(MINUTE, "max-stale=10, max-age=65", 65, "fresh");
    check(MINUTE, "max-stale=10, max-age=65", 66, "revalidate");
    check(MINUTE, "max-stale=10, max-age=3600", 65, "fresh");
    check(MINUTE, "max-stale=10, min-fresh=1", 60, "revalidate");
    check(MINUTE, "max-stale, no-cache", 60, "revalidate");
}

#[test]
fn max_stale_does_not_override_the_origin() {
    // RFC 9111 §4.2.4: an explicit directive forbids it.
    for control in [
        "max-age=60, must-revalidate",
        "max-age=60, proxy-revalidate",
        "s-maxage=60",
        "s-maxage=60, max-age=3600",
    ] {
        check(control, "max-stale", 59, "fresh");
        check(control, "max-stale", 60, "revalidate");
        check(control, "max-stale=3600", 61, "revalidate");
    }
    check("no-cache", "max-stale", 0, "revalidate");
    check("no-cache, max-age=60", "max-stale", 0, "revalidate");
    check(
        "max-age=60 | cdn-cache-control: s-maxage=60",
        "max-stale",
        60,
        "revalidate",
    );
    check(
        "s-maxage=9 | cdn-cache-control: max-age=60",
        "max-stale",
        60,
        "fresh",
    );
}

#[test]
fn no_cache_requires_revalidation() {
    // RFC 9111 §5.2.1.4.
    check(MINUTE, "no-cache", 0, "revalidate, sie");
    check("max-age=3600", "no-cache", 1, "revalidate, sie");
    check(
        "max-age=60, stale-while-revalidate=60",
        "no-cache",
        61,
        "revalidate, sie",
    );
    check(MINUTE, "foo | Pragma: no-cache", 0, "fresh");
}

#[test]
fn no_store_and_only_if_cached_permit_reuse() {
    // RFC 9111 §5.2.1.5 and §5.2.1.7: they do not concern stored responses.
    check(MINUTE, "no-store", 59, "fresh");
    check(MINUTE, "no-store", 60, "revalidate");
    check(MINUTE, "only-if-cached", 59, "fresh");
    check(MINUTE, "only-if-cached", 60, "revalidate");
    check(MINUTE, "only-if-cached, max-stale=5", 65, "fresh");
}

#[test]
fn freshness_directives_disable_stale_while_revalidate() {
    let window = "max-age=60, stale-while-revalidate=30, stale-if-error=0";
    check(window, "", 65, "swr");
    check(window, "min-fresh=1", 65, "revalidate, sie");
    check(window, "max-age=10", 65, "revalidate, sie");
    check(window, "no-cache", 65, "revalidate, sie");
    check(window, "max-stale=10", 65, "fresh");
    check(window, "", 90, "revalidate");
}

#[test]
fn max_age_without_max_stale_refuses_stale_response() {
    // RFC 9111 §5.2.1.1: without max-stale, the client accepts no stale response.
    let window = "max-age=60, stale-while-revalidate=30, stale-if-error=0";
    check(window, "max-age=3600", 65, "revalidate, sie");
    check(window, "max-age=3600", 59, "fresh");
    check(window, "max-age=3600, max-stale=9", 65, "fresh");
}

#[test]
fn request_directives_are_ignored_unless_enabled() {
    let entry = stored("200 | cache-control: max-age=60 | etag: \"a\"");
    for settings in [json!({}), json!({ "request_directives": false })] {
        for control in ["no-cache", "max-age=0", "min-fresh=99", "only-if-cached"] {
            assert_eq!(
                verdict(&settings, &entry, control, 30),
                "fresh",
                "{control}"
            );
        }
        assert_eq!(
            verdict(&settings, &entry, "max-stale", 61),
            "revalidate, sie"
        );
        let lookup = lookup(
            &settings,
            "GET | Cache-Control: no-store | Pragma: no-cache",
        );
        assert_eq!(lookup.request_control, RequestControl::default());
    }
}
