//! The keys that authenticate purge orders, and their secrets.
//!
//! A variable holds a key's secrets, separated by blanks or commas. Any of them
//! authenticates an order, so they can be rotated one by one:
//!
//! - `whsec_` and base64: an HMAC key, for Standard Webhooks' `v1`; the whole
//!   text is the key of GitHub's `X-Hub-Signature-256`;
//! - `whpk_` and base64: an ed25519 public key, for Standard Webhooks' `v1a`;
//! - `token_` and at least 32 characters: a bearer token.
//!
//! A key with unreadable secrets is not accepted; the other keys still are.

use crate::cache::config::keys::{DEFAULT_KEY, KeyRule};
use crate::cache::config::rules::Rules;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use subtle::{Choice, ConstantTimeEq};

/// How many secrets a key may have: two of each kind during a rotation, and
/// some reserve.
const SECRETS_MAX: usize = 8;

/// The start of a token.
const TOKEN: &str = "token_";

/// The length of a token without [`TOKEN`]. Guessing 32 random characters takes
/// about 2^160 tries.
const TOKEN_CHARACTERS: std::ops::RangeInclusive<usize> = 32..=256;

/// The keys of a deployment.
#[derive(Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    problems: Vec<String>,
    have_debug_token: bool,
}

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its name and permissions.
    pub rule: KeyRule,
    /// The secrets that authenticate it.
    pub secrets: Secrets,
}

/// The secrets of a key.
#[derive(Default)]
pub struct Secrets {
    /// HMAC keys.
    pub hmac: Vec<HmacKey>,
    /// ed25519 public keys, of 32 bytes.
    pub ed25519: Vec<Vec<u8>>,
    /// SHA-256 of tokens.
    tokens: Vec<[u8; 32]>,
}

/// An HMAC key: decoded for Standard Webhooks, and as written for GitHub's
/// signatures.
pub struct HmacKey {
    /// The decoded key.
    pub bytes: Vec<u8>,
    /// The text with its prefix.
    pub text: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.len())
    }
}

/// Why a list of secrets cannot be used. The message never contains a secret.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadSecrets {
    /// The secret with this number, counted from 1, is malformed.
    #[error(
        "secret number {0} must be whsec_ and the base64 of 24 to 64 bytes, whpk_ and the base64 \
         of 32 bytes, or token_ and 32 to 256 characters"
    )]
    Form(usize),
    /// There are more than eight.
    #[error("has more than {SECRETS_MAX} secrets")]
    TooMany,
}

impl Secrets {
    /// Parses secrets separated by spaces, line ends or commas.
    pub fn read(text: &str) -> Result<Self, BadSecrets> {
        let mut secrets = Self::default();
        for (at, text) in pieces(text).enumerate() {
            if at >= SECRETS_MAX {
                return Err(BadSecrets::TooMany);
            }
            secrets.add(text).ok_or(BadSecrets::Form(at + 1))?;
        }
        Ok(secrets)
    }

    fn add(&mut self, text: &str) -> Option<()> {
        if let Some(encoded) = text.strip_prefix("whsec_") {
            let bytes = STANDARD.decode(encoded).ok()?;
            // The lengths that the specification allows.
            let text = (24..=64).contains(&bytes.len()).then(|| text.to_owned())?;
            self.hmac.push(HmacKey { bytes, text });
        } else if let Some(encoded) = text.strip_prefix("whpk_") {
            let bytes = STANDARD.decode(encoded).ok()?;
            self.ed25519.push(Some(bytes).filter(|b| b.len() == 32)?);
        } else {
            let rest = text.strip_prefix(TOKEN)?;
            let good = rest.bytes().all(|b| b.is_ascii_graphic());
            let digest = Sha256::digest(text.as_bytes());
            let fits = good && TOKEN_CHARACTERS.contains(&rest.len());
            self.tokens.push(fits.then(|| digest.into())?);
        }
        Some(())
    }

    fn len(&self) -> usize {
        self.hmac.len() + self.ed25519.len() + self.tokens.len()
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a token's digest is one of these, in constant time.
    fn has_token(&self, digest: &[u8; 32]) -> bool {
        let found = self
            .tokens
            .iter()
            .fold(Choice::from(0), |found, token| found | token.ct_eq(digest));
        found.into()
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|secret| !secret.is_empty())
}

impl Keys {
    /// The keys that the rules name. `secret` returns a variable's text.
    pub fn read(rules: &Rules, secret: impl Fn(&str) -> Option<String>) -> Self {
        let mut keys = Self::default();
        let mut taken = HashSet::new();
        for rule in &rules.keys {
            let text = secret(&rule.secret).unwrap_or_default();
            match readable(&text, &mut taken) {
                // The default key may be unset, if no purges are wanted or only
                // by other keys.
                Ok(secrets) if secrets.is_empty() && rule.name == DEFAULT_KEY => {}
                Ok(secrets) if secrets.is_empty() => {
                    keys.problem(rule, "is not set".to_owned());
                }
                Ok(secrets) => keys.keys.push(Key {
                    rule: rule.clone(),
                    secrets,
                }),
                Err(problem) => keys.problem(rule, problem),
            }
        }
        let can_debug = |key: &Key| key.rule.admin && !key.secrets.tokens.is_empty();
        keys.have_debug_token = keys.keys.iter().any(can_debug);
        keys
    }

    /// The default key alone, with these secrets.
    pub fn of_default(secrets: &str) -> Self {
        let rules = Rules::check(crate::cache::config::settings::Settings::default());
        rules.map_or_else(
            |_| Self::default(),
            |rules| Self::read(&rules, |_| Some(secrets.to_owned())),
        )
    }

    fn problem(&mut self, rule: &KeyRule, problem: String) {
        let (name, variable) = (&rule.name, &rule.secret);
        self.problems
            .push(format!("{variable}, of the key {name}: {problem}"));
    }

    /// The problems with keys, which are not accepted. No message contains a
    /// secret.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All usable keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// Whether a token of a key with `admin` could prove a request for debugging
    /// (`cache::request::client_fields::DEBUG_FIELD`).
    pub fn have_debug_token(&self) -> bool {
        self.have_debug_token
    }

    /// Whether a text is a token of a key with `admin`. A text that has no
    /// token's length costs no digest, so a long one does not make a request
    /// expensive.
    pub fn is_debug_token(&self, text: &str) -> bool {
        let rest = text.strip_prefix(TOKEN);
        rest.is_some_and(|rest| TOKEN_CHARACTERS.contains(&rest.len()))
            && self.of_token(text).is_some_and(|key| key.rule.admin)
    }

    /// The key of a bearer token. Every key is compared, for constant time.
    pub fn of_token(&self, token: &str) -> Option<&Key> {
        let digest = Sha256::digest(token.as_bytes()).into();
        self.keys.iter().fold(None, |found, key| {
            let fits = key.secrets.has_token(&digest);
            found.or(fits.then_some(key))
        })
    }
}

/// A key's secrets. A secret that another key has too is an error, because that
/// key's permissions would not be enforced.
fn readable(text: &str, taken: &mut HashSet<String>) -> Result<Secrets, String> {
    let secrets = Secrets::read(text).map_err(|bad| bad.to_string())?;
    let own: HashSet<String> = pieces(text).map(str::to_owned).collect();
    if own.iter().any(|secret| taken.contains(secret)) {
        return Err("has a secret that another key has too".to_owned());
    }
    taken.extend(own);
    Ok(secrets)
}
