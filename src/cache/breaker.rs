//! The circuit breaker of an origin: after some failures in a row it is left
//! alone for a while, then tried by one request. It gets time to recover, and
//! nobody waits for what will not come.

use super::answer::OriginFailure;
use super::protection::Protection;
use super::rules::Rule;
use crate::http::date;
use crate::http::fields::Fields;
use crate::http::head::ResponseHead;

/// The longest rest that a `Retry-After` can ask for, and the longest that
/// the settings name: an hour.
const REST_SECONDS_MAX: u64 = 3600;

/// Each failed trial doubles the pause, up to a minute (or what the settings
/// say, if that is longer): an outage then costs each isolate one request a
/// minute, and its end is found out within one.
const PAUSE_MS_MAX: u64 = 60_000;

/// What an exchange says of the origin as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answers, whatever it says.
    Works,
    /// It does not.
    Fails {
        /// For how many milliseconds it asked to be left alone.
        retry_after_ms: Option<u64>,
    },
}

/// Judges an exchange. This decides whether the request is repeated, whether
/// the backup is asked, and what the breaker counts.
///
/// 500 does not count: it is the fault of one page, which a repetition brings
/// forth again, and for which a site is not closed. Neither does a body that
/// breaks off after its head, as one does whose length is a lie. Both are
/// failures for `stale-if-error` all the same. 429 is about us or about one
/// visitor: it counts only where a rule names it among its `error_statuses`.
pub fn judge(rule: &Rule, origin: Result<&ResponseHead, OriginFailure>, now_ms: u64) -> Verdict {
    match origin {
        Err(OriginFailure::CutOff) => Verdict::Works,
        Err(_) => Verdict::Fails {
            retry_after_ms: None,
        },
        Ok(head) if head.status != 500 && rule.error_statuses.contains(&head.status) => {
            Verdict::Fails {
                retry_after_ms: retry_after_ms(&head.fields, now_ms),
            }
        }
        Ok(_) => Verdict::Works,
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

/// The breaker of one origin.
#[derive(Clone, Debug)]
pub struct Breaker(State);

#[derive(Clone, Debug)]
enum State {
    /// So many failures in a row.
    Closed { failures: u64 },
    /// Open until then; from then on half-open.
    Open {
        until_ms: u64,
        /// How long the pause is that ends then, unless the origin named it.
        pause_ms: u64,
        /// Until when a request is trying it.
        trial_ms: u64,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

/// How a request got past the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is closed.
    Through,
    /// It is half-open: this request tries the origin.
    Trial,
}

impl Breaker {
    /// In how many milliseconds it may be asked again, if not now.
    pub fn is_open(&self, now_ms: u64) -> Option<u64> {
        match self.0 {
            State::Closed { .. } => None,
            State::Open {
                until_ms, trial_ms, ..
            } => until_ms
                .max(trial_ms)
                .checked_sub(now_ms)
                .filter(|ms| *ms > 0),
        }
    }

    /// Whether all requests pass.
    pub fn is_closed(&self) -> bool {
        matches!(self.0, State::Closed { .. })
    }

    /// Lets a request pass, or says in how many milliseconds to come again.
    /// The mark of a trial expires after `lasts_ms`: a request that the runtime
    /// cancels without a signal never says how it ended.
    pub fn enter(&mut self, now_ms: u64, lasts_ms: u64) -> Result<Way, u64> {
        if let Some(ms) = self.is_open(now_ms) {
            return Err(ms);
        }
        match &mut self.0 {
            State::Closed { .. } => Ok(Way::Through),
            State::Open { trial_ms, .. } => {
                *trial_ms = now_ms.saturating_add(lasts_ms);
                Ok(Way::Trial)
            }
        }
    }

    /// Ends a trial of which nothing is known, because its client has gone: the
    /// next request may try.
    pub fn abandon(&mut self, way: Way) {
        if let (State::Open { trial_ms, .. }, Way::Trial) = (&mut self.0, way) {
            *trial_ms = 0;
        }
    }

    /// Takes note of how a request ended.
    pub fn leave(&mut self, way: Way, verdict: Verdict, limits: &Protection, now_ms: u64) {
        let base_ms = limits.breaker_pause_seconds.saturating_mul(1000);
        match (&mut self.0, verdict) {
            (State::Closed { failures }, Verdict::Works) => *failures = 0,
            (State::Closed { failures }, Verdict::Fails { retry_after_ms }) => {
                *failures = failures.saturating_add(1);
                let most = limits.breaker_failures;
                if most > 0 && *failures >= most {
                    self.open(now_ms, base_ms, retry_after_ms);
                }
            }
            // It began before the breaker opened: old news.
            (State::Open { .. }, _) if way == Way::Through => {}
            (State::Open { .. }, Verdict::Works) => *self = Self::default(),
            (State::Open { pause_ms, .. }, Verdict::Fails { retry_after_ms }) => {
                let longest_ms = base_ms.max(PAUSE_MS_MAX);
                let pause_ms = pause_ms.saturating_mul(2).min(longest_ms);
                self.open(now_ms, pause_ms, retry_after_ms);
            }
        }
    }

    fn open(&mut self, now_ms: u64, pause_ms: u64, retry_after_ms: Option<u64>) {
        let rest_ms = retry_after_ms.unwrap_or(pause_ms);
        self.0 = State::Open {
            until_ms: now_ms.saturating_add(rest_ms),
            pause_ms,
            trial_ms: 0,
        };
    }
}
