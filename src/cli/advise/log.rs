//! The requests of a log, in memory: a few bytes each, and each URL once.

use super::reasons::{Reason, Unstored};
use super::variants::Variants;
use super::withheld::Withheld;
use crate::cache::key::cache_key;
use crate::http::url::Url;
use std::collections::HashMap;

/// The largest number of requests. A [`Row`] is 56 bytes: 56 MB.
pub const ROWS_MAX: usize = 1_000_000;

/// The largest number of distinct URLs. A replay holds some 100 bytes of each:
/// 20 MB.
pub const URLS_MAX: usize = 200_000;

/// All URLs together, in bytes. Each is held twice: 64 MB.
pub const URL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The limits of a log in memory.
#[derive(Clone, Copy, Debug)]
pub struct LogLimits {
    /// See [`ROWS_MAX`].
    pub rows: usize,
    /// See [`URLS_MAX`].
    pub urls: usize,
    /// See [`URL_BYTES_MAX`].
    pub url_bytes: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            rows: ROWS_MAX,
            urls: URLS_MAX,
            url_bytes: URL_BYTES_MAX,
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Served without the origin: `hit`, `stale`, `collapsed`.
    Served,
    /// Fetched.
    Fetched,
    /// Confirmed by the origin.
    Revalidated,
    /// It did not use the cache.
    Bypass,
    /// The log does not say it.
    Unknown,
}

/// A request as a parser reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Seconds, from any start.
    pub at: Option<u64>,
    /// The URL.
    pub url: Url,
    /// Whether it is HEAD.
    pub is_head: bool,
    /// The status of the response.
    pub status: u16,
    /// The length of the body, if the log says it and the body is whole.
    pub bytes: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// Age and lifetime of what was served or stored.
    pub age: u64,
    /// `None`: nothing was served from the cache or stored.
    pub lifetime: Option<u64>,
    /// The digest of the key, and the entry.
    pub key: Option<String>,
    /// The entry.
    pub entry: Option<String>,
    /// The words of `detail`.
    pub detail: Vec<String>,
    /// The notes of the line.
    pub notes: Vec<String>,
}

/// A request in memory.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Seconds, never before the row above.
    pub at: u64,
    /// Its place in [`Log::urls`].
    pub url: usize,
    /// Whether it is HEAD.
    pub is_head: bool,
    /// The status.
    pub status: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it bypassed the cache, or its response was not stored.
    pub reason: Reason,
    /// The lifetime of the response at the edge; `None` if it is not storable.
    pub lifetime: Option<u64>,
    /// Equal for equal responses of a URL, as far as the log shows: the length
    /// of the body, or a counter of fetches that were no confirmation.
    pub version: Option<u64>,
}

/// What is known of a URL while the log is read.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    stored_at: u64,
    lifetime: Option<u64>,
    fetches: u64,
}

/// The requests of a log.
#[derive(Debug, Default)]
pub struct Log {
    /// GET and HEAD, in the log's order.
    pub rows: Vec<Row>,
    /// Their URLs, with a canonical path.
    pub urls: Vec<Url>,
    /// Requests with other methods.
    pub others: u64,
    /// Records that are no request, such as `problem` lines.
    pub skipped: u64,
    /// Records that cannot be read.
    pub unreadable: u64,
    /// Requests that were left out because of a limit for URLs.
    pub over_limit: u64,
    /// Whether the log is longer than [`ROWS_MAX`].
    pub is_cut: bool,
    /// Whether the lines have times. Otherwise they are estimated from ages and
    /// lifetimes.
    pub has_times: bool,
    /// Whether the lines have the lengths of bodies.
    pub has_lengths: bool,
    /// Entries by key.
    pub variants: Variants,
    /// What the notes say was withheld.
    pub withheld: Withheld,
    /// Why responses were not stored.
    pub unstored: Unstored,
    limits: LogLimits,
    ids: HashMap<String, usize>,
    seen: Vec<Seen>,
    url_bytes: usize,
    now: u64,
}

impl Log {
    /// An empty log with other limits than the default ones.
    pub fn with_limits(limits: LogLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Adds a request. `false`: the log is full.
    pub fn add(&mut self, request: LogRequest) -> bool {
        if self.rows.len() >= self.limits.rows {
            self.is_cut = true;
            return false;
        }
        let Some(url) = self.url(&request.url) else {
            self.over_limit = self.over_limit.saturating_add(1);
            return true;
        };
        if let Some(key) = &request.key {
            let is_fetch = request.outcome == Outcome::Fetched;
            self.variants
                .add(key, request.entry.as_deref(), url, is_fetch);
        }
        for note in &request.notes {
            self.withheld.add(note);
        }
        if request.outcome == Outcome::Fetched && request.lifetime.is_none() {
            self.unstored.add(&request.detail);
        }
        let known = self.seen.get(url).copied().unwrap_or_default();
        let (at, seen) = self.timed(&request, known);
        let version = match request.bytes {
            Some(bytes) => Some(bytes),
            None if request.outcome == Outcome::Unknown => None,
            // Not stored: nothing shows whether the next response is equal.
            None => request.lifetime.map(|_| seen.fetches),
        };
        if let Some(place) = self.seen.get_mut(url) {
            *place = seen;
        }
        self.has_times |= request.at.is_some();
        self.has_lengths |= request.bytes.is_some();
        self.rows.push(Row {
            at,
            url,
            is_head: request.is_head,
            status: request.status,
            outcome: request.outcome,
            reason: Reason::of(&request.detail),
            lifetime: match request.outcome {
                // What a request without the cookie gets.
                Outcome::Bypass => seen.lifetime,
                _ => request.lifetime,
            },
            version,
        });
        true
    }

    /// The time of a request, and what is known of its URL then. Without times,
    /// ages and ends of lifetimes say how much time has passed at least.
    fn timed(&mut self, request: &LogRequest, known: Seen) -> (u64, Seen) {
        let end = known.stored_at.saturating_add(known.lifetime.unwrap_or(0));
        let least = match request.outcome {
            Outcome::Served => known.stored_at.saturating_add(request.age),
            Outcome::Revalidated if known.lifetime.is_some() => end,
            Outcome::Fetched if known.lifetime.is_some() && request.lifetime.is_some() => end,
            _ => self.now,
        };
        self.now = self.now.max(request.at.unwrap_or(least));
        let mut seen = known;
        if request.lifetime.is_some() {
            seen.lifetime = request.lifetime;
            seen.stored_at = self.now.saturating_sub(request.age);
        }
        if request.outcome == Outcome::Fetched {
            seen.fetches = seen.fetches.saturating_add(1);
        }
        (self.now, seen)
    }

    fn url(&mut self, url: &Url) -> Option<usize> {
        let url = cache_key::canonical_path(url);
        let text = url.to_text();
        if let Some(id) = self.ids.get(&text) {
            return Some(*id);
        }
        let bytes = self.url_bytes.saturating_add(text.len());
        if self.urls.len() >= self.limits.urls || bytes > self.limits.url_bytes {
            return None;
        }
        self.url_bytes = bytes;
        let id = self.urls.len();
        self.ids.insert(text, id);
        self.urls.push(url);
        self.seen.push(Seen::default());
        Some(id)
    }

    /// The seconds from the first request to the last.
    pub fn seconds(&self) -> u64 {
        let first = self.rows.first().map_or(0, |row| row.at);
        self.rows
            .last()
            .map_or(0, |row| row.at.saturating_sub(first))
    }

    /// How many requests had this outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        let rows = self.rows.iter().filter(|row| row.outcome == outcome);
        rows.count() as u64
    }
}
