//! A stored response that is stale, or that the request does not accept without
//! revalidation, and whether it may be served if the origin fails (RFC 5861
//! §4).

use crate::cache::ledger::sequence::PurgeState;
use crate::cache::policy::reuse::{as_stale, may_serve_stale};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::reply::{Answer, Client, from_entry};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::{Found, Hit, TiersRead, find_again};
use crate::flow::store::part_lookup::find_part;

/// A stored response that the origin is to confirm or replace.
pub struct StaleCandidate<B> {
    /// The stored response.
    pub hit: Hit<B>,
    was_usable_on_error: bool,
}

impl<B> StaleCandidate<B> {
    /// A candidate. `usable_on_error` says whether it may be served on an
    /// origin failure, as of the lookup.
    pub fn new(hit: Hit<B>, usable_on_error: bool) -> Self {
        Self {
            hit,
            was_usable_on_error: usable_on_error,
        }
    }

    /// Whether it could be served on an origin failure when it was found. This
    /// is enough to prepare for a failure; [`Self::may_be_served`] decides.
    pub fn was_usable_on_error(&self) -> bool {
        self.was_usable_on_error
    }

    /// Whether it may be served now that the origin has failed. Only this
    /// function decides that: during a long request to the origin, the response
    /// may have been purged, or its last stale window may have ended.
    pub async fn may_be_served<H: Host<Body = B>>(
        &self,
        cx: RequestCx<'_, H>,
        log: &mut RequestLog,
    ) -> bool {
        if !self.was_usable_on_error {
            return false;
        }
        let index_state = sync::update_index(cx).await;
        log.set_index_state(index_state.word());
        let state = self.purge_state(cx.isolate);
        may_serve_stale(&self.hit.entry, Some(state), cx.now_ms())
    }

    /// Whether the purge index contains a hard purge of it.
    pub fn is_purged(&self, isolate: &Isolate) -> bool {
        self.purge_state(isolate) == PurgeState::Hard
    }

    fn purge_state(&self, isolate: &Isolate) -> PurgeState {
        self.hit.entry.purge_state(&isolate.index.borrow())
    }

    /// Serves it: stale, or fresh if a second lookup found a fresh response.
    /// Also returns its seconds of freshness.
    pub fn serve<H: Host<Body = B>>(
        self,
        cx: RequestCx<'_, H>,
        client: Client,
        log: &mut RequestLog,
    ) -> (Answer<B>, i64) {
        log.set_tier(self.hit.tier);
        let mut age = self.hit.age;
        if age.ttl > 0 {
            log.cache = "hit";
        } else {
            log.cache = "stale";
            log.detail.push("stale-if-error");
            // It has aged during the request to the origin.
            (age, _) = as_stale(&self.hit.entry, None, cx.now_ms());
        }
        log.set_age(age);
        let head = from_entry(&self.hit.entry, cx.lookup, client, age);
        (head.with(self.hit.body), age.ttl)
    }
}

/// The stored response to fall back on after an origin failure.
///
/// During the request, another isolate may have stored a copy in the Cache API,
/// and KV may have been too slow for the first lookup. Such a copy is better
/// than an error, or than a stale one that may not be served.
pub async fn stale_fallback<H: Host>(
    cx: RequestCx<'_, H>,
    stale: Option<StaleCandidate<H::Body>>,
    tiers_read: TiersRead,
    log: &mut RequestLog,
) -> Option<StaleCandidate<H::Body>> {
    if let Some(candidate) = &stale
        && candidate.may_be_served(cx, log).await
    {
        return stale;
    }
    let (hit, usable_on_error) = match find_again(cx, tiers_read, log).await {
        Found::Fresh(hit) | Found::WhileRevalidate(hit) => (hit, true),
        Found::Stale(hit, usable_on_error) => (hit, usable_on_error),
        Found::Nothing(_) if stale.is_none() && cx.lookup.range.is_some() => {
            (find_part(cx, log).await?, true)
        }
        Found::Nothing(_) => return stale,
    };
    // A stored error response is no improvement.
    match cx.lookup.rule.error_statuses.contains(&hit.entry.status) {
        true => stale,
        false => Some(StaleCandidate::new(hit, usable_on_error)),
    }
}
