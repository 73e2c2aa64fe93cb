//! HTTP dates (RFC 9110 §5.6.7), by the crate `httpdate`. Here is only what it
//! does not read: dates in any case, which caches should read (RFC 9111 §4.2),
//! two-digit years, whose century depends on the present, and dates with the
//! weekday of another day, which the RFC does not have anybody check.

use httpdate::{fmt_http_date, parse_http_date};
use std::time::{Duration, UNIX_EPOCH};

/// The weekdays as the RFC 850 form has them.
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

/// Seconds since 1970 of an HTTP-date in any of its three forms; `None` for
/// anything else, and for years before 1970.
pub fn parse(text: &str) -> Option<u64> {
    seconds(text).or_else(|| on_any_weekday(&usual_case(text.trim())))
}

/// As [`parse`], but a year of two digits lies at most 50 years after `now`
/// (seconds since 1970) and otherwise in the past, as RFC 9110 §5.6.7 asks.
/// The weekday tells the century if it fits one of them. If it fits none, years
/// from 70 on are of the twentieth century: `01-Jan-70`, the start of most
/// clocks, is how origins say "long ago".
pub fn parse_at(text: &str, now: u64) -> Option<u64> {
    let text = usual_case(text.trim());
    let Some(date) = Rfc850::of(&text) else {
        return on_any_weekday(&text);
    };
    let latest = now.saturating_add(FIFTY_YEARS_SECONDS);
    // The latest century first; in a wrong one the weekday does not fit.
    let times = ["21", "20", "19"].map(|century| seconds(&date.fixdate(century)));
    let fits = times.into_iter().flatten().find(|time| *time <= latest);
    fits.or_else(|| {
        let century = if date.year < "70" { "20" } else { "19" };
        on_any_weekday(&date.fixdate(century))
    })
}

/// Fifty years of 365.25 days.
const FIFTY_YEARS_SECONDS: u64 = 18_262 * 86_400 + 43_200;

/// `httpdate`'s reading, which takes the case of the RFC only.
fn seconds(text: &str) -> Option<u64> {
    let time = parse_http_date(text).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// The same where the weekday, in the case of the RFC, is that of another day.
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

/// A date with its words in the case of the RFC.
fn usual_case(text: &str) -> String {
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

/// A date in the RFC 850 form: `Sunday, 06-Nov-94 08:49:37 GMT`, also with the
/// weekday's first three letters, as some origins send it.
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

    /// The IMF-fixdate of this century; the parts are not checked.
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

/// The last second that has an HTTP-date: the form has four digits for a year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Seconds since 1970 as an IMF-fixdate. Times after the year 9999 print as
/// its last second.
pub fn print(seconds: u64) -> String {
    fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND)))
}

/// Milliseconds since 1970 as an RFC 3339 time with whole seconds, such as
/// `2026-11-23T09:00:00Z`.
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
