//! Requests that do not use the cache: they go through whole.

use super::fetch::{forward, origin_failed};
use super::handoff::Handoff;
use super::host::Host;
use super::invalidate::{after_write, is_unsafe};
use super::isolate::Isolate;
use super::reply::Answer;
use super::report::Report;
use crate::cache::answer::OriginFailure;
use crate::cache::request::{Bypass, OriginRequest};
use crate::http::head::{RequestHead, ResponseHead};
use std::rc::Rc;

/// Sends a request on and gives the answer back.
pub async fn bypass<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
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
    let (answer, note) = if is_unsafe(&request.method) {
        write(host, isolate, request, to_origin, body, timeout_ms).await
    } else {
        (host.ask_origin(to_origin, body, timeout_ms).await, None)
    };
    report.notes.extend(note);
    report.fwd_status = answer.as_ref().ok().map(|(head, _)| head.status);
    match answer {
        Ok((head, body)) => forward(Ok(head), body, host.now_ms()),
        Err(failure) => {
            report.cache = "error";
            origin_failed(failure)
        }
    }
}

/// What the origin says.
type Said<B> = Result<(ResponseHead, Option<B>), OriginFailure>;

/// Sends a write on and invalidates what it changed, to the end even if the
/// client leaves meanwhile: the origin may have done it by then.
async fn write<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: &RequestHead,
    to_origin: &OriginRequest,
    body: Option<H::Body>,
    timeout_ms: Option<u64>,
) -> (Said<H::Body>, Option<String>) {
    let handoff = Handoff::default();
    let (there, host_then, isolate) = (handoff.clone(), host.clone(), Rc::clone(isolate));
    let (request, to_origin) = (request.clone(), to_origin.clone());
    host.later(async move {
        let answer = host_then.ask_origin(&to_origin, body, timeout_ms).await;
        let note = match &answer {
            Ok((head, _)) => after_write(&host_then, &isolate, &request, head).await,
            Err(_) => None,
        };
        there.put((answer, note));
    });
    handoff.take().await
}
