//! Reports what an isolate has counted to the ledger, with a query for purges.
//!
//! A report is sent until the ledger has answered, always with the same text, so
//! that the ledger recognizes one that it has added already.

use crate::cache::stats::row::StatsRow;
use crate::flow::isolate::state::Isolate;
use crate::flow::runtime::host::Host;
use std::fmt::Write;

/// After so many intervals without a query, the ledger is queried for the report
/// alone. Isolates whose neighbours share the purge feed may query seldom.
const OVERDUE_INTERVALS: u64 = 5;

/// The report to send with a query: the last one, if its answer is missing, or
/// what was counted, if an interval has passed.
pub fn next<H: Host>(host: &H, isolate: &Isolate) -> Option<String> {
    let mut unconfirmed = isolate.unconfirmed_report.borrow_mut();
    if unconfirmed.is_none() && is_waiting(host, isolate, 1) {
        *unconfirmed = Some(text(host, isolate));
    }
    unconfirmed.clone()
}

/// Records that the ledger has answered a query with this report.
pub fn confirm(isolate: &Isolate, report: &str) {
    let mut unconfirmed = isolate.unconfirmed_report.borrow_mut();
    // Another query may have been late, and a newer report be on its way.
    if unconfirmed.as_deref() == Some(report) {
        *unconfirmed = None;
    }
}

/// The text of a report. Its first line has two times that tell it from the
/// reports of other isolates, and from those of this one.
fn text<H: Host>(host: &H, isolate: &Isolate) -> String {
    let counted = isolate.stats.borrow_mut().take();
    let began_ms = isolate.began_ms.get().unwrap_or(0);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{began_ms} {}", host.now_ms());
    let rows = counted.rows(|rule| isolate.rules.settings_of(rule).name);
    rows.iter()
        .for_each(|row: &StatsRow| row.put_line(&mut text));
    text
}

/// Whether the counts have waited so long that the ledger is queried for them.
pub fn is_overdue<H: Host>(host: &H, isolate: &Isolate) -> bool {
    is_waiting(host, isolate, OVERDUE_INTERVALS)
}

fn is_waiting<H: Host>(host: &H, isolate: &Isolate, intervals: u64) -> bool {
    let interval_ms = isolate.rules.stats_interval_seconds.saturating_mul(1000);
    let waiting_ms = isolate.stats.borrow().waiting_ms(host.now_ms());
    waiting_ms.is_some_and(|ms| ms >= interval_ms.saturating_mul(intervals))
}
