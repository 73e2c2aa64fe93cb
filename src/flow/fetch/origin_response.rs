//! Requests to the origin whose response may be stored.

use super::marked_page::is_undecodable;
use super::stale_candidate::StaleCandidate;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::freshness::Times;
use crate::cache::policy::storability::is_tied;
use crate::cache::request::classify::Lookup;
use crate::cache::request::origin_request::OriginRequest;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::origin::upstream::{self, UpstreamRequest};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, WHOLE_BYTES_MAX};
use crate::http::fields::is_unreadable;
use crate::http::head::ResponseHead;

/// The origin's response, and when it came.
pub struct OriginResponse<B> {
    /// The purge sequence number seen before the request was sent.
    pub seen: u64,
    /// When the request was sent, and when the response head arrived.
    pub times: Times,
    /// Whether the client's `Range` was forwarded.
    pub ranged: bool,
    /// The response head, or why there is none.
    pub head: Result<ResponseHead, OriginFailure>,
    /// The body, not yet read.
    pub body: Option<B>,
}

impl<B> OriginResponse<B> {
    /// Sends a request to the origin, or to its backup. `request` is called
    /// again before each attempt, right before it is sent.
    pub async fn fetch_origin<H: Host<Body = B>>(
        cx: RequestCx<'_, H>,
        request: &mut upstream::MakeRequest<'_>,
        log: &mut RequestLog,
    ) -> Self {
        let lookup = cx.lookup;
        let wanted = UpstreamRequest {
            at_once: true,
            ..UpstreamRequest::read(&lookup.key.url, &lookup.rule)
        };
        let response =
            upstream::fetch_upstream(cx.host, cx.isolate, wanted, None, request, log).await;
        let (head, body) = match response.result {
            Ok((head, body)) => (Ok(head), body),
            Err(failure) => (Err(failure), None),
        };
        log.fwd_status = head.as_ref().ok().map(|head| head.status);
        Self {
            seen: response.seen,
            times: response.times,
            ranged: response.ranged,
            head,
            body,
        }
    }

    /// The status, if there is a head.
    pub fn status(&self) -> Option<u16> {
        self.head.as_ref().ok().map(|head| head.status)
    }

    /// Whether it is a failure by the rule: no response, or a status of
    /// `error_statuses`.
    pub fn has_failed(&self, lookup: &Lookup) -> bool {
        let errors = &lookup.rule.error_statuses;
        self.status().is_none_or(|status| errors.contains(&status))
    }

    /// Reads a short body to its end, so that a truncated or undecodable one
    /// counts as a failure. Used only if a stale response may be served
    /// instead. Other responses are streamed at once, and the client sees the
    /// truncation.
    pub async fn read_whole<H: Host<Body = B>>(
        mut self,
        cx: RequestCx<'_, H>,
        log: &mut RequestLog,
    ) -> Self {
        let Ok(head) = &self.head else {
            return self;
        };
        if is_undecodable(&cx.lookup.rule, head) {
            log.add_note("origin: the page cannot be decoded".to_owned());
            self.head = Err(OriginFailure::CutOff);
            self.body = None;
            return self;
        }
        let length = head.fields.get("content-length");
        let length: Option<u64> = length.and_then(|n| n.trim().parse().ok());
        let short = length.is_none_or(|length| length <= u64::from(WHOLE_BYTES_MAX));
        if !short || self.has_failed(cx.lookup) {
            return self;
        }
        if let Some(body) = self.body.take() {
            let seconds = cx.isolate.rules.origin_body_timeout_seconds;
            let seconds = seconds.unwrap_or(cx.lookup.rule.origin_timeout_seconds);
            let whole = cx
                .host
                .receive_whole(body, length, seconds.saturating_mul(1000))
                .await;
            match whole {
                Ok(body) => self.body = Some(body),
                Err(failure) => {
                    log.add_note(format!("origin: {failure}"));
                    self.head = Err(failure);
                }
            }
        }
        self
    }
}

/// The request to the origin, with our own conditions if a stored response is
/// to be revalidated (RFC 9111 §4.3.1).
pub fn request_to_origin<B>(
    lookup: &Lookup,
    stale: Option<&StaleCandidate<B>>,
    conditional: bool,
) -> OriginRequest {
    let stored = stale.map(|stale| &stale.hit.entry);
    let stored = stored.filter(|_| conditional);
    let mut request = lookup.origin().clone();
    if lookup.head_only {
        request.method = "HEAD".to_owned();
    }
    if let Some(range) = lookup.range_to_send(stored.is_none()) {
        request.fields.set("range", range);
        if let Some(validator) = lookup.client.get("if-range") {
            request.fields.set("if-range", validator);
        }
    } else if lookup.sends_conditions && stored.is_none() {
        for (name, value) in lookup.client_conditions() {
            request.fields.add(name, value);
        }
    }
    if let Some(entry) = stored.filter(|entry| is_tied(entry)) {
        add_conditions(&mut request, entry);
    }
    request
}

fn add_conditions(request: &mut OriginRequest, entry: &Entry) {
    let conditions = [
        ("etag", "if-none-match"),
        ("last-modified", "if-modified-since"),
    ];
    for (validator, condition) in conditions {
        // Two users' pages may have the same date.
        if entry.by_credentials && validator != "etag" {
            continue;
        }
        // The original bytes of an unreadable validator are lost.
        let value = entry.fields.get(validator);
        if let Some(value) = value.filter(|value| !is_unreadable(value)) {
            request.fields.set(condition, value);
        }
    }
}
