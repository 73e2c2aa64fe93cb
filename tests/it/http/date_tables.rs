//! Tests which texts are dates, and the lifetime that `Expires` gives with each.
//! RFC 9110 §5.6.7 (the three forms, years of two digits); RFC 9111 §4.2 (case
//! and zone), §4.2.1 (several values), §5.3 (Expires).

use edgekeep::cache::policy::freshness::terms;
use edgekeep::http::date;
use serde_json::json;
use testkit::given::{NOW, TIMES, head, lookup};

/// The example of RFC 9110 §5.6.7: 1994-11-06, 08:49:37.
const EXAMPLE: u64 = 784_111_777;

#[track_caller]
fn check(text: &str, expected: Option<u64>) {
    assert_eq!(date::parse(text), expected, "{text}");
}

#[test]
fn all_three_date_forms_are_parsed() {
    check("Sun, 06 Nov 1994 08:49:37 GMT", Some(EXAMPLE));
    check("Sunday, 06-Nov-94 08:49:37 GMT", Some(EXAMPLE));
    check("Sun Nov  6 08:49:37 1994", Some(EXAMPLE));
    check("Wed Nov 16 08:49:37 1994", Some(EXAMPLE + 10 * 86_400));
    check(
        "Wednesday, 16-Nov-94 08:49:37 GMT",
        Some(EXAMPLE + 10 * 86_400),
    );
    check("\tSun, 06 Nov 1994 08:49:37 GMT\t", Some(EXAMPLE));
    check("Thu, 01 Jan 1970 00:00:00 GMT", Some(0));
    check("Thu Jan  1 00:00:00 1970", Some(0));
    check("Thursday, 01-Jan-70 00:00:00 GMT", Some(0));
    check("Tue, 29 Feb 2000 12:00:00 GMT", Some(951_825_600));
    check("Tuesday, 29-Feb-00 12:00:00 GMT", Some(951_825_600));
    check("Tue Feb 29 12:00:00 2000", Some(951_825_600));
    check("Tue, 19 Jan 2038 03:14:08 GMT", Some(1 << 31));
    check("Sun, 07 Feb 2106 06:28:16 GMT", Some(1 << 32));
    check("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799));
}

#[test]
fn wrong_weekday_is_accepted() {
    // RFC 9110 §5.6.7 does not require the weekday to be checked.
    for day in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] {
        check(&format!("{day}, 06 Nov 1994 08:49:37 GMT"), Some(EXAMPLE));
        check(&format!("{day} Nov  6 08:49:37 1994"), Some(EXAMPLE));
        let lower = day.to_lowercase();
        check(&format!("{lower}, 06 nov 1994 08:49:37 gmt"), Some(EXAMPLE));
        check(
            &format!("\t{day}, 06 Nov 1994 08:49:37 GMT "),
            Some(EXAMPLE),
        );
    }
    for day in [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ] {
        check(&format!("{day}, 06-Nov-94 08:49:37 GMT"), Some(EXAMPLE));
        check(
            &format!("{}, 06-NOV-94 08:49:37 gmt", day.to_uppercase()),
            Some(EXAMPLE),
        );
        // Another form, or a day that no calendar has, is invalid with any weekday.
        check(&format!("{day}, 06 Nov 1994 08:49:37 GMT"), None);
        check(&format!("{}, 31 Nov 1994 08:49:37 GMT", &day[..3]), None);
        check(&format!("{}, 29 Feb 2100 08:49:37 GMT", &day[..3]), None);
        check(&format!("{}, 06-Nov-94 08:49:37 GMT", &day[..3]), None);
    }
    for day in ["Xxx", "Dom", "So", "Su", "Sundays", "", "0", "Sund"] {
        check(&format!("{day}, 06 Nov 1994 08:49:37 GMT"), None);
    }
}

#[test]
fn wrong_weekday_does_not_affect_the_century() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = date::parse_at(text, NOW).map(date::print);
        assert_eq!(found.as_deref(), Some(expected), "{text}");
    }
    // The day is a Monday in this century, and was a Tuesday in 1926.
    check(
        "Friday, 23-Nov-26 10:00:00 GMT",
        "Mon, 23 Nov 2026 10:00:00 GMT",
    );
    check(
        "Fri, 23-Nov-26 10:00:00 GMT",
        "Mon, 23 Nov 2026 10:00:00 GMT",
    );
    check(
        "Saturday, 31-Dec-37 23:59:59 GMT",
        "Thu, 31 Dec 2037 23:59:59 GMT",
    );
    check(
        "Monday, 31-Dec-99 23:59:59 GMT",
        "Fri, 31 Dec 1999 23:59:59 GMT",
    );
    // Many origins send this for "long ago".
    check(
        "Monday, 01-Jan-70 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    );
    check(
        "Thursday, 01-Jan-70 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
    );
    // Four digits contain the century.
    check(
        "Sun, 23 Nov 2026 10:00:00 GMT",
        "Mon, 23 Nov 2026 10:00:00 GMT",
    );
    check("Sun Nov 23 10:00:00 2026", "Mon, 23 Nov 2026 10:00:00 GMT");
}

/// Texts that are almost dates, each with one error.
const INVALID_DATES: [&str; 42] = [
    // Commas, spaces and other separators of the parts.
    "Sun 06 Nov 1994 08:49:37 GMT",
    "Sun,06 Nov 1994 08:49:37 GMT",
    "Sun , 06 Nov 1994 08:49:37 GMT",
    "Sun,  06 Nov 1994 08:49:37 GMT",
    "Sun, 06  Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994, 08:49:37 GMT",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sun, 06-Nov-94 08:49:37 GMT",
    "Sunday 06-Nov-94 08:49:37 GMT",
    "Sunday, 06 Nov 94 08:49:37 GMT",
    "Sunday, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sun, Nov  6 08:49:37 1994",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov  6 08:49:37 1994 GMT",
    "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
    // Parts that are missing or too short.
    "06 Nov 1994 08:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 06 Nov 1994 08:49 GMT",
    "Sun, 06 Nov 1994 08.49.37 GMT",
    "Sun, 06 11 1994 08:49:37 GMT",
    "Sun, 06 November 1994 08:49:37 GMT",
    // Zones (RFC 9111 §4.2: all are invalid except GMT and UTC).
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 EST",
    "Sun, 06 Nov 1994 08:49:37 CET",
    "Sun, 06 Nov 1994 08:49:37 Z",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 06 Nov 1994 08:49:37 -0100",
    "Sun, 06 Nov 1994 08:49:37 GMT+1",
    "Sunday, 06-Nov-94 08:49:37 PST",
    // Numbers that no clock or calendar has.
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Thu, 31 Nov 1994 08:49:37 GMT",
    "Tue, 29 Feb 2100 08:49:37 GMT",
    "Wed, 31 Dec 1969 23:59:59 GMT",
    // Other formats of times.
    "784111777",
    "1994-11-06T08:49:37Z",
    "never",
];

#[test]
fn invalid_dates_are_refused() {
    for text in INVALID_DATES {
        check(text, None);
    }
}

#[test]
fn two_digit_year_over_50_years_ahead_is_in_the_past() {
    // RFC 9110 §5.6.7: a year more than 50 years ahead is in the past.
    #[track_caller]
    fn check(text: &str, now: &str, expected: &str) {
        let seconds = |text| date::parse(text).expect(text);
        let found = date::parse_at(text, seconds(now)).map(date::print);
        assert_eq!(found.as_deref(), Some(expected), "{text} at {now}");
    }
    const NOVEMBER: &str = "Mon, 23 Nov 2026 09:00:00 GMT";
    check(
        "Monday, 23-Nov-26 10:00:00 GMT",
        NOVEMBER,
        "Mon, 23 Nov 2026 10:00:00 GMT",
    );
    check(
        "Sunday, 06-Nov-94 08:49:37 GMT",
        NOVEMBER,
        "Sun, 06 Nov 1994 08:49:37 GMT",
    );
    check(
        "Friday, 31-Dec-99 23:59:59 GMT",
        NOVEMBER,
        "Fri, 31 Dec 1999 23:59:59 GMT",
    );
    check(
        "Saturday, 01-Jan-00 00:00:00 GMT",
        NOVEMBER,
        "Sat, 01 Jan 2000 00:00:00 GMT",
    );
    check(
        "Tuesday, 31-Dec-69 23:59:59 GMT",
        NOVEMBER,
        "Tue, 31 Dec 2069 23:59:59 GMT",
    );
    check(
        "Thursday, 25-Nov-76 09:00:01 GMT",
        NOVEMBER,
        "Thu, 25 Nov 1976 09:00:01 GMT",
    );
    // A year of four digits is not changed.
    check(
        "Mon, 23 Nov 1970 09:00:00 GMT",
        NOVEMBER,
        "Mon, 23 Nov 1970 09:00:00 GMT",
    );
    check(
        "Mon Nov 23 09:00:00 1970",
        NOVEMBER,
        "Mon, 23 Nov 1970 09:00:00 GMT",
    );
}

#[test]
fn two_digit_year_up_to_50_years_ahead_is_in_the_future() {
    // RFC 9110 §5.6.7: 44 years ahead is not more than 50. That day is a
    // Sunday; a hundred years earlier it was a Monday.
    let at = date::parse_at("Sunday, 23-Nov-70 09:00:00 GMT", NOW);
    assert_eq!(at, date::parse("Sun, 23 Nov 2070 09:00:00 GMT"));
}

#[test]
fn dates_are_parsed_in_any_case() {
    // RFC 9111 §4.2: a cache should match them without regard to case.
    for text in [
        "sun, 06 nov 1994 08:49:37 gmt",
        "SUN, 06 NOV 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gMT",
        "sunday, 06-nov-94 08:49:37 gmt",
        "SUNDAY, 06-NOV-94 08:49:37 GMT",
        "sun nov  6 08:49:37 1994",
    ] {
        check(text, Some(EXAMPLE));
    }
}

/// The lifetime of a response that was received at [`NOW`].
#[track_caller]
fn check_lifetime(answer: &str, expected: Option<u64>) {
    let rule = lookup(&json!({}), "GET").rule;
    let found = terms(&head(answer), &rule, TIMES).map(|terms| terms.lifetime);
    assert_eq!(found, expected, "{answer}");
}

#[test]
fn expires_is_parsed_in_every_form() {
    check_lifetime("200 | expires: Mon, 23 Nov 2026 10:00:00 GMT", Some(3600));
    check_lifetime("200 | expires: Monday, 23-Nov-26 10:00:00 GMT", Some(3600));
    check_lifetime("200 | expires: Mon, 23-Nov-26 10:00:00 GMT", Some(3600));
    check_lifetime("200 | expires: Mon Nov 23 10:00:00 2026", Some(3600));
    check_lifetime("200 | expires: Sun, 23 Nov 2026 10:00:00 GMT", Some(3600));
    check_lifetime("200 | expires: Tuesday, 23-Nov-26 10:00:00 GMT", Some(3600));
    check_lifetime("200 | expires: Sat, 23-Nov-26 10:00:00 GMT", Some(3600));
    check_lifetime("200 | expires: Fri Nov 23 10:00:00 2026", Some(3600));
    check_lifetime("200 | expires: Fri, 23 Nov 2026 08:00:00 GMT", Some(0));
    check_lifetime("200 | expires: Mon, 01-Jan-70 00:00:00 GMT", Some(0));
    check_lifetime("200 | expires: Mon, 23 Nov 2026 09:00:00 GMT", Some(0));
    check_lifetime("200 | expires: Mon, 23 Nov 2026 08:00:00 GMT", Some(0));
    check_lifetime("200 | expires: Sunday, 06-Nov-94 08:49:37 GMT", Some(0));
    // `Date` in other forms, from clocks that differ.
    let expires = "200 | expires: Mon, 23 Nov 2026 10:00:00 GMT";
    for (sent, lifetime) in [
        ("Mon, 23 Nov 2026 09:30:00 GMT", 1800),
        ("Mon, 23 Nov 2026 08:30:00 GMT", 5400),
        ("Sat, 23 Nov 2026 08:30:00 GMT", 5400),
        ("Monday, 23-Nov-26 09:30:00 GMT", 1800),
        ("Mon Nov 23 09:30:00 2026", 1800),
        ("Mon, 23 Nov 2026 10:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        // No date: the time of receipt is used.
        ("yesterday", 3600),
        ("0", 3600),
    ] {
        check_lifetime(&format!("{expires} | date: {sent}"), Some(lifetime));
    }
}

#[test]
fn invalid_expires_counts_as_expired() {
    // RFC 9111 §5.3, and §4.2.2: with an explicit time there is no heuristic
    // lifetime.
    let rule = lookup(&json!({ "heuristic_freshness": true }), "GET").rule;
    for text in INVALID_DATES
        .iter()
        .chain(&["", " ", "0", "-1", "now", "60"])
    {
        check_lifetime(&format!("200 | expires: {text}"), Some(0));
        let answer = format!("200 | expires: {text} | last-modified: $-90000");
        let found = terms(&head(&answer), &rule, TIMES).map(|terms| terms.lifetime);
        assert_eq!(found, Some(0), "{answer}");
    }
}

#[test]
fn first_of_several_expires_applies() {
    // RFC 9111 §4.2.1: the first value, or none.
    check_lifetime("200 | expires: $+60 | expires: $+5", Some(60));
    check_lifetime("200 | expires: $+5 | expires: $+60", Some(5));
    check_lifetime("200 | expires: 0 | expires: $+60", Some(0));
    check_lifetime("200 | expires: $+60 | expires: 0", Some(60));
    let two = "Mon, 23 Nov 2026 10:00:00 GMT, Mon, 23 Nov 2026 11:00:00 GMT";
    check_lifetime(&format!("200 | expires: {two}"), Some(0));
}

#[test]
fn cache_control_lifetime_takes_precedence_over_expires() {
    // RFC 9111 §5.3.
    check_lifetime("200 | expires: 0 | cache-control: max-age=60", Some(60));
    check_lifetime("200 | expires: $+9 | cache-control: max-age=0", Some(0));
    check_lifetime("200 | expires: $+9 | cache-control: max-age=x", Some(0));
    check_lifetime("200 | expires: $+9 | cache-control: s-maxage=60", Some(60));
    check_lifetime("200 | expires: $+9 | cache-control: public", Some(9));
    check_lifetime("200 | expires: $+9 | cache-control: foo=60", Some(9));
    check_lifetime("200 | expires: $+9 | cdn-cache-control: max-age=7", Some(7));
}

/// The time that `httpdate` reads from a text with some weekday, if the text
/// begins with a weekday of the same length.
fn read_by_httpdate(text: &str) -> Option<u64> {
    use std::time::UNIX_EPOCH;
    let text = text.trim();
    let short = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let begins = short.iter().find(|day| text.starts_with(*day));
    let texts = match begins {
        Some(_) => short.map(|day| format!("{day}{}", &text[3..])).to_vec(),
        None => vec![text.to_owned()],
    };
    let times = texts
        .iter()
        .map(|text| httpdate::parse_http_date(text).ok());
    let time = times.flatten().next()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// A date in any case parses to the time that `httpdate` reads from the RFC's
/// case, with any weekday.
#[test]
fn date_parser_agrees_with_httpdate() {
    let mut random = fastrand::Rng::with_seed(9110);
    let pieces = "SunMonTueWedThuFriSat,  JanFebDec0123456789:-GMT";
    let mut good = 0;
    for _ in 0..100_000 {
        let seconds = random.u64(0..253_402_300_800);
        let printed = date::print(seconds);
        assert_eq!(date::parse(&printed), Some(seconds));
        let mut text = printed;
        if random.bool() {
            let words: Vec<&str> = text.split([' ', ',']).collect();
            let [day, _, date, month, year, clock, _] = words[..] else {
                panic!("{text}");
            };
            let date = date
                .strip_prefix('0')
                .map_or(date.to_owned(), |d| format!(" {d}"));
            text = format!("{day} {month} {date} {clock} {year}");
        }
        if random.bool() {
            let at = random.usize(..text.len());
            let from = random.usize(..pieces.len());
            text.replace_range(at..=at, &pieces[from..=from]);
        }
        // Our parser reads any case.
        let mut inside = false;
        let cased: String = text
            .chars()
            .map(|c| {
                let first = !inside;
                inside = c.is_ascii_alphabetic();
                match first {
                    true => c.to_ascii_uppercase(),
                    false => c.to_ascii_lowercase(),
                }
            })
            .collect();
        let theirs = read_by_httpdate(&cased.replace("Gmt", "GMT"));
        good += usize::from(theirs.is_some());
        assert_eq!(date::parse(&text), theirs, "{text}");
    }
    assert!(good > 50_000, "{good}");
}
