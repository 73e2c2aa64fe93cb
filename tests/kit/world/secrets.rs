//! The secrets of keys in tests, derived from their names, and signatures made
//! with them. `tests/workerd/secrets.mjs` derives the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The name of a story's key in the settings; the default key has no name.
pub fn full_name(story: &str, key: &str) -> String {
    match key {
        "" => "default".to_owned(),
        key => format!("{story}-{key}"),
    }
}

/// The variable with the secrets of a key.
pub fn variable(name: &str) -> String {
    match name {
        "default" => "PURGE_SECRETS".to_owned(),
        name => format!("STORY_{}", name.replace('-', "_").to_uppercase()),
    }
}

/// The value of that variable.
pub fn of_variable(variable: &str) -> String {
    let name = match variable.strip_prefix("STORY_") {
        Some(name) => name.replace('_', "-").to_lowercase(),
        None => "default".to_owned(),
    };
    format!("{} {} {}", hmac(&name), public_key(&name), token(&name))
}

fn digest(kind: &str, name: &str) -> [u8; 32] {
    Sha256::digest(format!("{kind} of {name}").as_bytes()).into()
}

pub fn hmac(name: &str) -> String {
    format!("whsec_{}", STANDARD.encode(digest("hmac", name)))
}

pub fn token(name: &str) -> String {
    let digits = digest("token", name).map(|byte| format!("{byte:02x}"));
    format!("token_{}", digits.concat())
}

pub fn basic(name: &str) -> String {
    STANDARD.encode(format!("story:{}", token(name)))
}

fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&digest("ed25519", name))
}

pub fn public_key(name: &str) -> String {
    let key = signing_key(name).verifying_key();
    format!("whpk_{}", STANDARD.encode(key.as_bytes()))
}

/// Signs as the Standard Webhooks libraries do.
pub fn sign(secret: &str, id: &str, seconds: u64, body: &str) -> String {
    let key = STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .expect("base64");
    let mut hmac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
    hmac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes()))
}

/// Signs by ed25519, with the private half of a key's public one.
pub fn ed25519_sign(name: &str, id: &str, seconds: u64, body: &str) -> String {
    let signature = signing_key(name).sign(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1a,{}", STANDARD.encode(signature.to_bytes()))
}

/// Signs as GitHub does.
pub fn hub_sign(secret: &str, body: &str) -> String {
    let mut hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    hmac.update(body.as_bytes());
    let digits = hmac.finalize().into_bytes();
    let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Verifies with the crate `ed25519_dalek`; on the platform the runtime
/// verifies.
pub fn verify_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = key
        .try_into()
        .ok()
        .and_then(|key| VerifyingKey::from_bytes(key).ok());
    let signature = Signature::from_slice(signature).ok();
    match (key, signature) {
        (Some(key), Some(signature)) => key.verify(message, &signature).is_ok(),
        _ => false,
    }
}
