//! Decides whether a stored response may be used for a request now (RFC 9111
//! §4).

use super::early_refresh;
use super::entry::Entry;
use super::window::{Window, window};
use crate::cache::key::no_vary_search::Policy;
use crate::cache::ledger::sequence::PurgeState;
use crate::cache::purge::index::PurgeIndex;
use crate::cache::request::classify::Lookup;
use crate::http::cache_control::RequestControl;

/// How a stored response may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReuseVerdict {
    /// Serve it.
    Fresh(Age),
    /// Serve it, as it is fresh, and refresh it in the background: it is
    /// requested often and will expire soon.
    Early(Age),
    /// Serve it, and refresh it in the background.
    WhileRevalidate(Age),
    /// Revalidate it first. If `on_error`, it is also the fallback when the
    /// origin fails.
    Stale {
        /// Its age.
        age: Age,
        /// Whether it may be served if the origin fails.
        on_error: bool,
    },
    /// It is another variant, selected by these request fields.
    OtherVariant(Vec<String>),
    /// It cannot be used for this request.
    Unusable(Unusable),
}

/// Age and remaining lifetime, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Age {
    /// Current age.
    pub age: u64,
    /// Freshness lifetime minus age: negative if stale.
    pub ttl: i64,
}

/// Why a stored response cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It was stored under another key: a digest collision, or an older format
    /// of keys.
    OtherKey,
    /// It was purged.
    Purged,
    /// The request has `Authorization`, and the origin did not allow the
    /// response for such requests (RFC 9111 §3.5).
    Unauthorized,
}

/// Returns how a stored response may be used.
///
/// `index` is `None` while the isolate has received nothing from the ledger.
/// Then it cannot check purges, and the stored response is used only after the
/// origin has revalidated it, or if the origin fails too.
pub fn judge(
    entry: &Entry,
    lookup: &Lookup,
    index: Option<&PurgeIndex>,
    now_ms: u64,
) -> ReuseVerdict {
    // An entry without marks cannot be purged.
    if !entry.is_of(&lookup.key) || !confirms_alias(entry, lookup) || entry.marks.is_empty() {
        return ReuseVerdict::Unusable(Unusable::OtherKey);
    }
    if !lookup.fits(&entry.choices) {
        let names = entry.choices.iter().map(|(name, _)| name.clone());
        return ReuseVerdict::OtherVariant(names.collect());
    }
    if lookup.authorized && !entry.for_authorized {
        return ReuseVerdict::Unusable(Unusable::Unauthorized);
    }
    let purged = index.map(|index| entry.purge_state(index));
    if purged == Some(PurgeState::Hard) {
        return ReuseVerdict::Unusable(Unusable::Purged);
    }
    match by_age(entry, &lookup.request_control, purged, now_ms) {
        ReuseVerdict::Fresh(age)
            if lookup.early_refresh() && early_refresh::is_due_early(entry, now_ms) =>
        {
            ReuseVerdict::Early(age)
        }
        verdict => verdict,
    }
}

/// Whether the stored response itself confirms a signpost: by its
/// `No-Vary-Search`, the query parameters that were requested beyond its key do
/// not matter.
fn confirms_alias(entry: &Entry, lookup: &Lookup) -> bool {
    let (key, requested) = (&lookup.key, &lookup.requested);
    key.text == requested.text
        || Policy::of(&entry.fields).is_some_and(|policy| policy.reduce(&requested.url) == key.url)
}

fn by_age(
    entry: &Entry,
    control: &RequestControl,
    purged: Option<PurgeState>,
    now_ms: u64,
) -> ReuseVerdict {
    let terms = &entry.terms;
    let age = entry.age(now_ms);
    let ttl = clamped(terms.lifetime).saturating_sub(clamped(age));
    let stands = window(terms, age, purged);
    // RFC 9111 §5.2.1: the client's limits. Browsers reload with max-age=0, so
    // it means an immediate revalidation, not within a second.
    let too_old = control.no_cache || control.max_age.is_some_and(|most| most == 0 || age > most);
    let too_short = control.min_fresh.is_some_and(|least| ttl < clamped(least));
    let suits = !too_old && !too_short;
    if stands == Window::Fresh && suits {
        return ReuseVerdict::Fresh(Age { age, ttl });
    }
    let overdue = age.checked_sub(terms.lifetime);
    let within = |most| overdue.is_some_and(|overdue| terms.stale_allowed && overdue <= most);
    if purged == Some(PurgeState::Alive) && control.max_stale.is_some_and(within) && suits {
        return ReuseVerdict::Fresh(Age { age, ttl });
    }
    let (shown, stands) = as_stale(entry, purged, now_ms);
    if stands == Window::Revalidate && suits && control.max_age.is_none() {
        return ReuseVerdict::WhileRevalidate(shown);
    }
    ReuseVerdict::Stale {
        age: shown,
        on_error: stands != Window::Unusable,
    }
}

/// Whether a stored response may be served if the origin fails (RFC 5861 §4,
/// RFC 9111 §4.2.4). `purged` is `None` if the purge state is unknown.
pub fn may_serve_stale(entry: &Entry, purged: Option<PurgeState>, now_ms: u64) -> bool {
    as_stale(entry, purged, now_ms).1 != Window::Unusable
}

/// Returns age and window of a stored response that is not served before the
/// origin was contacted. A fresh response that only violates the client's
/// limits may be served at least if the origin fails.
pub fn as_stale(entry: &Entry, purged: Option<PurgeState>, now_ms: u64) -> (Age, Window) {
    let terms = &entry.terms;
    let age = entry.age(now_ms);
    // A soft purge makes it stale now, whatever is left of its lifetime.
    let ttl = clamped(terms.lifetime).saturating_sub(clamped(age)).min(0);
    let stands = match window(terms, age, purged) {
        Window::Fresh => match window(terms, age, Some(PurgeState::Soft)) {
            Window::Unusable => Window::OnError,
            stale => stale,
        },
        stale => stale,
    };
    (Age { age, ttl }, stands)
}

fn clamped(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
