//! The marks that must not widen to everything: those of keys with a limited
//! scope, and those of writes, which any client may cause.
//!
//! Each owner (a key's scope, or a host) has a budget. Marks beyond it widen to
//! all of that owner: to one mark of its own kind (`cache::purge::wide`, or a
//! soft purge of the host), which is never dropped. So too many purges by one
//! owner do not affect the pages of others.

use super::sql::{Sql, Value};
use crate::cache::ledger::sequence::Numbers;
use crate::cache::ledger::wire::{MARK_MS, SCOPE_MARKS_MAX, SCOPES_MAX, numbers};
use crate::cache::matching::key_scope::{KeyScope, SCOPE};
use crate::cache::purge::selector::mark_of;

/// `apart` has the marks as in the feed; the marks that owners have widened to
/// belong to owner 0. In `owners`, `name` is the text of the scope, or `host:`
/// or `bucket:` and its value; `wide` is the mark that the owner widens to;
/// `marks` is an upper bound of its rows; `pending` says whether its soft purge
/// waits for its time (`flow::purge::writes`).
pub const TABLES: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS apart (
        owner INTEGER NOT NULL,
        mark TEXT NOT NULL,
        hard INTEGER NOT NULL,
        soft INTEGER NOT NULL,
        last INTEGER NOT NULL,
        raised_ms INTEGER NOT NULL,
        PRIMARY KEY (owner, mark)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS apart_by_last ON apart (last)",
    "CREATE INDEX IF NOT EXISTS apart_by_owner ON apart (owner, last)",
    "CREATE TABLE IF NOT EXISTS owners (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        wide TEXT NOT NULL,
        marks INTEGER NOT NULL,
        last INTEGER NOT NULL,
        raised_ms INTEGER NOT NULL,
        widened_ms INTEGER NOT NULL,
        pending INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS owners_pending ON owners (pending) WHERE pending = 1",
];

/// The owner of the marks that owners have widened to.
pub(crate) const NOBODY: u64 = 0;

/// An owner of marks.
pub(crate) struct Owner {
    /// See [`TABLES`].
    pub id: u64,
    pub name: String,
    pub wide: String,
    /// An upper bound of its marks.
    pub marks: u64,
    /// The sequence number of its last purge.
    pub last: u64,
    /// When that was, in milliseconds since 1970.
    pub raised_ms: u64,
}

impl Owner {
    fn is_of_writes(&self) -> bool {
        !self.name.starts_with(SCOPE)
    }
}

pub(crate) const COLUMNS: &str = "id, name, wide, marks, last, raised_ms";

pub(crate) fn read_owner(row: &[Value]) -> Option<Owner> {
    let [id, name, wide, marks, last, raised_ms] = row else {
        return None;
    };
    Some(Owner {
        id: id.number()?,
        name: name.text()?.to_owned(),
        wide: wide.text()?.to_owned(),
        marks: marks.number()?,
        last: last.number()?,
        raised_ms: raised_ms.number()?,
    })
}

/// Access to the owners' marks, at the time of a change.
pub struct OwnerMarks<'a, S> {
    /// The database.
    pub sql: &'a S,
    /// The time of the change, in milliseconds since 1970.
    pub now_ms: u64,
}

impl<S: Sql> OwnerMarks<'_, S> {
    /// Purges `names` within the scope of a key, each with its own numbers.
    pub fn raise_scope(
        &self,
        scope: &KeyScope,
        names: &[(&str, Numbers)],
        sequence: u64,
    ) -> Result<(), String> {
        let name = scope.to_string();
        let owner = match self.owner(&name)? {
            Some(owner) => owner,
            None => {
                self.bound_scopes()?;
                self.add_owner(&name, &name)?
            }
        };
        for (name, to) in names {
            let mark = format!("{:016x}", mark_of(name));
            self.raise(owner.id, &mark, *to, to.newest())?;
        }
        let added = names.len() as u64;
        self.count(&owner, added, sequence)?;
        self.drop_old(&owner)?;
        let mut held = owner.marks.saturating_add(added);
        if held > SCOPE_MARKS_MAX {
            // Counting reads every row, so it is done only if there may be too
            // many.
            held = self.recount(owner.id)?;
        }
        if held > SCOPE_MARKS_MAX {
            let excess = held.saturating_sub(SCOPE_MARKS_MAX);
            if let Some((cut, _)) = self.oldest(&owner, excess.max(SCOPE_MARKS_MAX / 8))? {
                self.fold(&owner, cut)?;
            }
        }
        Ok(())
    }

    pub(crate) fn owner(&self, name: &str) -> Result<Option<Owner>, String> {
        let statement = format!("SELECT {COLUMNS} FROM owners WHERE name = ?");
        let rows = self.sql.run(&statement, &[name.into()])?;
        Ok(rows.first().and_then(|row| read_owner(row)))
    }

    pub(crate) fn add_owner(&self, name: &str, wide: &str) -> Result<Owner, String> {
        self.sql.run(
            "INSERT OR IGNORE INTO owners
                (name, wide, marks, last, raised_ms, widened_ms, pending)
                VALUES (?, ?, 0, 0, ?, 0, 0)",
            &[name.into(), wide.into(), self.now_ms.into()],
        )?;
        let added = self.owner(name)?;
        added.ok_or_else(|| format!("{name} cannot be added"))
    }

    /// Makes room for one more scope: the least recently used ones widen to
    /// everything.
    fn bound_scopes(&self) -> Result<(), String> {
        let most = Value::from(SCOPES_MAX.saturating_sub(1));
        let statement = format!(
            "SELECT {COLUMNS} FROM owners WHERE name LIKE 'scope:%'
                ORDER BY last DESC LIMIT -1 OFFSET ?"
        );
        for row in self.sql.run(&statement, &[most])? {
            let Some(owner) = read_owner(&row) else {
                continue;
            };
            // None of its marks has a larger sequence number.
            let up_to = Value::from(owner.last);
            let floor = "UPDATE state SET hard = MAX(hard, ?)";
            self.sql.run(floor, &[up_to])?;
            for (of, mark) in [(owner.id, None), (NOBODY, Some(owner.wide.as_str()))] {
                self.sql.run(
                    "DELETE FROM apart WHERE owner = ? AND mark = COALESCE(?, mark)",
                    &[of.into(), mark.map_or(Value::Null, Value::from)],
                )?;
            }
            self.sql
                .run("DELETE FROM owners WHERE id = ?", &[owner.id.into()])?;
        }
        Ok(())
    }

    /// Raises a mark, or adds it.
    pub(crate) fn raise(
        &self,
        owner: u64,
        mark: &str,
        to: Numbers,
        last: u64,
    ) -> Result<(), String> {
        self.sql
            .run(
                "INSERT INTO apart VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (owner, mark) DO UPDATE
                    SET hard = MAX(hard, excluded.hard), soft = MAX(soft, excluded.soft),
                    last = MAX(last, excluded.last), raised_ms = excluded.raised_ms",
                &[
                    owner.into(),
                    mark.into(),
                    to.hard.into(),
                    to.soft.into(),
                    last.into(),
                    self.now_ms.into(),
                ],
            )
            .map(drop)
    }

    /// Counts an owner's new marks and records its last sequence number.
    pub(crate) fn count(&self, owner: &Owner, added: u64, sequence: u64) -> Result<(), String> {
        self.sql
            .run(
                "UPDATE owners SET marks = marks + ?, last = ?, raised_ms = ? WHERE id = ?",
                &[
                    added.into(),
                    sequence.into(),
                    self.now_ms.into(),
                    owner.id.into(),
                ],
            )
            .map(drop)
    }

    pub(crate) fn recount(&self, owner: u64) -> Result<u64, String> {
        self.sql.run(
            "UPDATE owners SET marks = (SELECT COUNT(*) FROM apart WHERE owner = owners.id)
                WHERE id = ?",
            &[owner.into()],
        )?;
        let marks = "SELECT marks FROM owners WHERE id = ?";
        self.sql.number(marks, &[owner.into()])
    }

    /// The sequence number and the time of an owner's oldest mark, after
    /// `offset` others.
    pub(crate) fn oldest(&self, owner: &Owner, offset: u64) -> Result<Option<(u64, u64)>, String> {
        let rows = self.sql.run(
            "SELECT last, raised_ms FROM apart WHERE owner = ? ORDER BY last LIMIT 1 OFFSET ?",
            &[owner.id.into(), offset.into()],
        )?;
        let number = |at: usize| rows.first().and_then(|row| row.get(at)?.number());
        Ok(number(0).zip(number(1)))
    }

    /// Widens an owner's marks that are too old.
    pub(crate) fn drop_old(&self, owner: &Owner) -> Result<(), String> {
        let old = self.now_ms.saturating_sub(MARK_MS);
        let oldest = self.oldest(owner, 0)?;
        if oldest.is_some_and(|(_, raised_ms)| raised_ms < old) {
            let cut = "SELECT MAX(last) FROM apart WHERE owner = ? AND raised_ms < ?";
            let cut = self.sql.number(cut, &[owner.id.into(), old.into()])?;
            self.fold(owner, cut)?;
        }
        Ok(())
    }

    /// Widens an owner's marks up to a sequence number to all of that owner; as
    /// a soft purge for writes. What they named stays purged, or stale.
    pub(crate) fn fold(&self, owner: &Owner, cut: u64) -> Result<(), String> {
        let these = [owner.id.into(), cut.into()];
        let highest = "SELECT MAX(hard), MAX(soft) FROM apart WHERE owner = ? AND last <= ?";
        let rows = self.sql.run(highest, &these)?;
        let number = |at: usize| rows.first().and_then(|row| row.get(at)?.number());
        let mut to = Numbers {
            hard: number(0).unwrap_or(0),
            soft: number(1).unwrap_or(0),
        };
        if owner.is_of_writes() {
            to = numbers(to.newest(), true);
        }
        // A reader of the feed up to the cut has the single marks already.
        self.raise(NOBODY, &owner.wide, to, cut)?;
        let gone = "DELETE FROM apart WHERE owner = ? AND last <= ?";
        self.sql.run(gone, &these)?;
        self.recount(owner.id).map(drop)
    }
}

/// Deletes the marks at or below the floor.
pub fn drop_at_floor<S: Sql>(sql: &S) -> Result<(), String> {
    sql.run(
        "DELETE FROM apart WHERE hard <= (SELECT hard FROM state)
            AND soft <= (SELECT MAX(hard, soft) FROM state)",
        &[],
    )
    .map(drop)
}
