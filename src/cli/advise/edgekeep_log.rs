//! Reads Edgekeep's log lines (`flow::response::request_log`,
//! docs/cache-status.md): alone, or as the console lines of an event that
//! `wrangler tail --format json` prints.

use super::log::{Log, LogRequest, Outcome};
use crate::http::url::Url;
use serde::Deserialize;
use serde_json::Value;

/// The fields of a line that are used. All else is skipped.
#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    cache: String,
    age: Option<u64>,
    ttl: Option<i64>,
    key: Option<String>,
    entry: Option<String>,
    #[serde(default)]
    detail: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

/// An event of `wrangler tail`.
#[derive(Deserialize)]
struct Event {
    logs: Vec<Console>,
    #[serde(rename = "eventTimestamp")]
    timestamp: Option<u64>,
}

/// A call of `console.log`: each argument is a member of `message`.
#[derive(Deserialize)]
struct Console {
    #[serde(default)]
    message: Value,
    timestamp: Option<u64>,
}

/// Adds a record to the log. `false`: the log is full.
pub fn add(log: &mut Log, text: &str) -> bool {
    if let Ok(event) = serde_json::from_str::<Event>(text) {
        return event.logs.iter().all(|console| {
            let at = console.timestamp.or(event.timestamp);
            let arguments = match &console.message {
                Value::Array(arguments) => arguments.as_slice(),
                one => std::slice::from_ref(one),
            };
            let texts = arguments.iter().filter_map(Value::as_str);
            let mut lines = texts.filter(|text| text.starts_with('{'));
            lines.all(|line| add_line(log, line, at.map(|ms| ms / 1000)))
        });
    }
    add_line(log, text, None)
}

fn add_line(log: &mut Log, text: &str, at: Option<u64>) -> bool {
    let Ok(line) = serde_json::from_str::<Line>(text) else {
        log.unreadable = log.unreadable.saturating_add(1);
        return true;
    };
    let outcome = match line.cache.as_str() {
        "hit" | "stale" | "collapsed" => Outcome::Served,
        "revalidated" => Outcome::Revalidated,
        "miss" => Outcome::Fetched,
        "bypass" => Outcome::Bypass,
        _ => Outcome::Unknown,
    };
    if line.event != "request" || outcome == Outcome::Unknown {
        log.skipped = log.skipped.saturating_add(1);
        return true;
    }
    if !matches!(line.method.as_str(), "GET" | "HEAD") {
        log.others = log.others.saturating_add(1);
        return true;
    }
    // The line has no scheme.
    let url = Url::parse(&format!("https://{}{}", line.host, line.path));
    let (Ok(url), true) = (url, line.path.starts_with('/')) else {
        log.unreadable = log.unreadable.saturating_add(1);
        return true;
    };
    let age = line.age.unwrap_or_default();
    let lifetime = line.ttl.and_then(|ttl| age.checked_add_signed(ttl));
    log.add(LogRequest {
        at,
        url,
        is_head: line.method == "HEAD",
        status: line.status,
        bytes: None,
        outcome,
        age,
        lifetime: lifetime.filter(|_| line.age.is_some()),
        key: line.key,
        entry: line.entry,
        detail: line.detail,
        notes: line.notes,
    })
}
