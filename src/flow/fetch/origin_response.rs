//! Asking the origin for a response that may be stored.

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

/// What the origin sent, and when.
pub struct OriginResponse<B> {
    /// The purge number seen before the origin was asked.
    pub seen: u64,
    /// When it was asked, and when its head came.
    pub times: Times,
    /// Whether the client's `Range` was sent on.
    pub ranged: bool,
    /// Its head, or why there is none.
    pub head: Result<ResponseHead, OriginFailure>,
    /// Its body, not yet read.
    pub body: Option<B>,
}

impl<B> OriginResponse<B> {
    /// Asks the origin, or its backup. `request` is made right before it
    /// leaves, each time that one is asked.
    pub async fn ask<H: Host<Body = B>>(
        cx: RequestCx<'_, H>,
        request: &mut upstream::MakeRequest<'_>,
        log: &mut RequestLog,
    ) -> Self {
        let lookup = cx.lookup;
        let question = UpstreamRequest {
            at_once: true,
            ..UpstreamRequest::read(&lookup.key.url, &lookup.rule)
        };
        let asked = upstream::ask(cx.host, cx.isolate, question, None, request, log).await;
        let (head, body) = match asked.said {
            Ok((head, body)) => (Ok(head), body),
            Err(failure) => (Err(failure), None),
        };
        log.fwd_status = head.as_ref().ok().map(|head| head.status);
        Self {
            seen: asked.seen,
            times: asked.times,
            ranged: asked.ranged,
            head,
            body,
        }
    }

    /// Its status, if it has a head.
    pub fn status(&self) -> Option<u16> {
        self.head.as_ref().ok().map(|head| head.status)
    }

    /// Whether it is a failure by the rule: none, or one of `error_statuses`.
    pub fn has_failed(&self, lookup: &Lookup) -> bool {
        let errors = &lookup.rule.error_statuses;
        self.status().is_none_or(|status| errors.contains(&status))
    }

    /// Reads a short body to its end, so that one which breaks off counts as
    /// a failure, as does one that cannot be decoded. Only where a stale copy
    /// may be served instead: other responses begin at once, and the client sees
    /// them break.
    pub async fn read_whole<H: Host<Body = B>>(
        mut self,
        cx: RequestCx<'_, H>,
        log: &mut RequestLog,
    ) -> Self {
        let Ok(head) = &self.head else {
            return self;
        };
        if is_undecodable(&cx.lookup.rule, head) {
            log.note("origin: the page cannot be decoded".to_owned());
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
                .whole(body, length, seconds.saturating_mul(1000))
                .await;
            match whole {
                Ok(body) => self.body = Some(body),
                Err(failure) => {
                    log.note(format!("origin: {failure}"));
                    self.head = Err(failure);
                }
            }
        }
        self
    }
}

/// The request that goes out: with our own conditions, if a stored response is
/// to be confirmed (RFC 9111 §4.3.1).
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
        // Two users' pages may have one date.
        if entry.by_credentials && validator != "etag" {
            continue;
        }
        // The bytes of one that cannot be read are lost.
        let value = entry.fields.get(validator);
        if let Some(value) = value.filter(|value| !is_unreadable(value)) {
            request.fields.set(condition, value);
        }
    }
}
