//! Awaits promises, or handles their failures without awaiting them.

use super::operation::{Handle, Operation};
use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

/// The longest wait for the end of a body, in milliseconds. The largest setting
/// allows a body 3,600 s, and the native pipes that move it report nothing
/// before its end.
pub const BODY_WAIT_MS: u64 = 4_500_000;

/// Awaits a promise, which may take `bound_ms` (see
/// [`guard::allow_wait`](crate::cloudflare::guard::allow_wait)).
pub async fn wait(promise: Promise, bound_ms: u64) -> Result<JsValue, JsValue> {
    let settled = Operation::begin(bound_ms, |op| {
        settle(op, &promise);
        Ok(Handle::None)
    });
    settled.await.map(|(value, _)| value)
}

#[wasm_bindgen(module = "/src/cloudflare/js/glue.js")]
extern "C" {
    /// Handles the rejection of a promise that is not awaited.
    pub fn ignore(promise: &Promise);

    /// Completes the operation when the promise settles.
    fn settle(op: u32, promise: &Promise);
}
