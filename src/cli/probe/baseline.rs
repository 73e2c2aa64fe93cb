//! The page as it is without any trial, and whether its query is in the key.

use super::exchange::{DATE_STEP_MS, ProbeExchange};
use super::session::{Session, Stop};
use crate::cli::system;

/// Whether the query is in the cache key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedQuery {
    /// Yes, or the page is not cached.
    Yes,
    /// A new, unique URL was a hit.
    No,
    /// The cache, if there is one, does not say what is a hit.
    Unknown,
}

/// Responses to requests without special fields.
#[derive(Debug)]
pub struct Baseline {
    /// The first response at a URL.
    pub first: ProbeExchange,
    /// The second response at that URL.
    pub second: ProbeExchange,
    /// The first response at another URL.
    pub other: ProbeExchange,
    /// Why the second response is known to be a hit.
    pub hit: Option<String>,
    /// Whether the first responses at both URLs are of one kind.
    pub is_stable: bool,
    /// Whether the query is in the key.
    pub keyed: KeyedQuery,
}

impl Baseline {
    /// Sends three requests for the page, more than a second apart.
    pub fn measure(session: &mut Session) -> Result<Self, Stop> {
        let page = session.page();
        let first = session.send(page.clone())?;
        if first.status == 0 {
            // The session says what failed when it fails repeatedly.
            session.send(page.clone())?;
            session.send(page.clone())?;
        }
        system::sleep_ms(DATE_STEP_MS);
        let second = session.send(page)?;
        system::sleep_ms(DATE_STEP_MS);
        let page = session.page();
        let other = session.send(page)?;
        let hit = second.cached_since(&first);
        let is_reported = first.reports_cache() || second.reports_cache();
        // The first responses at new URLs cannot be hits if the query is in the
        // key.
        let is_ignored = first.hit_mark().is_some() || other.cached_since(&first).is_some();
        let keyed = match (is_ignored, &hit) {
            (true, _) => KeyedQuery::No,
            (false, Some(_)) => KeyedQuery::Yes,
            (false, None) if is_reported => KeyedQuery::Yes,
            (false, None) => KeyedQuery::Unknown,
        };
        Ok(Self {
            is_stable: first.is_like(&other),
            first,
            second,
            other,
            hit,
            keyed,
        })
    }
}
