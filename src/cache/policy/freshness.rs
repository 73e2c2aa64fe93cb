//! How long an answer is fresh, and how long it may be used after that
//! (RFC 9111 §4.2, RFC 5861).

use crate::cache::config::rule::Rule;
use crate::http::cache_control::{self, CacheControl};
use crate::http::date;
use crate::http::head::ResponseHead;

/// For how long an answer may be used. Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Freshness lifetime, counted from when the origin made the answer.
    pub lifetime: u64,
    /// After that, may be served while it is refreshed.
    pub stale_while_revalidate: u64,
    /// After the lifetime, may be served when the origin fails.
    pub stale_if_error: u64,
    /// Whether a client that says so (`max-stale`) may have it stale
    /// (RFC 9111 §4.2.4).
    pub stale_allowed: bool,
}

/// Heuristic freshness ends here, a day: a guess should not last longer.
const HEURISTIC_SECONDS_MAX: u64 = 86_400;

/// The stale-if-error window where neither origin nor rule names one: a day,
/// so that a site survives a night without its origin. Only for what had a
/// lifetime.
pub const STALE_IF_ERROR_DEFAULT: u64 = 86_400;

/// No lifetime counts for more than a year, and no window that the origin
/// names. A rule's own window counts as it stands.
const SECONDS_MAX: u64 = 31_536_000;

/// When an exchange with the origin happened, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Just before the request was sent.
    pub request_ms: u64,
    /// When the response head had come.
    pub response_ms: u64,
}

impl Times {
    /// How long that took.
    pub fn took_ms(&self) -> u64 {
        self.response_ms.saturating_sub(self.request_ms)
    }
}

/// The directives that hold for this cache, and whether a targeted field says
/// them: such a field replaces `Cache-Control` and `Expires` (RFC 9213 §2.2).
pub fn directives(head: &ResponseHead) -> (CacheControl, bool) {
    CacheControl::effective(&head.fields)
}

/// The terms of an answer, or `None` if nothing says for how long it is fresh.
pub fn terms(head: &ResponseHead, rule: &Rule, times: Times) -> Option<Terms> {
    let (control, targeted) = directives(head);
    let stated = stated(head, &control, targeted, times);
    if blames_request(head.status) {
        // The rule says whether and for how long at most; its lifetime alone
        // says nothing, because the next request may well be another.
        let most = negative(rule, head.status)?;
        let lifetime = stated.unwrap_or(most).min(most);
        return Some(Terms {
            lifetime: if control.no_cache { 0 } else { lifetime },
            ..Terms::default()
        });
    }
    if stated.is_none()
        && !control.no_cache
        && let Some(lifetime) = negative(rule, head.status)
    {
        // Short as it is, it has no windows beyond.
        return Some(Terms {
            lifetime,
            ..Terms::default()
        });
    }
    let stated = stated.or_else(|| heuristic(head, rule, &control, times));
    let overriding = rule.edge_ttl.filter(|_| may_be_overridden(head.status));
    // RFC 9111 §3: without a lifetime only these may be stored.
    let storable = control.public || is_cacheable_by_default(head.status);
    let lifetime = match overriding.or(stated) {
        Some(_) if control.no_cache => 0,
        None if control.no_cache && storable => 0,
        Some(lifetime) => lifetime.min(SECONDS_MAX),
        None => return None,
    };
    // RFC 9111 §4.2.4: these forbid stale answers, whatever else is said.
    if control.no_cache || control.must_revalidate || control.proxy_revalidate {
        return Some(Terms {
            lifetime,
            ..Terms::default()
        });
    }
    // s-maxage carries proxy-revalidate's meaning (§5.2.2.10): our default
    // yields to it; what origin or rule say of stale answers does not.
    let default = match control.s_maxage {
        Some(_) => 0,
        None => STALE_IF_ERROR_DEFAULT,
    };
    // What was never fresh may be one reader's alone: only the origin itself
    // can say that it may be shown to another.
    let was_fresh = lifetime > 0;
    let window = |origin: Option<u64>, rule: Option<u64>, default| {
        let origin = origin.map(|seconds| seconds.min(SECONDS_MAX));
        let ours = if was_fresh {
            rule.unwrap_or(default)
        } else {
            0
        };
        origin.unwrap_or(ours)
    };
    Some(Terms {
        lifetime,
        stale_while_revalidate: window(
            control.stale_while_revalidate,
            rule.stale_while_revalidate,
            0,
        ),
        stale_if_error: window(control.stale_if_error, rule.stale_if_error, default),
        stale_allowed: control.s_maxage.is_none(),
    })
}

/// The terms of an answer to a request with `Authorization` that the origin
/// did not call `public`: its own lifetime, and nothing that a rule or a default
/// adds. RFC 9111 §3.5 allows to store it *to be revalidated*
/// (`must-revalidate`, `s-maxage`), so that it is never used stale.
pub fn terms_by_credentials(head: &ResponseHead, times: Times) -> Option<Terms> {
    let (control, targeted) = directives(head);
    let stated = stated(head, &control, targeted, times);
    let lifetime = match control.no_cache {
        true => 0,
        false => stated?.min(SECONDS_MAX),
    };
    Some(Terms {
        lifetime,
        ..Terms::default()
    })
}

/// The lifetime that the origin states (RFC 9111 §4.2.1).
fn stated(
    head: &ResponseHead,
    control: &CacheControl,
    targeted: bool,
    times: Times,
) -> Option<u64> {
    control.s_maxage.or(control.max_age).or_else(|| {
        let expires = head.fields.get("expires").filter(|_| !targeted)?;
        Some(expires_after(expires, head, times))
    })
}

/// Whether a status says that something is wrong with the request, not with
/// the page (RFC 9110 §15.5, RFC 6585, RFC 8470): the origin may have seen what
/// is not in the key, such as an odd `Accept`, and has a page for the others.
pub fn blames_request(status: u16) -> bool {
    matches!(
        status,
        400 | 405 | 406 | 408 | 411..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431
    )
}

/// Whether the rule has errors of this status kept.
pub fn is_kept_by_rule(rule: &Rule, status: u16) -> bool {
    negative(rule, status).is_some()
}

/// Whether the origin says for how long an answer is fresh.
pub fn is_stated(head: &ResponseHead, times: Times) -> bool {
    let (control, targeted) = directives(head);
    stated(head, &control, targeted, times).is_some()
}

/// The current age on arrival: corrected_initial_age of RFC 9111 §4.2.3.
pub fn initial_age(head: &ResponseHead, times: Times) -> u64 {
    let arrived = times.response_ms / 1000;
    let apparent = head
        .fields
        .get("date")
        .and_then(date::parse)
        .map_or(0, |sent| arrived.saturating_sub(sent));
    let delay = times.took_ms() / 1000;
    let corrected = cache_control::age(&head.fields).saturating_add(delay);
    apparent.max(corrected)
}

/// `Expires` less `Date`; an `Expires` that is no date has passed (§5.3).
fn expires_after(expires: &str, head: &ResponseHead, times: Times) -> u64 {
    let sent = head
        .fields
        .get("date")
        .and_then(date::parse)
        .unwrap_or(times.response_ms / 1000);
    date::parse_at(expires, sent).map_or(0, |until| until.saturating_sub(sent))
}

/// For how long the rule has an error kept that says nothing of it.
fn negative(rule: &Rule, status: u16) -> Option<u64> {
    let named = rule.negative_ttl.iter().find(|(of, _)| *of == status);
    let seconds = named.map(|(_, seconds)| (*seconds).min(SECONDS_MAX));
    seconds.filter(|seconds| *seconds > 0)
}

/// A tenth of the time since the answer was last modified (RFC 9111 §4.2.2),
/// where the rule wants it and the status or `public` allows it.
fn heuristic(
    head: &ResponseHead,
    rule: &Rule,
    control: &CacheControl,
    times: Times,
) -> Option<u64> {
    let allowed = control.public || is_cacheable_by_default(head.status);
    if !rule.heuristic_freshness || !allowed {
        return None;
    }
    let date = |name| head.fields.get(name).and_then(date::parse);
    let sent = date("date").unwrap_or(times.response_ms / 1000);
    match date("last-modified") {
        Some(modified) => Some((sent.checked_sub(modified)? / 10).min(HEURISTIC_SECONDS_MAX)),
        // Nothing to guess from, but something to ask by: kept for validation.
        None => head.fields.has("etag").then_some(0),
    }
}

/// Whether the caching requirements of a status are known here
/// (`must-understand`, RFC 9111 §5.2.2.3): those of RFC 9110 §15, and no
/// others.
pub fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// RFC 9110 §15.1.
fn is_cacheable_by_default(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// An edge TTL is meant for pages, not for errors: it holds for the statuses
/// that are cacheable by default (RFC 9110 §15.1) and no error.
fn may_be_overridden(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308)
}
