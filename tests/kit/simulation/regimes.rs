//! Failures of an origin, in phases one after the other, separately for each
//! host.

use super::setup::pick;
use fastrand::Rng;

/// The behaviour of an origin in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    Healthy,
    /// Heads take up to and beyond `origin_timeout`.
    Slow,
    /// No response arrives.
    Hanging,
    /// Reachable and unreachable in turn, for this number of milliseconds each.
    Flapping(u64),
    /// No connection.
    Refusing,
    /// Bodies break off.
    Truncating,
    /// Bodies are longer or shorter than their `Content-Length`.
    WrongLengths,
    /// Responses with this status.
    Errors(u16),
    /// 429, with `Retry-After`.
    TooMany,
}

impl Regime {
    /// Its name in the tally.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Healthy => None,
            Self::Slow => Some("origin request while slow"),
            Self::Hanging => Some("origin request while hanging"),
            Self::Flapping(_) => Some("origin request while flapping"),
            Self::Refusing => Some("origin request while refusing"),
            Self::Truncating => Some("origin request while truncating"),
            Self::WrongLengths => Some("origin request while lengths are wrong"),
            Self::Errors(_) => Some("origin request in a burst of 5xx"),
            Self::TooMany => Some("origin request in a burst of 429"),
        }
    }
}

/// A regime, and its end in milliseconds from the start of the world.
#[derive(Clone, Copy, Debug)]
pub struct Phase {
    pub regime: Regime,
    pub until_ms: u64,
}

/// Of 1,000 requests in a phase of errors, this many fail. The others show
/// whether a successful response still reaches clients.
pub const ERRORS: u64 = 850;
/// The same for bodies that break off or have another length.
pub const UNRULY: u64 = 700;

/// Phases for `whole_ms` milliseconds. The first is healthy, and many later
/// ones are.
pub fn draw(rng: &mut Rng, whole_ms: u64) -> Vec<Phase> {
    let mut phases = Vec::new();
    let mut until_ms = 0;
    while until_ms < whole_ms {
        let healthy = phases.is_empty() || rng.u64(..100) < 45;
        let regime = if healthy { Regime::Healthy } else { any(rng) };
        until_ms += rng.u64(4_000..=25_000);
        phases.push(Phase { regime, until_ms });
    }
    phases
}

fn any(rng: &mut Rng) -> Regime {
    match rng.u64(..9) {
        0 => Regime::Slow,
        1 => Regime::Hanging,
        2 => Regime::Flapping(rng.u64(500..=5_000)),
        3 => Regime::Refusing,
        4 => Regime::Truncating,
        5 => Regime::WrongLengths,
        6 => Regime::TooMany,
        _ => Regime::Errors(pick(rng, &[500, 502, 503, 504])),
    }
}

/// The regime at a time.
pub fn at(phases: &[Phase], ms: u64) -> Regime {
    let phase = phases.iter().find(|phase| ms < phase.until_ms);
    phase.map_or(Regime::Healthy, |phase| phase.regime)
}
