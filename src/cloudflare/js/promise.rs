//! Promises: waiting for one, and leaving one alone.

use crate::cloudflare::guard;
use js_sys::Promise;
use js_sys::futures::JsFuture;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

/// The longest wait for the end of a body: the largest setting allows one
/// 3,600 s, and the native pipes that move it report nothing before its end.
pub const BODY_WAIT_MS: u64 = 4_500_000;

/// Waits for a promise, for which `bound_ms` is allowed (see
/// [`guard::with_bound`]).
pub async fn wait(promise: Promise, bound_ms: u64) -> Result<JsValue, JsValue> {
    guard::with_bound(bound_ms, JsFuture::from(promise)).await
}

#[wasm_bindgen(module = "/src/cloudflare/js/glue.js")]
extern "C" {
    /// Handles the failure of a promise that nobody waits for.
    pub fn ignore(promise: &Promise);
}
