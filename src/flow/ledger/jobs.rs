//! The jobs of an order after its receipt: calls of the zone's own purge, and
//! refreshes of URLs. The ledger stores their steps; `flow::ledger::runner`
//! executes them.
//!
//! The keys are served in turn. If too many steps wait, those of the key with
//! the most are dropped first. So no key's orders delay another's for long, or
//! push them out.
//!
//! A step is stored together with its order, and executed at least once. Before
//! each try it is postponed, so a try that a restart interrupts is repeated,
//! and a step that crashes the object does not do so for ever.

use super::events;
use super::sql::{Sql, Value};
use crate::cache::ledger::wire::{Order, Progress, Receipt};
use crate::cache::purge::fair_share::fair_share;
use crate::cache::purge::zone_purge::{self, Bucket, ZoneCall, ZoneOutcome};
use crate::http::json_object::print;

/// `work` holds the steps still to do. `progress` counts the results of the
/// steps for each order. `lane` is the token bucket of the zone's calls.
/// `turns` says when a key was last served, by a counter.
const TABLES: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS work (
        number INTEGER PRIMARY KEY,
        sequence INTEGER NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS work_by_due ON work (kind, due_ms)",
    "CREATE TABLE IF NOT EXISTS progress (
        sequence INTEGER NOT NULL,
        kind TEXT NOT NULL,
        planned INTEGER NOT NULL,
        done INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        problem TEXT,
        PRIMARY KEY (sequence, kind)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS lane (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        full_ms INTEGER NOT NULL,
        open_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS turns (
        kind TEXT NOT NULL,
        owner TEXT NOT NULL,
        served INTEGER NOT NULL,
        PRIMARY KEY (kind, owner)) WITHOUT ROWID",
];

/// Creates the tables, or upgrades those of an earlier version. Steps of an
/// earlier version belong to an additional, empty key.
pub fn open<S: Sql>(sql: &S) -> Result<(), String> {
    for statement in TABLES {
        sql.run(statement, &[])?;
    }
    let known = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'work' AND sql LIKE '%owner%'";
    if sql.number(known, &[])? == 0 {
        let owner = "ALTER TABLE work ADD COLUMN owner TEXT NOT NULL DEFAULT ''";
        sql.run(owner, &[])?;
    }
    let index = "CREATE INDEX IF NOT EXISTS work_by_owner ON work (kind, owner, number)";
    sql.run(index, &[]).map(drop)
}

/// A kind of steps.
#[derive(Debug)]
pub struct JobKind {
    name: &'static str,
    /// After how many tries a step is dropped.
    tries: u64,
    /// The pause after the first try; each later one is twice as long.
    pause_ms: u64,
    /// How many steps may wait. Beyond this limit, the oldest ones of the key
    /// with the most are dropped.
    waiting_max: u64,
}

/// A call of the zone's purge: tried for two minutes (1 + 2 + … + 64 s). 300 of
/// them take an hour at the slowest plan's 5 a minute.
pub const ZONE: JobKind = JobKind {
    name: "zone",
    tries: 8,
    pause_ms: 1000,
    waiting_max: 300,
};

/// A refresh of a URL. 10,000 take 33 minutes.
pub const REFRESH: JobKind = JobKind {
    name: "refresh",
    tries: 3,
    pause_ms: 5000,
    waiting_max: 10_000,
};

/// A refresh by an order that purges nothing. These wait separately, with lower
/// priority: 10,000 pages of a sitemap must not delay the refreshes of a purge
/// by half an hour, or push them out.
pub const WARM: JobKind = JobKind {
    name: "warm",
    ..REFRESH
};

/// After this time a step is dropped. The order has been in force for long,
/// clients have fetched what they want, and a late purge of the zone would only
/// remove that again.
const LATE_MS: u64 = 3_600_000;

/// The number of calls by which an order is sent to the zone's own purge.
/// Writes are not sent: any client may cause them, and the calls are limited.
pub fn calls(fast_lane: bool, order: &Order) -> usize {
    match fast_lane && order.is_recorded() {
        true => zone_purge::calls(&order.hard).len(),
        false => 0,
    }
}

/// Stores the steps of an order.
pub fn enqueue<S: Sql>(
    sql: &S,
    order: &Order,
    receipt: &Receipt,
    now_ms: u64,
) -> Result<(), String> {
    // The progress of orders without a receipt is deleted.
    sql.run(
        "DELETE FROM progress WHERE sequence < (SELECT MIN(sequence) FROM receipts)",
        &[],
    )?;
    let calls = match receipt.fast_lane {
        0 => Vec::new(),
        _ => zone_purge::calls(&order.hard),
    };
    let calls: Vec<String> = calls.iter().map(ZoneCall::body).collect();
    let purges = !order.hard.is_empty() || !order.soft.is_empty();
    let refresh = if purges { &REFRESH } else { &WARM };
    for (kind, payloads) in [(&ZONE, &calls), (refresh, &order.refresh)] {
        if !payloads.is_empty() {
            let owner = order.key.as_deref().unwrap_or_default();
            add(sql, kind, (owner, receipt.sequence), payloads, now_ms)?;
        }
    }
    Ok(())
}

fn add<S: Sql>(
    sql: &S,
    kind: &JobKind,
    (owner, sequence): (&str, u64),
    payloads: &[String],
    now_ms: u64,
) -> Result<(), String> {
    let list = print(payloads);
    // One statement, however many steps there are.
    sql.run(
        "INSERT INTO work (sequence, kind, payload, since_ms, due_ms, tries, owner)
            SELECT ?, ?, value, ?, ?, 0, ? FROM json_each(?) ORDER BY key",
        &[
            sequence.into(),
            kind.name.into(),
            now_ms.into(),
            now_ms.into(),
            owner.into(),
            list.as_str().into(),
        ],
    )?;
    sql.run(
        "INSERT INTO progress VALUES (?, ?, ?, 0, 0, NULL)",
        &[
            sequence.into(),
            kind.name.into(),
            (payloads.len() as u64).into(),
        ],
    )?;
    bound(sql, kind)
}

/// Drops steps beyond the limit: the oldest ones of the keys with the most.
fn bound<S: Sql>(sql: &S, kind: &JobKind) -> Result<(), String> {
    let waiting = "SELECT owner, COUNT(*) FROM work WHERE kind = ? GROUP BY owner";
    let rows = sql.run(waiting, &[kind.name.into()])?;
    let counts = rows.iter().filter_map(|row| {
        let [owner, count] = row.as_slice() else {
            return None;
        };
        Some((owner.text()?, count.number()?))
    });
    let (owners, counts): (Vec<&str>, Vec<u64>) = counts.unzip();
    let most = kind.waiting_max;
    let share = fair_share(&counts, most);
    for (owner, count) in owners.into_iter().zip(counts) {
        if count > share {
            let cut = "SELECT number FROM work WHERE kind = ? AND owner = ?
                ORDER BY number DESC LIMIT 1 OFFSET ?";
            let cut = sql.number(cut, &[kind.name.into(), owner.into(), share.into()])?;
            let problem = format!("more than {most} were waiting");
            give_up(sql, kind, Some(owner), cut, &problem)?;
        }
    }
    Ok(())
}

/// Drops all steps of a kind up to a number: of one key, or of all.
fn give_up<S: Sql>(
    sql: &S,
    kind: &JobKind,
    owner: Option<&str>,
    up_to: u64,
    problem: &str,
) -> Result<(), String> {
    let owner = owner.map_or(Value::Null, Value::from);
    let these = [kind.name.into(), up_to.into(), owner];
    let statement = "SELECT sequence, COUNT(*) FROM work
        WHERE kind = ? AND number <= ? AND owner = COALESCE(?, owner) GROUP BY sequence";
    for row in sql.run(statement, &these)? {
        if let [sequence, count] = row.as_slice() {
            sql.run(
                "UPDATE progress SET failed = failed + ?, problem = ?
                    WHERE sequence = ? AND kind = ?",
                &[
                    count.clone(),
                    problem.into(),
                    sequence.clone(),
                    kind.name.into(),
                ],
            )?;
            events::note_change(sql, sequence)?;
        }
    }
    sql.run(
        "DELETE FROM work WHERE kind = ? AND number <= ? AND owner = COALESCE(?, owner)",
        &these,
    )
    .map(drop)
}

/// The progress of an order's zone calls and of its refreshes.
pub fn progress<S: Sql>(sql: &S, sequence: u64) -> Result<[Progress; 2], String> {
    let statement = "SELECT planned, done, failed, problem FROM progress
        WHERE sequence = ? AND kind = ?";
    let of = |kind: &JobKind| -> Result<Progress, String> {
        let rows = sql.run(statement, &[sequence.into(), kind.name.into()])?;
        let cell = |at: usize| rows.first().and_then(|row| row.get(at));
        let number = |at: usize| cell(at).and_then(Value::number).unwrap_or(0);
        let (planned, done, failed) = (number(0), number(1), number(2));
        Ok(Progress {
            pending: planned.saturating_sub(done).saturating_sub(failed),
            done,
            failed,
            problem: cell(3).and_then(Value::text).map(str::to_owned),
        })
    };
    // An order has steps of only one of these kinds.
    let refresh = match of(&REFRESH)? {
        none if none == Progress::default() => of(&WARM)?,
        refresh => refresh,
    };
    Ok([of(&ZONE)?, refresh])
}

/// When the next step is due; `None` if none is left.
pub fn next_due<S: Sql>(sql: &S) -> Result<Option<u64>, String> {
    let statement = "SELECT MIN(due_ms) FROM work WHERE kind = ?";
    let due = |kind: &JobKind| -> Result<Option<u64>, String> {
        let rows = sql.run(statement, &[kind.name.into()])?;
        Ok(rows.first().and_then(|row| row.first()?.number()))
    };
    let call = match due(&ZONE)? {
        Some(due_ms) => Some(due_ms.max(bucket(sql)?.open_ms)),
        None => None,
    };
    let pages = due(&REFRESH)?.into_iter().chain(due(&WARM)?);
    Ok(call.into_iter().chain(pages).min())
}

/// A step to be tried.
#[derive(Debug)]
pub struct Step {
    /// Its number, unique over all steps.
    pub number: u64,
    /// The sequence number of its order.
    pub sequence: u64,
    /// The body of the zone call, or the URL to refresh.
    pub payload: String,
    /// How many tries were begun.
    pub tries: u64,
    /// The key that ordered it.
    owner: String,
}

impl JobKind {
    /// At most `most` of the due steps, alternating between the keys, the
    /// earliest of each key first. (This reads up to 10,000 waiting steps, the
    /// limit.) A step that has waited too long, or whose tries were all
    /// interrupted, is dropped.
    pub fn due<S: Sql>(&self, sql: &S, now_ms: u64, most: u64) -> Result<Vec<Step>, String> {
        let old = now_ms.saturating_sub(LATE_MS);
        let late = "SELECT MAX(number) FROM work WHERE kind = ? AND since_ms < ?";
        let late = sql.number(late, &[self.name.into(), old.into()])?;
        if late > 0 {
            give_up(sql, self, None, late, "not done within an hour")?;
        }
        let rows = sql.run(
            "SELECT number, sequence, tries, payload, owner FROM (
                SELECT number, sequence, tries, payload, owner, due_ms, kind,
                    ROW_NUMBER() OVER (PARTITION BY owner ORDER BY due_ms, number) AS place
                FROM work WHERE kind = ? AND due_ms <= ?)
                LEFT JOIN turns USING (kind, owner)
                ORDER BY place, COALESCE(served, 0), due_ms, number LIMIT ?",
            &[self.name.into(), now_ms.into(), most.into()],
        )?;
        let mut steps = Vec::new();
        for step in rows.iter().filter_map(|row| read_step(row)) {
            if step.tries < self.tries {
                steps.push(step);
            } else {
                self.close(sql, &step, Some("broken off, again and again"))?;
            }
        }
        Ok(steps)
    }

    /// Records a try before it is made.
    pub fn begin<S: Sql>(&self, sql: &S, step: &mut Step, now_ms: u64) -> Result<(), String> {
        let doublings = u32::try_from(step.tries).unwrap_or(u32::MAX);
        let factor = 2_u64.saturating_pow(doublings);
        let due_ms = now_ms.saturating_add(self.pause_ms.saturating_mul(factor));
        step.tries = step.tries.saturating_add(1);
        sql.run(
            "INSERT OR REPLACE INTO turns
                SELECT ?, ?, COALESCE(MAX(served), 0) + 1 FROM turns WHERE kind = ?",
            &[
                self.name.into(),
                step.owner.as_str().into(),
                self.name.into(),
            ],
        )?;
        sql.run(
            "UPDATE work SET tries = ?, due_ms = ? WHERE number = ?",
            &[step.tries.into(), due_ms.into(), step.number.into()],
        )
        .map(drop)
    }

    /// Records the result of a try.
    pub fn end<S: Sql>(
        &self,
        sql: &S,
        step: &Step,
        outcome: &ZoneOutcome,
        now_ms: u64,
    ) -> Result<(), String> {
        match outcome {
            ZoneOutcome::Done => self.close(sql, step, None),
            ZoneOutcome::Again {
                problem,
                pause_seconds,
            } if step.tries < self.tries => {
                let pause_ms = pause_seconds.unwrap_or(0).saturating_mul(1000);
                let due_ms = now_ms.saturating_add(pause_ms);
                let later = "UPDATE work SET due_ms = MAX(due_ms, ?) WHERE number = ?";
                sql.run(later, &[due_ms.into(), step.number.into()])?;
                self.count(sql, step, [0, 0], Some(problem))
            }
            ZoneOutcome::Again { problem, .. } | ZoneOutcome::Refused(problem) => {
                self.close(sql, step, Some(problem))
            }
        }
    }

    /// Removes a step: done, or dropped because of a problem.
    fn close<S: Sql>(&self, sql: &S, step: &Step, problem: Option<&str>) -> Result<(), String> {
        let gone = "DELETE FROM work WHERE number = ? RETURNING number";
        if sql.run(gone, &[step.number.into()])?.is_empty() {
            // It was dropped meanwhile, and counted then.
            return Ok(());
        }
        let failed = u64::from(problem.is_some());
        self.count(sql, step, [1 - failed, failed], problem)
    }

    fn count<S: Sql>(
        &self,
        sql: &S,
        step: &Step,
        [done, failed]: [u64; 2],
        problem: Option<&str>,
    ) -> Result<(), String> {
        sql.run(
            "UPDATE progress SET done = done + ?, failed = failed + ?,
                problem = COALESCE(?, problem) WHERE sequence = ? AND kind = ?",
            &[
                done.into(),
                failed.into(),
                problem.map_or(Value::Null, Value::from),
                step.sequence.into(),
                self.name.into(),
            ],
        )?;
        events::note_change(sql, &step.sequence.into())
    }
}

fn read_step(row: &[Value]) -> Option<Step> {
    let [number, sequence, tries, payload, owner] = row else {
        return None;
    };
    Some(Step {
        number: number.number()?,
        sequence: sequence.number()?,
        tries: tries.number()?,
        payload: payload.text()?.to_owned(),
        owner: owner.text()?.to_owned(),
    })
}

/// The token bucket of the zone's calls.
pub fn bucket<S: Sql>(sql: &S) -> Result<Bucket, String> {
    let rows = sql.run("SELECT full_ms, open_ms FROM lane", &[])?;
    let number = |at: usize| rows.first().and_then(|row| row.get(at)?.number());
    Ok(Bucket {
        full_ms: number(0).unwrap_or(0),
        open_ms: number(1).unwrap_or(0),
    })
}

/// Stores the token bucket.
pub fn put_bucket<S: Sql>(sql: &S, bucket: Bucket) -> Result<(), String> {
    let values = [bucket.full_ms.into(), bucket.open_ms.into()];
    sql.run("INSERT OR REPLACE INTO lane VALUES (1, ?, ?)", &values)
        .map(drop)
}
