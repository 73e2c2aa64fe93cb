//! What an order leaves to be done behind its receipt: telling the zone's own
//! purge call, and fetching URLs again. The ledger keeps it; `flow::ledger::runner` does
//! it.
//!
//! The keys that have ordered steps are served in turn, and where too many
//! wait, those of the key with the most are given up first: so no key's orders
//! hold up another's for long, nor push them out.
//!
//! A step is noted together with its order, and done at least once: before
//! each try it is put off, so that one which a restart breaks off is tried
//! again, and one that brings the object down does not do so for ever.

use super::sql::{Sql, Value};
use crate::cache::ledger::wire::{Order, Progress, Receipt};
use crate::cache::purge::fair_share::fair_share;
use crate::cache::purge::zone_purge::{self, Bucket, ZoneCall, ZoneOutcome};
use crate::http::json_object::print;

/// `work` holds the steps still to do; `progress` counts, for each order, what
/// became of its steps; `lane` is the bucket of the zone's calls; `turns` when
/// a key was last served, by counting.
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

/// Makes the tables, or brings those of an earlier version up to date: its
/// steps belong to nobody, as one more key.
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
    /// After how many tries a step is given up.
    tries: u64,
    /// The pause after the first try; each further one is twice as long.
    pause_ms: u64,
    /// How many steps may wait. Beyond it the oldest of the key with the most
    /// are given up.
    waiting_max: u64,
}

/// A call to the zone's purge: tried for two minutes (1 + 2 + … + 64 s). 300
/// of them are an hour at the slowest plan's 5 a minute.
pub const ZONE: JobKind = JobKind {
    name: "zone",
    tries: 8,
    pause_ms: 1000,
    waiting_max: 300,
};

/// A URL to be fetched again. 10,000 are 33 minutes' work.
pub const REFRESH: JobKind = JobKind {
    name: "refresh",
    tries: 3,
    pause_ms: 5000,
    waiting_max: 10_000,
};

/// A URL to be fetched by an order that purges nothing. These wait apart, and
/// behind: 10,000 pages of a sitemap must not hold up for half an hour what a
/// purge has made stale, nor push it out.
pub const WARM: JobKind = JobKind {
    name: "warm",
    ..REFRESH
};

/// After this time a step is given up: the order has been in force for long,
/// readers have fetched what they want, and a late purge of the zone would
/// only empty it again.
const LATE_MS: u64 = 3_600_000;

/// In how many calls an order goes on to the zone's own purge. Writes do not:
/// anybody may send them, and calls are few.
pub fn calls(fast_lane: bool, order: &Order) -> usize {
    match fast_lane && order.is_recorded() {
        true => zone_purge::calls(&order.hard).len(),
        false => 0,
    }
}

/// Notes what an order leaves to be done.
pub fn enqueue<S: Sql>(
    sql: &S,
    order: &Order,
    receipt: &Receipt,
    now_ms: u64,
) -> Result<(), String> {
    // What receipts have gone from is forgotten.
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
    // One statement, however many they are.
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

/// Gives up what is too much: the oldest steps of the keys with the most.
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

/// Gives up all steps of a kind up to a number: of a key, or of all.
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
        }
    }
    sql.run(
        "DELETE FROM work WHERE kind = ? AND number <= ? AND owner = COALESCE(?, owner)",
        &these,
    )
    .map(drop)
}

/// How far the work of an order is: the zone's calls, and the refreshes.
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
    // An order has steps of one of these kinds.
    let refresh = match of(&REFRESH)? {
        none if none == Progress::default() => of(&WARM)?,
        refresh => refresh,
    };
    Ok([of(&ZONE)?, refresh])
}

/// When there is something to do next; `None` if nothing is left.
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
    /// Its number among all.
    pub number: u64,
    /// Its order's.
    pub sequence: u64,
    /// What is to be done: a call's body, or a URL.
    pub payload: String,
    /// How often that was begun.
    pub tries: u64,
    /// The key that has ordered it.
    owner: String,
}

impl JobKind {
    /// At most so many of the steps that are due, of each key in turn the
    /// earliest first. (Of 10,000 waiting ones, the most there are, each is
    /// read.) What has waited too long, or brought the object down each time, is given up.
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

    /// Notes a try before it is made.
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

    /// Notes what became of a try.
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

    /// Takes a step out: done, or given up because of a problem.
    fn close<S: Sql>(&self, sql: &S, step: &Step, problem: Option<&str>) -> Result<(), String> {
        let gone = "DELETE FROM work WHERE number = ? RETURNING number";
        if sql.run(gone, &[step.number.into()])?.is_empty() {
            // Given up meanwhile, and counted then.
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
        )
        .map(drop)
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

/// The bucket of the zone's calls.
pub fn bucket<S: Sql>(sql: &S) -> Result<Bucket, String> {
    let rows = sql.run("SELECT full_ms, open_ms FROM lane", &[])?;
    let number = |at: usize| rows.first().and_then(|row| row.get(at)?.number());
    Ok(Bucket {
        full_ms: number(0).unwrap_or(0),
        open_ms: number(1).unwrap_or(0),
    })
}

/// Keeps the bucket.
pub fn put_bucket<S: Sql>(sql: &S, bucket: Bucket) -> Result<(), String> {
    let values = [bucket.full_ms.into(), bucket.open_ms.into()];
    sql.run("INSERT OR REPLACE INTO lane VALUES (1, ?, ?)", &values)
        .map(drop)
}
