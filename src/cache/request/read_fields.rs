//! Which fields of a request a lookup depends on.
//!
//! What the origin sees is what is keyed: of a request that may be answered
//! from the cache, most of what browsers and the platform send is never looked
//! at. To copy a field out of the runtime takes about a microsecond, and
//! requests have twenty to thirty; so these are read one by one, and the rest
//! only of requests that go to the origin whole.

use super::client_fields::CONDITIONS;
use super::origin_request::NEGOTIATION;
use crate::cache::config::rules::Rules;

/// What keeps a request from the cache, belongs to its connection, or is
/// heeded under every rule, beside [`CONDITIONS`] and [`NEGOTIATION`].
const ALWAYS: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "if-match",
    "if-unmodified-since",
    "origin",
    "transfer-encoding",
    "upgrade",
];

/// To ask for a field that is not there costs a third of copying one out: with
/// more names than this it is as well to copy all.
const NAMES_MAX: usize = 50;

/// The names (lower-case) of the fields by which `classify` tells whether a
/// request is a lookup, and on which all depends that becomes of it then; each
/// of them once. `None` if that may be any field, or very many.
pub fn fields_read(rules: &Rules) -> Option<Vec<&str>> {
    let mut names = ALWAYS.to_vec();
    names.extend(CONDITIONS.into_iter().chain(NEGOTIATION));
    for rule in rules.each() {
        if rule.forward_all || rule.esi {
            return None;
        }
        let keyed = rule.key_headers.iter().chain(&rule.forward_headers);
        keyed.for_each(|name| add(&mut names, name));
        // Whatever keys it or keeps it from the cache: where answers turn out to
        // be somebody's, a reader's own cookies send it whole (`cache::policy::withheld_fields`).
        if rule.cache {
            add(&mut names, "cookie");
        }
        if rule.request_directives {
            add(&mut names, "cache-control");
            add(&mut names, "pragma");
        }
        if names.len() > NAMES_MAX {
            return None;
        }
    }
    Some(names)
}

fn add<'a>(names: &mut Vec<&'a str>, name: &'a str) {
    if !names.contains(&name) {
        names.push(name);
    }
}
