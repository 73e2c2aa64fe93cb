//! How current an isolate's purge index is.

use super::state::Isolate;

/// How current the purge index is, for one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexState {
    /// It has all purges older than `max_purge_lag`.
    Young,
    /// It is older than that, because the ledger cannot be reached.
    Old,
    /// The ledger has not been reached yet.
    Nothing,
}

impl IndexState {
    /// Whether the index may decide about entries.
    pub fn counts(self, isolate: &Isolate) -> bool {
        match self {
            Self::Young => true,
            Self::Old => isolate.rules.serve_in_ledger_outage,
            Self::Nothing => false,
        }
    }

    /// The word for `Cache-Status`, if the index is not current.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Young => None,
            Self::Old => Some("old-purge-index"),
            Self::Nothing => Some("no-purge-index"),
        }
    }
}
