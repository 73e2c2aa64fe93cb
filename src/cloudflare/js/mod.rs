//! Hand-written calls of JavaScript: all that use neither `worker` nor a type
//! of `js_sys`.
//!
//! `README.md` beside this file says why each piece exists, what it saves in
//! numbers, and how to measure that again. `tests/it/house/shape.rs` checks
//! that other modules do not call JavaScript by themselves.

pub mod disconnect;
pub mod glue;
mod operation;
pub mod promise;
pub mod streams;

use js_sys::{Error, JSON, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use worker::Env;

/// The message of an exception, for logs.
pub fn message(error: &JsValue) -> String {
    if let Some(error) = error.dyn_ref::<Error>() {
        return error.message().into();
    }
    let text = error.as_string();
    text.unwrap_or_else(|| "unknown error".to_owned())
}

/// The message of an error of the `worker` crate.
pub fn worker_message(error: worker::Error) -> String {
    message(&error.into())
}

/// A variable of the deployment as JSON; `None` if it is not set. `wrangler`
/// passes a table as an object. A text that holds JSON is returned as it is.
///
/// `Env::object_var` could read it into a struct, but does not report where an
/// error is.
pub fn json_variable(env: &Env, name: &str) -> Option<String> {
    let value = Reflect::get(env, &JsValue::from_str(name)).ok()?;
    if value.is_undefined() {
        return None;
    }
    let as_json = || JSON::stringify(&value).ok().map(String::from);
    Some(value.as_string().or_else(as_json).unwrap_or_default())
}
