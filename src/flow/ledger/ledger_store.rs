//! The purge ledger: gives each order the next sequence number, and returns the
//! purges since a sequence number.
//!
//! It uses SQLite through [`Sql`]: the Durable Object's on the platform, and
//! the same engine in tests. Everything between two requests is one transaction
//! (Durable Objects, "write coalescing"). If an error interrupts it, what was
//! written purges too much rather than too little, because the receipt is
//! written last.

use super::events;
use super::owners::{self, OwnerMarks};
use super::sql::{Sql, Value};
use super::stats_store::{self, PendingStats};
use crate::cache::config::limits::DAY_MS;
use crate::cache::ledger::sequence::Numbers;
use crate::cache::ledger::wire::{
    AppendDecision, MARK_MS, MARKS_DROPPED, MARKS_MAX, Order, RECORD_MS, Receipt, Record,
    decide_append, numbers,
};
use crate::cache::matching::key_scope::KeyScope;
use crate::cache::purge::feed::{FEED_MARKS_MAX, LedgerTime, PurgeFeed};
use crate::cache::purge::selector::{EVERYTHING, mark_of};
use crate::cache::stats::query::StatsQuery;
use crate::http::json_object::{self, print};
use crate::json_object;
use serde::{Deserialize, Serialize};

/// How many KV writes one query may report: a thousand times the daily limit of
/// the free plan.
const KV_WRITES_REPORTED_MAX: u64 = 1_000_000;

/// The ledger.
pub struct LedgerStore<S> {
    sql: S,
    /// The run of this ledger object (see [`LedgerTime`]).
    run: u64,
    /// Whether orders are also sent to the zone's own purge.
    fast_lane: bool,
    stats: PendingStats,
}

/// The ledger's response to an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(remote = "Self")]
pub struct Reply {
    /// `None`, and `null` in JSON, if the id was used for another order.
    // A reply without this member is a parse error, not a conflict.
    #[serde(deserialize_with = "Option::deserialize")]
    pub receipt: Option<Receipt>,
    /// The purge feed since [`Order::after`]; `news` in JSON.
    #[serde(rename = "news")]
    pub feed: String,
}

json_object!(Serialize for Reply);

const TABLES: [&str; 8] = [
    // `run` numbers the runs of the object. `marks` is an upper bound of the
    // rows in `live`.
    "CREATE TABLE IF NOT EXISTS state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        last INTEGER NOT NULL,
        hard INTEGER NOT NULL,
        soft INTEGER NOT NULL,
        run INTEGER NOT NULL,
        marks INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS live (
        mark TEXT PRIMARY KEY,
        hard INTEGER NOT NULL,
        soft INTEGER NOT NULL,
        last INTEGER NOT NULL,
        raised_ms INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS live_by_last ON live (last)",
    // `id`: see [`unique_id`]. Ids generated from the sequence number are not
    // stored, so they cannot collide with others.
    "CREATE TABLE IF NOT EXISTS receipts (
        sequence INTEGER PRIMARY KEY,
        id TEXT UNIQUE,
        received_ms INTEGER NOT NULL,
        record TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS receipts_by_time ON receipts (received_ms)",
    // Earlier versions stored ids without keys. Those were unique, so these
    // are.
    "UPDATE receipts SET id = CASE WHEN json_valid(record)
            THEN COALESCE(json_extract(record, '$.receipt.key'), '') ELSE '' END
            || char(10) || id
        WHERE instr(id, char(10)) = 0",
    "CREATE INDEX IF NOT EXISTS receipts_by_id
        ON receipts (substr(id, instr(id, char(10)) + 1))",
    // How many entries were written to KV on a day, as the isolates report.
    "CREATE TABLE IF NOT EXISTS kv_day (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        day INTEGER NOT NULL,
        writes INTEGER NOT NULL)",
];

impl<S: Sql> LedgerStore<S> {
    /// Opens the ledger, or creates a new one.
    ///
    /// A new ledger must not reuse sequence numbers: entries that are still
    /// stored would outrank its purges. So it starts at the current time in
    /// milliseconds, far above the numbers of an earlier ledger, with
    /// everything older purged.
    pub fn open(sql: S, now_ms: u64, fast_lane: bool) -> Result<Self, String> {
        for statement in TABLES
            .iter()
            .chain(&owners::TABLES)
            .chain(&stats_store::TABLES)
            .chain(&events::TABLES)
        {
            sql.run(statement, &[])?;
        }
        super::jobs::open(&sql)?;
        let start = Value::from(now_ms);
        sql.run(
            "INSERT OR IGNORE INTO state VALUES (1, ?, ?, 0, 0, 0)",
            &[start.clone(), start],
        )?;
        // No two runs share a number, even if the database is restored from a
        // backup, or created again on another machine.
        sql.run("UPDATE state SET run = MAX(run + 1, ?)", &[now_ms.into()])?;
        let run = sql.number("SELECT run FROM state", &[])?;
        Ok(Self {
            sql,
            run,
            fast_lane,
            stats: PendingStats::default(),
        })
    }

    /// Adds an isolate's report of statistics.
    pub fn add_stats(&self, report: &str, now_ms: u64) -> Result<(), String> {
        self.stats.add_report(&self.sql, report, now_ms)
    }

    /// Answers a query for statistics, as the text of a
    /// [`StatsPage`](stats_store::StatsPage).
    pub fn stats(&self, query: &StatsQuery, now_ms: u64) -> Result<String, String> {
        self.stats.answer(&self.sql, query, now_ms)
    }

    /// The database.
    pub fn sql(&self) -> &S {
        &self.sql
    }

    /// Accepts an order, or returns the receipt of its first delivery.
    pub fn append(&self, order: &Order, now_ms: u64) -> Result<Reply, String> {
        // First, because this may correct the last sequence number.
        self.catch_up(order.after)?;
        let earlier = match unique_id(order) {
            Some(id) => self.record_of(&id)?,
            None => None,
        };
        let last = self.last()?;
        let calls = super::jobs::calls(self.fast_lane, order);
        let receipt = match decide_append(last, earlier.as_ref(), order, now_ms, calls) {
            AppendDecision::Conflict => None,
            AppendDecision::Repeat(receipt) => Some(receipt),
            AppendDecision::Accept(record) => {
                self.accept(order, &record, now_ms)?;
                Some(record.receipt)
            }
        };
        let feed = self.read_feed(order.after, now_ms)?;
        Ok(Reply { receipt, feed })
    }

    fn record_of(&self, id: &str) -> Result<Option<Record>, String> {
        let statement = "SELECT record FROM receipts WHERE id = ?";
        let rows = self.sql.run(statement, &[id.into()])?;
        let text = rows.first().and_then(|row| row.first()?.text());
        text.map(read_record).transpose()
    }

    fn accept(&self, order: &Order, record: &Record, now_ms: u64) -> Result<(), String> {
        let sequence = record.receipt.sequence;
        self.sql
            .run("UPDATE state SET last = ?", &[sequence.into()])?;
        match order.host_of_write() {
            Some(host) => self
                .owner_marks(now_ms)
                .raise_write(host, order, sequence)?,
            None => self.raise_names(order, sequence, now_ms)?,
        }
        if order.is_recorded() {
            let text = print(record);
            events::add(&self.sql, sequence)?;
            super::jobs::enqueue(&self.sql, order, &record.receipt, now_ms)?;
            self.sql.run(
                "INSERT INTO receipts VALUES (?, ?, ?, ?)",
                &[
                    sequence.into(),
                    unique_id(order).map_or(Value::Null, Value::Text),
                    now_ms.into(),
                    text.as_str().into(),
                ],
            )?;
        }
        let old = Value::from(now_ms.saturating_sub(RECORD_MS));
        self.sql
            .run("DELETE FROM receipts WHERE received_ms < ?", &[old])
            .map(drop)
    }

    /// Purges what a key's order names, as marks of the key's scope where the
    /// scope contains them. Tags added by a cascade may be outside the scope;
    /// the settings list them, 1,000 tags at most.
    fn raise_names(&self, order: &Order, sequence: u64, now_ms: u64) -> Result<(), String> {
        let scope = order.scope.as_deref().map(|text| {
            let scope = KeyScope::read(text);
            scope.ok_or_else(|| format!("not a scope: {text:.100}"))
        });
        let scope = scope.transpose()?;
        let (mut within, mut added) = (Vec::new(), 0_u64);
        for (names, soft) in [(&order.hard, false), (&order.soft, true)] {
            let raised = numbers(sequence, soft);
            for name in names {
                if scope.as_ref().is_some_and(|scope| scope.holds(name)) {
                    within.push((name.as_str(), raised));
                } else if name == EVERYTHING {
                    self.raise_floor(raised)?;
                } else {
                    self.raise_mark(name, raised, now_ms)?;
                    added = added.saturating_add(1);
                }
            }
        }
        if let Some(scope) = scope.filter(|_| !within.is_empty()) {
            self.owner_marks(now_ms)
                .raise_scope(&scope, &within, sequence)?;
        }
        self.compact(added, now_ms)
    }

    fn owner_marks(&self, now_ms: u64) -> OwnerMarks<'_, S> {
        OwnerMarks {
            sql: &self.sql,
            now_ms,
        }
    }

    fn raise_mark(&self, name: &str, to: Numbers, now_ms: u64) -> Result<(), String> {
        self.sql
            .run(
                "INSERT INTO live VALUES (?, ?, ?, ?, ?) ON CONFLICT (mark) DO UPDATE SET
                    hard = MAX(hard, excluded.hard),
                    soft = MAX(soft, excluded.soft),
                    last = excluded.last,
                    raised_ms = excluded.raised_ms",
                &[
                    format!("{:016x}", mark_of(name)).as_str().into(),
                    to.hard.into(),
                    to.soft.into(),
                    to.newest().into(),
                    now_ms.into(),
                ],
            )
            .map(drop)
    }

    /// Raises the floor, and deletes the marks at or below it.
    fn raise_floor(&self, to: Numbers) -> Result<(), String> {
        self.sql.run(
            "UPDATE state SET hard = MAX(hard, ?), soft = MAX(soft, ?)",
            &[to.hard.into(), to.soft.into()],
        )?;
        self.sql.run(
            "DELETE FROM live WHERE hard <= (SELECT hard FROM state)
                AND soft <= (SELECT MAX(hard, soft) FROM state)",
            &[],
        )?;
        owners::drop_at_floor(&self.sql)
    }

    /// Drops the oldest marks if they are too many or too old. The floor rises
    /// to them, so what they named stays purged, and more with it.
    fn compact(&self, added: u64, now_ms: u64) -> Result<(), String> {
        self.sql
            .run("UPDATE state SET marks = marks + ?", &[added.into()])?;
        // Counting reads every row, so it is done only if there may be too
        // many.
        if self.sql.number("SELECT marks FROM state", &[])? > MARKS_MAX {
            self.sql
                .run("UPDATE state SET marks = (SELECT COUNT(*) FROM live)", &[])?;
            if self.sql.number("SELECT marks FROM state", &[])? > MARKS_MAX {
                let cut = "SELECT last FROM live ORDER BY last LIMIT 1 OFFSET ?";
                let cut = self.sql.number(cut, &[MARKS_DROPPED.into()])?;
                self.drop_marks(cut)?;
            }
        }
        let old = now_ms.saturating_sub(MARK_MS);
        let oldest = "SELECT raised_ms FROM live ORDER BY last LIMIT 1";
        let rows = self.sql.run(oldest, &[])?;
        let oldest = rows.first().and_then(|row| row.first()?.number());
        if oldest.is_some_and(|raised_ms| raised_ms < old) {
            let cut = "SELECT MAX(last) FROM live WHERE raised_ms < ?";
            self.drop_marks(self.sql.number(cut, &[old.into()])?)?;
        }
        Ok(())
    }

    fn drop_marks(&self, up_to: u64) -> Result<(), String> {
        self.sql.run(
            "UPDATE state SET
                hard = MAX(hard, (SELECT COALESCE(MAX(hard), 0) FROM live WHERE last <= ?)),
                soft = MAX(soft, (SELECT COALESCE(MAX(soft), 0) FROM live WHERE last <= ?))",
            &[up_to.into(), up_to.into()],
        )?;
        self.sql
            .run("DELETE FROM live WHERE last <= ?", &[up_to.into()])
            .map(drop)
    }

    /// Handles a database that was restored to an earlier state: isolates and
    /// entries then have a larger sequence number. Everything before that
    /// number is purged.
    fn catch_up(&self, known: u64) -> Result<(), String> {
        if known > self.last()? {
            // The sequence number is written last, because it marks the rest as
            // done.
            self.raise_floor(numbers(known, false))?;
            self.sql.run("UPDATE state SET last = ?", &[known.into()])?;
        }
        Ok(())
    }

    /// The purges with sequence numbers above `after`, as the text form of
    /// [`PurgeFeed`].
    pub fn read_feed(&self, after: u64, now_ms: u64) -> Result<String, String> {
        self.read_feed_with(after, None, now_ms)
    }

    /// The same, with the number of entries written to KV on this day (UTC),
    /// after adding `writes`.
    pub fn read_counted_feed(
        &self,
        after: u64,
        writes: u64,
        now_ms: u64,
    ) -> Result<String, String> {
        let day = now_ms / DAY_MS;
        if writes > 0 {
            // No isolate writes so many between two queries. The limit bounds
            // what a broken caller reports, so that sums stay exact.
            let writes = writes.min(KV_WRITES_REPORTED_MAX);
            self.sql.run(
                "INSERT INTO kv_day VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET
                    writes = excluded.writes +
                        CASE WHEN day = excluded.day THEN writes ELSE 0 END,
                    day = excluded.day",
                &[day.into(), writes.into()],
            )?;
        }
        let total = "SELECT writes FROM kv_day WHERE day = ?";
        let total = self.sql.number(total, &[day.into()])?;
        self.read_feed_with(after, Some(total), now_ms)
    }

    fn read_feed_with(
        &self,
        after: u64,
        kv_writes: Option<u64>,
        now_ms: u64,
    ) -> Result<String, String> {
        self.catch_up(after)?;
        let next = self.last()?.saturating_add(1);
        self.owner_marks(now_ms).widen(next)?;
        let cut = "SELECT last FROM live WHERE last > ? UNION ALL
            SELECT last FROM apart WHERE last > ? ORDER BY last LIMIT 1 OFFSET ?";
        let most = FEED_MARKS_MAX as u64;
        let cut = self
            .sql
            .number(cut, &[after.into(), after.into(), most.into()])?;
        let complete = cut == 0;
        let sequence = if complete { self.last()? } else { cut };
        let statement = "SELECT hard, soft FROM state";
        let rows = self.sql.run(statement, &[])?;
        let number = |at: usize| rows.first().and_then(|row| row.get(at)?.number());
        let feed = PurgeFeed {
            after,
            sequence,
            complete,
            floor: Numbers {
                hard: number(0).unwrap_or(0),
                soft: number(1).unwrap_or(0),
            },
            at: LedgerTime {
                run: self.run,
                ms: now_ms,
            },
            kv_writes,
            ..PurgeFeed::default()
        };
        // SQLite builds the lines, because each row would be passed to wasm
        // separately.
        let lines = self.sql.run(
            "SELECT group_concat(mark || ' ' || hard || ' ' || soft || char(10), '') FROM (
                SELECT mark, hard, soft, last FROM live WHERE last > ? AND last <= ? UNION ALL
                SELECT mark, hard, soft, last FROM apart WHERE last > ? AND last <= ?
                ORDER BY last)",
            &[after.into(), sequence.into(), after.into(), sequence.into()],
        )?;
        let lines = lines.first().and_then(|row| row.first()?.text());
        let first = feed.first_line();
        Ok(format!("{first}{}.", lines.unwrap_or_default()))
    }

    /// The last sequence number.
    pub fn last(&self) -> Result<u64, String> {
        self.sql.number("SELECT last FROM state", &[])
    }
}

/// The unique key of a receipt: the key's name, a line feed (which no name or
/// id contains) and the id. `None` if the order has no id.
fn unique_id(order: &Order) -> Option<String> {
    let id = order.id.as_ref()?;
    let key = order.key.as_deref().unwrap_or_default();
    Some(format!("{key}\n{id}"))
}

pub(crate) fn read_record(text: &str) -> Result<Record, String> {
    json_object::read_without_paths(text).map_err(|error| error.to_string())
}
