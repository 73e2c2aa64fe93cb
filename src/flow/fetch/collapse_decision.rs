//! Decides for each miss whether the request fetches, waits for another
//! request's fetch, or repeats the lookup.

use super::collapse::{FETCHING, STORED, UNSHARED, note_name};
use crate::cache::config::setting_words::Collapse;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::{
    ALONE_KNOWN_MS, ALONE_MS, key_of_kind, key_of_part, kind_of, may_share,
};
use crate::flow::isolate::inflight::{Flight, FlightOutcome, FlightRole};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use std::rc::Rc;

/// What a request does after a miss.
#[derive(Debug)]
pub enum CollapseDecision {
    /// Fetch for this request only.
    Alone,
    /// Fetch as the leader of a flight.
    Lead(Rc<Flight>),
    /// Fetch as an additional leader, because the first ones have taken long.
    LeadInAddition(Rc<Flight>),
    /// Another request has fetched the response: repeat the lookup.
    RepeatLookup,
    /// Another request has fetched, and the origin failed.
    Failed(Option<OriginFailure>),
}

/// How many times a request waits for another one. The repeated lookup fails if
/// a purge came meanwhile, if the copy was lost, or if the response turned out
/// to have variants.
const ROUNDS_MAX: u32 = 3;

/// A follower checks a flight after an eighth of the time that it has waited
/// already, within these bounds. So the delay that checking adds is small
/// relative to the wait, and so is the number of checks.
const FLIGHT_POLL_MS_MIN: u64 = 4;
const FLIGHT_POLL_MS_MAX: u64 = 200;

/// How long an isolate waits for another isolate's fill. Longer fills are rare,
/// and one more request per isolate is acceptable.
const NEIGHBOUR_MS_MAX: u64 = 5_000;
const NEIGHBOUR_POLL_MS: u64 = 50;

/// The response that a request needs after a miss.
#[derive(Clone, Copy, Debug)]
pub struct WantedResponse<'a> {
    /// The digest of the slot where the response would be stored.
    pub key: &'a str,
    /// Whether there was a response before, or there is another variant, so the
    /// new one will probably be shareable, too.
    pub known: bool,
    /// The `Range` that would be sent to the origin.
    pub range: Option<&'a str>,
    /// When the lookup began, in milliseconds since 1970.
    pub lookup_began_ms: u64,
    /// How many times this request has waited for another one's fetch.
    pub rounds: u32,
}

impl WantedResponse<'_> {
    /// How long the first leader fetches alone, in milliseconds.
    fn alone_ms(&self) -> u64 {
        match self.known {
            true => ALONE_KNOWN_MS,
            false => ALONE_MS,
        }
    }
}

/// Decides who fetches the wanted response, and waits if that is another
/// request.
pub async fn decide_collapse<H: Host>(
    cx: RequestCx<'_, H>,
    wanted: WantedResponse<'_>,
    log: &mut RequestLog,
) -> CollapseDecision {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    if !may_share(lookup) || wanted.rounds >= ROUNDS_MAX {
        return CollapseDecision::Alone;
    }
    let began_ms = host.now_ms();
    let kind = kind_of(lookup);
    let flights = &isolate.flights;
    let if_range = lookup.client.get("if-range");
    let part = wanted
        .range
        .map(|range| key_of_part(wanted.key, range, if_range));
    // The key of the requests of this kind, if others may share what this kind
    // may not.
    let own_key = key_of_kind(part.as_deref().unwrap_or(wanted.key), kind);
    if flights.is_unshared(&own_key, began_ms) {
        return CollapseDecision::Alone;
    }
    let mut key = match &part {
        // A range request waits for the whole response if that is being
        // fetched.
        Some(part) if !flights.is_under_way(wanted.key, began_ms) => part.clone(),
        _ => wanted.key.to_owned(),
    };
    loop {
        let flight = match flights.join(&key, wanted.lookup_began_ms, host.now_ms()) {
            FlightRole::Alone => return CollapseDecision::Alone,
            FlightRole::RepeatLookup => {
                log.collapsed = true;
                return CollapseDecision::RepeatLookup;
            }
            FlightRole::Lead(flight) => {
                log.collapsed = false;
                flight.set_kind(kind);
                if part.is_some() {
                    return CollapseDecision::Lead(flight);
                }
                return lead_or_wait(cx, wanted, flight, log).await;
            }
            FlightRole::Follow(flight) => flight,
        };
        log.collapsed = true;
        let ended = wait_for_flight(cx, wanted, &flight, began_ms).await;
        match ended {
            FlightWait::Slow => {
                log.collapsed = false;
                match part.as_ref().filter(|part| **part != key) {
                    Some(part) => key = part.clone(),
                    None => {
                        flight.add_leader(kind);
                        return CollapseDecision::LeadInAddition(flight);
                    }
                }
            }
            FlightWait::TooLate(decision) => return decision,
            FlightWait::Ended(FlightOutcome::Stored) => return CollapseDecision::RepeatLookup,
            FlightWait::Ended(FlightOutcome::Failed(Some(_)) | FlightOutcome::ForItsKind)
                if !flight.is_of(kind) && key != own_key =>
            {
                log.collapsed = false;
                key.clone_from(&own_key);
            }
            FlightWait::Ended(FlightOutcome::Failed(failure)) => {
                return CollapseDecision::Failed(failure);
            }
            FlightWait::Ended(FlightOutcome::Unshared | FlightOutcome::ForItsKind) => {
                log.collapsed = false;
                return CollapseDecision::Alone;
            }
            // The leader was ended by the runtime. A follower takes over, but a
            // range request never leads a flight for the whole response.
            FlightWait::Dead => {
                log.collapsed = false;
                key = part.clone().unwrap_or(key);
            }
        }
    }
}

/// How waiting for a flight ends.
enum FlightWait {
    Ended(FlightOutcome),
    /// The fetch takes so long that this request may fetch, too.
    Slow,
    /// The leader was ended by the runtime.
    Dead,
    /// The request has reached its longest wait.
    TooLate(CollapseDecision),
}

/// Waits for a flight. `began_ms` is when the request began to wait.
async fn wait_for_flight<H: Host>(
    cx: RequestCx<'_, H>,
    wanted: WantedResponse<'_>,
    flight: &Flight,
    began_ms: u64,
) -> FlightWait {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    // As long as the request would wait for its own request to the origin.
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
            return FlightWait::Ended(outcome);
        }
        if flight.is_dead(now_ms) {
            return FlightWait::Dead;
        }
        if flight.may_add_leader(wanted.alone_ms(), now_ms) {
            return FlightWait::Slow;
        }
        let waited_ms = now_ms.saturating_sub(began_ms);
        if waited_ms >= bound_ms {
            return FlightWait::TooLate(match flight.is_answered() {
                true => CollapseDecision::Alone,
                false => CollapseDecision::Failed(Some(OriginFailure::TimedOut)),
            });
        }
        let pause_ms = (waited_ms / 8).clamp(FLIGHT_POLL_MS_MIN, FLIGHT_POLL_MS_MAX);
        host.sleep(pause_ms).await;
    }
}

/// Leads the flight, unless another isolate of the data centre already fetches.
/// That is only looked up where fills were slow lately, or none is known.
async fn lead_or_wait<H: Host>(
    cx: RequestCx<'_, H>,
    wanted: WantedResponse<'_>,
    flight: Rc<Flight>,
    log: &mut RequestLog,
) -> CollapseDecision {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    let (site, began_ms) = (cx.site(), host.now_ms());
    let is_fast = isolate.fill_speeds.are_fast(site, began_ms);
    if lookup.rule.collapse != Collapse::DataCentre || is_fast {
        return CollapseDecision::Lead(flight);
    }
    let name = note_name(&flight.key);
    let longest_ms = NEIGHBOUR_MS_MAX.min(wanted.alone_ms());
    let end = |outcome| isolate.flights.end(&flight, outcome, host.now_ms());
    // `STORED` counts only after a wait: before, it belongs to an older fill.
    let mut waits = false;
    loop {
        // If the Cache API fails, no other fill is assumed.
        let note = host.read_note(site, &name).await.ok().flatten();
        match note.as_deref() {
            Some(UNSHARED) => {
                end(FlightOutcome::Unshared);
                return CollapseDecision::Alone;
            }
            Some(STORED) if waits => {
                end(FlightOutcome::Stored);
                log.collapsed = true;
                return CollapseDecision::RepeatLookup;
            }
            Some(FETCHING) => waits = true,
            _ => return CollapseDecision::Lead(flight),
        }
        let waited_ms = host.now_ms().saturating_sub(began_ms);
        if waited_ms >= longest_ms {
            return CollapseDecision::Lead(flight);
        }
        let pause_ms = (waited_ms / 8).clamp(NEIGHBOUR_POLL_MS, FLIGHT_POLL_MS_MAX);
        host.sleep(pause_ms).await;
        flight.record_heartbeat(host.now_ms());
    }
}
