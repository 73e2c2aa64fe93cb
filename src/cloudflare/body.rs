//! Bodies: byte streams that are passed on without being read into wasm.

use super::guard;
use super::js::glue::stream_of;
use super::js::message;
use super::js::streams::{Reader, Stream, StreamPipe};
use super::timeout::timeout;
use crate::cache::origin::failure::OriginFailure;
use crate::flow::response::reply::BodyPiece;
use crate::flow::runtime::host::WHOLE_BYTES_MAX;
use futures_util::future;
use js_sys::Uint8Array;
use js_sys::futures::spawn_local;
use wasm_bindgen::{JsCast, JsValue};

/// A body. Dropping it cancels its stream, so that a copy without a reader is
/// not kept in memory.
pub struct Body(Option<Inner>);

enum Inner {
    Stream(Stream),
    /// The body of a client's request, and its length if it is known.
    Sent(Stream, Option<u64>),
    /// A stream whose fetch is aborted after a timeout.
    Timed(Stream),
    /// A stream from a tier.
    Stored(Stream),
    /// A response of the Cache API whose body is unread.
    Cached(web_sys::Response),
    /// A response that is held in memory (see `glue::copy_response`).
    InMemory(JsValue),
    /// The whole body as bytes. They are never written to, so that copies can
    /// share them.
    Bytes(Uint8Array),
    /// A 101 (Switching Protocols): the response itself carries the socket.
    Upgrade(web_sys::Response),
}

impl Body {
    /// A body of this stream.
    pub fn new(stream: Stream) -> Self {
        Self(Some(Inner::Stream(stream)))
    }

    /// The body of a client's request, of this length if it is known.
    pub fn sent(stream: Stream, length: Option<u64>) -> Self {
        Self(Some(Inner::Sent(stream, length)))
    }

    /// The length of the body of a client's request, if it is known.
    pub fn sent_length(&self) -> Option<u64> {
        match self.0 {
            Some(Inner::Sent(_, length)) => length,
            _ => None,
        }
    }

    /// A body of this stream, whose fetch is aborted after a timeout.
    pub fn timed(stream: Stream) -> Self {
        Self(Some(Inner::Timed(stream)))
    }

    /// A body of this stream from a tier.
    pub fn stored(stream: Stream) -> Self {
        Self(Some(Inner::Stored(stream)))
    }

    /// The body of a response of the Cache API.
    pub fn cached(response: web_sys::Response) -> Self {
        Self(Some(Inner::Cached(response)))
    }

    /// The body of a response that is held in memory.
    pub fn in_memory(copy: JsValue) -> Self {
        Self(Some(Inner::InMemory(copy)))
    }

    /// The response of the Cache API whose unread body this is.
    pub fn as_cached(&self) -> Option<&JsValue> {
        match &self.0 {
            Some(Inner::Cached(response)) => Some(response),
            _ => None,
        }
    }

    /// The value from which a response with the same fields can be made: the
    /// response of the Cache API, or the response held in memory. An error
    /// returns the body. A long body of the Cache API is an error, because its
    /// transfer must break if the body is truncated (see
    /// [`Body::into_sound_stream`]).
    pub fn into_cached(mut self, length: Option<u64>) -> Result<JsValue, Self> {
        match self.0.take() {
            Some(Inner::Cached(response)) if !is_long(length) => Ok(response.into()),
            Some(Inner::InMemory(copy)) => Ok(copy),
            other => Err(Self(other)),
        }
    }

    /// A response that switches protocols.
    pub fn upgrade(response: web_sys::Response) -> Self {
        Self(Some(Inner::Upgrade(response)))
    }

    /// A body that has been received whole.
    pub fn of_bytes(bytes: Uint8Array) -> Self {
        Self(Some(Inner::Bytes(bytes)))
    }

    /// The stream of this body.
    pub fn into_stream(mut self) -> Option<Stream> {
        self.take_stream()
    }

    fn take_stream(&mut self) -> Option<Stream> {
        match self.0.take() {
            Some(
                Inner::Stream(stream)
                | Inner::Sent(stream, _)
                | Inner::Timed(stream)
                | Inner::Stored(stream),
            ) => Some(stream),
            Some(Inner::Cached(response)) => response.body().map(JsCast::unchecked_into),
            Some(Inner::InMemory(copy)) => Some(stream_of(&copy)),
            Some(Inner::Bytes(bytes)) => Some(stream_of(&bytes)),
            _ => None,
        }
    }

    /// The body for a response to a client, with this Content-Length: bytes, a
    /// stream, or null.
    pub fn into_response(self, length: Option<u64>) -> Result<JsValue, JsValue> {
        let body = match self.into_bytes() {
            Ok(bytes) => return Ok(bytes.into()),
            Err(body) => body,
        };
        let stream = body.into_sound_stream(length)?;
        Ok(stream.map_or(JsValue::NULL, Into::into))
    }

    /// The bytes of a body that has been received whole; otherwise an error
    /// returns the body.
    pub fn into_bytes(mut self) -> Result<Uint8Array, Self> {
        match self.0.take() {
            Some(Inner::Bytes(bytes)) => Ok(bytes),
            other => Err(Self(other)),
        }
    }

    /// The stream for a client. A long stored body goes through a pipe that
    /// fails if the body is shorter than `length`: a broken transfer is better
    /// than a truncated page. A timed body goes through a pipe, too: a stream
    /// that the runtime passes on by itself outlives the request and its
    /// timers.
    fn into_sound_stream(self, length: Option<u64>) -> Result<Option<Stream>, JsValue> {
        let stored = matches!(self.0, Some(Inner::Stored(_) | Inner::Cached(_)));
        let timed = matches!(self.0, Some(Inner::Timed(_)));
        match self.into_stream() {
            Some(stream) if timed || (stored && is_long(length)) => {
                let pipe = StreamPipe::new(length)?;
                pipe.take_all(&stream);
                Ok(Some(pipe.readable))
            }
            stream => Ok(stream),
        }
    }

    /// A stream of these pieces of the body, for the client of this request.
    pub fn into_pieces(
        self,
        pieces: Vec<BodyPiece>,
        request: &web_sys::Request,
    ) -> Result<Stream, JsValue> {
        let stream = self.into_stream().ok_or("a body that has no parts")?;
        let pipe = StreamPipe::new(Some(BodyPiece::length_of(&pieces)))?;
        let readable = pipe.readable.clone();
        let request = Clone::clone(request);
        let filled = guard::until_disconnect(request, async move {
            // If the stream ends too early, so does the pipe, and the client
            // sees a broken transfer.
            let _ = fill_with_pieces(&pipe, &stream, &pieces).await;
            stream.cancel();
        });
        spawn_local(async { filled.await.unwrap_or_default() });
        Ok(readable)
    }

    /// Two copies of the body.
    pub fn twice(self) -> Result<(Self, Self), JsValue> {
        let body = match self.into_bytes() {
            Ok(bytes) => return Ok((Self::of_bytes(bytes.clone()), Self::of_bytes(bytes))),
            Err(body) => body,
        };
        let same = match body.0 {
            Some(Inner::Stored(_) | Inner::Cached(_)) => Self::stored,
            Some(Inner::Timed(_)) => Self::timed,
            _ => Self::new,
        };
        let stream = body.into_stream().ok_or("a body that cannot be copied")?;
        let (one, other) = stream.tee()?;
        Ok((same(one), same(other)))
    }

    /// Makes a copy of the body, which stays as it is. `None` if it cannot be
    /// copied: it cannot be read then, either.
    pub fn fork(&mut self) -> Option<Self> {
        let (one, other) = Self(self.0.take()).twice().ok()?;
        *self = one;
        Some(other)
    }

    /// The response, if it switches protocols.
    pub fn as_upgrade(&self) -> Option<web_sys::Response> {
        match &self.0 {
            Some(Inner::Upgrade(response)) => Some(Clone::clone(response)),
            _ => None,
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(Inner::InMemory(_) | Inner::Bytes(_)) = self.0 {
            return;
        }
        if guard::is_sweeping() {
            return;
        }
        if let Some(stream) = self.take_stream() {
            stream.cancel();
        }
    }
}

/// Whether a stored body of this length goes to a client through a pipe.
fn is_long(length: Option<u64>) -> bool {
    length.is_some_and(|length| length > u64::from(WHOLE_BYTES_MAX))
}

/// Writes chunks into a pipe, then pipes the whole stream into it.
async fn fill(pipe: &StreamPipe, chunks: &[&Uint8Array], rest: &Stream) -> Result<(), JsValue> {
    let writer = pipe.writer()?;
    for chunk in chunks.iter().filter(|chunk| chunk.length() > 0) {
        writer.write(chunk).await?;
    }
    writer.release()?;
    pipe.take_rest(rest).await
}

async fn fill_with_pieces(
    pipe: &StreamPipe,
    stream: &Stream,
    pieces: &[BodyPiece],
) -> Result<(), JsValue> {
    let writer = pipe.writer()?;
    let reader = stream.reader()?;
    let mut position = 0;
    for piece in pieces {
        let range = match piece {
            BodyPiece::Text(text) => {
                writer.write(&Uint8Array::from(text.as_bytes())).await?;
                continue;
            }
            BodyPiece::Bytes(range) => range,
        };
        while position <= range.last {
            // The bytes before the range are read, too, and dropped.
            let wanted = position >= range.first;
            let end = match wanted {
                true => range.last.saturating_add(1),
                false => range.first,
            };
            let chunk = read_chunk(&reader, end.saturating_sub(position)).await?;
            position += u64::from(chunk.length());
            if wanted {
                writer.write(&chunk).await?;
            }
        }
    }
    reader.release()?;
    writer.close().await
}

/// Reads `bytes` bytes, or fewer if the stream ends before, and leaves the rest
/// in the stream. The bytes stay in JavaScript's memory.
pub async fn read_start(stream: &Stream, bytes: u32) -> Result<Uint8Array, JsValue> {
    let reader = stream.reader()?;
    let buffer = Uint8Array::new_with_length(bytes);
    let chunk = reader.read(bytes, &buffer).await?;
    reader.release()?;
    Ok(chunk
        .bytes
        .unwrap_or_else(|| Uint8Array::new_with_length(0)))
}

/// Does the same as [`read_start`], but reads the bytes as they arrive. The
/// runtime delivers nothing to either copy of a stream until it has as much as
/// the other copy waits for. Reading a copy of a client's body with small reads
/// does not delay the client.
async fn read_start_gently(stream: &Stream, bytes: u32) -> Result<Uint8Array, JsValue> {
    let reader = stream.reader()?;
    let mut rest = Uint8Array::new_with_length(bytes);
    let mut got = 0;
    loop {
        // The bytes are in the same memory, whose buffer is transferred by each
        // read.
        let Some(chunk) = reader.read(1, &rest).await?.bytes else {
            return Err("the body was cancelled".into());
        };
        let (memory, come) = (chunk.buffer(), chunk.length());
        got += come;
        let left = bytes.saturating_sub(got);
        if come == 0 || left == 0 {
            reader.release()?;
            return Ok(Uint8Array::new_with_byte_offset_and_length(&memory, 0, got));
        }
        rest = Uint8Array::new_with_byte_offset_and_length(&memory, got, left);
    }
}

/// Reads at least one byte of a stream and at most `most`; an error at its end.
async fn read_chunk(reader: &Reader, most: u64) -> Result<Uint8Array, JsValue> {
    // Large enough that the cost of a crossing per byte is small.
    const CHUNK_BYTES: u32 = 128 * 1024;
    let size = u32::try_from(most).map_or(CHUNK_BYTES, |most| most.min(CHUNK_BYTES));
    let chunk = reader.read(1, &Uint8Array::new_with_length(size)).await?;
    chunk
        .bytes
        .filter(|bytes| bytes.length() > 0)
        .ok_or_else(|| "the body ended early".into())
}

const OTHER_LENGTH: &str = "the body is not as long as its head says";

/// A body that is to be written to the tiers.
pub struct Copy {
    /// The whole body, or its start.
    pub start: Uint8Array,
    /// The rest after the start, for a body longer than [`WHOLE_BYTES_MAX`].
    pub rest: Option<Stream>,
}

impl Copy {
    /// Reads the whole body, or its start. An error if the body breaks off or
    /// its length is not `length`.
    pub async fn of(body: Body, length: Option<u64>) -> Result<Self, JsValue> {
        let body = match body.into_bytes() {
            Ok(bytes) => return Self::of_bytes(Some(bytes), length),
            Err(body) => body,
        };
        let stream = body.into_stream().ok_or("a body that cannot be read")?;
        let expected = length.and_then(|length| u32::try_from(length).ok());
        let most = expected.map_or(WHOLE_BYTES_MAX, |length| length.min(WHOLE_BYTES_MAX));
        // Reading one byte more than expected shows whether the body ends
        // there.
        let start = read_start_gently(&stream, most + 1).await?;
        let got = start.length();
        if got > WHOLE_BYTES_MAX {
            let rest = Some(stream);
            return Ok(Self { start, rest });
        }
        if length.is_some_and(|length| length != u64::from(got)) {
            stream.cancel();
            return Err(OTHER_LENGTH.into());
        }
        Ok(Self { start, rest: None })
    }

    /// The same for a body that has been received whole, or for no body.
    pub fn of_bytes(bytes: Option<Uint8Array>, length: Option<u64>) -> Result<Self, JsValue> {
        let Some(start) = bytes else {
            let start = Uint8Array::new_with_length(0);
            return Ok(Self { start, rest: None });
        };
        if length.is_some_and(|length| length != u64::from(start.length())) {
            return Err(OTHER_LENGTH.into());
        }
        Ok(Self { start, rest: None })
    }

    /// The length of the body in bytes, if it is whole.
    pub fn length(&self) -> Option<u64> {
        let whole = self.rest.is_none();
        whole.then(|| u64::from(self.start.length()))
    }

    /// Two copies.
    pub fn twice(self) -> Result<(Self, Self), JsValue> {
        let (one, other) = match &self.rest {
            None => (None, None),
            Some(rest) => {
                let (one, other) = rest.tee()?;
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

    /// Writes the body by `put`, after `head` if there is one. A whole body is
    /// written as bytes. A longer one goes through a pipe, which fails if the
    /// body breaks off or its length is not `length`.
    pub async fn put<F: Future<Output = Result<(), JsValue>>>(
        &self,
        head: Option<&Uint8Array>,
        length: Option<u64>,
        put: impl FnOnce(&JsValue) -> Result<F, JsValue>,
    ) -> Result<(), JsValue> {
        let Some(rest) = &self.rest else {
            return match head {
                Some(head) => put(&together(head, &self.start))?.await,
                None => put(&self.start)?.await,
            };
        };
        let head_length = head.map_or(0, |head| u64::from(head.length()));
        let pipe = StreamPipe::new(length.map(|length| length.saturating_add(head_length)))?;
        let stored = put(&pipe.readable)?;
        let chunks: Vec<_> = head.into_iter().chain([&self.start]).collect();
        // The write begins when it is first polled, so both are polled.
        let (stored, filled) = future::join(stored, fill(&pipe, &chunks, rest)).await;
        stored?;
        filled
    }
}

/// Returns a body that was received whole, or that is longer than
/// [`WHOLE_BYTES_MAX`]. The text of an error is for the log.
pub async fn receive_whole(
    body: Body,
    length: Option<u64>,
    timeout_ms: u64,
) -> Result<Body, (OriginFailure, String)> {
    let broken = |error: JsValue| (OriginFailure::CutOff, message(&error));
    let body = match body.into_bytes() {
        Ok(bytes) => return Ok(Body::of_bytes(bytes)),
        Err(body) => body,
    };
    let is_sent = matches!(body.0, Some(Inner::Sent(..)));
    // One branch is read to see whether it ends as expected. The other holds
    // what was read, and is returned.
    let (checked, returned) = body.twice().map_err(broken)?;
    let stream = checked
        .into_stream()
        .ok_or_else(|| broken("no body".into()))?;
    let reader = stream.reader().map_err(broken)?;
    let expected = length.and_then(|length| u32::try_from(length).ok());
    let most = expected.map_or(WHOLE_BYTES_MAX, |length| length.min(WHOLE_BYTES_MAX));
    // Reading one byte more than expected shows whether the body ends there.
    let buffer = Uint8Array::new_with_length(most + 1);
    let start = timeout(reader.read(most + 1, &buffer), timeout_ms).await;
    reader.cancel();
    let Some(start) = start else {
        let text = format!("the body has not come within {timeout_ms} ms");
        return Err((OriginFailure::TimedOut, text));
    };
    let bytes = start.map_err(broken)?.bytes;
    let got = bytes.as_ref().map_or(0, Uint8Array::length);
    if got <= WHOLE_BYTES_MAX && length.is_some_and(|length| length != u64::from(got)) {
        return Err(broken(OTHER_LENGTH.into()));
    }
    match bytes {
        // The runtime sends bytes with their length, and none is missing.
        Some(bytes) if is_sent && got <= WHOLE_BYTES_MAX => Ok(Body::of_bytes(bytes)),
        _ => Ok(returned),
    }
}

/// Concatenates two short bodies.
pub async fn join(one: Body, other: Body) -> Result<Body, JsValue> {
    let one = Copy::of(one, None).await?;
    let other = Copy::of(other, None).await?;
    if one.rest.is_some() || other.rest.is_some() {
        return Err("a part is too long to be put together".into());
    }
    Ok(Body::of_bytes(together(&one.start, &other.start)))
}

fn together(one: &Uint8Array, other: &Uint8Array) -> Uint8Array {
    let bytes = Uint8Array::new_with_length(one.length().saturating_add(other.length()));
    bytes.set(one, 0);
    bytes.set(other, one.length());
    bytes
}
