//! The purge index for a lookup that changes nothing
//! (`flow::isolate::observation`).

use super::sync::{LEDGER_WAIT_MS, PAGES_MAX, TOO_FAST, age, ledger_wait_ms};
use crate::cache::ledger::wire::FeedQuery;
use crate::cache::purge::index::PurgeIndex;
use crate::flow::isolate::index_state::IndexState;
use crate::flow::isolate::state::Isolate;
use crate::flow::runtime::host::Host;
use crate::flow::runtime::timeout::with_timeout;

/// Returns what [`update_index`](super::sync::update_index) would result in, but
/// changes nothing: the state of the index, and the index itself if a query of
/// the ledger is needed. The query has the time limit of any request's.
pub async fn observe<H: Host>(host: &H, isolate: &Isolate) -> (IndexState, Option<PurgeIndex>) {
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let age = age(host, isolate);
    if age.is_some_and(|age| age < lag_ms) {
        return (IndexState::Current, None);
    }
    let query = query_beside(host, isolate);
    if ledger_wait_ms(host, isolate) == 0
        && let Some(Ok(index)) = with_timeout(host, LEDGER_WAIT_MS, query).await
    {
        return (IndexState::Current, Some(index));
    }
    let state = match age {
        Some(_) => IndexState::Outdated,
        None => IndexState::Missing,
    };
    (state, None)
}

/// A copy of the index with all that the ledger has in addition.
async fn query_beside<H: Host>(host: &H, isolate: &Isolate) -> Result<PurgeIndex, String> {
    let mut index = isolate.index.borrow().clone();
    for _ in 0..PAGES_MAX {
        let page = host.read_feed(&FeedQuery::after(index.sequence())).await?;
        if index.apply(&page) && page.complete {
            return Ok(index);
        }
    }
    Err(TOO_FAST.to_owned())
}
