//! Reads access logs of servers: the common and the combined log format, and
//! columns separated by tabs (seconds, client, method, target, status, bytes,
//! user agent).

use super::log::{Log, LogRequest, Outcome};
use crate::http::date;
use crate::http::url::Url;

/// The host of all requests: these formats have none.
const HOST: &str = "site.invalid";

/// The header of the columns.
const COLUMNS: &str = "seconds\tclient\tmethod\ttarget\tstatus\tbytes";

/// The fields of a line.
struct Line<'a> {
    at: Option<u64>,
    method: &'a str,
    target: &'a str,
    status: u16,
    bytes: Option<u64>,
}

/// Adds a line to the log. `false`: the log is full.
pub fn add(log: &mut Log, text: &str, origin_ttl: Option<u64>) -> bool {
    if text.starts_with(COLUMNS) {
        return true;
    }
    let line = match text.contains('\t') {
        true => columns(text),
        false => combined(text),
    };
    let url = line.as_ref().and_then(|line| target(line.target));
    let (Some(line), Some(url)) = (line, url) else {
        log.unreadable = log.unreadable.saturating_add(1);
        return true;
    };
    if !matches!(line.method, "GET" | "HEAD") {
        log.others = log.others.saturating_add(1);
        return true;
    }
    let is_head = line.method == "HEAD";
    // These answer conditions and ranges. Without them the origin sends the page.
    let is_page = matches!(line.status, 200 | 206 | 304 | 416);
    let is_whole = !is_head && !matches!(line.status, 206 | 304 | 416);
    log.add(LogRequest {
        at: line.at,
        url,
        is_head,
        status: if is_page { 200 } else { line.status },
        bytes: line.bytes.filter(|_| is_whole),
        outcome: Outcome::Unknown,
        age: 0,
        lifetime: origin_ttl.filter(|_| line.status < 500),
        key: None,
        entry: None,
        detail: Vec::new(),
        notes: Vec::new(),
    })
}

fn target(target: &str) -> Option<Url> {
    match target.starts_with('/') {
        true => Url::parse(&format!("https://{HOST}{target}")).ok(),
        // A client may send an absolute URL.
        false => Url::parse(target).ok(),
    }
}

fn columns(text: &str) -> Option<Line<'_>> {
    let mut cells = text.split('\t');
    let seconds = cells.next()?.parse().ok()?;
    let (method, target) = (cells.nth(1)?, cells.next()?);
    Some(Line {
        at: Some(seconds),
        method,
        target,
        status: status(cells.next()?)?,
        bytes: cells.next()?.parse().ok(),
    })
}

/// `address identity user [time] "request" status bytes …`
fn combined(text: &str) -> Option<Line<'_>> {
    let (_, rest) = text.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    // A quote in the request is escaped.
    let (request, rest) = rest.split_once("\" ")?;
    let mut words = request.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut numbers = rest.split(' ');
    Some(Line {
        at: Some(clf_time(time)?),
        method,
        target,
        status: status(numbers.next()?)?,
        bytes: numbers.next().and_then(|bytes| bytes.parse().ok()),
    })
}

fn status(text: &str) -> Option<u16> {
    let number = text.parse().ok()?;
    (100..=599).contains(&number).then_some(number)
}

/// Seconds since 1970 of `10/Oct/2000:13:55:36 -0700`.
fn clf_time(text: &str) -> Option<u64> {
    let (local, zone) = text.split_once(' ')?;
    let (day, time) = local.split_once(':')?;
    // Any weekday is accepted.
    let day = day.replace('/', " ");
    let seconds = date::parse(&format!("Mon, {day} {time} GMT"))?;
    let (sign, digits) = zone.split_at_checked(1)?;
    let hours = digits.get(..2)?.parse::<u64>().ok()?;
    let minutes = digits.get(2..)?.parse::<u64>().ok()?;
    let offset = hours
        .checked_mul(3600)?
        .checked_add(minutes.checked_mul(60)?)?;
    match sign {
        "+" => seconds.checked_sub(offset),
        "-" => seconds.checked_add(offset),
        _ => None,
    }
}
