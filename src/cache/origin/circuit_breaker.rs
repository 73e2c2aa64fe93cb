//! The circuit breaker of an origin, one for each site: it opens when the share
//! of failed requests shows that the origin fails. It then pauses requests for
//! a while, and lets a few trials through at a time. The origin gets time to
//! recover, and clients do not wait for responses that will not come.
//!
//! One page, one reader or another site cannot open it: see
//! [`Share::is_of_origin`](super::outcomes::Share::is_of_origin). While it is
//! open, pages that worked lately still pass, so that the working half of a
//! site stays available.

use super::failure::OriginFailure;
use super::outcomes::{Outcomes, PathState, RequestSource};
use super::retry_after::SHARED_REST_MS_MAX;
use crate::cache::config::protection::Protection;
use crate::cache::config::rule::Rule;
use crate::http::date;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;

/// The longest rest of one URL that a `Retry-After` can cause, in seconds: an
/// hour.
const REST_SECONDS_MAX: u64 = 3600;

/// The longest pause between rounds of trials, in milliseconds: a minute, or
/// the setting's if that is longer. Each failed round doubles the pause. So an
/// outage costs each isolate [`TRIALS`] requests a minute for each site, and
/// its end is detected within a minute.
const PAUSE_MS_MAX: u64 = 60_000;

/// How many trials a round has, each of another path and another reader. So one
/// broken page, or one reader that always fails, does not use up the round.
pub const TRIALS: u64 = 3;

/// The largest number of trials that can be saved up. Each successful trial
/// adds two more, and four requests for working pages add one. So the trials of
/// a site of which half works do not run out, and the failed ones are a small
/// share of what the origin serves.
pub const TRIALS_MAX: u64 = 10;

/// Credits are counted in such parts of a trial.
const PARTS: u64 = 4;

/// What an exchange shows about the origin as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseVerdict {
    /// The origin works, whatever its response says.
    Works,
    /// The origin fails.
    Fails {
        /// The pause that it asked for by `Retry-After`, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Nothing: the failure is not the origin's.
    Unknown,
}

/// Judges an exchange. The verdict decides whether the request is retried,
/// whether the backup origin is asked, and what the breaker counts.
///
/// 500 does not count: it is an error of one page, which a retry repeats, and a
/// site is not closed for it. A body that breaks off after its head does not
/// count either (a wrong `Content-Length` causes that), nor does an invalid
/// status (999). All of them are failures for `stale-if-error`. 429 concerns
/// Edgekeep or one visitor: it counts only where a rule lists it in
/// `error_statuses`.
pub fn judge(
    rule: &Rule,
    origin: Result<&ResponseHead, OriginFailure>,
    now_ms: u64,
) -> ResponseVerdict {
    match origin {
        Err(OriginFailure::CutOff) => ResponseVerdict::Works,
        Err(OriginFailure::NoStatus(_)) => ResponseVerdict::Unknown,
        Err(_) => ResponseVerdict::Fails {
            retry_after_ms: None,
        },
        Ok(head) if head.status != 500 && rule.error_statuses.contains(&head.status) => {
            ResponseVerdict::Fails {
                retry_after_ms: retry_after_ms(&head.fields, now_ms),
            }
        }
        Ok(_) => ResponseVerdict::Works,
    }
}

/// Parses `Retry-After` (RFC 9110 §10.2.3), seconds or a date, into
/// milliseconds from now: at least a second, at most an hour. Returns `None` if
/// it is neither.
pub fn retry_after_ms(fields: &Fields, now_ms: u64) -> Option<u64> {
    let text = fields.get("retry-after")?.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = match digits {
        // A number that overflows is more than an hour.
        true => text.parse().unwrap_or(u64::MAX),
        false => {
            let now = now_ms / 1000;
            date::parse_at(text, now)?.saturating_sub(now)
        }
    };
    Some(seconds.clamp(1, REST_SECONDS_MAX) * 1000)
}

/// The breaker of one site's origin.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    outcomes: Outcomes,
    /// `None` while the breaker is closed.
    open: Option<Open>,
}

/// State of an open breaker: rounds of trials, with pauses between them.
#[derive(Clone, Debug)]
struct Open {
    /// The pause before the next round, unless the origin asked for another
    /// one.
    pause_ms: u64,
    /// Number of the round. A trial may end in a later round.
    round: u64,
    /// When the next round begins.
    next_ms: u64,
    /// How many more trials may begin in this round, in [`PARTS`].
    credits: u64,
    /// Trials of this round that have not succeeded, and whether each is for a
    /// page with recorded failures.
    tried: Vec<(RequestSource, bool)>,
    /// How many trials of this round have succeeded, and how many have failed.
    successes: u64,
    failures: u64,
}

/// How a request passed the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerPass {
    /// The breaker is closed.
    Through,
    /// The breaker is open, but the page worked lately.
    Working,
    /// The breaker is open: this request is a trial of this round.
    Trial(u64),
}

impl Open {
    fn new(now_ms: u64, pause_ms: u64, rest_ms: u64) -> Self {
        Self {
            pause_ms,
            round: 0,
            next_ms: now_ms.saturating_add(rest_ms),
            // The pause comes first.
            credits: 0,
            tried: Vec::new(),
            successes: 0,
            failures: 0,
        }
    }

    /// Begins a round if the pause is over.
    fn begin_round(&mut self, now_ms: u64) {
        if now_ms < self.next_ms {
            return;
        }
        self.round = self.round.wrapping_add(1);
        self.next_ms = u64::MAX;
        self.credits = TRIALS * PARTS;
        self.tried.clear();
        (self.successes, self.failures) = (0, 0);
    }

    fn try_origin(
        &mut self,
        source: RequestSource,
        is_retry: bool,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Result<BreakerPass, u64> {
        self.begin_round(now_ms);
        // At most one page with recorded failures in each round, so that trials
        // also reach pages that work.
        let excludes = |(tried, was_retry): &(RequestSource, bool)| {
            tried.path == source.path || tried.reader == source.reader || (is_retry && *was_retry)
        };
        let left = self.credits.checked_sub(PARTS);
        let Some(left) = left.filter(|_| !self.tried.iter().any(excludes)) else {
            return Err(self.next_ms.saturating_sub(now_ms));
        };
        self.credits = left;
        self.tried.push((source, is_retry));
        // If the first trial never reports its end, another round begins.
        if self.next_ms == u64::MAX {
            self.next_ms = now_ms.saturating_add(lasts_ms);
        }
        Ok(BreakerPass::Trial(self.round))
    }

    fn forget_trial(&mut self, source: RequestSource) {
        self.tried.retain(|(tried, _)| *tried != source);
    }

    fn earn(&mut self, parts: u64) {
        self.credits = self.credits.saturating_add(parts).min(TRIALS_MAX * PARTS);
    }

    /// Shortens the pause, because part of the origin works.
    fn shorten_pause(&mut self, pause_ms: u64, now_ms: u64) {
        self.pause_ms = pause_ms;
        self.next_ms = self.next_ms.min(now_ms.saturating_add(pause_ms));
    }
}

impl Breaker {
    /// Whether the breaker is closed.
    pub fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// Lets a request pass, or returns the milliseconds after which to retry.
    /// If no trial reports its end within `lasts_ms`, others may begin: the
    /// runtime cancels requests without a signal.
    pub fn enter(
        &mut self,
        source: RequestSource,
        now_ms: u64,
        lasts_ms: u64,
    ) -> Result<BreakerPass, u64> {
        let Some(open) = &mut self.open else {
            return Ok(BreakerPass::Through);
        };
        match self.outcomes.state(source.path, now_ms) {
            PathState::Works => Ok(BreakerPass::Working),
            state => open.try_origin(source, state == PathState::Fails, now_ms, lasts_ms),
        }
    }

    /// Ends a request without a verdict, so that the next one may be a trial.
    pub fn abandon(&mut self, pass: BreakerPass, source: RequestSource) {
        if let (Some(open), BreakerPass::Trial(round)) = (&mut self.open, pass)
            && open.round == round
        {
            open.forget_trial(source);
            open.earn(PARTS);
        }
    }

    /// Records how a request ended.
    pub fn leave(
        &mut self,
        pass: BreakerPass,
        source: RequestSource,
        verdict: ResponseVerdict,
        limits: &Protection,
        now_ms: u64,
    ) {
        match verdict {
            ResponseVerdict::Works => {
                self.outcomes.record_success(source, now_ms);
                self.succeed(pass, source, limits, now_ms);
            }
            ResponseVerdict::Fails { retry_after_ms } => {
                self.outcomes.record_failure(source, retry_after_ms, now_ms);
                self.fail(pass, limits, now_ms);
            }
            ResponseVerdict::Unknown => self.abandon(pass, source),
        }
    }

    fn succeed(
        &mut self,
        pass: BreakerPass,
        source: RequestSource,
        limits: &Protection,
        now_ms: u64,
    ) {
        let Some(open) = &mut self.open else {
            return;
        };
        match pass {
            // It began before the breaker opened, so it is outdated.
            BreakerPass::Through => {}
            // It shows nothing about other pages.
            BreakerPass::Working => {
                open.earn(1);
                open.shorten_pause(pause_ms(limits), now_ms);
            }
            BreakerPass::Trial(round) => {
                open.forget_trial(source);
                open.earn(2 * PARTS);
                open.shorten_pause(pause_ms(limits), now_ms);
                if open.round == round {
                    open.successes = open.successes.saturating_add(1);
                }
                if open.successes > open.failures {
                    self.open = None;
                    self.outcomes.forget_failures();
                }
            }
        }
    }

    fn fail(&mut self, pass: BreakerPass, limits: &Protection, now_ms: u64) {
        let share = self.outcomes.share(now_ms);
        let rest_ms = |pause_ms| match share.retry_after_ms {
            0 => pause_ms,
            retry_after_ms => retry_after_ms.min(SHARED_REST_MS_MAX),
        };
        let base_ms = pause_ms(limits);
        let most = limits.breaker_failures;
        match (&mut self.open, pass) {
            (None, _) if most > 0 && share.failures >= most && share.is_of_origin() => {
                self.open = Some(Open::new(now_ms, base_ms, rest_ms(base_ms)));
            }
            (Some(open), BreakerPass::Trial(round)) if open.round == round => {
                open.failures = open.failures.saturating_add(1);
                // The first failure of a round begins the next pause.
                if open.failures == 1 {
                    let longest_ms = base_ms.max(PAUSE_MS_MAX);
                    open.pause_ms = open.pause_ms.saturating_mul(2).min(longest_ms);
                    open.next_ms = now_ms.saturating_add(rest_ms(open.pause_ms));
                }
            }
            _ => {}
        }
    }
}

fn pause_ms(limits: &Protection) -> u64 {
    limits.breaker_pause_seconds.saturating_mul(1000)
}
