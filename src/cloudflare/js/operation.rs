//! Work of JavaScript that takes time.
//!
//! An operation has a number, under which JavaScript reports its outcome: one
//! call. A promise that is awaited by `JsFuture` takes two closures and five
//! calls, and 415 bytes that only a major garbage collection frees.

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
    /// Ends what `ask` or `sleep` began.
    fn cancel(handle: &JsValue);
}

/// A value and a text, or an exception.
pub type Outcome = Result<(JsValue, String), JsValue>;

/// The operations that have not landed, by number. An operation lands in the
/// context of the request that began it, and wakes that request's future.
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
        // Numbers come round after 2^32; by then an operation has landed, or
        // it never will.
        self.last = self.last.wrapping_add(1);
        self.running.insert(self.last, sender);
        self.last
    }
}

/// What ends an operation before its time.
pub enum Handle {
    /// Nothing does.
    None,
    /// A timer, or an AbortController.
    Cancel(JsValue),
}

/// Work of JavaScript that takes time. Dropping it cancels what can be
/// cancelled; the rest goes on unobserved.
pub struct Operation {
    number: u32,
    /// `None` once it is dropped.
    outcome: Option<oneshot::Receiver<Outcome>>,
    handle: Handle,
    /// How long it may take; 0 for no longer than [`guard`] expects anyway.
    bound_ms: u64,
}

impl Operation {
    /// Begins work, which lands under the number that `begin` is given. It may
    /// take so many milliseconds; 0: no longer than [`guard`] expects anyway.
    pub fn begin(bound_ms: u64, begin: impl FnOnce(u32) -> Result<Handle, JsValue>) -> Self {
        let (sender, outcome) = oneshot::channel();
        let number = OPERATIONS.with_borrow_mut(|all| all.add(sender));
        let handle = begin(number).unwrap_or_else(|error| {
            land(number, Err(error));
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
        let Poll::Ready(landed) = Pin::new(outcome).poll(context) else {
            guard::allow_wait(self.bound_ms);
            return Poll::Pending;
        };
        // The sender is dropped only by `Operation::drop`.
        Poll::Ready(landed.unwrap_or_else(|_| Err(JsValue::from_str("cancelled"))))
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // Before its sender, which would wake the future that drops it.
        self.outcome = None;
        let running = OPERATIONS.with_borrow_mut(|all| all.running.remove(&self.number));
        if let (Some(_), Handle::Cancel(handle)) = (running, &self.handle)
            && !guard::is_sweeping()
        {
            cancel(handle);
        }
    }
}

/// Passes an outcome on, if its future is still there.
fn land(number: u32, outcome: Outcome) {
    if let Some(sender) = OPERATIONS.with_borrow_mut(|all| all.running.remove(&number)) {
        // The receiver is there: dropping it takes the sender out.
        let _ = sender.send(outcome);
    }
}

thread_local! {
    /// Where JavaScript writes texts.
    static INBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where JavaScript can write so many bytes.
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

/// The memory of wasm. (The name `memory` is taken by the memory itself.)
#[wasm_bindgen]
pub fn linear() -> JsValue {
    wasm_bindgen::memory()
}

/// The text that JavaScript has written there, of so many bytes.
pub fn received(bytes: u32) -> String {
    INBOX.with_borrow(|inbox| {
        let text = inbox.get(..bytes as usize).unwrap_or_default();
        // `encodeInto` writes nothing that is not UTF-8.
        String::from_utf8(text.to_vec()).unwrap_or_default()
    })
}

/// Called by JavaScript with the outcome of an operation, and a text of so many
/// bytes.
#[wasm_bindgen]
pub fn landed(number: u32, value: JsValue, text_bytes: u32) {
    let text = received(text_bytes);
    land(number, Ok((value, text)));
}

/// Called by JavaScript when an operation has failed.
#[wasm_bindgen]
pub fn failed(number: u32, error: JsValue) {
    land(number, Err(error));
}
