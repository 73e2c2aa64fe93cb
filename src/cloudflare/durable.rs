//! Raw handles of Durable Objects: how one is asked, its alarm, and its
//! SQLite.
//!
//! The `worker` crate's own parse each URL by the crate `url`, whose tables
//! for names in all scripts are half as large again as all of Edgekeep.

use super::js;
use crate::flow::ledger::{Sql, Value};
use js_sys::futures::JsFuture;
use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// DurableObjectNamespace
    type Namespace;
    #[wasm_bindgen(method, catch, js_name = idFromName)]
    fn id_from_name(this: &Namespace, name: &str) -> Result<Id, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn get(this: &Namespace, id: &Id) -> Result<Stub, JsValue>;

    /// DurableObjectId
    type Id;
    #[wasm_bindgen(method, js_name = toString)]
    fn text(this: &Id) -> String;

    /// DurableObjectStub
    type Stub;
    #[wasm_bindgen(method, catch)]
    fn fetch(this: &Stub, url: &str, init: &JsValue) -> Result<Promise, JsValue>;

    /// DurableObjectState
    pub type State;
    #[wasm_bindgen(method, getter)]
    pub fn storage(this: &State) -> Storage;

    /// DurableObjectStorage
    pub type Storage;
    #[wasm_bindgen(method, getter)]
    pub fn sql(this: &Storage) -> Database;
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm(this: &Storage, at_ms: f64) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = deleteAlarm)]
    fn delete_alarm(this: &Storage) -> Result<Promise, JsValue>;

    /// SqlStorage
    pub type Database;
    #[wasm_bindgen(method, catch, variadic)]
    fn exec(this: &Database, statement: &str, values: &Array) -> Result<Cursor, JsValue>;

    /// SqlStorageCursor
    type Cursor;
    #[wasm_bindgen(method, catch)]
    fn raw(this: &Cursor) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_namespace = Array, js_name = from, catch)]
    fn all(iterable: &JsValue) -> Result<Array, JsValue>;
}

/// An object of this deployment.
pub struct Named {
    namespace: Namespace,
    id: Id,
}

impl Named {
    /// The object `name` of a binding.
    pub fn of(env: &JsValue, binding: &str, name: &str) -> Result<Self, String> {
        let namespace = js::get(env, binding);
        if namespace.is_undefined() {
            return Err(format!("there is no Durable Object binding {binding}"));
        }
        let namespace: Namespace = namespace.unchecked_into();
        let id = namespace.id_from_name(name).map_err(said)?;
        Ok(Self { namespace, id })
    }

    /// Its id, which no other deployment has. This takes no request.
    pub fn id(&self) -> String {
        self.id.text()
    }

    /// Sends a GET, or a POST if there is a body. An answer of another status
    /// than 200 is an error, with its text.
    pub async fn ask(&self, url: &str, body: Option<&str>) -> Result<String, String> {
        let init = js::object([]);
        if let Some(body) = body {
            js::set(&init, "method", &"POST".into());
            js::set(&init, "body", &body.into());
        }
        let stub = self.namespace.get(&self.id).map_err(said)?;
        let response = wait(stub.fetch(url, &init)).await?;
        let response: js::Response = response.unchecked_into();
        let text = wait(response.text()).await?;
        let text = text.as_string().unwrap_or_default();
        match response.status() {
            200 => Ok(text),
            _ => Err(text),
        }
    }
}

/// Sets the alarm, or clears it if there is no time.
pub async fn set_alarm(storage: &Storage, at_ms: Option<u64>) -> Result<(), String> {
    let set = match at_ms {
        // Exact for 285,000 years.
        Some(at_ms) => storage.set_alarm(at_ms as f64),
        None => storage.delete_alarm(),
    };
    wait(set).await.map(drop)
}

/// What a promise comes to; or what the exception says.
pub async fn wait(promise: Result<Promise, JsValue>) -> Result<JsValue, String> {
    JsFuture::from(promise.map_err(said)?).await.map_err(said)
}

fn said(error: JsValue) -> String {
    js::message(&error)
}

impl Sql for Database {
    fn run(&self, statement: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, String> {
        let given = Array::new();
        for value in values {
            given.push(&match value {
                Value::Null => JsValue::NULL,
                // Ours are below 2^53.
                Value::Integer(number) => JsValue::from_f64(*number as f64),
                Value::Text(text) => JsValue::from_str(text),
            });
        }
        let cursor = self.exec(statement, &given).map_err(said)?;
        let found = all(&cursor.raw().map_err(said)?).map_err(said)?;
        let mut rows = Vec::new();
        for row in found.iter() {
            let row: Array = row.unchecked_into();
            let mut cells = Vec::new();
            for cell in row.iter() {
                cells.push(read(&cell)?);
            }
            rows.push(cells);
        }
        Ok(rows)
    }
}

fn read(cell: &JsValue) -> Result<Value, String> {
    if cell.is_null() {
        return Ok(Value::Null);
    }
    if let Some(number) = cell.as_f64() {
        return Ok(Value::Integer(number as i64));
    }
    let text = cell.as_string();
    text.map(Value::Text)
        .ok_or_else(|| "a blob where none is kept".to_owned())
}
