//! Looking up stored parts of bodies: for ranges that they hold, and for
//! requests that want everything, which are given what a part begins.

use super::lookup::{Found, Hit, find_in_slot};
use crate::cache::policy::partial_content::Part;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, WHOLE_BYTES_MAX};
use crate::http::range;

/// A stored part that is of use for this request: one that holds the range it
/// wants, or the start of the body that it wants whole.
pub async fn find_part<H: Host>(
    cx: RequestCx<'_, H>,
    log: &mut RequestLog,
) -> Option<Hit<H::Body>> {
    let RequestCx {
        isolate, lookup, ..
    } = cx;
    let slot = lookup.key.part_slot();
    // Few URLs have a part; for the others this costs no look-up.
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
