//! Cookies and fields of a client's request that are withheld from the origin
//! where the cache may be used, as far as a page may depend on them.

use super::freshness::is_request_error;
use super::storability::NotStored;
use crate::cache::config::rule::Rule;
use crate::cache::esi::parser::CAPABILITY_FIELD;
use crate::cache::key::cookies;
use crate::cache::key::variant;
use crate::cache::profiles::session_cookies::{is_csrf_cookie, is_of_every_visitor};
use crate::cache::request::client_fields::{FieldRole, field_role};
use crate::cache::request::origin_request::NEGOTIATION;
use crate::http::fields::Fields;

/// How long it is remembered that the responses of a URL depend on the client,
/// in milliseconds: as long as that they cannot be shared
/// (`flow::isolate::inflight`).
pub const PERSONAL_MS: u64 = 60_000;

/// Returns the names of the client's cookies that are withheld from the origin
/// and that a page may depend on. Cookies that the rule drops on purpose, or
/// that scripts and load balancers set for every visitor, are not among them.
pub fn cookies_of<'a>(rule: &'a Rule, client: &'a Fields) -> impl Iterator<Item = &'a str> {
    let forwards = forwards_cookies(rule);
    names(rule, client)
        .filter(move |name| !forwards && !is_dropped(rule, name) && !is_of_every_visitor(name))
}

/// Whether the client has a cookie on which a personal page may depend: one of
/// [`cookies_of`], or one with a token against cross-site request forgery,
/// which must match the client's other forms.
pub fn has_own_cookie(rule: &Rule, client: &Fields) -> bool {
    let is_token = |name: &str| {
        let known = rule.csrf_cookies.iter().any(|glob| glob.matches(name));
        known || (is_csrf_cookie(name) && !forwards_cookies(rule))
    };
    cookies_of(rule, client).next().is_some() || names(rule, client).any(is_token)
}

/// Returns the client's cookies that are not in the cache key.
fn names<'a>(rule: &'a Rule, client: &'a Fields) -> impl Iterator<Item = &'a str> {
    let is_keyed = |name: &str| rule.key_cookies.iter().any(|keyed| keyed == name);
    cookies::pairs(client)
        .map(|(name, _)| name)
        .filter(move |name| !name.is_empty() && !is_keyed(name))
}

fn forwards_cookies(rule: &Rule) -> bool {
    rule.forward_all || rule.forward_headers.iter().any(|name| name == "cookie")
}

fn is_dropped(rule: &Rule, name: &str) -> bool {
    rule.drop_cookies.iter().any(|glob| glob.matches(name))
}

/// Returns the fields of a response's `Vary` that never reach the origin under
/// this rule: it responds to all requests alike, against its intention.
pub fn vary_of(rule: &Rule, response: &Fields) -> Vec<String> {
    let mut names = variant::choosing_fields(response).unwrap_or_default();
    names.retain(|name| !reaches(rule, name));
    names
}

/// Whether a field reaches the origin, or is set by Edgekeep. Cookies are
/// checked one by one ([`cookies_of`]).
fn reaches(rule: &Rule, name: &str) -> bool {
    const ALWAYS: [&str; 7] = [
        "authorization",
        "cookie",
        "host",
        "origin",
        CAPABILITY_FIELD,
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    let is = |names: &[String]| names.iter().any(|other| other == name);
    ALWAYS.contains(&name)
        || NEGOTIATION.contains(&name)
        || is(&rule.key_headers)
        || match rule.forward_all {
            true => field_role(rule, name) != FieldRole::NotForwarded,
            false => is(&rule.forward_headers),
        }
}

/// Whether a response to a request without cookies, which is not stored for
/// this reason, may be different for a request with cookies. It is personal, or
/// it is not stored anyway, so that forwarding cookies costs no hit. Excluded
/// are statuses that blame the request or show a busy origin (429): then
/// requests had better share the next response.
pub fn may_need_cookies(reason: NotStored, status: u16) -> bool {
    let by_answer = matches!(
        reason,
        NotStored::Private
            | NotStored::NoStore
            | NotStored::SetCookie
            | NotStored::CsrfToken
            | NotStored::Vary
            | NotStored::NoFreshness
    );
    by_answer && status < 500 && !is_request_error(status)
}
