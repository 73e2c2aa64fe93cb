//! Tests of range requests: the parts that they select, and when a part may be
//! sent. RFC 9110 §14.1.1 and §14.1.2 (range sets), §14.2 (Range), §13.1.5
//! (If-Range), §14.4 and §15.5.17 (responses), §14.6 (several parts).

use edgekeep::cache::policy::reuse::Age;
use edgekeep::cache::request::classify::Lookup;
use edgekeep::flow::response::reply::{Answer, BodyPiece, Client, Content, from_entry};
use edgekeep::http::fields::Fields;
use edgekeep::http::range::{self, ByteRange, Ranges, if_range_holds, resolve};
use serde_json::json;
use testkit::given::{lookup, stored};

/// `whole`, `none`, or the parts as `first-last`, separated by spaces.
fn words(ranges: &Ranges) -> String {
    match ranges {
        Ranges::Whole => "whole".to_owned(),
        Ranges::Unsatisfiable => "none".to_owned(),
        Ranges::Parts(parts) => parts
            .iter()
            .map(|part| format!("{}-{}", part.first, part.last))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[track_caller]
fn check_of(length: u64, range: &str, expected: &str) {
    assert_eq!(words(&resolve(range, length)), expected, "{range}");
}

#[test]
fn satisfiable_ranges_are_clipped_to_the_body() {
    #[track_caller]
    fn check(range: &str, expected: &str) {
        check_of(10, range, expected);
    }
    // A single range (RFC 9110 §14.1.2).
    check("bytes=0-0", "0-0");
    check("bytes=0-4", "0-4");
    check("bytes=5-9", "5-9");
    check("bytes=9-9", "9-9");
    check("bytes=0-9", "0-9");
    check("bytes=0-", "0-9");
    check("bytes=9-", "9-9");
    check("bytes=5-10", "5-9");
    check("bytes=5-999", "5-9");
    check("bytes=007-008", "7-8");
    // A suffix.
    check("bytes=-1", "9-9");
    check("bytes=-10", "0-9");
    check("bytes=-11", "0-9");
    check("bytes=-999", "0-9");
    // Several.
    check("bytes=0-1,4-5", "0-1 4-5");
    check("bytes=0-0,-1", "0-0 9-9");
    check("bytes=0-1,3-4,6-", "0-1 3-4 6-9");
    check("bytes=0-4,5-9", "0-4 5-9");
    check("bytes=0-1, 3-4 ,\t6-7", "0-1 3-4 6-7");
    // Of several, those within the body.
    check("bytes=0-1,10-", "0-1");
    check("bytes=10-,-1", "9-9");
    check("bytes=-0,2-3", "2-3");
    // §14.1: names of units are case-insensitive. §5.6.1.2: empty members are
    // ignored.
    check("Bytes=0-1", "0-1");
    check("BYTES=-1", "9-9");
    check("bytes=,0-1,,", "0-1");
    check("bytes= 0-1 ", "0-1");
}

#[test]
fn range_outside_the_body_is_unsatisfiable() {
    #[track_caller]
    fn check(range: &str) {
        check_of(10, range, "none");
    }
    check("bytes=10-");
    check("bytes=10-10");
    check("bytes=10-20");
    check("bytes=-0");
    check("bytes=-000");
    check("bytes=10-,20-30");
    check("bytes=99999999999999999999-");
    check("bytes=18446744073709551615-");
    check_of(0, "bytes=0-", "none");
    check_of(0, "bytes=0-0", "none");
    check_of(0, "bytes=-0", "none");
}

#[test]
fn invalid_or_overlapping_ranges_are_ignored() {
    #[track_caller]
    fn check(range: &str) {
        check_of(10, range, "whole");
    }
    // §14.1.1: invalid sets.
    check("");
    check("bytes");
    check("bytes=");
    check("bytes=,");
    check("bytes=-");
    check("bytes=1");
    check("bytes=a-b");
    check("bytes=1-b");
    check("bytes=a-1");
    check("bytes=5-4");
    check("bytes=9-0");
    check("bytes=0-1,5-4");
    check("bytes=0-1,x");
    check("bytes=--1");
    check("bytes=1--2");
    check("bytes=+1-2");
    check("bytes=0x1-2");
    check("bytes=1.5-2");
    check("bytes=0-1;2-3");
    check("bytes=0-1 3-4");
    check("bytes=\"0-1\"");
    check("bytes=٣-4");
    check("bytes:0-1");
    check("0-1");
    check("=0-1");
    // §14.2: other units.
    check("seconds=0-1");
    check("bytesx=0-1");
    check("items=0-1,bytes=0-1");
    // §14.2 allows a server to ignore ranges that overlap or do not ascend, and
    // warns of many.
    check("bytes=0-5,3-8");
    check("bytes=0-5,5-8");
    check("bytes=0-,-1");
    check("bytes=5-6,0-1");
    check("bytes=0-1,0-1");
}

#[test]
fn huge_numbers_do_not_overflow() {
    const HUGE: &str = "99999999999999999999999999";
    check_of(10, &format!("bytes=0-{HUGE}"), "0-9");
    check_of(10, &format!("bytes=-{HUGE}"), "0-9");
    check_of(10, &format!("bytes={HUGE}-{HUGE}"), "none");
    check_of(10, &format!("bytes=0-1,{HUGE}-"), "0-1");
    let last = u64::MAX - 1;
    check_of(u64::MAX, "bytes=0-", &format!("0-{last}"));
    check_of(u64::MAX, "bytes=-1", &format!("{last}-{last}"));
    let all = ByteRange {
        first: 0,
        last: u64::MAX,
    };
    assert_eq!(all.length(), u64::MAX);
    assert_eq!(ByteRange { first: 3, last: 3 }.length(), 1);
}

#[test]
fn over_16_ranges_select_the_whole_body() {
    let set = |count: usize| {
        let parts: Vec<String> = (0..count).map(|at| format!("{0}-{0}", at * 2)).collect();
        format!("bytes={}", parts.join(","))
    };
    let sixteen = words(&resolve(&set(16), 1000));
    assert_eq!(sixteen.split(' ').count(), 16, "{sixteen}");
    check_of(1000, &set(17), "whole");
    check_of(1000, &set(500), "whole");
    // Ranges outside of the body count too.
    check_of(1, &set(17), "whole");
    check_of(1, &set(16), "0-0");
}

#[test]
fn suffix_range_of_an_empty_body_selects_the_whole() {
    // RFC 9110 §14.1.2: a suffix of a length above 0 is satisfiable for every
    // body; but an empty body has no part to send.
    check_of(0, "bytes=-1", "whole");
    check_of(0, "bytes=-99", "whole");
}

#[test]
fn asks_for_part_is_false_for_whole_body_and_other_units() {
    #[track_caller]
    fn check(range: &str, expected: bool) {
        assert_eq!(range::asks_for_part(range), expected, "{range}");
    }
    check("bytes=0-", false);
    check("Bytes= 0- ", false);
    check("bytes=0-9", true);
    check("bytes=1-", true);
    check("bytes=-0", true);
    check("bytes=0-,5-", true);
    check("items=0-", false);
    check("0-", false);
}

const MONDAY: &str = "Mon, 23 Nov 2026 08:00:00 GMT";

#[track_caller]
fn check_if_range(request: &str, stored: &str, expected: bool) {
    let fields = |text: &str| -> Fields {
        let lines = text.split(" | ").filter(|line| !line.is_empty());
        lines
            .map(|line| line.split_once(": ").expect("name: value"))
            .collect()
    };
    let found = if_range_holds(&fields(request), &fields(stored));
    assert_eq!(found, expected, "{request} of {stored}");
}

#[test]
fn if_range_requires_an_exact_validator() {
    let check = check_if_range;
    // RFC 9110 §13.1.5.
    check("", "", true);
    check("", "etag: \"a\"", true);
    check("if-range: \"a\"", "etag: \"a\"", true);
    check("if-range:  \"a\" ", "etag: \"a\"", true);
    check("if-range: \"a\"", "etag: \"b\"", false);
    check("if-range: \"a\"", "etag: \"A\"", false);
    check("if-range: \"a\"", "", false);
    // Strong comparison (§8.8.3.2).
    check("if-range: W/\"a\"", "etag: \"a\"", false);
    check("if-range: \"a\"", "etag: W/\"a\"", false);
    check("if-range: W/\"a\"", "etag: W/\"a\"", false);
    // One tag, not a list.
    check("if-range: \"a\", \"b\"", "etag: \"a\"", false);
    check("if-range: *", "etag: \"a\"", false);
    check("if-range: a", "etag: \"a\"", false);
    check("if-range: ", "etag: \"a\"", false);
    // A date must match exactly.
    let sent = "date: Mon, 23 Nov 2026 09:00:00 GMT";
    let modified = format!("last-modified: {MONDAY} | {sent}");
    let date = |text: &str| format!("if-range: {text}");
    check(&date(MONDAY), &modified, true);
    check(&date("Mon, 23 Nov 2026 08:00:01 GMT"), &modified, false);
    check(&date("Mon, 23 Nov 2026 07:59:59 GMT"), &modified, false);
    check(&date("Tue, 24 Nov 2026 08:00:00 GMT"), &modified, false);
    check(&date("never"), &modified, false);
    check(&date(MONDAY), sent, false);
    check(&date(MONDAY), &format!("date: {MONDAY}"), false);
}

#[test]
fn if_range_fails_for_a_date_that_is_a_weak_validator() {
    // RFC 9110 §13.1.5 and §8.8.2.2: a response that was modified in the second
    // in which it was sent may have changed again within it.
    let stored = format!("last-modified: {MONDAY} | date: {MONDAY}");
    check_if_range(&format!("if-range: {MONDAY}"), &stored, false);
}

/// A response's status, Content-Range, length and pieces, as text.
fn answer_text(lookup: &Lookup, entry: &str) -> String {
    let entry = stored(entry);
    let head = from_entry(&entry, lookup, Client::Waiting, Age::default());
    let answer: Answer<()> = head.with(Some(()));
    let content = match &answer.content {
        Content::Empty => "empty".to_owned(),
        Content::Body(()) => "body".to_owned(),
        Content::Text(text) => text.clone(),
        Content::Parts((), pieces) => pieces
            .iter()
            .map(|piece| match piece {
                BodyPiece::Text(text) => format!("{text:?}"),
                BodyPiece::Bytes(part) => format!("{}-{}", part.first, part.last),
            })
            .collect::<Vec<_>>()
            .join(" "),
    };
    let content_range = answer.fields.get("content-range").unwrap_or("-").to_owned();
    let length = answer.length.map_or("-".to_owned(), |n| n.to_string());
    format!("{} {content_range} {length} {content}", answer.status)
}

const TEN: &str =
    "200 | cache-control: max-age=60 | content-length: 10 | content-type: a/b | etag: \"a\"";

#[test]
fn stored_response_is_served_in_part() {
    #[track_caller]
    fn check(request: &str, entry: &str, expected: &str) {
        let lookup = lookup(&json!({}), request);
        assert_eq!(
            answer_text(&lookup, entry),
            expected,
            "{request} of {entry}"
        );
    }
    check("GET", TEN, "200 - 10 body");
    check("GET | Range: bytes=2-4", TEN, "206 bytes 2-4/10 3 2-4");
    check("GET | Range: bytes=-1", TEN, "206 bytes 9-9/10 1 9-9");
    check("GET | Range: bytes=0-", TEN, "206 bytes 0-9/10 10 0-9");
    check("GET | Range: bytes=10-", TEN, "416 bytes */10 0 empty");
    check("GET | Range: nonsense", TEN, "200 - 10 body");
    // §14.2: GET only.
    check("HEAD | Range: bytes=2-4", TEN, "200 - 10 empty");
    // §13.2.2: If-None-Match comes first, then If-Range.
    let both = "GET | Range: bytes=2-4 | If-None-Match: \"a\"";
    check(both, TEN, "304 - - empty");
    let both = "GET | Range: bytes=2-4 | If-None-Match: \"b\"";
    check(both, TEN, "206 bytes 2-4/10 3 2-4");
    let fits = "GET | Range: bytes=2-4 | If-Range: \"a\"";
    check(fits, TEN, "206 bytes 2-4/10 3 2-4");
    let other = "GET | Range: bytes=2-4 | If-Range: \"b\"";
    check(other, TEN, "200 - 10 body");
    let other = "GET | Range: bytes=10- | If-Range: \"b\"";
    check(other, TEN, "200 - 10 body");
    // §14.2: only for a response that would be 200.
    let missing = TEN.replace("200 ", "404 ");
    check("GET | Range: bytes=2-4", &missing, "404 - 10 body");
    // Without a length there is no Content-Range.
    let unknown = TEN.replace(" | content-length: 10", "");
    check("GET | Range: bytes=2-4", &unknown, "200 - - body");
    // §14.6: several parts, each with its own range and type.
    let parts = lookup(&json!({}), "GET | Range: bytes=0-1,4-4");
    let found = answer_text(&parts, TEN);
    let part = |range: &str| {
        format!(
            "\\r\\n--edgekeep-part-4f6c2d9e7b\\r\\nContent-Type: a/b\\r\\nContent-Range: bytes {range}/10\\r\\n\\r\\n"
        )
    };
    let end = "\\r\\n--edgekeep-part-4f6c2d9e7b--\\r\\n";
    let pieces = format!("\"{}\" 0-1 \"{}\" 4-4 \"{end}\"", part("0-1"), part("4-4"));
    let length = pieces.replace("\\r\\n", "12").len() - "\"\" 0-1 \"\" 4-4 \"\"".len() + 3;
    assert_eq!(found, format!("206 - {length} {pieces}"));
}
