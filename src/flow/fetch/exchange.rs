//! Asking the origin for an answer that may be stored.

use super::forward::{Evaluate, by_conditions, forward};
use super::marked_page::check_coding;
use super::outdate::{confirmed, outdate, tells_of_the_page, withdraw};
use super::stale_candidate::{StaleCandidate, is_gone, is_usable};
use super::stale_fallback::last_look;
use super::withheld;
use crate::cache::key::cache_key::Slot;
use crate::cache::key::no_vary_search;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::collapse_leaders::is_for_its_kind;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::freshness::Times;
use crate::cache::policy::reuse::{Age, as_stale};
use crate::cache::policy::storability::{
    Exchange, NotStored, ResponseDecision, decide_response, is_tied,
};
use crate::cache::request::classify::{Lookup, OriginRequest};
use crate::flow::isolate::state::Isolate;
use crate::flow::origin::upstream::{self, UpstreamRequest};
use crate::flow::response::error_pages::{no_answer, origin_failed};
use crate::flow::response::reply::{Answer, Client, from_entry, with_withheld};
use crate::flow::response::request_log::Report;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, StoreRequest, Tier, WHOLE_BYTES_MAX};
use crate::flow::store::kv;
use crate::flow::store::memory_tier;
use crate::flow::store::query_alias;
use crate::flow::store::store_placement::StorePlacement;
use crate::http::fields::is_unreadable;
use crate::http::head::ResponseHead;
use std::rc::Rc;

/// An exchange with the origin.
pub struct Ask<B> {
    /// The purge number seen before.
    pub seen: u64,
    /// When it happened.
    pub times: Times,
    /// Whether the client's `Range` was sent on.
    pub ranged: bool,
    /// What the origin said.
    pub head: Result<ResponseHead, OriginFailure>,
    /// The body, not yet read.
    pub body: Option<B>,
}

impl<B> Ask<B> {
    /// Asks the origin, or its backup. `request` is made right before it
    /// leaves, each time that one is asked.
    pub async fn the_origin<H: Host<Body = B>>(
        host: &H,
        isolate: &Rc<Isolate>,
        lookup: &Lookup,
        request: &mut upstream::MakeRequest<'_>,
        report: &mut Report,
    ) -> Self {
        let question = UpstreamRequest {
            at_once: true,
            ..UpstreamRequest::read(&lookup.key.url, &lookup.rule)
        };
        let asked = upstream::ask(host, isolate, question, None, request, report).await;
        let (head, body) = match asked.said {
            Ok((head, body)) => (Ok(head), body),
            Err(failure) => (Err(failure), None),
        };
        report.fwd_status = head.as_ref().ok().map(|head| head.status);
        report.failure = head.as_ref().err().copied();
        Self {
            seen: asked.seen,
            times: asked.times,
            ranged: asked.ranged,
            head,
            body,
        }
    }

    /// Reads a short body to its end, so that one which breaks off counts as
    /// a failure. Only where a stale copy stands by: other answers begin at
    /// once, and the client sees them break.
    async fn whole<H: Host<Body = B>>(
        mut self,
        host: &H,
        isolate: &Rc<Isolate>,
        lookup: &Lookup,
        report: &mut Report,
    ) -> Self {
        let Ok(head) = &self.head else {
            return self;
        };
        let length = head.fields.get("content-length");
        let length: Option<u64> = length.and_then(|n| n.trim().parse().ok());
        let short = length.is_none_or(|length| length <= u64::from(WHOLE_BYTES_MAX));
        if !short || lookup.rule.error_statuses.contains(&head.status) {
            return self;
        }
        if let Some(body) = self.body.take() {
            let seconds = isolate.rules.origin_body_timeout_seconds;
            let seconds = seconds.unwrap_or(lookup.rule.origin_timeout_seconds);
            match host.whole(body, length, seconds.saturating_mul(1000)).await {
                Ok(body) => self.body = Some(body),
                Err(failure) => {
                    report.note(format!("origin: {failure}"));
                    report.failure = Some(failure);
                    self.head = Err(failure);
                }
            }
        }
        self
    }
}

/// Asks the origin, stores what may be stored, and makes the client's answer.
///
/// `taken`: see [`crate::flow::store::lookup::Search`].
pub async fn fetch<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    mut old: Option<StaleCandidate<H::Body>>,
    taken: &StorePlacement,
    client: Client,
    report: &mut Report,
) -> Answer<H::Body> {
    let mut conditional = !lookup.head_only;
    // Twice at most: again without conditions if a 304 was about another
    // answer than ours.
    loop {
        let mut request = |report: &mut Report| {
            // Finding it took time, and so may waiting for the origin. If it
            // was purged meanwhile, a 304 would bring it back to life.
            if old.as_ref().is_some_and(|old| is_gone(isolate, old)) {
                old = None;
                report.fwd = Some("uri-miss");
                report.say("purged");
            }
            let stored = old.as_ref().map(|old| &old.hit.entry);
            report.note_asking(host.now_ms());
            origin_request(lookup, stored.filter(|_| conditional))
        };
        let mut asked = Ask::the_origin(host, isolate, lookup, &mut request, report).await;
        if let Ok(head) = &mut asked.head {
            asked.body = check_coding(host, &lookup.rule, head, asked.body).await;
        }
        if old.as_ref().is_some_and(|old| old.on_error) {
            asked = asked.whole(host, isolate, lookup, report).await;
        }
        let stored = old.as_ref().map(|old| &old.hit.entry);
        let Ask {
            seen,
            times,
            ranged,
            head,
            body,
        } = asked;
        let by_answer = head.as_ref().ok().and_then(|head| {
            // A 304 that says nothing of parameters leaves it as it was.
            let silent = head.status == 304 && !head.fields.has(no_vary_search::FIELD);
            let fields = stored.filter(|_| silent).map(|entry| &entry.fields);
            query_alias::by_answer(lookup, fields.unwrap_or(&head.fields))
        });
        // The cases in which `decide_response` may fall back to it.
        let errors = &lookup.rule.error_statuses;
        let status = head.as_ref().ok().map(|head| head.status);
        let failed = status.is_none_or(|status| errors.contains(&status));
        if failed && client == Client::Waiting {
            old = boxed(last_look(host, isolate, lookup, old, report)).await;
        }
        let stored = old.as_ref().map(|old| &old.hit.entry);
        let on_error = match &old {
            Some(old) if failed || status == Some(304) => {
                old.on_error && is_usable(host, isolate, lookup, old, report).await
            }
            _ => false,
        };
        // What the stored answer's isolate had seen before it asked was ordered
        // before we asked, too, whether we know of it or not.
        let seen = stored.map_or(seen, |stored| stored.seen.max(seen));
        let keyed = by_answer.as_ref().unwrap_or(lookup);
        let exchange = Exchange {
            lookup: keyed,
            seen,
            times,
            stored,
            on_error,
            ranged,
        };
        let next = decide_response(&exchange, head.as_ref().map_err(|failure| *failure));
        if let Ok(head) = &head
            && client == Client::Waiting
        {
            withheld::log_withheld(lookup, head, report);
            withheld::log_stripped_cookies(lookup, head, &next, report);
        }
        let passed_on = |answer| match client {
            Client::Waiting => {
                let evaluate = Evaluate::of(lookup);
                by_conditions(answer, &lookup.client, &lookup.rule, evaluate)
            }
            Client::Nobody => answer,
        };
        let received_ms = exchange.times.response_ms;
        return match next {
            ResponseDecision::AskAgain if conditional => {
                conditional = false;
                continue;
            }
            ResponseDecision::Store(entry) if taken.refusal(keyed, &entry).is_some() => {
                report.cache = "miss";
                report.detail.extend(taken.refusal(keyed, &entry));
                report.for_its_kind = true;
                passed_on(forward(head, body, received_ms))
            }
            ResponseDecision::Store(entry) => {
                if entry.status == 206 {
                    isolate.remember_part(&keyed.key.part_slot().digest);
                }
                report.cache = "miss";
                withheld::forget(isolate, lookup);
                // A page that only came too late to be fresh has no place in
                // KV, but the older copy there is none the worse for it.
                let late = entry.status < 400 && entry.terms.lifetime > 0;
                let keep = kv::copies_of(host, isolate, keyed, *entry, taken, report);
                if !late && tells_of_the_page(&exchange, None, &head) {
                    let places = &keep.places;
                    let hit = old.take().map(|old| old.hit);
                    outdate(host, isolate, lookup, hit, taken, places, report);
                }
                let answer = store(host, isolate, lookup, keep, body, client, report);
                match head {
                    Ok(head) => with_withheld(made_now(answer, &head), &head, received_ms),
                    Err(_) => answer,
                }
            }
            ResponseDecision::Refresh { entry, keep } => {
                report.cache = "revalidated";
                let reason = lookup.wishes.no_store.then_some(NotStored::RequestNoStore);
                let ends = !keep && tells_of_the_page(&exchange, reason, &head);
                let Some(old) = old else {
                    return origin_failed(OriginFailure::Unreachable);
                };
                report.set_tier(old.hit.tier);
                if keep {
                    let held = &old.hit.entry;
                    let keep = confirmed(host, isolate, keyed, *entry, held, taken, report);
                    let body = old.hit.body;
                    let answer = store(host, isolate, lookup, keep, body, client, report);
                    return match head {
                        Ok(head) => made_now(answer, &head),
                        Err(_) => answer,
                    };
                }
                let age = age_on_arrival(&entry);
                report.set_age(age);
                let answer = from_entry(&entry, lookup, client, age);
                if !ends {
                    return answer.with(old.hit.body);
                }
                let wants = answer.wants_body;
                answer.with(withdraw(
                    host, isolate, lookup, old.hit, taken, wants, report,
                ))
            }
            ResponseDecision::ServeStale => serve_stale(host, lookup, old.take(), client, report),
            ResponseDecision::Forward(reason) => {
                report.cache = "miss";
                report.detail.push(reason.word());
                report.for_its_kind = ranged
                    || head
                        .as_ref()
                        .is_ok_and(|head| is_for_its_kind(lookup, head));
                report.notes.extend(reason.advice().map(str::to_owned));
                let status = status.unwrap_or_default();
                withheld::remember(isolate, lookup, reason, status, report, received_ms);
                if tells_of_the_page(&exchange, Some(reason), &head) {
                    let hit = old.take().map(|old| old.hit);
                    outdate(host, isolate, lookup, hit, taken, &[], report);
                }
                passed_on(forward(head, body, received_ms))
            }
            // A 304 to a request without conditions tells nothing.
            ResponseDecision::AskAgain if on_error => {
                report.note("origin: a 304 about another answer".to_owned());
                serve_stale(host, lookup, old.take(), client, report)
            }
            ResponseDecision::AskAgain => {
                report.cache = "error";
                origin_failed(OriginFailure::Unreachable)
            }
            ResponseDecision::Fail(failure) => {
                report.cache = "error";
                no_answer(failure, old.is_some())
            }
        };
    }
}

/// An answer that the origin has made or confirmed for this request: Age would
/// say that it has not (RFC 9111 §5.1), unless a cache before it says so, too.
/// (However long it took: that counts for who is answered later.)
fn made_now<B>(mut answer: Answer<B>, head: &ResponseHead) -> Answer<B> {
    if !head.fields.has("age") {
        answer.fields.remove("age");
    }
    answer
}

/// The request that goes out: with our own conditions, if we hold an answer.
fn origin_request(lookup: &Lookup, stored: Option<&Entry>) -> OriginRequest {
    let mut request = lookup.origin().clone();
    if lookup.head_only {
        request.method = "HEAD".to_owned();
    }
    if let Some(range) = lookup.range_to_send(stored.is_none()) {
        request.fields.set("range", range);
        if let Some(validator) = lookup.client.get("if-range") {
            request.fields.set("if-range", validator);
        }
    } else if lookup.sends_conditions && stored.is_none() {
        for (name, value) in lookup.client_conditions() {
            request.fields.add(name, value);
        }
    }
    let conditions = [
        ("etag", "if-none-match"),
        ("last-modified", "if-modified-since"),
    ];
    let tied = stored.filter(|entry| is_tied(entry));
    let by_tag_alone = tied.is_some_and(|entry| entry.by_credentials);
    for (validator, condition) in conditions {
        if by_tag_alone && validator != "etag" {
            continue;
        }
        // The bytes of one that cannot be read are lost.
        let value = tied.and_then(|entry| entry.fields.get(validator));
        if let Some(value) = value.filter(|value| !is_unreadable(value)) {
            request.fields.set(condition, value);
        }
    }
    request
}

/// Stores an answer, and makes the client's.
pub fn store<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    mut keep: StoreRequest,
    body: Option<H::Body>,
    client: Client,
    report: &mut Report,
) -> Answer<H::Body> {
    let entry = &keep.entry;
    report.set_age(age_on_arrival(entry));
    let answer_head = from_entry(entry, lookup, client, age_on_arrival(entry));
    let for_client = answer_head.wants_body;
    query_alias::store_alias(host, isolate, lookup, &keep);
    note_stores(report, &keep.places);
    memory_tier::outdate(isolate, &mut keep);
    let mut index = isolate.index.borrow_mut();
    index.unconfirmed.fetched(keep.entry.fetched());
    drop(index);
    answer_head.with(host.keep(body, keep, for_client))
}

/// The client gets the stale copy; or a fresh one, if the last look found that.
pub fn serve_stale<H: Host>(
    host: &H,
    lookup: &Lookup,
    old: Option<StaleCandidate<H::Body>>,
    client: Client,
    report: &mut Report,
) -> Answer<H::Body> {
    let Some(old) = old else {
        return origin_failed(OriginFailure::Unreachable);
    };
    report.set_tier(old.hit.tier);
    let mut age = old.hit.age;
    if age.ttl > 0 {
        report.cache = "hit";
    } else {
        report.cache = "stale";
        report.detail.push("stale-if-error");
        // It has grown older while the origin was asked.
        (age, _) = as_stale(&old.hit.entry, None, host.now_ms());
    }
    report.set_age(age);
    from_entry(&old.hit.entry, lookup, client, age).with(old.hit.body)
}

/// Notes where a copy goes.
pub fn note_stores(report: &mut Report, places: &[(Tier, Slot)]) {
    let words = places.iter().map(|(tier, _)| tier.word());
    report.stores.extend(words);
    // The Cache API comes first.
    if let Some((_, slot)) = places.first() {
        report.entry = Some(slot.entry_url.clone());
    }
}

fn age_on_arrival(entry: &Entry) -> Age {
    let clamped = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    Age {
        age: entry.initial_age,
        ttl: clamped(entry.terms.lifetime).saturating_sub(clamped(entry.initial_age)),
    }
}
