//! The fields of a client's request: which of them may reach the origin, and
//! which of those are in the key.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser;
use crate::http::forwarding::is_forwarding_field;

/// Fields that refer to a response which the client has stored.
pub const CONDITIONS: [&str; 4] = ["if-none-match", "if-modified-since", "range", "if-range"];

/// How a client's field is treated under `forward_headers = ["*"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// It does not reach the origin, or only with the value that the key has or
    /// Edgekeep sets.
    NotForwarded,
    /// It reaches the origin, and its value is in the key.
    Keyed,
    /// It reaches the origin without being in the key.
    Unkeyed,
}

/// Decides how a field is treated under `forward_headers = ["*"]`. Both the key
/// and the request to the origin use this decision.
///
/// A field of an unknown name is in the key. A server may read it as another
/// host, path, scheme or method, and there is no complete list of such names; in
/// the key, it changes only the sender's own page. Not in the key are the fields
/// that every browser sends and by which no server selects another resource, and
/// the fields that the rule names.
pub fn field_role(rule: &Rule, name: &str) -> FieldRole {
    // Negotiation, for which `Vary` counts; the user's identity; directives to
    // caches; what browsers add themselves (Fetch, Client Hints, RFC 9218).
    const UNKEYED: [&str; 14] = [
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "cache-control",
        "cookie",
        "dnt",
        "pragma",
        "priority",
        "referer",
        "save-data",
        "sec-gpc",
        "upgrade-insecure-requests",
        "user-agent",
    ];
    let is = |names: &[String]| names.iter().any(|other| other == name);
    // The client's `Via` is forwarded (RFC 9110 §7.6.3).
    let own = (is_forwarding_field(name) && name != "via")
        || is_ours(name)
        || CONDITIONS.contains(&name)
        || name == "origin"
        || is(&rule.key_headers);
    let by_browser = || name.starts_with("sec-fetch-") || name.starts_with("sec-ch-");
    if own {
        FieldRole::NotForwarded
    } else if UNKEYED.contains(&name) || by_browser() || is(&rule.forward_headers) {
        FieldRole::Unkeyed
    } else {
        FieldRole::Keyed
    }
}

/// Whether a field states the host, scheme, port or path under which a proxy
/// received the request. Only Edgekeep may set such a field
/// (`cache::request::origin_request`). `X-Forwarded-For` is not one of them:
/// Cloudflare appends the client's address to it.
pub fn claims_host(name: &str) -> bool {
    let of_proxies = name == "forwarded" || name.starts_with("x-forwarded");
    of_proxies && name != "x-forwarded-for"
}

/// The field by which an administrator asks for an explanation of the request
/// that carries it. Its value is a token, so no origin may receive it, and it is
/// in no key.
pub const DEBUG_FIELD: &str = "edgekeep-debug";

/// Whether only the runtime or Edgekeep sets or reads this field: `Host` follows
/// from the URL; with `Expect`, a Worker's request to the origin would wait for
/// 100 (Continue); the capability field of ESI describes Edgekeep, not the
/// client; [`DEBUG_FIELD`] is a secret.
pub fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "host" | "expect" | parser::CAPABILITY_FIELD | DEBUG_FIELD
    )
}
