//! Promises: waiting for one, and leaving one alone.

use super::operation::{Handle, Operation};
use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

/// The longest wait for the end of a body: the largest setting allows one
/// 3,600 s, and the native pipes that move it report nothing before its end.
pub const BODY_WAIT_MS: u64 = 4_500_000;

/// Waits for a promise, for which `bound_ms` is allowed (see
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
    /// Handles the failure of a promise that nobody waits for.
    pub fn ignore(promise: &Promise);

    /// Lands when a promise settles.
    fn settle(op: u32, promise: &Promise);
}
