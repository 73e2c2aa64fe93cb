//! Request collapsing: how many of the requests for one missing answer may ask
//! the origin (RFC 9111 §4).
//!
//! One does, and the others wait for its copy. Whether there will be one they
//! cannot know: the answer may turn out to be for the first reader alone, that
//! reader may be slow to read it, or its request may be one that the origin is
//! slow to answer. So the wait has a bound, after which some more ask, and some
//! more each second: all at once would be the crowd that collapsing is to keep
//! from an origin that is slow because it is busy.

use super::freshness::blames_request;
use crate::cache::config::settings::Collapse;
use crate::cache::key::variant::choosing_fields;
use crate::cache::purge::selector::mark_of;
use crate::cache::request::classify::Lookup;
use crate::http::cache_control::RequestControl;
use crate::http::head::ResponseHead;

/// How long the first request is alone. Most pages are made, and most copies
/// stored, within a second.
pub const ALONE_MS: u64 = 1_000;

/// The same where an answer has been stored before, so that another one is
/// likely: what nginx waits (`proxy_cache_lock_timeout`).
pub const ALONE_KNOWN_MS: u64 = 5_000;

/// How many may ask after that, and how many more each second. A thousand
/// readers of a page that takes three seconds make 12 requests; the tenth
/// reader of one that cannot be shared waits for three seconds at most.
const EACH_SECOND: u64 = 4;

/// How many requests may have asked the origin `waited_ms` after the first, or
/// may ask beside the first `waited_ms` after its head came.
pub fn most(waited_ms: u64, alone_ms: u64) -> u64 {
    match waited_ms.checked_sub(alone_ms) {
        None => 1,
        Some(beyond_ms) => (beyond_ms / 1000)
            .saturating_add(1)
            .saturating_mul(EACH_SECOND),
    }
}

/// Whether others may be answered by what this request fetches, and it by what
/// they do.
pub fn may_share(lookup: &Lookup) -> bool {
    lookup.rule.collapse != Collapse::Off
        && !lookup.head_only
        && !lookup.authorized
        && lookup.wishes == RequestControl::default()
}

/// What a request is to the origin: two of one kind are answered alike, but for
/// a `Range`. Of two that differ, by an odd `Accept` perhaps, one may be refused
/// what the other is given.
pub fn kind_of(lookup: &Lookup) -> u64 {
    mark_of(&lookup.origin().fields.to_text())
}

/// The key of the requests of one kind among those for `key`.
pub fn key_of_kind(key: &str, kind: u64) -> String {
    let suffix = format!("-{kind:016x}");
    match key.ends_with(&suffix) {
        true => key.to_owned(),
        false => key.to_owned() + &suffix,
    }
}

/// The key of the requests for one part of the answer of `key`.
pub fn key_of_part(key: &str, range: &str, if_range: Option<&str>) -> String {
    let if_range = if_range.unwrap_or_default();
    format!(
        "{key}-part-{:016x}",
        mark_of(&format!("{range}\n{if_range}"))
    )
}

/// Whether an answer that is not stored depends on what this request asked
/// with: it blames the request, or varies by a field that this one has. (By
/// its codings no answer is more, or less, somebody's.)
pub fn is_for_its_kind(lookup: &Lookup, head: &ResponseHead) -> bool {
    let names = choosing_fields(&head.fields).unwrap_or_default();
    let chosen = |name: &String| {
        name != "accept-encoding" && lookup.client.has(name) && lookup.choice(name).is_some()
    };
    blames_request(head.status) || names.iter().any(chosen)
}
