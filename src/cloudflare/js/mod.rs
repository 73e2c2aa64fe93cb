//! The hand-made part of the platform: every call of JavaScript that goes
//! neither through `worker` nor through a type of `js_sys`.
//!
//! `README.md` beside this file says why each piece exists, what it brings in
//! numbers, and how to measure that again. `tests/it/house/shape.rs` keeps other
//! modules from calling JavaScript by themselves.

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
