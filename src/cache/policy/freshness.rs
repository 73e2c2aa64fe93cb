//! Freshness lifetime and stale windows of a response (RFC 9111 §4.2, RFC
//! 5861).

use crate::cache::config::rule::Rule;
use crate::http::cache_control::{self, CacheControl};
use crate::http::date;
use crate::http::head::ResponseHead;

/// For how long a response may be used, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Freshness lifetime, counted from when the origin generated the response.
    pub lifetime: u64,
    /// Window after the lifetime in which it may be served while it is
    /// refreshed.
    pub stale_while_revalidate: u64,
    /// Window after the lifetime in which it may be served if the origin fails.
    pub stale_if_error: u64,
    /// Whether a client that sends `max-stale` may receive it stale (RFC 9111
    /// §4.2.4).
    pub stale_allowed: bool,
}

/// The longest heuristic lifetime, in seconds: a day, because it is only a
/// guess.
const HEURISTIC_SECONDS_MAX: u64 = 86_400;

/// The default stale-if-error window, in seconds: a day, so that a site
/// survives a night without its origin. It applies where neither origin nor
/// rule sets one, and only if the freshness lifetime is above 0.
pub const STALE_IF_ERROR_DEFAULT: u64 = 86_400;

/// The longest lifetime, and the longest window that the origin may set, in
/// seconds: a year. A rule's own window is not limited.
const SECONDS_MAX: u64 = 31_536_000;

/// The times of an exchange with the origin, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Just before the request was sent.
    pub request_ms: u64,
    /// When the response head arrived.
    pub response_ms: u64,
}

impl Times {
    /// The time between them, in milliseconds.
    pub fn took_ms(&self) -> u64 {
        self.response_ms.saturating_sub(self.request_ms)
    }
}

/// Returns the directives for this cache, and whether they come from a targeted
/// field. Such a field replaces `Cache-Control` and `Expires` (RFC 9213 §2.2).
pub fn directives(head: &ResponseHead) -> (CacheControl, bool) {
    CacheControl::effective(&head.fields)
}

/// Returns the terms of a response, or `None` if nothing sets its freshness
/// lifetime.
pub fn terms(head: &ResponseHead, rule: &Rule, times: Times) -> Option<Terms> {
    let (control, targeted) = directives(head);
    let stated = stated(head, &control, targeted, times);
    if is_request_error(head.status) {
        // Only the rule allows storing, and limits the lifetime. The origin's
        // own lifetime is not enough, because the next request may well be a
        // different one.
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
        // As it is short, it gets no stale windows.
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
    // RFC 9111 §4.2.4: these forbid stale responses in every case.
    if control.no_cache || control.must_revalidate || control.proxy_revalidate {
        return Some(Terms {
            lifetime,
            ..Terms::default()
        });
    }
    // s-maxage implies proxy-revalidate (§5.2.2.10). So it disables our
    // default, but not a window that origin or rule set.
    let default = match control.s_maxage {
        Some(_) => 0,
        None => STALE_IF_ERROR_DEFAULT,
    };
    // A response that was never fresh may be for one reader only. Only the
    // origin itself can allow it for others.
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

/// Returns the terms of a response to a request with `Authorization`, without
/// `public`: the origin's own lifetime, without additions by rules or defaults.
/// RFC 9111 §3.5 allows storing it *to be revalidated* (`must-revalidate`,
/// `s-maxage`), so it is never used stale.
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

/// Returns the lifetime that the origin sets (RFC 9111 §4.2.1).
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

/// Whether a status means that the request is wrong, not the page (RFC 9110
/// §15.5, RFC 6585, RFC 8470). The origin may have seen something that is not
/// in the cache key, such as an unusual `Accept`, and may have a page for other
/// requests.
pub fn is_request_error(status: u16) -> bool {
    matches!(
        status,
        400 | 405 | 406 | 408 | 411..=417 | 421 | 422 | 425 | 426 | 428 | 429 | 431
    )
}

/// Whether the rule stores errors of this status (`negative_ttl`).
pub fn is_kept_by_rule(rule: &Rule, status: u16) -> bool {
    negative(rule, status).is_some()
}

/// Whether the origin sets a freshness lifetime.
pub fn is_stated(head: &ResponseHead, times: Times) -> bool {
    let (control, targeted) = directives(head);
    stated(head, &control, targeted, times).is_some()
}

/// Returns the age on arrival, in seconds: corrected_initial_age of RFC 9111
/// §4.2.3.
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

/// Returns `Expires` minus `Date`, in seconds. An invalid `Expires` is in the
/// past (§5.3).
fn expires_after(expires: &str, head: &ResponseHead, times: Times) -> u64 {
    let sent = head
        .fields
        .get("date")
        .and_then(date::parse)
        .unwrap_or(times.response_ms / 1000);
    date::parse_at(expires, sent).map_or(0, |until| until.saturating_sub(sent))
}

/// Returns the rule's `negative_ttl` of a status, in seconds.
fn negative(rule: &Rule, status: u16) -> Option<u64> {
    let named = rule.negative_ttl.iter().find(|(of, _)| *of == status);
    let seconds = named.map(|(_, seconds)| (*seconds).min(SECONDS_MAX));
    seconds.filter(|seconds| *seconds > 0)
}

/// Returns a tenth of the time since the response was last modified (RFC 9111
/// §4.2.2), if the rule enables it and the status or `public` allows it.
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
        // No basis for a guess, but it can be revalidated: store it with
        // lifetime 0.
        None => head.fields.has("etag").then_some(0),
    }
}

/// Whether this cache implements the caching requirements of a status
/// (`must-understand`, RFC 9111 §5.2.2.3): exactly those of RFC 9110 §15.
pub fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200..=206 | 300..=305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// Whether a status is heuristically cacheable (RFC 9110 §15.1).
fn is_cacheable_by_default(status: u16) -> bool {
    matches!(
        status,
        200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether a rule's edge TTL applies to a status. It is meant for pages:
/// statuses that are heuristically cacheable (RFC 9110 §15.1) and not errors.
fn may_be_overridden(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308)
}
