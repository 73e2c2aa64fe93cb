//! The ledger's queries for past orders, and for the events of orders.

use super::ledger_store::{LedgerStore, read_record};
use super::sql::{Sql, Value};
use crate::cache::ledger::wire::{
    HISTORY_BYTES_MAX, HISTORY_MAX, HistoryQuery, PastOrder, made_id_number,
};

/// How many events are read at once: 16 records of 192 KiB are 3 MB.
const EVENTS_READ_MAX: u64 = 16;

/// An event of an order (`flow::ledger::events`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// Its number.
    pub number: u64,
    /// Whether the order itself was accepted after the number that was asked
    /// for. If not, only its work has changed.
    pub is_new: bool,
    /// The order, and its work by now.
    pub past: PastOrder,
}

impl<S: Sql> LedgerStore<S> {
    /// The number of the newest event; 0 if there is none.
    pub fn last_event(&self) -> Result<u64, String> {
        self.sql().number("SELECT MAX(changed) FROM events", &[])
    }

    /// The first events after a number, the oldest first; none if there are no
    /// more.
    pub fn events_after(&self, after: u64) -> Result<Vec<OrderEvent>, String> {
        let rows = self.sql().run(
            "SELECT changed, accepted > ?, record FROM events JOIN receipts USING (sequence)
                WHERE changed > ? ORDER BY changed LIMIT ?",
            &[after.into(), after.into(), EVENTS_READ_MAX.into()],
        )?;
        let mut events = Vec::new();
        for row in &rows {
            if let [number, is_new, record] = row.as_slice() {
                events.push(OrderEvent {
                    number: number.number().unwrap_or(after),
                    is_new: is_new.number() == Some(1),
                    past: past_order(self.sql(), record.text().unwrap_or_default())?,
                });
            }
        }
        Ok(events)
    }

    /// The past orders that the ledger still has. For an id, at most one per
    /// key. For a page, as many as fit into [`HISTORY_BYTES_MAX`], and at least
    /// one.
    pub fn history(&self, query: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
        match query {
            HistoryQuery::Id(id) => self.of_id(id),
            HistoryQuery::After { after, limit } => self.page(*after, (*limit).min(HISTORY_MAX)),
        }
    }

    fn of_id(&self, id: &str) -> Result<Vec<PastOrder>, String> {
        let made = made_id_number(id).map_or(Value::Null, Value::from);
        let rows = self.sql().run(
            "SELECT record FROM receipts WHERE substr(id, instr(id, char(10)) + 1) = ?
                UNION ALL SELECT record FROM receipts WHERE id IS NULL AND sequence = ?",
            &[id.into(), made],
        )?;
        let mut found: Vec<PastOrder> = Vec::new();
        for past in self.read_past_orders(&rows)? {
            // An id that the key's sender chose goes before a generated one.
            let known = |other: &PastOrder| other.receipt.key == past.receipt.key;
            if !found.iter().any(known) {
                found.push(past);
            }
        }
        Ok(found)
    }

    fn page(&self, after: u64, limit: u64) -> Result<Vec<PastOrder>, String> {
        let rows = self.sql().run(
            "SELECT record, total > ? FROM (
                SELECT record, sequence, bytes, SUM(bytes) OVER (ORDER BY sequence) AS total FROM (
                    SELECT record, sequence, length(CAST(record AS BLOB)) AS bytes FROM receipts
                        WHERE sequence > ? ORDER BY sequence LIMIT ?))
                WHERE total - bytes <= ? ORDER BY sequence",
            &[
                HISTORY_BYTES_MAX.into(),
                after.into(),
                limit.into(),
                HISTORY_BYTES_MAX.into(),
            ],
        )?;
        // The last row may be the one that exceeds the limit.
        let is_over = |row: &Vec<Value>| row.get(1).and_then(Value::number) == Some(1);
        let over = rows.last().is_some_and(is_over);
        let kept = rows.len().saturating_sub(usize::from(over)).max(1);
        let mut page = self.read_past_orders(rows.get(..kept).unwrap_or_default())?;
        if let Some(last) = page.last_mut() {
            last.more = over;
        }
        Ok(page)
    }

    fn read_past_orders(&self, rows: &[Vec<Value>]) -> Result<Vec<PastOrder>, String> {
        let texts = rows.iter().filter_map(|row| row.first()?.text());
        texts.map(|text| past_order(self.sql(), text)).collect()
    }
}

/// The past order of a record.
pub fn past_order<S: Sql>(sql: &S, record: &str) -> Result<PastOrder, String> {
    let receipt = read_record(record)?.receipt;
    let [fast_lane, refresh] = super::jobs::progress(sql, receipt.sequence)?;
    Ok(PastOrder {
        receipt,
        fast_lane,
        refresh,
        more: false,
    })
}
