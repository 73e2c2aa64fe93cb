//! Bodies in the simulated world, and those that are generated while they are
//! read.

use edgekeep::cache::key::cache_key::digest;
use edgekeep::cache::shadow::record::BodyDigest;
use edgekeep::flow::runtime::host::{BodyError, BodyPipe, ClientDisconnected};
use std::cell::RefCell;
use std::rc::Rc;

/// The digest of a body, or why there is none.
pub type BodyResult = Result<BodyDigest, BodyError>;

/// A body: its bytes, and whether it breaks off after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    pub text: String,
    pub broken: bool,
    /// The generated body that replaces it, if there is one.
    pub made: Option<Made>,
    /// The time until it has arrived completely.
    pub takes_ms: u64,
}

impl Bytes {
    pub fn new(text: String, broken: bool) -> Self {
        let made = None;
        Self {
            text,
            broken,
            made,
            takes_ms: 0,
        }
    }

    /// Its digest. Bodies are texts here, and none of them is gzip.
    pub fn digest(&self, is_gzip: bool, most: u32) -> BodyResult {
        let bytes = self.text.len() as u64;
        if self.broken || is_gzip {
            return Err(BodyError::Broken);
        }
        if bytes > u64::from(most) {
            return Err(BodyError::TooLong);
        }
        let text = digest(&self.text);
        Ok(BodyDigest { text, bytes })
    }
}

/// A generated body: its bytes so far, and its end.
pub type Made = Rc<RefCell<(Vec<u8>, End)>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    NotYet,
    Whole,
    Broken,
}

/// So few that ESI tags are cut at every position.
const CHUNK_BYTES: usize = 7;

/// Reads a body in small chunks, and collects the generated one.
pub struct Filler {
    rest: Vec<u8>,
    broken: bool,
    pub made: Made,
}

impl Filler {
    pub fn new(body: &Bytes) -> Self {
        Self {
            rest: body.text.clone().into_bytes(),
            broken: body.broken,
            made: Rc::new(RefCell::new((Vec::new(), End::NotYet))),
        }
    }
}

impl BodyPipe for Filler {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        let end = self.rest.len().min(CHUNK_BYTES);
        let chunk: Vec<u8> = self.rest.drain(..end).collect();
        match (chunk.is_empty(), self.broken) {
            (true, true) => Err(BodyError::Broken),
            (true, false) => Ok(None),
            (false, _) => Ok(Some(chunk)),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientDisconnected> {
        self.made.borrow_mut().0.extend_from_slice(bytes);
        Ok(())
    }

    async fn close(self) {
        self.made.borrow_mut().1 = End::Whole;
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let end = &mut self.made.borrow_mut().1;
        if *end == End::NotYet {
            *end = End::Broken;
        }
    }
}
