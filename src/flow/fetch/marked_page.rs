//! Pages that are to be made of fragments, before anything is decided of them.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser::{Coding, is_marked};
use crate::flow::runtime::host::Host;
use crate::http::head::ResponseHead;

/// Looks at the start of a marked page that says that it is in gzip, which
/// nobody asked for. If it is not, nobody can read it: its coding becomes one
/// that is not known, so the page is not stored, and the client gets a 502.
/// Gives the body back.
pub async fn check_coding<H: Host>(
    host: &H,
    rule: &Rule,
    head: &mut ResponseHead,
    body: Option<H::Body>,
) -> Option<H::Body> {
    let is_template = rule.esi && is_marked(&head.fields);
    if !is_template || Coding::of(&head.fields) != Coding::Gzip {
        return body;
    }
    let timeout_ms = rule.origin_timeout_seconds.saturating_mul(1000);
    let (is_gzip, body) = host.begins_as_gzip(body?, timeout_ms).await;
    if !is_gzip {
        head.fields.set("content-encoding", "unknown");
    }
    body
}
