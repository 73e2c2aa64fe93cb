//! `edgekeep stats --shadow`: what the cache would have done, by host and rule.

use crate::cache::shadow::verdict::{OUTCOME_PREFIX, ShadowVerdict};
use crate::cli::failure::Failure;
use crate::cli::output::{self, new_table, percent, plain};
use comfy_table::CellAlignment;
use std::collections::BTreeMap;

/// The counts of a host and a rule in shadow mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ShadowSums {
    same: u64,
    differ: u64,
    stored: u64,
    not_stored: u64,
    bypass: u64,
    not_compared: u64,
}

impl ShadowSums {
    /// The requests of which it is known what the cache would have done.
    fn known(&self) -> u64 {
        let sums = [
            self.same,
            self.differ,
            self.stored,
            self.not_stored,
            self.bypass,
        ];
        sums.into_iter().fold(0, u64::saturating_add)
    }
}

/// The counts of all hosts and rules in shadow mode.
#[derive(Debug, Default)]
pub struct ShadowReport {
    rules: BTreeMap<(String, String), ShadowSums>,
    reasons: BTreeMap<(String, String), u64>,
}

impl ShadowReport {
    /// Adds a row of the statistics, if it is about shadow mode: its host and
    /// rule, its outcome and reason, and its requests.
    pub fn add(
        &mut self,
        (host, rule): (&str, &str),
        (outcome, reason): (&str, &str),
        requests: u64,
    ) {
        let Some(word) = outcome.strip_prefix(OUTCOME_PREFIX) else {
            return;
        };
        let place = (host.to_owned(), rule.to_owned());
        let sums = self.rules.entry(place).or_default();
        let is = |verdict: ShadowVerdict| verdict.word() == word;
        let sum = if is(ShadowVerdict::Same) {
            &mut sums.same
        } else if is(ShadowVerdict::Differs) {
            &mut sums.differ
        } else if is(ShadowVerdict::Stored) {
            &mut sums.stored
        } else if is(ShadowVerdict::NotStored("")) {
            &mut sums.not_stored
        } else if is(ShadowVerdict::Bypass("")) {
            &mut sums.bypass
        } else {
            &mut sums.not_compared
        };
        *sum = sum.saturating_add(requests);
        if !reason.is_empty() {
            let place = (word.to_owned(), reason.to_owned());
            let sum = self.reasons.entry(place).or_default();
            *sum = sum.saturating_add(requests);
        }
    }

    /// How many readers would have got another response.
    pub fn differing(&self) -> u64 {
        let each = self.rules.values().map(|sums| sums.differ);
        each.fold(0, u64::saturating_add)
    }

    /// Prints a table by host and rule, and one of the reasons.
    pub fn print(&self) -> Result<(), Failure> {
        if self.rules.is_empty() {
            return Ok(output::line("no request under a rule with shadow = true")?);
        }
        let mut table = new_table(&[
            "HOST",
            "RULE",
            "HITS",
            "SAME",
            "DIFFER",
            "STORED",
            "NOT STORED",
            "BYPASS",
            "NOT COMPARED",
        ]);
        for ((host, rule), sums) in &self.rules {
            let hits = sums.same.saturating_add(sums.differ);
            table.add_row([
                plain(host),
                plain(rule),
                percent(hits, sums.known()),
                sums.same.to_string(),
                sums.differ.to_string(),
                sums.stored.to_string(),
                sums.not_stored.to_string(),
                sums.bypass.to_string(),
                sums.not_compared.to_string(),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        output::line(table.trim_fmt())?;
        if self.reasons.is_empty() {
            return Ok(());
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let mut table = new_table(&["NO HIT", "REASON", "REQUESTS"]);
        for ((word, reason), count) in reasons {
            table.add_row([plain(word), plain(reason), count.to_string()]);
        }
        output::line("")?;
        Ok(output::line(table.trim_fmt())?)
    }
}
