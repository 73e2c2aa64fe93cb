//! The ledger's queries for past orders.

use super::ledger_store::{LedgerStore, read_record};
use super::sql::{Sql, Value};
use crate::cache::ledger::wire::{
    HISTORY_BYTES_MAX, HISTORY_MAX, HistoryQuery, PastOrder, Receipt, made_id_number,
};

impl<S: Sql> LedgerStore<S> {
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
        texts
            .map(|text| self.with_progress(read_record(text)?.receipt))
            .collect()
    }

    fn with_progress(&self, receipt: Receipt) -> Result<PastOrder, String> {
        let [fast_lane, refresh] = super::jobs::progress(self.sql(), receipt.sequence)?;
        Ok(PastOrder {
            receipt,
            fast_lane,
            refresh,
            more: false,
        })
    }
}
