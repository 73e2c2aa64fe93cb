//! Request fields that proxies set.

/// Fields by which a request claims another client, host, scheme, path or
/// method than its own, or that Cloudflare sets. Unkeyed, they are how caches
/// get poisoned.
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
