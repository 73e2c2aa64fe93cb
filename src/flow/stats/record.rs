//! Counts the log records of requests.

use super::data_points::{self, Counted};
use crate::cache::config::rule::Rule;
use crate::cache::stats::counter::Event;
use crate::cache::stats::row::Counts;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use std::rc::Rc;

/// Counts a request of a client, or a refresh or a fragment, and writes a data
/// point if the request is one of the sample. `bytes` is the length of the
/// response's body, if it is known.
pub fn count<H: Host>(
    host: &H,
    isolate: &Isolate,
    rule: Option<&Rc<Rule>>,
    log: &RequestLog,
    bytes: Option<u64>,
) {
    let is_request = !matches!(log.event, "refresh" | "fragment");
    let (outcome, reason) = match log.shadow {
        Some(verdict) => (verdict.outcome(), verdict.reason()),
        None if is_request => (log.cache, reason(log)),
        None => (log.event, reason(log)),
    };
    if is_request {
        let counted = Counted { outcome, reason };
        data_points::write(host, isolate, rule, log, counted, bytes);
    }
    if isolate.rules.stats_interval_seconds == 0 {
        return;
    }
    let now_ms = host.now_ms();
    let lag_ms = isolate.synced_ms.get().map(|at| now_ms.saturating_sub(at));
    let mut counts = Counts {
        requests: u64::from(is_request),
        bytes: bytes.filter(|_| is_request).unwrap_or(0),
        origin_requests: u64::from(log.origin),
        purge_lag_ms: lag_ms.filter(|_| log.tier.is_some()).unwrap_or(0),
        ..Counts::default()
    };
    for ms in &log.origin_ms {
        counts.add_origin_time(*ms);
    }
    isolate.stats.borrow_mut().add(&Event {
        now_ms,
        host: &log.host,
        rule,
        outcome,
        reason,
        tier: log.tier.unwrap_or_default(),
        status: log.status,
        counts,
    });
}

/// Why a request was no plain hit, or why its response was not stored.
fn reason(log: &RequestLog) -> &'static str {
    let forwarded = log.fwd.unwrap_or_default();
    match log.detail.last() {
        _ if !log.stores.is_empty() => forwarded,
        Some(word) => word,
        None => forwarded,
    }
}
