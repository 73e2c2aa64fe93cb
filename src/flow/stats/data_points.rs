//! Writes data points of Workers Analytics Engine for a sample of the requests.

use crate::cache::config::rule::Rule;
use crate::cache::jitter;
use crate::cache::stats::data_point::DataPoint;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use std::rc::Rc;

/// The outcome of a request, and why: words for statistics.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// As `StatsRow::outcome`.
    pub outcome: &'static str,
    /// As `StatsRow::reason`.
    pub reason: &'static str,
}

/// Writes a data point for a request, if it is one of the sample. `bytes` is the
/// length of the response's body, if it is known.
pub fn write<H: Host>(
    host: &H,
    isolate: &Isolate,
    rule: Option<&Rc<Rule>>,
    log: &RequestLog,
    counted: Counted,
    bytes: Option<u64>,
) {
    if !host.has_analytics() || !is_sampled(isolate, host.now_ms()) {
        return;
    }
    let path = log
        .path
        .split_once('?')
        .map_or(&*log.path, |(path, _)| path);
    host.write_data_point(&DataPoint {
        host: log.host.clone(),
        rule: rule.map_or_else(String::new, |rule| isolate.rules.settings_of(rule).name),
        outcome: counted.outcome,
        reason: counted.reason,
        tier: log.tier.unwrap_or_default(),
        method: log.method.clone(),
        path: path.to_owned(),
        sample: isolate.rules.analytics_sample,
        status: log.status,
        ms: log.ms,
        bytes: bytes.unwrap_or(0),
        origin_requests: log.origin,
        origin_ms: log
            .origin_ms
            .iter()
            .fold(0, |sum, ms| sum.saturating_add(*ms)),
    });
}

/// Whether the next request is one of the sample. No choice depends on the
/// choice before it: many isolates end after a few requests.
fn is_sampled(isolate: &Isolate, now_ms: u64) -> bool {
    let number = isolate.sampled.get().wrapping_add(1);
    isolate.sampled.set(number);
    jitter::share(number, now_ms) * isolate.rules.analytics_sample as f64 <= 1.0
}
