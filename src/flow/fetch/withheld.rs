//! What of a request the origin does not get: saying so, and sending the
//! request whole where answers depend on it.
//!
//! A request that may be answered from the cache reaches the origin without its
//! cookies, as its answer is to be for all. Where that answer turns out to be
//! somebody's, it was made for nobody: the reader has been signed in, and sees
//! the page of a stranger. So it is remembered of the URL, as hit-for-miss is,
//! and the next requests with cookies go whole. What is stored is served
//! before: nobody can turn a hit into a request to the origin by it.

use super::pass::{PassRequest, pass};
use crate::cache::key::cookies::{self, KeptCookie};
use crate::cache::policy::collapse_leaders::{key_of_kind, kind_of};
use crate::cache::policy::freshness::Times;
use crate::cache::policy::storability::{Exchange, NotStored, ResponseDecision, decide_response};
use crate::cache::policy::withheld_fields::{
    PERSONAL_MS, cookies_of, has_own_cookie, may_need_cookies, vary_of,
};
use crate::cache::request::classify::{Bypass, Lookup, whole_request};
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::reply::Answer;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::Host;
use crate::http::head::{RequestHead, ResponseHead};

/// How many names of cookies, or fields, a note of the log lists, and how much
/// of each: clients choose them.
const NAMES_MAX: usize = 5;
const NAME_CHARS_MAX: usize = 64;

/// Says which cookies, and which fields of `Vary`, the origin did not get.
pub fn log_withheld(lookup: &Lookup, head: &ResponseHead, log: &mut RequestLog) {
    let cookies = listed(cookies_of(&lookup.rule, &lookup.client));
    if !cookies.is_empty() {
        log.say("cookie-withheld");
        log.note(format!(
            "cookie-withheld: the origin did not get the cookies {cookies}. If pages depend on \
             one, name it in bypass_cookies or key_cookies; if none does, in drop_cookies"
        ));
    }
    let fields = vary_of(&lookup.rule, &head.fields);
    let fields = listed(fields.iter().map(String::as_str));
    if !fields.is_empty() {
        log.say("vary-on-dropped");
        log.note(format!(
            "vary-on-dropped: the answer varies on {fields}, which the origin does not get, so \
             all readers get what it answers without. Name it in key_headers"
        ));
    }
}

/// Says what became of the cookies that an answer sets, where its rule takes
/// some (`strip_set_cookie`).
pub fn log_stripped_cookies(
    lookup: &Lookup,
    head: &ResponseHead,
    next: &ResponseDecision,
    log: &mut RequestLog,
) {
    if lookup.rule.strip_set_cookie.is_empty() || !head.fields.has("set-cookie") {
        return;
    }
    match (next, cookies::kept(&head.fields, &lookup.rule)) {
        (ResponseDecision::Store(_) | ResponseDecision::Refresh { keep: true, .. }, None) => {
            log.say("set-cookie-stripped");
        }
        (ResponseDecision::Forward(_), Some(KeptCookie::OfSession(name))) => {
            log.say("session-cookie");
            let name = listed([name].into_iter());
            log.note(format!(
                "strip_set_cookie: {name} is a cookie of a session or of a form's token, so the \
                 answer keeps its cookies, and is not stored"
            ));
        }
        (ResponseDecision::Forward(NotStored::SetCookie), Some(KeptCookie::Unnamed(name))) => {
            let name = listed([name].into_iter());
            log.note(format!("strip_set_cookie: the rule does not name {name}"));
        }
        _ => {}
    }
}

/// The first of these names, each once.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut list: Vec<&str> = Vec::new();
    for name in names {
        if list.contains(&name) {
            continue;
        }
        if list.len() == NAMES_MAX {
            list.push("…");
            break;
        }
        list.push(name);
    }
    let short = |name: &&str| name.chars().take(NAME_CHARS_MAX).collect::<String>();
    list.iter().map(short).collect::<Vec<_>>().join(", ")
}

/// Remembers that an answer, which is not stored for this reason, may be
/// another one to a request with cookies.
pub fn remember(
    isolate: &Isolate,
    lookup: &Lookup,
    reason: NotStored,
    status: u16,
    for_its_kind: bool,
    now_ms: u64,
) {
    // What was asked for by credentials is of those, not of the URL.
    if lookup.authorized || !may_need_cookies(reason, status) {
        return;
    }
    let digest = &lookup.key.slot().digest;
    // Like hit-for-miss: an answer to an odd request tells of its like alone.
    let key = match for_its_kind {
        true => key_of_kind(digest, kind_of(lookup)),
        false => digest.clone(),
    };
    let until_ms = now_ms.saturating_add(PERSONAL_MS);
    isolate.personal.borrow_mut().add(&key, until_ms, now_ms);
}

/// An answer to a request without cookies is for all again.
pub fn forget(isolate: &Isolate, lookup: &Lookup) {
    let mut personal = isolate.personal.borrow_mut();
    if !personal.is_empty() {
        let digest = &lookup.key.slot().digest;
        personal.forget(digest);
        personal.forget(&key_of_kind(digest, kind_of(lookup)));
    }
}

/// Whether a request, for which nothing is stored, goes to the origin whole.
pub fn is_sent_whole(isolate: &Isolate, lookup: &Lookup, now_ms: u64) -> bool {
    held_by(isolate, lookup, now_ms).is_some() && has_own_cookie(&lookup.rule, &lookup.client)
}

/// The key by which it is remembered that answers depend on who asks.
fn held_by(isolate: &Isolate, lookup: &Lookup, now_ms: u64) -> Option<String> {
    let personal = isolate.personal.borrow();
    if personal.is_empty() {
        return None;
    }
    let digest = &lookup.key.slot().digest;
    if personal.holds(digest, now_ms) {
        return Some(digest.clone());
    }
    let key = key_of_kind(digest, kind_of(lookup));
    personal.holds(&key, now_ms).then_some(key)
}

/// Sends a request whole. Where the answer is somebody's still, that is
/// remembered for longer.
pub async fn send_whole<H: Host>(
    cx: RequestCx<'_, H>,
    request: &RequestHead,
    log: &mut RequestLog,
) -> Answer<H::Body> {
    let RequestCx {
        host,
        isolate,
        lookup,
        ..
    } = cx;
    let held = held_by(isolate, lookup, host.now_ms());
    let whole = host.whole_head().unwrap_or_else(|| request.clone());
    host.hold_bytes(whole.fields.bytes());
    let to_origin = whole_request(&isolate.rules, &lookup.rule, &whole);
    let request = PassRequest {
        reason: Bypass::Personal,
        request: &whole,
        rule: &lookup.rule,
        to_origin: &to_origin,
    };
    let (answer, raw) = pass(host, isolate, request, None, log).await;
    let now_ms = host.now_ms();
    let stays = raw.is_some_and(|head| stays_personal(lookup, head, now_ms));
    if let Some(key) = held.filter(|_| stays) {
        let until_ms = now_ms.saturating_add(PERSONAL_MS);
        isolate.personal.borrow_mut().add(&key, until_ms, now_ms);
    }
    answer
}

/// Whether an answer to a whole request would not be stored either, as the
/// origin sent it: what is for caches alone, no client gets. A 304 tells of the
/// page that it confirms what a 200 would (RFC 9110 §15.4.5), and one that says
/// nothing of caches confirms what could not be kept.
fn stays_personal(lookup: &Lookup, mut head: ResponseHead, now_ms: u64) -> bool {
    // As where it begins ([`remember`]).
    if lookup.authorized {
        return false;
    }
    if head.status == 304 {
        head.status = 200;
    }
    let exchange = Exchange {
        lookup,
        seen: 0,
        times: Times {
            request_ms: now_ms,
            response_ms: now_ms,
        },
        stored: None,
        on_error: false,
        ranged: false,
    };
    match decide_response(&exchange, Ok(&head)) {
        ResponseDecision::Forward(reason) => may_need_cookies(reason, head.status),
        _ => false,
    }
}
