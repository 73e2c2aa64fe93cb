//! Sends the invalidations of writes to the ledger, without making a client
//! wait for a ledger that hangs.
//!
//! A write is in force in this isolate at once, whether the ledger has
//! responded or not (`cache::purge::unconfirmed_writes`). The client waits half
//! a second at most. In the background the order is sent until the ledger has
//! accepted it: as long as the runtime lets this request run, and then by later
//! requests of the isolate. Until then, other isolates may serve what was
//! stored before the write, as they may within `max_purge_lag` after it.

use super::invalidate::{WriteDelivery, order_of};
use super::sync::{self, ledger_wait_ms};
use crate::cache::ledger::wire::{Receipt, numbers};
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::purge::ledger_breaker::QUERY_MS_MAX;
use crate::cache::purge::write_rate::InvalidationNames;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::host::{Host, LedgerReply};
use crate::flow::runtime::timeout::with_timeout;
use std::pin::pin;
use std::rc::Rc;

/// How long the response to a write waits for the ledger, which is 10 to 300 ms
/// away.
pub const WRITE_WAIT_MS: u64 = 500;

/// How long one request keeps sending: the runtime ends background work 30
/// seconds after the response, and the last query may take 5.
const RESEND_MS_MAX: u64 = 24_000;

/// How often a background task that waits for the breaker polls it: another
/// query may have closed it.
const POLL_MS: u64 = 1000;

/// Has the ledger invalidate what a write has changed, at the time that
/// `delivery` gives. `answer` is called once, with a note for the log: see
/// [`deliver`].
pub async fn invalidate<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    site: &str,
    delivery: WriteDelivery,
    answer: impl FnOnce(Option<String>),
) {
    // Requests that read the index renew it, too, but there may be none.
    if isolate.index.borrow().is_overfull() {
        sync::renew_later(host, isolate, site, true);
    }
    // The request that was to send earlier ones may have ended.
    resend_later(host, isolate);
    match delivery {
        WriteDelivery::Now(names) => deliver(host, isolate, site, names, answer).await,
        WriteDelivery::StartsBatch(pause_ms) => {
            answer(Some(format!("many writes: invalidates in {pause_ms} ms")));
            host.sleep(pause_ms).await;
            resend(host, isolate).await;
        }
        WriteDelivery::JoinsBatch => {
            answer(Some("many writes: invalidates with others".to_owned()))
        }
    }
}

/// Sends the names of a write to the ledger until it has accepted them.
///
/// `answer` is called once, with a note for the log, at the latest after
/// [`WRITE_WAIT_MS`]. `site` is the host name of the request.
async fn deliver<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    site: &str,
    names: InvalidationNames,
    answer: impl FnOnce(Option<String>),
) {
    let id = {
        let mut index = isolate.index.borrow_mut();
        index.unconfirmed.add(site, names.clone(), host.now_ms())
    };
    log_lost(host, isolate);
    if ledger_wait_ms(host, isolate) > 0 {
        answer(Some(LATER.to_owned()));
        return resend(host, isolate).await;
    }
    let until_ms = host.now_ms().saturating_add(QUERY_MS_MAX);
    isolate
        .index
        .borrow_mut()
        .unconfirmed
        .leave_until(id, until_ms);
    let mut sending = pin!(send(host, isolate, id, site, &names));
    let in_time = with_timeout(host, WRITE_WAIT_MS, sending.as_mut()).await;
    let is_sent = match in_time {
        Some(Ok(note)) => {
            answer(note);
            true
        }
        Some(Err(())) => {
            answer(Some(LATER.to_owned()));
            false
        }
        None => {
            answer(Some(LATER.to_owned()));
            sending.await.is_ok()
        }
    };
    if !is_sent {
        isolate.index.borrow_mut().unconfirmed.defer(id);
        resend(host, isolate).await;
    }
}

/// Log note of a write that only this isolate has applied yet.
const LATER: &str = "ledger: no answer yet; invalidated here, elsewhere when it answers";

/// Logs that invalidations were dropped. The responses that they name may be
/// served until they expire.
fn log_lost<H: Host>(host: &H, isolate: &Isolate) {
    let lost = isolate.index.borrow_mut().unconfirmed.lost();
    if lost > 0 {
        let problem = format!("{lost} invalidations by writes were given up: too many wait");
        log_problem(host, "ledger", &problem);
    }
}

/// Sends due unconfirmed writes in the background, if the breaker allows it and
/// no other request does.
pub fn resend_later<H: Host>(host: &H, isolate: &Rc<Isolate>) {
    if !isolate.index.borrow().unconfirmed.is_due(host.now_ms())
        || is_resending(host, isolate)
        || ledger_wait_ms(host, isolate) > 0
    {
        return;
    }
    isolate.resending.set(Some(host.now_ms()));
    let (host_then, isolate) = (host.clone(), Rc::clone(isolate));
    host.later(async move {
        isolate.resending.set(None);
        resend(&host_then, &isolate).await;
    });
}

fn is_resending<H: Host>(host: &H, isolate: &Isolate) -> bool {
    let age_ms = isolate
        .resending
        .get()
        .and_then(|at| host.now_ms().checked_sub(at));
    age_ms.is_some_and(|age_ms| age_ms < QUERY_MS_MAX)
}

/// Sends due unconfirmed writes whenever the breaker allows it, until there are
/// none or the time is over.
async fn resend<H: Host>(host: &H, isolate: &Rc<Isolate>) {
    if is_resending(host, isolate) {
        return;
    }
    let until_ms = host.now_ms().saturating_add(RESEND_MS_MAX);
    loop {
        let now_ms = host.now_ms();
        isolate.resending.set(Some(now_ms));
        let next = isolate.index.borrow_mut().unconfirmed.next(now_ms);
        log_lost(host, isolate);
        let Some(write) = next.filter(|_| now_ms < until_ms) else {
            break;
        };
        match ledger_wait_ms(host, isolate) {
            0 => {
                let sent = send(host, isolate, write.id, &write.site, &write.names).await;
                if sent.is_err() {
                    isolate.index.borrow_mut().unconfirmed.defer(write.id);
                }
            }
            wait_ms => host.sleep(wait_ms.min(POLL_MS)).await,
        }
    }
    isolate.resending.set(None);
}

/// Sends one order. Returns a note for the log.
async fn send<H: Host>(
    host: &H,
    isolate: &Isolate,
    id: u64,
    site: &str,
    names: &InvalidationNames,
) -> Result<Option<String>, ()> {
    let order = order_of(isolate, site, names);
    match sync::send_order(host, isolate, site, &order).await {
        Ok(ordered) => {
            let mut index = isolate.index.borrow_mut();
            let note = match ordered {
                LedgerReply::Done(receipt, _) => {
                    // If the host has too many writes, the ledger's feed
                    // contains the marks somewhat later, so they are applied
                    // here now. The soft purge of the host is left out: it
                    // would apply here at each write.
                    let applied = Receipt {
                        soft: Vec::new(),
                        ..(*receipt).clone()
                    };
                    let mut feed = PurgeFeed::of_receipt(&applied);
                    let further = names.further.iter();
                    let raised = numbers(receipt.sequence, false);
                    feed.writes.extend(further.map(|mark| (*mark, raised)));
                    index.apply(&feed);
                    let names = [receipt.hard, receipt.soft].concat();
                    Some(format!("invalidated {names:?}"))
                }
                LedgerReply::Conflict => None,
            };
            // The index has the order's sequence number now.
            index.unconfirmed.confirm(id);
            Ok(note)
        }
        Err(problem) => {
            log_problem(host, "ledger", &problem);
            Err(())
        }
    }
}
