//! Bodies of the simulated world that are made while they are read.

use edgekeep::flow::runtime::host::{BodyError, BodyPipe, ClientDisconnected};
use std::cell::RefCell;
use std::rc::Rc;

/// A body: its bytes, and whether it breaks off after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    pub text: String,
    pub broken: bool,
    /// What is written in its stead, if it is made meanwhile.
    pub made: Option<Made>,
    /// How long it takes to come whole, if it is waited for.
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
}

/// A body that is being made: its bytes so far, and how it ended.
pub type Made = Rc<RefCell<(Vec<u8>, End)>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    NotYet,
    Whole,
    Broken,
}

/// Few enough for tags to be cut at any place.
const CHUNK_BYTES: usize = 7;

/// The other end of it.
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
