//! A second lookup before the client gets an error.

use super::stale_candidate::StaleCandidate;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::{Found, TiersRead, find_again};
use crate::flow::store::part_lookup::find_part;

/// The stored response to fall back on after an origin failure.
///
/// During the request, another isolate may have stored a copy in the Cache API,
/// and KV may have been too slow for the first lookup. Such a copy is better
/// than an error, or than a stale one that may not be served.
pub async fn stale_fallback<H: Host>(
    cx: RequestCx<'_, H>,
    stale: Option<StaleCandidate<H::Body>>,
    tiers_read: TiersRead,
    log: &mut RequestLog,
) -> Option<StaleCandidate<H::Body>> {
    if let Some(candidate) = &stale
        && candidate.may_be_served(cx, log).await
    {
        return stale;
    }
    let (hit, stands_by) = match find_again(cx, tiers_read, log).await {
        Found::Fresh(hit) | Found::WhileRevalidate(hit) => (hit, true),
        Found::Stale(hit, stands_by) => (hit, stands_by),
        Found::Nothing(_) if stale.is_none() && cx.lookup.range.is_some() => {
            (find_part(cx, log).await?, true)
        }
        Found::Nothing(_) => return stale,
    };
    // A stored error response is no improvement.
    match cx.lookup.rule.error_statuses.contains(&hit.entry.status) {
        true => stale,
        false => Some(StaleCandidate::new(hit, stands_by)),
    }
}
