//! Looking for a copy once more, before an error is given.

use super::stale_candidate::{StaleCandidate, is_usable};
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::Report;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::{Found, find_at_last};
use crate::flow::store::part_lookup::find_part;
use std::rc::Rc;

/// While the origin was asked, a neighbour may have put a copy into the Cache
/// API; and KV may have been too slow for the request, or left alone. Now that
/// the origin fails, what they have is better than nothing, or than an old
/// answer that may not be served.
pub async fn last_look<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    old: Option<StaleCandidate<H::Body>>,
    report: &mut Report,
) -> Option<StaleCandidate<H::Body>> {
    if let Some(stands) = old.as_ref().filter(|old| old.on_error)
        && is_usable(host, isolate, lookup, stands, report).await
    {
        return old;
    }
    let (hit, on_error) = match find_at_last(host, isolate, lookup, report).await {
        Found::Fresh(hit) | Found::WhileRevalidate(hit) => (hit, true),
        Found::Stale(hit, on_error) => (hit, on_error),
        Found::Nothing(_) if old.is_none() && lookup.range.is_some() => {
            (find_part(host, isolate, lookup, report).await?, true)
        }
        Found::Nothing(_) => return old,
    };
    // Another error is no better.
    match lookup.rule.error_statuses.contains(&hit.entry.status) {
        true => old,
        false => Some(StaleCandidate { hit, on_error }),
    }
}
