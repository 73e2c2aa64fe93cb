//! The keys that sign purge orders, as far as the settings name them: what
//! each may purge, and where its secrets lie. The secrets themselves are
//! `flow::isolate::credentials`' business.

use super::error::{RulesError, wrong};
use super::settings::{KeySettings, MaySettings};
use crate::cache::matching::key_scope::{KeyScope, SCOPE_BYTES_MAX};
use crate::cache::matching::tag::is_tag;
use crate::http::url;

/// How many keys there may be, beside the default one. An order is checked
/// against all of them: 20 keys of 4 secrets, and 1.3 ms for the HMAC of
/// 128 KiB, are 0.1 s at worst.
const KEYS_MAX: usize = 20;

/// How many patterns a list of a key may hold.
const PATTERNS_MAX: usize = 50;

/// The key whose secrets are in [`DEFAULT_SECRET`]. It may do anything.
pub const DEFAULT_KEY: &str = "default";

/// The variable with the default key's secrets.
pub const DEFAULT_SECRET: &str = "PURGE_SECRETS";

/// A key as the settings name it.
#[derive(Clone, Debug)]
pub struct KeyRule {
    /// Its name, which receipts tell.
    pub name: String,
    /// The variable that holds its secrets.
    pub secret: String,
    /// What it may purge.
    pub permit: Permit,
    /// Whether it may read what others ordered.
    pub admin: bool,
}

/// What a key may purge.
#[derive(Clone, Debug)]
pub enum Permit {
    /// Whatever there is.
    Anything,
    /// What fits one of these.
    Only {
        /// Host names, by which URLs, prefixes and hosts are judged, and tags.
        scope: KeyScope,
        /// Whether everything at once.
        everything: bool,
    },
}

impl KeyRule {
    /// The default key.
    pub fn default_key() -> Self {
        Self {
            name: DEFAULT_KEY.to_owned(),
            secret: DEFAULT_SECRET.to_owned(),
            permit: Permit::Anything,
            admin: true,
        }
    }
}

impl Permit {
    /// What the marks of an order widen to where there are too many of them;
    /// `None` is everything.
    pub fn scope(&self) -> Option<&KeyScope> {
        match self {
            Self::Anything
            | Self::Only {
                everything: true, ..
            } => None,
            Self::Only { scope, .. } => Some(scope),
        }
    }
}

/// Checks the keys of the settings; errors name the path.
pub fn check(settings: &[KeySettings]) -> Result<Vec<KeyRule>, RulesError> {
    if settings.len() > KEYS_MAX {
        return Err(wrong("keys", format!("more than {KEYS_MAX} keys")));
    }
    let mut keys = vec![KeyRule::default_key()];
    for (at, key) in settings.iter().enumerate() {
        let path = |field: &str| format!("keys[{at}].{field}");
        if !is_key_name(&key.name) {
            let problem = "must be 1 to 64 characters of a-z, 0-9, - and _";
            return Err(wrong(&path("name"), problem));
        }
        if !is_variable(&key.secret) {
            let problem = "must be the name of a secret: letters, digits and _";
            return Err(wrong(&path("secret"), problem));
        }
        for earlier in &keys {
            let taken = |field: &str, what: &str| {
                let problem = format!("{what} is taken by the key {}", earlier.name);
                Err(wrong(&path(field), problem))
            };
            if earlier.name == key.name {
                return taken("name", &key.name);
            }
            if earlier.secret == key.secret {
                return taken("secret", &key.secret);
            }
        }
        keys.push(KeyRule {
            name: key.name.clone(),
            secret: key.secret.clone(),
            permit: permit(&path("may"), key.may.as_ref())?,
            admin: key.admin,
        });
    }
    Ok(keys)
}

fn permit(path: &str, may: Option<&MaySettings>) -> Result<Permit, RulesError> {
    let Some(may) = may else {
        return Ok(Permit::Anything);
    };
    let check = |name: &str, list: &[String], is_pattern: fn(&str) -> bool, problem: &str| {
        if list.len() > PATTERNS_MAX {
            let problem = format!("more than {PATTERNS_MAX} patterns");
            return Err(wrong(&format!("{path}.{name}"), problem));
        }
        match list.iter().position(|pattern| !is_pattern(pattern)) {
            Some(at) => Err(wrong(&format!("{path}.{name}[{at}]"), problem)),
            None => Ok(()),
        }
    };
    let hosts: Vec<String> = may.hosts.iter().map(|h| url::host_pattern(h)).collect();
    check(
        "hosts",
        &hosts,
        is_host_pattern,
        "is not a pattern of host names, such as *.example.com",
    )?;
    check(
        "tags",
        &may.tags,
        is_tag,
        "is not a pattern of tags: printable, without spaces and commas",
    )?;
    let scope = KeyScope::new(&hosts, &may.tags);
    if scope.to_string().len() > SCOPE_BYTES_MAX {
        let problem = format!("its patterns are longer than {SCOPE_BYTES_MAX} bytes in all");
        return Err(wrong(path, problem));
    }
    Ok(Permit::Only {
        scope,
        everything: may.everything,
    })
}

/// A host name without a port, with `*` for any run of characters.
fn is_host_pattern(pattern: &str) -> bool {
    let name = pattern.replace('*', "x");
    url::host_name(&name) == name && url::canonical_host(&name).is_some()
}

fn is_key_name(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(valid)
}

fn is_variable(name: &str) -> bool {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    (1..=64).contains(&name.len()) && !digit && name.bytes().all(valid)
}
