//! The keys that sign purge orders, as the settings describe them: what each may
//! purge, and which variable contains its secrets. `flow::isolate::credentials`
//! reads the secrets.

use super::error::{RulesError, wrong};
use super::settings::{KeySettings, MaySettings};
use crate::cache::matching::key_scope::{KeyScope, SCOPE_BYTES_MAX};
use crate::cache::matching::tag::is_tag;
use crate::http::url;

/// The largest number of keys, beside the default one. An order is checked
/// against all of them. At worst, 20 keys x 4 secrets x 1.3 ms (the HMAC of
/// 128 KiB) are 0.1 s.
const KEYS_MAX: usize = 20;

/// The largest number of patterns in a list of a key.
const PATTERNS_MAX: usize = 50;

/// The name of the key whose secrets are in [`DEFAULT_SECRET`]. It has all
/// permissions.
pub const DEFAULT_KEY: &str = "default";

/// The name of the variable with the default key's secrets.
pub const DEFAULT_SECRET: &str = "PURGE_SECRETS";

/// A key, checked.
#[derive(Clone, Debug)]
pub struct KeyRule {
    /// Its name, as in receipts.
    pub name: String,
    /// The name of the variable that contains its secrets.
    pub secret: String,
    /// What it may purge.
    pub permit: KeyPermissions,
    /// Whether it may read the receipts of other keys, and ask for explanations.
    pub admin: bool,
    /// Whether it may read the statistics of the hosts that it may purge.
    pub stats: bool,
}

/// What a key may purge.
#[derive(Clone, Debug)]
pub enum KeyPermissions {
    /// Everything, by any selector.
    Anything,
    /// The selectors within a scope.
    Only {
        /// The patterns of hosts (for URLs, prefixes and hosts) and of tags.
        scope: KeyScope,
        /// Whether the key may also purge everything at once.
        everything: bool,
    },
}

impl KeyRule {
    /// The default key.
    pub fn default_key() -> Self {
        Self {
            name: DEFAULT_KEY.to_owned(),
            secret: DEFAULT_SECRET.to_owned(),
            permit: KeyPermissions::Anything,
            admin: true,
            stats: true,
        }
    }
}

impl KeyPermissions {
    /// The scope to which the oldest purges of a key widen if there are too
    /// many live selectors; `None` is everything.
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

/// Checks the keys of the settings. The result starts with the default key.
/// Errors contain the path of the field.
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
            stats: key.stats,
        });
    }
    Ok(keys)
}

fn permit(path: &str, may: Option<&MaySettings>) -> Result<KeyPermissions, RulesError> {
    let Some(may) = may else {
        return Ok(KeyPermissions::Anything);
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
    Ok(KeyPermissions::Only {
        scope,
        everything: may.everything,
    })
}

/// Whether a text is a host name without a port, possibly with `*`.
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
