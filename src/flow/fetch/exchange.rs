//! An exchange with the origin whose response may be stored.
//!
//! The request is sent; if the origin fails, a stored response to fall back on
//! is looked up; the policy decides (`cache::policy::storability`); the
//! decision is carried out.

use super::fetch_outcome::{FetchContext, FetchOutcome, FetchResult};
use super::forward::{Evaluate, by_conditions, forward};
use super::marked_page::check_coding;
use super::origin_response::{OriginResponse, request_to_origin};
use super::stale_candidate::{StaleCandidate, stale_fallback};
use super::store_response::{age_on_arrival, store};
use super::withheld;
use crate::cache::key::no_vary_search;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::is_for_its_kind;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::storability::{Exchange, NotStored, ResponseDecision, decide_response};
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::inflight::Flight;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::response::error_pages::{failure_answer, origin_failed};
use crate::flow::response::reply::{Answer, Client, from_entry, with_withheld};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, StoreObserver};
use crate::flow::store::kv;
use crate::flow::store::lookup::{TiersRead, placement_by_response};
use crate::flow::store::outdate::{confirmed_copies, outdate, replaces_stored, withdraw};
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::head::ResponseHead;
use std::rc::Rc;

/// Fetches from the origin, stores the response if the policy allows it, and
/// returns the client's response.
pub async fn fetch<H: Host>(
    cx: RequestCx<'_, H>,
    context: FetchContext<H::Body>,
    client: Client,
    log: &mut RequestLog,
) -> FetchResult<H::Body> {
    let mut fetch = Fetch {
        cx,
        placement: &context.placement,
        tiers_read: context.tiers_read,
        flight: context.flight.as_deref(),
        observer: &context.observer,
        client,
        log,
        outcome: FetchOutcome::default(),
    };
    let conditional = !cx.lookup.head_only;
    let mut attempt = fetch.fetch_once(context.stale, conditional).await;
    if conditional && let FetchAttempt::OtherStored(other) = attempt {
        attempt = fetch.fetch_once(other.stale, false).await;
    }
    let answer = match attempt {
        FetchAttempt::Answered(answer) => answer,
        FetchAttempt::OtherStored(other) => fetch.misplaced_304(*other),
    };
    FetchResult {
        answer,
        outcome: fetch.outcome,
    }
}

/// How one request to the origin ended.
enum FetchAttempt<B> {
    /// The client's response.
    Answered(Answer<B>),
    /// A 304 confirmed another response than the stored one. The request is
    /// repeated once, without conditions.
    OtherStored(Box<OtherStored<B>>),
}

/// The stored response, and whether it may be served.
struct OtherStored<B> {
    stale: Option<StaleCandidate<B>>,
    may_serve: bool,
}

/// An exchange in progress.
struct Fetch<'a, H: Host> {
    cx: RequestCx<'a, H>,
    placement: &'a StorePlacement,
    tiers_read: TiersRead,
    flight: Option<&'a Flight>,
    observer: &'a StoreObserver,
    client: Client,
    log: &'a mut RequestLog,
    outcome: FetchOutcome,
}

/// The origin's response, and the stored response that it replaces or confirms.
struct ReceivedResponse<B> {
    /// The lookup by the key that the response itself names (`No-Vary-Search`,
    /// `flow::store::query_alias`).
    keyed: Rc<Lookup>,
    /// The slots under that key, if it differs from the requested key.
    keyed_placement: Option<StorePlacement>,
    response: OriginResponse<B>,
    stale: Option<StaleCandidate<B>>,
}

impl<H: Host> Fetch<'_, H> {
    /// Sends one request to the origin and carries out the policy's decision.
    async fn fetch_once(
        &mut self,
        stale: Option<StaleCandidate<H::Body>>,
        conditional: bool,
    ) -> FetchAttempt<H::Body> {
        let (stale, response) = self.request(stale, conditional).await;
        let keyed = self.keyed(&response.head, stale.as_ref());
        let failed = response.has_failed(self.cx.lookup);
        let stale = match failed && self.client == Client::Waiting {
            true => {
                let found = stale_fallback(self.cx, stale, self.tiers_read, self.log);
                boxed(found).await
            }
            false => stale,
        };
        // Only in these cases may the policy fall back to the stored response.
        let may_serve = match &stale {
            Some(stale) if failed || response.status() == Some(304) => {
                stale.may_be_served(self.cx, self.log).await
            }
            _ => false,
        };
        let next = self.decide(&keyed, &response, stale.as_ref(), may_serve);
        self.outcome.status = response.status();
        self.outcome.failure = response.head.as_ref().err().copied();
        let keyed_placement = match &next {
            ResponseDecision::Store(_)
            | ResponseDecision::Freshen {
                may_store: true, ..
            } => {
                let keyed_placement =
                    placement_by_response(self.cx, &keyed, self.placement, self.log);
                boxed(keyed_placement).await
            }
            _ => None,
        };
        let received = ReceivedResponse {
            keyed,
            keyed_placement,
            response,
            stale,
        };
        FetchAttempt::Answered(match next {
            ResponseDecision::Store(entry) => self.store_new(*entry, received),
            ResponseDecision::Freshen { entry, may_store } => {
                self.freshen(*entry, may_store, received)
            }
            ResponseDecision::Forward(reason) => self.pass_on(reason, received),
            ResponseDecision::ServeStale => self.serve_stale(received.stale),
            ResponseDecision::Fail(failure) => self.fail(failure, received.stale.is_some()),
            ResponseDecision::RepeatUnconditionally => {
                return FetchAttempt::OtherStored(Box::new(OtherStored {
                    stale: received.stale,
                    may_serve,
                }));
            }
        })
    }

    /// Sends the request. If the stored response has been purged by then, it is
    /// dropped first, because a 304 would revive it.
    async fn request(
        &mut self,
        mut stale: Option<StaleCandidate<H::Body>>,
        conditional: bool,
    ) -> (Option<StaleCandidate<H::Body>>, OriginResponse<H::Body>) {
        let (cx, flight) = (self.cx, self.flight);
        let mut request = |log: &mut RequestLog| {
            if stale.as_ref().is_some_and(|s| s.is_purged(cx.isolate)) {
                stale = None;
                log.fwd = Some("uri-miss");
                log.add_detail("purged");
            }
            if let Some(flight) = flight {
                flight.set_sent(cx.now_ms());
            }
            request_to_origin(cx.lookup, stale.as_ref(), conditional)
        };
        let mut response = OriginResponse::fetch_origin(cx, &mut request, self.log).await;
        if let Ok(head) = &mut response.head {
            response.body = check_coding(cx.host, &cx.lookup.rule, head, response.body).await;
        }
        if stale
            .as_ref()
            .is_some_and(StaleCandidate::was_usable_on_error)
        {
            response = response.read_whole(cx, self.log).await;
        }
        (stale, response)
    }

    /// The lookup by the key that the response names. A 304 without
    /// `No-Vary-Search` keeps the policy of the stored response.
    fn keyed(
        &self,
        head: &Result<ResponseHead, OriginFailure>,
        stale: Option<&StaleCandidate<H::Body>>,
    ) -> Rc<Lookup> {
        let lookup = self.cx.lookup;
        let keyed = head.as_ref().ok().and_then(|head| {
            let silent = head.status == 304 && !head.fields.has(no_vary_search::FIELD);
            let stored = stale
                .filter(|_| silent)
                .map(|stale| &stale.hit.entry.fields);
            query_alias::lookup_by_response(lookup, stored.unwrap_or(&head.fields))
        });
        keyed.map_or_else(|| Rc::clone(lookup), Rc::new)
    }

    /// The policy's decision (`cache::policy::storability`).
    fn decide(
        &mut self,
        keyed: &Lookup,
        response: &OriginResponse<H::Body>,
        stale: Option<&StaleCandidate<H::Body>>,
        may_serve: bool,
    ) -> ResponseDecision {
        let stored = stale.map(|stale| &stale.hit.entry);
        let exchange = Exchange {
            lookup: keyed,
            // The purges that the stored entry counts as seen were ordered
            // before this request, too, even if this isolate has not received
            // them.
            seen: stored.map_or(response.seen, |stored| stored.seen.max(response.seen)),
            times: response.times,
            stored,
            on_error: may_serve,
            ranged: response.ranged,
        };
        let head = response.head.as_ref();
        let next = decide_response(&exchange, head.map_err(|failure| *failure));
        if let Ok(head) = &response.head
            && self.client == Client::Waiting
        {
            withheld::log_withheld(self.cx.lookup, head, self.log);
            withheld::log_stripped_cookies(self.cx.lookup, head, &next, self.log);
        }
        next
    }

    /// Stores a new response, unless all its slots are taken.
    fn store_new(&mut self, entry: Entry, received: ReceivedResponse<H::Body>) -> Answer<H::Body> {
        let ReceivedResponse {
            keyed,
            keyed_placement,
            response,
            stale,
        } = received;
        let (cx, log) = (self.cx, &mut *self.log);
        let placement = keyed_placement.as_ref().unwrap_or(self.placement);
        log.cache = "miss";
        if let Some(reason) = placement.refusal(&keyed, &entry) {
            log.detail.push(reason);
            self.outcome.refusal = Some(reason);
            self.outcome.for_its_kind = true;
            return self.forward(response);
        }
        if entry.status == 206 {
            cx.isolate.remember_part(&keyed.key.part_slot().digest);
        }
        withheld::forget_personal(cx.isolate, cx.lookup);
        // A page that only arrived too old to be fresh is not written to KV,
        // but the older copy there stays valid.
        let late = entry.status < 400 && entry.terms.lifetime > 0;
        let keyed = cx.with_lookup(&keyed);
        let copies = kv::copies_of(keyed, entry, placement, self.observer, log);
        let stored = stale.as_ref().map(|stale| &stale.hit.entry);
        if !late && replaces_stored(cx.lookup, stored, None, &response.head) {
            let places = &copies.store_request.places;
            outdate(
                cx,
                stale.map(|stale| stale.hit),
                self.placement,
                places,
                log,
            );
        }
        let answer = self.store(copies, response.body);
        match response.head {
            Ok(head) => {
                let received_ms = response.times.response_ms;
                with_withheld(without_own_age(answer, &head), &head, received_ms)
            }
            Err(_) => answer,
        }
    }

    /// Updates a stored response that the origin has confirmed (304).
    fn freshen(
        &mut self,
        entry: Entry,
        may_store: bool,
        received: ReceivedResponse<H::Body>,
    ) -> Answer<H::Body> {
        let ReceivedResponse {
            keyed,
            keyed_placement,
            response,
            stale,
        } = received;
        let (cx, log) = (self.cx, &mut *self.log);
        let placement = keyed_placement.as_ref().unwrap_or(self.placement);
        log.cache = "revalidated";
        let Some(stale) = stale else {
            return origin_failed(OriginFailure::Unreachable);
        };
        let hit = stale.hit;
        log.set_tier(hit.tier);
        if may_store {
            let keyed = cx.with_lookup(&keyed);
            let copies = confirmed_copies(keyed, entry, &hit.entry, placement, self.observer, log);
            let answer = self.store(copies, hit.body);
            return match response.head {
                Ok(head) => without_own_age(answer, &head),
                Err(_) => answer,
            };
        }
        let age = age_on_arrival(&entry);
        log.set_age(age);
        self.outcome.ttl = Some(age.ttl);
        let reason = cx
            .lookup
            .request_control
            .no_store
            .then_some(NotStored::RequestNoStore);
        let ends = replaces_stored(cx.lookup, Some(&hit.entry), reason, &response.head);
        let answer = from_entry(&entry, cx.lookup, self.client, age);
        if !ends {
            return answer.with(hit.body);
        }
        let wants = answer.sends_body;
        answer.with(withdraw(cx, hit, self.placement, wants, log))
    }

    /// Forwards a response that may not be stored.
    fn pass_on(
        &mut self,
        reason: NotStored,
        received: ReceivedResponse<H::Body>,
    ) -> Answer<H::Body> {
        let ReceivedResponse {
            response, stale, ..
        } = received;
        let (cx, log) = (self.cx, &mut *self.log);
        log.cache = "miss";
        log.detail.push(reason.word());
        log.notes.extend(reason.advice().map(str::to_owned));
        let head = response.head.as_ref();
        let for_its_kind =
            response.ranged || head.is_ok_and(|head| is_for_its_kind(cx.lookup, head));
        self.outcome.refusal = Some(reason.word());
        self.outcome.for_its_kind = for_its_kind;
        let status = response.status().unwrap_or_default();
        let received_ms = response.times.response_ms;
        withheld::remember_personal(
            cx.isolate,
            cx.lookup,
            reason,
            status,
            for_its_kind,
            received_ms,
        );
        let stored = stale.as_ref().map(|stale| &stale.hit.entry);
        if replaces_stored(cx.lookup, stored, Some(reason), &response.head) {
            outdate(cx, stale.map(|stale| stale.hit), self.placement, &[], log);
        }
        self.forward(response)
    }

    /// Serves the stored response, because the origin has failed.
    fn serve_stale(&mut self, stale: Option<StaleCandidate<H::Body>>) -> Answer<H::Body> {
        let Some(stale) = stale else {
            return origin_failed(OriginFailure::Unreachable);
        };
        let (answer, ttl) = stale.serve(self.cx, self.client, self.log);
        self.outcome.ttl = Some(ttl);
        answer
    }

    /// Returns an error page, because no stored response may be served.
    fn fail(&mut self, failure: OriginFailure, has_stored: bool) -> Answer<H::Body> {
        self.log.cache = "error";
        failure_answer(failure, has_stored)
    }

    /// Handles a 304 to a request without conditions, which confirms nothing.
    fn misplaced_304(&mut self, other: OtherStored<H::Body>) -> Answer<H::Body> {
        if other.may_serve {
            let note = "origin: a 304 about another answer";
            self.log.add_note(note.to_owned());
            return self.serve_stale(other.stale);
        }
        self.log.cache = "error";
        origin_failed(OriginFailure::Unreachable)
    }

    /// Stores the copies and adds the result to the outcome.
    fn store(&mut self, copies: kv::Copies, body: Option<H::Body>) -> Answer<H::Body> {
        let FetchResult { answer, outcome } = store(self.cx, copies, body, self.client, self.log);
        self.outcome.stored = outcome.stored;
        self.outcome.ttl = outcome.ttl;
        self.outcome.kv_refusal = outcome.kv_refusal;
        answer
    }

    /// Forwards the origin's response; or a 304, if the client's own conditions
    /// hold.
    fn forward(&self, response: OriginResponse<H::Body>) -> Answer<H::Body> {
        let received_ms = response.times.response_ms;
        let answer = forward(response.head, response.body, received_ms);
        match self.client {
            Client::Waiting => {
                let lookup = self.cx.lookup;
                let evaluate = Evaluate::of(lookup);
                by_conditions(answer, &lookup.client, &lookup.rule, evaluate)
            }
            Client::None => answer,
        }
    }
}

/// Removes Age from a response that the origin has generated or validated for
/// this request: Age implies that it has not (RFC 9111 §5.1). If a cache before
/// the origin sent Age, it stays. The delay of the exchange does not count
/// here, only for later requests.
fn without_own_age<B>(mut answer: Answer<B>, head: &ResponseHead) -> Answer<B> {
    if !head.fields.has("age") {
        answer.fields.remove("age");
    }
    answer
}
