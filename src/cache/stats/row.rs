//! A row of statistics: what is counted, and the counts.
//!
//! Isolates send rows to the ledger as lines of text, and the ledger stores
//! them so ([`StatsRow::put_line`]): a tenth of the code that reads them as JSON, and
//! a third of the bytes.

use serde::Serialize;
use std::fmt::Write;

/// The upper bounds of the histogram of origin times, in milliseconds. The last
/// of the [`BUCKETS`] has no bound.
pub const BUCKET_BOUNDS_MS: [u64; BUCKETS - 1] = [25, 100, 250, 500, 1000, 2500, 10_000];

/// The number of buckets of the histogram.
pub const BUCKETS: usize = 8;

/// The name in place of hosts and rules for which there is no room.
pub const OTHER: &str = "other";

/// The longest host or name of a rule in a row, in bytes. A host name has at
/// most 253, and a port. A longer name counts as [`OTHER`].
pub const NAME_BYTES_MAX: usize = 260;

/// The counts of requests that are alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StatsRow {
    /// The start of the minute or hour, in seconds since 1970. For totals, the
    /// minute in which they last grew.
    pub time: u64,
    /// Host of the requests.
    pub host: String,
    /// Name of the rule, as in explanations; empty for Edgekeep's own
    /// addresses.
    pub rule: String,
    /// The cache result, as `cache` in the log. `refresh` for a refresh in the
    /// background and `fragment` for a fragment, which count as no request.
    pub outcome: String,
    /// Why it was no hit, or was not stored: a word of `Cache-Status`; empty for
    /// hits.
    pub reason: String,
    /// The tier that served it; empty if none did.
    pub tier: String,
    /// The class of the response's status: `2xx` to `5xx`.
    pub status: String,
    #[serde(flatten)]
    #[expect(missing_docs, reason = "its own comment says it")]
    pub counts: Counts,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests of clients.
    pub requests: u64,
    /// Bytes of the bodies sent, as far as their length was known before.
    pub bytes: u64,
    /// Requests to origins.
    pub origin_requests: u64,
    /// How many of them took how long until the response head: a histogram by
    /// [`BUCKET_BOUNDS_MS`].
    pub origin_ms: [u64; BUCKETS],
    /// The sum of those times, in milliseconds.
    pub origin_ms_sum: u64,
    /// The largest age of the purge index that a request has seen, in
    /// milliseconds.
    pub purge_lag_ms: u64,
}

impl Counts {
    /// Adds the counts of another row.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.requests, other.requests),
            (&mut self.bytes, other.bytes),
            (&mut self.origin_requests, other.origin_requests),
            (&mut self.origin_ms_sum, other.origin_ms_sum),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.origin_ms.iter_mut().zip(other.origin_ms) {
            *sum = sum.saturating_add(more);
        }
        self.purge_lag_ms = self.purge_lag_ms.max(other.purge_lag_ms);
    }

    /// Counts a request to an origin that took this long.
    pub fn add_origin_time(&mut self, ms: u64) {
        let at = BUCKET_BOUNDS_MS.iter().position(|bound| ms <= *bound);
        if let Some(count) = self.origin_ms.get_mut(at.unwrap_or(BUCKETS - 1)) {
            *count = count.saturating_add(1);
        }
        self.origin_ms_sum = self.origin_ms_sum.saturating_add(ms);
    }
}

impl StatsRow {
    /// Appends the line of the row, with a line feed: its names and its numbers,
    /// separated by tabs.
    pub fn put_line(&self, text: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}", self.time);
        let names = [
            &self.host,
            &self.rule,
            &self.outcome,
            &self.reason,
            &self.tier,
            &self.status,
        ];
        for name in names {
            text.push('\t');
            text.extend(name.chars().filter(|c| !c.is_control()));
        }
        let counts = &self.counts;
        let sums = [
            counts.requests,
            counts.bytes,
            counts.origin_requests,
            counts.origin_ms_sum,
            counts.purge_lag_ms,
        ];
        for number in sums.into_iter().chain(counts.origin_ms) {
            let _ = write!(text, "\t{number}");
        }
        text.push('\n');
    }

    /// Reads the line of a row; `None` if it is not one. Another version of the
    /// Worker may have written it: more pieces at its end are ignored.
    pub fn read_line(line: &str) -> Option<Self> {
        let mut pieces = line.split('\t');
        let time = pieces.next()?.parse().ok()?;
        let mut name = || pieces.next().map(str::to_owned);
        let (host, rule, outcome) = (name()?, name()?, name()?);
        let (reason, tier, status) = (name()?, name()?, name()?);
        let mut number = || pieces.next()?.parse::<u64>().ok();
        let mut counts = Counts {
            requests: number()?,
            bytes: number()?,
            origin_requests: number()?,
            origin_ms_sum: number()?,
            purge_lag_ms: number()?,
            origin_ms: [0; BUCKETS],
        };
        for count in &mut counts.origin_ms {
            *count = number()?;
        }
        Some(Self {
            time,
            host,
            rule,
            outcome,
            reason,
            tier,
            status,
            counts,
        })
    }

    /// Reads lines. What is not a row is left out: statistics must not fail for
    /// good.
    pub fn read_lines(text: &str) -> impl Iterator<Item = Self> {
        text.lines().filter_map(Self::read_line)
    }

    /// The lines of rows.
    pub fn lines(rows: &[Self]) -> String {
        let mut text = String::new();
        rows.iter().for_each(|row| row.put_line(&mut text));
        text
    }

    /// Whether two rows are about the same requests, whatever their times.
    fn is_like(&self, other: &Self) -> bool {
        // Hosts differ most.
        self.host == other.host
            && self.outcome == other.outcome
            && self.reason == other.reason
            && self.tier == other.tier
            && self.status == other.status
            && self.rule == other.rule
    }

    /// The row with [`OTHER`] as host and rule.
    fn of_others(self) -> Self {
        Self {
            host: OTHER.to_owned(),
            rule: OTHER.to_owned(),
            ..self
        }
    }

    /// The row with names of bounded length.
    fn with_bounded_names(self) -> Self {
        let words = [&self.outcome, &self.reason, &self.tier, &self.status];
        let fits = |text: &String| text.len() <= NAME_BYTES_MAX;
        match fits(&self.host) && fits(&self.rule) && words.into_iter().all(fits) {
            true => self,
            false => Self {
                outcome: OTHER.to_owned(),
                reason: String::new(),
                tier: String::new(),
                status: String::new(),
                ..self.of_others()
            },
        }
    }
}

/// Adds a row to a list of at most `most` rows. Beyond that, it is added to the
/// row of [`OTHER`] hosts and rules, if need be of any outcome, so that no
/// request is lost.
pub fn add_row(rows: &mut Vec<StatsRow>, row: StatsRow, most: usize) {
    add(rows, row, most, |one, other| one.time == other.time);
}

/// After so many seconds without a request, a row of totals makes room for
/// another one, if there are too many.
const TOTAL_IDLE_SECONDS: u64 = 3600;

/// Adds a row to totals, of at most `most` rows. If there are too many, those
/// that have not grown for the longest time are dropped, unless they have grown
/// within [`TOTAL_IDLE_SECONDS`]: a scraper takes that for the end of a counter.
/// Adding them to the row of [`OTHER`] hosts would be growth that never was.
pub fn add_to_totals(rows: &mut Vec<StatsRow>, row: StatsRow, most: usize) {
    if !rows.iter().any(|known| known.is_like(&row)) {
        let idle_since = row.time.saturating_sub(TOTAL_IDLE_SECONDS);
        while rows.len() >= most && drop_stalest(rows, idle_since) {}
    }
    add(rows, row, most, |_, _| true);
}

/// Drops the row that has not grown for the longest time, if it has not grown
/// since `idle_since`. Returns whether there was one.
fn drop_stalest(rows: &mut Vec<StatsRow>, idle_since: u64) -> bool {
    let named = rows.iter().enumerate().filter(|(_, row)| row.host != OTHER);
    let stalest = named.min_by_key(|(_, row)| row.time);
    let Some((at, _)) = stalest.filter(|(_, row)| row.time < idle_since) else {
        return false;
    };
    rows.swap_remove(at);
    true
}

fn add(rows: &mut Vec<StatsRow>, row: StatsRow, most: usize, is_in_time: InTime) {
    let row = row.with_bounded_names();
    let row = match add_to_like(rows, row, is_in_time) {
        Some(row) if rows.len() < most => return rows.push(row),
        Some(row) => row.of_others(),
        None => return,
    };
    // Outcomes, reasons, tiers and classes have few values.
    let room_for_others = most.saturating_add(OTHERS_MAX);
    match add_to_like(rows, row, is_in_time) {
        Some(row) if rows.len() < room_for_others => rows.push(row),
        Some(row) => {
            if let Some(last) = rows.last_mut() {
                last.counts.add(&row.counts);
            }
        }
        None => {}
    }
}

/// How many rows of [`OTHER`] hosts a list may have beyond its limit.
const OTHERS_MAX: usize = 50;

/// Whether the times of two rows allow to add one to the other.
type InTime = fn(&StatsRow, &StatsRow) -> bool;

/// Adds a row to the one that is like it; returns it if there is none.
fn add_to_like(rows: &mut [StatsRow], row: StatsRow, is_in_time: InTime) -> Option<StatsRow> {
    let mut like = rows.iter_mut().filter(|other| is_in_time(other, &row));
    match like.find(|other| other.is_like(&row)) {
        Some(other) => {
            other.counts.add(&row.counts);
            other.time = other.time.max(row.time);
            None
        }
        None => Some(row),
    }
}
