//! The hand-made part of the platform: every call of JavaScript that goes
//! neither through `worker` nor through a type of `js_sys`.
//!
//! `README.md` beside this file says why each piece exists, what it brings in
//! numbers, and how to measure that again. `tests/shape.rs` keeps other
//! modules from calling JavaScript by themselves.

pub mod glue;
pub mod streams;

use crate::cloudflare::guard;
use js_sys::futures::JsFuture;
use js_sys::{Error, JSON, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

/// The longest wait for the end of a body: the largest setting allows one
/// 3,600 s, and the native pipes that move it report nothing before its end.
pub const BODY_WAIT_MS: u64 = 4_500_000;

/// The message of an exception, for logs.
pub fn message(error: &JsValue) -> String {
    if let Some(error) = error.dyn_ref::<Error>() {
        return error.message().into();
    }
    let text = error.as_string();
    text.unwrap_or_else(|| "unknown error".to_owned())
}

/// The message of an exception of the `worker` crate.
pub fn worker_message(error: worker::Error) -> String {
    message(&error.into())
}

/// A variable of the deployment as JSON. `wrangler` passes a table as an
/// object; a text that holds JSON is taken as it is. `None` if it is not set.
///
/// `Env::object_var` would read it into a struct, but not say where in it an
/// error is.
pub fn json_variable(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() {
        return None;
    }
    let as_json = || JSON::stringify(&value).ok().map(String::from);
    Some(value.as_string().or_else(as_json).unwrap_or_default())
}

/// Waits for a promise, for which `bound_ms` is allowed (see
/// [`guard::with_bound`]).
async fn wait(promise: Promise, bound_ms: u64) -> Result<JsValue, JsValue> {
    guard::with_bound(bound_ms, JsFuture::from(promise)).await
}
