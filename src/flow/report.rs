//! Saying why: `Cache-Status` (RFC 9211) on every answer, and one structured
//! log line a request.

use super::host::{Host, Landed, Tier};
use crate::cache::answer::OriginFailure;
use crate::cache::stored::Age;
use crate::http::json::{Json, print_text};

/// What happened to a request.
#[derive(Debug, Default)]
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
    pub tier: Option<&'static str>,
    /// Age of what was served, in seconds.
    pub age: Option<u64>,
    /// Seconds of freshness left; negative when stale.
    pub ttl: Option<i64>,
    /// Digest of the key.
    pub key: Option<String>,
    /// The Cache API's key of the entry that was served or stored.
    pub entry: Option<String>,
    /// Tiers asked, in order; a varied answer may take two looks.
    pub reads: Vec<&'static str>,
    /// Tiers to which a copy is on its way.
    pub stores: Vec<&'static str>,
    /// Requests to the origin.
    pub origin: u32,
    /// Of how many fragments the page was made.
    pub fragments: Option<u32>,
    /// Milliseconds until the response head; I/O only, as clocks stand still
    /// between.
    pub ms: u64,
    /// What failed, and why things are as they are.
    pub notes: Vec<String>,
    /// Whether the answer came from the cache without asking the origin.
    pub hit: bool,
    /// RFC 9211 `fwd`: why the origin was asked.
    pub fwd: Option<&'static str>,
    /// RFC 9211 `fwd-status`.
    pub fwd_status: Option<u16>,
    /// RFC 9211 `collapsed`: another request asked for this one, too.
    pub collapsed: bool,
    /// Why there was no answer of the origin.
    pub failure: Option<OriginFailure>,
    /// Who wants to know what becomes of the copies.
    pub landed: Landed,
    /// Words for RFC 9211 `detail`.
    pub detail: Vec<&'static str>,
    /// Whether KV was left unread: it failed, was slow, or is left alone.
    pub kv_unread: bool,
    /// Whether KV is asked because nothing else is left.
    pub last_look: bool,
    /// When the tiers were looked into last, in milliseconds since 1970.
    pub looked_ms: u64,
    /// When the request came, in milliseconds since 1970.
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
        host.log(&self.line());
    }

    /// The log line: JSON, printed at once, for each request has one.
    fn line(&self) -> String {
        let mut line = Line(String::from("{"));
        line.text("event", Some(self.event));
        line.text("host", Some(&self.host));
        line.text("method", Some(&self.method));
        line.text("path", Some(&self.path));
        line.bare("status", &self.status.to_string());
        line.text("cache", Some(self.cache));
        line.text("tier", self.tier);
        if let Some(age) = self.age {
            line.bare("age", &age.to_string());
        }
        if let Some(ttl) = self.ttl {
            line.bare("ttl", &ttl.to_string());
        }
        line.text("key", self.key.as_deref());
        line.text("entry", self.entry.as_deref());
        line.texts("reads", &mut self.reads.iter().copied());
        line.texts("stores", &mut self.stores.iter().copied());
        line.bare("origin", &self.origin.to_string());
        if let Some(fragments) = self.fragments {
            line.bare("fragments", &fragments.to_string());
        }
        line.bare("ms", &self.ms.to_string());
        line.texts("notes", &mut self.notes.iter().map(String::as_str));
        if self.collapsed {
            line.bare("collapsed", "true");
        }
        line.0.push('}');
        line.0
    }
}

/// A JSON object on its way.
struct Line(String);

impl Line {
    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    fn bare(&mut self, name: &str, value: &str) {
        self.name(name);
        self.0.push_str(value);
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(name);
            print_text(text, &mut self.0);
        }
    }

    fn texts(&mut self, name: &str, texts: &mut dyn Iterator<Item = &str>) {
        self.name(name);
        self.0.push('[');
        for (at, text) in texts.enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            print_text(text, &mut self.0);
        }
        self.0.push(']');
    }
}

/// Logs trouble that belongs to no answer.
pub fn log_problem<H: Host>(host: &H, part: &str, problem: &str) {
    host.log(&problem_line(part, problem));
}

/// The line that tells of trouble.
pub fn problem_line(part: &str, problem: &str) -> String {
    let line = [
        ("event", "problem".into()),
        ("part", part.into()),
        ("problem", problem.into()),
    ];
    Json::table(line).to_string()
}
