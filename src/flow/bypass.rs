//! Requests that do not use the cache: they go through whole.

use super::fetch::origin_failed;
use super::host::Host;
use super::invalidate::after_write;
use super::isolate::Isolate;
use super::reply::{Answer, Content};
use super::report::Report;
use crate::cache::answer::for_clients;
use crate::cache::request::{Bypass, OriginRequest};
use crate::http::head::RequestHead;

/// Sends a request on and gives the answer back.
pub async fn bypass<H: Host>(
    host: &H,
    isolate: &Isolate,
    reason: Bypass,
    request: &RequestHead,
    to_origin: &OriginRequest,
    body: Option<H::Body>,
    report: &mut Report,
) -> Answer<H::Body> {
    report.cache = "bypass";
    report.fwd = Some(match reason {
        Bypass::Method => "method",
        _ => "bypass",
    });
    report.detail.push(reason.word());
    report.origin += 1;
    // An upload may take its time before the origin says a word, and so may
    // another protocol.
    let waits = body.is_some() || reason == Bypass::Upgrade;
    let timeout_ms = (!waits).then_some(isolate.rules.origin_timeout_seconds * 1000);
    match host.ask_origin(to_origin, body, timeout_ms).await {
        Ok((head, body)) => {
            report.fwd_status = Some(head.status);
            after_write(host, isolate, request, &head, report).await;
            Answer {
                status: head.status,
                length: head
                    .fields
                    .get("content-length")
                    .and_then(|n| n.parse().ok()),
                fields: for_clients(&head.fields, host.now_ms()),
                content: body.map_or(Content::Empty, Content::Body),
            }
        }
        Err(failure) => {
            report.cache = "error";
            origin_failed(failure)
        }
    }
}
