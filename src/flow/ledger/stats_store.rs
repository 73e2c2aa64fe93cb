//! The ledger's statistics: minutes for two days, hours for ninety, and totals.
//!
//! A row of the database holds all rows of a minute or hour as text, so that a
//! report of many rows writes few. Reports are gathered in memory, and written
//! at most once a minute. What is gathered is lost if the object ends before
//! the next report.

use super::sql::{Sql, Value};
use crate::cache::stats::query::{StatsQuery, StatsStep};
use crate::cache::stats::row::{StatsRow, add_row, add_to_totals};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Its tables.
pub const TABLES: [&str; 1] = ["CREATE TABLE IF NOT EXISTS stats (
        step INTEGER NOT NULL,
        time INTEGER NOT NULL,
        rows TEXT NOT NULL,
        PRIMARY KEY (step, time)) WITHOUT ROWID"];

/// How often reports are written to the database.
const WRITE_MS: u64 = 60_000;

/// How many rows a minute or hour has: at 100 bytes each, 50 KB. A site of
/// twenty hosts has about 400.
const ROWS_MAX: usize = 500;

/// How many rows the totals have, and how many are gathered in memory: 200 KB,
/// and at most 1.2 MB. SQLite holds 2 MB in a value.
const TOTALS_MAX: usize = 2000;

/// How many rows of a report are read. Isolates hold at most 600.
const REPORT_ROWS_MAX: usize = 1000;

/// How many reports are remembered, to ignore one that arrives again: 80 KB. It
/// is the last minute of ten thousand isolates, or the last hour of 160.
const REPORTS_KNOWN_MAX: usize = 10_000;

/// How old a report may be, in seconds. Isolates report what they counted in the
/// last minutes.
const REPORT_SECONDS_MAX: u64 = 3600;

/// How long the text of an answer is, in bytes, beyond its first row. An isolate
/// reads and prints it, which takes about six times as much memory.
const ANSWER_BYTES_MAX: u64 = 500_000;

/// The statistics that are not written yet.
#[derive(Debug, Default)]
pub struct PendingStats {
    rows: RefCell<Vec<StatsRow>>,
    /// Digests of the last reports, the oldest first.
    known: RefCell<VecDeque<u64>>,
    written_ms: Cell<Option<u64>>,
}

impl PendingStats {
    /// Adds the report of an isolate: a line that tells it from others, and
    /// lines of rows. An isolate sends a report again if it received no answer.
    pub fn add_report<S: Sql>(&self, sql: &S, report: &str, now_ms: u64) -> Result<(), String> {
        if self.is_known(report) {
            return Ok(());
        }
        let now = now_ms / 1000;
        let (oldest, newest) = (now.saturating_sub(REPORT_SECONDS_MAX), now);
        let mut pending = self.rows.borrow_mut();
        for mut row in StatsRow::read_lines(report).take(REPORT_ROWS_MAX) {
            // Isolates have clocks of their own.
            row.time = start_of(row.time.clamp(oldest, newest), StatsStep::Minute);
            add_row(&mut pending, row, TOTALS_MAX);
        }
        drop(pending);
        let waited_ms = self.written_ms.get().map(|at| now_ms.saturating_sub(at));
        match waited_ms.is_none_or(|ms| ms >= WRITE_MS) {
            true => self.write(sql, now_ms),
            false => Ok(()),
        }
    }

    /// Whether a report has been added before. Remembers it.
    fn is_known(&self, report: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        report.hash(&mut hasher);
        let digest = hasher.finish();
        let mut known = self.known.borrow_mut();
        if known.contains(&digest) {
            return true;
        }
        if known.len() >= REPORTS_KNOWN_MAX {
            known.pop_front();
        }
        known.push_back(digest);
        false
    }

    /// Writes what is pending to the database, and deletes what is too old.
    fn write<S: Sql>(&self, sql: &S, now_ms: u64) -> Result<(), String> {
        self.written_ms.set(Some(now_ms));
        let rows = self.rows.take();
        if rows.is_empty() {
            return Ok(());
        }
        for step in [StatsStep::Minute, StatsStep::Hour, StatsStep::Total] {
            let mut times: Vec<u64> = rows.iter().map(|row| start_of(row.time, step)).collect();
            times.sort_unstable();
            times.dedup();
            for time in times {
                let of_time = rows.iter().filter(|row| start_of(row.time, step) == time);
                add_to_stored(sql, step, time, of_time)?;
            }
            let first = (now_ms / 1000).saturating_sub(step.kept_seconds());
            sql.run(
                "DELETE FROM stats WHERE step = ? AND time < ?",
                &[step.seconds().into(), first.into()],
            )?;
        }
        Ok(())
    }

    /// The answer to a query, as the text of a [`StatsPage`].
    pub fn answer<S: Sql>(
        &self,
        sql: &S,
        query: &StatsQuery,
        now_ms: u64,
    ) -> Result<String, String> {
        self.write(sql, now_ms)?;
        let step = Value::from(query.step.seconds());
        let (from, to) = (Value::from(query.from), Value::from(query.to));
        // The first row is returned however long it is.
        let found = sql.run(
            "SELECT time, rows FROM (
                SELECT time, rows, SUM(length(rows)) OVER (ORDER BY time) - length(rows) AS before
                FROM stats WHERE step = ? AND time >= ? AND time < ?)
             WHERE before < ? ORDER BY time",
            &[step.clone(), from, to.clone(), ANSWER_BYTES_MAX.into()],
        )?;
        let last = found.last().and_then(|row| row.first()?.number());
        let next = "SELECT MIN(time) FROM stats WHERE step = ? AND time > ? AND time < ?";
        let next = match last {
            Some(last) => sql.number(next, &[step, last.into(), to])?,
            None => 0,
        };
        let mut text = format!("{next}\n");
        let rows = found.iter().filter_map(|row| row.get(1)?.text());
        rows.for_each(|rows| text.push_str(rows));
        Ok(text)
    }
}

/// The answer to a query. As text it is a line with `next` or 0, and the lines
/// of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsPage {
    /// The rows, by time.
    pub rows: Vec<StatsRow>,
    /// The `from` of the next page, if there is one.
    pub next: Option<u64>,
}

impl StatsPage {
    /// Reads the text of a page; `None` if it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let (next, rows) = text.split_once('\n')?;
        let next = next.parse().ok()?;
        Some(Self {
            rows: StatsRow::read_lines(rows).collect(),
            next: Some(next).filter(|next| *next > 0),
        })
    }
}

/// The start of the minute or hour of a time.
fn start_of(time: u64, step: StatsStep) -> u64 {
    let within = time.checked_rem(step.seconds());
    within.map_or(0, |within| time.saturating_sub(within))
}

fn add_to_stored<'a, S: Sql>(
    sql: &S,
    step: StatsStep,
    time: u64,
    new: impl Iterator<Item = &'a StatsRow>,
) -> Result<(), String> {
    let place = [Value::from(step.seconds()), Value::from(time)];
    let stored = sql.run("SELECT rows FROM stats WHERE step = ? AND time = ?", &place)?;
    let stored = stored.first().and_then(|row| row.first()?.text());
    let mut rows = StatsRow::read_lines(stored.unwrap_or_default()).collect();
    for row in new {
        let mut row = row.clone();
        match step {
            StatsStep::Total => add_to_totals(&mut rows, row, TOTALS_MAX),
            StatsStep::Minute | StatsStep::Hour => {
                row.time = time;
                add_row(&mut rows, row, ROWS_MAX);
            }
        }
    }
    let [step, time] = place;
    sql.run(
        "INSERT OR REPLACE INTO stats VALUES (?, ?, ?)",
        &[step, time, Value::Text(StatsRow::lines(&rows))],
    )?;
    Ok(())
}
