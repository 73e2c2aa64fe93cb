//! Bodies: streams that are only moved.

use super::js::{self, FixedLengthStream, IdentityTransformStream, Stream};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

/// A body. Dropping it ends its stream, so that a copy which nobody reads is
/// not kept in memory.
pub struct Body(Option<Inner>);

enum Inner {
    Stream(Stream),
    /// A 101 (Switching Protocols): the response itself carries the socket.
    Upgrade(js::Response),
}

impl Body {
    /// A body of this stream.
    pub fn new(stream: Stream) -> Self {
        Self(Some(Inner::Stream(stream)))
    }

    /// A response that switches protocols.
    pub fn upgrade(response: js::Response) -> Self {
        Self(Some(Inner::Upgrade(response)))
    }

    /// The stream, to move it on.
    pub fn into_stream(mut self) -> Option<Stream> {
        match self.0.take() {
            Some(Inner::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// The response, if this is one that switches protocols.
    pub fn as_upgrade(&self) -> Option<js::Response> {
        match &self.0 {
            Some(Inner::Upgrade(response)) => Some(response.clone()),
            _ => None,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(Inner::Stream(stream)) = self.0.take() {
            js::let_go(stream.cancel());
        }
    }
}

/// A native pipe: what is written to one end comes out at the other.
pub struct Pipe {
    /// Where bytes come out.
    pub readable: Stream,
    /// Where they go in.
    pub writable: JsValue,
}

impl Pipe {
    /// A pipe for so many bytes, if that is known.
    pub fn new(length: Option<u64>) -> Result<Self, JsValue> {
        let pipe: JsValue = match length {
            // Exact up to 2^53 bytes.
            Some(length) => FixedLengthStream::new(length as f64)?.into(),
            None => IdentityTransformStream::new()?.into(),
        };
        Ok(Self {
            readable: js::get(&pipe, "readable").unchecked_into(),
            writable: js::get(&pipe, "writable"),
        })
    }
}

/// Two streams of the same bytes.
pub fn tee(stream: &Stream) -> Result<(Stream, Stream), JsValue> {
    let pair = stream.tee()?;
    Ok((pair.get(0).unchecked_into(), pair.get(1).unchecked_into()))
}

/// Reads `bytes` bytes, or fewer if the stream ends before, and leaves the
/// rest in the stream.
pub async fn read_start(stream: &Stream, bytes: u32) -> Result<Vec<u8>, JsValue> {
    let reader = stream.get_reader(&js::object([("mode", "byob".into())]))?;
    let buffer = js_sys::Uint8Array::new_with_length(bytes);
    let result = JsFuture::from(reader.read_at_least(bytes, &buffer)?).await?;
    reader.release_lock()?;
    let value = js::get(&result, "value");
    Ok(value
        .dyn_into::<js_sys::Uint8Array>()
        .map(|bytes| bytes.to_vec())
        .unwrap_or_default())
}
