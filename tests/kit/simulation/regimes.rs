//! How an origin fails: in spells, one after the other, each host its own.

use super::setup::pick;
use fastrand::Rng;

/// What an origin is like for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    Well,
    /// Heads take up to and beyond `origin_timeout`.
    Slow,
    /// Nothing comes.
    Hanging,
    /// Up and down, for so many milliseconds each.
    Flapping(u64),
    /// No connection.
    Refusing,
    /// Bodies break off.
    Truncating,
    /// Bodies are longer or shorter than `Content-Length` says.
    Lying,
    /// Answers of this status.
    Errors(u16),
    /// 429, with `Retry-After`.
    TooMany,
}

impl Regime {
    /// A word for the tally.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Well => None,
            Self::Slow => Some("asked while slow"),
            Self::Hanging => Some("asked while hanging"),
            Self::Flapping(_) => Some("asked while flapping"),
            Self::Refusing => Some("asked while refusing"),
            Self::Truncating => Some("asked while truncating"),
            Self::Lying => Some("asked while lying about length"),
            Self::Errors(_) => Some("asked in a burst of 5xx"),
            Self::TooMany => Some("asked in a burst of 429"),
        }
    }
}

/// A regime, and when it ends, counted from the start of the world.
#[derive(Clone, Copy, Debug)]
pub struct Spell {
    pub regime: Regime,
    pub until_ms: u64,
}

/// Of 1,000 requests in a spell of errors, this many fail: the others tell
/// whether an answer finds its way past them.
pub const ERRORS: u64 = 850;
/// The same for bodies that break off, or are of another length.
pub const UNRULY: u64 = 700;

/// Spells for so many milliseconds: well at first, and again and again.
pub fn draw(rng: &mut Rng, whole_ms: u64) -> Vec<Spell> {
    let mut spells = Vec::new();
    let mut until_ms = 0;
    while until_ms < whole_ms {
        let well = spells.is_empty() || rng.u64(..100) < 45;
        let regime = if well { Regime::Well } else { any(rng) };
        until_ms += rng.u64(4_000..=25_000);
        spells.push(Spell { regime, until_ms });
    }
    spells
}

fn any(rng: &mut Rng) -> Regime {
    match rng.u64(..9) {
        0 => Regime::Slow,
        1 => Regime::Hanging,
        2 => Regime::Flapping(rng.u64(500..=5_000)),
        3 => Regime::Refusing,
        4 => Regime::Truncating,
        5 => Regime::Lying,
        6 => Regime::TooMany,
        _ => Regime::Errors(pick(rng, &[500, 502, 503, 504])),
    }
}

/// The regime at a time.
pub fn at(spells: &[Spell], ms: u64) -> Regime {
    let spell = spells.iter().find(|spell| ms < spell.until_ms);
    spell.map_or(Regime::Well, |spell| spell.regime)
}
