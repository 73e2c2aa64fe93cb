//! Tests how the fields of requests and responses are read: lists, dates,
//! Cache-Control and its targeted form, Age, negotiation, preconditions,
//! hop-by-hop fields.

use edgekeep::http::cache_control::{CacheControl, age};
use edgekeep::http::fields::{Fields, strip_hop_by_hop};
use edgekeep::http::{accept, conditional, date, list};
use testkit::controls::{fields, words};

#[test]
fn cache_control_is_read() {
    #[track_caller]
    fn check(value: &str, expected: &str) {
        let mut one = Fields::new();
        one.add("cache-control", value);
        assert_eq!(words(&CacheControl::of(&one)), expected, "{value}");
    }
    check("", "");
    check("max-age=60", "max-age=60");
    check("MAX-AGE=60, S-MaxAge=70", "max-age=60 s-maxage=70");
    check("Private, NO-STORE", "no-store private");
    check("public,max-age=0", "max-age=0 public");
    check(
        "public, must-revalidate, proxy-revalidate",
        "public must-revalidate proxy-revalidate",
    );
    check("stale-while-revalidate=5, stale-if-error=6", "swr=5 sie=6");
    check("no-cache", "no-cache");
    // Field names in quotes: the response may be stored without these fields
    // (RFC 9111 §5.2.2.4 and §5.2.2.7). With any other argument, it may not be
    // stored.
    check("no-cache=\"set-cookie\"", "");
    check("private=\"x-a, x-b\", max-age=1", "max-age=1");
    check("private=\"max-age=5\"", "max-age=0 private");
    check("private=x-a, max-age=1", "max-age=1 private");
    check("foo=\"private, no-store\", max-age=1", "max-age=1");
    check("foo=\"a\\\", no-store\", max-age=1", "max-age=1");
    // §5.2: both forms of an argument.
    check("max-age=\"60\"", "max-age=60");
    check("max-age=\"6\\0\"", "max-age=60");
    // §4.2.1: the first of several counts.
    check("max-age=60, max-age=5", "max-age=60");
    check("max-age=5, max-age=60", "max-age=5");
    check("max-age=x, max-age=60", "max-age=0");
    // §5.2.3: unknown directives are ignored.
    check("immutable, max-age=60, foo, bar=1, =, ==", "max-age=60");
    check("max-age-not=60, xmax-age=1, no-storage", "");
    check("max-stale=9, min-fresh=9, only-if-cached", "");
    check(",,, ,max-age=60 ,, ,", "max-age=60");
    check("\t max-age=60 \t,\tpublic", "max-age=60 public");
    check("max-age=60;public", "max-age=0");
    // §1.2.2: a number that is too large becomes the largest.
    check("max-age=2147483648", "max-age=2147483648");
    check("max-age=2147483649", "max-age=2147483648");
    check("max-age=99999999999999999999999999", "max-age=2147483648");
    check("max-age=000000000000000000000000060", "max-age=60");
    // §4.2.1: invalid freshness information is stale.
    check("max-age", "max-age=0");
    check("max-age=", "max-age=0");
    check("max-age=\"\"", "max-age=0");
    check("max-age=\"", "max-age=0");
    check("max-age=-1", "max-age=0");
    check("max-age=+60", "max-age=0");
    check("max-age=1.5", "max-age=0");
    check("max-age=1e3", "max-age=0");
    check("max-age=0x10", "max-age=0");
    check("max-age=60 70", "max-age=0");
    check("max-age='60'", "max-age=0");
    check("max-age=٣", "max-age=0");
    check("s-maxage=x, max-age=60", "max-age=60 s-maxage=0");
    check("stale-while-revalidate", "swr=0");
    check("stale-if-error=soon", "sie=0");
    // A flag with an argument counts as the flag.
    check("no-store=0", "no-store");
    check("must-revalidate=1", "must-revalidate");
}

#[test]
fn cache_control_lines_are_combined() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(words(&CacheControl::of(&fields(text))), expected, "{text}");
    }
    check("", "");
    check(
        "Cache-Control: max-age=1 | cache-control: public",
        "max-age=1 public",
    );
    check(
        "cache-control: max-age=1 | cache-control: max-age=2",
        "max-age=1",
    );
    check(
        "cache-control: foo=\" | cache-control: no-store",
        "no-store",
    );
    check("pragma: no-cache", "");
    check("x-cache-control: no-store", "");
}

#[test]
fn targeted_field_with_any_error_is_ignored() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let value = fields(text).joined("cdn-cache-control");
        let found = value.and_then(|value| CacheControl::of_dictionary(&value));
        let found = found.map(|c| words(&c));
        assert_eq!(found.as_deref(), expected, "{text}");
    }
    check("", None);
    check("cache-control: max-age=1", None);
    check("cdn-cache-control: max-age=1", Some("max-age=1"));
    check(
        "CDN-Cache-Control: no-store, private",
        Some("no-store private"),
    );
    check(
        "cdn-cache-control: max-age=1;a=b, public;c",
        Some("max-age=1 public"),
    );
    check(
        "cdn-cache-control: max-age=1 | cdn-cache-control: public",
        Some("max-age=1 public"),
    );
    // RFC 9651 §3.2: the last of several counts.
    check("cdn-cache-control: max-age=1, max-age=2", Some("max-age=2"));
    check("cdn-cache-control: no-store=?1", Some("no-store"));
    check(
        "cdn-cache-control: no-store=?0, max-age=1",
        Some("max-age=1"),
    );
    check("cdn-cache-control: private=\"x-a\"", Some("private"));
    check("cdn-cache-control: foo=(1 2), max-age=1", Some("max-age=1"));
    check("cdn-cache-control: foo", Some(""));
    check("cdn-cache-control: max-age=-5", Some("max-age=0"));
    check(
        "cdn-cache-control: max-age=999999999999999",
        Some("max-age=2147483648"),
    );
    // RFC 9213 §2.1: a field that is empty or has an error is ignored.
    for value in [
        "",
        " ",
        ",",
        "max-age=1,",
        "max-age=1,, public",
        "max-age=",
        "max-age=1 public",
        "MAX-AGE=1",
        "Private",
        "max-age =1",
        "max-age=1, \"",
        "private=\"x",
        "max-age=9999999999999999",
        "max-age=1;",
        "no-store, é",
        "no-store, 1a",
        "foo=(1 2, max-age=1",
    ] {
        check(&format!("cdn-cache-control: {value}"), None);
    }
}

#[test]
fn age_is_parsed_and_invalid_age_is_zero() {
    #[track_caller]
    fn check(text: &str, expected: u64) {
        assert_eq!(age(&fields(text)), expected, "{text}");
    }
    check("", 0);
    check("age: 0", 0);
    check("age: 60", 60);
    check("Age:  60 ", 60);
    check("age: 060", 60);
    check("age: -1", 0);
    check("age: +1", 0);
    check("age: 1.5", 0);
    check("age: old", 0);
    check("age: 60 seconds", 0);
    check("age: 99999999999999999999", 2_147_483_648);
    // RFC 9111 §5.1: the first member.
    check("age: 10, 20", 10);
    check("age: 10 | age: 20", 10);
    check("age: x | age: 20", 0);
}

#[test]
fn quoted_age_is_invalid() {
    // RFC 9111 §5.1: a non-negative integer, not a quoted one.
    assert_eq!(age(&fields("age: \"60\"")), 0);
}

#[test]
fn lists_split_outside_quotes() {
    #[track_caller]
    fn check(value: &str, expected: &[&str]) {
        assert_eq!(
            list::members(value).collect::<Vec<_>>(),
            expected,
            "{value}"
        );
    }
    check("", &[]);
    check(",", &[]);
    check(" , ,\t,", &[]);
    check("a", &["a"]);
    check("a,b", &["a", "b"]);
    check(" a ,\tb\t, c ", &["a", "b", "c"]);
    check("a b, c", &["a b", "c"]);
    check("\"a,b\",c", &["\"a,b\"", "c"]);
    check("a=\"b,c\";d, e", &["a=\"b,c\";d", "e"]);
    check(r#""a\",b",c"#, &[r#""a\",b""#, "c"]);
    check(r#""a\\",b"#, &[r#""a\\""#, "b"]);
    // An unclosed quote runs to the end.
    check("a, \"b, c", &["a", "\"b, c"]);
    check("a\\, b", &["a\\", "b"]);
    check("é,ü", &["é", "ü"]);
    check("\"é,\",ü", &["\"é,\"", "ü"]);
    // Whitespace is SP and HTAB (RFC 9110 §5.6.3), nothing else.
    check("\u{a0}a\u{a0},b", &["\u{a0}a\u{a0}", "b"]);
}

#[test]
fn quoted_strings_are_unquoted() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(list::unquote(text), expected, "{text}");
    }
    check("", "");
    check("a", "a");
    check("\"a\"", "a");
    check("\"\"", "");
    check("\"", "\"");
    check("\"a", "\"a");
    check("a\"", "a\"");
    check(r#""a\"b""#, "a\"b");
    check(r#""a\\b""#, "a\\b");
    check(r#""\a""#, "a");
    check(r#""é\ü""#, "éü");
}

#[test]
fn accept_encoding_is_normalized() {
    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(accept::encoding(Some(value)), expected, "{value}");
        assert_eq!(accept::encoding(Some(expected)), expected, "twice: {value}");
    }
    assert_eq!(accept::encoding(None), "identity");
    check("", "identity");
    check("identity", "identity");
    check("deflate, compress", "identity");
    check("gzip", "gzip");
    check("GZip", "gzip");
    check("x-gzip", "gzip");
    check("gzip, deflate, br", "br, gzip");
    check("br,gzip", "br, gzip");
    check("zstd, br, gzip", "br, gzip, zstd");
    check("gzip;q=1.0, br;q=0.5", "br, gzip");
    check("gzip;q=0", "identity");
    check("gzip;q=0.0, br", "br");
    check("gzip;q=0.000, br", "br");
    check("gzip;q=0.001", "gzip");
    check("gzip;Q=0", "identity");
    check("gzip ; q=0 , br", "br");
    // RFC 9110 §12.5.3: `*` is every coding that is not named.
    check("*", "br, gzip, zstd");
    check("*;q=0", "identity");
    check("*, gzip;q=0", "br, zstd");
    check("gzip, *;q=0", "gzip");
    check("identity;q=0, *", "br, gzip, zstd");
    check("gzip;foo=0", "gzip");
    check("gzipped, brotli", "identity");
    check(",, gzip ,,", "gzip");
}

#[test]
fn preconditions_are_evaluated() {
    const MONDAY: &str = "Mon, 23 Nov 2026 09:00:00 GMT";
    const TUESDAY: &str = "Tue, 24 Nov 2026 09:00:00 GMT";
    #[track_caller]
    fn check(request: &str, stored: &str, expected: bool) {
        let found = conditional::not_modified(&fields(request), &fields(stored));
        assert_eq!(found, expected, "{request} to {stored}");
    }
    check("", "etag: \"a\"", false);
    check("if-none-match: \"a\"", "etag: \"a\"", true);
    check("if-none-match: \"b\"", "etag: \"a\"", false);
    check("if-none-match: \"A\"", "etag: \"a\"", false);
    check("if-none-match: a", "etag: \"a\"", false);
    check("if-none-match: \"a\"", "", false);
    check("if-none-match: ", "etag: \"a\"", false);
    // RFC 9110 §13.1.2: compared weakly.
    check("if-none-match: W/\"a\"", "etag: \"a\"", true);
    check("if-none-match: \"a\"", "etag: W/\"a\"", true);
    check("if-none-match: W/\"a\"", "etag: W/\"a\"", true);
    check("if-none-match: w/\"a\"", "etag: \"a\"", false);
    check("if-none-match: \"x\", \"a\"", "etag: \"a\"", true);
    check(
        "if-none-match: \"x\" | if-none-match: \"a\"",
        "etag: \"a\"",
        true,
    );
    check("if-none-match: \"a,b\"", "etag: \"a,b\"", true);
    check("if-none-match: \"a,b\"", "etag: \"a\"", false);
    check("if-none-match: *", "etag: \"a\"", true);
    check("if-none-match: *", "", true);
    check("if-none-match: \"*\"", "etag: \"a\"", false);
    let since = |date: &str| format!("if-modified-since: {date}");
    let modified = |date: &str| format!("last-modified: {date}");
    check(&since(MONDAY), &modified(MONDAY), true);
    check(&since(TUESDAY), &modified(MONDAY), true);
    check(&since(MONDAY), &modified(TUESDAY), false);
    check(&since(MONDAY), "", false);
    check(&since("yesterday"), &modified(MONDAY), false);
    check(
        &since("Monday, 23-Nov-26 09:00:00 GMT"),
        &modified(MONDAY),
        true,
    );
    check(&since(MONDAY), "last-modified: never", false);
    // RFC 9111 §4.3.2: without Last-Modified, Date is used.
    check(&since(MONDAY), &format!("date: {MONDAY}"), true);
    check(&since(MONDAY), &format!("date: {TUESDAY}"), false);
    // Only for a stored response (RFC 9110 §13.1.3).
    let now = |at: &str| conditional::not_modified_now(&fields(&since(MONDAY)), &fields(at));
    assert!(!now(&format!("date: {MONDAY}")) && now(&modified(MONDAY)));
    check(
        &since(MONDAY),
        &format!("{} | date: {TUESDAY}", modified(MONDAY)),
        true,
    );
    // RFC 9110 §13.2.2: the entity tag decides alone.
    let both = |tag: &str| format!("if-none-match: {tag} | {}", since(TUESDAY));
    let stored = format!("etag: \"a\" | {}", modified(MONDAY));
    check(&both("\"b\""), &stored, false);
    check(&both("\"a\""), &stored, true);
    check(&both("\"b\""), &modified(MONDAY), false);
}

#[test]
fn if_modified_since_with_several_dates_is_ignored() {
    // RFC 9110 §13.1.3.
    const MONDAY: &str = "Mon, 23 Nov 2026 09:00:00 GMT";
    let stored = fields(&format!("last-modified: {MONDAY}"));
    let one = format!("if-modified-since: {MONDAY}");
    assert!(conditional::not_modified(&fields(&one), &stored));
    let two = fields(&format!("{one} | {one}"));
    assert!(!conditional::not_modified(&two, &stored));
}

#[test]
fn hop_by_hop_fields_are_stripped() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut found = fields(text);
        strip_hop_by_hop(&mut found);
        assert_eq!(found, fields(expected), "{text}");
    }
    check("", "");
    check("a: 1 | b: 2 | a: 3", "a: 1 | b: 2 | a: 3");
    for name in ["Connection", "Keep-Alive", "TE", "Trailer", "Upgrade"] {
        check(&format!("a: 1 | {name}: x | b: 2"), "a: 1 | b: 2");
    }
    for name in [
        "Transfer-Encoding",
        "Proxy-Authorization",
        "Proxy-Authenticate",
    ] {
        check(&format!("a: 1 | {name}: x | b: 2"), "a: 1 | b: 2");
    }
    check("Proxy-Connection: keep-alive | Proxy-Anything: 1", "");
    // RFC 9110 §7.6.1: also the fields that Connection names.
    check("connection: close, X-A | x-a: 1 | x-b: 2", "x-b: 2");
    check(
        "x-a: 1 | connection: x-a | connection: ,X-B, | x-b: 2 | c: 3",
        "c: 3",
    );
    check("connection: | a: 1", "a: 1");
    check("connection: \"x-a\" | x-a: 1", "x-a: 1");
    check(
        "proximity: 1 | te-x: 2 | upgrade-insecure-requests: 1",
        "proximity: 1 | te-x: 2 | upgrade-insecure-requests: 1",
    );
}

#[test]
fn dates_are_read_and_printed() {
    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(date::parse(text), expected, "{text}");
    }
    check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
    check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
    check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
    check(" Sun, 06 Nov 1994 08:49:37 GMT ", Some(784_111_777));
    check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
    check("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800));
    check("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799));
    for text in [
        "",
        "0",
        "-1",
        "now",
        "784111777",
        "1994-11-06T08:49:37Z",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Fri, 29 Feb 2025 00:00:00 GMT",
        "Sat, 31 Feb 2026 00:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT and more",
        "Sün, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994",
    ] {
        check(text, None);
    }
    assert_eq!(date::print(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(date::print(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(date::print_rfc3339(784_111_777_999), "1994-11-06T08:49:37Z");
    assert_eq!(date::print_rfc3339(0), "1970-01-01T00:00:00Z");
    assert_eq!(
        date::print_rfc3339(1_709_164_800_000),
        "2024-02-29T00:00:00Z"
    );
    assert_eq!(date::print_rfc3339(951_782_400_000), "2000-02-29T00:00:00Z");
    assert_eq!(date::print_rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
}

#[test]
fn printed_date_parses_to_the_same_time() {
    let mut random = fastrand::Rng::with_seed(9110);
    for _ in 0..5000 {
        let seconds = random.u64(0..253_402_300_800);
        let text = date::print(seconds);
        assert_eq!(date::parse(&text), Some(seconds), "{text}");
        // `Sun, 06 Nov 1994 08:49:37 GMT` beside `1994-11-06T08:49:37Z`.
        let ours = date::print_rfc3339(seconds * 1000);
        let same = [(5..7, 8..10), (12..16, 0..4), (17..25, 11..19)];
        for (fixdate, rfc3339) in same {
            assert_eq!(text[fixdate], ours[rfc3339], "{text} {ours}");
        }
    }
}

#[test]
fn cloned_fields_share_the_text_that_was_read() {
    let read = Fields::from_text("cookie\na=1\nvia\na");
    let mut copy = read.clone();
    copy.add("via", "edgekeep");
    copy.remove("missing");
    copy.set("x-forwarded-proto", "https");
    let at = |fields: &Fields| fields.get("cookie").map(str::as_ptr);
    assert_eq!(at(&copy), at(&read));
    assert_eq!(
        copy.to_text(),
        "cookie\na=1\nvia\na\nvia\nedgekeep\nx-forwarded-proto\nhttps"
    );
    assert_eq!(read.to_text(), "cookie\na=1\nvia\na");
}
