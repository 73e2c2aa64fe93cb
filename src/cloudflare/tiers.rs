//! Entries in the Cache API and in KV.
//!
//! Both hold the entry's text and, beside it, the body's bytes as the origin
//! coded them. In the Cache API the text is a field of a wrapper response
//! (status 200, no coding: the Cache API has rules of its own for those),
//! which also has the answer's own fields where they are harmless: of such a
//! response the client's is made by changing some; in KV it is the start of the value, and the metadata say how long
//! it is, and a short body, so that one operation reads or writes the whole.

use super::body::{self, Body, Copy};
use super::glue;
use super::js::{self, Kv, Stream};
use crate::cache::entry::{ENTRY_BYTES_MAX, Entry};
use crate::cache::key::Slot;
use crate::cache::zone::cache_tags;
use crate::flow::host::WHOLE_BYTES_MAX;
use crate::http::fields::Fields;
use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use wasm_bindgen::{JsCast, JsValue};

/// The wrapper's field with the entry's text.
const ENTRY_FIELD: &str = "edgekeep-entry";

/// KV keeps nothing for less than this.
const KV_SECONDS_MIN: u64 = 60;

/// What a tier holds in a slot: the entry's text and its body.
pub type Held = Option<(String, Option<Body>)>;

/// Reads the Cache API.
pub async fn recall_from_cache(slot: &Slot) -> Result<Held, JsValue> {
    let (found, text) = glue::look_up(&slot.entry_url).await?;
    if found.is_undefined() {
        return Ok(None);
    }
    Ok(Some((text, Some(Body::cached(found.unchecked_into())))))
}

/// Whether an answer's field is a field of its wrapper, too. The others would
/// mean something to the Cache API, or to the zone, and stand in the entry's
/// text alone, as those do that the wrapper has for itself.
pub fn is_on_wrapper(name: &str, value: &str) -> bool {
    let has_meaning = match name {
        "age" | "cache-control" | "cache-tag" | "content-encoding" | "content-length"
        | "content-range" | "date" | "expires" | "pragma" | "set-cookie" | "warning" => true,
        "vary" => value.contains('*'),
        _ => {
            let starts = ["cf-", "cdn-", "cloudflare-", "surrogate-", "edgekeep-"];
            starts.iter().any(|start| name.starts_with(start))
        }
    };
    !has_meaning
}

/// Whether it is certain that a value comes back as it went. (Fields that hold
/// another are not read back as they lie in the entry's text, so none of them
/// is looked for on the wrapper: see `Fields::changes`.)
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Writes the Cache API.
pub async fn keep_in_cache(slot: &Slot, entry: &Entry, body: &Copy) -> Result<(), JsValue> {
    let mut fields = Fields::new();
    let retention = entry.retention_seconds();
    fields.add("cache-control", format!("max-age={retention}"));
    fields.add(ENTRY_FIELD, entry.encode());
    for (name, value) in entry.fields.iter() {
        if is_on_wrapper(name, value) && is_plain(value) {
            fields.add(name, value);
        }
    }
    fields.add("cache-tag", cache_tags(entry));
    body.put(None, entry.length, |body| {
        let stored = glue::store(&slot.entry_url, &fields, body);
        Ok(async { stored.await.map(|_| ()) })
    })
    .await
}

/// Forgets a slot of the Cache API.
pub async fn forget_in_cache(slot: &Slot) -> Result<(), JsValue> {
    let removed = js::default_cache().remove(&slot.entry_url)?;
    JsFuture::from(removed).await.map(|_| ())
}

/// Reads a note of ours from the Cache API.
pub async fn read_note(url: &str) -> Result<Option<String>, JsValue> {
    let (found, _) = glue::look_up(url).await?;
    if found.is_undefined() {
        return Ok(None);
    }
    let response: js::Response = found.unchecked_into();
    Ok(JsFuture::from(response.text()?).await?.as_string())
}

/// Writes a note of ours to the Cache API.
pub async fn write_note(url: &str, text: &str, seconds: u64) -> Result<(), JsValue> {
    let mut fields = Fields::new();
    fields.add("cache-control", format!("max-age={seconds}"));
    fields.add("content-type", "text/plain");
    glue::store(url, &fields, &text.into()).await.map(|_| ())
}

fn kv_key(slot: &Slot) -> String {
    format!("entry:{}", slot.digest)
}

/// Reads KV.
pub async fn recall_from_kv(kv: &Kv, slot: &Slot) -> Result<Held, JsValue> {
    let options = js::object([("type", "stream".into())]);
    let found = JsFuture::from(kv.get_with_metadata(&kv_key(slot), &options)?).await?;
    let value = js::get(&found, "value");
    if value.is_null() || value.is_undefined() {
        return Ok(None);
    }
    let value: Stream = value.unchecked_into();
    let metadata = js::get(&found, "metadata");
    let Some(text_bytes) = whole_number(&js::get(&metadata, "text"))
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| usize::try_from(*n).is_ok_and(|n| n <= ENTRY_BYTES_MAX))
    else {
        js::let_go(value.cancel());
        return Ok(Some((String::new(), None)));
    };
    let text = body::read_start(&value, text_bytes).await?.to_vec();
    let text = String::from_utf8(text).unwrap_or_default();
    let body_bytes = whole_number(&js::get(&metadata, "body")).and_then(|n| u32::try_from(n).ok());
    if let Some(expected) = body_bytes.filter(|n| *n <= WHOLE_BYTES_MAX) {
        // A short one is looked at whole: the runtime would end the transfer
        // of half a body as if it were all. One byte more tells of too many.
        let bytes = body::read_start(&value, expected.saturating_add(1)).await?;
        if bytes.length() != expected {
            js::let_go(value.cancel());
            return Ok(Some((String::new(), None)));
        }
        return Ok(Some((text, Some(Body::of_bytes(bytes)))));
    }
    // A stream that was read from cannot be a response's body, but a copy of
    // its rest can. (A pipe's end could, too, but the runtime refuses to pipe
    // it on, which storing it again takes.)
    let (rest, unused) = body::tee(&value)?;
    js::let_go(unused.cancel());
    Ok(Some((text, Some(Body::stored(rest)))))
}

/// Writes KV.
pub async fn keep_in_kv(kv: &Kv, slot: &Slot, entry: &Entry, body: &Copy) -> Result<(), JsValue> {
    let text = entry.encode();
    let metadata = js::object([("text", js_number(text.len() as u64))]);
    if let Some(length) = body.length() {
        js::set(&metadata, "body", &js_number(length));
    }
    let retention = entry.retention_seconds().max(KV_SECONDS_MIN);
    let options = js::object([
        ("metadata", metadata.into()),
        ("expirationTtl", js_number(retention)),
    ]);
    let head = Uint8Array::from(text.as_bytes());
    body.put(Some(&head), entry.length, |value| {
        let stored = JsFuture::from(kv.put(&kv_key(slot), value, &options)?);
        Ok(async { stored.await.map(|_| ()) })
    })
    .await
}

/// Forgets a slot of KV.
pub async fn forget_in_kv(kv: &Kv, slot: &Slot) -> Result<(), JsValue> {
    JsFuture::from(kv.remove(&kv_key(slot))?).await.map(|_| ())
}

/// A whole number of at most 2^53, as JavaScript has them.
fn whole_number(value: &JsValue) -> Option<u64> {
    let number = value.as_f64()?;
    (number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_992.0)
        .then_some(number as u64)
}

fn js_number(number: u64) -> JsValue {
    // Exact up to 2^53: these are lengths and seconds.
    JsValue::from_f64(number as f64)
}
