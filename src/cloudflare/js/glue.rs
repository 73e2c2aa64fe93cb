//! The Rust side of `glue.js`. Each call does the work of several, because a
//! crossing between wasm and JavaScript costs about as much as reading a header
//! field.

use super::operation::{Handle, Operation, received};
use super::promise::BODY_WAIT_MS;
use super::streams::Stream;
use crate::http::fields::Fields;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/cloudflare/js/glue.js")]
extern "C" {
    /// Writes a line to the log.
    pub fn log(line: &str);

    /// Writes a line to the log, as an error.
    #[wasm_bindgen(js_name = logError)]
    pub fn log_error(line: &str);

    /// Sets the names of the fields (lower-case, one a line) that are read from
    /// requests which are looked up.
    #[wasm_bindgen(js_name = readOnly)]
    pub fn read_only(names: &str);

    #[wasm_bindgen(js_name = sendHead)]
    fn send_head(request: &web_sys::Request, whole: bool) -> u32;

    #[wasm_bindgen(js_name = sendField)]
    fn send_field(request: &web_sys::Request, name: &str) -> i32;

    #[wasm_bindgen(js_name = match)]
    fn match_url(op: u32, url: &str, request: &JsValue);

    #[wasm_bindgen(js_name = dashboardFile)]
    fn dashboard_file_raw(op: u32, name: &str);

    #[wasm_bindgen(js_name = copyResponse)]
    fn copy_response_raw(op: u32, cached: &JsValue);

    #[wasm_bindgen(js_name = digestBody)]
    fn digest_body_raw(op: u32, stream: &Stream, gzip: bool, most: u32) -> JsValue;

    /// The body of a held response, or bytes, as a stream.
    #[wasm_bindgen(js_name = streamOf)]
    pub fn stream_of(bytes: &JsValue) -> Stream;

    #[wasm_bindgen(catch)]
    fn put(
        op: u32,
        url: &str,
        head: &str,
        body: &JsValue,
        request: &JsValue,
    ) -> Result<(), JsValue>;

    #[wasm_bindgen(catch, js_name = sendToOrigin)]
    #[allow(clippy::too_many_arguments, reason = "one crossing, not ten")]
    fn send_to_origin(
        op: u32,
        method: &str,
        url: &str,
        head: &str,
        body: &JsValue,
        length: f64,
        head_ms: f64,
        body_ms: f64,
        short_bytes: u32,
        request: &JsValue,
    ) -> Result<JsValue, JsValue>;

    fn sleep(op: u32, milliseconds: f64) -> JsValue;

    /// Sends a message to a watcher's socket, in the object with this state.
    /// Returns `false` if the socket is closed, or if it is closed now because
    /// more than `most` characters would wait in it.
    pub fn tell(state: &JsValue, socket: &JsValue, message: &str, most: u32) -> bool;

    /// A response to a request.
    #[wasm_bindgen(catch)]
    pub fn respond(
        status: u16,
        head: &str,
        body: &JsValue,
        request: &web_sys::Request,
    ) -> Result<web_sys::Response, JsValue>;

    /// A response made from one of the Cache API, or from a held one, by
    /// changes.
    #[wasm_bindgen(catch, js_name = respondFrom)]
    pub fn respond_from(
        status: u16,
        changes: &str,
        cached: &JsValue,
    ) -> Result<web_sys::Response, JsValue>;
}

/// The head of a request as text. It has the fields that [`read_only`] names if
/// the request may be looked up, otherwise all fields.
pub fn head(request: &web_sys::Request) -> String {
    received(send_head(request, false))
}

/// The head of a request with all its fields, as text.
pub fn whole_head(request: &web_sys::Request) -> String {
    received(send_head(request, true))
}

/// A field of a request; `None` if the request does not have it.
pub fn field(request: &web_sys::Request, name: &str) -> Option<String> {
    let bytes = u32::try_from(send_field(request, name)).ok()?;
    Some(received(bytes))
}

/// Looks up a URL in the Cache API, for a request if there is one. The outcome
/// is the response and the text of its entry.
pub fn look_up(url: &str, request: Option<&JsValue>) -> Operation {
    Operation::begin(0, |op| {
        match_url(op, url, request.unwrap_or(&JsValue::UNDEFINED));
        Ok(Handle::None)
    })
}

/// A file of the dashboard. The outcome is its text; it fails if there is no
/// such file.
pub fn dashboard_file(name: &str) -> Operation {
    Operation::begin(0, |op| {
        dashboard_file_raw(op, name);
        Ok(Handle::None)
    })
}

/// Copies a response of the Cache API into memory. The outcome is a value from
/// which any number of responses can be made, and the length of its body in
/// bytes.
pub fn copy_response(cached: &JsValue) -> Operation {
    Operation::begin(BODY_WAIT_MS, |op| {
        copy_response_raw(op, cached);
        Ok(Handle::None)
    })
}

/// Takes the SHA-256 of a stream of at most `most` bytes, encoded and decoded.
/// The outcome is the number of bytes received, and the digest in hexadecimal.
/// It fails with [`LARGE`] if there are more bytes. Dropping it cancels the
/// stream.
pub fn digest_body(stream: &Stream, is_gzip: bool, most: u32) -> Operation {
    Operation::begin(BODY_WAIT_MS, |op| {
        Ok(Handle::Cancel(digest_body_raw(op, stream, is_gzip, most)))
    })
}

/// Stores a body in the Cache API, with these fields. Values that are not UTF-8
/// are copied from what was fetched or found for `request`; it fails if they
/// cannot be.
pub fn store(url: &str, fields: &Fields, body: &JsValue, request: Option<&JsValue>) -> Operation {
    Operation::begin(BODY_WAIT_MS, |op| {
        let text = fields.to_text();
        put(op, url, &text, body, request.unwrap_or(&JsValue::UNDEFINED))?;
        Ok(Handle::None)
    })
}

/// A request to an origin.
pub struct OriginCall<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its URL.
    pub url: &'a str,
    /// Its fields.
    pub fields: &'a Fields,
    /// Its body, or `undefined`.
    pub body: JsValue,
    /// The length of its body, if that is known.
    pub length: Option<u64>,
    /// The timeout of the response head in milliseconds; 0: no timeout.
    pub head_ms: u64,
    /// The timeout of the response body after that; 0: no timeout.
    pub body_ms: u64,
    /// A response body whose stated length is at most this is read whole within
    /// `head_ms`; 0: no body is.
    pub short_bytes: u32,
    /// The client's request that it is sent for, if there is one. Values of
    /// fields that are not UTF-8 are copied from it.
    pub client: Option<&'a JsValue>,
}

/// Sends a request to an origin. Dropping it aborts the request.
///
/// The outcome is the response, and a text: the status, marks, and the fields,
/// each piece on a line. The marks are `1` if the value is the bytes of a short
/// body instead of the response, and `u` if the request's own body was not sent
/// to its end.
///
/// It fails with [`LATE`] if the response takes too long, and with [`CUT`] if a
/// short body breaks off. [`UNSENT`] precedes the failure if the request's own
/// body was not sent to its end.
pub fn fetch(call: &OriginCall<'_>) -> Operation {
    let bound_ms = match call.head_ms {
        0 => BODY_WAIT_MS,
        head_ms => head_ms.saturating_add(call.body_ms),
    };
    Operation::begin(bound_ms, |op| {
        send_to_origin(
            op,
            call.method,
            call.url,
            &call.fields.to_text(),
            &call.body,
            // Exact up to 2^53 bytes.
            call.length.map_or(-1.0, |length| length as f64),
            // Exact: minutes.
            call.head_ms as f64,
            call.body_ms as f64,
            call.short_bytes,
            call.client.unwrap_or(&JsValue::UNDEFINED),
        )
        .map(Handle::Cancel)
    })
}

/// Waits. Dropping it clears its timer.
pub fn pause(milliseconds: u64) -> Operation {
    // Exact: minutes.
    Operation::begin(milliseconds, |op| {
        Ok(Handle::Cancel(sleep(op, milliseconds as f64)))
    })
}

/// The failure of a response that took too long.
pub const LATE: &str = "edgekeep: late";

/// The prefix of the failure if the request's own body was not sent to its end.
pub const UNSENT: &str = "edgekeep: unsent: ";

/// The failure of a body that is too long for a digest.
pub const LARGE: &str = "edgekeep: large";

/// The failure of a short body that broke off.
pub const CUT: &str = "edgekeep: cut";
