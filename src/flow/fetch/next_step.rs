//! The next step of a request after its lookup. Requests and explanations use
//! the same decisions.

use super::stale_candidate::StaleCandidate;
use super::withheld;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::{Found, Hit, MissReason};
use crate::http::cache_control::RequestControl;

/// The next step of a request after its lookup.
pub enum NextStep<B> {
    /// Nothing may be served, and the client wants no request to the origin
    /// (`only-if-cached`, RFC 9111 §5.2.1.7).
    Refuse,
    /// Serve a stored response. A word means that it is refreshed behind the
    /// response, and why.
    Serve(Hit<B>, Option<&'static str>),
    /// Ask the origin: to confirm or replace a stored response, or because
    /// nothing usable is stored.
    Obtain(Option<StaleCandidate<B>>, Option<MissReason>),
}

/// Returns the next step.
pub fn next_step<B>(found: Found<B>, lookup: &Lookup) -> NextStep<B> {
    match found {
        Found::Stale(..) | Found::Nothing(_) if lookup.request_control.only_if_cached => {
            NextStep::Refuse
        }
        Found::Fresh(hit) => {
            let refresh = hit.early.then_some("early-refresh");
            NextStep::Serve(hit, refresh)
        }
        Found::WhileRevalidate(hit) => NextStep::Serve(hit, Some("stale-while-revalidate")),
        Found::Stale(hit, usable_on_error) => {
            NextStep::Obtain(Some(StaleCandidate::new(hit, usable_on_error)), None)
        }
        Found::Nothing(missing) => NextStep::Obtain(None, Some(missing)),
    }
}

/// Logs that nothing may be served.
pub fn log_refusal(log: &mut RequestLog) {
    log.cache = "error";
    log.detail.push("only-if-cached");
}

/// Whether a miss is sent to the origin with all its cookies. A stored response
/// that may be served on an origin failure prevents this.
pub fn is_sent_whole<H: Host>(
    cx: RequestCx<'_, H>,
    stale: Option<&StaleCandidate<H::Body>>,
) -> bool {
    let usable_on_error = stale.is_some_and(StaleCandidate::was_usable_on_error);
    !usable_on_error && withheld::is_sent_whole(cx.isolate, cx.lookup, cx.now_ms())
}

/// Logs why the request is forwarded to the origin (`fwd`, RFC 9211 §2.2).
pub fn log_forward_reason<H: Host>(
    cx: RequestCx<'_, H>,
    stale: Option<&StaleCandidate<H::Body>>,
    missing: Option<&MissReason>,
    log: &mut RequestLog,
) {
    // The entry is fresh, but the request's Cache-Control does not accept it.
    let unwanted = |stale: &StaleCandidate<_>| {
        let entry = &stale.hit.entry;
        cx.lookup.request_control != RequestControl::default()
            && entry.age(cx.now_ms()) < entry.terms.lifetime
    };
    log.fwd = Some(match (stale, missing) {
        (Some(stale), _) if unwanted(stale) => "request",
        (Some(_), _) => "stale",
        (_, Some(MissReason::Variant(_))) => "vary-miss",
        (_, Some(MissReason::Unauthorized)) => "request",
        _ => "uri-miss",
    });
    let purged = matches!(missing, Some(MissReason::Purged | MissReason::Written));
    if purged {
        log.add_detail("purged");
    }
}
