//! Tests of storability with responses as found on the web, beyond the RFCs:
//! restrictive directives in any spelling, an unreadable `Vary`, responses that
//! were never fresh.

use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use serde_json::{Value, json};
use testkit::given::{NOW, exchange, head, lookup, outcome, stored, terms};
use testkit::random::Hostile;

#[track_caller]
fn check(defaults: &Value, answer: &str, expected: &str) {
    let found = outcome(&lookup(defaults, "GET"), answer);
    assert_eq!(found, expected, "{defaults} {answer}");
}

/// Spellings, and the reason why the response is not stored.
const SPELLINGS: [(&str, &str); 35] = [
    ("private; max-age=3600", "private"),
    ("private;max-age=3600", "private"),
    ("private max-age=3600", "private"),
    ("private\tmax-age=3600", "private"),
    ("PRIVATE; max-age=3600", "private"),
    ("max-age=3600; private", "private"),
    ("max-age=3600 private", "private"),
    ("No-cache; No-store; Must-revalidate", "no-store"),
    ("private; must-revalidate, max-age=600", "private"),
    ("\"private\", max-age=60", "private"),
    ("'private', max-age=60", "private"),
    ("(private), max-age=60", "private"),
    ("private; max-age=0", "private"),
    ("max-age=0; no-cache; no-store; must-revalidate", "no-store"),
    ("max-age=60, \"no-store", "no-store"),
    ("max-age=60, foo=\"no-store", "no-store"),
    ("Cache-Control: private, max-age=60", "private"),
    ("private:, max-age=60", "private"),
    ("private = \"set-cookie\", max-age=60", "private"),
    ("private='set-cookie', max-age=60", "private"),
    ("no-store;", "no-store"),
    ("public; no-store; max-age=60", "no-store"),
    ("must-understand; no-store, max-age=60", "no-store"),
    ("no-store, must-understand;", "no-store"),
    ("max-age=\"60; private\"", "private"),
    ("max-age=60 , , ;private", "private"),
    ("private=true, max-age=60", "private"),
    ("private=1, max-age=60", "private"),
    ("private=yes, max-age=60", "private"),
    ("max-age=60, private=\"true\"", "private"),
    ("max-age=60, private=set-cookie", "private"),
    ("max-age=60, PRIVATE=\"1\"", "private"),
    ("max-age=60, private=\"no-store\"", "no-store"),
    ("max-age=60, no-cache=\"no-store\"", "no-store"),
    ("max-age=60, private=\"x-a, private\"", "private"),
];

#[test]
fn restrictive_directive_in_any_spelling_prevents_storing() {
    let future = "expires: $+3600";
    for (spelling, reason) in SPELLINGS {
        for defaults in [
            json!({}),
            json!({ "edge_ttl": 600 }),
            json!({ "heuristic_freshness": true, "stale_if_error": 600 }),
            json!({ "negative_ttl": { "404": 30 } }),
        ] {
            for status in [200, 301, 404, 410] {
                let answer = format!("{status} | cache-control: {spelling} | {future}");
                check(&defaults, &answer, reason);
                // Also in the second of two lines.
                let second = format!(
                    "{status} | cache-control: max-age=60 | cache-control: {spelling} | {future}"
                );
                check(&defaults, &second, reason);
            }
        }
        // In a targeted field, valid or ignored.
        for field in ["cdn-cache-control", "cloudflare-cdn-cache-control"] {
            let answer = format!("200 | cache-control: public, max-age=60 | {field}: {spelling}");
            let found = outcome(&lookup(&json!({ "edge_ttl": 600 }), "GET"), &answer);
            assert!(
                ["private", "no-store"].contains(&&*found),
                "{answer}: {found}"
            );
        }
    }
}

#[test]
fn no_cache_in_any_spelling_requires_a_validator() {
    let future = "expires: $+3600";
    for spelling in [
        "no-cache; max-age=60",
        "NO-CACHE;",
        "max-age=60 no-cache",
        "\"no-cache\", max-age=60",
        "public; no-cache",
        "no-cache = \"set-cookie\", max-age=60",
        "no-cache=1, max-age=60",
        "no-cache=true, max-age=60",
        "max-age=60, no-cache=set-cookie",
        "max-age=60, no-cache=\"true\"",
        "max-age=60, no-cache=\"must-revalidate\"",
    ] {
        for defaults in [
            json!({}),
            json!({ "edge_ttl": 600, "stale_while_revalidate": 60 }),
        ] {
            let answer = format!("200 | cache-control: {spelling} | {future}");
            check(&defaults, &answer, "expired");
            check(&defaults, &format!("{answer} | etag: \"a\""), "0 0 0");
            check(&defaults, &answer.replace("200", "404"), "expired");
        }
    }
}

#[test]
fn permissive_directives_apply_only_in_the_grammar() {
    check(
        &json!({}),
        "200 | cache-control: public; max-age=3600",
        "expired",
    );
    check(
        &json!({}),
        "200 | cache-control: max-age=60; stale-if-error=9",
        "expired",
    );
    check(
        &json!({}),
        "200 | cache-control: must-revalidate; max-age=0 | expires: $+60",
        "expired",
    );
    check(
        &json!({}),
        "200 | cache-control: max-age=60, must-revalidate; foo",
        "60 0 0",
    );
    check(
        &json!({}),
        "200 | cache-control: max-age=60, x-private, no-cachexyz",
        "60 0 86400",
    );
    check(
        &json!({}),
        "200 | cache-control: max-age=60, community=\"UCI private club\"",
        "60 0 86400",
    );
    // None of these allows storing a response to credentials.
    let authorized = "GET | Authorization: Basic x";
    for control in [
        "max-age=60, must-revalidate;",
        "max-age=60, \"must-revalidate\"",
        "max-age=60, public;",
        "max-age=60, s-maxage=60;",
        "max-age=60; public",
    ] {
        let found = outcome(
            &lookup(&json!({}), authorized),
            &format!("200 | cache-control: {control}"),
        );
        // A number followed by other text is 0, and permits nothing.
        assert!(
            ["authorization", "expired"].contains(&&*found),
            "{control}: {found}"
        );
    }
    // `Pragma` in a response has no meaning (RFC 9111 §5.4).
    check(
        &json!({}),
        "200 | pragma: no-cache | cache-control: max-age=60",
        "60 0 86400",
    );
}

#[test]
fn unreadable_vary_counts_as_star() {
    for vary in [
        "Accept-Language Accept-Encoding",
        "Accept-Language; Accept-Encoding",
        "Accept-Language;Accept-Encoding",
        "\"Accept-Language\"",
        "\"Accept-Language, Accept-Encoding\"",
        "\"Accept-Language",
        "'Accept-Language'",
        "`Accept-Language`",
        "(Accept-Language)",
        ": Accept-Language",
        "Vary: Accept-Language",
        "Accept-Language:",
        "Accept-Encoding, Accept Language",
        "Accept-Encoding, Accept-Language;q=1",
        "Accept-Encoding, X-(A)",
        "Accept-Encoding, \"*\"",
        "Accept-Encoding, X-*",
        "Accept-Encoding, A=B",
        "Accept-Encoding, <A>",
        "Accept-Encoding, [A]",
        "Accept-Encoding, {A}",
        "Accept-Encoding, A/B",
        "Accept-Encoding, A@B",
        "Accept-Encoding, A\\B",
        "Accept-Encoding|Accept-Language",
        "Accept-Encoding, Ä",
        "Accept-Encoding, \u{fffd}",
        "Accept-Encoding, A\u{a0}B",
    ] {
        for defaults in [json!({}), json!({ "edge_ttl": 600 })] {
            check(
                &defaults,
                &format!("200 | cache-control: max-age=60 | vary: {vary}"),
                "vary",
            );
            let second = format!("200 | cache-control: max-age=60 | vary: accept | vary: {vary}");
            check(&defaults, &second, "vary");
        }
    }
    for vary in ["", ",", "Accept-Language", "X_A, x.b , X-C1", "\tAccept\t"] {
        check(
            &json!({}),
            &format!("200 | cache-control: max-age=60 | vary: {vary}"),
            "60 0 86400",
        );
    }
}

#[test]
fn response_that_was_never_fresh_has_no_default_window() {
    let none = json!({});
    let tagged = |fields: &str| format!("200 | {fields} | etag: \"a\"");
    for never in [
        "cache-control: max-age=0",
        "cache-control: max-age=0, public",
        "cache-control: max-age=x",
        "cache-control: max-age",
        "cache-control: max-age=0; foo",
        "cache-control: no-cache",
        "cache-control: s-maxage=0, max-age=60",
        "expires: 0",
        "expires: -1",
        "expires: $-5",
        "expires: $+0",
        "cache-control: public | expires: 0",
        "cdn-cache-control: max-age=0",
        "cdn-cache-control: max-age=\"60\" | cache-control: max-age=60",
        "cloudflare-cdn-cache-control: max-age=0 | cache-control: max-age=60",
    ] {
        for defaults in [
            none.clone(),
            json!({ "stale_if_error": 600 }),
            json!({ "stale_while_revalidate": 600 }),
        ] {
            check(&defaults, &tagged(never), "0 0 0");
            check(&defaults, &format!("200 | {never}"), "expired");
        }
    }
    // A heuristic lifetime of 0, too.
    let heuristic = json!({ "heuristic_freshness": true });
    check(&heuristic, "200 | etag: \"a\"", "0 0 0");
    check(&heuristic, "200 | last-modified: $-5", "0 0 0");
    check(&heuristic, "200 | last-modified: $-1000", "100 0 86400");
    // The origin's own windows apply.
    check(
        &none,
        "200 | cache-control: max-age=0, stale-if-error=60",
        "0 0 60",
    );
    check(
        &none,
        "200 | cache-control: max-age=0, stale-while-revalidate=5",
        "0 5 0",
    );
    check(
        &none,
        "200 | expires: 0 | cache-control: stale-if-error=60",
        "0 0 60",
    );
    // A response that had a lifetime, from any source, has the windows.
    check(&none, "200 | cache-control: max-age=1", "1 0 86400");
    check(&none, "200 | expires: $+1", "1 0 86400");
    check(
        &none,
        "200 | cache-control: max-age=60 | age: 100",
        "60 0 86400",
    );
    check(&json!({ "edge_ttl": 30 }), "200 | expires: 0", "30 0 86400");
    check(
        &json!({ "edge_ttl": 0 }),
        "200 | cache-control: max-age=60",
        "expired",
    );
}

/// The stale window of the entry `later` seconds after its arrival.
fn window_after(entry: &Entry, later: u64) -> String {
    let mut index = PurgeIndex::default();
    index.apply(&PurgeFeed::default());
    let lookup = lookup(&json!({ "request_directives": true }), "GET");
    match judge(entry, &lookup, Some(&index), (NOW + later) * 1000) {
        ReuseVerdict::Stale { on_error, .. } => format!("stale {on_error}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_304_can_end_freshness_or_storage() {
    let old = stored("200 | cache-control: max-age=60 | etag: \"a\"");
    assert_eq!(window_after(&old, 61), "stale true");
    let lookup = lookup(&json!({}), "GET");
    for (update, expected) in [
        ("cache-control: max-age=0", "0 0 0"),
        ("cache-control: no-cache", "0 0 0"),
        ("cache-control: max-age=0, stale-if-error=9", "0 0 9"),
        ("cache-control: max-age=5", "5 0 86400"),
    ] {
        let answer = head(&format!("304 | etag: \"a\" | {update}"));
        match decide_response(&exchange(&lookup, Some(&old), true), Ok(&answer)) {
            ResponseDecision::Freshen {
                entry,
                may_store: true,
            } => {
                assert_eq!(terms(&entry), expected, "{update}")
            }
            other => panic!("{update}: {other:?}"),
        }
    }
    for update in ["private; max-age=60", "\"no-store\""] {
        let answer = head(&format!("304 | etag: \"a\" | cache-control: {update}"));
        let next = decide_response(&exchange(&lookup, Some(&old), true), Ok(&answer));
        assert!(
            matches!(
                next,
                ResponseDecision::Freshen {
                    may_store: false,
                    ..
                }
            ),
            "{update}: {next:?}"
        );
    }
}

/// Directives with any separators and in any order, checked against the rule in
/// the users' documentation, implemented a second time here. (No generated text
/// is a well-formed quoted argument, in which directives do not count.)
#[test]
fn generated_response_with_private_or_no_store_is_not_stored() {
    const WORDS: [&str; 18] = [
        "private",
        "no-store",
        "PRIVATE",
        "No-Store",
        "no-cache",
        "max-age=60",
        "max-age=0",
        "s-maxage=60",
        "public",
        "must-revalidate",
        "stale-if-error=60",
        "immutable",
        "foo",
        "x-private",
        "private=true",
        "no-store=1",
        "no-cache=1",
        "no-cache=x-a",
    ];
    const BETWEEN: [&str; 12] = [
        ", ", "; ", ";", " ", "\t", ",", " ,;", "\", \"", "' '", ": ", ". ", ") (",
    ];
    let mut hostile = Hostile::new();
    let mut counts = [0; 3];
    for _ in 0..20_000 {
        let count = hostile.random.usize(1..5);
        let mut text = hostile.one_of(&["", "", "\"", "'", "("]).to_owned();
        let mut words = Vec::new();
        for _ in 0..count {
            let word = hostile.one_of(&WORDS);
            text.push_str(word);
            text.push_str(hostile.one_of(&BETWEEN));
            words.push(word.to_lowercase());
        }
        let field = hostile.one_of(&["cache-control", "cdn-cache-control"]);
        let answer = format!("200 | {field}: {text} | etag: \"a\" | expires: $+60");
        let rule = hostile.one_of(&["{}", "{\"edge_ttl\":600}"]);
        let rule = serde_json::from_str(rule).expect("JSON");
        let found = outcome(&lookup(&rule, "GET"), &answer);
        let name = |word: &str| word.split('=').next().map(str::to_owned);
        let has = |word: &str| {
            words
                .iter()
                .any(|other| name(other).as_deref() == Some(word))
        };
        if has("private") || has("no-store") {
            assert!(
                ["private", "no-store"].contains(&&*found),
                "{answer}: {found}"
            );
            counts[0] += 1;
        } else if has("no-cache") {
            // If it is stored, then to be revalidated each time.
            assert!(
                ["0 0 0", "no-freshness"].contains(&&*found),
                "{answer}: {found}"
            );
            counts[1] += 1;
        } else {
            counts[2] += usize::from(found.starts_with("60"));
        }
    }
    assert!(counts.iter().all(|count| *count > 500), "{counts:?}");
}
