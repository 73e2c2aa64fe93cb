//! Lookup of stored parts of bodies: for ranges that they contain, and for
//! whole requests that can use them as the start of the body.

use super::lookup::{Found, Hit, find_in_slot};
use crate::cache::policy::partial_content::Part;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, WHOLE_BYTES_MAX};
use crate::http::range;

/// A stored part that this request can use: one that contains the requested
/// range, or the start of the requested body.
pub async fn find_part<H: Host>(
    cx: RequestCx<'_, H>,
    log: &mut RequestLog,
) -> Option<Hit<H::Body>> {
    let RequestCx {
        isolate, lookup, ..
    } = cx;
    let slot = lookup.key.part_slot();
    // Few URLs have a stored part; the others need no lookup.
    if lookup.head_only || !isolate.has_part(&slot.digest) {
        return None;
    }
    let found = find_in_slot(cx, &slot, log).await;
    let Found::Fresh(hit) = found else {
        return None;
    };
    let part = Part::of(&hit.entry.fields)?;
    let useful = match &lookup.range {
        Some(wanted) => {
            part.answers(wanted).is_some()
                && range::if_range_holds(&lookup.client, &hit.entry.fields)
        }
        None => {
            !hit.entry.by_credentials
                && part.rest().is_some()
                && part.total <= u64::from(WHOLE_BYTES_MAX)
        }
    };
    useful.then_some(hit)
}
