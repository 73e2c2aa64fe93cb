//! A stored answer that is not served before the origin has been asked, and
//! whether it may still be served once the origin has failed.

use super::find::Hit;
use super::host::Host;
use super::isolate::Isolate;
use super::report::Report;
use super::sync;
use crate::cache::request::Lookup;
use crate::cache::sequence::PurgeState;
use crate::cache::stored::as_stale;
use crate::cache::windows::Window;
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
