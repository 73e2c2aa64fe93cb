//! Sends a request to the origins: to the first one as often as the rule
//! allows, then to the backup, until the deadline.
//!
//! | failure | retried | sent to the backup |
//! |---|---|---|
//! | no connection, a status of `error_statuses` except 500 | yes, after a pause | yes |
//! | such a status with `Retry-After` | no: the origin asked for a pause | yes |
//! | no head in time | no: it would take as long again | yes |
//! | 500, no valid status, a short body that is cut off | no: the page is broken | no |
//! | the breaker is open, the URL has a `Retry-After`, all permits are taken | no | yes |
//!
//! Only a safe request without a body is sent twice, to whichever origin. A
//! request that was never sent may go to the backup in any case.

use crate::cache::config::rule::{Origin, Rule};
use crate::cache::origin::circuit_breaker::{ResponseVerdict, judge};
use crate::cache::origin::concurrency_limit;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::origin::outcomes::reader_of;
use crate::cache::policy::freshness::Times;
use crate::cache::request::origin_request::OriginRequest;
use crate::flow::isolate::origins::{Admission, OriginCaller, Refusal};
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{Host, OriginTimeouts, Upload};
use crate::http::head::ResponseHead;
use crate::http::url::{Url, canonical_path};
use std::rc::Rc;

/// A request without a time limit, such as an upload, holds its permit for a
/// minute.
const UNTIMED_MS: u64 = 60_000;

/// The runtime's timers may be slightly late, and the response is recorded
/// after that. So a permit outlasts its request's time limit by a second.
const MARK_MORE_MS: u64 = 1000;

/// A request to the origins, and how to send it.
#[derive(Clone, Copy)]
pub struct UpstreamRequest<'a> {
    /// The URL of the client's request. Its host selects the origins.
    pub url: &'a Url,
    /// The rule that applies.
    pub rule: &'a Rule,
    /// Whether it may be sent twice.
    pub safe: bool,
    /// Whether there is a time limit for the response head.
    pub timed: bool,
    /// Whether its client can extend its duration, as with an upload.
    pub by_client: bool,
    /// Whether a short body must arrive with the head
    /// ([`OriginTimeouts::at_once`]).
    pub at_once: bool,
}

impl<'a> UpstreamRequest<'a> {
    /// A safe request without a body.
    pub fn read(url: &'a Url, rule: &'a Rule) -> Self {
        Self {
            url,
            rule,
            safe: true,
            timed: true,
            by_client: false,
            at_once: false,
        }
    }
}

/// The response of an origin, or why there is none.
pub type UpstreamResult<B> = Result<(ResponseHead, Option<B>), OriginFailure>;

/// The result of a request to the origins.
pub struct UpstreamResponse<B> {
    /// The purge sequence number seen before the request was sent.
    pub seen: u64,
    /// When the request was sent, and when the response head arrived.
    pub times: Times,
    /// Whether the request had a `Range`.
    pub ranged: bool,
    /// The response, or why there is none.
    pub result: UpstreamResult<B>,
}

/// Creates the request to send. (Not a type parameter: each would be another
/// copy of this module in the wasm.)
pub type MakeRequest<'a> = dyn FnMut(&mut RequestLog) -> OriginRequest + 'a;

/// Sends a request to the origins and returns the response. `request` is called
/// right before each attempt, because a purge may have come meanwhile.
pub async fn fetch_upstream<H: Host>(
    host: &H,
    isolate: &Isolate,
    wanted: UpstreamRequest<'_>,
    body: Option<H::Body>,
    request: &mut MakeRequest<'_>,
    log: &mut RequestLog,
) -> UpstreamResponse<H::Body> {
    let rules = &isolate.rules;
    let deadline_ms = rules.origin_deadline_seconds.saturating_mul(1000);
    let mut attempts = UpstreamAttempts {
        host,
        isolate,
        wanted,
        until_ms: host.now_ms().saturating_add(deadline_ms),
        reader: host.client_address().map(|address| reader_of(&address)),
        body,
        sent: false,
        request,
        log,
    };
    let url = wanted.url;
    let first = match rules.origin_of(&url.host) {
        Some(origin) => name(origin.scheme, &origin.host),
        None => name(url.scheme, &url.host),
    };
    let response = attempts.try_origin(&first, None, wanted.rule.retries).await;
    let Some(backup) = rules.backup_of(&url.host) else {
        return response;
    };
    let has_failed = matches!(attempts.judge(&response), ResponseVerdict::Fails { .. });
    if !attempts.may_send_again() || !has_failed {
        return response;
    }
    attempts.log.add_detail("backup");
    let name = name(backup.scheme, &backup.host);
    let other = attempts.try_origin(&name, Some(backup), 0).await;
    better(response, other)
}

fn name(scheme: &str, host: &str) -> String {
    format!("{scheme}://{host}")
}

/// The later result, unless only the earlier one is a response.
fn better<B>(one: UpstreamResponse<B>, other: UpstreamResponse<B>) -> UpstreamResponse<B> {
    match (&one.result, &other.result) {
        (Ok(_), Err(_)) => one,
        _ => other,
    }
}

struct UpstreamAttempts<'a, 'r, H: Host> {
    host: &'a H,
    isolate: &'a Isolate,
    wanted: UpstreamRequest<'a>,
    /// The deadline, in milliseconds since 1970.
    until_ms: u64,
    /// Digest of the client's address, if it is known.
    reader: Option<u64>,
    body: Option<H::Body>,
    /// Whether an origin may have received the request.
    sent: bool,
    request: &'a mut MakeRequest<'r>,
    log: &'a mut RequestLog,
}

impl<'a, H: Host> UpstreamAttempts<'a, '_, H> {
    /// Sends to one origin, with at most `repetitions` retries.
    async fn try_origin(
        &mut self,
        name: &str,
        backup: Option<&Origin>,
        repetitions: u64,
    ) -> UpstreamResponse<H::Body> {
        let limits = &self.isolate.rules.protection;
        let caller = self.caller(name);
        let origins = &self.isolate.origins;
        origins.earn(&caller, limits, self.host.now_ms());
        let mut response = self.send_once(name, backup, &caller).await;
        for nth in 0..repetitions {
            let hasty = response.result.as_ref().err() != Some(&OriginFailure::TimedOut);
            let ResponseVerdict::Fails {
                retry_after_ms: None,
            } = self.judge(&response)
            else {
                break;
            };
            let now_ms = self.host.now_ms();
            let pause_ms = concurrency_limit::pause_ms(&self.wanted.url.path, nth, now_ms);
            let in_time = now_ms.saturating_add(pause_ms) < self.until_ms;
            let may = hasty && in_time && self.sent && self.may_send_again();
            if !may || !origins.may_repeat(&caller, limits, now_ms) {
                break;
            }
            self.log.add_detail("retried");
            self.host.sleep(pause_ms).await;
            response = better(response, self.send_once(name, backup, &caller).await);
        }
        response
    }

    /// The identity of this request for the limits of an origin.
    fn caller(&self, name: &str) -> OriginCaller {
        let UpstreamRequest {
            url,
            safe,
            by_client,
            ..
        } = self.wanted;
        // All spellings of a path are the same page.
        let path = canonical_path(&url.path);
        let query = url.query.as_deref().unwrap_or_default();
        let target = format!("{safe} {path}?{query}");
        let caller = OriginCaller::new(&url.host, name, &path, &target, self.reader);
        match by_client {
            true => caller.untimed(),
            false => caller,
        }
    }

    /// Sends to one origin once, after waiting for a permit.
    async fn send_once(
        &mut self,
        name: &str,
        backup: Option<&Origin>,
        caller: &OriginCaller,
    ) -> UpstreamResponse<H::Body> {
        let pass = match self.enter(caller).await {
            Ok(pass) => pass,
            Err(failure) => {
                self.log_failure(name, failure);
                return self.not_sent(failure);
            }
        };
        let now_ms = self.host.now_ms();
        let left_ms = self.until_ms.saturating_sub(now_ms);
        let head_ms = self.head_ms().map(|ms| ms.min(left_ms));
        // Nothing is awaited from here until the request is sent. The sequence
        // number is recorded before that: a purge that is ordered while the
        // response is on its way has a larger one, and invalidates it.
        let seen = self.isolate.seen();
        let mut request = (self.request)(self.log);
        if let Some(origin) = backup {
            request = request.to(origin, self.wanted.url);
        }
        self.log.origin += 1;
        self.sent = true;
        let body_seconds = self.isolate.rules.origin_body_timeout_seconds;
        let timeouts = OriginTimeouts {
            head_ms,
            body_ms: body_seconds
                .filter(|_| self.wanted.timed)
                .map(|seconds| seconds.saturating_mul(1000)),
            at_once: self.wanted.at_once,
        };
        let upload = self.body.take().map(Upload::new);
        let is_sent = upload.as_ref().map(|upload| Rc::clone(&upload.is_sent));
        let result = self.host.send_to_origin(&request, upload, timeouts).await;
        let response = UpstreamResponse {
            seen,
            times: Times {
                request_ms: now_ms,
                response_ms: self.host.now_ms(),
            },
            ranged: request.fields.has("range"),
            result,
        };
        let verdict = self.judge(&response);
        let limits = &self.isolate.rules.protection;
        let then_ms = response.times.response_ms;
        self.log.origin_ms.push(then_ms.saturating_sub(now_ms));
        // An upload that the client stops fails at any origin.
        if is_sent.is_some_and(|is_sent| !is_sent.get()) && verdict != ResponseVerdict::Works {
            self.log_failure(name, "failed before it had the whole request");
            pass.leave(ResponseVerdict::Unknown, limits, then_ms);
        } else {
            pass.leave(verdict, limits, then_ms);
        }
        match &response.result {
            Ok((head, _)) if head.status >= 500 || verdict != ResponseVerdict::Works => {
                self.log_failure(name, format_args!("status {}", head.status));
            }
            Ok(_) => {}
            Err(failure) => self.log_failure(name, failure),
        }
        response
    }

    /// Waits for a permit: first come, first served.
    async fn enter(&mut self, caller: &OriginCaller) -> Result<Admission<'a>, OriginFailure> {
        let limits = &self.isolate.rules.protection;
        let origins = &self.isolate.origins;
        let lasts_ms = self.head_ms().unwrap_or(UNTIMED_MS);
        let lasts_ms = lasts_ms.saturating_add(MARK_MORE_MS);
        let wait_ms = limits.queue_timeout_seconds.saturating_mul(1000);
        let began_ms = self.host.now_ms();
        let until_ms = began_ms.saturating_add(wait_ms).min(self.until_ms);
        let mut position = None;
        loop {
            let now_ms = self.host.now_ms();
            let entered = origins.enter(caller, position.as_ref(), limits, now_ms, lasts_ms);
            let ahead = match entered {
                Ok(pass) => return Ok(pass),
                Err(Refusal::Open(ms)) => {
                    self.log.add_detail("circuit-open");
                    let seconds = ms.div_ceil(1000);
                    return Err(OriginFailure::CircuitOpen { seconds });
                }
                Err(Refusal::Resting(ms)) => {
                    self.log.add_detail("retry-after");
                    let seconds = ms.div_ceil(1000);
                    return Err(OriginFailure::Resting { seconds });
                }
                Err(Refusal::Full(ahead)) => ahead,
            };
            if position.is_none() && now_ms < until_ms {
                position = origins.queue(caller, now_ms, until_ms);
            }
            if position.is_none() || now_ms >= until_ms {
                self.log.add_detail("origin-busy");
                return Err(OriginFailure::TooBusy);
            }
            self.log.add_detail("queued");
            let left_ms = until_ms.saturating_sub(now_ms);
            self.host
                .sleep(concurrency_limit::poll_delay_ms(ahead).min(left_ms))
                .await;
        }
    }

    /// How long the response head may take, in milliseconds.
    fn head_ms(&self) -> Option<u64> {
        let seconds = self.wanted.rule.origin_timeout_seconds;
        self.wanted.timed.then(|| seconds.saturating_mul(1000))
    }

    fn judge(&self, response: &UpstreamResponse<H::Body>) -> ResponseVerdict {
        let head = response.result.as_ref().map(|(head, _)| head);
        let head = head.map_err(|failure| *failure);
        judge(self.wanted.rule, head, response.times.response_ms)
    }

    /// Whether the request may be sent once more: only a safe one is sent
    /// twice.
    fn may_send_again(&self) -> bool {
        let in_time = self.host.now_ms() < self.until_ms;
        in_time && (self.wanted.safe || !self.sent)
    }

    fn log_failure(&mut self, name: &str, what: impl std::fmt::Display) {
        self.log.add_note(format!("{name}: {what}"));
    }

    /// The result if no request was sent.
    fn not_sent(&self, failure: OriginFailure) -> UpstreamResponse<H::Body> {
        let now_ms = self.host.now_ms();
        UpstreamResponse {
            seen: self.isolate.seen(),
            times: Times {
                request_ms: now_ms,
                response_ms: now_ms,
            },
            ranged: false,
            result: Err(failure),
        }
    }
}
