//! Checking signed webhooks: Standard Webhooks, symmetric signatures (`v1`).
//!
//! A webhook passes when all three header fields are there and well formed,
//! its time is within [`TOLERANCE_SECONDS`] of ours, and one of its signatures
//! fits one of our secrets. What fails after the form is never told apart in
//! the answer: a forger learns nothing.
//!
//! Source: the Standard Webhooks specification, "Signature scheme".

use crate::http::fields::Fields;
use crate::http::list;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far the webhook's time may be from ours, either way.
pub const TOLERANCE_SECONDS: u64 = 300;

/// How many signatures of one webhook are looked at: enough for a rotation of
/// keys, too few to make us work.
const SIGNATURES_MAX: usize = 16;

/// The longest webhook id; ids are kept by the ledger.
const ID_BYTES_MAX: usize = 256;

/// The secrets, any of which may sign.
pub struct Secrets(Vec<Vec<u8>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

/// Why a list of secrets cannot be used. The secret itself is never named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSecret {
    /// Which one, counted from 1.
    pub number: usize,
}

impl std::fmt::Display for BadSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "PURGE_SECRETS: secret number {} must be whsec_ and the base64 of 24 to 64 bytes",
            self.number
        )
    }
}

impl Secrets {
    /// Reads secrets that spaces, line ends or commas separate.
    pub fn read(text: &str) -> Result<Self, BadSecret> {
        let texts = text
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|secret| !secret.is_empty());
        let mut secrets = Vec::new();
        for (at, text) in texts.enumerate() {
            let key = text
                .strip_prefix("whsec_")
                .and_then(|encoded| STANDARD.decode(encoded).ok())
                // The lengths that the specification gives.
                .filter(|key| (24..=64).contains(&key.len()))
                .ok_or(BadSecret { number: at + 1 })?;
            secrets.push(key);
        }
        Ok(Self(secrets))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a webhook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// This header field is missing or not of its form.
    Form(&'static str),
    /// No signature fits, or the time is too far off.
    Unproven,
}

/// Checks a webhook and returns its id. `now_ms` is the time here.
pub fn check<'a>(
    secrets: &Secrets,
    fields: &'a Fields,
    body: &[u8],
    now_ms: u64,
) -> Result<&'a str, Refused> {
    let field = |name: &'static str| {
        let value = fields.get(name).map(list::trim);
        value.filter(|v| !v.is_empty()).ok_or(Refused::Form(name))
    };
    let id = field("webhook-id")?;
    let timestamp = field("webhook-timestamp")?;
    let signatures = field("webhook-signature")?;
    if id.len() > ID_BYTES_MAX || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Refused::Form("webhook-id"));
    }
    let sent: u64 = timestamp
        .parse()
        .map_err(|_| Refused::Form("webhook-timestamp"))?;
    let mut proven = false;
    for signature in signatures.split(' ').take(SIGNATURES_MAX) {
        // `v1a` and later versions may stand beside ours.
        let Some(encoded) = signature.strip_prefix("v1,") else {
            continue;
        };
        let mac = STANDARD
            .decode(encoded)
            .map_err(|_| Refused::Form("webhook-signature"))?;
        // Every secret is tried, so that time tells nothing of which fits.
        for secret in &secrets.0 {
            proven |= fits(secret, id, timestamp, body, &mac);
        }
    }
    let in_time = (now_ms / 1000).abs_diff(sent) <= TOLERANCE_SECONDS;
    if proven && in_time {
        Ok(id)
    } else {
        Err(Refused::Unproven)
    }
}

/// Whether `mac` is the HMAC-SHA256 of `id.timestamp.body`, in constant time.
fn fits(secret: &[u8], id: &str, timestamp: &str, body: &[u8], mac: &[u8]) -> bool {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return false;
    };
    for piece in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        hmac.update(piece);
    }
    hmac.verify_slice(mac).is_ok()
}
