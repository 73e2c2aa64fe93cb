//! HTTP dates (RFC 9110 §5.6.7).

use std::time::{Duration, UNIX_EPOCH};

/// Seconds since 1970 of an HTTP-date in any of its three forms; `None` for
/// anything else, and for years before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(&in_its_case(text.trim())).ok()?;
    Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// As [`parse`], but a year of two digits lies at most 50 years after `now`
/// (seconds since 1970) and otherwise in the past, as RFC 9110 §5.6.7 asks.
pub fn parse_at(text: &str, now: u64) -> Option<u64> {
    // RFC 850 form: `Monday, 23-Nov-26 …`; no other form has a `-`.
    let Some((day, rest)) = text.trim().split_once(", ").filter(|_| text.contains('-')) else {
        return parse(text);
    };
    let (day, date, month, rest) = (
        day.get(..3)?,
        rest.get(..2)?,
        rest.get(3..6)?,
        rest.get(7..)?,
    );
    // Tried from the latest century on; a wrong day of the week makes it none.
    ["21", "20", "19"].iter().find_map(|century| {
        let text = format!("{day}, {date} {month} {century}{rest}");
        parse(&text).filter(|seconds| *seconds <= now.saturating_add(FIFTY_YEARS_SECONDS))
    })
}

/// Fifty years of 365.25 days.
const FIFTY_YEARS_SECONDS: u64 = 18_262 * 86_400 + 43_200;

/// A date in the case that the RFC gives it: caches read any (RFC 9111 §4.2).
fn in_its_case(text: &str) -> String {
    let mut inside = false;
    let cased = text.chars().map(|c| {
        let c = if inside {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        };
        inside = c.is_ascii_alphabetic();
        c
    });
    cased.collect::<String>().replace(" Gmt", " GMT")
}

/// The last second that has an HTTP-date: the form has four digits for a year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Seconds since 1970 as an IMF-fixdate. Times after the year 9999 print as
/// its last second.
pub fn print(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)))
}

/// Milliseconds since 1970 as an RFC 3339 time with whole seconds, such as
/// `2026-11-23T09:00:00Z`.
pub fn print_rfc3339(milliseconds: u64) -> String {
    let seconds = (milliseconds / 1000).min(LAST_SECOND);
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a count of days since 1970-01-01: years of 365.2425
/// days counted from March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    // 719,468 days lie between 0000-03-01 and 1970-01-01; an era is 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}
