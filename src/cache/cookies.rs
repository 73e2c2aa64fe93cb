//! Request cookies: which exist, and which belong to a session.

use super::glob::Glob;
use crate::http::fields::Fields;
use crate::http::list;

/// Names (globs) of cookies that mark a visitor as known to the origin. A
/// request that carries one is not answered from the cache by default.
pub const SESSION_COOKIES: [&str; 22] = [
    "sessionid",             // Django
    "PHPSESSID",             // PHP
    "JSESSIONID",            // Java servlets
    "ASP.NET_SessionId",     // ASP.NET
    ".AspNetCore.*",         // ASP.NET Core
    "connect.sid",           // Express
    "laravel_session",       // Laravel
    "_session_id",           // Rails
    "_*_session",            // Rails, by application
    "rack.session",          // Rack
    "session",               // Flask
    "next-auth.*",           // NextAuth
    "__Secure-next-auth.*",  // NextAuth over TLS
    "authjs.*",              // Auth.js
    "__Secure-authjs.*",     // Auth.js over TLS
    "wordpress_logged_in_*", // WordPress
    "wordpress_sec_*",       // WordPress
    "wp-postpass_*",         // WordPress, protected posts
    "comment_author_*",      // WordPress, own comments
    "woocommerce_*",         // WooCommerce
    "SESS*",                 // Drupal
    "SSESS*",                // Drupal over TLS
];

/// Takes cookies out of a request that fit one of `names` and are not of
/// `kept`.
pub fn drop(fields: &mut Fields, names: &[Glob], kept: &[String]) {
    let fits = |name: &str| {
        names.iter().any(|glob| glob.matches(name)) && !kept.iter().any(|other| other == name)
    };
    if !pairs(fields).any(|(name, _)| fits(name)) {
        return;
    }
    let mut left = String::new();
    for (name, value) in pairs(fields).filter(|(name, _)| !fits(name)) {
        if !left.is_empty() {
            left.push_str("; ");
        }
        if !name.is_empty() {
            left.push_str(name);
            left.push('=');
        }
        left.push_str(value);
    }
    fields.remove("cookie");
    if !left.is_empty() {
        fields.add("cookie", left);
    }
}

/// Whether an answer sets a cookie that fits one of `names`.
pub fn sets(fields: &Fields, names: &[Glob]) -> bool {
    fields.all("set-cookie").any(|line| {
        let name = list::trim(line.split(['=', ';']).next().unwrap_or_default());
        names.iter().any(|glob| glob.matches(name))
    })
}

/// The cookies of a request as (name, value), in order (RFC 6265 §4.2.1).
pub fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields
        .all("cookie")
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            let (name, value) = (list::trim(name), list::trim(value));
            (!name.is_empty() || !value.is_empty()).then_some((name, value))
        })
}
