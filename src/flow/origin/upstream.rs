//! Asking one of the origins for an answer: the first as often as the rule
//! allows, then the backup, until the deadline.
//!
//! | it failed by | asked again | the backup is asked |
//! |---|---|---|
//! | no connection, a status of `error_statuses` but 500 | yes, after a pause | yes |
//! | such a status with `Retry-After` | no: it asked for rest | yes |
//! | no head in time | no: it would take as long again | yes |
//! | 500, no valid status, a short body that breaks off | no: the page is broken | no |
//! | the breaker is open, the URL is left alone, all places are taken | no | yes |
//!
//! Only what is safe, and has no body, is asked for twice, at whichever origin;
//! what never left may go to the backup whatever it is.

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

/// What has no time limit, such as an upload, holds its place for a minute.
const UNTIMED_MS: u64 = 60_000;

/// The runtime's timers may be a little late, and the answer is noted after
/// that: a mark outlives its request's time by a second.
const MARK_MORE_MS: u64 = 1000;

/// What is to be asked, and how.
#[derive(Clone, Copy)]
pub struct UpstreamRequest<'a> {
    /// The URL that the client asked for: its host says which origins there
    /// are.
    pub url: &'a Url,
    /// The rule that holds.
    pub rule: &'a Rule,
    /// Whether it may be asked twice.
    pub safe: bool,
    /// Whether the head must come in time.
    pub timed: bool,
    /// Whether its client can make it last, as by an upload.
    pub by_client: bool,
    /// Whether a short body must come with it ([`OriginTimeouts::at_once`]).
    pub at_once: bool,
}

impl<'a> UpstreamRequest<'a> {
    /// A read without a body.
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

/// What an origin says.
pub type UpstreamResult<B> = Result<(ResponseHead, Option<B>), OriginFailure>;

/// How the asking ended.
pub struct UpstreamResponse<B> {
    /// The purge number seen before the origin was asked.
    pub seen: u64,
    /// When that was, and when the answer came.
    pub times: Times,
    /// Whether a `Range` was sent.
    pub ranged: bool,
    /// The answer.
    pub said: UpstreamResult<B>,
}

/// Makes the request that goes out. (Not a type parameter: each would be a
/// copy of this module in the wasm.)
pub type MakeRequest<'a> = dyn FnMut(&mut RequestLog) -> OriginRequest + 'a;

/// Asks for an answer. `request` is made right before it leaves, each time: a
/// purge may have come in the meantime.
pub async fn ask<H: Host>(
    host: &H,
    isolate: &Isolate,
    question: UpstreamRequest<'_>,
    body: Option<H::Body>,
    request: &mut MakeRequest<'_>,
    log: &mut RequestLog,
) -> UpstreamResponse<H::Body> {
    let rules = &isolate.rules;
    let deadline_ms = rules.origin_deadline_seconds.saturating_mul(1000);
    let mut asking = Asking {
        host,
        isolate,
        question,
        until_ms: host.now_ms().saturating_add(deadline_ms),
        reader: host.reader().map(|address| reader_of(&address)),
        body,
        sent: false,
        request,
        log,
    };
    let url = question.url;
    let first = match rules.origin_of(&url.host) {
        Some(origin) => name(origin.scheme, &origin.host),
        None => name(url.scheme, &url.host),
    };
    let asked = asking.one(&first, None, question.rule.retries).await;
    let Some(backup) = rules.backup_of(&url.host) else {
        return asked;
    };
    let has_failed = matches!(asking.judge(&asked), ResponseVerdict::Fails { .. });
    if !asking.may_go_on() || !has_failed {
        return asked;
    }
    asking.log.say("backup");
    let name = name(backup.scheme, &backup.host);
    let other = asking.one(&name, Some(backup), 0).await;
    better(asked, other)
}

fn name(scheme: &str, host: &str) -> String {
    format!("{scheme}://{host}")
}

/// The later answer, unless it is none.
fn better<B>(one: UpstreamResponse<B>, other: UpstreamResponse<B>) -> UpstreamResponse<B> {
    match (&one.said, &other.said) {
        (Ok(_), Err(_)) => one,
        _ => other,
    }
}

struct Asking<'a, 'r, H: Host> {
    host: &'a H,
    isolate: &'a Isolate,
    question: UpstreamRequest<'a>,
    /// The deadline.
    until_ms: u64,
    /// Digest of the client's address, if it is known.
    reader: Option<u64>,
    body: Option<H::Body>,
    /// Whether an origin may have seen the request.
    sent: bool,
    request: &'a mut MakeRequest<'r>,
    log: &'a mut RequestLog,
}

impl<'a, H: Host> Asking<'a, '_, H> {
    /// Asks one origin, and again so often at most.
    async fn one(
        &mut self,
        name: &str,
        backup: Option<&Origin>,
        repetitions: u64,
    ) -> UpstreamResponse<H::Body> {
        let limits = &self.isolate.rules.protection;
        let asker = self.asker(name);
        let origins = &self.isolate.origins;
        origins.earn(&asker, limits, self.host.now_ms());
        let mut asked = self.once(name, backup, &asker).await;
        for nth in 0..repetitions {
            let hasty = asked.said.as_ref().err() != Some(&OriginFailure::TimedOut);
            let ResponseVerdict::Fails {
                retry_after_ms: None,
            } = self.judge(&asked)
            else {
                break;
            };
            let now_ms = self.host.now_ms();
            let pause_ms = concurrency_limit::pause_ms(&self.question.url.path, nth, now_ms);
            let in_time = now_ms.saturating_add(pause_ms) < self.until_ms;
            let may = hasty && in_time && self.sent && self.may_go_on();
            if !may || !origins.may_repeat(&asker, limits, now_ms) {
                break;
            }
            self.log.say("retried");
            self.host.sleep(pause_ms).await;
            asked = better(asked, self.once(name, backup, &asker).await);
        }
        asked
    }

    /// What this request counts as at an origin.
    fn asker(&self, name: &str) -> OriginCaller {
        let UpstreamRequest {
            url,
            safe,
            by_client,
            ..
        } = self.question;
        // However it is spelled, it is one page.
        let path = canonical_path(&url.path);
        let query = url.query.as_deref().unwrap_or_default();
        let target = format!("{safe} {path}?{query}");
        let asker = OriginCaller::new(&url.host, name, &path, &target, self.reader);
        match by_client {
            true => asker.untimed(),
            false => asker,
        }
    }

    /// Asks one origin once, when it is this request's turn.
    async fn once(
        &mut self,
        name: &str,
        backup: Option<&Origin>,
        asker: &OriginCaller,
    ) -> UpstreamResponse<H::Body> {
        let pass = match self.enter(asker).await {
            Ok(pass) => pass,
            Err(failure) => {
                self.note(name, failure);
                return self.unasked(failure);
            }
        };
        let now_ms = self.host.now_ms();
        let left_ms = self.until_ms.saturating_sub(now_ms);
        let head_ms = self.head_ms().map(|ms| ms.min(left_ms));
        // From here to the question nothing is awaited. The number is noted
        // before the origin is asked: a purge that is ordered while the answer
        // is on its way has a larger one, and kills it.
        let seen = self.isolate.seen();
        let mut request = (self.request)(self.log);
        if let Some(origin) = backup {
            request = request.to(origin, self.question.url);
        }
        self.log.origin += 1;
        self.sent = true;
        let body_seconds = self.isolate.rules.origin_body_timeout_seconds;
        let patience = OriginTimeouts {
            head_ms,
            body_ms: body_seconds
                .filter(|_| self.question.timed)
                .map(|seconds| seconds.saturating_mul(1000)),
            at_once: self.question.at_once,
        };
        let upload = self.body.take().map(Upload::new);
        let is_sent = upload.as_ref().map(|upload| Rc::clone(&upload.is_sent));
        let said = self.host.ask_origin(&request, upload, patience).await;
        let asked = UpstreamResponse {
            seen,
            times: Times {
                request_ms: now_ms,
                response_ms: self.host.now_ms(),
            },
            ranged: request.fields.has("range"),
            said,
        };
        let verdict = self.judge(&asked);
        let limits = &self.isolate.rules.protection;
        let then_ms = asked.times.response_ms;
        // A client whose upload stops makes any origin give up.
        if is_sent.is_some_and(|is_sent| !is_sent.get()) && verdict != ResponseVerdict::Works {
            self.note(name, "failed before it had the whole request");
            pass.leave(ResponseVerdict::Unknown, limits, then_ms);
        } else {
            pass.leave(verdict, limits, then_ms);
        }
        match &asked.said {
            Ok((head, _)) if head.status >= 500 || verdict != ResponseVerdict::Works => {
                self.note(name, format_args!("status {}", head.status));
            }
            Ok(_) => {}
            Err(failure) => self.note(name, failure),
        }
        asked
    }

    /// Waits for this request's turn: first come, first served.
    async fn enter(&mut self, asker: &OriginCaller) -> Result<Admission<'a>, OriginFailure> {
        let limits = &self.isolate.rules.protection;
        let origins = &self.isolate.origins;
        let lasts_ms = self.head_ms().unwrap_or(UNTIMED_MS);
        let lasts_ms = lasts_ms.saturating_add(MARK_MORE_MS);
        let wait_ms = limits.queue_timeout_seconds.saturating_mul(1000);
        let began_ms = self.host.now_ms();
        let until_ms = began_ms.saturating_add(wait_ms).min(self.until_ms);
        let mut turn = None;
        loop {
            let now_ms = self.host.now_ms();
            let entered = origins.enter(asker, turn.as_ref(), limits, now_ms, lasts_ms);
            let ahead = match entered {
                Ok(pass) => return Ok(pass),
                Err(Refusal::Open(ms)) => {
                    self.log.say("circuit-open");
                    let seconds = ms.div_ceil(1000);
                    return Err(OriginFailure::CircuitOpen { seconds });
                }
                Err(Refusal::Resting(ms)) => {
                    self.log.say("retry-after");
                    let seconds = ms.div_ceil(1000);
                    return Err(OriginFailure::Resting { seconds });
                }
                Err(Refusal::Full(ahead)) => ahead,
            };
            if turn.is_none() && now_ms < until_ms {
                turn = origins.queue(asker, now_ms, until_ms);
            }
            if turn.is_none() || now_ms >= until_ms {
                self.log.say("origin-busy");
                return Err(OriginFailure::TooBusy);
            }
            self.log.say("queued");
            let left_ms = until_ms.saturating_sub(now_ms);
            self.host
                .sleep(concurrency_limit::poll_delay_ms(ahead).min(left_ms))
                .await;
        }
    }

    /// How long a head may take.
    fn head_ms(&self) -> Option<u64> {
        let seconds = self.question.rule.origin_timeout_seconds;
        self.question.timed.then(|| seconds.saturating_mul(1000))
    }

    fn judge(&self, asked: &UpstreamResponse<H::Body>) -> ResponseVerdict {
        let head = asked.said.as_ref().map(|(head, _)| head);
        let head = head.map_err(|failure| *failure);
        judge(self.question.rule, head, asked.times.response_ms)
    }

    /// Whether an origin may be asked once more: only what is safe is asked
    /// for twice.
    fn may_go_on(&self) -> bool {
        let in_time = self.host.now_ms() < self.until_ms;
        in_time && (self.question.safe || !self.sent)
    }

    fn note(&mut self, name: &str, what: impl std::fmt::Display) {
        self.log.note(format!("{name}: {what}"));
    }

    /// No origin was asked.
    fn unasked(&self, failure: OriginFailure) -> UpstreamResponse<H::Body> {
        let now_ms = self.host.now_ms();
        UpstreamResponse {
            seen: self.isolate.seen(),
            times: Times {
                request_ms: now_ms,
                response_ms: now_ms,
            },
            ranged: false,
            said: Err(failure),
        }
    }
}
