//! Verifies signed webhooks: Standard Webhooks (`v1`, HMAC, and `v1a`, ed25519)
//! and GitHub's `X-Hub-Signature-256`.
//!
//! A Standard Webhook is accepted if its three header fields are present and
//! well formed, its time is within [`TOLERANCE_SECONDS`] of ours, and one of
//! its signatures matches one of a key's secrets. The response does not say
//! which check after the form has failed, so a forger gets no hint.
//!
//! Source: the Standard Webhooks specification, "Signature scheme"; GitHub,
//! "Validating webhook deliveries".

use crate::flow::isolate::credentials::Secrets;
use crate::flow::runtime::host::Host;
use crate::http::fields::Fields;
use crate::http::list;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The largest difference between the webhook's time and ours, in either
/// direction.
pub const TOLERANCE_SECONDS: u64 = 300;

/// How many signatures of one webhook are verified: enough for a key rotation,
/// too few to cause much work.
const SIGNATURES_MAX: usize = 16;

/// How many of them may be ed25519. Each costs one call of the runtime per
/// public key.
const ED25519_SIGNATURES_MAX: usize = 4;

/// The longest webhook id, because the ledger stores ids.
pub const ID_BYTES_MAX: usize = 256;

/// Why a webhook is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// This header field is missing or malformed.
    Form(&'static str),
    /// No signature matches, or the time differs too much.
    Unauthenticated,
}

/// The fields of a signed webhook, not yet verified.
#[derive(Debug)]
pub struct Signed<'a> {
    /// Its id.
    pub id: &'a str,
    timestamp: &'a str,
    sent_seconds: u64,
    v1: Vec<Vec<u8>>,
    v1a: Vec<Vec<u8>>,
}

/// A field's value, if it is present and not empty.
fn field<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Refused> {
    let value = fields.get(name).map(list::trim);
    value.filter(|v| !v.is_empty()).ok_or(Refused::Form(name))
}

/// The id in this field; an error if it is missing, too long or not visible
/// ASCII.
pub fn id<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Refused> {
    let id = field(fields, name)?;
    is_id(id).then_some(id).ok_or(Refused::Form(name))
}

/// Whether a text may be an id: at most [`ID_BYTES_MAX`] bytes of visible ASCII.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The text that a Standard Webhook signs: `id.timestamp.payload`.
pub fn signed_text(id: &str, timestamp: &str, payload: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", payload].concat()
}

impl<'a> Signed<'a> {
    /// Parses the three fields.
    pub fn read(fields: &'a Fields) -> Result<Self, Refused> {
        let id = id(fields, "webhook-id")?;
        let timestamp = field(fields, "webhook-timestamp")?;
        let signatures = field(fields, "webhook-signature")?;
        let sent_seconds = timestamp
            .parse()
            .map_err(|_| Refused::Form("webhook-timestamp"))?;
        let (mut v1, mut v1a) = (Vec::new(), Vec::new());
        for signature in signatures.split(' ').take(SIGNATURES_MAX) {
            // Signatures of other versions are ignored.
            let (list, encoded) = match signature.split_once(',') {
                Some(("v1", encoded)) => (&mut v1, encoded),
                Some(("v1a", encoded)) => (&mut v1a, encoded),
                _ => continue,
            };
            let bytes = STANDARD.decode(encoded);
            list.push(bytes.map_err(|_| Refused::Form("webhook-signature"))?);
        }
        v1a.truncate(ED25519_SIGNATURES_MAX);
        Ok(Self {
            id,
            timestamp,
            sent_seconds,
            v1,
            v1a,
        })
    }

    /// Whether its time is within the tolerance.
    pub fn is_in_time(&self, now_ms: u64) -> bool {
        (now_ms / 1000).abs_diff(self.sent_seconds) <= TOLERANCE_SECONDS
    }

    /// The signed text (see [`signed_text`]).
    pub fn message(&self, payload: &[u8]) -> Vec<u8> {
        signed_text(self.id, self.timestamp, payload)
    }

    /// Whether one of the secrets has signed the message. Every secret is
    /// tried, so that the time does not show which one matches.
    pub async fn is_by<H: Host>(&self, host: &H, secrets: &Secrets, message: &[u8]) -> bool {
        let mut proven = false;
        for key in &secrets.hmac {
            proven |= !self.v1.is_empty() && is_mac(&key.bytes, message, &self.v1);
        }
        for key in &secrets.ed25519 {
            for signature in &self.v1a {
                proven |= host.verify_ed25519(key, message, signature).await;
            }
        }
        proven
    }
}

/// Whether one of `macs` is the HMAC-SHA256 of `message`, in constant time.
fn is_mac(key: &[u8], message: &[u8], macs: &[Vec<u8>]) -> bool {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    hmac.update(message);
    macs.iter().fold(false, |found, mac| {
        found | hmac.clone().verify_slice(mac).is_ok()
    })
}

/// The signature in `X-Hub-Signature-256`: `sha256=` and 64 hexadecimal digits.
pub fn hub_signature(fields: &Fields) -> Result<Vec<u8>, Refused> {
    const NAME: &str = "x-hub-signature-256";
    let digits = field(fields, NAME)?.strip_prefix("sha256=");
    let digits = digits.filter(|digits| digits.len() == 64 && digits.is_ascii());
    let pair = |at: usize| {
        let pair = digits?.get(at..at + 2)?;
        // `from_str_radix` would accept a sign.
        let hex = pair.bytes().all(|b| b.is_ascii_hexdigit());
        u8::from_str_radix(pair, 16).ok().filter(|_| hex)
    };
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(pair).collect();
    bytes.ok_or(Refused::Form(NAME))
}

/// Whether one of the secrets has signed a body as GitHub does: with the text
/// of the secret as the key.
pub fn is_hub_signed(secrets: &Secrets, body: &[u8], signature: &[u8]) -> bool {
    let macs = [signature.to_vec()];
    secrets.hmac.iter().fold(false, |found, key| {
        found | is_mac(key.text.as_bytes(), body, &macs)
    })
}
