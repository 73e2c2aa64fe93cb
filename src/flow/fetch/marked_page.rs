//! Checks pages that are to be made of fragments, before the policy decides.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser::{Coding, is_marked};
use crate::flow::runtime::host::Host;
use crate::http::head::ResponseHead;

/// The longest gzip-encoded page with fragments, encoded and decoded: sixteen
/// times the limit for other bodies that are read whole. Its encoded bytes wait
/// in JavaScript's memory until all of it is decoded. This is rare, because the
/// request to the origin asks for no coding.
const GZIP_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// Checks that a marked page with an unrequested gzip coding can be decoded,
/// and returns the body as received.
///
/// The body is decoded to its end only for this check. If it is not gzip, is
/// cut off or is too long, no client can read it. Then its coding is set to an
/// unknown one, so the page is not stored and the client gets a 502.
pub async fn check_coding<H: Host>(
    host: &H,
    rule: &Rule,
    head: &mut ResponseHead,
    body: Option<H::Body>,
) -> Option<H::Body> {
    // A part (206) or a 304 is not a complete page.
    let is_page = !matches!(head.status, 206 | 304) && is_marked(&head.fields);
    if !rule.esi || !is_page || Coding::of(&head.fields) != Coding::Gzip {
        return body;
    }
    let timeout_ms = rule.origin_timeout_seconds.saturating_mul(1000);
    let (is_gzip, body) = host.is_gzip(body?, GZIP_BYTES_MAX, timeout_ms).await;
    if !is_gzip {
        head.fields.set("content-encoding", "unknown");
    }
    body
}

/// Whether a marked page has a coding that cannot be decoded.
pub fn is_undecodable(rule: &Rule, head: &ResponseHead) -> bool {
    rule.esi && is_marked(&head.fields) && Coding::of(&head.fields) == Coding::Other
}
