//! The circuit breaker of an origin, as one site uses it: when the share of
//! requests that fail says that the origin fails, it is left alone for a while,
//! then tried by a few requests at a time. It gets time to recover, and nobody
//! waits for what will not come.
//!
//! One page, one reader or another site cannot open it: see
//! [`Share::is_of_origin`](super::outcomes::Share::is_of_origin). While it is
//! open, pages that have just worked are still asked for, so that a site of
//! which the half is broken serves its other half.

use super::failure::OriginFailure;
use super::outcomes::{Outcomes, PathState, RequestSource};
use super::retry_after::SHARED_REST_MS_MAX;
use crate::cache::config::protection::Protection;
use crate::cache::config::rule::Rule;
use crate::http::date;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;

/// The longest rest that a `Retry-After` can ask for, for one URL: an hour.
const REST_SECONDS_MAX: u64 = 3600;

/// Each round of failed trials doubles the pause, up to a minute (or what the
/// settings say, if that is longer): an outage then costs each isolate
/// [`TRIALS`] requests a minute for each site, and its end is found out within
/// one.
const PAUSE_MS_MAX: u64 = 60_000;

/// How many trials a round has, each of another path and another reader: what
/// is broken by itself, or met by one reader alone, does not use up the round.
pub const TRIALS: u64 = 3;

/// Each trial that succeeds pays for two more, and four requests for pages that
/// work pay for one, up to so many at a time: trials of a site of which the
/// half works do not run out, and what fails of them is a small part of what
/// the origin answers.
pub const TRIALS_MAX: u64 = 10;

/// Trials are paid for in such parts.
const PARTS: u64 = 4;

/// What an exchange says of the origin as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseVerdict {
    /// It answers, whatever it says.
    Works,
    /// It does not.
    Fails {
        /// For how many milliseconds it asked to be left alone.
        retry_after_ms: Option<u64>,
    },
    /// Nothing: it is not the origin that has failed.
    Unknown,
}

/// Judges an exchange. This decides whether the request is repeated, whether
/// the backup is asked, and what the breaker counts.
///
/// 500 does not count: it is the fault of one page, which a repetition brings
/// forth again, and for which a site is not closed. Neither does a body that
/// breaks off after its head, as one does whose length is a lie, nor a status
/// that is none (999). They are failures for `stale-if-error` all the same.
/// 429 is about us or about one visitor: it counts only where a rule names it
/// among its `error_statuses`.
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

/// `Retry-After` (RFC 9110 §10.2.3), seconds or a date, as milliseconds from
/// now: at least a second, at most an hour. `None` if it is neither.
fn retry_after_ms(fields: &Fields, now_ms: u64) -> Option<u64> {
    let text = fields.get("retry-after")?.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = match digits {
        // More digits than a number holds are more than an hour.
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
    /// `None` while all requests pass.
    open: Option<Open>,
}

/// Rounds of trials, with pauses between them.
#[derive(Clone, Debug)]
struct Open {
    /// How long the pause is before the next round, unless the origin has named
    /// another time.
    pause_ms: u64,
    /// Counts the rounds: a trial may end in a later one.
    round: u64,
    /// When the next round begins.
    next_ms: u64,
    /// How many trials may begin in this round, in [`PARTS`].
    credits: u64,
    /// Those of this round that have not succeeded, and whether each is for a
    /// page that is known to fail.
    tried: Vec<(RequestSource, bool)>,
    /// How many trials of this round have succeeded, and failed.
    successes: u64,
    failures: u64,
}

/// How a request got past the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerPass {
    /// It is closed.
    Through,
    /// It is open, but the page has just worked.
    Working,
    /// It is open: this request tries the origin, in this round.
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

    /// Begins a round, if it is time.
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
        // Of pages that are known to fail one in each round, so that others are
        // found that work.
        let excludes = |(tried, was_retry): &(RequestSource, bool)| {
            tried.path == source.path || tried.reader == source.reader || (is_retry && *was_retry)
        };
        let left = self.credits.checked_sub(PARTS);
        let Some(left) = left.filter(|_| !self.tried.iter().any(excludes)) else {
            return Err(self.next_ms.saturating_sub(now_ms));
        };
        self.credits = left;
        self.tried.push((source, is_retry));
        // If nothing is heard of the first trial, there is another round.
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

    /// Shortens the pause: not all of the origin is dead.
    fn shorten_pause(&mut self, pause_ms: u64, now_ms: u64) {
        self.pause_ms = pause_ms;
        self.next_ms = self.next_ms.min(now_ms.saturating_add(pause_ms));
    }
}

impl Breaker {
    /// Whether all requests pass.
    pub fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// Lets a request pass, or says in how many milliseconds to come again.
    /// Where no trial reports how it ended within `lasts_ms`, others may try:
    /// the runtime cancels requests without a signal.
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

    /// Ends a request of which nothing is known: the next one may try.
    pub fn abandon(&mut self, way: BreakerPass, source: RequestSource) {
        if let (Some(open), BreakerPass::Trial(round)) = (&mut self.open, way)
            && open.round == round
        {
            open.forget_trial(source);
            open.earn(PARTS);
        }
    }

    /// Takes note of how a request ended.
    pub fn leave(
        &mut self,
        way: BreakerPass,
        source: RequestSource,
        verdict: ResponseVerdict,
        limits: &Protection,
        now_ms: u64,
    ) {
        match verdict {
            ResponseVerdict::Works => {
                self.outcomes.record_success(source, now_ms);
                self.succeed(way, source, limits, now_ms);
            }
            ResponseVerdict::Fails { retry_after_ms } => {
                self.outcomes.record_failure(source, retry_after_ms, now_ms);
                self.fail(way, limits, now_ms);
            }
            ResponseVerdict::Unknown => self.abandon(way, source),
        }
    }

    fn succeed(
        &mut self,
        way: BreakerPass,
        source: RequestSource,
        limits: &Protection,
        now_ms: u64,
    ) {
        let Some(open) = &mut self.open else {
            return;
        };
        match way {
            // It began before it opened: old news.
            BreakerPass::Through => {}
            // That tells nothing of the other pages.
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

    fn fail(&mut self, way: BreakerPass, limits: &Protection, now_ms: u64) {
        let share = self.outcomes.share(now_ms);
        let rest_ms = |pause_ms| match share.retry_after_ms {
            0 => pause_ms,
            asked_ms => asked_ms.min(SHARED_REST_MS_MAX),
        };
        let base_ms = pause_ms(limits);
        let most = limits.breaker_failures;
        match (&mut self.open, way) {
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
