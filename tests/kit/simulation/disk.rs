//! The ledger's disk: real SQLite, with limits so small that a short run
//! reaches them, statements that fail, and the effects of switches.

use super::setup::Small;
use super::switches::Switch;
use crate::world::sqlite::Sqlite;
use edgekeep::cache::ledger::wire::{HOST_WRITES_MAX, MARK_MS, MARKS_MAX, SCOPE_MARKS_MAX};
use edgekeep::flow::ledger::sql::{Sql, Value};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The event that a feed has several pages.
pub const FEED_IN_PAGES: &str = "feed in pages";

type Rows = Vec<Vec<Value>>;

thread_local! {
    /// Opening a database is slow: each thread opens one, and empties it again.
    static SQLITE: Rc<Sqlite> = Rc::new(Sqlite::in_memory());
}

/// A disk. Its clones are the same disk.
#[derive(Clone)]
pub struct Disk(Rc<Inner>);

struct Inner {
    sqlite: Rc<Sqlite>,
    small: Option<Small>,
    switch: Option<Switch>,
    /// The number of statements before one that fails.
    fails_after: Cell<Option<u64>>,
    /// The time by the ledger's clock.
    clock_ms: Cell<u64>,
    /// The events so far, for the tally.
    events: RefCell<Vec<&'static str>>,
}

impl Disk {
    /// An empty disk.
    pub fn new(small: Option<Small>, switch: Option<Switch>) -> Self {
        let disk = Self(Rc::new(Inner {
            sqlite: SQLITE.with(Rc::clone),
            small,
            switch,
            fails_after: Cell::new(None),
            clock_ms: Cell::new(0),
            events: RefCell::default(),
        }));
        disk.empty();
        disk
    }

    /// Deletes all data.
    pub fn empty(&self) {
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
        let tables = self.0.sqlite.run(tables, &[]).expect("the tables");
        for name in tables.iter().filter_map(|row| row.first()?.text()) {
            let emptied = self.0.sqlite.run(&format!("DELETE FROM {name}"), &[]);
            emptied.expect("an empty table");
        }
    }

    pub fn set_clock(&self, ms: u64) {
        self.0.clock_ms.set(ms);
    }

    /// Makes one statement fail after this number of successful ones.
    pub fn fail_after(&self, statements: Option<u64>) {
        self.0.fails_after.set(statements);
    }

    /// The events since the last call.
    pub fn take_events(&self) -> Vec<&'static str> {
        self.0.events.take()
    }

    fn record(&self, what: &'static str) {
        self.0.events.borrow_mut().push(what);
    }

    fn fails(&self) -> bool {
        match self.0.fails_after.get() {
            Some(0) => {
                self.0.fails_after.set(None);
                true
            }
            Some(more) => {
                self.0.fails_after.set(Some(more - 1));
                false
            }
            None => false,
        }
    }

    /// Runs the statement with the limits of a small ledger.
    fn run_small(&self, statement: &str, values: &[Value]) -> Result<Rows, String> {
        let run = |values: &[Value]| self.0.sqlite.run(statement, values);
        let Some(small) = self.0.small else {
            return run(values);
        };
        let earlier_ms = MARK_MS - small.mark_ms;
        match statement {
            "SELECT marks FROM state" => {
                let marks = self.0.sqlite.number(statement, values)?;
                let over = (MARKS_MAX + marks).saturating_sub(small.marks);
                Ok(vec![vec![over.into()]])
            }
            "SELECT last FROM live ORDER BY last LIMIT 1 OFFSET ?" => {
                self.record("overflow");
                run(&[small.dropped.into()])
            }
            "SELECT raised_ms FROM live ORDER BY last LIMIT 1" => {
                let mut rows = run(values)?;
                if let Some(Value::Integer(ms)) = rows.first_mut().and_then(|row| row.first_mut()) {
                    *ms -= earlier_ms as i64;
                }
                Ok(rows)
            }
            "SELECT MAX(last) FROM live WHERE raised_ms < ?" => {
                self.record("marks expired");
                let cut_ms = values.first().and_then(Value::number).unwrap_or(0);
                run(&[(cut_ms + earlier_ms).into()])
            }
            page if page.starts_with("SELECT last FROM live WHERE last > ?") => {
                let after = values.first().cloned().unwrap_or(Value::Null);
                let rows = run(&[after.clone(), after, small.page.into()])?;
                if !rows.is_empty() {
                    self.record(FEED_IN_PAGES);
                }
                Ok(rows)
            }
            _ => self.run_apart(statement, values, small),
        }
    }

    /// The same for the marks of limited keys and of writes
    /// (`flow::ledger::owners`).
    fn run_apart(&self, statement: &str, values: &[Value], small: Small) -> Result<Rows, String> {
        let run = |values: &[Value]| self.0.sqlite.run(statement, values);
        let spare = |name: &str| {
            let most = if name.starts_with("host:") {
                HOST_WRITES_MAX
            } else {
                SCOPE_MARKS_MAX
            };
            most - most / small.owners_by
        };
        match statement {
            owner if owner.ends_with("FROM owners WHERE name = ?") => {
                let more = values.first().and_then(Value::text).map_or(0, spare);
                let mut rows = run(values)?;
                // `apart::COLUMNS`
                if let Some(Value::Integer(marks)) = rows.first_mut().and_then(|row| row.get_mut(3))
                {
                    *marks += more as i64;
                }
                Ok(rows)
            }
            "SELECT marks FROM owners WHERE id = ?" => {
                let marks = self.0.sqlite.number(statement, values)?;
                let name = self
                    .0
                    .sqlite
                    .run("SELECT name FROM owners WHERE id = ?", values)?;
                let name = name.first().and_then(|row| row.first()?.text());
                Ok(vec![vec![(marks + name.map_or(0, spare)).into()]])
            }
            oldest
                if oldest
                    .ends_with("FROM apart WHERE owner = ? ORDER BY last LIMIT 1 OFFSET ?") =>
            {
                let [owner, offset] = values else {
                    return run(values);
                };
                let offset = offset.number().unwrap_or(0) / small.owners_by;
                run(&[owner.clone(), offset.into()])
            }
            "UPDATE owners SET pending = 1 WHERE id = ?" => {
                self.record("host widened");
                run(values)
            }
            "DELETE FROM apart WHERE owner = ? AND last <= ?" => {
                self.record("marks of an owner widened");
                run(values)
            }
            _ => run(values),
        }
    }
}

impl Sql for Disk {
    fn run(&self, statement: &str, values: &[Value]) -> Result<Rows, String> {
        let switch = self.0.switch;
        if self.fails() {
            self.record("disk error");
            let ignored = switch == Some(Switch::LedgerIgnoresErrors);
            return match ignored && statement.starts_with("INSERT INTO live") {
                true => Ok(Vec::new()),
                false => Err("the disk fails".to_owned()),
            };
        }
        match switch {
            Some(Switch::IdsNotStored) if statement.contains("FROM receipts WHERE id") => {
                Ok(Vec::new())
            }
            Some(Switch::IdsNotStored) if statement.starts_with("INSERT INTO receipts") => {
                let statement = statement.replacen("INSERT", "INSERT OR REPLACE", 1);
                self.0.sqlite.run(&statement, values)
            }
            Some(Switch::NumbersByClock) if statement == "SELECT last FROM state" => {
                Ok(vec![vec![self.0.clock_ms.get().into()]])
            }
            Some(Switch::DroppedMarksLeaveNoFloor) if statement.contains("COALESCE(MAX(hard)") => {
                Ok(Vec::new())
            }
            Some(Switch::NewLedgerStartsAtZero)
                if statement.starts_with("INSERT OR IGNORE INTO state") =>
            {
                self.0.sqlite.run(statement, &[0.into(), 0.into()])
            }
            Some(Switch::LedgerRunsStartAtOne) if statement.starts_with("UPDATE state SET run") => {
                self.0.sqlite.run(statement, &[0.into()])
            }
            _ => self.run_small(statement, values),
        }
    }
}
