//! How current an isolate's purge index is.

use super::state::Isolate;

/// How current the purge index is, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// It has all purges older than `max_purge_lag`.
    Current,
    /// It is older than that, because the ledger cannot be reached.
    Outdated,
    /// The ledger has not been reached yet.
    Missing,
}

impl IndexState {
    /// Whether the index may decide about entries.
    pub fn may_decide(self, isolate: &Isolate) -> bool {
        match self {
            Self::Current => true,
            Self::Outdated => isolate.rules.serve_in_ledger_outage,
            Self::Missing => false,
        }
    }

    /// The word for `Cache-Status`, if the index is not current.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Current => None,
            Self::Outdated => Some("old-purge-index"),
            Self::Missing => Some("no-purge-index"),
        }
    }
}
