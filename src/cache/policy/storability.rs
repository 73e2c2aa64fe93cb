//! The third question: may this answer be stored, and what does the client
//! get? (RFC 9111 §3 and §4.3.3, RFC 5861 §4)

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

/// What happens after the origin answered, or failed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseDecision {
    /// The client gets the answer, and it is stored.
    Store(Box<Entry>),
    /// The stored body is still good; its head is now this. It is stored
    /// again if `keep`.
    Refresh {
        /// The entry with the fields of the 304.
        entry: Box<Entry>,
        /// Whether it may still be stored.
        keep: bool,
    },
    /// The client gets the answer; it is not stored.
    Forward(NotStored),
    /// The client gets the stored answer, stale.
    ServeStale,
    /// The origin's 304 is about another answer than ours: ask once more,
    /// without conditions.
    AskAgain,
    /// There is nothing to give but an error.
    Fail(OriginFailure),
}

/// Why an answer is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// `no-store`
    NoStore,
    /// `must-understand`, and the status is not one of RFC 9110.
    NotUnderstood,
    /// The client said `no-store`, and the rule heeds it.
    RequestNoStore,
    /// `private`
    Private,
    /// It sets a cookie against forged requests: its body may carry the token.
    CsrfToken,
    /// It sets a cookie: it is somebody's.
    SetCookie,
    /// The request was authorized, and the answer does not say that it may be
    /// stored all the same (§3.5).
    Authorization,
    /// It is about the client's credentials: 401, 407, or any error to a request
    /// with `Authorization`.
    Credentials,
    /// It blames the request ([`freshness::blames_request`]), and no
    /// `negative_ttl` has it kept; or there is a page that it would replace.
    RequestError,
    /// `Vary: *`, or too many fields in it.
    Vary,
    /// Neither origin nor rule says for how long it is fresh.
    NoFreshness,
    /// It redirects to the URL that it answers: whoever is given it asks for
    /// it again, without end.
    SelfRedirect,
    /// It arrived older than it may be used, and has no validator.
    Expired,
    /// A 304; a 206 that is no single part with a strong validator; any other
    /// answer to a `Range` than the whole.
    Status,
    /// The request was HEAD.
    Head,
    /// The request went with the conditions of its client, which are not in the
    /// key.
    Conditional,
    /// More tags or groups than an entry may have: a purge could miss it.
    TooManyTags,
    /// Its head, or its tags, are more than the tiers take
    /// ([`Entry::fits_the_tiers`]).
    LargeHead,
    /// It is to be made of fragments, and coded so that we cannot read it.
    Coded,
}

impl NotStored {
    /// A word for logs and `Cache-Status`.
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

    /// What the log says besides, where a word does not tell what to do.
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

/// An exchange with the origin, seen from the cache.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The request it was for.
    pub lookup: &'a Lookup,
    /// The purge number seen before the origin was asked.
    pub seen: u64,
    /// When it happened.
    pub times: Times,
    /// The stored answer that was to be refreshed or replaced.
    pub stored: Option<&'a Entry>,
    /// Whether that one may be served should the origin have failed.
    pub on_error: bool,
    /// Whether the client's `Range` was sent on.
    pub ranged: bool,
}

/// Answers the question for what the origin sent.
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
    // RFC 5861 §4, and what the rule takes for a failure beside.
    let failed = exchange.lookup.rule.error_statuses.contains(&head.status);
    if failed && fall_back.is_some() {
        return ResponseDecision::ServeStale;
    }
    match stored {
        Some(stored) if head.status == 304 => refresh(exchange, stored, head),
        Some(stored) if exchange.lookup.head_only && is_same(stored, head) => {
            refresh(exchange, stored, head)
        }
        _ if exchange.lookup.head_only => ResponseDecision::Forward(NotStored::Head),
        _ => match entry(exchange, head, false) {
            Ok(entry) => ResponseDecision::Store(Box::new(entry)),
            Err(reason) => ResponseDecision::Forward(reason),
        },
    }
}

/// Whether a 304 is about the stored answer: its validator, the ETag before
/// the date, must be one that the stored answer has (RFC 9111 §4.3.4).
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

/// Whether another request can tell that the stored answer is its own: two
/// users' pages may have one date, so what was made by credentials is known by
/// its ETag alone.
pub fn is_tied(stored: &Entry) -> bool {
    !stored.by_credentials || stored.fields.has("etag")
}

/// Whether the answer to HEAD tells of the very body we hold, so that it can
/// renew its head (RFC 9111 §4.3.5).
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

/// Whether the answer to HEAD shows that there is another body by now than the
/// one we hold: what it says of validators or length is not the same (RFC 9111
/// §4.3.5). One that says nothing of either shows nothing.
pub fn shows_another(stored: &Entry, head: &ResponseHead) -> bool {
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
        || lengths.is_some_and(|(told, held)| told != held)
}

/// RFC 9111 §4.3.4. The 304's fields replace the stored ones, except those
/// that describe the body we hold (§3.2).
fn refresh(exchange: &Exchange<'_>, stored: &Entry, head: &ResponseHead) -> ResponseDecision {
    if !is_about(stored, head) {
        return ResponseDecision::AskAgain;
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
        // Tag fields were taken out when the entry was made, and a 304 may
        // omit some: too many tags are better than too few.
        entry.add_tags(&stored.tags);
        within_limits(entry)
    });
    match refreshed {
        Ok(entry) => {
            let entry = Box::new(entry);
            ResponseDecision::Refresh { entry, keep: true }
        }
        // It may no longer be stored, but it answers this request.
        Err(_) => {
            let mut entry = Box::new(stored.clone());
            entry.fields = for_clients(&merged.fields, exchange.times.response_ms);
            entry.received_ms = exchange.times.response_ms;
            entry.initial_age = freshness::initial_age(&merged, exchange.times);
            ResponseDecision::Refresh { entry, keep: false }
        }
    }
}

/// Whether an answer of this status may be kept: every final one but 304, and
/// 206 only as the answer to a `Range` that we sent (§3.3), if it is one part
/// of a body of known length and has a validator that ties it to the others.
/// `Range` is not in the key, so what else an origin answers to it (such as
/// 416) is not kept: it would be wrong for everybody else.
fn may_be_kept(exchange: &Exchange<'_>, head: &ResponseHead) -> bool {
    let ranged = exchange.ranged;
    match head.status {
        // Some servers answer ranges of other units by a 200.
        200 => !head.fields.has("content-range"),
        206 => ranged && Part::of(&head.fields).is_some() && has_strong_validator(head, exchange),
        304 | 0..200 => false,
        _ => !ranged,
    }
}

fn has_strong_validator(head: &ResponseHead, exchange: &Exchange<'_>) -> bool {
    // Judged as the entry will be: with a Date, even if the origin sent none.
    let fields = for_clients(&head.fields, exchange.times.response_ms);
    range::strong_validator(&fields).is_some()
}

/// Why an error is for this request alone, if it is: because it is about
/// credentials, and wrong for everybody who has others, or none; because it
/// blames the request, and no rule has it kept; or because it would take the
/// place of what is no such error, which others can still be given.
fn for_one_alone(exchange: &Exchange<'_>, head: &ResponseHead) -> Option<NotStored> {
    let (lookup, status) = (exchange.lookup, head.status);
    let by_authorized = lookup.authorized && status >= 400;
    let kept = freshness::is_kept_by_rule(&lookup.rule, status);
    let is_page = |stored: &Entry| !freshness::blames_request(stored.status);
    let reason = if matches!(status, 401 | 407) || by_authorized {
        NotStored::Credentials
    } else if freshness::blames_request(status) && (!kept || exchange.stored.is_some_and(is_page)) {
        NotStored::RequestError
    } else {
        return None;
    };
    // Most such errors say nothing of a lifetime, and are not stored anyway.
    match kept || freshness::is_stated(head, exchange.times) {
        true => Some(reason),
        false => Some(NotStored::NoFreshness),
    }
}

/// The entry that an answer makes, if it may be stored at all (§3).
/// `by_credentials`: what is confirmed was made so.
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
    // Fields that may not be stored; a targeted field replaces what names them.
    let withheld = match targeted {
        true => Vec::new(),
        false => cache_control::withheld(&head.fields),
    };
    let is_withheld = |name: &str| withheld.iter().any(|other| other == name);
    let keeps_cookie = cookies::kept(&head.fields, &lookup.rule).is_some();
    let sets_cookie = keeps_cookie && !is_withheld("set-cookie");
    let understood = !control.must_understand || freshness::is_understood(head.status);
    // RFC 9111 §5.2.2.3: who understands the status ignores the no-store that
    // stands beside must-understand for those who do not.
    let no_store = control.no_store && !control.must_understand;
    let made_of_fragments = lookup.rule.esi && parser::is_marked(&head.fields);
    let unreadable = made_of_fragments && Coding::of(&head.fields) == Coding::Other;
    let refused = [
        (unreadable, NotStored::Coded),
        (!may_be_kept(exchange, head), NotStored::Status),
        (!understood, NotStored::NotUnderstood),
        (lookup.wishes.no_store, NotStored::RequestNoStore),
        // Also where `no-cache="set-cookie"` would withhold that field and
        // have the rest stored: the token is in the rest.
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
    let one_alone = for_one_alone(exchange, head).map(|reason| (true, reason));
    let mut refused = refused.into_iter().chain(one_alone);
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
    // What it sets may be withheld, or is taken from it.
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

/// The fields of an origin's answer that clients get, whether it is stored or
/// not: without those of the connection, tags, what is for us alone, and the
/// length and age that are set anew with each answer.
pub fn for_clients(fields: &Fields, received_ms: u64) -> Fields {
    let mut kept = fields.clone();
    strip_hop_by_hop(&mut kept);
    kept.retain(|name, _| {
        !matches!(name, "content-length" | "age" | CLOUDFLARE_FIELD)
            && !cache_tags::is_tag_field(name)
    });
    // RFC 9110 §7.6.3. Only here: origins such as nginx do not compress what
    // is asked for with a Via.
    kept.add("via", VIA);
    // RFC 9110 §6.6.1: a recipient with a clock adds the missing Date.
    if !kept.has("date") {
        kept.add("date", date::print(received_ms / 1000));
    }
    kept
}
