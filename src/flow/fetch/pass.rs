//! Requests that do not use the cache: they go through whole.

use super::forward::{Evaluate, by_conditions, forward};
use super::marked_page::check_coding;
use crate::cache::config::rule::Rule;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::request::classify::Bypass;
use crate::cache::request::origin_request::OriginRequest;
use crate::flow::isolate::state::Isolate;
use crate::flow::origin::upstream::{UpstreamRequest, UpstreamResult, ask};
use crate::flow::purge::invalidate::{is_unsafe, turn_of};
use crate::flow::purge::writes::invalidate;
use crate::flow::response::error_pages::{error_page, origin_failed};
use crate::flow::response::reply::Answer;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::http::head::{Method, RequestHead, ResponseHead};
use futures_channel::oneshot;
use std::rc::Rc;

/// Bodies up to this length, if it is told, are read whole before the origin is
/// asked: forms and API calls, which come with the head in a packet or some. So
/// a client that sends slowly has no place at the origin meanwhile, and such
/// requests need not share the few places of uploads. At 16 KiB a thousand of
/// them take 16 of the isolate's 128 MB.
pub const SMALL_BODY_BYTES_MAX: u64 = 16 * 1024;

/// How long they may take: 16 KiB at 13 kbit/s, or four lost packets in a row.
pub const SMALL_BODY_MS: u64 = 10_000;

/// A request that goes to the origin whole.
#[derive(Clone, Debug)]
pub struct PassRequest<'a> {
    /// Why it does not use the cache.
    pub reason: Bypass,
    /// The client's request.
    pub request: &'a RequestHead,
    /// The rule that holds.
    pub rule: &'a Rc<Rule>,
    /// What is sent.
    pub to_origin: &'a OriginRequest,
}

/// Sends a request on and returns the answer; and, of one that is sent whole
/// because of its cookies ([`Bypass::Personal`]), the head as the origin sent
/// it, before anything is made of it for the client.
pub async fn pass<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    pass: PassRequest<'_>,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> (Answer<H::Body>, Option<ResponseHead>) {
    let PassRequest {
        reason,
        request,
        rule,
        to_origin,
    } = pass;
    log.cache = "bypass";
    log.fwd = Some(match reason {
        Bypass::Method => "method",
        _ => "bypass",
    });
    log.detail.push(reason.word());
    let (body, sending) = match body {
        Some(body) => match whole_if_small(host, request, body).await {
            Ok((body, sending)) => (Some(body), sending),
            Err(answer) => {
                log.cache = "error";
                return (answer, None);
            }
        },
        None if reason == Bypass::Upgrade => (None, Sending::Long),
        None => (None, Sending::Nothing),
    };
    let said = if is_unsafe(&request.method) {
        write(host, isolate, pass, (body, sending), log).await
    } else {
        let question = question(request, rule, sending);
        let mut again = |_: &mut RequestLog| to_origin.clone();
        let asked = ask(host, isolate, question, body, &mut again, log).await;
        asked.said
    };
    log.fwd_status = said.as_ref().ok().map(|(head, _)| head.status);
    let (mut head, body) = match said {
        Ok(response) => response,
        Err(failure) => {
            log.cache = "error";
            return (origin_failed(failure), None);
        }
    };
    let body = check_coding(host, rule, &mut head, body).await;
    let raw = (reason == Bypass::Personal).then(|| head.clone());
    let answer = forward(Ok(head), body, host.now_ms());
    let answer = match request.method {
        Method::Get | Method::Head => by_conditions(answer, &request.fields, rule, Evaluate::Tags),
        Method::Other(_) => answer,
    };
    (answer, raw)
}

/// What goes out beside the head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Nothing,
    /// A body that has come whole.
    Whole,
    /// An upload, or another protocol: the client may take its time.
    Long,
}

/// Reads a small body; else gives it back as it is.
async fn whole_if_small<H: Host>(
    host: &H,
    request: &RequestHead,
    body: H::Body,
) -> Result<(H::Body, Sending), Answer<H::Body>> {
    let length = request.fields.get("content-length");
    let length: Option<u64> = length.and_then(|length| length.trim().parse().ok());
    let Some(length) = length.filter(|length| *length <= SMALL_BODY_BYTES_MAX) else {
        return Ok((body, Sending::Long));
    };
    match host.whole(body, Some(length), SMALL_BODY_MS).await {
        Ok(body) => Ok((body, Sending::Whole)),
        Err(OriginFailure::TimedOut) => Err(error_page(
            408,
            "Request timeout: the body of the request did not come in time.\n",
        )),
        Err(_) => Err(error_page(
            400,
            "Bad request: the body of the request is not as long as its head says.\n",
        )),
    }
}

/// What has a body has no time limit, and cannot be sent twice.
fn question<'a>(request: &'a RequestHead, rule: &'a Rule, sending: Sending) -> UpstreamRequest<'a> {
    let is_alone = sending == Sending::Nothing;
    UpstreamRequest {
        url: &request.url,
        rule,
        safe: is_alone && !is_unsafe(&request.method),
        timed: is_alone,
        by_client: sending == Sending::Long,
        at_once: false,
    }
}

/// Sends a write on and invalidates what it changed, to the end even if the
/// client leaves meanwhile: the origin may have done it by then.
async fn write<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    pass: PassRequest<'_>,
    (body, sending): (Option<H::Body>, Sending),
    log: &mut RequestLog,
) -> UpstreamResult<H::Body> {
    let (sender, receiver) = oneshot::channel();
    let (host_then, isolate) = (host.clone(), Rc::clone(isolate));
    let (request, rule) = (pass.request.clone(), Rc::clone(pass.rule));
    let to_origin = pass.to_origin.clone();
    host.later(async move {
        let mut log = RequestLog::default();
        let question = question(&request, &rule, sending);
        let mut once = |_: &mut RequestLog| to_origin.clone();
        let asked = ask(&host_then, &isolate, question, body, &mut once, &mut log).await;
        let head = asked.said.as_ref().ok().map(|(head, _)| head);
        let turn = head.and_then(|head| turn_of(&host_then, &isolate, &rule, &request, head));
        let answer = |note: Option<String>| {
            log.notes.extend(note);
            // If the client has left, nobody receives it.
            drop(sender.send((asked.said, log)));
        };
        match turn {
            Some(turn) => invalidate(&host_then, &isolate, &request.url.host, turn, answer).await,
            None => answer(None),
        }
    });
    let Some((said, asking)) = host.receive(receiver).await else {
        // The work was dropped; the origin may have done the write.
        return Err(OriginFailure::Unreachable);
    };
    log.add_asking(asking);
    said
}
