//! The request that goes to the origin, and the cache key that holds all that
//! it depends on: what the origin sees is what is keyed.

use super::client_fields::{CONDITIONS, Passage, claims_host, is_ours, passage};
use crate::cache::config::rule::{Origin, Rule};
use crate::cache::esi::parser;
use crate::cache::key::cache_key::CacheKey;
use crate::cache::key::cookies;
use crate::cache::key::variant;
use crate::http::accept;
use crate::http::fields::{Fields, is_hop_by_hop, strip_hop_by_hop_but};
use crate::http::forwarding::is_forwarding_field;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use std::collections::BTreeSet;

/// How we name ourselves in `Via`. The runtime does not tell the protocol
/// that a message came by; 1.1 is what a Worker speaks.
pub const VIA: &str = "1.1 edgekeep";

/// What the origin sees as `User-Agent` of a request that may be cached.
pub const USER_AGENT: &str = concat!("Edgekeep/", env!("CARGO_PKG_VERSION"));

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

/// The key of a cacheable request. What it does not hold does not reach the
/// origin (see [`sent`]).
pub fn keyed(rule: &Rule, url: Url, client: &Fields) -> CacheKey {
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
pub fn sent(rule: &Rule, url: &Url, client: &Fields, origin: Option<&Origin>) -> Fields {
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
pub fn names_nothing(client: &Fields) -> bool {
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
pub fn negotiated(name: &str, client: &Fields) -> Option<String> {
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
pub fn whole(rule: &Rule, request: &RequestHead, origin: Option<&Origin>) -> OriginRequest {
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

/// The address at the origin of a URL that was asked for.
pub fn target(url: &Url, origin: Option<&Origin>) -> String {
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
