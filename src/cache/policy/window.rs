//! The window of a stored response by its age and purges: the only comparison
//! of ages with windows (RFC 9111 §4.2, RFC 5861).

use super::freshness::Terms;
use crate::cache::ledger::sequence::PurgeState;

/// The state of a stored response. It only moves forward until the response is
/// revalidated or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It may be served.
    Fresh,
    /// It is stale, and may be served while it is refreshed.
    Revalidate,
    /// It is stale, and may be served if the origin fails.
    OnError,
    /// It may not be served. The origin must revalidate it, or replace it if it
    /// was hard purged.
    Unusable,
}

/// Returns the window of a response with these terms and this age in seconds.
///
/// A soft purge makes it stale now, whatever is left of its lifetime. `purged`
/// is `None` if the purge state is unknown: then it is used only if the origin
/// fails, too.
pub fn window(terms: &Terms, age: u64, purged: Option<PurgeState>) -> Window {
    let stale_for = age.saturating_sub(terms.lifetime);
    let while_revalidate = stale_for < terms.stale_while_revalidate;
    match purged {
        Some(PurgeState::Hard) => Window::Unusable,
        // RFC 9111 §4.2: fresh while the lifetime is larger than the age.
        Some(PurgeState::Alive) if age < terms.lifetime => Window::Fresh,
        None if age < terms.lifetime => Window::OnError,
        Some(_) if while_revalidate => Window::Revalidate,
        _ if while_revalidate || stale_for < terms.stale_if_error => Window::OnError,
        _ => Window::Unusable,
    }
}

/// Returns the age in seconds at which the last window ends.
pub fn unusable_at(terms: &Terms) -> u64 {
    let last = terms.stale_while_revalidate.max(terms.stale_if_error);
    terms.lifetime.saturating_add(last)
}
