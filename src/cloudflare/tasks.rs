//! Futures, each driven by the promises that it waits for itself.
//!
//! The queue of `wasm-bindgen-futures` is one for all requests of an isolate:
//! whichever request wakes it polls what the others have waiting there, in its
//! own context, where the runtime lets them do nothing. It also takes two
//! microtasks a request. Here a waker polls its own future at once, within the
//! callback of the promise that woke it, which runs in the context of the
//! request that made the promise.

use js_sys::Promise;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use wasm_bindgen::JsValue;

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Where a future lies while it waits. (The runtime never ends one whose
/// request it has given up: such a one stays here, as it would anywhere.)
struct Place {
    /// Which future this is: no two have the same.
    number: u64,
    waker: Waker,
    /// It is not here while it is polled.
    work: Option<Work>,
}

/// All futures of the isolate.
#[derive(Default)]
struct Tasks {
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    last: u64,
}

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
    /// Whether a future is being polled.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// What was woken meanwhile. It is of the same request: nothing of ours
    /// wakes another one's.
    static WOKEN: RefCell<VecDeque<Signal>> = const { RefCell::new(VecDeque::new()) };
    /// The clock stands still between two waits.
    static NOW_MS: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Tells a future to go on. Its number sees to it that a late one, whose
/// future has ended, wakes no other that lies in its place.
#[derive(Clone, Copy)]
struct Signal {
    place: usize,
    number: u64,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        run(*self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        run(**self);
    }
}

impl Tasks {
    fn add(&mut self, work: Work) -> Signal {
        self.last = self.last.wrapping_add(1);
        let place = self.free.pop().unwrap_or(self.places.len());
        let number = self.last;
        let signal = Signal { place, number };
        let added = Some(Place {
            number,
            waker: Waker::from(Arc::new(signal)),
            work: Some(work),
        });
        match self.places.get_mut(place) {
            Some(free) => *free = added,
            None => self.places.push(added),
        }
        signal
    }

    fn place(&mut self, signal: Signal) -> Option<&mut Place> {
        let place = self.places.get_mut(signal.place)?.as_mut()?;
        (place.number == signal.number).then_some(place)
    }

    fn remove(&mut self, signal: Signal) {
        if let Some(place) = self.places.get_mut(signal.place) {
            *place = None;
            self.free.push(signal.place);
        }
    }
}

fn run(signal: Signal) {
    if BUSY.replace(true) {
        // When what runs now has come to its end: it may hold a borrow.
        return WOKEN.with_borrow_mut(|woken| woken.push_back(signal));
    }
    NOW_MS.set(None);
    let mut next = Some(signal);
    while let Some(signal) = next {
        poll(signal);
        next = WOKEN.with_borrow_mut(VecDeque::pop_front);
    }
    BUSY.set(false);
}

fn poll(signal: Signal) {
    let taken = TASKS.with_borrow_mut(|tasks| {
        let place = tasks.place(signal)?;
        Some((place.work.take()?, place.waker.clone()))
    });
    let Some((mut work, waker)) = taken else {
        return;
    };
    let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
    // What has ended is dropped after the borrow: its bodies end their
    // streams, which is work that begins here.
    let _ended = TASKS.with_borrow_mut(|tasks| match (polled, tasks.place(signal)) {
        (Poll::Pending, Some(place)) => place.work.replace(work),
        _ => {
            tasks.remove(signal);
            Some(work)
        }
    });
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    // Positive, and exact for 285,000 years.
    let clock = || js_sys::Date::now() as u64;
    if !BUSY.get() {
        return clock();
    }
    let now_ms = NOW_MS.get().unwrap_or_else(clock);
    NOW_MS.set(Some(now_ms));
    now_ms
}

/// Does work as far as it goes at once, and the rest as its promises are
/// kept. Within other work it begins when that has to wait or ends.
pub fn start(work: impl Future<Output = ()> + 'static) {
    begin(Box::pin(work));
}

fn begin(work: Work) {
    run(TASKS.with_borrow_mut(|tasks| tasks.add(work)));
}

/// The same, with a promise of what it comes to.
pub fn promise(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    promise_of(Box::pin(work))
}

type Asked = Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>>;

fn promise_of(work: Asked) -> Promise {
    let mut work = Some(work);
    Promise::new(&mut |resolve, reject| {
        if let Some(work) = work.take() {
            start(async move {
                let (settle, value) = match work.await {
                    Ok(value) => (resolve, value),
                    Err(error) => (reject, error),
                };
                // This does not fail.
                let _ = settle.call1(&JsValue::UNDEFINED, &value);
            });
        }
    })
}
