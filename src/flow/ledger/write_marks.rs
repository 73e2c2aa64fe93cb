//! The ledger's marks of writes, which any client may cause: a budget for each
//! host, and one for all hosts.
//!
//! Beyond the budget, the host is purged softly, at most once per [`WIDEN_MS`].
//! Writes meanwhile are stored as pending, and are part of the next feed after
//! that time. (No isolate serves a response by an index that has not been
//! renewed since.) Hosts beyond [`HOSTS_MAX`] share buckets.

use super::owners::{COLUMNS, NOBODY, Owner, OwnerMarks, read_owner};
use super::sql::{Sql, Value};
use crate::cache::ledger::wire::{
    HOST_IDLE_MS, HOST_WRITES_MAX, HOSTS_MAX, Order, WIDEN_MS, WRITES_MAX, numbers,
};
use crate::cache::purge::fair_share::fair_share;
use crate::cache::purge::selector::{Selector, mark_of};
use crate::cache::purge::wide::{BUCKET, HostBucket};

/// The mark of a write, as in the feed.
fn write_mark(name: &str) -> String {
    format!("w{:016x}", mark_of(name))
}

impl<S: Sql> OwnerMarks<'_, S> {
    /// Raises the marks of a write to `sequence`, or schedules a soft purge of
    /// its host.
    pub fn raise_write(&self, host: &str, order: &Order, sequence: u64) -> Result<(), String> {
        let owner = self.owner_of_host(host)?;
        let mut widens = owner.name.starts_with(BUCKET);
        let mut new: Vec<String> = Vec::new();
        if !widens {
            self.drop_old(&owner)?;
            for name in &order.hard {
                let mark = write_mark(name);
                if !self.raise_known(owner.id, &mark, sequence)? {
                    new.push(mark);
                }
            }
            let added = new.len() as u64;
            widens = !new.is_empty() && !self.has_room(&owner, added)?;
            if !widens {
                for mark in &new {
                    self.raise(owner.id, mark, numbers(sequence, false), sequence)?;
                }
                self.count(&owner, added, sequence)?;
                // A soft purge by a write is always of its whole host.
                if order.soft.is_empty() {
                    return Ok(());
                }
            }
        }
        self.sql.run(
            "UPDATE owners SET pending = 1 WHERE id = ?",
            &[owner.id.into()],
        )?;
        self.count(&owner, 0, sequence)
    }

    /// Executes the pending soft purges that are due, with the sequence number
    /// `next`. Returns whether there were any.
    pub fn widen(&self, next: u64) -> Result<bool, String> {
        // A time in the future comes from another clock.
        const DUE: &str = "pending = 1 AND (widened_ms <= ? OR widened_ms > ?)";
        let now = Value::from(self.now_ms);
        let due = Value::from(self.now_ms.saturating_sub(WIDEN_MS));
        let any = format!("SELECT COUNT(*) FROM owners WHERE {DUE}");
        if self.sql.number(&any, &[due.clone(), now.clone()])? == 0 {
            return Ok(false);
        }
        let next = Value::from(next);
        self.sql
            .run("UPDATE state SET last = ?", std::slice::from_ref(&next))?;
        self.sql.run(
            &format!(
                "INSERT INTO apart SELECT {NOBODY}, wide, 0, ?, ?, ? FROM owners WHERE {DUE}
                    ON CONFLICT (owner, mark) DO UPDATE SET
                    soft = excluded.soft, last = excluded.last, raised_ms = excluded.raised_ms"
            ),
            &[
                next.clone(),
                next.clone(),
                now.clone(),
                due.clone(),
                now.clone(),
            ],
        )?;
        self.sql
            .run(
                &format!("UPDATE owners SET pending = 0, widened_ms = ?, last = ? WHERE {DUE}"),
                &[now.clone(), next, due, now],
            )
            .map(|_| true)
    }

    /// The owner of a host's writes: the host, or its bucket if there are too
    /// many hosts.
    fn owner_of_host(&self, host: &str) -> Result<Owner, String> {
        let selector = Selector::Host(host.to_owned()).to_string();
        if let Some(owner) = self.owner(&selector)? {
            return Ok(owner);
        }
        if self.makes_room_for_host()? {
            return self.add_owner(&selector, &write_mark(&selector));
        }
        let bucket = HostBucket::of_host(host).to_string();
        self.add_owner(&bucket, &bucket)
    }

    /// Whether one more host may have marks of its own.
    fn makes_room_for_host(&self) -> Result<bool, String> {
        let hosts = "SELECT COUNT(*) FROM owners WHERE name LIKE 'host:%'";
        if self.sql.number(hosts, &[])? < HOSTS_MAX {
            return Ok(true);
        }
        let rows = self.sql.run(
            &format!(
                "SELECT {COLUMNS} FROM owners WHERE name LIKE 'host:%'
                    ORDER BY raised_ms LIMIT 1"
            ),
            &[],
        )?;
        let oldest = rows.first().and_then(|row| read_owner(row));
        let idle = |owner: &Owner| owner.raised_ms.saturating_add(HOST_IDLE_MS) <= self.now_ms;
        let Some(owner) = oldest.filter(idle) else {
            return Ok(false);
        };
        let host = owner.name.strip_prefix("host:").unwrap_or_default();
        let bucket = HostBucket::of_host(host).to_string();
        self.raise(NOBODY, &bucket, numbers(owner.last, true), owner.last)?;
        let pending = "SELECT pending FROM owners WHERE id = ?";
        if self.sql.number(pending, &[owner.id.into()])? == 1 {
            let bucket = self.add_owner(&bucket, &bucket)?;
            let statement = "UPDATE owners SET pending = 1 WHERE id = ?";
            self.sql.run(statement, &[bucket.id.into()])?;
        }
        let gone = "DELETE FROM apart WHERE owner = ?";
        self.sql.run(gone, &[owner.id.into()])?;
        let gone = "DELETE FROM apart WHERE owner = ? AND mark = ?";
        self.sql
            .run(gone, &[NOBODY.into(), owner.wide.as_str().into()])?;
        self.sql
            .run("DELETE FROM owners WHERE id = ?", &[owner.id.into()])?;
        Ok(true)
    }

    /// Raises the mark of a write if it exists. Returns whether it does.
    fn raise_known(&self, owner: u64, mark: &str, sequence: u64) -> Result<bool, String> {
        let rows = self.sql.run(
            "UPDATE apart SET hard = ?, last = ?, raised_ms = ? WHERE owner = ? AND mark = ?
                RETURNING owner",
            &[
                sequence.into(),
                sequence.into(),
                self.now_ms.into(),
                owner.into(),
                mark.into(),
            ],
        )?;
        Ok(!rows.is_empty())
    }

    /// Whether there is room for `added` marks of a write, after widening older
    /// marks that are old enough for that.
    fn has_room(&self, owner: &Owner, added: u64) -> Result<bool, String> {
        let mut wanted = owner.marks.saturating_add(added);
        if wanted > HOST_WRITES_MAX {
            // Counting reads every row, so it is done only if there may be too
            // many.
            wanted = self.recount(owner.id)?.saturating_add(added);
        }
        if wanted > HOST_WRITES_MAX {
            let excess = wanted.saturating_sub(HOST_WRITES_MAX);
            if !self.fold_oldest(owner, excess.max(HOST_WRITES_MAX / 8))? {
                return Ok(false);
            }
        }
        let all = "SELECT SUM(marks) FROM owners WHERE name LIKE 'host:%'";
        if self.sql.number(all, &[])?.saturating_add(added) <= WRITES_MAX {
            return Ok(true);
        }
        self.share_writes(added)?;
        Ok(self.sql.number(all, &[])?.saturating_add(added) <= WRITES_MAX)
    }

    /// If `added` more marks are too many, widens marks of the hosts with the
    /// most, until an eighth of the total limit is free.
    fn share_writes(&self, added: u64) -> Result<(), String> {
        self.sql.run(
            "UPDATE owners SET marks = (SELECT COUNT(*) FROM apart WHERE owner = owners.id)
                WHERE name LIKE 'host:%'",
            &[],
        )?;
        let hosts = format!("SELECT {COLUMNS} FROM owners WHERE name LIKE 'host:%'");
        let rows = self.sql.run(&hosts, &[])?;
        let owners: Vec<Owner> = rows.iter().filter_map(|row| read_owner(row)).collect();
        let counts: Vec<u64> = owners.iter().map(|owner| owner.marks).collect();
        let total: u64 = counts.iter().sum();
        if total.saturating_add(added) <= WRITES_MAX {
            return Ok(());
        }
        let share = fair_share(&counts, WRITES_MAX - WRITES_MAX / 8);
        for owner in owners {
            if owner.marks > share {
                self.fold_oldest(&owner, owner.marks.saturating_sub(share))?;
            }
        }
        Ok(())
    }

    /// Widens this many of a host's oldest marks, unless they are so young that
    /// the host would be purged more often than once per [`WIDEN_MS`].
    fn fold_oldest(&self, owner: &Owner, count: u64) -> Result<bool, String> {
        let last = count.saturating_sub(1);
        let Some((cut, raised_ms)) = self.oldest(owner, last)? else {
            return Ok(false);
        };
        if raised_ms.saturating_add(WIDEN_MS) > self.now_ms {
            return Ok(false);
        }
        self.fold(owner, cut)?;
        Ok(true)
    }
}
