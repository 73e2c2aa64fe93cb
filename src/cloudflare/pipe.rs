//! A body that is made from another one while that is read.

use super::body::Body;
use super::guard;
use super::js::glue::stream_of;
use super::js::streams::{self, Reader, Writer};
use super::timeout::timeout;
use crate::flow::runtime::host::{self, BodyError, ClientDisconnected};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;

/// Bytes per read: most pages take one read or two.
const CHUNK_BYTES: u32 = 32 * 1024;

/// Reads one body and writes another.
pub struct Pipe {
    reader: Reader,
    writer: Writer,
    /// Whether the written body has not been closed yet.
    open: bool,
}

impl Pipe {
    /// A pipe that reads `body`, and the body that the pipe writes.
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
            // `None` if there are no bytes at the end, or after a cancellation.
            true => bytes,
            false => Some(bytes.unwrap_or_default()),
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientDisconnected> {
        let written = self.writer.write(&Uint8Array::from(bytes)).await;
        written.map_err(|_| ClientDisconnected)
    }

    async fn close(mut self) {
        self.open = false;
        // This fails if the client has disconnected; nothing is lost then.
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
            // Aborting breaks the client's transfer. Local workerd nevertheless
            // ends a transfer of unknown length normally.
            self.writer.abort("the page broke off");
        }
    }
}

/// A body without its gzip coding.
pub fn decompressed(body: Body) -> Result<Body, JsValue> {
    let stream = body.into_stream().ok_or("a body that cannot be read")?;
    stream.decompressed().map(Body::new)
}

/// Whether a body is valid gzip to its end, has at most `most` bytes both
/// encoded and decoded, and was received within `timeout_ms`. Also returns the
/// body as it was received, unless it is too long.
///
/// The encoded length has a limit, too: blocks without bytes (RFC 1951 §3.2.4)
/// decode to nothing, so any number of them stays below the other limit.
pub async fn is_gzip(
    body: Body,
    most: u32,
    timeout_ms: u64,
) -> Result<(bool, Option<Body>), JsValue> {
    let reader = body.into_stream().ok_or("no body")?.reader()?;
    let checked = timeout(receive_gzip(&reader, most), timeout_ms).await;
    reader.cancel();
    Ok(match checked {
        Some(Ok((is_gzip, encoded))) => (is_gzip, Some(Body::of_bytes(encoded))),
        _ => (false, None),
    })
}

/// Receives a body, and decodes it to see whether it is gzip. An error if it
/// breaks off or is too long.
async fn receive_gzip(reader: &Reader, most: u32) -> Result<(bool, Uint8Array), JsValue> {
    // Reading one byte more shows whether the body ends there.
    let size = most.saturating_add(1);
    let chunk = reader
        .read(size, &Uint8Array::new_with_length(size))
        .await?;
    let bytes = chunk.bytes.ok_or("the body was cancelled")?;
    if bytes.length() > most {
        return Err("the body is too long".into());
    }
    // A copy, which holds no more memory than the page needs.
    let encoded = bytes.slice(0, bytes.length());
    let decoder = stream_of(&encoded).decompressed()?.reader()?;
    let is_gzip = ends_within(&decoder, most).await;
    decoder.cancel();
    Ok((is_gzip.unwrap_or(false), encoded))
}

/// Whether a stream ends within `most` bytes. An error if it breaks off.
async fn ends_within(reader: &Reader, most: u32) -> Result<bool, JsValue> {
    let mut buffer = Uint8Array::new_with_length(CHUNK_BYTES);
    let mut left = most;
    loop {
        let chunk = reader.read(1, &buffer).await?;
        let bytes = chunk.bytes.ok_or("the body was cancelled")?;
        match left.checked_sub(bytes.length()) {
            Some(_) if bytes.length() == 0 => return Ok(true),
            Some(rest) => left = rest,
            None => return Ok(false),
        }
        // The bytes are in the same memory, whose buffer is transferred by each
        // read.
        buffer = Uint8Array::new(&bytes.buffer());
    }
}
