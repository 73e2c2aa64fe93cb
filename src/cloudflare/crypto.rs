//! Calls the runtime's cryptography, where our own code would be large.

use super::body::Body;
use super::js::glue;
use super::js::message;
use crate::cache::shadow::record::BodyDigest;
use crate::flow::runtime::host::BodyError;
use js_sys::futures::JsFuture;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CryptoKey, WorkerGlobalScope};

/// The name of the algorithm in Web Crypto.
const ED25519: &str = "Ed25519";

/// Whether `signature` is the ed25519 signature of `message` under a raw public
/// key of 32 bytes. An error means that the key is not valid.
pub async fn verify_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, JsValue> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let subtle = scope.crypto()?.subtle();
    let usages = Array::of1(&"verify".into());
    let key = Uint8Array::from(key);
    let key = subtle.import_key_with_str("raw", &key, ED25519, false, &usages)?;
    let key: CryptoKey = JsFuture::from(key).await?.unchecked_into();
    let (signature, message) = (Uint8Array::from(signature), Uint8Array::from(message));
    let verified =
        subtle.verify_with_str_and_js_u8_array_and_js_u8_array(ED25519, &key, &signature, &message);
    Ok(JsFuture::from(verified?).await?.is_truthy())
}

/// The SHA-256 of a body, which stays in JavaScript's memory.
pub async fn digest_body(body: Body, is_gzip: bool, most: u32) -> Result<BodyDigest, BodyError> {
    let stream = body.into_stream().ok_or(BodyError::Broken)?;
    let digested = glue::digest_body(&stream, is_gzip, most).await;
    let (_, text) = digested.map_err(|error| match message(&error).as_str() {
        glue::LARGE => BodyError::TooLong,
        _ => BodyError::Broken,
    })?;
    let (bytes, text) = text.split_once(' ').unwrap_or_default();
    Ok(BodyDigest {
        text: text.to_owned(),
        bytes: bytes.parse().map_err(|_| BodyError::Broken)?,
    })
}
