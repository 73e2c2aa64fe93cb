//! Saying why: `Cache-Status` (RFC 9211) on every answer, and one structured
//! log line a request.

use crate::cache::policy::reuse::Age;
use crate::flow::runtime::host::{Host, Tier};
use crate::http::json_object::print;
use serde::Serialize;
use std::ops::Not;

/// What happened to a request. Its JSON is the request's log line, without the
/// fields that are skipped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RequestLog {
    /// `request`, `fragment`, `refresh` or `purge`.
    pub event: &'static str,
    /// Host of the request.
    pub host: String,
    /// Method of the request.
    pub method: String,
    /// Path and query, as asked for.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// In a word: `hit`, `stale`, `collapsed`, `miss`, `revalidated`,
    /// `bypass`, `error`, `admin`.
    pub cache: &'static str,
    /// The tier whose entry was served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<&'static str>,
    /// Age of what was served, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// Seconds of freshness left; negative when stale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Digest of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The Cache API's key of the entry that was served or stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Tiers asked, in order; a varied answer may take two looks.
    pub reads: Vec<&'static str>,
    /// Tiers to which a copy is on its way.
    pub stores: Vec<&'static str>,
    /// Requests to the origin.
    pub origin: u32,
    /// Of how many fragments the page was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragments: Option<u32>,
    /// Milliseconds until the response head; I/O only, as clocks stand still
    /// between.
    pub ms: u64,
    /// What failed, and why things are as they are.
    pub notes: Vec<String>,
    /// Whether the answer came from the cache without asking the origin.
    #[serde(skip)]
    pub hit: bool,
    /// RFC 9211 `fwd`: why the origin was asked.
    #[serde(skip)]
    pub fwd: Option<&'static str>,
    /// RFC 9211 `fwd-status`.
    #[serde(skip)]
    pub fwd_status: Option<u16>,
    /// RFC 9211 `collapsed`: another request asked for this one, too.
    #[serde(skip_serializing_if = "Not::not")]
    pub collapsed: bool,
    /// Words for RFC 9211 `detail`.
    #[serde(skip)]
    pub detail: Vec<&'static str>,
    /// When the request came, in milliseconds since 1970.
    #[serde(skip)]
    pub began_ms: u64,
}

impl RequestLog {
    /// Notes something for the log.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Notes age and what is left.
    pub fn set_age(&mut self, age: Age) {
        self.age = Some(age.age);
        self.ttl = Some(age.ttl);
    }

    /// Says a word in `detail`, once.
    pub fn say(&mut self, word: &'static str) {
        if !self.detail.contains(&word) {
            self.detail.push(word);
        }
    }

    /// Notes what is wrong with the purge index.
    pub fn set_knowledge(&mut self, word: Option<&'static str>) {
        if let Some(word) = word {
            self.say(word);
        }
    }

    /// Takes over what was noted elsewhere about asking origins.
    pub fn add_asking(&mut self, other: Self) {
        self.origin = self.origin.saturating_add(other.origin);
        self.detail.extend(other.detail);
        self.notes.extend(other.notes);
    }

    /// Notes which tier's entry is used.
    pub fn set_tier(&mut self, tier: Tier) {
        self.tier = Some(tier.word());
        self.detail.insert(0, tier.word());
    }

    /// The value of `Cache-Status`. All parts are tokens and integers, so
    /// nothing from outside can break its syntax.
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
        if !self.detail.is_empty() {
            // A token may hold `/` (RFC 8941 §3.3.4).
            add("detail=", &self.detail.join("/"));
        }
        text
    }

    /// Whether it is a hit of which there is nothing to say but its tier: such
    /// lines are written only by `log_hits`.
    pub fn is_plain_hit(&self) -> bool {
        self.cache == "hit" && self.notes.is_empty() && self.detail.len() <= 1
    }

    /// Writes the log line.
    pub fn write<H: Host>(&mut self, host: &H) {
        self.ms = host.now_ms().saturating_sub(self.began_ms);
        host.log(&print(self));
    }
}

/// Logs trouble that belongs to no answer.
pub fn log_problem<H: Host>(host: &H, part: &str, problem: &str) {
    host.log(&problem_line(part, problem));
}

/// The line that tells of trouble.
pub fn problem_line(part: &str, problem: &str) -> String {
    print(&ProblemLine {
        event: "problem",
        part,
        path: None,
        problem,
    })
}

/// The same about a setting, with its path.
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
