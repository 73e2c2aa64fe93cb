//! Which fields of a request a lookup depends on.
//!
//! The origin receives only what is keyed, so a lookup does not need most of
//! the fields that browsers and the platform send. Copying a field out of the
//! runtime takes about a microsecond, and requests have twenty to thirty. So
//! the needed fields are read one by one; the others are read only if the
//! request goes to the origin whole, as each request with a body does.

use super::client_fields::CONDITIONS;
use super::origin_request::NEGOTIATION;
use crate::cache::config::rules::Rules;

/// The fields that are read under every rule, beside [`CONDITIONS`] and
/// [`NEGOTIATION`]: they cause a pass, belong to the connection, or are keyed.
const ALWAYS: [&str; 6] = [
    "authorization",
    "connection",
    "if-match",
    "if-unmodified-since",
    "origin",
    "upgrade",
];

/// The largest number of fields that are read one by one. Reading an absent
/// field costs a third of copying one; with more names, copying all fields costs
/// no more.
const NAMES_MAX: usize = 50;

/// The names (lower-case, without duplicates) of the fields that `classify` and
/// a lookup read. `None` if these may be any fields, or more than `NAMES_MAX`.
pub fn fields_read(rules: &Rules) -> Option<Vec<&str>> {
    let mut names = ALWAYS.to_vec();
    names.extend(CONDITIONS.into_iter().chain(NEGOTIATION));
    for rule in rules.each() {
        if rule.forward_all || rule.esi {
            return None;
        }
        let keyed = rule.key_headers.iter().chain(&rule.forward_headers);
        keyed.for_each(|name| add(&mut names, name));
        // Cookies may be in the key or cause a pass. Besides, if the responses
        // of a URL depend on the user, requests with cookies pass
        // (`cache::policy::withheld_fields`).
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
