//! Cookies and fields that the origin does not receive: logs them, and sends
//! requests whole if responses depend on them.
//!
//! A request that may be answered from the cache reaches the origin without its
//! cookies, because its response is to be shared. If the response turns out to
//! be personal, it was generated without cookies: a signed-in client would see
//! a stranger's page. So the URL is remembered, as for hit-for-miss, and the
//! next requests with cookies are sent whole. A stored response still has
//! precedence, so clients cannot use this to turn hits into origin requests.

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

/// How many names of cookies or fields a log note lists, and how many
/// characters of each. Clients choose them, so they are limited.
const NAMES_MAX: usize = 5;
const NAME_CHARS_MAX: usize = 64;

/// Logs which cookies, and which fields of `Vary`, the origin did not receive.
pub fn log_withheld(lookup: &Lookup, head: &ResponseHead, log: &mut RequestLog) {
    let cookies = listed(cookies_of(&lookup.rule, &lookup.client));
    if !cookies.is_empty() {
        log.add_detail("cookie-withheld");
        log.add_note(format!(
            "cookie-withheld: the origin did not get the cookies {cookies}. If pages depend on \
             one, name it in bypass_cookies or key_cookies; if none does, in drop_cookies"
        ));
    }
    let fields = vary_of(&lookup.rule, &head.fields);
    let fields = listed(fields.iter().map(String::as_str));
    if !fields.is_empty() {
        log.add_detail("vary-on-dropped");
        log.add_note(format!(
            "vary-on-dropped: the answer varies on {fields}, which the origin does not get, so \
             all readers get what it answers without. Name it in key_headers"
        ));
    }
}

/// Logs what happened to `Set-Cookie` fields of a response, if the rule removes
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
        (
            ResponseDecision::Store(_)
            | ResponseDecision::Freshen {
                may_store: true, ..
            },
            None,
        ) => {
            log.add_detail("set-cookie-stripped");
        }
        (ResponseDecision::Forward(_), Some(KeptCookie::OfSession(name))) => {
            log.add_detail("session-cookie");
            let name = listed([name].into_iter());
            log.add_note(format!(
                "strip_set_cookie: {name} is a cookie of a session or of a form's token, so the \
                 answer keeps its cookies, and is not stored"
            ));
        }
        (ResponseDecision::Forward(NotStored::SetCookie), Some(KeptCookie::Unnamed(name))) => {
            let name = listed([name].into_iter());
            log.add_note(format!("strip_set_cookie: the rule does not name {name}"));
        }
        _ => {}
    }
}

/// The first [`NAMES_MAX`] distinct names, as a list.
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

/// Remembers that a response not stored for `reason` may differ for a request
/// with cookies.
pub fn remember_personal(
    isolate: &Isolate,
    lookup: &Lookup,
    reason: NotStored,
    status: u16,
    for_its_kind: bool,
    now_ms: u64,
) {
    // A response to a request with credentials depends on them, not on the URL.
    if lookup.authorized || !may_need_cookies(reason, status) {
        return;
    }
    let digest = &lookup.key.slot().digest;
    // As for hit-for-miss: a response to unusual preferences counts only for
    // requests of its kind.
    let key = match for_its_kind {
        true => key_of_kind(digest, kind_of(lookup)),
        false => digest.clone(),
    };
    let until_ms = now_ms.saturating_add(PERSONAL_MS);
    isolate.personal.borrow_mut().add(&key, until_ms, now_ms);
}

/// Forgets a URL, because its response without cookies can be shared again.
pub fn forget_personal(isolate: &Isolate, lookup: &Lookup) {
    let mut personal = isolate.personal.borrow_mut();
    if !personal.is_empty() {
        let digest = &lookup.key.slot().digest;
        personal.forget(digest);
        personal.forget(&key_of_kind(digest, kind_of(lookup)));
    }
}

/// Whether a request without a stored response is sent to the origin whole.
pub fn is_sent_whole(isolate: &Isolate, lookup: &Lookup, now_ms: u64) -> bool {
    personal_key(isolate, lookup, now_ms).is_some() && has_own_cookie(&lookup.rule, &lookup.client)
}

/// The key under which the URL is remembered as personal.
fn personal_key(isolate: &Isolate, lookup: &Lookup, now_ms: u64) -> Option<String> {
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

/// Sends a request whole. If its response is still personal, the URL is
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
    let held = personal_key(isolate, lookup, host.now_ms());
    let whole = host.whole_head().unwrap_or_else(|| request.clone());
    host.hold_bytes(whole.fields.bytes());
    let to_origin = whole_request(&isolate.rules, &lookup.rule, &whole);
    let request = PassRequest {
        reason: Bypass::Personal,
        request: &whole,
        rule: &lookup.rule,
        to_origin: &to_origin,
    };
    let (answer, received) = pass(host, isolate, request, None, log).await;
    let now_ms = host.now_ms();
    let stays = received.is_some_and(|it| stays_personal(lookup, it.head, now_ms));
    if let Some(key) = held.filter(|_| stays) {
        let until_ms = now_ms.saturating_add(PERSONAL_MS);
        isolate.personal.borrow_mut().add(&key, until_ms, now_ms);
    }
    answer
}

/// Whether the response to a whole request could not be stored either.
///
/// `head` is the origin's, because clients do not get the fields for caches. A
/// 304 is judged like the 200 that it confirms (RFC 9110 §15.4.5). One without
/// caching fields confirms a page that could not be stored.
fn stays_personal(lookup: &Lookup, mut head: ResponseHead, now_ms: u64) -> bool {
    // The same condition as in [`remember_personal`].
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
