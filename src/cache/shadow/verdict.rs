//! What the cache would have done with a request.

use serde::{Serialize, Serializer};

/// What the cache would have done with a request under a rule in shadow mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowVerdict {
    /// A hit, with the response that the origin gave this reader.
    Same,
    /// A hit, with another response than the origin gave this reader.
    Differs,
    /// A miss. The response is stored now.
    Stored,
    /// A miss. The response may not be stored, for this reason
    /// (`NotStored::word`).
    NotStored(&'static str),
    /// The request does not use the cache, for this reason (`Bypass::word`).
    Bypass(&'static str),
    /// It was not found out.
    NotCompared(NotCompared),
}

/// Why a response was not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCompared {
    /// Its body has more than [`BODY_BYTES_MAX`](super::record::BODY_BYTES_MAX).
    TooLarge,
    /// Its body broke off, or is not in the coding that its head states.
    Broken,
    /// Its body took too long.
    Slow,
    /// Its page is being compared for another request, or there are too many
    /// comparisons in flight (`comparisons`).
    Busy,
    /// The request was HEAD, so there is no body.
    Head,
    /// It is a 304 to the client's own conditions, so there is no body.
    Conditional,
    /// It is a part of the body, or says that there is no such part.
    Range,
    /// The origin failed, by the rule's `error_statuses` or without a response.
    /// A cache may do better then.
    OriginError,
    /// It has another content coding than the stored one, whose bytes differ in
    /// any case.
    Coding,
    /// It is a page that is made of fragments.
    Fragments,
}

impl NotCompared {
    /// A word for logs and statistics.
    pub fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Broken => "broken",
            Self::Slow => "slow",
            Self::Busy => "busy",
            Self::Head => "head",
            Self::Conditional => "conditional",
            Self::Range => "range",
            Self::OriginError => "origin-error",
            Self::Coding => "coding",
            Self::Fragments => "esi",
        }
    }
}

/// What precedes the word of a verdict in statistics.
pub const OUTCOME_PREFIX: &str = "shadow-";

impl ShadowVerdict {
    /// The outcome in statistics.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Same => "shadow-same",
            Self::Differs => "shadow-differs",
            Self::Stored => "shadow-stored",
            Self::NotStored(_) => "shadow-not-stored",
            Self::Bypass(_) => "shadow-bypass",
            Self::NotCompared(_) => "shadow-not-compared",
        }
    }

    /// The word in the log.
    pub fn word(self) -> &'static str {
        let outcome = self.outcome();
        outcome.strip_prefix(OUTCOME_PREFIX).unwrap_or(outcome)
    }

    /// The reason, as a word; empty where the verdict says all.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Same | Self::Differs | Self::Stored => "",
            Self::NotStored(reason) | Self::Bypass(reason) => reason,
            Self::NotCompared(reason) => reason.word(),
        }
    }
}

impl Serialize for ShadowVerdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
