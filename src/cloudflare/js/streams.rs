//! Byte streams of workerd.
//!
//! `web_sys` has types for most of them, but declares their methods as never
//! throwing. They throw on a stream that is locked or broken, and an exception
//! that passes through wasm leaves its memory in an undefined state. `web_sys`
//! lacks `readAtLeast`, `FixedLengthStream` and `IdentityTransformStream`,
//! which are workerd's own.

use super::promise::{BODY_WAIT_MS, ignore, wait};
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

#[wasm_bindgen]
extern "C" {
    /// ReadableStream
    #[derive(Clone)]
    pub type Stream;
    #[wasm_bindgen(method, catch, js_name = tee)]
    fn tee_raw(this: &Stream) -> Result<Array, JsValue>;
    #[wasm_bindgen(method, catch, js_name = pipeTo)]
    fn pipe_to_raw(this: &Stream, writable: &Writable) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = cancel)]
    fn cancel_raw(this: &Stream) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn get_reader(this: &Stream, options: &JsValue) -> Result<ByobReader, JsValue>;

    /// ReadableStreamBYOBReader
    type ByobReader;
    #[wasm_bindgen(method, catch, js_name = readAtLeast)]
    fn read_at_least(
        this: &ByobReader,
        bytes: u32,
        buffer: &Uint8Array,
    ) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = releaseLock)]
    fn release_lock(this: &ByobReader) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch, js_name = cancel)]
    fn cancel_raw(this: &ByobReader) -> Result<Promise, JsValue>;

    /// The result of a read.
    type ReadResult;
    #[wasm_bindgen(method, getter)]
    fn value(this: &ReadResult) -> Option<Uint8Array>;
    #[wasm_bindgen(method, getter)]
    fn done(this: &ReadResult) -> bool;

    /// Any of the runtime's transform streams.
    type Transform;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &Transform) -> Stream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &Transform) -> Writable;

    #[wasm_bindgen(extends = Transform)]
    type IdentityTransformStream;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<IdentityTransformStream, JsValue>;

    #[wasm_bindgen(extends = Transform)]
    type FixedLengthStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(length: f64) -> Result<FixedLengthStream, JsValue>;

    #[wasm_bindgen(extends = Transform)]
    type DecompressionStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<DecompressionStream, JsValue>;

    /// WritableStream
    type Writable;
    #[wasm_bindgen(method, catch, js_name = getWriter)]
    fn get_writer(this: &Writable) -> Result<RawWriter, JsValue>;

    /// WritableStreamDefaultWriter
    type RawWriter;
    #[wasm_bindgen(method, catch)]
    fn write(this: &RawWriter, chunk: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = releaseLock)]
    fn release_lock(this: &RawWriter) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &RawWriter) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn abort(this: &RawWriter, reason: &JsValue) -> Result<Promise, JsValue>;
}

impl Stream {
    /// Two streams of the same bytes.
    pub fn tee(&self) -> Result<(Self, Self), JsValue> {
        let pair = self.tee_raw()?;
        Ok((pair.get(0).unchecked_into(), pair.get(1).unchecked_into()))
    }

    /// Cancels the stream.
    pub fn cancel(&self) {
        ignore_failure(self.cancel_raw());
    }

    /// A reader that reads bytes as they arrive. It locks the stream.
    pub fn reader(&self) -> Result<Reader, JsValue> {
        let options = Object::new();
        // This cannot fail: the object is ours.
        Reflect::set(&options, &"mode".into(), &"byob".into())?;
        Ok(Reader(self.get_reader(&options)?))
    }

    /// The stream without its gzip coding. If this stream breaks off or is not
    /// gzip, the returned stream fails.
    pub fn decompressed(&self) -> Result<Self, JsValue> {
        let through = DecompressionStream::new("gzip")?;
        ignore_failure(self.pipe_to_raw(&through.writable()));
        Ok(through.readable())
    }
}

/// Reads a stream. Dropping it leaves the stream locked.
pub struct Reader(ByobReader);

/// The result of a read.
pub struct Chunk {
    /// The bytes, which stay in JavaScript's memory; `None` if the stream was
    /// cancelled.
    pub bytes: Option<Uint8Array>,
    /// Whether the stream has ended.
    pub is_last: bool,
}

impl Reader {
    /// Reads at least `at_least` bytes into `buffer`, and more if they have
    /// arrived and fit; fewer at the stream's end. The buffer is transferred:
    /// the chunk holds the bytes.
    pub async fn read(&self, at_least: u32, buffer: &Uint8Array) -> Result<Chunk, JsValue> {
        let reading = self.0.read_at_least(at_least, buffer)?;
        let result: ReadResult = wait(reading, BODY_WAIT_MS).await?.unchecked_into();
        Ok(Chunk {
            bytes: result.value(),
            is_last: result.done(),
        })
    }

    /// Unlocks the stream, so that others can read its rest.
    pub fn release(self) -> Result<(), JsValue> {
        self.0.release_lock()
    }

    /// Cancels the stream.
    pub fn cancel(&self) {
        ignore_failure(self.0.cancel_raw());
    }
}

/// A native pipe: bytes written to one end are read from the other.
pub struct StreamPipe {
    /// The end to read from.
    pub readable: Stream,
    writable: Writable,
}

impl StreamPipe {
    /// A pipe for `length` bytes, if that is known: the pipe fails if it
    /// receives fewer bytes or more.
    pub fn new(length: Option<u64>) -> Result<Self, JsValue> {
        let pipe: Transform = match length {
            // Exact up to 2^53 bytes.
            Some(length) => FixedLengthStream::new(length as f64)?.into(),
            None => IdentityTransformStream::new()?.into(),
        };
        Ok(Self {
            readable: pipe.readable(),
            writable: pipe.writable(),
        })
    }

    /// A writer, which locks the writable end.
    pub fn writer(&self) -> Result<Writer, JsValue> {
        Ok(Writer(self.writable.get_writer()?))
    }

    /// Pipes a stream into the pipe, and waits for its end.
    pub async fn take_rest(&self, stream: &Stream) -> Result<(), JsValue> {
        let piped = stream.pipe_to_raw(&self.writable)?;
        wait(piped, BODY_WAIT_MS).await.map(drop)
    }

    /// Pipes a stream into the pipe. A failure appears at the readable end.
    pub fn take_all(&self, stream: &Stream) {
        ignore_failure(stream.pipe_to_raw(&self.writable));
    }
}

/// Writes to a pipe.
pub struct Writer(RawWriter);

impl Writer {
    /// Writes bytes, and waits until the pipe has accepted them.
    pub async fn write(&self, bytes: &Uint8Array) -> Result<(), JsValue> {
        let written = self.0.write(bytes)?;
        wait(written, BODY_WAIT_MS).await.map(drop)
    }

    /// Unlocks the pipe.
    pub fn release(self) -> Result<(), JsValue> {
        self.0.release_lock()
    }

    /// Closes the pipe, and waits until the written bytes have been read.
    pub async fn close(&self) -> Result<(), JsValue> {
        let closed = self.0.close()?;
        wait(closed, BODY_WAIT_MS).await.map(drop)
    }

    /// Aborts the pipe.
    pub fn abort(&self, reason: &str) {
        ignore_failure(self.0.abort(&js_sys::Error::new(reason)));
    }
}

/// Handles the failure of a promise that is not awaited. The runtime would
/// report it as unhandled otherwise.
fn ignore_failure(started: Result<Promise, JsValue>) {
    if let Ok(promise) = started {
        ignore(&promise);
    }
}
