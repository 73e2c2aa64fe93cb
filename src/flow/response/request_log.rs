//! The log record of a request: `Cache-Status` (RFC 9211) for each response,
//! and one structured log line.

use crate::cache::policy::reuse::Age;
use crate::cache::shadow::verdict::ShadowVerdict;
use crate::flow::runtime::host::{Host, Tier};
use crate::http::json_object::print;
use serde::Serialize;
use std::ops::Not;

/// What happened to a request. Serialized as JSON it is the log line, without
/// the skipped fields.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RequestLog {
    /// `request`, `fragment`, `refresh`, `purge`, `explain`, `stats`,
    /// `metrics` or `dashboard`.
    pub event: &'static str,
    /// Host of the request.
    pub host: String,
    /// Method of the request.
    pub method: String,
    /// Path and query, as requested.
    pub path: String,
    /// Status of the response.
    pub status: u16,
    /// The cache result, one of `hit`, `stale`, `collapsed`, `miss`,
    /// `revalidated`, `bypass`, `error`, `admin`.
    pub cache: &'static str,
    /// The tier whose entry was served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<&'static str>,
    /// Age of the served response, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// Seconds of freshness left; negative if stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Digest of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The Cache API key of the entry that was served or stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Tiers read, in order; a response with variants may need two reads of one
    /// tier.
    pub reads: Vec<&'static str>,
    /// Tiers to which a copy is being written.
    pub stores: Vec<&'static str>,
    /// Number of requests to the origin.
    pub origin: u32,
    /// How long each of them took until the response head, in milliseconds.
    #[serde(skip)]
    pub origin_ms: Vec<u64>,
    /// Number of fragments of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragments: Option<u32>,
    /// Milliseconds until the response head. Only I/O counts, because the clock
    /// does not advance between I/O operations.
    pub ms: u64,
    /// Failures and explanations.
    pub notes: Vec<String>,
    /// Whether the response came from the cache without a request to the
    /// origin.
    #[serde(skip)]
    pub hit: bool,
    /// RFC 9211 `fwd`: why the request was forwarded.
    #[serde(skip)]
    pub fwd: Option<&'static str>,
    /// RFC 9211 `fwd-status`.
    #[serde(skip)]
    pub fwd_status: Option<u16>,
    /// RFC 9211 `collapsed`: another request fetched the response for this one.
    #[serde(skip_serializing_if = "Not::not")]
    pub collapsed: bool,
    /// Words for RFC 9211 `detail`, besides the tier.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<&'static str>,
    /// What the cache would have done, under a rule in shadow mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowVerdict>,
    /// When the request arrived, in milliseconds since 1970.
    #[serde(skip)]
    pub began_ms: u64,
}

impl RequestLog {
    /// Adds a text to `notes`.
    pub fn add_note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Sets the age and the remaining freshness.
    pub fn set_age(&mut self, age: Age) {
        self.age = Some(age.age);
        self.ttl = Some(age.ttl);
    }

    /// Adds a word to `detail`, once.
    pub fn add_detail(&mut self, word: &'static str) {
        if !self.detail.contains(&word) {
            self.detail.push(word);
        }
    }

    /// Adds the word for an outdated or missing purge index, if there is one.
    pub fn set_index_state(&mut self, word: Option<&'static str>) {
        if let Some(word) = word {
            self.add_detail(word);
        }
    }

    /// Adds the origin requests, words and notes of another record.
    pub fn add_attempts(&mut self, other: Self) {
        self.origin = self.origin.saturating_add(other.origin);
        self.origin_ms.extend(other.origin_ms);
        self.detail.extend(other.detail);
        self.notes.extend(other.notes);
    }

    /// Sets the tier whose entry is used.
    pub fn set_tier(&mut self, tier: Tier) {
        self.tier = Some(tier.word());
    }

    /// The value of `Cache-Status`. All parts are tokens and integers, so no
    /// input from outside can break its syntax.
    pub fn cache_status(&self) -> String {
        let mut text = String::from("edgekeep");
        let mut add = |name: &str, value: &str| {
            for piece in ["; ", name, value] {
                text.push_str(piece);
            }
        };
        if self.hit {
            add("hit", "");
        }
        if let Some(reason) = self.fwd {
            add("fwd=", reason);
        }
        if let Some(status) = self.fwd_status {
            add("fwd-status=", &status.to_string());
        }
        if !self.stores.is_empty() && self.fwd.is_some() {
            add("stored", "");
        }
        if self.collapsed {
            add("collapsed", "");
        }
        if let Some(ttl) = self.ttl {
            add("ttl=", &ttl.to_string());
        }
        let words: Vec<&str> = self.tier.iter().chain(&self.detail).copied().collect();
        if !words.is_empty() {
            // A token may hold `/` (RFC 8941 §3.3.4).
            add("detail=", &words.join("/"));
        }
        text
    }

    /// Whether this is a hit with nothing to report except its tier. Such
    /// records are written only if `log_hits` is set.
    pub fn is_plain_hit(&self) -> bool {
        self.cache == "hit" && self.notes.is_empty() && self.detail.is_empty()
    }

    /// Sets the verdict of shadow mode, and adds its reason to `detail`.
    pub fn set_shadow(&mut self, verdict: ShadowVerdict) {
        self.shadow = Some(verdict);
        if !verdict.reason().is_empty() {
            self.add_detail(verdict.reason());
        }
    }

    /// Writes the log line.
    pub fn write<H: Host>(&mut self, host: &H) {
        self.stop(host);
        self.print(host);
    }

    /// Sets the time that the request has taken so far.
    pub fn stop<H: Host>(&mut self, host: &H) {
        self.ms = host.now_ms().saturating_sub(self.began_ms);
    }

    /// Writes the log line with the time that was set.
    pub fn print<H: Host>(&self, host: &H) {
        host.log(&print(self));
    }
}

/// Logs a problem that belongs to no response.
pub fn log_problem<H: Host>(host: &H, part: &str, problem: &str) {
    host.log(&problem_line(part, problem));
}

/// The log line for a problem.
pub fn problem_line(part: &str, problem: &str) -> String {
    print(&ProblemLine {
        event: "problem",
        part,
        path: None,
        problem,
    })
}

/// The log line for a problem with a setting, with the path of the setting.
pub fn setting_problem_line(path: &str, problem: &str) -> String {
    print(&ProblemLine {
        event: "problem",
        part: "settings",
        path: Some(path),
        problem,
    })
}

#[derive(Serialize)]
struct ProblemLine<'a> {
    event: &'static str,
    part: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    problem: &'a str,
}
