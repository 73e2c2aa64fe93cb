//! A body that is made of another one while it is read.

use super::body::Body;
use super::guard;
use super::js::streams::{self, Reader, Writer};
use crate::flow::runtime::host::{self, BodyError, ReaderGone};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

/// How much is read at a time: most pages in one piece or two.
const CHUNK_BYTES: u32 = 32 * 1024;

/// Reads the one and writes the other.
pub struct Pipe {
    reader: Reader,
    writer: Writer,
    /// Whether the other has not ended yet.
    open: bool,
}

impl Pipe {
    /// A pipe that reads this body, and the body that it writes.
    pub fn of(body: Body) -> Result<(Self, Body), JsValue> {
        let stream = body.into_stream().ok_or("a body that cannot be read")?;
        let reader = stream.reader()?;
        let through = streams::StreamPipe::new(None)?;
        let writer = through.writer()?;
        let open = true;
        Ok((
            Self {
                reader,
                writer,
                open,
            },
            Body::new(through.readable),
        ))
    }
}

impl host::BodyPipe for Pipe {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        let buffer = Uint8Array::new_with_length(CHUNK_BYTES);
        let chunk = self.reader.read(1, &buffer).await;
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        let bytes = chunk.bytes.filter(|bytes| bytes.length() > 0);
        let bytes = bytes.map(|bytes| bytes.to_vec());
        Ok(match chunk.is_last {
            // At its end there is nothing more, nor if it was cancelled.
            true => bytes,
            false => Some(bytes.unwrap_or_default()),
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ReaderGone> {
        let written = self.writer.write(&Uint8Array::from(bytes)).await;
        written.map_err(|_| ReaderGone)
    }

    async fn close(mut self) {
        self.open = false;
        // Fails if the client has gone; nothing is lost then.
        let _ = self.writer.close().await;
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if guard::is_sweeping() {
            return;
        }
        self.reader.cancel();
        if self.open {
            // The client's transfer is to break; local workerd ends one whose
            // length is not known in good order all the same.
            self.writer.abort("the page broke off");
        }
    }
}

/// A body without its gzip coding.
pub fn decompressed(body: Body) -> Result<Body, JsValue> {
    let stream = body.into_stream().ok_or("a body that cannot be read")?;
    stream.decompressed().map(Body::new)
}
