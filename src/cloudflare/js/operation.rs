//! Asynchronous operations of JavaScript.
//!
//! An operation has a number, under which JavaScript reports its outcome in one
//! call. Awaiting a promise by `JsFuture` takes two closures and five calls,
//! and 415 bytes that only a major garbage collection frees.

use crate::cloudflare::guard;
use futures_channel::oneshot;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/cloudflare/js/glue.js")]
extern "C" {
    /// Cancels what `sendToOrigin` or `sleep` began.
    fn cancel(handle: &JsValue);
}

/// A value and a text, or an exception.
pub type Outcome = Result<(JsValue, String), JsValue>;

/// The operations that have not completed, by number. An operation completes in
/// the context of the request that began it, and wakes that request's future.
#[derive(Default)]
struct Operations {
    running: BTreeMap<u32, oneshot::Sender<Outcome>>,
    last: u32,
}

thread_local! {
    static OPERATIONS: RefCell<Operations> = RefCell::default();
}

impl Operations {
    fn add(&mut self, sender: oneshot::Sender<Outcome>) -> u32 {
        // Numbers repeat after 2^32. By then, an operation has completed or
        // never will.
        self.last = self.last.wrapping_add(1);
        self.running.insert(self.last, sender);
        self.last
    }
}

/// What cancels an operation.
pub enum Handle {
    /// The operation cannot be cancelled.
    None,
    /// A timer, or an AbortController.
    Cancel(JsValue),
}

/// An asynchronous operation of JavaScript. Dropping it cancels the operation
/// if that is possible; otherwise the operation continues, and its outcome is
/// dropped.
pub struct Operation {
    number: u32,
    /// `None` once it is dropped.
    outcome: Option<oneshot::Receiver<Outcome>>,
    handle: Handle,
    /// How long it may take, in milliseconds; 0: no longer than [`guard`]
    /// allows by default.
    bound_ms: u64,
}

impl Operation {
    /// Begins an operation. `begin` receives its number, under which JavaScript
    /// reports the outcome. The operation may take `bound_ms` milliseconds; 0:
    /// no longer than [`guard`] allows by default.
    pub fn begin(bound_ms: u64, begin: impl FnOnce(u32) -> Result<Handle, JsValue>) -> Self {
        let (sender, outcome) = oneshot::channel();
        let number = OPERATIONS.with_borrow_mut(|all| all.add(sender));
        let handle = begin(number).unwrap_or_else(|error| {
            complete(number, Err(error));
            Handle::None
        });
        Self {
            number,
            outcome: Some(outcome),
            handle,
            bound_ms,
        }
    }
}

impl Future for Operation {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(outcome) = &mut self.outcome else {
            return Poll::Pending;
        };
        let Poll::Ready(received) = Pin::new(outcome).poll(context) else {
            guard::allow_wait(self.bound_ms);
            return Poll::Pending;
        };
        // Only `Operation::drop` drops the sender.
        Poll::Ready(received.unwrap_or_else(|_| Err(JsValue::from_str("cancelled"))))
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // Dropped before its sender, which would wake the future that is being
        // dropped.
        self.outcome = None;
        let running = OPERATIONS.with_borrow_mut(|all| all.running.remove(&self.number));
        if let (Some(_), Handle::Cancel(handle)) = (running, &self.handle)
            && !guard::is_sweeping()
        {
            cancel(handle);
        }
    }
}

/// Sends an outcome to its future, unless that was dropped.
fn complete(number: u32, outcome: Outcome) {
    if let Some(sender) = OPERATIONS.with_borrow_mut(|all| all.running.remove(&number)) {
        // This cannot fail: dropping the receiver removes the sender first.
        let _ = sender.send(outcome);
    }
}

thread_local! {
    /// The buffer into which JavaScript writes texts.
    static INBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The address of a buffer of at least this many bytes, for JavaScript to write
/// to.
#[wasm_bindgen]
pub fn room(bytes: u32) -> *const u8 {
    INBOX.with_borrow_mut(|inbox| {
        let bytes = bytes as usize;
        if inbox.len() < bytes {
            inbox.resize(bytes, 0);
        }
        inbox.as_ptr()
    })
}

/// The memory of wasm. (The name `memory` is taken by the export of the memory
/// itself.)
#[wasm_bindgen]
pub fn linear() -> JsValue {
    wasm_bindgen::memory()
}

/// The text of this many bytes that JavaScript has written to the buffer.
pub fn received(bytes: u32) -> String {
    INBOX.with_borrow(|inbox| {
        let text = inbox.get(..bytes as usize).unwrap_or_default();
        // `encodeInto` writes valid UTF-8 only.
        String::from_utf8(text.to_vec()).unwrap_or_default()
    })
}

/// Called by JavaScript with the outcome of an operation, and the length of its
/// text in bytes.
#[wasm_bindgen]
pub fn completed(number: u32, value: JsValue, text_bytes: u32) {
    let text = received(text_bytes);
    complete(number, Ok((value, text)));
}

/// Called by JavaScript when an operation has failed.
#[wasm_bindgen]
pub fn failed(number: u32, error: JsValue) {
    complete(number, Err(error));
}
