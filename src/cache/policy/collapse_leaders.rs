//! Request collapsing: how many of the requests for one missing response may go
//! to the origin (RFC 9111 §4).
//!
//! One request is the leader; the followers wait for the response that it
//! stores. They cannot be sure that it stores one: the response may be for the
//! leader's client only, that client may read it slowly, or the origin may be
//! slow for this request. So the wait is bounded. After it, a few more requests
//! go to the origin, and a few more each second. All at once would be the load
//! that collapsing prevents, on an origin that is slow because it is busy.

use super::freshness::is_request_error;
use crate::cache::config::setting_words::Collapse;
use crate::cache::key::variant::choosing_fields;
use crate::cache::purge::selector::mark_of;
use crate::cache::request::classify::Lookup;
use crate::http::cache_control::RequestControl;
use crate::http::head::ResponseHead;

/// How long the first request is the only leader, in milliseconds. Most
/// responses are generated and stored within a second.
pub const ALONE_MS: u64 = 1_000;

/// The same if a response was stored before, so that it is likely to be stored
/// again: nginx's default (`proxy_cache_lock_timeout`).
pub const ALONE_KNOWN_MS: u64 = 5_000;

/// How many leaders are added after that time, and then each second. A thousand
/// readers of a page that takes three seconds cause 12 requests. The tenth
/// reader of a response that cannot be shared waits three seconds at most.
const EACH_SECOND: u64 = 4;

/// Returns how many requests may have gone to the origin `waited_ms` after the
/// first one; or, `waited_ms` after the head of the first one arrived, how many
/// may go beside it.
pub fn most(waited_ms: u64, alone_ms: u64) -> u64 {
    match waited_ms.checked_sub(alone_ms) {
        None => 1,
        Some(beyond_ms) => (beyond_ms / 1000)
            .saturating_add(1)
            .saturating_mul(EACH_SECOND),
    }
}

/// Whether this request may be collapsed with others, as leader or follower.
pub fn may_share(lookup: &Lookup) -> bool {
    lookup.rule.collapse != Collapse::Off
        && !lookup.head_only
        && !lookup.authorized
        && lookup.request_control == RequestControl::default()
}

/// Returns the digest of what the origin receives of a request. The origin
/// responds alike to requests with equal digests, except for `Range`. To
/// requests that differ, such as by an unusual `Accept`, it may respond
/// differently: one may be refused.
pub fn kind_of(lookup: &Lookup) -> u64 {
    mark_of(&lookup.origin().fields.to_text())
}

/// Returns the key of the requests of one kind among those for `key`.
pub fn key_of_kind(key: &str, kind: u64) -> String {
    let suffix = format!("-{kind:016x}");
    match key.ends_with(&suffix) {
        true => key.to_owned(),
        false => key.to_owned() + &suffix,
    }
}

/// Returns the key of the requests for one part of the response of `key`.
pub fn key_of_part(key: &str, range: &str, if_range: Option<&str>) -> String {
    let if_range = if_range.unwrap_or_default();
    format!(
        "{key}-part-{:016x}",
        mark_of(&format!("{range}\n{if_range}"))
    )
}

/// Whether a response that is not stored depends on the fields of this request:
/// its status blames the request, or it varies by a field that this request
/// has. (`Accept-Encoding` is ignored: a content coding does not make a
/// response personal.)
pub fn is_for_its_kind(lookup: &Lookup, head: &ResponseHead) -> bool {
    let names = choosing_fields(&head.fields).unwrap_or_default();
    let chosen = |name: &String| {
        name != "accept-encoding" && lookup.client.has(name) && lookup.choice(name).is_some()
    };
    is_request_error(head.status) || names.iter().any(chosen)
}
