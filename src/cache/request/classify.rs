//! The first question: may this request use the cache, and under which key?

use super::client_fields::{CONDITIONS, Passage, claims_host, is_ours, passage};
use crate::cache::config::rule::{Origin, Rule};
use crate::cache::config::rules::Rules;
use crate::cache::esi::parser;
use crate::cache::key::cache_key::{self, CacheKey, URL_BYTES_MAX};
use crate::cache::key::cookies;
use crate::cache::key::variant::{self, Choice};
use crate::cache::purge::purge_call::{self, PurgeCall};
use crate::http::accept;
use crate::http::cache_control::RequestControl;
use crate::http::fields::{Fields, is_hop_by_hop, strip_hop_by_hop_but};
use crate::http::forwarding::is_forwarding_field;
use crate::http::head::{Method, RequestHead};
use crate::http::range;
use crate::http::url::Url;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What is to be done with a request.
#[derive(Clone, Debug)]
pub enum Plan {
    /// It is addressed to Edgekeep itself: a path under [`ADMIN_PATH`].
    Admin,
    /// It is a purge call in another cache's words, where a rule takes those.
    Purge(PurgeCall),
    /// It goes to the origin whole, and nothing is looked up or stored.
    Bypass(Bypass, OriginRequest),
    /// It may be answered from the cache.
    Lookup(Box<Lookup>),
}

/// Why a request does not use the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// Not GET or HEAD.
    Method,
    /// A rule says `cache = false`.
    Rule,
    /// It carries a bypass cookie.
    Cookie,
    /// `If-Match` or `If-Unmodified-Since`: not for caches (RFC 9111 §4.3.2).
    Precondition,
    /// It wants another protocol, such as WebSocket.
    Upgrade,
    /// A GET with a body: what the body asks for is not in the key.
    Body,
    /// The URL is longer than [`URL_BYTES_MAX`].
    LongUrl,
    /// The answers of its URL depend on who asks, and it has cookies that say
    /// who (`cache::policy::withheld_fields`).
    Personal,
    /// A field that the origin would see has bytes that are not UTF-8: they
    /// cannot be told apart, so they can be in no key.
    Unreadable,
    /// The settings are bad.
    Misconfigured,
}

impl Bypass {
    /// A word for logs and `Cache-Status`.
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
        }
    }
}

/// A request that may be answered from the cache.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The rule that holds.
    pub rule: Rc<Rule>,
    /// What is looked for.
    pub key: Rc<CacheKey>,
    /// What was asked for: the same, unless the origin said which parameters
    /// of a query matter (see `flow::store::query_alias`).
    pub asked: Rc<CacheKey>,
    /// Where the origin is, if the settings say so.
    pub to: Option<Origin>,
    /// What [`Lookup::origin`] has made.
    pub made: OnceCell<OriginRequest>,
    /// Whether the client wants the head only.
    pub head_only: bool,
    /// Whether the request carries `Authorization` (RFC 9111 §3.5).
    pub authorized: bool,
    /// The `Range` of a GET request.
    pub range: Option<String>,
    /// What the client's Cache-Control says, where the rule heeds it.
    pub wishes: RequestControl,
    /// The client's own fields, for its conditions.
    pub client: Fields,
    /// Whether those conditions go on to the origin, because nothing is stored
    /// that they could be compared with, and nothing will be: what it answers
    /// is for this client alone.
    pub sends_conditions: bool,
}

impl Lookup {
    /// The request that a miss sends to the origin, as a GET. It is made when
    /// it is first looked at: most hits need none.
    pub fn origin(&self) -> &OriginRequest {
        self.made.get_or_init(|| {
            let (url, origin) = (&self.asked.url, self.to.as_ref());
            OriginRequest {
                method: "GET".to_owned(),
                url: target(url, origin),
                fields: sent(&self.rule, url, &self.client, origin),
            }
        })
    }

    /// The value by which a request field chooses among variants: that which
    /// the origin sees.
    pub fn choice(&self, name: &str) -> Option<String> {
        let rule = &self.rule;
        let is_plain = NEGOTIATION.contains(&name)
            && !rule.forward_all
            && !rule.esi
            && !rule.key_headers.iter().any(|keyed| keyed == name)
            && names_nothing(&self.client);
        match is_plain {
            // Just what `sent` would make of it, and normalising that again
            // changes nothing.
            true => negotiated(name, &self.client),
            false => variant::value(name, &self.origin().fields),
        }
    }

    /// The choices that this request makes for these fields.
    pub fn choices(&self, names: &[String]) -> Vec<Choice> {
        variant::choices(names, &|name| self.choice(name))
    }

    /// Whether it makes these very choices.
    pub fn fits(&self, choices: &[Choice]) -> bool {
        variant::fits(choices, &|name| self.choice(name))
    }

    /// Whether this request may refresh what is fresh still: one with wishes of
    /// its own is not one of many.
    pub fn early_refresh(&self) -> bool {
        self.rule.early_refresh && self.wishes == RequestControl::default()
    }

    /// The `Range` that goes to the origin, where nothing is stored: a range of
    /// what we do not hold is fetched as such, or a player that seeks would
    /// wait for all that comes before. From the start means everything.
    pub fn range_to_send(&self, holds_nothing: bool) -> Option<&str> {
        self.range
            .as_deref()
            .filter(|range| holds_nothing && !self.rule.esi && range::asks_for_part(range))
    }
}

/// A request to the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRequest {
    /// Method name.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// The fields, without `Host`, which the URL implies.
    pub fields: Fields,
}

impl OriginRequest {
    /// The same request to another origin, which is told for which host.
    pub fn to(mut self, origin: &Origin, asked: &Url) -> Self {
        let path = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        self.url = format!("{}://{}/{path}", origin.scheme, origin.host);
        self.fields.set("x-forwarded-host", asked.host.as_str());
        self
    }
}

/// Paths that are Edgekeep's own, on every host.
pub const ADMIN_PATH: &str = "/.edgekeep/";

/// How we name ourselves in `Via`. The runtime does not tell the protocol
/// that a message came by; 1.1 is what a Worker speaks.
pub const VIA: &str = "1.1 edgekeep";

/// What the origin sees as `User-Agent` of a request that may be cached.
pub const USER_AGENT: &str = concat!("Edgekeep/", env!("CARGO_PKG_VERSION"));

/// Answers the question for a request as the client sent it.
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
        return Plan::Bypass(reason, whole(&rule, request, origin));
    }
    let key = keyed(
        &rule,
        cache_key::canonical_query(url, &rule),
        &request.fields,
    );
    let key = Rc::new(key);
    Plan::Lookup(Box::new(Lookup {
        asked: Rc::clone(&key),
        key,
        to: origin.cloned(),
        made: OnceCell::new(),
        head_only: request.method == Method::Head,
        authorized: request.fields.has("authorization"),
        range: request
            .fields
            .get("range")
            .filter(|_| request.method == Method::Get)
            .map(str::to_owned),
        wishes: if rule.request_directives {
            RequestControl::of(&request.fields)
        } else {
            RequestControl::default()
        },
        rule,
        client: request.fields.clone(),
        sends_conditions: false,
    }))
}

/// The request that goes to the origin whole, though it may be answered from
/// the cache.
pub fn whole_request(rules: &Rules, request: &RequestHead) -> OriginRequest {
    let rule = rules.rule_for(&cache_key::canonical_path(&request.url));
    whole(&rule, request, rules.origin_of(&request.url.host))
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
    } else if !fields.are_readable() && !sent(rule, &request.url, fields, None).are_readable() {
        Some(Bypass::Unreadable)
    } else {
        None
    }
}

fn has_cookie(rule: &Rule, fields: &Fields) -> bool {
    cookies::pairs(fields).any(|(name, _)| rule.is_bypass_cookie(name))
}

/// The key of a cacheable request. What it does not hold does not reach the
/// origin (see [`sent`]).
fn keyed(rule: &Rule, url: Url, client: &Fields) -> CacheKey {
    let stripped;
    let client = match names_nothing(client) {
        true => client,
        false => {
            stripped = travelling(client);
            &stripped
        }
    };
    let travels = |name: &str| !is_hop_by_hop(name) && !is_ours(name);
    let mut key = CacheKey::of_url(url);
    // CORS answers depend on Origin, so it goes on, and into the key.
    if let Some(value) = negotiated("origin", client) {
        key.add("field", "origin", Some(&value));
    }
    for name in &rule.key_headers {
        let value = negotiated(name, client).filter(|_| travels(name));
        key.add("field", name, value.as_deref());
    }
    for name in &rule.key_cookies {
        key.add("cookie", name, cookie(name, client));
    }
    if rule.forward_all {
        let keyed = |name: &&str| travels(name) && passage(rule, name) == Passage::Keyed;
        // A set has one order, whatever the client's.
        let names: BTreeSet<&str> = client.iter().map(|(name, _)| name).filter(keyed).collect();
        for name in names {
            key.add("field", name, client.joined(name).as_deref());
        }
    }
    key
}

fn cookie<'a>(name: &'a str, client: &'a Fields) -> Option<&'a str> {
    let mut found = cookies::pairs(client).filter(|(n, _)| *n == name);
    found.next().map(|(_, value)| value)
}

/// The fields that the origin sees of a cacheable request: of the client's own
/// nothing but what is in the key ([`keyed`]) or what the rule lets through.
/// The invariant "what the origin sees is what is keyed" is kept by these two.
fn sent(rule: &Rule, url: &Url, client: &Fields, origin: Option<&Origin>) -> Fields {
    let client = &travelling(client);
    let mut sent = forwarded(rule, client);
    let is_keyed = |name: &str| rule.key_cookies.iter().any(|keyed| keyed == name);
    let drops = |name: &str| rule.drop_cookies.iter().any(|glob| glob.matches(name));
    cookies::drop(&mut sent, |name| is_keyed(name) || drops(name));
    match negotiated("origin", client) {
        Some(value) => sent.set("origin", value),
        None => sent.remove("origin"),
    }
    for name in &rule.key_headers {
        sent.remove(name);
        if let Some(value) = negotiated(name, client) {
            sent.add(name, value);
        }
    }
    let crumb = |name: &String| Some(format!("{name}={}", cookie(name, client)?));
    let others = sent.joined("cookie");
    let keyed = rule.key_cookies.iter().filter_map(crumb);
    let crumbs: Vec<String> = others.into_iter().chain(keyed).collect();
    if !crumbs.is_empty() {
        sent.set("cookie", crumbs.join("; "));
    }
    if !sent.has("user-agent") {
        sent.add("user-agent", USER_AGENT);
    }
    ask_for_template(rule, &mut sent);
    set_forwarding(&mut sent, url, origin);
    sent
}

/// A client's fields without those of its connection and those that are ours.
fn travelling(client: &Fields) -> Fields {
    let mut client = client.clone();
    strip_connection(&mut client);
    client.retain(|name, _| !is_ours(name));
    client
}

/// Removes the fields of the client's connection. What the edge in front of us
/// has set is no field of that connection, even if the client's `Connection`
/// names it: the origin may grant or log by it.
fn strip_connection(fields: &mut Fields) {
    strip_hop_by_hop_but(fields, is_forwarding_field);
}

/// Whether `Connection` names no field that would travel otherwise.
fn names_nothing(client: &Fields) -> bool {
    let plain = |value: &str| value.eq_ignore_ascii_case("keep-alive") || value == "close";
    client.all("connection").all(plain)
}

/// Fields that choose among variants of an answer.
pub(crate) const NEGOTIATION: [&str; 3] = ["accept", "accept-language", "accept-encoding"];

/// The client's fields that may reach the origin without being in the key.
fn forwarded(rule: &Rule, client: &Fields) -> Fields {
    let mut sent = Fields::new();
    if rule.forward_all {
        sent = client.clone();
        sent.retain(|name, _| passage(rule, name) != Passage::Own);
        // RFC 9110 §7.6.3; only where a rule wants us transparent, because some
        // origins do not compress for proxies.
        let via: Vec<&str> = client.all("via").chain([VIA]).collect();
        sent.set("via", via.join(", "));
        // In the spelling by which variants are chosen: what the origin sees
        // must be what chooses.
        for name in NEGOTIATION {
            match variant::bounded(name, client) {
                Some(value) => sent.set(name, negotiated(name, client).unwrap_or(value)),
                None => sent.remove(name),
            }
        }
        return sent;
    }
    for name in NEGOTIATION {
        if let Some(value) = negotiated(name, client) {
            sent.add(name, value);
        }
    }
    if let Some(value) = client.get("authorization") {
        sent.add("authorization", value);
    }
    for name in &rule.forward_headers {
        let seen_to = CONDITIONS
            .iter()
            .chain(&NEGOTIATION)
            .any(|seen| seen == name);
        let allowed = !is_forwarding_field(name) && !is_ours(name) && !seen_to;
        if allowed && !sent.has(name) {
            for value in client.all(name) {
                sent.add(name, value);
            }
        }
    }
    sent
}

/// A field's value as the origin gets it: negotiation fields in one spelling,
/// others joined. Of the former and `Origin` nothing beyond their bounds.
fn negotiated(name: &str, client: &Fields) -> Option<String> {
    let value = match name {
        "accept" | "accept-language" | "accept-encoding" | "origin" => {
            variant::bounded(name, client)
        }
        _ => client.joined(name),
    };
    match name {
        "accept-encoding" => Some(accept::encoding(value.as_deref())),
        "accept" | "accept-language" => value.map(|value| accept::ranked(&value)),
        _ => value,
    }
}

/// A request that goes through whole, but for what belongs to the connection.
fn whole(rule: &Rule, request: &RequestHead, origin: Option<&Origin>) -> OriginRequest {
    let mut fields = request.fields.clone();
    let upgrade = fields.joined("upgrade");
    strip_connection(&mut fields);
    fields.retain(|name, _| !is_ours(name) && !claims_host(name));
    if !matches!(request.method, Method::Other(_)) {
        // A Worker cannot send a body with these methods.
        fields.remove("content-length");
    }
    if let Some(protocol) = upgrade {
        fields.add("upgrade", protocol);
    }
    ask_for_template(rule, &mut fields);
    set_forwarding(&mut fields, &request.url, origin);
    OriginRequest {
        method: request.method.name().to_owned(),
        url: target(&request.url, origin),
        fields,
    }
}

/// Where a rule has pages made of fragments, the origin is told so, and asked
/// for bodies that can be read, as they are now and in one piece: a client has
/// no validator of a page made of fragments, nor can it have parts of one.
fn ask_for_template(rule: &Rule, fields: &mut Fields) {
    if !rule.esi {
        return;
    }
    fields.retain(|name, _| !CONDITIONS.contains(&name));
    fields.set("accept-encoding", "identity");
    fields.set(parser::CAPABILITY_FIELD, parser::CAPABILITY);
}

/// Tells the origin which scheme and, where it is asked under a name of its
/// own, which host the client used.
fn set_forwarding(fields: &mut Fields, url: &Url, origin: Option<&Origin>) {
    fields.set("x-forwarded-proto", url.scheme);
    if origin.is_some() {
        fields.set("x-forwarded-host", url.host.as_str());
    }
}

fn target(url: &Url, origin: Option<&Origin>) -> String {
    match origin {
        None => url.to_string(),
        Some(origin) => Url {
            scheme: origin.scheme,
            host: origin.host.clone(),
            ..url.clone()
        }
        .to_string(),
    }
}
