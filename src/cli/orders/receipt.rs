//! Receipts of orders, and how they are printed for people.

use crate::cache::ledger::wire::Progress;
use crate::cli::output::{self, GOOD, STRONG, WARNING, plain, styled};
use crate::http::date;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;

/// The receipt of an order (`flow::purge::append::ReceiptView`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OrderReceipt {
    /// The order's id.
    pub id: String,
    /// Its position among all orders.
    pub sequence: u64,
    /// When it was accepted (RFC 3339).
    pub received_at: String,
    /// From when on it is in force everywhere (RFC 3339).
    pub in_force_at: String,
    /// The key that signed it.
    pub key: Option<String>,
    /// How it came.
    pub via: String,
    /// What is purged hard.
    #[serde(default)]
    pub hard: Vec<String>,
    /// What is purged softly.
    #[serde(default)]
    pub soft: Vec<String>,
    /// Which tags carried which others.
    #[serde(default)]
    pub cascade: BTreeMap<String, Vec<String>>,
    /// Its work that follows.
    #[serde(flatten)]
    pub work: OrderWork,
}

/// The work that follows an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OrderWork {
    /// The URLs that are fetched again.
    pub refresh: Option<Progress>,
    /// The calls of the zone's own purge.
    pub fast_lane: Option<Progress>,
}

/// The event that the work of an order has changed.
#[derive(Clone, Debug, Deserialize)]
pub struct ProgressEvent {
    /// The order's id.
    pub id: String,
    /// Its work.
    #[serde(flatten)]
    pub work: OrderWork,
}

/// How many selectors are printed of a receipt.
const SHOWN_MAX: usize = 10;

/// How many selectors a row of the history has.
const SHOWN_IN_ROW_MAX: usize = 3;

impl OrderWork {
    /// Its parts: (name, progress).
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &Progress)> {
        let refresh = self.refresh.iter().map(|p| ("refresh", p));
        let fast_lane = self.fast_lane.iter().map(|p| ("fast lane", p));
        refresh.chain(fast_lane)
    }
}

impl OrderReceipt {
    /// Reads a receipt. The error says what is missing.
    pub fn read(value: &Value) -> Result<Self, String> {
        Self::deserialize(value).map_err(|error| format!("the answer is no receipt: {error}"))
    }

    /// Milliseconds until it is in force everywhere, at `now_seconds` of the
    /// server's clock. Never more than the lag of the receipt.
    pub fn in_force_in_ms(&self, now_seconds: Option<u64>) -> u64 {
        let times = (
            date::parse_rfc3339(&self.received_at),
            date::parse_rfc3339(&self.in_force_at),
        );
        let (Some(received), Some(in_force)) = times else {
            return 0;
        };
        let lag = in_force.saturating_sub(received);
        let left = now_seconds.map_or(lag, |now| in_force.saturating_sub(now));
        left.min(lag).saturating_mul(1000)
    }

    /// Whether the order was accepted before this run, which has lasted for
    /// `run_seconds` at `now_seconds` of the server's clock.
    pub fn is_of_earlier_run(&self, now_seconds: u64, run_seconds: u64) -> bool {
        // Both clocks count whole seconds.
        let began = now_seconds.saturating_sub(run_seconds).saturating_sub(1);
        date::parse_rfc3339(&self.received_at).is_some_and(|received| received < began)
    }

    /// Prints it for people.
    pub fn print(&self, is_of_earlier_run: bool) -> io::Result<()> {
        let what = match is_of_earlier_run {
            true => styled(WARNING, "accepted before"),
            false => styled(GOOD, "accepted"),
        };
        let id = styled(STRONG, plain(&self.id));
        let key = plain(self.key.as_deref().unwrap_or("none"));
        output::line(format!(
            "{what} {id}: sequence {}, key {key}, in force everywhere at {}",
            self.sequence,
            plain(&self.in_force_at)
        ))?;
        print_list("hard", &self.hard)?;
        print_list("soft", &self.soft)?;
        for (tag, carried) in &self.cascade {
            let carried = plain(&carried.join(" "));
            output::line(format!("  {} carries {carried}", plain(tag)))?;
        }
        for (name, progress) in self.work.parts() {
            output::line(format!("  {name}: {}", progress_text(progress)))?;
        }
        Ok(())
    }

    /// What it purges, in one line.
    pub fn summary(&self) -> String {
        let text = |word: &str, names: &[String]| match names {
            [] => None,
            names => Some(format!("{word} {}", shortened(names, SHOWN_IN_ROW_MAX))),
        };
        let parts = [text("hard", &self.hard), text("soft", &self.soft)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// Prints a list of names under a word, if there are any.
pub fn print_list(word: &str, names: &[String]) -> io::Result<()> {
    match names {
        [] => Ok(()),
        names => output::line(format!("  {word}: {}", shortened(names, SHOWN_MAX))),
    }
}

/// The first `most` names, and how many more there are.
fn shortened(names: &[String], most: usize) -> String {
    let shown: Vec<String> = names.iter().take(most).map(|n| plain(n)).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(" "),
        more => format!("{} and {more} more", shown.join(" ")),
    }
}

/// Progress for people.
pub fn progress_text(progress: &Progress) -> String {
    let Progress {
        pending,
        done,
        failed,
        problem,
    } = progress;
    let problem = problem.as_deref().map(|text| format!(" ({})", plain(text)));
    format!(
        "{pending} pending, {done} done, {failed} failed{}",
        problem.unwrap_or_default()
    )
}
