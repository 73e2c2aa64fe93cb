//! The secret of the caller: how it is read, and how it proves a request.
//!
//! The Worker's variables hold the other half (`flow::isolate::credentials`).

use crate::cli::remote::site::{Site, SiteError};
use crate::cli::system;
use crate::flow::isolate::credentials::Secrets;
use crate::flow::purge::signature::signed_text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The variable with the secret.
pub const VARIABLE: &str = "EDGEKEEP_SECRET";

/// A secret that proves requests.
pub enum Secret {
    /// `whsec_`: the key of an HMAC.
    Hmac(Vec<u8>),
    /// The private half of an ed25519 key.
    Ed25519(Box<SigningKey>),
    /// `token_`: the whole text.
    Token(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a secret")
    }
}

/// Why a secret cannot be used. No message contains it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is none.
    #[error("there is no secret: set EDGEKEEP_SECRET, or name a file by --secret-file")]
    Missing,
    /// The file cannot be read.
    #[error("the secret's file {0} {1}")]
    File(String, String),
    /// It is the public half of a key.
    #[error(
        "a public key cannot sign: give the private key that belongs to it, \
         as `openssl genpkey -algorithm ed25519` prints it"
    )]
    PublicKey,
    /// There is more than one.
    #[error(
        "there are several secrets: EDGEKEEP_SECRET holds one, although PURGE_SECRETS may hold more"
    )]
    Several,
    /// The text of a private key cannot be read.
    #[error(
        "the private key cannot be read: it must be an unencrypted ed25519 key between \
         -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----, with its line ends \
         (a file by --secret-file keeps them)"
    )]
    PrivateKey,
    /// A `whsec_` or `token_` is malformed.
    #[error(
        "the secret is malformed: it must be whsec_ and the base64 of 24 to 64 bytes, or token_ \
         and 32 to 256 characters"
    )]
    Form,
    /// It has another form.
    #[error(
        "the secret is none that Edgekeep has: it begins with whsec_ or token_, or is a private \
         ed25519 key (-----BEGIN PRIVATE KEY-----)"
    )]
    Unknown,
    /// The system failed.
    #[error("{0}")]
    System(String),
}

impl Secret {
    /// Reads the secret from a file, or from [`VARIABLE`].
    pub fn given(file: Option<&str>) -> Result<Self, SecretError> {
        let text = match file {
            Some(file) => system::read_text(file)
                .map_err(|problem| SecretError::File(file.to_owned(), problem))?,
            None => system::variable(VARIABLE).ok_or(SecretError::Missing)?,
        };
        Self::read(&text)
    }

    /// Parses a secret.
    pub fn read(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.starts_with("-----BEGIN") {
            return private_key(text);
        }
        if text.is_empty() {
            return Err(SecretError::Missing);
        }
        if text.contains(|c: char| c.is_whitespace() || c == ',') {
            return Err(SecretError::Several);
        }
        if text.starts_with("whpk_") {
            return Err(SecretError::PublicKey);
        }
        if !text.starts_with("whsec_") && !text.starts_with("token_") {
            return Err(SecretError::Unknown);
        }
        let secrets = Secrets::read(text).map_err(|_| SecretError::Form)?;
        Ok(match secrets.hmac.into_iter().next() {
            Some(key) => Self::Hmac(key.bytes),
            None => Self::Token(text.to_owned()),
        })
    }

    /// Checks that a request to this site does not show the secret.
    pub fn check_site(&self, site: &Site) -> Result<(), SiteError> {
        match self {
            Self::Token(_) if site.is_readable_on_the_way() => Err(SiteError::PlainToken),
            _ => Ok(()),
        }
    }

    /// The fields that prove a request. `payload` is its body, or the text of
    /// its address (`flow::purge::authenticate::target`).
    pub fn prove(
        &self,
        id: &str,
        now_seconds: u64,
        payload: &[u8],
    ) -> Result<Vec<(&'static str, String)>, SecretError> {
        let time = now_seconds.to_string();
        let text = signed_text(id, &time, payload);
        let (version, signature) = match self {
            Self::Token(token) => {
                let bearer = format!("Bearer {token}");
                return Ok(vec![
                    ("authorization", bearer),
                    ("webhook-id", id.to_owned()),
                ]);
            }
            Self::Hmac(key) => {
                let mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| SecretError::Form)?;
                let mac = mac.chain_update(&text).finalize().into_bytes();
                ("v1", STANDARD.encode(mac))
            }
            Self::Ed25519(key) => ("v1a", STANDARD.encode(key.sign(&text).to_bytes())),
        };
        Ok(vec![
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", time),
            ("webhook-signature", format!("{version},{signature}")),
        ])
    }
}

fn private_key(text: &str) -> Result<Secret, SecretError> {
    if text.starts_with("-----BEGIN PUBLIC KEY") {
        return Err(SecretError::PublicKey);
    }
    let key = SigningKey::from_pkcs8_pem(text).map_err(|_| SecretError::PrivateKey)?;
    Ok(Secret::Ed25519(Box::new(key)))
}

/// The kind of a new secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// `whsec_`
    Hmac,
    /// A pair of ed25519 keys.
    Ed25519,
    /// `token_`
    Token,
}

/// A new secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    /// What a variable of the Worker gets.
    pub worker: String,
    /// What the caller keeps.
    pub caller: String,
}

impl NewSecret {
    /// Makes a secret of 256 random bits.
    pub fn make(kind: SecretKind, bits: [u8; 32]) -> Result<Self, SecretError> {
        let same = |text: String| Self {
            worker: text.clone(),
            caller: text,
        };
        Ok(match kind {
            SecretKind::Hmac => same(format!("whsec_{}", STANDARD.encode(bits))),
            SecretKind::Token => {
                let digits: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
                same(format!("token_{digits}"))
            }
            SecretKind::Ed25519 => {
                let public = SigningKey::from_bytes(&bits).verifying_key();
                // Without the public half, as openssl writes and reads it.
                let pair = KeypairBytes {
                    secret_key: bits,
                    public_key: None,
                };
                let pem = pair
                    .to_pkcs8_pem(LineEnding::LF)
                    .map_err(|error| SecretError::System(error.to_string()))?;
                Self {
                    worker: format!("whpk_{}", STANDARD.encode(public.as_bytes())),
                    caller: pem.trim_end().to_owned(),
                }
            }
        })
    }
}
