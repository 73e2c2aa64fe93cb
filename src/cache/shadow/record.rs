//! The record of a response: what is compared with the next one. It has
//! digests, and neither the body nor values of fields.
//!
//! It is an [`Entry`] without a body, with the key, terms, variant and tags that
//! the response's own entry would have. So lookups and purges treat it as they
//! treat that one.

use super::verdict::NotCompared;
use crate::cache::config::rule::Rule;
use crate::cache::key::cache_key::digest;
use crate::cache::key::cookies;
use crate::cache::key::no_vary_search;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::storability::for_clients;
use crate::http::cache_control::withheld;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;
use std::fmt;

/// The longest body that is compared, in bytes: 1 MiB, encoded and decoded. It
/// is several times what the pages of most sites have. Long files are seldom
/// personal.
pub const BODY_BYTES_MAX: u32 = 1024 * 1024;

/// The field of a record that has the digest of the body and its coding. An
/// origin's field of this name is replaced.
const BODY_FIELD: &str = "edgekeep-shadow";

/// How many names of fields that differ are reported, and how many characters of
/// each: origins choose them.
const NAMES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 64;

/// Fields that differ between two responses of the same page: times, names of
/// the request or of the machine that answered, and what caches replace. The
/// content coding is compared with the body.
const VOLATILE: [&str; 34] = [
    "age",
    "alt-svc",
    "cache-control",
    "cache-status",
    "cdn-cache-control",
    "cf-cache-status",
    "cf-ray",
    "content-encoding",
    "date",
    "etag",
    "expires",
    "fly-request-id",
    "last-modified",
    "nel",
    "report-to",
    "reporting-endpoints",
    "server-timing",
    "traceparent",
    "via",
    "x-amz-cf-id",
    "x-amz-id-2",
    "x-amz-request-id",
    "x-amzn-trace-id",
    "x-cache",
    "x-cache-hits",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-request-id",
    "x-response-time",
    "x-runtime",
    "x-served-by",
    "x-timer",
    "x-varnish",
    "x-vercel-id",
];

/// The digest of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyDigest {
    /// SHA-256 of the bytes, or of the decoded bytes if they are gzip, in
    /// hexadecimal.
    pub text: String,
    /// How many bytes were received, before they were decoded.
    pub bytes: u64,
}

/// A response to compare: its head, and the digest of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedResponse {
    status: u16,
    /// The content coding; none for gzip, whose bytes are decoded before. (The
    /// gzip of the same page differs if a server adds random bytes against
    /// BREACH, as Django does.)
    coding: String,
    /// 128 bits of the digest of the body; empty if it has no bytes.
    body: String,
    /// The fields that matter, with digests as values.
    fields: Fields,
}

/// How a response differs from the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Status and digest of the stored body.
    pub stored: (u16, String),
    /// Status and digest of the body that the reader got.
    pub received: (u16, String),
    /// Names of fields that differ; at most ten.
    pub fields: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((old_status, old), (status, body)) = (&self.stored, &self.received);
        write!(f, "a hit would have differed: stored {old_status} {old}, ")?;
        write!(f, "received {status} {body}, other fields: ")?;
        f.write_str(&self.fields.join(", "))
    }
}

/// Whether a response's body is decoded before its digest is taken.
pub fn is_gzip(head: &ResponseHead) -> bool {
    let coding = head.fields.joined("content-encoding").unwrap_or_default();
    matches!(coding.to_ascii_lowercase().as_str(), "gzip" | "x-gzip")
}

impl ComparedResponse {
    /// The response to compare. `body` is `None` if it has no body.
    pub fn new(rule: &Rule, head: &ResponseHead, body: Option<&BodyDigest>) -> Self {
        let body = body.filter(|body| body.bytes > 0);
        let text = body.map(|body| body.text.chars().take(32).collect());
        let coding = head.fields.joined("content-encoding").unwrap_or_default();
        Self {
            status: head.status,
            coding: match is_gzip(head) || coding.eq_ignore_ascii_case("identity") {
                true => String::new(),
                false => coding,
            },
            body: text.unwrap_or_default(),
            fields: fields_that_matter(rule, head),
        }
    }

    /// The record of this response. `entry` is what the cache would store.
    pub fn record(&self, entry: Entry) -> Entry {
        let mut fields = self.fields.clone();
        if let Some(policy) = entry.fields.joined(no_vary_search::FIELD) {
            fields.set(no_vary_search::FIELD, policy);
        }
        fields.set(BODY_FIELD, format!("{} {}", self.body, self.coding));
        Entry {
            length: None,
            fields,
            ..entry
        }
    }

    /// Compares it with a record; `None` if it is the same response.
    pub fn compare(&self, record: &Entry) -> Result<Option<Difference>, NotCompared> {
        let body = record.fields.get(BODY_FIELD).unwrap_or_default();
        let (body, coding) = body.split_once(' ').unwrap_or((body, ""));
        if coding != self.coding {
            return Err(NotCompared::Coding);
        }
        let names = self.differing_names(record);
        if body == self.body && record.status == self.status && names.is_empty() {
            return Ok(None);
        }
        Ok(Some(Difference {
            stored: (record.status, body.to_owned()),
            received: (self.status, self.body.clone()),
            fields: names,
        }))
    }

    fn differing_names(&self, record: &Entry) -> Vec<String> {
        let is_other = |name: &str| name != BODY_FIELD && name != no_vary_search::FIELD;
        let own = self.fields.iter().chain(record.fields.iter());
        let mut names: Vec<String> = own.map(|(name, _)| name.to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| {
            is_other(name) && self.fields.joined(name) != record.fields.joined(name)
        });
        let short = |name: &String| name.chars().take(NAME_CHARS_MAX).collect();
        names.iter().take(NAMES_MAX).map(short).collect()
    }
}

/// The fields of a response that a reader would miss, or get wrongly, from the
/// cache; with digests as values.
///
/// A cookie that the response sets is one of them, unless the rule removes it: a
/// hit does not set it. Not among them are fields that the origin itself
/// excludes from storing (`no-cache="name"`).
fn fields_that_matter(rule: &Rule, head: &ResponseHead) -> Fields {
    let excluded = withheld(&head.fields);
    let strips_cookies = cookies::kept(&head.fields, rule).is_none();
    let mut fields = for_clients(&head.fields, 0);
    fields.retain(|name, _| {
        let is_stripped = name == "set-cookie" && strips_cookies;
        !is_stripped && !VOLATILE.contains(&name) && !excluded.iter().any(|other| other == name)
    });
    let hashed = fields.iter().map(|(name, value)| (name, digest(value)));
    hashed.collect()
}
