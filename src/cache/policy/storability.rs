//! Decides whether a response may be stored, and what the client receives (RFC
//! 9111 §3 and §4.3.3, RFC 5861 §4).

use super::cache_tags;
use super::early_refresh;
use super::entry::Entry;
use super::freshness::{self, Times};
use super::partial_content::Part;
use super::self_redirect;
use crate::cache::esi::parser::{self, Coding};
use crate::cache::key::cookies;
use crate::cache::key::variant;
use crate::cache::matching::tag::TAGS_MAX;
use crate::cache::origin::failure::OriginFailure;
use crate::cache::purge::groups;
use crate::cache::purge::selector;
use crate::cache::request::classify::Lookup;
use crate::cache::request::origin_request::VIA;
use crate::http::cache_control::CLOUDFLARE_FIELD;
use crate::http::fields::{Fields, is_unreadable, strip_hop_by_hop};
use crate::http::head::ResponseHead;
use crate::http::{cache_control, date, range};

/// What happens after the origin responded or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseDecision {
    /// The client receives the response, and it is stored.
    Store(Box<Entry>),
    /// The stored response was revalidated: its body is reused with this head.
    Freshen {
        /// The entry with the fields of the 304.
        entry: Box<Entry>,
        /// Whether the entry may be stored again.
        may_store: bool,
    },
    /// The client receives the response; it is not stored.
    Forward(NotStored),
    /// The client receives the stored response, stale.
    ServeStale,
    /// The origin's 304 does not match the stored response: repeat the request
    /// without conditions.
    RepeatUnconditionally,
    /// The client receives an error.
    Fail(OriginFailure),
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// `no-store`
    NoStore,
    /// `must-understand`, and the status is not one of RFC 9110.
    NotUnderstood,
    /// The client sent `no-store`, and the rule respects it.
    RequestNoStore,
    /// `private`
    Private,
    /// It sets a cookie against cross-site request forgery: its body may
    /// contain the token.
    CsrfToken,
    /// It sets a cookie, so it is personal.
    SetCookie,
    /// The request has `Authorization`, and the response does not allow storing
    /// it (§3.5).
    Authorization,
    /// It depends on the client's credentials: 401, 407, or any error in
    /// response to a request with `Authorization`.
    Credentials,
    /// Its status blames the request ([`freshness::is_request_error`]), and no
    /// `negative_ttl` allows storing it; or it would replace a stored page.
    RequestError,
    /// `Vary: *`, or too many fields in `Vary`.
    Vary,
    /// Neither origin nor rule sets its freshness lifetime.
    NoFreshness,
    /// It redirects to the requested URL: clients that receive it from the
    /// cache request it again, endlessly.
    SelfRedirect,
    /// It arrived older than it may be used, and has no validator.
    Expired,
    /// A 304; a 206 that is not a single part with a strong validator; any
    /// other response to a `Range` except a whole one.
    Status,
    /// The request was HEAD.
    Head,
    /// The request carried its client's conditions, which are not in the cache
    /// key.
    Conditional,
    /// It has more tags or groups than an entry may have: a purge could miss
    /// it.
    TooManyTags,
    /// Its head or its tags are too large for the tiers
    /// ([`Entry::fits_the_tiers`]).
    LargeHead,
    /// It is to be assembled from fragments, and its content coding is not
    /// supported.
    Coded,
}

impl NotStored {
    /// Returns a word for logs and `Cache-Status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::NotUnderstood => "not-understood",
            Self::RequestNoStore => "request-no-store",
            Self::Private => "private",
            Self::CsrfToken => "csrf-token",
            Self::SetCookie => "set-cookie",
            Self::Authorization => "authorization",
            Self::Credentials => "credentials",
            Self::RequestError => "request-error",
            Self::Vary => "vary",
            Self::NoFreshness => "no-freshness",
            Self::SelfRedirect => "self-redirect",
            Self::Expired => "expired",
            Self::Status => "status",
            Self::Head => "head",
            Self::Conditional => "conditional",
            Self::TooManyTags => "too-many-tags",
            Self::LargeHead => "large-head",
            Self::Coded => "coded",
        }
    }

    /// Returns the advice that the log adds where a word is not enough.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::CsrfToken => Some(
                "csrf-token: the answer sets a CSRF cookie, so a token of this reader is in its \
                 body; it is never stored, and for a minute requests with such a cookie go whole. \
                 Give the form an address of its own, with a rule cache = false",
            ),
            Self::SelfRedirect => Some(
                "self-redirect: the origin redirects to the URL that it was asked for. It \
                 probably reads the host or scheme of its own connection, and should read \
                 X-Forwarded-Host and X-Forwarded-Proto",
            ),
            Self::LargeHead => Some(
                "large-head: fields and tags of the answer are more than the tiers take. Send \
                 fewer or shorter tags",
            ),
            Self::TooManyTags => Some("too-many-tags: a purge could miss the answer"),
            _ => None,
        }
    }
}

/// An exchange with the origin.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The lookup of the request.
    pub lookup: &'a Lookup,
    /// The sequence number seen before the request to the origin.
    pub seen: u64,
    /// The times of the exchange.
    pub times: Times,
    /// The stored response that was to be revalidated or replaced.
    pub stored: Option<&'a Entry>,
    /// Whether it may be served if the origin fails.
    pub on_error: bool,
    /// Whether the client's `Range` was forwarded.
    pub ranged: bool,
}

/// Decides what happens with a response or failure of the origin.
pub fn decide_response(
    exchange: &Exchange<'_>,
    origin: Result<&ResponseHead, OriginFailure>,
) -> ResponseDecision {
    let stored = exchange.stored;
    let fall_back = stored.filter(|_| exchange.on_error);
    let head = match origin {
        Ok(head) => head,
        Err(failure) if fall_back.is_none() => return ResponseDecision::Fail(failure),
        Err(_) => return ResponseDecision::ServeStale,
    };
    // RFC 5861 §4, and the rule's own `error_statuses`.
    let failed = exchange.lookup.rule.error_statuses.contains(&head.status);
    if failed && fall_back.is_some() {
        return ResponseDecision::ServeStale;
    }
    match stored {
        Some(stored) if head.status == 304 => freshen(exchange, stored, head),
        Some(stored) if exchange.lookup.head_only && is_same(stored, head) => {
            freshen(exchange, stored, head)
        }
        _ if exchange.lookup.head_only => ResponseDecision::Forward(NotStored::Head),
        _ => match entry(exchange, head, false) {
            Ok(entry) => ResponseDecision::Store(Box::new(entry)),
            Err(reason) => ResponseDecision::Forward(reason),
        },
    }
}

/// Whether a 304 matches the stored response: its validator, the ETag before
/// the date, must be one of the stored response (RFC 9111 §4.3.4).
fn is_about(stored: &Entry, head: &ResponseHead) -> bool {
    if !is_tied(stored) {
        return false;
    }
    let opaque = |fields: &Fields| {
        let etag = fields.get("etag")?;
        Some(etag.trim().trim_start_matches("W/").to_owned())
    };
    if let Some(etag) = opaque(&head.fields) {
        return !is_unreadable(&etag) && opaque(&stored.fields) == Some(etag);
    }
    let modified = head.fields.get("last-modified");
    modified.is_none() || modified == stored.fields.get("last-modified")
}

/// Whether a validator can show that the stored response is also the response
/// to another request. Pages of two users may have equal dates, so a response
/// to credentials needs an ETag.
pub fn is_tied(stored: &Entry) -> bool {
    !stored.by_credentials || stored.fields.has("etag")
}

/// Whether a response to HEAD describes the stored body, so that it can freshen
/// the stored head (RFC 9111 §4.3.5).
fn is_same(stored: &Entry, head: &ResponseHead) -> bool {
    let same = |name| {
        let value = head.fields.get(name);
        value == stored.fields.get(name) && !value.is_some_and(is_unreadable)
    };
    let length = head.fields.get("content-length");
    let length: Option<u64> = length.and_then(|n| n.trim().parse().ok());
    head.status == stored.status
        && stored.has_validator()
        && is_tied(stored)
        && same("etag")
        && same("last-modified")
        && (length.is_none() || length == stored.length)
}

/// Whether a response to HEAD shows that the origin now has another body than
/// the stored one: its validators or length differ (RFC 9111 §4.3.5). A
/// response without any of them shows nothing.
pub fn shows_changed_body(stored: &Entry, head: &ResponseHead) -> bool {
    let differs = |name| {
        let value = head.fields.get(name);
        value.is_some() && value != stored.fields.get(name)
    };
    let length = head.fields.get("content-length");
    let length: Option<u64> = length.and_then(|n| n.trim().parse().ok());
    let lengths = length.zip(stored.length);
    head.status != stored.status
        || differs("etag")
        || differs("last-modified")
        || lengths.is_some_and(|(stated, stored)| stated != stored)
}

/// Freshens a stored response by a 304 (RFC 9111 §4.3.4). The 304's fields
/// replace the stored ones, except those that describe the stored body (§3.2).
fn freshen(exchange: &Exchange<'_>, stored: &Entry, head: &ResponseHead) -> ResponseDecision {
    if !is_about(stored, head) {
        return ResponseDecision::RepeatUnconditionally;
    }
    const OF_THE_BODY: [&str; 3] = ["content-encoding", "content-length", "content-range"];
    let mut update = head.fields.clone();
    strip_hop_by_hop(&mut update);
    update.retain(|name, _| !OF_THE_BODY.contains(&name));
    let mut fields = stored.fields.clone();
    fields
        .retain(|name, value| !update.has(name) && name != "date" && (name, value) != ("via", VIA));
    for (name, value) in update.iter() {
        fields.add(name, value);
    }
    let merged = ResponseHead {
        status: stored.status,
        fields,
    };
    let refreshed = entry(exchange, &merged, stored.by_credentials).and_then(|mut entry| {
        entry.length = stored.length;
        // Tag fields were removed when the entry was made, and a 304 may omit
        // some: too many tags are better than too few.
        entry.add_tags(&stored.tags);
        within_limits(entry)
    });
    match refreshed {
        Ok(entry) => {
            let entry = Box::new(entry);
            ResponseDecision::Freshen {
                entry,
                may_store: true,
            }
        }
        // It may no longer be stored, but it is used for this request.
        Err(_) => {
            let mut entry = Box::new(stored.clone());
            entry.fields = for_clients(&merged.fields, exchange.times.response_ms);
            entry.received_ms = exchange.times.response_ms;
            entry.initial_age = freshness::initial_age(&merged, exchange.times);
            ResponseDecision::Freshen {
                entry,
                may_store: false,
            }
        }
    }
}

/// Whether a response of this status may be stored: every final status except
/// 304. A 206 must be the response to a `Range` that was forwarded (§3.3), a
/// single part of a body of known length, with a strong validator that ties it
/// to the other parts. `Range` is not in the cache key, so any other response
/// to it (such as 416) is not stored: it would be wrong for requests without
/// it.
fn may_be_kept(exchange: &Exchange<'_>, head: &ResponseHead) -> bool {
    let ranged = exchange.ranged;
    match head.status {
        // Some servers respond to ranges of other units with 200.
        200 => !head.fields.has("content-range"),
        206 => ranged && Part::of(&head.fields).is_some() && has_strong_validator(head, exchange),
        304 | 0..200 => false,
        _ => !ranged,
    }
}

fn has_strong_validator(head: &ResponseHead, exchange: &Exchange<'_>) -> bool {
    // Checked in the form of the entry: with a Date, even if the origin sent
    // none.
    let fields = for_clients(&head.fields, exchange.times.response_ms);
    range::strong_validator(&fields).is_some()
}

/// Returns why an error is for this request only, or `None`: it concerns
/// credentials, and is wrong for requests with others or none; or it blames the
/// request and no rule allows storing it; or it would replace a stored response
/// that is not such an error and is still good for others.
fn request_specific_reason(exchange: &Exchange<'_>, head: &ResponseHead) -> Option<NotStored> {
    let (lookup, status) = (exchange.lookup, head.status);
    let by_authorized = lookup.authorized && status >= 400;
    let kept = freshness::is_kept_by_rule(&lookup.rule, status);
    let is_page = |stored: &Entry| !freshness::is_request_error(stored.status);
    let reason = if matches!(status, 401 | 407) || by_authorized {
        NotStored::Credentials
    } else if freshness::is_request_error(status) && (!kept || exchange.stored.is_some_and(is_page))
    {
        NotStored::RequestError
    } else {
        return None;
    };
    // Most such errors set no lifetime, and are not stored anyway.
    match kept || freshness::is_stated(head, exchange.times) {
        true => Some(reason),
        false => Some(NotStored::NoFreshness),
    }
}

/// Returns the entry for a response, or why it may not be stored (§3).
/// `by_credentials`: the stored response that is freshened was a response to
/// credentials.
fn entry(
    exchange: &Exchange<'_>,
    head: &ResponseHead,
    by_credentials: bool,
) -> Result<Entry, NotStored> {
    let lookup = exchange.lookup;
    let (control, targeted) = freshness::directives(head);
    let authorized_too = control.public || control.must_revalidate || control.s_maxage.is_some();
    let authorized = lookup.authorized || by_credentials;
    let by_credentials = authorized && !control.public;
    // Fields that may not be stored. A targeted field replaces the directives
    // that list them.
    let withheld = match targeted {
        true => Vec::new(),
        false => cache_control::withheld(&head.fields),
    };
    let is_withheld = |name: &str| withheld.iter().any(|other| other == name);
    let keeps_cookie = cookies::kept(&head.fields, &lookup.rule).is_some();
    let sets_cookie = keeps_cookie && !is_withheld("set-cookie");
    let understood = !control.must_understand || freshness::is_understood(head.status);
    // RFC 9111 §5.2.2.3: a cache that implements the status ignores the
    // no-store beside must-understand, which is for other caches.
    let no_store = control.no_store && !control.must_understand;
    let made_of_fragments = lookup.rule.esi && parser::is_marked(&head.fields);
    let unreadable = made_of_fragments && Coding::of(&head.fields) == Coding::Other;
    let refused = [
        (unreadable, NotStored::Coded),
        (!may_be_kept(exchange, head), NotStored::Status),
        (!understood, NotStored::NotUnderstood),
        (lookup.request_control.no_store, NotStored::RequestNoStore),
        // Also if `no-cache="set-cookie"` would withhold that field and allow
        // storing the rest: the token is in the rest.
        (
            cookies::sets(&head.fields, &lookup.rule.csrf_cookies),
            NotStored::CsrfToken,
        ),
        (no_store, NotStored::NoStore),
        (control.private, NotStored::Private),
        (sets_cookie, NotStored::SetCookie),
        (authorized && !authorized_too, NotStored::Authorization),
        (lookup.sends_conditions, NotStored::Conditional),
    ];
    let request_specific = request_specific_reason(exchange, head).map(|reason| (true, reason));
    let mut refused = refused.into_iter().chain(request_specific);
    if let Some((_, reason)) = refused.find(|(refused, _)| *refused) {
        return Err(reason);
    }
    let names = variant::choosing_fields(&head.fields).map_err(|_| NotStored::Vary)?;
    let terms = match by_credentials {
        true => freshness::terms_by_credentials(head, exchange.times),
        false => freshness::terms(head, &lookup.rule, exchange.times),
    };
    let terms = terms.ok_or(NotStored::NoFreshness)?;
    if self_redirect::is_to_itself(lookup, head) {
        return Err(NotStored::SelfRedirect);
    }
    let tags = cache_tags::of(&head.fields, &lookup.rule.tags);
    let groups = groups::named(&head.fields, "cache-groups");
    if tags.len() > TAGS_MAX || groups.len() > groups::GROUPS_MAX {
        return Err(NotStored::TooManyTags);
    }
    let mut fields = for_clients(&head.fields, exchange.times.response_ms);
    // `Set-Cookie` is removed: the checks above allow it only where it is
    // withheld or stripped by the rule.
    fields.retain(|name, _| name != "set-cookie" && !is_withheld(name));
    let mut entry = Entry {
        key: lookup.key.text.clone(),
        seen: exchange.seen,
        received_ms: exchange.times.response_ms,
        initial_age: freshness::initial_age(head, exchange.times),
        cost_ms: exchange.times.took_ms(),
        terms,
        for_authorized: authorized_too,
        by_credentials,
        status: head.status,
        length: head
            .fields
            .get("content-length")
            .and_then(|n| n.trim().parse().ok()),
        marks: selector::marks(&lookup.key.url, &tags, &groups),
        tags,
        choices: lookup.choices(&names),
        fields,
    };
    let lifetime = entry.terms.lifetime;
    entry.terms.lifetime =
        early_refresh::shortened(lifetime, lookup.rule.ttl_jitter_percent, &entry);
    if entry.retention_seconds() == 0 {
        return Err(NotStored::Expired);
    }
    within_limits(entry)
}

fn within_limits(entry: Entry) -> Result<Entry, NotStored> {
    if entry.tags.len() > TAGS_MAX {
        return Err(NotStored::TooManyTags);
    }
    if !entry.fits_the_tiers() {
        return Err(NotStored::LargeHead);
    }
    Ok(entry)
}

/// Returns the fields of an origin's response that clients receive, stored or
/// not. Removed are connection fields, tags, fields that are for Edgekeep only,
/// and length and age, which are set anew in each response.
pub fn for_clients(fields: &Fields, received_ms: u64) -> Fields {
    let mut kept = fields.clone();
    strip_hop_by_hop(&mut kept);
    kept.retain(|name, _| {
        !matches!(name, "content-length" | "age" | CLOUDFLARE_FIELD)
            && !cache_tags::is_tag_field(name)
    });
    // RFC 9110 §7.6.3. It is added only here, not to requests: origins such as
    // nginx do not compress responses to requests with a Via.
    kept.add("via", VIA);
    // RFC 9110 §6.6.1: a recipient with a clock adds the missing Date.
    if !kept.has("date") {
        kept.add("date", date::print(received_ms / 1000));
    }
    kept
}
