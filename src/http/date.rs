//! HTTP dates (RFC 9110 §5.6.7).

const DAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Seconds since 1970 of an HTTP-date in any of its three forms; `None` for
/// anything else, and for years before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let date = Date::read(&text)?;
    match date.year {
        Year::Whole(year) => date.seconds(year),
        // The day of the week stands there whole.
        Year::Short(year) => {
            DAYS.iter().find(|day| **day == date.weekday)?;
            date.seconds(year + if year < 70 { 2000 } else { 1900 })
        }
    }
}

/// As [`parse`], but a year of two digits lies at most 50 years after `now`
/// (seconds since 1970) and otherwise in the past, as RFC 9110 §5.6.7 asks.
pub fn parse_at(text: &str, now: u64) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let date = Date::read(&text)?;
    match date.year {
        Year::Whole(year) => date.seconds(year),
        // Tried from the latest century on; a wrong day of the week makes it
        // none.
        Year::Short(year) => [2100, 2000, 1900].into_iter().find_map(|century| {
            let seconds = date.seconds(century + year)?;
            (seconds <= now.saturating_add(FIFTY_YEARS_SECONDS)).then_some(seconds)
        }),
    }
}

/// Fifty years of 365.25 days.
const FIFTY_YEARS_SECONDS: u64 = 18_262 * 86_400 + 43_200;

enum Year {
    Whole(u64),
    /// Two digits.
    Short(u64),
}

/// A date as it is written, in lower case: caches read any (RFC 9111 §4.2).
struct Date<'a> {
    weekday: &'a str,
    day: u64,
    month: &'a str,
    year: Year,
    time: &'a str,
}

impl<'a> Date<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        Some(match words.as_slice() {
            // `sun, 06 nov 1994 08:49:37 gmt`
            [weekday, day, month, year, time, "gmt"] => Self {
                weekday: weekday.strip_suffix(',').filter(|day| day.len() == 3)?,
                day: digits(day, 2)?,
                month,
                year: Year::Whole(digits(year, 4)?),
                time,
            },
            // `sunday, 06-nov-94 08:49:37 gmt`
            [weekday, date, time, "gmt"] => {
                let (day, rest) = date.split_once('-')?;
                let (month, year) = rest.split_once('-')?;
                Self {
                    weekday: weekday.strip_suffix(',')?,
                    day: digits(day, 2)?,
                    month,
                    year: Year::Short(digits(year, 2)?),
                    time,
                }
            }
            // `sun nov  6 08:49:37 1994`
            [weekday, month, "", day, time, year] if weekday.len() == 3 => Self {
                weekday,
                day: digits(day, 1)?,
                month,
                year: Year::Whole(digits(year, 4)?),
                time,
            },
            [weekday, month, day, time, year] if weekday.len() == 3 => Self {
                weekday,
                day: digits(day, 2)?,
                month,
                year: Year::Whole(digits(year, 4)?),
                time,
            },
            _ => return None,
        })
    }

    /// Seconds since 1970, if there is such a day in this year.
    fn seconds(&self, year: u64) -> Option<u64> {
        let month = MONTHS.iter().position(|month| *month == self.month)?;
        let month = (month as u64).saturating_add(1);
        let days = days_of(year, month, self.day)?;
        // 1970 began on a Thursday.
        let weekday = usize::try_from((days + 4) % 7).ok()?;
        let weekday = DAYS.get(weekday)?.get(..3)?;
        let (hour, rest) = self.time.split_once(':')?;
        let (minute, second) = rest.split_once(':')?;
        let (hour, minute, second) = (digits(hour, 2)?, digits(minute, 2)?, digits(second, 2)?);
        let good = hour < 24 && minute < 60 && second < 60 && self.weekday.starts_with(weekday);
        good.then(|| days * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// A number of so many digits.
fn digits(text: &str, count: usize) -> Option<u64> {
    let all = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 of a date of the calendar, from 1970 to 9999.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    // As in `civil`: years begin in March.
    let shifted = if month > 2 {
        year
    } else {
        year.checked_sub(1)?
    };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    let days = days.checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// The last second that has an HTTP-date: the form has four digits for a year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Seconds since 1970 as an IMF-fixdate. Times after the year 9999 print as
/// its last second.
pub fn print(seconds: u64) -> String {
    let seconds = seconds.min(LAST_SECOND);
    let days = seconds / 86_400;
    let (year, month, day) = civil(days);
    let name = |names: &[&'static str], at: u64| {
        let name = usize::try_from(at).ok().and_then(|at| names.get(at));
        let name = name.and_then(|name| name.get(..3)).unwrap_or_default();
        let (first, rest) = name.split_at_checked(1).unwrap_or_default();
        first.to_ascii_uppercase() + rest
    };
    let weekday = name(&DAYS, (days + 4) % 7);
    let month = name(&MONTHS, month.saturating_sub(1));
    let time = clock(seconds);
    format!("{weekday}, {day:02} {month} {year:04} {time} GMT")
}

/// The time of day, such as `09:00:00`.
fn clock(seconds: u64) -> String {
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// Milliseconds since 1970 as an RFC 3339 time with whole seconds, such as
/// `2026-11-23T09:00:00Z`.
pub fn print_rfc3339(milliseconds: u64) -> String {
    let seconds = (milliseconds / 1000).min(LAST_SECOND);
    let (year, month, day) = civil(seconds / 86_400);
    let time = clock(seconds);
    format!("{year:04}-{month:02}-{day:02}T{time}Z")
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
