//! Fields of clients' requests, by what they may do: which of them may reach
//! the origin, and which of those are in the key.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser;
use crate::http::forwarding::is_forwarding_field;

/// Fields by which a client refers to what it holds.
pub const CONDITIONS: [&str; 4] = ["if-none-match", "if-modified-since", "range", "if-range"];

/// What becomes of a client's field under `forward_headers = ["*"]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It does not reach the origin, or only as the key or Edgekeep has it.
    Own,
    /// It reaches the origin, and its value is in the key.
    Keyed,
    /// It reaches the origin without being in the key.
    Unkeyed,
}

/// The one decision by which both the key and the request to the origin treat a
/// field under `forward_headers = ["*"]`. A field of an unknown name is in the key:
/// a server may take it for another host, path, scheme or method (there is no
/// complete list of such names), and who sends it then gets a page of their
/// own. Exempt are the kinds of fields that every browser sends and by which
/// no server chooses another resource, and what the rule names.
pub fn passage(rule: &Rule, name: &str) -> Passage {
    // Negotiation, for which `Vary` is heeded; who asks; directives to caches;
    // what browsers add of themselves (Fetch, Client Hints, RFC 9218).
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
    // Of `Via` the client's part goes on (RFC 9110 §7.6.3).
    let own = (is_forwarding_field(name) && name != "via")
        || is_ours(name)
        || CONDITIONS.contains(&name)
        || name == "origin"
        || is(&rule.key_headers);
    let by_browser = || name.starts_with("sec-fetch-") || name.starts_with("sec-ch-");
    if own {
        Passage::Own
    } else if UNKEYED.contains(&name) || by_browser() || is(&rule.forward_headers) {
        Passage::Unkeyed
    } else {
        Passage::Keyed
    }
}

/// Fields that say under which host, scheme, port or path a request came to a
/// proxy: here only Edgekeep says so (`cache::request::classify`). `X-Forwarded-For`
/// stays, because Cloudflare puts the client's address at its end.
pub fn claims_host(name: &str) -> bool {
    let of_proxies = name == "forwarded" || name.starts_with("x-forwarded");
    of_proxies && name != "x-forwarded-for"
}

/// Fields that the runtime or Edgekeep sets: `Host` follows from the URL; a
/// Worker's origin request must not wait for a 100 (Continue); what we can do
/// no client says.
pub fn is_ours(name: &str) -> bool {
    matches!(name, "host" | "expect" | parser::CAPABILITY_FIELD)
}
