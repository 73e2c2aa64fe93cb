//! Finds out behind a response what the cache would have done.
//!
//! All keys here are in the namespace of shadow mode
//! (`CacheKey::in_shadow`), and all that is stored are records without bodies
//! (`cache::shadow::record`).

use crate::cache::policy::entry::Entry;
use crate::cache::policy::storability::{Exchange, NotStored, ResponseDecision, decide_response};
use crate::cache::request::classify::Lookup;
use crate::cache::shadow::comparisons::BODY_MS_MAX;
use crate::cache::shadow::record::{BODY_BYTES_MAX, BodyDigest, ComparedResponse, is_gzip};
use crate::cache::shadow::verdict::{NotCompared, ShadowVerdict};
use crate::flow::fetch::pass::ReceivedHead;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::{sync, writes};
use crate::flow::response::request_log::{RequestLog, log_problem};
use crate::flow::runtime::host::{BodyError, Host, StoreObserver};
use crate::flow::runtime::timeout::with_timeout;
use crate::flow::stats::record;
use crate::flow::store::kv;
use crate::flow::store::lookup::{Found, Search, find, placement_by_response};
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use futures_util::future::join;
use std::cell::Cell;
use std::rc::Rc;

/// A response that is to be compared with what the cache has.
pub struct Comparison<H: Host> {
    /// The lookup, in the namespace of shadow mode.
    pub lookup: Rc<Lookup>,
    /// The digest of the key that the request has without shadow mode.
    pub key: String,
    /// What the origin sent.
    pub received: ReceivedHead,
    /// The length of the body, if the origin sent it.
    pub length: Option<u64>,
    /// Whether the request had a `Range`.
    pub is_ranged: bool,
    /// A copy of the body; `None` if there is no body.
    pub body: Option<H::Body>,
}

impl<H: Host> Comparison<H> {
    /// Compares in the background, counts the request and writes its log line.
    /// `bytes` is the length of the client's body, if it is known.
    pub fn finish_later(
        self,
        host: &H,
        isolate: &Rc<Isolate>,
        bytes: Option<u64>,
        mut log: RequestLog,
    ) {
        log.stop(host);
        log.key = Some(self.key.clone());
        let (host_then, isolate) = (host.clone(), Rc::clone(isolate));
        host.later(async move {
            let (host, key) = (host_then, self.key.clone());
            let rule = Rc::clone(&self.lookup.rule);
            let verdict = self.run(&host, &isolate, &mut log).await;
            isolate.comparisons.borrow_mut().end(&key);
            log.set_shadow(verdict);
            record::count(&host, &isolate, Some(&rule), &log, bytes);
            log.print(&host);
        });
    }

    /// Reads the body and the tiers, and judges.
    async fn run(mut self, host: &H, isolate: &Rc<Isolate>, log: &mut RequestLog) -> ShadowVerdict {
        let lookup = Rc::clone(&self.lookup);
        let cx = RequestCx {
            host,
            isolate,
            lookup: &lookup,
            ledger_wait_ms: &Cell::default(),
            observation: None,
        };
        let body = self.body.take();
        let (body, (resolved, search)) = join(self.digest(host, body), look_up(cx, log)).await;
        let body = match body {
            Ok(body) => body,
            Err(reason) => return ShadowVerdict::NotCompared(reason),
        };
        let cx = cx.with_lookup(resolved.as_ref().unwrap_or(cx.lookup));
        let response = ComparedResponse::new(&lookup.rule, &self.received.head, body.as_ref());
        self.judge(cx, search, &response, log).await
    }

    /// The digest of the body; `None` if there is no body.
    async fn digest(
        &self,
        host: &H,
        body: Option<H::Body>,
    ) -> Result<Option<BodyDigest>, NotCompared> {
        let Some(body) = body else {
            return Ok(None);
        };
        let digest = host.digest_body(body, is_gzip(&self.received.head), BODY_BYTES_MAX);
        let digest = with_timeout(host, BODY_MS_MAX, digest).await;
        let digest = digest
            .ok_or(NotCompared::Slow)?
            .map_err(|error| match error {
                BodyError::TooLong => NotCompared::TooLarge,
                BodyError::Broken => NotCompared::Broken,
            })?;
        match self.length.is_none_or(|length| length == digest.bytes) {
            true => Ok(Some(digest)),
            false => Err(NotCompared::Broken),
        }
    }

    /// Compares with the stored record, if the cache would have served it.
    /// Otherwise, or if the cache would have refreshed it, stores a new one.
    async fn judge(
        self,
        cx: RequestCx<'_, H>,
        search: Search<H::Body>,
        response: &ComparedResponse,
        log: &mut RequestLog,
    ) -> ShadowVerdict {
        let Search {
            found, placement, ..
        } = search;
        let (stored, is_hit, is_renewed) = match found {
            Found::Fresh(hit) => (Some(hit.entry), true, hit.early),
            Found::WhileRevalidate(hit) => (Some(hit.entry), true, true),
            Found::Stale(hit, _) => (Some(hit.entry), false, true),
            Found::Nothing(_) => (None, false, true),
        };
        let fails = cx
            .lookup
            .rule
            .error_statuses
            .contains(&self.received.head.status);
        if fails && stored.is_some() {
            return ShadowVerdict::NotCompared(NotCompared::OriginError);
        }
        let hit = stored.as_ref().filter(|_| is_hit);
        let compared = hit.map(|record| self.compare(cx, response, record));
        match compared {
            Some(verdict) if !is_renewed => verdict,
            Some(verdict) => {
                self.store(cx, stored, placement, response, log).await;
                verdict
            }
            None => self.store(cx, stored, placement, response, log).await,
        }
    }

    /// Compares with the record that would have been a hit. Logs a difference.
    fn compare(
        &self,
        cx: RequestCx<'_, H>,
        response: &ComparedResponse,
        record: &Entry,
    ) -> ShadowVerdict {
        match response.compare(record) {
            Ok(None) => ShadowVerdict::Same,
            Ok(Some(difference)) => {
                if cx.isolate.comparisons.borrow_mut().may_warn(cx.now_ms()) {
                    let problem = format!("key {}: {difference}", self.key);
                    log_problem(cx.host, "shadow", &problem);
                }
                ShadowVerdict::Differs
            }
            Err(reason) => ShadowVerdict::NotCompared(reason),
        }
    }

    /// Stores a record of the response, if the cache would store the response.
    async fn store(
        &self,
        cx: RequestCx<'_, H>,
        stored: Option<Entry>,
        placement: StorePlacement,
        response: &ComparedResponse,
        log: &mut RequestLog,
    ) -> ShadowVerdict {
        let ReceivedHead { seen, times, head } = &self.received;
        let keyed = query_alias::lookup_by_response(cx.lookup, &head.fields);
        let keyed = keyed.map_or_else(|| Rc::clone(cx.lookup), Rc::new);
        let exchange = Exchange {
            lookup: &keyed,
            // As for a real entry (`flow::fetch::exchange`).
            seen: stored.as_ref().map_or(*seen, |it| it.seen.max(*seen)),
            times: *times,
            stored: stored.as_ref(),
            on_error: false,
            ranged: self.is_ranged,
        };
        let entry = match decide_response(&exchange, Ok(head)) {
            ResponseDecision::Store(entry) => *entry,
            ResponseDecision::Forward(reason) => return ShadowVerdict::NotStored(reason.word()),
            _ => return ShadowVerdict::NotStored(NotStored::Status.word()),
        };
        let own = placement_by_response(cx, &keyed, &placement, log).await;
        let placement = own.unwrap_or(placement);
        if let Some(reason) = placement.refusal(&keyed, &entry) {
            return ShadowVerdict::NotStored(reason);
        }
        let cx = cx.with_lookup(&keyed);
        let record = response.record(entry);
        let copies = kv::copies_of(cx, record, &placement, &StoreObserver::default(), log);
        query_alias::store_alias(cx, &copies.store_request);
        let mut index = cx.isolate.index.borrow_mut();
        let entry = &copies.store_request.entry;
        index.unconfirmed.record_fetch(entry.fetched());
        drop(index);
        cx.host.store_entry(None, copies.store_request, false);
        ShadowVerdict::Stored
    }
}

/// Looks up a request as `flow::request::serve` does, and returns the lookup by
/// a signpost if there is one.
async fn look_up<H: Host>(
    cx: RequestCx<'_, H>,
    log: &mut RequestLog,
) -> (Option<Rc<Lookup>>, Search<H::Body>) {
    let index_state = sync::update_index(cx).await;
    writes::resend_later(cx.host, cx.isolate);
    log.set_index_state(index_state.word());
    let resolved = query_alias::resolve_alias(cx, log).await.map(Rc::new);
    let cx = cx.with_lookup(resolved.as_ref().unwrap_or(cx.lookup));
    let search = find(cx, log).await;
    (resolved, search)
}
