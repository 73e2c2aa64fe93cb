//! The other side of `glue.js`: calls that do the work of many, because each
//! crossing between wasm and JavaScript costs about as much as reading a
//! header field does.
//!
//! An operation that takes time has a number, under which JavaScript says what
//! came of it: one call, where a promise takes two closures and five calls.

use super::js::{self, Stream};
use super::tasks;
use crate::http::fields::Fields;
use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/cloudflare/glue.js")]
extern "C" {
    /// Writes a line to the log.
    pub fn log(line: &str);

    /// Says of which fields (lower-case, each on a line) requests that are
    /// looked up are read.
    #[wasm_bindgen(js_name = readOnly)]
    pub fn read_only(names: &str);

    #[wasm_bindgen(js_name = sendWhole)]
    fn send_whole(request: &JsValue) -> u32;

    #[wasm_bindgen(js_name = match)]
    fn match_url(op: u32, url: &str);

    #[wasm_bindgen(js_name = hold)]
    fn begin_to_hold(op: u32, cached: &JsValue);

    /// The body of what is held, as a stream.
    #[wasm_bindgen(js_name = streamOf)]
    pub fn stream_of(held: &JsValue) -> Stream;

    #[wasm_bindgen(catch)]
    fn put(op: u32, url: &str, head: &str, body: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(catch)]
    #[allow(clippy::too_many_arguments, reason = "one crossing, not eight")]
    fn ask(
        op: u32,
        method: &str,
        url: &str,
        head: &str,
        body: &JsValue,
        head_ms: f64,
        body_ms: f64,
        short_bytes: u32,
    ) -> Result<(), JsValue>;

    /// Keeps a request open (`waitUntil`) until it may close.
    #[wasm_bindgen(js_name = keepOpen)]
    pub fn keep_open(context: &js::Context) -> u32;

    #[wasm_bindgen(js_name = letClose)]
    pub fn let_close(number: u32);

    fn sleep(op: u32, milliseconds: f64) -> JsValue;

    #[wasm_bindgen(js_name = callOff)]
    fn call_off(timer: &JsValue);

    /// Answers a request.
    #[wasm_bindgen(catch)]
    pub fn respond(request: u32, status: u16, head: &str, body: &JsValue) -> Result<(), JsValue>;

    /// Answers a request by a response of the Cache API, changed.
    #[wasm_bindgen(catch, js_name = respondFrom)]
    pub fn respond_from(
        request: u32,
        status: u16,
        changes: &str,
        cached: &JsValue,
    ) -> Result<(), JsValue>;

    /// Answers a request by a response that is made already.
    pub fn deliver(request: u32, response: &JsValue);

    /// Forgets the waiting for a response, or what keeps a request open: there
    /// is no such request any more.
    pub fn forget(number: u32);
}

/// The head of a request with all its fields, as text.
pub fn whole_head(request: &JsValue) -> String {
    received(send_whole(request))
}

/// Looks into the Cache API: gives the response and the text of its entry.
pub fn look_up(url: &str) -> Operation {
    Operation::begin(|op| {
        match_url(op, url);
        Ok(())
    })
}

/// Copies a response of the Cache API into memory: gives what can be answered
/// from any number of times, and how many bytes its body has.
pub fn hold(cached: &JsValue) -> Operation {
    Operation::begin(|op| {
        begin_to_hold(op, cached);
        Ok(())
    })
}

/// Stores a body in the Cache API, with these fields.
pub fn store(url: &str, fields: &Fields, body: &JsValue) -> Operation {
    Operation::begin(|op| put(op, url, &fields.to_text(), body))
}

/// A request to an origin.
pub struct Question<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its URL.
    pub url: &'a str,
    /// Its fields.
    pub fields: &'a Fields,
    /// Its body, or `undefined`.
    pub body: JsValue,
    /// How many milliseconds its answer's head may take; 0: as many as it will.
    pub head_ms: u64,
    /// And its body after that.
    pub body_ms: u64,
    /// Up to how many bytes a body, of which the length is told, is waited
    /// for within `head_ms`; 0: none is.
    pub short_bytes: u32,
}

/// Asks an origin: gives the response, and a text of its status, of `1` if a
/// short body is given instead, and of its fields, each piece on a line. An
/// answer that takes too long fails with [`LATE`], and one whose short body
/// did not come whole with [`CUT`].
pub fn fetch(question: &Question<'_>) -> Operation {
    Operation::begin(|op| {
        ask(
            op,
            question.method,
            question.url,
            &question.fields.to_text(),
            &question.body,
            // Exact: minutes.
            question.head_ms as f64,
            question.body_ms as f64,
            question.short_bytes,
        )
    })
}

/// Waits. Dropping it calls its timer off.
pub fn pause(milliseconds: u64) -> Operation {
    let mut timer = None;
    let mut operation = Operation::begin(|op| {
        // Exact: minutes.
        timer = Some(sleep(op, milliseconds as f64));
        Ok(())
    });
    operation.timer = timer;
    operation
}

/// What the failure says of an answer that came too late.
pub const LATE: &str = "edgekeep: late";

/// What the failure says of a short body that did not come whole.
pub const CUT: &str = "edgekeep: cut";

/// What an operation came to: a value and a text, or an exception.
type Outcome = Result<(JsValue, String), JsValue>;

enum State {
    /// It has begun; its future waits.
    Begun(Option<Waker>),
    /// Nobody waits for it any more.
    Left,
    /// It is over.
    Over(Outcome),
}

#[derive(Default)]
struct Operations {
    /// By number. A number is used again only after JavaScript has used it,
    /// which it does once.
    states: Vec<Option<State>>,
    free: Vec<usize>,
}

thread_local! {
    static OPERATIONS: RefCell<Operations> = RefCell::default();
}

impl Operations {
    fn add(&mut self) -> usize {
        let number = self.free.pop().unwrap_or(self.states.len());
        let begun = Some(State::Begun(None));
        match self.states.get_mut(number) {
            Some(state) => *state = begun,
            None => self.states.push(begun),
        }
        number
    }

    fn state(&mut self, number: usize) -> Option<&mut State> {
        self.states.get_mut(number)?.as_mut()
    }

    fn free(&mut self, number: usize) -> Option<State> {
        let state = self.states.get_mut(number)?.take();
        if state.is_some() {
            self.free.push(number);
        }
        state
    }

    /// Notes what came of an operation; gives back whom to wake.
    fn end(&mut self, number: usize, outcome: Outcome) -> Option<Waker> {
        match self.state(number)? {
            State::Begun(waker) => {
                let waker = waker.take();
                *self.state(number)? = State::Over(outcome);
                waker
            }
            State::Left => {
                self.free(number);
                None
            }
            State::Over(_) => None,
        }
    }
}

/// Work of JavaScript that takes time. Dropping it lets the work go on unseen.
pub struct Operation {
    /// `None` when it has given what came of it.
    number: Option<usize>,
    /// What can be called off.
    timer: Option<JsValue>,
}

impl Operation {
    fn begin(begin: impl FnOnce(u32) -> Result<(), JsValue>) -> Self {
        let number = OPERATIONS.with_borrow_mut(Operations::add);
        // There are never 2^32 at a time: memory ends before.
        if let Err(error) = begin(number as u32) {
            end(number, Err(error));
        }
        Self {
            number: Some(number),
            timer: None,
        }
    }
}

impl Future for Operation {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Some(number) = self.number else {
            return Poll::Pending;
        };
        let outcome = OPERATIONS.with_borrow_mut(|all| match all.state(number)? {
            State::Over(_) => match all.free(number)? {
                State::Over(outcome) => Some(outcome),
                _ => None,
            },
            state => {
                *state = State::Begun(Some(context.waker().clone()));
                None
            }
        });
        match outcome {
            Some(outcome) => {
                self.number = None;
                Poll::Ready(outcome)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Some(number) = self.number else {
            return;
        };
        if let Some(timer) = &self.timer
            && !tasks::is_giving_up()
        {
            call_off(timer);
        }
        let over = self.timer.is_some();
        // Its waker goes after the borrow.
        let _state = OPERATIONS.with_borrow_mut(|all| match all.state(number)? {
            state @ State::Begun(_) if !over => Some(std::mem::replace(state, State::Left)),
            _ => all.free(number),
        });
    }
}

fn end(number: usize, outcome: Outcome) {
    let waker = OPERATIONS.with_borrow_mut(|all| all.end(number, outcome));
    if let Some(waker) = waker {
        waker.wake();
    }
}

thread_local! {
    /// Where JavaScript puts texts.
    static INBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where JavaScript can put so many bytes.
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

/// The text that JavaScript has put there, of so many bytes.
pub fn received(bytes: u32) -> String {
    INBOX.with_borrow(|inbox| {
        let text = inbox.get(..bytes as usize).unwrap_or_default();
        // `encodeInto` writes nothing that is not UTF-8.
        String::from_utf8(text.to_vec()).unwrap_or_default()
    })
}

/// JavaScript says what came of an operation, with a text of so many bytes.
#[wasm_bindgen]
pub fn landed(number: u32, value: JsValue, text_bytes: u32) {
    let text = received(text_bytes);
    end(number as usize, Ok((value, text)));
}

/// JavaScript says that an operation failed.
#[wasm_bindgen]
pub fn failed(number: u32, error: JsValue) {
    end(number as usize, Err(error));
}
