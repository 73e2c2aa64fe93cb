//! Request fields that proxies set.

/// Whether a request field (lower-case name) claims another client, host,
/// scheme, path or method than the request's own, or is set by Cloudflare. If
/// such a field reached the origin without being in the key, a client could
/// poison the cache with it.
pub fn is_forwarding_field(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "forwarded",
        "via",
        "true-client-ip",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-host",
        "x-original-url",
        "x-original-host",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
    ];
    name.starts_with("x-forwarded") || name.starts_with("cf-") || NAMES.contains(&name)
}
