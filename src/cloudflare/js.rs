//! Raw handles of the runtime's objects: what is called of them, and no more.
//! The `worker` crate would wrap them at a cost in time, and in size: what it
//! exports alone is 16 KB, whether it is used or not.

use super::tasks;
use js_sys::futures::JsFuture;
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Writes a line to the log, as an error.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    pub fn log_error(line: &str);

    /// ReadableStream
    #[derive(Clone)]
    pub type Stream;
    #[wasm_bindgen(method, catch)]
    pub fn tee(this: &Stream) -> Result<Array, JsValue>;
    #[wasm_bindgen(method, catch, js_name = pipeTo)]
    pub fn pipe_to(this: &Stream, writable: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn cancel(this: &Stream) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    pub fn get_reader(this: &Stream, options: &JsValue) -> Result<ByobReader, JsValue>;

    /// ReadableStreamBYOBReader
    pub type ByobReader;
    #[wasm_bindgen(method, catch, js_name = readAtLeast)]
    pub fn read_at_least(
        this: &ByobReader,
        bytes: u32,
        buffer: &Uint8Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = releaseLock)]
    pub fn release_lock(this: &ByobReader) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn cancel(this: &ByobReader) -> Result<Promise, JsValue>;

    /// A native pipe of bytes whose length is not known.
    pub type IdentityTransformStream;
    #[wasm_bindgen(constructor, catch)]
    pub fn new() -> Result<IdentityTransformStream, JsValue>;

    /// A native pipe of bytes whose length is known: what is piped to its end
    /// is that long, or the pipe fails.
    pub type FixedLengthStream;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(length: f64) -> Result<FixedLengthStream, JsValue>;

    /// WritableStreamDefaultWriter
    pub type Writer;
    #[wasm_bindgen(method, catch)]
    pub fn write(this: &Writer, chunk: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = releaseLock)]
    pub fn release_lock(this: &Writer) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn close(this: &Writer) -> Result<Promise, JsValue>;

    /// Response
    #[derive(Clone)]
    pub type Response;
    #[wasm_bindgen(constructor, catch)]
    pub fn new(body: &JsValue, init: &JsValue) -> Result<Response, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, getter)]
    pub fn headers(this: &Response) -> Headers;
    #[wasm_bindgen(method, getter)]
    pub fn body(this: &Response) -> Option<Stream>;
    #[wasm_bindgen(method, catch)]
    pub fn text(this: &Response) -> Result<Promise, JsValue>;

    /// Headers
    pub type Headers;
    #[wasm_bindgen(method)]
    pub fn get(this: &Headers, name: &str) -> Option<String>;

    /// Cache
    pub type Cache;
    #[wasm_bindgen(method, catch, js_name = delete)]
    pub fn remove(this: &Cache, url: &str) -> Result<Promise, JsValue>;

    /// KVNamespace
    #[derive(Clone)]
    pub type Kv;
    #[wasm_bindgen(method, catch, js_name = getWithMetadata)]
    pub fn get_with_metadata(this: &Kv, key: &str, options: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn put(
        this: &Kv,
        key: &str,
        value: &JsValue,
        options: &JsValue,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = delete)]
    pub fn remove(this: &Kv, key: &str) -> Result<Promise, JsValue>;

    /// ExecutionContext
    pub type Context;

    /// AbortController
    pub type AbortController;
    #[wasm_bindgen(constructor)]
    pub fn new() -> AbortController;
    #[wasm_bindgen(method, getter)]
    pub fn signal(this: &AbortController) -> JsValue;
    #[wasm_bindgen(method)]
    pub fn abort(this: &AbortController);

    #[wasm_bindgen(js_name = fetch, catch)]
    pub fn fetch_url(url: &str, init: &JsValue) -> Result<Promise, JsValue>;
}

/// A property; `undefined` if there is none.
pub fn get(of: &JsValue, name: &str) -> JsValue {
    Reflect::get(of, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// An object with these properties.
pub fn object<const N: usize>(properties: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        set(&object, name, &value);
    }
    object
}

/// Sets a property of an object of ours, which cannot fail.
pub fn set(of: &Object, name: &str, value: &JsValue) {
    let _ = Reflect::set(of, &JsValue::from_str(name), value);
}

/// `caches.default`
pub fn default_cache() -> Cache {
    get(&get(&js_sys::global(), "caches"), "default").unchecked_into()
}

/// What an exception says, for logs.
pub fn message(error: &JsValue) -> String {
    let text = get(error, "message").as_string();
    text.or_else(|| error.as_string())
        .unwrap_or_else(|| "unknown error".to_owned())
}

/// Lets a promise go. Without a handler its failure would be reported as
/// unhandled.
pub fn let_go(promise: Result<Promise, JsValue>) {
    if let Ok(promise) = promise {
        tasks::start(async move { drop(JsFuture::from(promise).await) });
    }
}
