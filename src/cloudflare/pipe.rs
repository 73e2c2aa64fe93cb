//! A body that is made of another one while it is read.

use super::body::Body;
use super::js::{self, ByobReader, IdentityTransformStream, Stream, Writer};
use super::tasks;
use crate::flow::host::{self, BodyError, Gone};
use js_sys::futures::JsFuture;
use js_sys::{Function, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// DecompressionStream
    type DecompressionStream;
    #[wasm_bindgen(constructor, catch)]
    fn new(format: &str) -> Result<DecompressionStream, JsValue>;
}

/// How much is read at a time: most pages in one piece or two.
const CHUNK_BYTES: u32 = 32 * 1024;

/// Reads the one and writes the other.
pub struct Pipe {
    reader: ByobReader,
    writer: Writer,
    /// Whether the other has not ended yet.
    open: bool,
}

impl Pipe {
    /// A pipe that reads this body, and the body that it writes.
    pub fn of(body: Body) -> Result<(Self, Body), JsValue> {
        let stream = body.into_stream().ok_or("a body that cannot be read")?;
        let reader = stream.get_reader(&js::object([("mode", "byob".into())]))?;
        let through = IdentityTransformStream::new()?;
        let writable = js::get(&through, "writable");
        let get_writer: Function = js::get(&writable, "getWriter").unchecked_into();
        let writer: Writer = get_writer.call0(&writable)?.unchecked_into();
        let readable = js::get(&through, "readable").unchecked_into();
        let open = true;
        Ok((
            Self {
                reader,
                writer,
                open,
            },
            Body::new(readable),
        ))
    }
}

impl host::Pipe for Pipe {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        let buffer = Uint8Array::new_with_length(CHUNK_BYTES);
        let reading = self.reader.read_at_least(1, &buffer);
        let reading = JsFuture::from(reading.map_err(|_| BodyError::Broken)?);
        let result = reading.await.map_err(|_| BodyError::Broken)?;
        let chunk: Option<Uint8Array> = js::get(&result, "value").dyn_into().ok();
        let chunk = chunk.filter(|chunk| chunk.length() > 0);
        match js::get(&result, "done").is_truthy() {
            // Cancelled, or at its end: then nothing is left to let go.
            true => Ok(chunk.map(|chunk| chunk.to_vec())),
            false => Ok(Some(chunk.map_or(Vec::new(), |chunk| chunk.to_vec()))),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let written = self.writer.write(&Uint8Array::from(bytes));
        let written = JsFuture::from(written.map_err(|_| Gone)?);
        written.await.map(|_| ()).map_err(|_| Gone)
    }

    async fn close(mut self) {
        self.open = false;
        if let Ok(closed) = self.writer.close() {
            // Fails if the client has left, which is nobody's loss.
            let _ = JsFuture::from(closed).await;
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if tasks::is_giving_up() {
            return;
        }
        js::let_go(self.reader.cancel());
        if self.open {
            // The client's transfer is to break; local workerd ends one whose
            // length is not known in good order all the same.
            let abort: Function = js::get(&self.writer, "abort").unchecked_into();
            let why = js_sys::Error::new("the page broke off");
            let aborted = abort.call1(&self.writer, &why);
            js::let_go(aborted.map(JsCast::unchecked_into));
        }
    }
}

/// A body without its gzip coding.
pub fn decompressed(body: Body) -> Result<Body, JsValue> {
    let stream = body.into_stream().ok_or("a body that cannot be read")?;
    let through = DecompressionStream::new("gzip")?;
    // If it breaks off, or is no gzip, so does what comes out.
    js::let_go(stream.pipe_to(&js::get(&through, "writable")));
    let readable: Stream = js::get(&through, "readable").unchecked_into();
    Ok(Body::new(readable))
}
