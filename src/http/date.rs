//! HTTP dates (RFC 9110 §5.6.7), with the crate `httpdate`. This module adds
//! what the crate does not read:
//!
//! - dates in any case, which caches should read (RFC 9111 §4.2);
//! - two-digit years, whose century depends on the current time;
//! - dates with a wrong weekday, which the RFC does not require to be checked.

use httpdate::{fmt_http_date, parse_http_date};
use std::time::{Duration, UNIX_EPOCH};

/// The weekdays of the RFC 850 form.
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Parses an HTTP-date in any of its three forms to seconds since 1970. `None`
/// for any other text, and for years before 1970.
pub fn parse(text: &str) -> Option<u64> {
    seconds(text).or_else(|| on_any_weekday(&rfc_case(text.trim())))
}

/// As [`parse`], but a two-digit year that would be more than 50 years after
/// `now` (seconds since 1970) is in the past, as RFC 9110 §5.6.7 requires.
/// The weekday selects the century, if it is right in one of them. If it is
/// right in none, years from 70 on belong to the twentieth century: origins
/// send `01-Jan-70`, the start of most clocks, for "long ago".
pub fn parse_at(text: &str, now: u64) -> Option<u64> {
    let text = rfc_case(text.trim());
    let Some(date) = Rfc850::of(&text) else {
        return on_any_weekday(&text);
    };
    let latest = now.saturating_add(FIFTY_YEARS_SECONDS);
    // The latest century first. In a wrong century the weekday does not match,
    // and `seconds` fails.
    let times = ["21", "20", "19"].map(|century| seconds(&date.fixdate(century)));
    let fits = times.into_iter().flatten().find(|time| *time <= latest);
    fits.or_else(|| {
        let century = if date.year < "70" { "20" } else { "19" };
        on_any_weekday(&date.fixdate(century))
    })
}

/// Fifty years of 365.25 days.
const FIFTY_YEARS_SECONDS: u64 = 18_262 * 86_400 + 43_200;

/// Parses with `httpdate`, which accepts only the RFC's case and the right
/// weekday.
fn seconds(text: &str) -> Option<u64> {
    let time = parse_http_date(text).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// As [`seconds`], with any weekday. The weekday must be in the RFC's case.
fn on_any_weekday(text: &str) -> Option<u64> {
    let end = text.find([',', ' '])?;
    let (weekday, rest) = (text.get(..end)?, text.get(end..)?);
    let is_short = WEEKDAYS.iter().any(|day| day.get(..3) == Some(weekday));
    if !is_short && !WEEKDAYS.contains(&weekday) {
        return None;
    }
    WEEKDAYS.iter().find_map(|day| {
        let day = if is_short { day.get(..3)? } else { day };
        seconds(&[day, rest].concat())
    })
}

/// Converts the words of a date to the RFC's case.
fn rfc_case(text: &str) -> String {
    let mut inside_word = false;
    let cased = text.chars().map(|c| {
        let first = !std::mem::replace(&mut inside_word, c.is_ascii_alphabetic());
        match first {
            true => c.to_ascii_uppercase(),
            false => c.to_ascii_lowercase(),
        }
    });
    cased.collect::<String>().replace("Gmt", "GMT")
}

/// A date in the RFC 850 form, `Sunday, 06-Nov-94 08:49:37 GMT`. The weekday may
/// also have its first three letters only, as some origins send it.
struct Rfc850<'a> {
    weekday: &'a str,
    day: &'a str,
    month: &'a str,
    year: &'a str,
    time: &'a str,
}

impl<'a> Rfc850<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (weekday, rest) = text.split_once(", ")?;
        let (date, time) = rest.split_once(' ')?;
        let (day, rest) = date.split_once('-')?;
        let (month, year) = rest.split_once('-')?;
        let short = weekday.get(..3)?;
        let is_weekday = |day: &str| weekday == day || day.get(..3) == Some(weekday);
        WEEKDAYS.into_iter().find(|day| is_weekday(day))?;
        Some(Self {
            weekday: short,
            day,
            month,
            year,
            time,
        })
    }

    /// The date as an IMF-fixdate in this century. The parts are not checked.
    fn fixdate(&self, century: &str) -> String {
        let Self {
            weekday,
            day,
            month,
            year,
            time,
        } = self;
        format!("{weekday}, {day} {month} {century}{year} {time}")
    }
}

/// The last second that an HTTP-date can express: its year has four digits.
const LAST_SECOND: u64 = 253_402_300_799;

/// Formats seconds since 1970 as an IMF-fixdate. A time after the year 9999
/// becomes the last second of that year.
pub fn print(seconds: u64) -> String {
    fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)))
}

/// Parses a time as [`print_rfc3339`] formats it into seconds since 1970. `None`
/// for any other text.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut numbers = date.split('-');
    let (year, month, day) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let month = month.parse::<usize>().ok()?.checked_sub(1)?;
    let month = MONTHS.get(month)?;
    // Any weekday is accepted.
    let seconds = parse(&format!("Mon, {day} {month} {year} {time} GMT"))?;
    (print_rfc3339(seconds.checked_mul(1000)?) == text).then_some(seconds)
}

/// Formats milliseconds since 1970 as an RFC 3339 time in whole seconds, such
/// as `2026-11-23T09:00:00Z`.
pub fn print_rfc3339(milliseconds: u64) -> String {
    let date = print(milliseconds / 1000);
    let words: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, _] = words.as_slice() else {
        return date;
    };
    let month = MONTHS.iter().position(|known| known == month);
    let month = month.map_or(0, |at| at.saturating_add(1));
    format!("{year}-{month:02}-{day}T{time}Z")
}
