//! Keeping the purge index young.
//!
//! When it is older than half of `max_purge_lag`, it is renewed behind the
//! response; when it is older than the whole, before the answer. So a purge is
//! in force everywhere within `max_purge_lag` of its receipt, and an idle
//! isolate asks nothing.

use super::host::Host;
use super::isolate::Isolate;
use std::rc::Rc;

/// After a failure the ledger is left alone for this long.
const RETRY_AFTER_MS: u64 = 1000;

/// How long a request waits for another one's question to the ledger, and in
/// which steps it looks. It looks at plain values, by a timer of its own.
const WAIT_STEPS: u32 = 50;
const WAIT_STEP_MS: u64 = 20;

/// Sees to it that the index is young enough to answer with. Returns a word
/// for the report if it is not: the ledger cannot be reached.
pub async fn bring_up_to_date<H: Host>(host: &H, isolate: &Rc<Isolate>) -> Option<&'static str> {
    let lag_ms = isolate.rules.max_purge_lag_seconds * 1000;
    let age = |isolate: &Isolate| {
        isolate
            .synced_ms
            .get()
            .map(|at| host.now_ms().saturating_sub(at))
    };
    match age(isolate) {
        Some(age) if age * 2 < lag_ms => return None,
        Some(age) if age < lag_ms => {
            if may_ask(host, isolate) {
                let (host_then, isolate_then) = (host.clone(), Rc::clone(isolate));
                host.later(async move { ask(&host_then, &isolate_then).await });
            }
            return None;
        }
        _ => {}
    }
    if may_ask(host, isolate) {
        ask(host, isolate).await;
    } else {
        for _ in 0..WAIT_STEPS {
            if isolate.syncing.get().is_none() {
                break;
            }
            host.sleep(WAIT_STEP_MS).await;
        }
        // Whoever asked was slow, or is gone without a word.
        let old = age(isolate).is_none_or(|age| age >= lag_ms);
        if old && may_ask(host, isolate) {
            ask(host, isolate).await;
        }
    }
    match age(isolate) {
        None => Some("no-purge-index"),
        Some(age) if age >= lag_ms => Some("old-purge-index"),
        Some(_) => None,
    }
}

fn may_ask<H: Host>(host: &H, isolate: &Isolate) -> bool {
    let since = |at: Option<u64>| at.map(|at| host.now_ms().saturating_sub(at));
    let busy =
        since(isolate.syncing.get()).is_some_and(|age| age < u64::from(WAIT_STEPS) * WAIT_STEP_MS);
    let failed = since(isolate.sync_failed_ms.get()).is_some_and(|age| age < RETRY_AFTER_MS);
    !busy && !failed
}

async fn ask<H: Host>(host: &H, isolate: &Isolate) {
    // The time before the question: the answer may be no younger than that.
    let asked_ms = host.now_ms();
    isolate.syncing.set(Some(asked_ms));
    match host.news(isolate.seen()).await {
        Ok(news) => {
            isolate.index.borrow_mut().learn(&news);
            let newest = isolate
                .synced_ms
                .get()
                .map_or(asked_ms, |at| at.max(asked_ms));
            isolate.synced_ms.set(Some(newest));
            isolate.sync_failed_ms.set(None);
        }
        Err(problem) => {
            isolate.sync_failed_ms.set(Some(host.now_ms()));
            super::report::log_problem(host, "ledger", &problem);
        }
    }
    isolate.syncing.set(None);
}
