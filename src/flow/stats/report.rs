//! Reports what an isolate has counted to the ledger, with a query for purges.

use crate::cache::stats::counter::Counter;
use crate::cache::stats::row::StatsRow;
use crate::flow::isolate::state::Isolate;
use crate::flow::runtime::host::Host;

/// After so many intervals without a query, the ledger is queried for the report
/// alone. Isolates whose neighbours share the purge feed may query seldom.
const OVERDUE_INTERVALS: u64 = 5;

/// Takes what was counted, if an interval has passed since the last report.
pub fn take<H: Host>(host: &H, isolate: &Isolate) -> Option<Counter> {
    is_waiting(host, isolate, 1).then(|| isolate.stats.borrow_mut().take())
}

/// The text of a report.
pub fn text(isolate: &Isolate, counted: &Counter) -> String {
    let rules = &isolate.rules;
    StatsRow::lines(&counted.rows(|rule| rules.settings_of(rule).name))
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
