//! Tests of variants: which requests share one. RFC 9110 §12.4.2 (weights),
//! §12.5.1 (Accept), §12.5.3 (Accept-Encoding), §12.5.4 (Accept-Language),
//! §12.5.5 (Vary); RFC 9111 §4.1 (selection by Vary).

use edgekeep::cache::key::variant::{choices, choosing_fields, fits, value, variant_text};
use edgekeep::cache::policy::storability::{ResponseDecision, decide_response};
use edgekeep::http::accept;
use edgekeep::http::fields::Fields;
use serde_json::json;
use testkit::given::{exchange, head, lookup};

fn fields(text: &str) -> Fields {
    let lines = text.split(" | ").filter(|line| !line.is_empty());
    lines
        .map(|line| line.split_once(':').expect("name: value"))
        .map(|(name, value)| (name, value.strip_prefix(' ').unwrap_or(value)))
        .collect()
}

#[test]
fn negotiation_fields_are_ranked() {
    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(accept::ranked(value), expected, "{value}");
        assert_eq!(accept::ranked(expected), expected, "twice: {value}");
    }
    check("", "");
    check(" , ,", "");
    check("en", "en");
    // Members keep their spelling, because applications may compare it.
    check("EN-gb", "EN-gb");
    check("de-DE-1996, zh-Hant-TW", "de-DE-1996, zh-Hant-TW");
    // RFC 9110 §12.4.2: only the order of weights matters.
    check("EN-gb,  en;q=0.5", "EN-gb, en;q=0.9");
    check("en ; q=0.5 ,de", "de, en;q=0.9");
    check("de;q=0.4, en", "en, de;q=0.9");
    check("de;q=0.8, en;q=0.9", "en, de;q=0.9");
    check("de;q=0.001, en;q=0.002", "en, de;q=0.9");
    check(
        "a, b;q=0.9, c;q=0.5, d;q=0.1",
        "a, b;q=0.9, c;q=0.8, d;q=0.7",
    );
    check(
        "d;q=0.1, c;q=0.5, b;q=0.9, a",
        "a, b;q=0.9, c;q=0.8, d;q=0.7",
    );
    // Equal weights keep their order, because applications use the first.
    check("de, en", "de, en");
    check("en, de", "en, de");
    check("nl, en", "nl, en");
    check(
        "application/json, text/plain, */*",
        "application/json, text/plain, */*",
    );
    check("*/*, text/html", "*/*, text/html");
    check("en;q=1, de;q=1.0, fr;q=1.000", "en, de, fr");
    check(
        "en;q=0.5, de;q=0.50, fr;q=0.500, nl",
        "nl, en;q=0.9, de;q=0.9, fr;q=0.9",
    );
    check("a, c;q=0.5, b;q=0.5", "a, c;q=0.9, b;q=0.9");
    check("z;q=0.5, y, x;q=0.5, w", "y, w, z;q=0.9, x;q=0.9");
    // Duplicates are merged.
    check("en, en", "en");
    check("en, de, en", "en, de");
    check("en, EN ;Q=1", "en, EN");
    check("en, de, en;q=0.5", "en, de, en;q=0.9");
    // A weight of 0 is a refusal.
    check("en;q=0", "en;q=0");
    check("en;q=0.000, de", "de, en;q=0");
    check("*;q=0, en;q=0.1", "en, *;q=0");
    check("a;q=0, b;q=0", "a;q=0, b;q=0");
    // A missing weight counts as 1, and so does an invalid one.
    check("en;q=2, de;q=0.5", "en, de;q=0.9");
    check("en;q=x, de", "en, de");
    check("en;q=, de;q=-1", "en, de");
    check("en;q=0.1234, de;q=0.123", "en, de");
    // Other parameters are part of the name (§12.5.1).
    check(
        "text/html,application/xml;q=0.9,*/*;q=0.8",
        "text/html, application/xml;q=0.9, */*;q=0.8",
    );
    check(
        "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5",
        "text/plain;format=flowed, text/plain;q=0.9, */*;q=0.8, text/plain;format=fixed;q=0.7, text/*;q=0.6",
    );
    check(
        "text/html;Level=1 ; Q=0.5, a/b",
        "a/b, text/html;Level=1;q=0.9",
    );
    check(
        "Application/LD+json; Profile=\"https://a.test/Ns#X\"; Q=1",
        "Application/LD+json;Profile=\"https://a.test/Ns#X\"",
    );
    check(
        "multipart/mixed; boundary=AbC, a/b;v=B, a/b;v=b",
        "multipart/mixed;boundary=AbC, a/b;v=B, a/b;v=b",
    );
    check("a;b=\"x, y; z\";q=0.5, c", "c, a;b=\"x, y; z\";q=0.9");
    check("audio/*; q=0.2, audio/basic", "audio/basic, audio/*;q=0.9");
    check("da, en-gb;q=0.8, en;q=0.7", "da, en-gb;q=0.9, en;q=0.8");
    check(
        "a;q=0.9, b;q=0.8, c;q=0.7, d;q=0.6, e;q=0.5, f;q=0.4, g;q=0.3, h;q=0.2, i;q=0.1",
        "a, b;q=0.9, c;q=0.8, d;q=0.7, e;q=0.6, f;q=0.5, g;q=0.4, h;q=0.3, i;q=0.2",
    );
}

#[test]
fn ranking_is_idempotent() {
    #[track_caller]
    fn check(value: &str) {
        let once = accept::ranked(value);
        assert_eq!(accept::ranked(&once), once, "{value}");
    }
    let many: Vec<String> = (0..20)
        .map(|at| format!("l{};q=0.{}", 40 - at, 50 - at))
        .collect();
    check(&many.join(", "));
    check("a, ;q=0.5, b;q=0.4");
    check(";q=0.5, b;q=0.4");
    check("q=0, b;q=0.4");
}

#[test]
fn accept_encoding_lists_supported_codings() {
    // RFC 9110 §12.5.3; more rows are in field_tables.
    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(accept::encoding(Some(value)), expected, "{value}");
    }
    check("compress, gzip", "gzip");
    check("", "identity");
    check("*", "br, gzip, zstd");
    check("compress;q=0.5, gzip;q=1.0", "gzip");
    check("gzip;q=1.0, identity; q=0.5, *;q=0", "gzip");
    check("br;q=1, gzip;q=0.2, zstd;q=0.001", "br, gzip, zstd");
    check("*;q=0.5, br;q=0", "gzip, zstd");
    check("br;q=0, *", "gzip, zstd");
    check("gzip, gzip;q=0", "identity");
    check("identity;q=0", "identity");
    check("X-GZIP, x-br", "br, gzip");
    check("dcb, dcz, br", "br");
}

#[test]
fn vary_is_parsed_in_any_form() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let found = choosing_fields(&fields(text)).ok();
        let found = found.map(|names| names.join(" "));
        assert_eq!(found.as_deref(), expected, "{text}");
    }
    // RFC 9110 §12.5.5: a list of case-insensitive names.
    check("", Some(""));
    check("vary:", Some(""));
    check("vary: ,, ,", Some(""));
    check("vary: X-A", Some("x-a"));
    check("vary: X-B, x-a,X-C", Some("x-a x-b x-c"));
    check("vary: x-a, X-A, x-A", Some("x-a"));
    check("vary:\tx-a\t,\tx-b", Some("x-a x-b"));
    check("vary: x-a | vary: x-b", Some("x-a x-b"));
    check("Vary: x-a | VARY: x-a, x-b | vary:", Some("x-a x-b"));
    // `*` anywhere matches no request (RFC 9111 §4.1).
    check("vary: *", None);
    check("vary:  * ", None);
    check("vary: *, x-a", None);
    check("vary: x-a, *", None);
    check("vary: x-a,*,x-b", None);
    check("vary: x-a | vary: *", None);
    check("vary: * | vary: x-a", None);
    check("vary: x-a | vary: x-b, *", None);
    check("vary: *, *", None);
    check("vary: x-*", None);
    check("vary: \"*\"", None);
    check("varying: *", Some(""));
}

/// Whether a response to the first request may be used for the second.
#[track_caller]
fn check_fit(vary: &str, stored: &str, asked: &str, expected: bool) {
    let names = choosing_fields(&fields(vary)).expect(vary);
    let stored_choices = choices(&names, &|name| value(name, &fields(stored)));
    let fit = fits(&stored_choices, &|name| value(name, &fields(asked)));
    assert_eq!(fit, expected, "{vary}: {stored} for {asked}");
    let request_choices = choices(&names, &|name| value(name, &fields(asked)));
    let same = variant_text(&stored_choices) == variant_text(&request_choices);
    assert_eq!(same, expected, "{vary}: {stored} for {asked}");
}

#[test]
fn equivalent_requests_share_a_variant() {
    let check = |vary: &str, stored: &str, asked: &str| check_fit(vary, stored, asked, true);
    // RFC 9111 §4.1: whitespace, and lists over several lines.
    check("vary: x-a", "x-a: 1", "x-a: 1");
    check("vary: x-a", "x-a: 1", "x-a:  1 ");
    check("vary: x-a", "x-a: 1, 2", "x-a: 1,2");
    check("vary: x-a", "x-a: 1, 2", "x-a: 1 | x-a: 2");
    check("vary: x-a", "x-a: 1 | x-a: 2", "x-a: 1 ,\t2");
    check("vary: x-a", "x-a: 1 | x-b: 2", "x-b: 3 | x-a: 1");
    check("vary: x-a", "x-a: \"1, 2\"", "x-a: \"1, 2\"");
    check("vary: x-a", "", "x-b: 1");
    check("vary: X-A", "x-a: 1", "X-a: 1");
    check(
        "vary: x-a | vary: x-b",
        "x-a: 1 | x-b: 2",
        "x-b: 2 | x-a: 1",
    );
    check(
        "vary: accept-language",
        "accept-language: en, de;q=0.5",
        "accept-language: de;q=0.1,en",
    );
    check(
        "vary: accept-language",
        "accept-language: en, de",
        "accept-language: en | accept-language: de",
    );
    check(
        "vary: accept",
        "accept: text/html, */*;q=0.8",
        "accept: */*;q=0.1 , text/html;q=1",
    );
    check(
        "vary: accept-encoding",
        "accept-encoding: gzip, deflate, br",
        "accept-encoding: br;q=0.9, GZIP",
    );
    check(
        "content-encoding: br",
        "accept-encoding: br",
        "accept-encoding: deflate, br",
    );
}

#[test]
fn different_requests_have_different_variants() {
    let check = |vary: &str, stored: &str, asked: &str| {
        check_fit(vary, stored, asked, false);
        check_fit(vary, asked, stored, false);
    };
    check("vary: x-a", "x-a: 1", "x-a: 2");
    check("vary: x-a", "x-a: a", "x-a: A");
    check("vary: x-a", "x-a: 1, 2", "x-a: 2, 1");
    check("vary: x-a", "x-a: 1", "x-a: 1, 1");
    check("vary: x-a", "x-a: 1 2", "x-a: 1  2");
    check("vary: x-a", "x-a: \"1, 2\"", "x-a: \"1,2\"");
    // RFC 9111 §4.1: an absent field matches only an absent one.
    check("vary: x-a", "x-a: 1", "");
    check("vary: x-a", "x-a:", "");
    check("vary: x-a, x-b", "x-a: 1", "x-a: 1 | x-b: 1");
    check("vary: x-a, x-b", "x-a: 1", "x-b: 1");
    check(
        "vary: x-a | vary: x-b",
        "x-a: 1 | x-b: 2",
        "x-a: 1 | x-b: 3",
    );
    check(
        "vary: accept-language",
        "accept-language: en, de;q=0.5",
        "accept-language: de, en;q=0.5",
    );
    // The origin may respond differently to values that differ: some
    // applications use the first of several, or the spelling.
    check(
        "vary: accept-language",
        "accept-language: nl, en",
        "accept-language: en, nl",
    );
    check(
        "vary: accept-language",
        "accept-language: nl, en",
        "accept-language: NL, en",
    );
    check(
        "vary: accept",
        "accept: a/b;profile=\"X\"",
        "accept: a/b;profile=\"x\"",
    );
    check(
        "vary: accept-language",
        "accept-language: en",
        "accept-language: en, de;q=0",
    );
    check(
        "vary: accept-encoding",
        "accept-encoding: gzip",
        "accept-encoding: br",
    );
    check(
        "content-encoding: br",
        "accept-encoding: br",
        "accept-encoding: gzip",
    );
    check(
        "vary: user-agent",
        "user-agent: a (b, c)",
        "user-agent: a (b; c)",
    );
}

#[test]
fn variant_is_selected_by_fields_sent_to_the_origin() {
    #[track_caller]
    fn check(request: &str, vary: &str, expected: &str) {
        let lookup = lookup(&json!({ "forward_headers": ["*"] }), request);
        let answer = head(&format!("200 | cache-control: max-age=60 | {vary}"));
        let found = match decide_response(&exchange(&lookup, None, false), Ok(&answer)) {
            ResponseDecision::Store(entry) => variant_text(&entry.choices).replace('\n', ";"),
            ResponseDecision::Forward(reason) => reason.word().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{request}, {vary}");
    }
    check("GET", "vary:", "");
    check("GET", "vary: x-a", "x-a;");
    check("GET | X-A: 1", "vary: x-a", "x-a=1;");
    check("GET | X-A: ", "vary: x-a", "x-a=;");
    check("GET | X-A: 1 | X-A: 2", "vary: X-B, X-A", "x-a=1, 2;x-b;");
    check(
        "GET | Accept-Encoding: deflate",
        "vary: accept-encoding",
        "accept-encoding=identity;",
    );
    check(
        "GET | Accept: b;q=0.2, a",
        "vary: accept | vary: x-a",
        "accept=a, b;q=0.9;x-a;",
    );
    check("GET | X-A: 1", "vary: x-a, *", "vary");
    check("GET", "vary: x-a | vary: *", "vary");
    // Connection fields never reach the origin.
    check("GET | TE: trailers", "vary: te", "te;");
}
