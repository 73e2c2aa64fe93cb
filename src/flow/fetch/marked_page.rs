//! Pages that are to be made of fragments, before anything is decided of them.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser::{Coding, is_marked};
use crate::flow::runtime::host::Host;
use crate::http::head::ResponseHead;

/// The longest marked page in gzip, once it is decoded: sixteen times what is
/// read whole elsewhere. Until all of it has been decoded its bytes wait in
/// JavaScript's memory, as they came; the origin was asked for no coding at all.
const DECODED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Decodes a marked page that says that it is in gzip, which nobody asked for,
/// to its end and for nothing but to see that it can be done. If it is not gzip,
/// breaks off anywhere or is too long, nobody can read it: its coding becomes one
/// that is not known, so the page is not stored, and the client gets a 502.
/// Gives the body back as it came.
pub async fn check_coding<H: Host>(
    host: &H,
    rule: &Rule,
    head: &mut ResponseHead,
    body: Option<H::Body>,
) -> Option<H::Body> {
    // A part of a page, or none of it, is no page.
    let is_page = !matches!(head.status, 206 | 304) && is_marked(&head.fields);
    if !rule.esi || !is_page || Coding::of(&head.fields) != Coding::Gzip {
        return body;
    }
    let timeout_ms = rule.origin_timeout_seconds.saturating_mul(1000);
    let (is_gzip, body) = host.is_gzip(body?, DECODED_BYTES_MAX, timeout_ms).await;
    if !is_gzip {
        head.fields.set("content-encoding", "unknown");
    }
    body
}

/// Whether a marked page is in a coding that cannot be read.
pub fn is_undecodable(rule: &Rule, head: &ResponseHead) -> bool {
    rule.esi && is_marked(&head.fields) && Coding::of(&head.fields) == Coding::Other
}
