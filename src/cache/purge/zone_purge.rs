//! The zone's own purge API: which calls an order causes, their rate limit, and
//! the meaning of responses.
//!
//! It purges the Cache API in every data centre, but only by tag, host and
//! prefix. Entries are stored under Edgekeep's own URLs, so a purge by URL does
//! not match them (Cloudflare Workers, "How the Cache works"). So each entry is
//! stored with a tag for every selector that an order could use, and all orders
//! are sent as tags. That is exact at `/` boundaries too, and needs only one
//! kind of call.
//!
//! Source: Cloudflare API, "Purge Cached Content" (one of `tags`, `hosts`,
//! `prefixes`, `files` and `purge_everything` a call); Cloudflare Cache, "Purge
//! cache" (limits) and "Purge cache by cache-tags".

use super::selector::{EVERYTHING, Selector, mark_of};
use crate::cache::config::limits::Pace;
use crate::cache::matching::tag::{RESERVED_TAG_PREFIX, is_reserved_tag};
use crate::http::json_object::{print, read_without_paths};
use crate::json_object;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use std::ops::Not;

/// The largest number of names in a call: "max operations per request", on
/// every plan.
pub const NAMES_MAX: usize = 100;

/// How many bytes of `Cache-Tag` Cloudflare evaluates.
const CACHE_TAG_BYTES_MAX: usize = 16 * 1024;

/// A call of the zone's purge API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneCall {
    /// Purge everything in the zone.
    Everything,
    /// Purge what is stored with one of these tags, at most [`NAMES_MAX`].
    Tags(Vec<String>),
}

/// The JSON body of a call, with one field set. The ledger stores waiting calls
/// in this form, too.
#[derive(Default, Deserialize, Serialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct CallBody {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Not::not")]
    purge_everything: bool,
}

json_object!(Serialize for CallBody);

impl ZoneCall {
    /// Returns the request's body.
    pub fn body(&self) -> String {
        let (tags, purge_everything) = match self {
            Self::Everything => (Vec::new(), true),
            Self::Tags(tags) => (tags.clone(), false),
        };
        print(&CallBody {
            tags,
            purge_everything,
        })
    }

    /// Parses a body.
    pub fn read(body: &str) -> Option<Self> {
        let body: CallBody = read_without_paths(body).ok()?;
        match (body.purge_everything, body.tags.is_empty()) {
            (true, true) => Some(Self::Everything),
            (false, false) => Some(Self::Tags(body.tags)),
            _ => None,
        }
    }

    /// Merges another call into this one, if one call can do both. Returns
    /// whether it did.
    pub fn merge(&mut self, other: &Self) -> bool {
        match (&mut *self, other) {
            (Self::Everything, _) => true,
            (Self::Tags(_), Self::Everything) => {
                *self = Self::Everything;
                true
            }
            (Self::Tags(tags), Self::Tags(others)) => {
                let known: HashSet<&String> = tags.iter().collect();
                let new = others.iter().filter(|tag| !known.contains(tag));
                let new: Vec<String> = new.cloned().collect();
                let fits = tags.len().saturating_add(new.len()) <= NAMES_MAX;
                if fits {
                    tags.extend(new);
                }
                fits
            }
        }
    }
}

/// Returns the calls for the hard selectors of an order. (Soft ones cause no
/// calls: the zone would delete what may still be served stale.)
pub fn calls(hard: &[String]) -> Vec<ZoneCall> {
    if hard.iter().any(|name| name == EVERYTHING) {
        return vec![ZoneCall::Everything];
    }
    let mut known = HashSet::new();
    let tags = hard.iter().map(|name| tag_of(name));
    let tags: Vec<String> = tags.filter(|tag| known.insert(tag.clone())).collect();
    let batches = tags.chunks(NAMES_MAX);
    batches
        .map(|batch| ZoneCall::Tags(batch.to_vec()))
        .collect()
}

/// Returns the tag with which entries are stored that match a selector's text.
/// The selector of a tag is the tag itself, so that the zone's other stored
/// responses with it are purged too.
fn tag_of(name: &str) -> String {
    match name.strip_prefix("tag:") {
        Some(tag) => tag.to_owned(),
        None => own_tag(mark_of(name)),
    }
}

fn own_tag(mark: u64) -> String {
    format!("{RESERVED_TAG_PREFIX}{mark:016x}")
}

/// Returns the `Cache-Tag` field that an entry is stored with: its selectors
/// other than tags (at most 100 of 26 bytes), then its tags, as far as they
/// fit. Tags that do not fit are purged by Edgekeep's own index alone.
pub fn cache_tags(marks: &[u64], tags: &[String]) -> String {
    let named = tags.iter().cloned().map(Selector::Tag);
    let of_tags: HashSet<u64> = named.map(|tag| tag.mark()).collect();
    let own = marks.iter().filter(|mark| !of_tags.contains(mark));
    let own = own.map(|mark| own_tag(*mark));
    let mut field = String::new();
    // Entries of earlier versions may have reserved tags.
    let tags = tags.iter().filter(|tag| !is_reserved_tag(tag));
    for tag in own.chain(tags.cloned()) {
        let room = CACHE_TAG_BYTES_MAX.saturating_sub(field.len());
        if tag.len() >= room {
            continue;
        }
        if !field.is_empty() {
            field.push(',');
        }
        field.push_str(&tag);
    }
    field
}

/// A token bucket. It stores times instead of tokens, so that it needs no
/// refill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it is full, in milliseconds since 1970.
    pub full_ms: u64,
    /// When the next token is available, in milliseconds since 1970.
    pub open_ms: u64,
}

/// The longest `Retry-After` that is respected, in seconds: after an hour, a
/// call is of no use.
const PAUSE_SECONDS_MAX: u64 = 3600;

impl Pace {
    /// The time to refill one token in milliseconds, rounded up.
    fn token_ms(self) -> u64 {
        60_000_u64.div_ceil(self.requests_per_minute.max(1))
    }

    /// The time to refill all tokens except one, in milliseconds.
    fn rest_ms(self) -> u64 {
        let rest = self.bucket.saturating_sub(1);
        rest.saturating_mul(self.token_ms())
    }

    /// Returns the bucket after a call.
    pub fn after_call(self, bucket: Bucket, now_ms: u64) -> Bucket {
        let full_ms = bucket.full_ms.max(now_ms).saturating_add(self.token_ms());
        let open_ms = full_ms.saturating_sub(self.rest_ms());
        Bucket { full_ms, open_ms }
    }

    /// Returns the bucket after a call that exceeded the API's rate limit. It
    /// is empty; the next token is available after `pause_seconds`, or after
    /// the usual time.
    pub fn after_refusal(self, bucket: Bucket, now_ms: u64, pause_seconds: Option<u64>) -> Bucket {
        let pause_ms = match pause_seconds {
            Some(seconds) => seconds.saturating_mul(1000),
            None => self.token_ms(),
        };
        let open_ms = bucket.open_ms.max(now_ms.saturating_add(pause_ms));
        let full_ms = bucket.full_ms.max(open_ms.saturating_add(self.rest_ms()));
        Bucket { full_ms, open_ms }
    }
}

/// A response of the zone's purge API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneResponse {
    /// Status code.
    pub status: u16,
    /// `Retry-After`, if it is a number.
    pub retry_after_seconds: Option<u64>,
    /// The start of the body.
    pub text: String,
}

/// The outcome of a call, by its response or failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoneOutcome {
    /// The call succeeded.
    Done,
    /// The call may be retried.
    Again {
        /// The error text.
        problem: String,
        /// The pause that the API asked for, in seconds.
        pause_seconds: Option<u64>,
    },
    /// The call fails permanently: the token, the zone or the call is wrong.
    Refused(String),
}

/// Classifies a response, or the failure to receive one.
pub fn outcome(result: &Result<ZoneResponse, String>) -> ZoneOutcome {
    let answer = match result {
        Ok(answer) => answer,
        Err(problem) => {
            return ZoneOutcome::Again {
                problem: shortened(format!("no answer: {problem}")),
                pause_seconds: None,
            };
        }
    };
    let body: Value = read_without_paths(&answer.text).unwrap_or_default();
    if (200..300).contains(&answer.status) && body.get("success") == Some(&Value::Bool(true)) {
        return ZoneOutcome::Done;
    }
    let problem = problem(answer.status, &body);
    match answer.status {
        408 | 425 | 429 | 500..=599 | 200..=299 => ZoneOutcome::Again {
            problem,
            pause_seconds: answer
                .retry_after_seconds
                .map(|seconds| seconds.min(PAUSE_SECONDS_MAX)),
        },
        _ => ZoneOutcome::Refused(problem),
    }
}

/// Returns the error texts of a response: `{"errors": [{"code": 1, "message":
/// ""}]}`.
fn problem(status: u16, body: &Value) -> String {
    let errors = body.get("errors").and_then(Value::as_array);
    let errors: Vec<String> = errors
        .into_iter()
        .flatten()
        .map(|error| {
            let code = error.get("code").map(Value::to_string);
            let message = error.get("message").and_then(Value::as_str);
            format!(
                "{} {}",
                code.unwrap_or_default(),
                message.unwrap_or_default()
            )
        })
        .collect();
    match errors.is_empty() {
        true => format!("status {status}"),
        false => shortened(format!("status {status}: {}", errors.join(", "))),
    }
}

/// The longest text of the API that is kept in the history, in characters.
const PROBLEM_CHARS_MAX: usize = 200;

fn shortened(text: String) -> String {
    text.chars().take(PROBLEM_CHARS_MAX).collect()
}
