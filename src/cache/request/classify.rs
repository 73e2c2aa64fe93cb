//! Classifies a request: may it use the cache, and under which key?

use super::origin_request::{
    NEGOTIATION, OriginRequest, connection_is_plain, key_of, negotiated, origin_fields,
    pass_request, target,
};
use crate::cache::config::rule::{Origin, Rule};
use crate::cache::config::rules::Rules;
use crate::cache::key::cache_key::{self, CacheKey, URL_BYTES_MAX};
use crate::cache::key::cookies;
use crate::cache::key::variant::{self, Choice};
use crate::cache::purge::purge_call::{self, PurgeCall};
use crate::http::cache_control::RequestControl;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::range;
use std::cell::OnceCell;
use std::rc::Rc;

/// The classification of a request.
#[derive(Clone, Debug)]
pub enum Plan {
    /// A request to Edgekeep itself, with a path under [`ADMIN_PATH`].
    Admin,
    /// A purge call in the dialect of another cache, if the rule accepts it.
    Purge(PurgeCall),
    /// A pass: the request goes to the origin whole, and nothing is looked up or
    /// stored.
    Bypass(Bypass, OriginRequest, Rc<Rule>),
    /// A request that may be answered from the cache.
    Lookup(Box<Lookup>),
}

impl Plan {
    /// The rule of the request, if it may go to the origin.
    pub fn rule(&self) -> Option<&Rc<Rule>> {
        match self {
            Self::Admin | Self::Purge(_) => None,
            Self::Bypass(_, _, rule) => Some(rule),
            Self::Lookup(lookup) => Some(&lookup.rule),
        }
    }
}

/// Why a request does not use the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// Not GET or HEAD.
    Method,
    /// A rule says `cache = false`.
    Rule,
    /// The request has a bypass cookie.
    Cookie,
    /// `If-Match` or `If-Unmodified-Since`: not for caches (RFC 9111 §4.3.2).
    Precondition,
    /// `Upgrade`: the client requests another protocol, such as WebSocket.
    Upgrade,
    /// A GET or HEAD with a body: the body is not in the key.
    Body,
    /// The URL is longer than [`URL_BYTES_MAX`].
    LongUrl,
    /// Responses for this URL depend on the user, and the request has cookies
    /// that identify one (`cache::policy::withheld_fields`).
    Personal,
    /// A field that the origin would receive has bytes that are not UTF-8. Such
    /// values cannot be distinguished, so they must not be in a key.
    Unreadable,
    /// The settings are invalid.
    Misconfigured,
    /// The request may use the cache, but its rule says `shadow = true`.
    Shadow,
}

impl Bypass {
    /// The word for this reason in logs and `Cache-Status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Rule => "rule",
            Self::Cookie => "cookie",
            Self::Precondition => "precondition",
            Self::Upgrade => "upgrade",
            Self::Body => "request-body",
            Self::LongUrl => "long-url",
            Self::Personal => "personal",
            Self::Unreadable => "unreadable",
            Self::Misconfigured => "misconfigured",
            Self::Shadow => "shadow",
        }
    }
}

/// A request that may be answered from the cache.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The rule of the request.
    pub rule: Rc<Rule>,
    /// The key that is looked up.
    pub key: Rc<CacheKey>,
    /// The key of the URL as the client requested it. It equals `key`, unless
    /// the origin's `No-Vary-Search` shortened the query (see
    /// `flow::store::query_alias`).
    pub requested: Rc<CacheKey>,
    /// The origin, if the settings name one.
    pub to: Option<Origin>,
    /// The result of [`Lookup::origin`], made at the first call.
    pub origin_request: OnceCell<OriginRequest>,
    /// Whether the request is HEAD.
    pub head_only: bool,
    /// Whether the request carries `Authorization` (RFC 9111 §3.5).
    pub authorized: bool,
    /// The `Range` of a GET request.
    pub range: Option<String>,
    /// The client's Cache-Control, if the rule obeys it
    /// (`request_directives`); otherwise empty.
    pub request_control: RequestControl,
    /// The client's fields, which contain its conditions.
    pub client: Fields,
    /// Whether the client's conditions are sent to the origin, because nothing
    /// is stored with which to compare them, and nothing will be. The response
    /// is then for this client only.
    pub sends_conditions: bool,
}

impl Lookup {
    /// The GET request that a miss sends to the origin. It is made at the first
    /// call, because most hits do not need it.
    pub fn origin(&self) -> &OriginRequest {
        self.origin_request.get_or_init(|| {
            let (url, origin) = (&self.requested.url, self.to.as_ref());
            OriginRequest {
                method: "GET".to_owned(),
                url: target(url, origin),
                fields: origin_fields(&self.rule, url, &self.client, origin),
            }
        })
    }

    /// The value of a request field that selects a variant: the value that the
    /// origin receives.
    pub fn choice(&self, name: &str) -> Option<String> {
        let rule = &self.rule;
        let is_plain = NEGOTIATION.contains(&name)
            && !rule.forward_all
            && !rule.esi
            && !rule.key_headers.iter().any(|keyed| keyed == name)
            && connection_is_plain(&self.client);
        match is_plain {
            // The same as from `origin_fields`, whose result is normalized already.
            true => negotiated(name, &self.client),
            false => variant::value(name, &self.origin().fields),
        }
    }

    /// The choices of this request for these fields of `Vary`.
    pub fn choices(&self, names: &[String]) -> Vec<Choice> {
        variant::choices(names, &|name| self.choice(name))
    }

    /// Whether this request makes exactly these choices.
    pub fn fits(&self, choices: &[Choice]) -> bool {
        variant::fits(choices, &|name| self.choice(name))
    }

    /// Whether this request may start an early refresh. A request with
    /// directives of its own does not: it is not a typical one.
    pub fn early_refresh(&self) -> bool {
        self.rule.early_refresh && self.request_control == RequestControl::default()
    }

    /// The `Range` that is sent to the origin if nothing is stored. Without it,
    /// a player that seeks would wait for all bytes before the range. A range
    /// of the whole body (`bytes=0-`) is not sent.
    pub fn range_to_send(&self, holds_nothing: bool) -> Option<&str> {
        self.range
            .as_deref()
            .filter(|range| holds_nothing && !self.rule.esi && range::asks_for_part(range))
    }
}

/// The prefix of Edgekeep's own paths, on every host.
pub const ADMIN_PATH: &str = "/.edgekeep/";

/// Classifies a request as the client sent it.
pub fn classify(rules: &Rules, request: &RequestHead) -> Plan {
    let url = cache_key::canonical_path(&request.url);
    if url.path.starts_with(ADMIN_PATH) {
        return Plan::Admin;
    }
    let rule = rules.rule_for(&url);
    if let Some(call) = purge_call::call(&rule, request, &url) {
        return Plan::Purge(call);
    }
    let origin = rules.origin_of(&url.host);
    if let Some(reason) = bypass_reason(&rule, request) {
        let reason = match reason {
            Bypass::Rule if rules.misconfigured => Bypass::Misconfigured,
            reason => reason,
        };
        let to_origin = pass_request(&rule, request, origin);
        return Plan::Bypass(reason, to_origin, rule);
    }
    let key = key_of(
        &rule,
        cache_key::canonical_query(url, &rule),
        &request.fields,
    );
    Plan::Lookup(Box::new(lookup_under(key, rule, request, origin)))
}

/// The lookup that a request under a rule in shadow mode stands for
/// ([`Bypass::Shadow`]). It has a key in the namespace of shadow mode
/// ([`CacheKey::in_shadow`]), and so can neither find nor store what readers
/// get. Also returns the digest of the key without that, for the log.
pub fn shadow_lookup(rules: &Rules, rule: &Rc<Rule>, request: &RequestHead) -> (Lookup, String) {
    let url = cache_key::canonical_path(&request.url);
    let origin = rules.origin_of(&url.host);
    let url = cache_key::canonical_query(url, rule);
    let key = key_of(rule, url, &request.fields);
    let digest = key.slot().digest.clone();
    let lookup = lookup_under(key.in_shadow(), Rc::clone(rule), request, origin);
    (lookup, digest)
}

fn lookup_under(
    key: CacheKey,
    rule: Rc<Rule>,
    request: &RequestHead,
    origin: Option<&Origin>,
) -> Lookup {
    let key = Rc::new(key);
    Lookup {
        requested: Rc::clone(&key),
        key,
        to: origin.cloned(),
        origin_request: OnceCell::new(),
        head_only: request.method == Method::Head,
        authorized: request.fields.has("authorization"),
        range: request
            .fields
            .get("range")
            .filter(|_| request.method == Method::Get)
            .map(str::to_owned),
        request_control: if rule.request_directives {
            RequestControl::of(&request.fields)
        } else {
            RequestControl::default()
        },
        rule,
        client: request.fields.clone(),
        sends_conditions: false,
    }
}

/// The request to the origin for a pass that is decided after the lookup: whole,
/// although the request may be answered from the cache.
pub fn whole_request(rules: &Rules, rule: &Rule, request: &RequestHead) -> OriginRequest {
    pass_request(rule, request, rules.origin_of(&request.url.host))
}

fn bypass_reason(rule: &Rule, request: &RequestHead) -> Option<Bypass> {
    let fields = &request.fields;
    let has_body = fields.has("transfer-encoding")
        || fields
            .get("content-length")
            .is_some_and(|n| n.trim() != "0");
    let url_bytes = request.url.path.len() + request.url.query.as_ref().map_or(0, String::len);
    if matches!(request.method, Method::Other(_)) {
        Some(Bypass::Method)
    } else if !rule.cache {
        Some(Bypass::Rule)
    } else if fields.has("upgrade") {
        Some(Bypass::Upgrade)
    } else if has_body {
        Some(Bypass::Body)
    } else if url_bytes > URL_BYTES_MAX {
        Some(Bypass::LongUrl)
    } else if fields.has("if-match") || fields.has("if-unmodified-since") {
        Some(Bypass::Precondition)
    } else if has_cookie(rule, fields) {
        Some(Bypass::Cookie)
    } else if !fields.are_readable()
        && !origin_fields(rule, &request.url, fields, None).are_readable()
    {
        Some(Bypass::Unreadable)
    } else if rule.shadow {
        Some(Bypass::Shadow)
    } else {
        None
    }
}

fn has_cookie(rule: &Rule, fields: &Fields) -> bool {
    cookies::pairs(fields).any(|(name, _)| rule.is_bypass_cookie(name))
}
