//! Entries in the Cache API and in KV.
//!
//! Both hold the entry's text, and the body's bytes as the origin coded them.
//!
//! In the Cache API the text is a field of a wrapper response. The wrapper has
//! status 200 and no content coding, because the Cache API has rules of its own
//! for those. It also has those fields of the stored response that do not
//! affect the Cache API. The client's response is made from the wrapper by
//! changing some fields.
//!
//! In KV the text is the start of the value, followed by the body. The metadata
//! contain the length of the text, and the length of a short body, so that one
//! operation reads or writes both.

use super::body::{self, Body, Copy};
use super::guard;
use super::js::glue;
use super::js::promise::BODY_WAIT_MS;
use super::js::streams::Stream;
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::{ENTRY_BYTES_MAX, Entry};
use crate::cache::purge::zone_purge::cache_tags;
use crate::flow::runtime::host::{SlotContent, WHOLE_BYTES_MAX};
use crate::http::fields::{Fields, is_unreadable};
use js_sys::Uint8Array;
use js_sys::futures::JsFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use worker::Cache;
use worker::kv::{KvError, KvStore, ToRawKvValue};

/// The wrapper's field that holds the entry's text.
const ENTRY_FIELD: &str = "edgekeep-entry";

/// The smallest expiration that KV accepts, in seconds.
const KV_SECONDS_MIN: u64 = 60;

/// Reads a slot of the Cache API for a request.
pub async fn read_from_cache(
    slot: &Slot,
    request: Option<&JsValue>,
) -> Result<SlotContent<Body>, JsValue> {
    let (found, text) = glue::look_up(&slot.entry_url, request).await?;
    if found.is_undefined() {
        return Ok(None);
    }
    Ok(Some((text, Some(Body::cached(found.unchecked_into())))))
}

/// Whether a field of a stored response is also a field of its wrapper. The
/// others would affect the Cache API or the zone, or are names of the wrapper's
/// own fields. They are stored in the entry's text only.
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

/// Whether the Cache API returns the value unchanged for certain. (A field with
/// another value is not read back as it stands in the entry's text, so it is
/// not looked for on the wrapper: see `Fields::changes`.)
fn is_plain(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Writes to the Cache API what was fetched for a request. Values that are not
/// UTF-8 can be stored by the wrapper only, which the runtime copies. An entry
/// that has such a value in another field is not stored.
pub async fn write_to_cache(
    slot: &Slot,
    entry: &Entry,
    body: &Copy,
    request: Option<&JsValue>,
) -> Result<(), JsValue> {
    let mut fields = Fields::new();
    let retention = entry.retention_seconds();
    fields.add("cache-control", format!("max-age={retention}"));
    fields.add(ENTRY_FIELD, entry.encode());
    for (name, value) in entry.fields.iter() {
        let (fits, lost) = (is_on_wrapper(name, value), is_unreadable(value));
        if lost && !fits {
            return Err(format!("the bytes of the field {name} cannot be stored").into());
        }
        if fits && (lost || is_plain(value)) {
            fields.add(name, value);
        }
    }
    fields.add("cache-tag", cache_tags(&entry.marks, &entry.tags));
    body.put(None, entry.length, |body| {
        let stored = glue::store(&slot.entry_url, &fields, body, request);
        Ok(async { stored.await.map(|_| ()) })
    })
    .await
}

/// Deletes a slot of the Cache API.
pub async fn delete_from_cache(slot: &Slot) -> Result<(), JsValue> {
    let deleted = Cache::default().delete(&slot.entry_url, true).await;
    deleted.map(drop).map_err(JsValue::from)
}

/// Reads one of our notes from the Cache API.
pub async fn read_note(url: &str) -> Result<Option<String>, JsValue> {
    let (found, _) = glue::look_up(url, None).await?;
    if found.is_undefined() {
        return Ok(None);
    }
    let response: web_sys::Response = found.unchecked_into();
    let text = JsFuture::from(response.text()?).await?;
    Ok(text.as_string())
}

/// Writes one of our notes to the Cache API.
pub async fn write_note(url: &str, text: &str, seconds: u64) -> Result<(), JsValue> {
    let mut fields = Fields::new();
    fields.add("cache-control", format!("max-age={seconds}"));
    fields.add("content-type", "text/plain");
    let stored = glue::store(url, &fields, &text.into(), None);
    stored.await.map(|_| ())
}

fn kv_key(slot: &Slot) -> String {
    format!("entry:{}", slot.digest)
}

/// Reads a slot of KV.
pub async fn read_from_kv(kv: &KvStore, slot: &Slot) -> Result<SlotContent<Body>, JsValue> {
    let found = kv.get(&kv_key(slot)).stream_with_metadata();
    let (value, metadata): (_, Option<Value>) = found.await.map_err(JsValue::from)?;
    let Some(value) = value else {
        return Ok(None);
    };
    let value: Stream = value.unchecked_into();
    // Metadata by another writer make the entry unreadable; KV still works.
    let metadata = metadata.and_then(|metadata| serde_json::from_value(metadata).ok());
    let metadata: Lengths = metadata.unwrap_or_default();
    let Some(text_bytes) = metadata
        .text
        .filter(|n| usize::try_from(*n).is_ok_and(|n| n <= ENTRY_BYTES_MAX))
    else {
        value.cancel();
        return Ok(Some((String::new(), None)));
    };
    let text = body::read_start(&value, text_bytes).await?.to_vec();
    let text = String::from_utf8(text).unwrap_or_default();
    if let Some(expected) = metadata.body.filter(|n| *n <= WHOLE_BYTES_MAX) {
        // A short body is read whole and checked: the runtime would end the
        // transfer of a truncated body as if it were complete. Reading one byte
        // more detects a body that is too long.
        let bytes = body::read_start(&value, expected.saturating_add(1)).await?;
        if bytes.length() != expected {
            value.cancel();
            return Ok(Some((String::new(), None)));
        }
        return Ok(Some((text, Some(Body::of_bytes(bytes)))));
    }
    // A stream that was read from cannot be a response's body, but a branch of
    // its rest can. (The end of a pipe can, too, but the runtime refuses to
    // pipe it again, which is needed to store it again.)
    let (rest, unused) = value.tee()?;
    unused.cancel();
    Ok(Some((text, Some(Body::stored(rest)))))
}

/// Writes a slot of KV.
pub async fn write_to_kv(
    kv: &KvStore,
    slot: &Slot,
    entry: &Entry,
    body: &Copy,
) -> Result<(), JsValue> {
    let text = entry.encode();
    let metadata = Lengths {
        text: u32::try_from(text.len()).ok(),
        body: body.length().and_then(|length| u32::try_from(length).ok()),
    };
    let retention = entry.retention_seconds().max(KV_SECONDS_MIN);
    let head = Uint8Array::from(text.as_bytes());
    body.put(Some(&head), entry.length, |value| {
        let put = kv.put(&kv_key(slot), Raw(value.clone()))?;
        let put = put.expiration_ttl(retention).metadata(&metadata)?;
        let stored = guard::with_bound(BODY_WAIT_MS, put.execute());
        Ok(async { stored.await.map_err(JsValue::from) })
    })
    .await
}

/// Deletes a slot of KV.
pub async fn delete_from_kv(kv: &KvStore, slot: &Slot) -> Result<(), JsValue> {
    kv.delete(&kv_key(slot)).await.map_err(JsValue::from)
}

/// The metadata of an entry in KV: the length of its text in bytes, and the
/// length of its body if it is whole.
#[derive(Default, Deserialize, Serialize)]
struct Lengths {
    text: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<u32>,
}

/// A value for KV that stays in JavaScript's memory.
struct Raw(JsValue);

impl ToRawKvValue for Raw {
    fn raw_kv_value(&self) -> Result<JsValue, KvError> {
        Ok(self.0.clone())
    }
}
