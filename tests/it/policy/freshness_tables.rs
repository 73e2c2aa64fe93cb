//! Tests of freshness lifetime, stale windows, and age on arrival.

use edgekeep::cache::policy::freshness::{Times, initial_age, terms};
use serde_json::{Value, json};
use testkit::given::{NOW, TIMES, head, lookup};

const DAY: u64 = 86_400;
const YEAR: u64 = 31_536_000;

#[test]
fn response_and_rule_determine_lifetime_and_windows() {
    #[track_caller]
    fn check(defaults: Value, answer: &str, expected: Option<(u64, u64, u64)>) {
        let rule = lookup(&defaults, "GET").rule;
        let found = terms(&head(answer), &rule, TIMES);
        let found = found.map(|t| (t.lifetime, t.stale_while_revalidate, t.stale_if_error));
        assert_eq!(found, expected, "{defaults} {answer}");
    }
    let none = || json!({});
    check(none(), "200", None);
    check(none(), "200 | last-modified: $-100000", None);
    check(none(), "200 | cache-control: public", None);
    check(
        none(),
        "200 | cache-control: max-age=60",
        Some((60, 0, DAY)),
    );
    check(none(), "200 | cache-control: max-age=0", Some((0, 0, 0)));
    check(
        none(),
        "404 | cache-control: max-age=60",
        Some((60, 0, DAY)),
    );
    check(none(), "200 | cache-control: max-age=x", Some((0, 0, 0)));
    check(
        none(),
        "200 | cache-control: max-age=99999999999",
        Some((YEAR, 0, DAY)),
    );
    // s-maxage before max-age before Expires (RFC 9111 §4.2.1). It implies
    // proxy-revalidate (§5.2.2.10), so our default window does not apply.
    check(
        none(),
        "200 | cache-control: max-age=60, s-maxage=5",
        Some((5, 0, 0)),
    );
    check(
        none(),
        "200 | cache-control: s-maxage=0, max-age=60",
        Some((0, 0, 0)),
    );
    check(
        none(),
        "200 | cache-control: s-maxage=5, stale-if-error=9",
        Some((5, 0, 9)),
    );
    check(
        none(),
        "200 | cache-control: max-age=60 | expires: $+5",
        Some((60, 0, DAY)),
    );
    check(none(), "200 | expires: $+5", Some((5, 0, DAY)));
    check(none(), "200 | expires: $-5", Some((0, 0, 0)));
    check(
        none(),
        "200 | expires: $+20 | date: $+5",
        Some((15, 0, DAY)),
    );
    check(
        none(),
        "200 | expires: $+20 | date: $-20",
        Some((40, 0, DAY)),
    );
    check(
        none(),
        "200 | expires: $+20 | date: never",
        Some((20, 0, DAY)),
    );
    // §5.3: an invalid date is in the past.
    check(none(), "200 | expires: 0", Some((0, 0, 0)));
    check(none(), "200 | expires: -1 | date: $-5", Some((0, 0, 0)));
    check(none(), "200 | expires: tomorrow", Some((0, 0, 0)));
    check(none(), "200 | expires:", Some((0, 0, 0)));
    check(
        none(),
        "200 | expires: Fri, 31 Dec 9999 23:59:59 GMT",
        Some((YEAR, 0, DAY)),
    );
    // RFC 5861.
    let windows = "200 | cache-control: max-age=60, stale-while-revalidate=7, stale-if-error=8";
    check(none(), windows, Some((60, 7, 8)));
    check(
        none(),
        "200 | cache-control: max-age=60, stale-if-error=0",
        Some((60, 0, 0)),
    );
    check(
        none(),
        "200 | cache-control: max-age=1, stale-while-revalidate=99999999999",
        Some((1, YEAR, DAY)),
    );
    // RFC 9111 §4.2.4: these forbid stale responses.
    check(
        none(),
        &format!("{windows}, must-revalidate"),
        Some((60, 0, 0)),
    );
    check(
        none(),
        &format!("{windows}, proxy-revalidate"),
        Some((60, 0, 0)),
    );
    check(none(), &format!("{windows}, no-cache"), Some((0, 0, 0)));
    check(none(), "200 | cache-control: no-cache", Some((0, 0, 0)));
    check(
        none(),
        "200 | cache-control: no-cache=\"x-a\", max-age=60",
        Some((60, 0, 86_400)),
    );
    // RFC 9213: the targeted field replaces the others.
    let cdn = "200 | cache-control: max-age=60, no-cache | expires: $+70 | cdn-cache-control:";
    check(none(), &format!("{cdn} max-age=5"), Some((5, 0, DAY)));
    check(none(), &format!("{cdn} public"), None);
    check(none(), &format!("{cdn} max-age=5 6"), Some((0, 0, 0)));
    check(none(), cdn, Some((0, 0, 0)));
    check(
        none(),
        "200 | cdn-cache-control: max-age=5, stale-while-revalidate=6",
        Some((5, 6, DAY)),
    );
    // Rules.
    let ttl = || json!({ "edge_ttl": 30 });
    check(ttl(), "200", Some((30, 0, DAY)));
    check(
        ttl(),
        "200 | cache-control: max-age=60, s-maxage=70",
        Some((30, 0, 0)),
    );
    check(ttl(), "200 | expires: 0", Some((30, 0, DAY)));
    check(
        ttl(),
        "200 | cdn-cache-control: max-age=5",
        Some((30, 0, DAY)),
    );
    check(ttl(), "200 | cache-control: no-cache", Some((0, 0, 0)));
    check(
        ttl(),
        "200 | cache-control: must-revalidate",
        Some((30, 0, 0)),
    );
    for status in [203, 204, 300, 301, 308] {
        check(ttl(), &status.to_string(), Some((30, 0, DAY)));
    }
    for status in [302, 307, 400, 404, 410, 500, 503] {
        let negative = matches!(status, 404 | 410).then_some((10, 0, 0));
        check(ttl(), &status.to_string(), negative);
        // The status of a request error has a lifetime only by
        // `negative_ttl`.
        let stated = (status != 400).then_some((60, 0, DAY));
        let answer = format!("{status} | cache-control: max-age=60");
        check(ttl(), &answer, stated);
    }
    check(
        json!({ "edge_ttl": 315_360_000 }),
        "200",
        Some((YEAR, 0, DAY)),
    );
    let windows = || json!({ "stale_while_revalidate": 3, "stale_if_error": 4 });
    check(
        windows(),
        "200 | cache-control: max-age=60",
        Some((60, 3, 4)),
    );
    check(
        windows(),
        "200 | cache-control: s-maxage=60",
        Some((60, 3, 4)),
    );
    check(
        windows(),
        "200 | cache-control: max-age=60, stale-while-revalidate=7, stale-if-error=8",
        Some((60, 7, 8)),
    );
    check(
        windows(),
        "200 | cache-control: max-age=60, must-revalidate",
        Some((60, 0, 0)),
    );
    check(windows(), "200", None);
}

#[test]
fn initial_age_follows_from_age_date_and_delay() {
    #[track_caller]
    fn check(answer: &str, took_ms: u64, expected: u64) {
        let times = Times {
            request_ms: NOW * 1000 - took_ms,
            response_ms: NOW * 1000,
        };
        assert_eq!(initial_age(&head(answer), times), expected, "{answer}");
    }
    check("200", 0, 0);
    check("200", 999, 0);
    check("200", 2500, 2);
    check("200 | age: 10", 0, 10);
    // RFC 9111 §4.2.3: corrected by the response delay.
    check("200 | age: 10", 2500, 12);
    check("200 | date: $-30", 0, 30);
    check("200 | date: $-30 | age: 10", 2500, 30);
    check("200 | date: $-5 | age: 10", 2500, 12);
    check("200 | date: $+30", 0, 0);
    check("200 | date: never | age: x", 0, 0);
    check("200 | age: 99999999999999999999", 1000, 2_147_483_649);
    let back = Times {
        request_ms: NOW * 1000,
        response_ms: 0,
    };
    assert_eq!(initial_age(&head("200 | age: 3"), back), 3);
}
