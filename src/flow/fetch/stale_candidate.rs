//! A stored answer that is not served before the origin has been asked, and
//! whether it may still be served once the origin has failed.

use crate::cache::ledger::sequence::PurgeState;
use crate::cache::policy::reuse::as_stale;
use crate::cache::policy::window::Window;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::request_log::Report;
use crate::flow::runtime::host::Host;
use crate::flow::store::lookup::Hit;
use std::rc::Rc;

/// A stored answer that the origin is to confirm or replace.
pub struct StaleCandidate<B> {
    /// The answer.
    pub hit: Hit<B>,
    /// Whether it is served should the origin fail.
    pub on_error: bool,
}

/// Whether the old answer may still be served: while the origin was asked,
/// which may take long, it may have been purged, or its time may have run out.
pub async fn is_usable<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    old: &StaleCandidate<H::Body>,
    report: &mut Report,
) -> bool {
    let site = &lookup.key.url.host;
    let knowledge = sync::bring_up_to_date(host, isolate, site, &mut report.ledger_ms).await;
    report.set_knowledge(knowledge.word());
    let state = purge_state(isolate, old);
    let (_, stands) = as_stale(&old.hit.entry, Some(state), host.now_ms());
    stands != Window::Gone
}

/// Whether the old answer is known to be purged hard.
pub fn is_gone<B>(isolate: &Isolate, old: &StaleCandidate<B>) -> bool {
    purge_state(isolate, old) == PurgeState::Hard
}

fn purge_state<B>(isolate: &Isolate, old: &StaleCandidate<B>) -> PurgeState {
    old.hit.entry.purge_state(&isolate.index.borrow())
}
