//! Input for rows of tables: heads, look-ups and entries from short texts.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Times;
use edgekeep::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::date;
use edgekeep::http::head::{Method, RequestHead, ResponseHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};

/// The time of responses: a Monday, 09:00:00.
pub const NOW: u64 = 1_795_424_400;

/// A response without delay.
pub const TIMES: Times = Times {
    request_ms: NOW * 1000,
    response_ms: NOW * 1000,
};

/// Parses a head from `STATUS[ | name: value]…`; `$+5` is the date 5 seconds
/// after [`NOW`].
pub fn head(text: &str) -> ResponseHead {
    let mut parts = text.split(" | ");
    let status = parts.next().and_then(|s| s.trim().parse().ok());
    let line = |line: &str| {
        let (name, value) = line.split_once(':').expect("name: value");
        let value = value.trim();
        let value = match value.strip_prefix('$').map(str::parse::<i64>) {
            Some(Ok(shift)) => date::print(NOW.saturating_add_signed(shift)),
            _ => value.to_owned(),
        };
        (name.to_owned(), value)
    };
    ResponseHead {
        status: status.expect("a status"),
        fields: parts.map(line).collect(),
    }
}

/// The look-up of `METHOD[ | Name: value]…` for one fixed URL, under these
/// defaults.
pub fn lookup(defaults: &Value, request: &str) -> Lookup {
    let rules = json!({ "defaults": defaults }).to_string();
    let rules = Rules::read_json(&rules).expect("good settings");
    let mut parts = request.split(" | ");
    let request = RequestHead {
        method: Method::named(parts.next().unwrap_or_default()),
        url: Url::parse("http://a.test/b").expect("a URL"),
        fields: parts
            .map(|line| line.split_once(": ").expect("Name: value"))
            .collect(),
    };
    match classify(&rules, &request) {
        Plan::Lookup(lookup) => *lookup,
        other => panic!("{other:?}"),
    }
}

/// An exchange without delay.
pub fn exchange<'a>(lookup: &'a Lookup, stored: Option<&'a Entry>, on_error: bool) -> Exchange<'a> {
    Exchange {
        ranged: false,
        lookup,
        seen: 7,
        times: TIMES,
        stored,
        on_error,
    }
}

/// The entry that is stored for a response.
#[track_caller]
pub fn stored(text: &str) -> Entry {
    let lookup = lookup(&json!({}), "GET");
    match decide_response(&exchange(&lookup, None, false), Ok(&head(text))) {
        ResponseDecision::Store(entry) => *entry,
        other => panic!("{text}: {other:?}"),
    }
}

/// `LIFETIME SWR SIE` of the stored entry, or the reason why the response is
/// not stored.
#[track_caller]
pub fn outcome(lookup: &Lookup, answer: &str) -> String {
    match decide_response(&exchange(lookup, None, false), Ok(&head(answer))) {
        ResponseDecision::Store(entry) => terms(&entry),
        ResponseDecision::Forward(reason) => reason.word().to_owned(),
        other => panic!("{answer}: {other:?}"),
    }
}

/// `LIFETIME SWR SIE` of an entry.
pub fn terms(entry: &Entry) -> String {
    let terms = entry.terms;
    let (swr, sie) = (terms.stale_while_revalidate, terms.stale_if_error);
    format!("{} {swr} {sie}", terms.lifetime)
}
