//! Passes: requests that do not use the cache and are forwarded whole.

use super::forward::{Evaluate, by_conditions, forward};
use super::marked_page::check_coding;
use crate::cache::config::rule::Rule;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::freshness::Times;
use crate::cache::request::classify::Bypass;
use crate::cache::request::origin_request::OriginRequest;
use crate::flow::isolate::state::Isolate;
use crate::flow::origin::upstream::{UpstreamRequest, UpstreamResult, fetch_upstream};
use crate::flow::purge::invalidate::{is_unsafe, plan_delivery};
use crate::flow::purge::writes::invalidate;
use crate::flow::response::error_pages::{error_page, origin_failed};
use crate::flow::response::reply::Answer;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::http::head::{Method, RequestHead, ResponseHead};
use futures_channel::oneshot;
use std::rc::Rc;

/// Request bodies up to this length, if `Content-Length` gives it, are read
/// whole before the request to the origin: forms and API calls, which arrive
/// with the head in a few packets. So a client that sends slowly holds no
/// permit meanwhile, and such requests do not share the few permits of uploads.
/// At 16 KiB, a thousand of them take 16 of the isolate's 128 MB.
pub const SMALL_BODY_BYTES_MAX: u64 = 16 * 1024;

/// How long reading such a body may take: 16 KiB at 13 kbit/s, or four lost
/// packets in a row.
pub const SMALL_BODY_MS: u64 = 10_000;

/// A request that is forwarded whole.
#[derive(Clone, Debug)]
pub struct PassRequest<'a> {
    /// Why it does not use the cache.
    pub reason: Bypass,
    /// The client's request.
    pub request: &'a RequestHead,
    /// The rule that applies.
    pub rule: &'a Rc<Rule>,
    /// The request to the origin.
    pub to_origin: &'a OriginRequest,
}

/// The origin's unmodified response head, and what was known before it came.
#[derive(Clone, Debug)]
pub struct ReceivedHead {
    /// The purge sequence number seen before the request was sent.
    pub seen: u64,
    /// When the request was sent, and when the head arrived.
    pub times: Times,
    /// The head.
    pub head: ResponseHead,
}

/// Forwards a request and returns the client's response. For a request that may
/// use the cache but is sent whole ([`Bypass::Personal`], [`Bypass::Shadow`]),
/// it also returns what the origin sent.
pub async fn pass<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    pass: PassRequest<'_>,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> (Answer<H::Body>, Option<ReceivedHead>) {
    let PassRequest {
        reason,
        request,
        rule,
        to_origin,
    } = pass;
    log_pass(reason, log);
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
    let mut sent = None;
    let result = if is_unsafe(&request.method) {
        write(host, isolate, pass, (body, sending), log).await
    } else {
        let wanted = upstream_request(request, rule, sending);
        let mut again = |_: &mut RequestLog| to_origin.clone();
        let response = fetch_upstream(host, isolate, wanted, body, &mut again, log).await;
        sent = Some((response.seen, response.times));
        response.result
    };
    log.fwd_status = result.as_ref().ok().map(|(head, _)| head.status);
    let (mut head, body) = match result {
        Ok(response) => response,
        Err(failure) => {
            log.cache = "error";
            return (origin_failed(failure), None);
        }
    };
    let body = check_coding(host, rule, &mut head, body).await;
    let may_be_cached = matches!(reason, Bypass::Personal | Bypass::Shadow);
    let received = sent.filter(|_| may_be_cached).map(|(seen, times)| {
        let head = head.clone();
        ReceivedHead { seen, times, head }
    });
    let answer = forward(Ok(head), body, host.now_ms());
    let answer = match request.method {
        Method::Get | Method::Head => by_conditions(answer, &request.fields, rule, Evaluate::Tags),
        Method::Other(_) => answer,
    };
    (answer, received)
}

/// Logs that a request does not use the cache, and why.
pub fn log_pass(reason: Bypass, log: &mut RequestLog) {
    log.cache = "bypass";
    log.fwd = Some(match reason {
        Bypass::Method => "method",
        _ => "bypass",
    });
    log.detail.push(reason.word());
}

/// What is sent with the request head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Nothing,
    /// A body that has been read completely.
    Whole,
    /// An upload, or another protocol: its duration depends on the client.
    Long,
}

/// Reads a small body completely; returns any other unread.
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
    match host.receive_whole(body, Some(length), SMALL_BODY_MS).await {
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

/// The upstream request of a pass. With a body, it has no time limit and cannot
/// be sent twice.
fn upstream_request<'a>(
    request: &'a RequestHead,
    rule: &'a Rule,
    sending: Sending,
) -> UpstreamRequest<'a> {
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

/// Forwards a write and invalidates what it changed. This continues if the
/// client disconnects, because the origin may have executed the write by then.
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
        let wanted = upstream_request(&request, &rule, sending);
        let mut once = |_: &mut RequestLog| to_origin.clone();
        let response =
            fetch_upstream(&host_then, &isolate, wanted, body, &mut once, &mut log).await;
        let head = response.result.as_ref().ok().map(|(head, _)| head);
        let delivery =
            head.and_then(|head| plan_delivery(&host_then, &isolate, &rule, &request, head));
        let answer = |note: Option<String>| {
            log.notes.extend(note);
            // If the client has left, there is no receiver.
            drop(sender.send((response.result, log)));
        };
        match delivery {
            Some(delivery) => {
                invalidate(&host_then, &isolate, &request.url.host, delivery, answer).await
            }
            None => answer(None),
        }
    });
    let Some((result, attempts)) = host.receive(receiver).await else {
        // The task was dropped; the origin may have executed the write.
        return Err(OriginFailure::Unreachable);
    };
    log.add_attempts(attempts);
    result
}
