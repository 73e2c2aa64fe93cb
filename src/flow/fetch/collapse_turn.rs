//! Whose turn it is to ask the origin: for each request that has found nothing
//! to serve, whether it asks, waits for another one, or looks again.

use super::collapse::{ASKING, LANDED, UNSHARED, note_name};
use crate::cache::config::settings::Collapse;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{
    ALONE_KNOWN_MS, ALONE_MS, key_of_kind, key_of_part, kind_of, may_share,
};
use crate::flow::isolate::inflight::{Flight, FlightOutcome, FlightRole};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use std::rc::Rc;

/// What a request does that has found nothing to serve.
#[derive(Debug)]
pub enum CollapseTurn {
    /// It asks the origin for itself.
    Alone,
    /// It asks for all.
    Lead(Rc<Flight>),
    /// It asks for all, too, because others have taken long.
    LeadToo(Rc<Flight>),
    /// Another one has asked: look again.
    LookAgain,
    /// Another one has asked, and the origin failed.
    Failed(Option<OriginFailure>),
}

/// How often a request lets another one go first. It looks again in vain if
/// a purge came meanwhile, if the copy was lost, or if the answer turned out
/// to have variants.
const ROUNDS_MAX: u32 = 3;

/// A follower looks at a flight after an eighth of the time that it has waited
/// already, within these: what waiting adds to an answer is small beside it,
/// and so is the work.
const LOOK_MS_MIN: u64 = 4;
const LOOK_MS_MAX: u64 = 200;

/// How long an isolate waits for another one's fill: longer fills are few, and
/// a request more for each isolate is borne.
const NEIGHBOUR_MS_MAX: u64 = 5_000;
const NEIGHBOUR_LOOK_MS: u64 = 50;

/// What a request wants that has found nothing to serve.
#[derive(Clone, Copy, Debug)]
pub struct WantedResponse<'a> {
    /// The digest of the slot where the answer will lie.
    pub key: &'a str,
    /// Whether there was one before, or another variant, so that what comes
    /// will be for all, too.
    pub known: bool,
    /// The `Range` with which the origin would be asked.
    pub range: Option<&'a str>,
    /// When the request began to look for it.
    pub looked_ms: u64,
    /// How often another request has asked for this one before.
    pub rounds: u32,
}

impl WantedResponse<'_> {
    /// How long the first is to ask alone.
    fn alone_ms(&self) -> u64 {
        match self.known {
            true => ALONE_KNOWN_MS,
            false => ALONE_MS,
        }
    }
}

/// Decides who asks the origin for what is wanted, and waits if that is another
/// one.
pub async fn take_turn<H: Host>(
    cx: RequestCx<'_, H>,
    wanted: WantedResponse<'_>,
    log: &mut RequestLog,
) -> CollapseTurn {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    if !may_share(lookup) || wanted.rounds >= ROUNDS_MAX {
        return CollapseTurn::Alone;
    }
    let began_ms = host.now_ms();
    let kind = kind_of(lookup);
    let flights = &isolate.flights;
    let if_range = lookup.client.get("if-range");
    let part = wanted
        .range
        .map(|range| key_of_part(wanted.key, range, if_range));
    // Where those of other kinds get what is not for this one.
    let own_key = key_of_kind(part.as_deref().unwrap_or(wanted.key), kind);
    if flights.is_unshared(&own_key, began_ms) {
        return CollapseTurn::Alone;
    }
    let mut key = match &part {
        // Who wants a part waits for the whole if that is on its way.
        Some(part) if !flights.is_under_way(wanted.key, began_ms) => part.clone(),
        _ => wanted.key.to_owned(),
    };
    loop {
        let flight = match flights.join(&key, wanted.looked_ms, host.now_ms()) {
            FlightRole::Alone => return CollapseTurn::Alone,
            FlightRole::LookAgain => {
                log.collapsed = true;
                return CollapseTurn::LookAgain;
            }
            FlightRole::Lead(flight) => {
                log.collapsed = false;
                flight.set_kind(kind);
                if part.is_some() {
                    return CollapseTurn::Lead(flight);
                }
                return lead_or_wait(cx, wanted, flight, log).await;
            }
            FlightRole::Follow(flight) => flight,
        };
        log.collapsed = true;
        let ended = follow(cx, wanted, &flight, began_ms).await;
        match ended {
            Ended::Slow => {
                log.collapsed = false;
                match part.as_ref().filter(|part| **part != key) {
                    Some(part) => key = part.clone(),
                    None => {
                        flight.ask_too(kind);
                        return CollapseTurn::LeadToo(flight);
                    }
                }
            }
            Ended::TooLate(turn) => return turn,
            Ended::By(FlightOutcome::Landed) => return CollapseTurn::LookAgain,
            Ended::By(FlightOutcome::Failed(Some(_)) | FlightOutcome::ForItsKind)
                if !flight.is_of(kind) && key != own_key =>
            {
                log.collapsed = false;
                key.clone_from(&own_key);
            }
            Ended::By(FlightOutcome::Failed(failure)) => return CollapseTurn::Failed(failure),
            Ended::By(FlightOutcome::Unshared | FlightOutcome::ForItsKind) => {
                log.collapsed = false;
                return CollapseTurn::Alone;
            }
            // Its leader was ended by the runtime: another one leads, but none
            // that wants a part leads for the whole.
            Ended::Dead => {
                log.collapsed = false;
                key = part.clone().unwrap_or(key);
            }
        }
    }
}

/// How waiting for a flight ends.
enum Ended {
    By(FlightOutcome),
    /// It takes so long that this request may ask, too.
    Slow,
    /// Its leader was ended by the runtime.
    Dead,
    /// The request has waited for as long as it may.
    TooLate(CollapseTurn),
}

/// Waits for a flight. The request has begun to wait at `began_ms`.
async fn follow<H: Host>(
    cx: RequestCx<'_, H>,
    wanted: WantedResponse<'_>,
    flight: &Flight,
    began_ms: u64,
) -> Ended {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    // As long as it would wait for an origin that it asked itself.
    let rules = &isolate.rules;
    let longest = rules
        .origin_deadline_seconds
        .max(lookup.rule.origin_timeout_seconds);
    let bound_ms = longest
        .saturating_mul(1000)
        .saturating_add(NEIGHBOUR_MS_MAX);
    loop {
        let now_ms = host.now_ms();
        if let Some(outcome) = flight.outcome() {
            return Ended::By(outcome);
        }
        if flight.is_dead(now_ms) {
            return Ended::Dead;
        }
        if flight.may_ask_too(wanted.alone_ms(), now_ms) {
            return Ended::Slow;
        }
        let waited_ms = now_ms.saturating_sub(began_ms);
        if waited_ms >= bound_ms {
            return Ended::TooLate(match flight.is_answered() {
                true => CollapseTurn::Alone,
                false => CollapseTurn::Failed(Some(OriginFailure::TimedOut)),
            });
        }
        let pause_ms = (waited_ms / 8).clamp(LOOK_MS_MIN, LOOK_MS_MAX);
        host.sleep(pause_ms).await;
    }
}

/// Leads, unless another isolate of the data centre is at it.
async fn lead_or_wait<H: Host>(
    cx: RequestCx<'_, H>,
    wanted: WantedResponse<'_>,
    flight: Rc<Flight>,
    log: &mut RequestLog,
) -> CollapseTurn {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    if lookup.rule.collapse != Collapse::DataCentre {
        return CollapseTurn::Lead(flight);
    }
    let (site, name) = (cx.site(), note_name(&flight.key));
    let began_ms = host.now_ms();
    let longest_ms = NEIGHBOUR_MS_MAX.min(wanted.alone_ms());
    let end = |outcome| isolate.flights.end(&flight, outcome, host.now_ms());
    // What an older fill left behind is not waited for.
    let mut waits = false;
    loop {
        // A Cache API that fails tells of nobody.
        let note = host.shared(site, &name).await.ok().flatten();
        match note.as_deref() {
            Some(UNSHARED) => {
                end(FlightOutcome::Unshared);
                return CollapseTurn::Alone;
            }
            Some(LANDED) if waits => {
                end(FlightOutcome::Landed);
                log.collapsed = true;
                return CollapseTurn::LookAgain;
            }
            Some(ASKING) => waits = true,
            _ => return CollapseTurn::Lead(flight),
        }
        let waited_ms = host.now_ms().saturating_sub(began_ms);
        if waited_ms >= longest_ms {
            return CollapseTurn::Lead(flight);
        }
        let pause_ms = (waited_ms / 8).clamp(NEIGHBOUR_LOOK_MS, LOOK_MS_MAX);
        host.sleep(pause_ms).await;
        flight.beat(host.now_ms());
    }
}
