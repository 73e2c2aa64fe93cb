//! Builds the request to the origin, and the cache key on which it depends: the
//! origin receives only what is keyed.

use super::client_fields::{CONDITIONS, FieldRole, claims_host, field_role, is_ours};
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

/// Edgekeep's entry in `Via`. The runtime does not expose the protocol version
/// of a message, so the entry has 1.1, which Workers use.
pub const VIA: &str = "1.1 edgekeep";

/// The `User-Agent` of a request that may be cached, unless the rule forwards
/// the client's.
pub const USER_AGENT: &str = concat!("Edgekeep/", env!("CARGO_PKG_VERSION"));

/// A request to the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRequest {
    /// Method name.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// The fields, without `Host`, which follows from the URL.
    pub fields: Fields,
}

impl OriginRequest {
    /// The same request to another origin. `X-Forwarded-Host` has the host that
    /// the client requested.
    pub fn to(mut self, origin: &Origin, requested: &Url) -> Self {
        let path = self.url.splitn(4, '/').nth(3).unwrap_or_default();
        self.url = format!("{}://{}/{path}", origin.scheme, origin.host);
        self.fields.set("x-forwarded-host", requested.host.as_str());
        self
    }
}

/// The key of a cacheable request. A client's value that is not in the key does
/// not reach the origin, except as described at [`origin_fields`].
pub fn key_of(rule: &Rule, url: Url, client: &Fields) -> CacheKey {
    let stripped;
    let client = match connection_is_plain(client) {
        true => client,
        false => {
            stripped = forwardable(client);
            &stripped
        }
    };
    let travels = |name: &str| !is_hop_by_hop(name) && !is_ours(name);
    let mut key = CacheKey::of_url(url);
    // CORS responses depend on `Origin`, so it is forwarded and keyed.
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
        let keyed = |name: &&str| travels(name) && field_role(rule, name) == FieldRole::Keyed;
        let names = client.iter().map(|(name, _)| name).filter(keyed);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        // The same order for every client.
        names.sort_unstable();
        names.dedup();
        for name in &names {
            key.add("field", name, client.joined(name).as_deref());
        }
    }
    key
}

/// The value of the first cookie of this name.
pub fn cookie<'a>(name: &'a str, client: &'a Fields) -> Option<&'a str> {
    let mut found = cookies::pairs(client).filter(|(n, _)| *n == name);
    found.next().map(|(_, value)| value)
}

/// The fields of a cacheable request to the origin. From the client it has only
/// what is in the key ([`key_of`]), the negotiation fields, `Authorization`, and
/// what the rule forwards. The two functions together keep the invariant that
/// the origin receives only what is keyed.
pub fn origin_fields(rule: &Rule, url: &Url, client: &Fields, origin: Option<&Origin>) -> Fields {
    let client = &forwardable(client);
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
    let pair = |name: &String| Some(format!("{name}={}", cookie(name, client)?));
    let others = sent.joined("cookie");
    let keyed = rule.key_cookies.iter().filter_map(pair);
    let pairs: Vec<String> = others.into_iter().chain(keyed).collect();
    if !pairs.is_empty() {
        sent.set("cookie", pairs.join("; "));
    }
    if !sent.has("user-agent") {
        sent.add("user-agent", USER_AGENT);
    }
    set_template_fields(rule, &mut sent);
    set_forwarding(&mut sent, url, origin);
    sent
}

/// A client's fields without those of its connection, and without those that
/// only the runtime or Edgekeep sets.
fn forwardable(client: &Fields) -> Fields {
    let mut client = client.clone();
    strip_connection(&mut client);
    client.retain(|name, _| !is_ours(name));
    client
}

/// Removes the fields of the client's connection. A forwarding field stays even
/// if the client's `Connection` names it: Cloudflare's edge may have set it, and
/// the origin may authorize or log by it.
fn strip_connection(fields: &mut Fields) {
    strip_hop_by_hop_but(fields, is_forwarding_field);
}

/// Whether `Connection` names no field that would be forwarded otherwise.
pub fn connection_is_plain(client: &Fields) -> bool {
    let plain = |value: &str| value.eq_ignore_ascii_case("keep-alive") || value == "close";
    client.all("connection").all(plain)
}

/// The fields of content negotiation, by which responses usually vary.
pub(crate) const NEGOTIATION: [&str; 3] = ["accept", "accept-language", "accept-encoding"];

/// The client's fields that may reach the origin without being in the key.
/// Under `forward_headers = ["*"]` the result includes those that are.
fn forwarded(rule: &Rule, client: &Fields) -> Fields {
    let mut sent = Fields::new();
    if rule.forward_all {
        sent = client.clone();
        sent.retain(|name, _| field_role(rule, name) != FieldRole::NotForwarded);
        // RFC 9110 §7.6.3. `Via` is sent only here, where Edgekeep forwards all
        // fields, because some origins do not compress for proxies.
        let via: Vec<&str> = client.all("via").chain([VIA]).collect();
        sent.set("via", via.join(", "));
        // The origin must receive the normalized value by which variants are
        // selected.
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

/// The value of a client's field that the origin receives: negotiation fields
/// normalized, others joined. A negotiation field or an `Origin` that exceeds
/// its limits counts as absent.
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

/// The request to the origin for a pass: whole, except for the fields of the
/// connection and those that only Edgekeep or the runtime sets.
pub fn pass_request(rule: &Rule, request: &RequestHead, origin: Option<&Origin>) -> OriginRequest {
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
    set_template_fields(rule, &mut fields);
    set_forwarding(&mut fields, &request.url, origin);
    OriginRequest {
        method: request.method.name().to_owned(),
        url: target(&request.url, origin),
        fields,
    }
}

/// Under a rule with `esi`, announces ESI to the origin and requests an
/// uncompressed, whole, current body. Conditions are removed: a client has no
/// validator for an assembled page, and cannot request ranges of one.
fn set_template_fields(rule: &Rule, fields: &mut Fields) {
    if !rule.esi {
        return;
    }
    fields.retain(|name, _| !CONDITIONS.contains(&name));
    fields.set("accept-encoding", "identity");
    fields.set(parser::CAPABILITY_FIELD, parser::CAPABILITY);
}

/// Sets `X-Forwarded-Proto`, and `X-Forwarded-Host` if the origin has a host
/// name of its own.
fn set_forwarding(fields: &mut Fields, url: &Url, origin: Option<&Origin>) {
    fields.set("x-forwarded-proto", url.scheme);
    if origin.is_some() {
        fields.set("x-forwarded-host", url.host.as_str());
    }
}

/// The URL at the origin for a URL that a client requested.
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
