//! Bodies: streams that are only moved.

use super::js::{self, FixedLengthStream, IdentityTransformStream, Stream};
use js_sys::{Promise, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;

/// A body. Dropping it ends its stream, so that a copy which nobody reads is
/// not kept in memory.
pub struct Body(Option<Inner>);

enum Inner {
    Stream(Stream),
    /// A stream from a tier.
    Stored(Stream),
    /// A 101 (Switching Protocols): the response itself carries the socket.
    Upgrade(js::Response),
}

impl Body {
    /// A body of this stream.
    pub fn new(stream: Stream) -> Self {
        Self(Some(Inner::Stream(stream)))
    }

    /// A body that a tier held.
    pub fn stored(stream: Stream) -> Self {
        Self(Some(Inner::Stored(stream)))
    }

    /// A response that switches protocols.
    pub fn upgrade(response: js::Response) -> Self {
        Self(Some(Inner::Upgrade(response)))
    }

    /// The stream, to move it on.
    pub fn into_stream(mut self) -> Option<Stream> {
        match self.0.take() {
            Some(Inner::Stream(stream) | Inner::Stored(stream)) => Some(stream),
            _ => None,
        }
    }

    /// The stream, for a client that was told this length. A long stored body
    /// goes through a pipe that fails if it is shorter: better a broken
    /// transfer than a wrong page.
    pub fn into_response(self, length: Option<u64>) -> Result<Option<Stream>, JsValue> {
        let long = length.is_some_and(|length| length > u64::from(WHOLE_BYTES_MAX));
        let stored = matches!(self.0, Some(Inner::Stored(_)));
        match self.into_stream() {
            Some(stream) if stored && long => {
                let pipe = Pipe::new(length)?;
                js::let_go(stream.pipe_to(&pipe.writable));
                Ok(Some(pipe.readable))
            }
            stream => Ok(stream),
        }
    }

    /// Two of it, from the same place.
    pub fn twice(self) -> Result<(Self, Self), JsValue> {
        let stored = matches!(self.0, Some(Inner::Stored(_)));
        let stream = self.into_stream().ok_or("a body that cannot be copied")?;
        let (one, other) = tee(&stream)?;
        Ok(if stored {
            (Self::stored(one), Self::stored(other))
        } else {
            (Self::new(one), Self::new(other))
        })
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
        if let Some(Inner::Stream(stream) | Inner::Stored(stream)) = self.0.take() {
            js::let_go(stream.cancel());
        }
    }
}

/// A native pipe: what is written to one end comes out at the other.
struct Pipe {
    readable: Stream,
    writable: JsValue,
}

impl Pipe {
    /// Writes chunks, then lets a stream flow to its end.
    async fn fill(&self, chunks: &[&Uint8Array], rest: &Stream) -> Result<(), JsValue> {
        let get_writer: js_sys::Function = js::get(&self.writable, "getWriter").unchecked_into();
        let writer: js::Writer = get_writer.call0(&self.writable)?.unchecked_into();
        for chunk in chunks.iter().filter(|chunk| chunk.length() > 0) {
            JsFuture::from(writer.write(chunk)?).await?;
        }
        writer.release_lock()?;
        JsFuture::from(rest.pipe_to(&self.writable)?)
            .await
            .map(|_| ())
    }

    /// A pipe for so many bytes, if that is known.
    fn new(length: Option<u64>) -> Result<Self, JsValue> {
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
/// rest in the stream. The bytes stay in JavaScript's memory.
pub async fn read_start(stream: &Stream, bytes: u32) -> Result<Uint8Array, JsValue> {
    let reader = stream.get_reader(&js::object([("mode", "byob".into())]))?;
    let buffer = Uint8Array::new_with_length(bytes);
    let result = JsFuture::from(reader.read_at_least(bytes, &buffer)?).await?;
    reader.release_lock()?;
    Ok(js::get(&result, "value")
        .dyn_into()
        .unwrap_or_else(|_| Uint8Array::new_with_length(0)))
}

/// Bodies up to this length are stored in one piece, when their last byte has
/// come: what breaks off before is never seen in a tier. A hundred fills at a
/// time take a fifth of an isolate's 128 MB.
const WHOLE_BYTES_MAX: u32 = 256 * 1024;

/// A body on its way to the tiers.
pub struct Copy {
    /// The whole of it, or its start.
    pub start: Uint8Array,
    /// What follows the start, for a body longer than [`WHOLE_BYTES_MAX`].
    pub rest: Option<Stream>,
}

impl Copy {
    /// Reads the body, or its start. Fails if it breaks off, or is not as long
    /// as it should be.
    pub async fn of(body: Option<Body>, length: Option<u64>) -> Result<Self, JsValue> {
        let Some(stream) = body.and_then(Body::into_stream) else {
            let start = Uint8Array::new_with_length(0);
            return Ok(Self { start, rest: None });
        };
        let expected = length.and_then(|length| u32::try_from(length).ok());
        let most = expected.map_or(WHOLE_BYTES_MAX, |length| length.min(WHOLE_BYTES_MAX));
        // One byte more than expected tells whether that was all.
        let start = read_start(&stream, most + 1).await?;
        let got = start.length();
        if got > WHOLE_BYTES_MAX {
            let rest = Some(stream);
            return Ok(Self { start, rest });
        }
        if length.is_some_and(|length| length != u64::from(got)) {
            js::let_go(stream.cancel());
            return Err("the body is not as long as its head says".into());
        }
        Ok(Self { start, rest: None })
    }

    /// Two of it.
    pub fn twice(self) -> Result<(Self, Self), JsValue> {
        let (one, other) = match &self.rest {
            None => (None, None),
            Some(rest) => {
                let (one, other) = tee(rest)?;
                (Some(one), Some(other))
            }
        };
        let start = self.start.clone();
        Ok((
            Self { start, rest: one },
            Self {
                start: self.start,
                rest: other,
            },
        ))
    }

    /// Hands it to `put` as a body, after `head`. A whole one goes as bytes; a
    /// longer one through a pipe, which fails if the body breaks off or is not
    /// of `length`.
    pub async fn put(
        &self,
        head: &Uint8Array,
        length: Option<u64>,
        put: impl FnOnce(&JsValue) -> Result<Promise, JsValue>,
    ) -> Result<(), JsValue> {
        let Some(rest) = &self.rest else {
            let bytes =
                Uint8Array::new_with_length(head.length().saturating_add(self.start.length()));
            bytes.set(head, 0);
            bytes.set(&self.start, head.length());
            return JsFuture::from(put(&bytes)?).await.map(|_| ());
        };
        let pipe = Pipe::new(length.map(|length| length.saturating_add(u64::from(head.length()))))?;
        let stored = JsFuture::from(put(&pipe.readable)?);
        let filled = pipe.fill(&[head, &self.start], rest).await;
        stored.await?;
        filled
    }
}
