//! The runtime's own cryptography, where ours would be large.

use super::js;
use js_sys::futures::JsFuture;
use js_sys::{Array, Function, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

/// Whether `signature` is the ed25519 signature of `message` under a raw
/// public key of 32 bytes. An error says that the key is none.
pub async fn verify_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, JsValue> {
    let algorithm = js::object([("name", "Ed25519".into())]);
    let usages = Array::of1(&"verify".into());
    let key = Uint8Array::from(key);
    let key = call(
        "importKey",
        &[
            "raw".into(),
            key.into(),
            algorithm.clone().into(),
            false.into(),
            usages.into(),
        ],
    )
    .await?;
    let (signature, message) = (Uint8Array::from(signature), Uint8Array::from(message));
    let verified = call(
        "verify",
        &[algorithm.into(), key, signature.into(), message.into()],
    )
    .await?;
    Ok(verified.is_truthy())
}

/// Calls a method of `crypto.subtle`.
async fn call(method: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
    let subtle = js::get(&js::get(&js_sys::global(), "crypto"), "subtle");
    let method: Function = js::get(&subtle, method).dyn_into()?;
    let arguments: Array = arguments.iter().collect();
    let promise: Promise = method.apply(&subtle, &arguments)?.dyn_into()?;
    JsFuture::from(promise).await
}
