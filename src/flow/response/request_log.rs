//! Saying why: `Cache-Status` (RFC 9211) on every answer, and one structured
//! log line a request.

use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::reuse::Age;
use crate::flow::isolate::inflight::Flight;
use crate::flow::runtime::host::{Host, StoreObserver, Tier};
use crate::http::json_object::print;
use serde::Serialize;
use std::ops::Not;
use std::rc::Rc;

/// What happened to a request. Its JSON is the request's log line, without the
/// fields that are skipped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
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
    /// Why there was no answer of the origin.
    #[serde(skip)]
    pub failure: Option<OriginFailure>,
    /// Who wants to know what becomes of the copies.
    #[serde(skip)]
    pub landed: StoreObserver,
    /// The flight that this request leads.
    #[serde(skip)]
    pub leads: Option<Rc<Flight>>,
    /// Whether the origin's answer depends on what the request asked with, so
    /// that it tells nothing of what others would get.
    #[serde(skip)]
    pub for_its_kind: bool,
    /// Words for RFC 9211 `detail`.
    #[serde(skip)]
    pub detail: Vec<&'static str>,
    /// Whether KV was left unread: it failed, was slow, or is left alone.
    #[serde(skip)]
    pub kv_unread: bool,
    /// Whether KV is asked because nothing else is left.
    #[serde(skip)]
    pub last_look: bool,
    /// When the tiers were looked into last, in milliseconds since 1970.
    #[serde(skip)]
    pub looked_ms: u64,
    /// How long the request has waited for the ledger, in milliseconds.
    #[serde(skip)]
    pub ledger_ms: u64,
    /// When the request came, in milliseconds since 1970.
    #[serde(skip)]
    pub began_ms: u64,
}

impl Report {
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

    /// Notes that the origin is being asked for all who wait.
    pub fn note_asking(&self, now_ms: u64) {
        if let Some(flight) = &self.leads {
            flight.asks(now_ms);
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

    /// Writes the log line.
    pub fn log<H: Host>(&mut self, host: &H) {
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
