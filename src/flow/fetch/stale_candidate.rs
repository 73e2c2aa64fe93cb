//! A stored response that is stale, or that the client does not take without
//! the origin: whether it may be served if the origin fails (RFC 5861 §4).

use crate::cache::ledger::sequence::PurgeState;
use crate::cache::policy::reuse::{as_stale, may_serve_stale};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::reply::{Answer, Client, from_entry};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::Hit;

/// A stored response that the origin is to confirm or replace.
pub struct StaleCandidate<B> {
    /// The stored response.
    pub hit: Hit<B>,
    stood_by: bool,
}

impl<B> StaleCandidate<B> {
    /// A stored response; `stands_by` says whether it may be served if the
    /// origin fails, as of the lookup.
    pub fn new(hit: Hit<B>, stands_by: bool) -> Self {
        Self {
            hit,
            stood_by: stands_by,
        }
    }

    /// Whether it was usable when it was found. Enough to prepare for a failure;
    /// [`Self::may_be_served`] decides.
    pub fn stood_by(&self) -> bool {
        self.stood_by
    }

    /// Whether it may be served now that the origin has failed: the one place
    /// where this is decided. While the origin was asked, which may take long,
    /// the response may have been purged, or its last window may have ended.
    pub async fn may_be_served<H: Host<Body = B>>(
        &self,
        cx: RequestCx<'_, H>,
        log: &mut RequestLog,
    ) -> bool {
        if !self.stood_by {
            return false;
        }
        let knowledge = sync::bring_up_to_date(cx).await;
        log.set_knowledge(knowledge.word());
        let state = self.purge_state(cx.isolate);
        may_serve_stale(&self.hit.entry, Some(state), cx.now_ms())
    }

    /// Whether it is known to be purged hard.
    pub fn is_purged(&self, isolate: &Isolate) -> bool {
        self.purge_state(isolate) == PurgeState::Hard
    }

    fn purge_state(&self, isolate: &Isolate) -> PurgeState {
        self.hit.entry.purge_state(&isolate.index.borrow())
    }

    /// The client's response: stale; or fresh, if a second lookup found that.
    /// Returns its seconds of freshness as well.
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
            // It has grown older while the origin was asked.
            (age, _) = as_stale(&self.hit.entry, None, cx.now_ms());
        }
        log.set_age(age);
        let head = from_entry(&self.hit.entry, cx.lookup, client, age);
        (head.with(self.hit.body), age.ttl)
    }
}
