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

/// The runtime never ends a future whose request it has given up, because the
/// client has gone, say: one that has not gone on for so long is let go. No
/// setting lets a request wait as long for one thing: for a body 3,600 s, for a
/// head 600. (Of a body without a limit that flows for longer, nobody notes the
/// end.)
const GIVEN_UP_MS: u64 = 4_500_000;
/// How often such are looked for.
const LOOK_MS: u64 = 60_000;

/// Where a future lies while it waits.
struct Place {
    /// Which future this is: no two have the same.
    number: u64,
    waker: Waker,
    /// When it went on last; as late as can be if it has yet to begin.
    polled_ms: u64,
    /// It is not here while it is polled.
    work: Option<Work>,
}

/// All futures of the isolate.
#[derive(Default)]
struct Tasks {
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    last: u64,
    looked_ms: u64,
}

thread_local! {
    static TASKS: RefCell<Tasks> = RefCell::default();
    /// Whether a future is being polled.
    static BUSY: Cell<bool> = const { Cell::new(false) };
    /// What was woken meanwhile. It is of the same request: nothing of ours
    /// wakes another one's.
    static WOKEN: RefCell<VecDeque<Signal>> = const { RefCell::new(VecDeque::new()) };
    /// Whether futures are being let go whose requests are given up.
    static GIVING_UP: Cell<bool> = const { Cell::new(false) };
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
            polled_ms: u64::MAX,
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

    /// Takes out the futures whose requests are given up.
    fn given_up(&mut self, now_ms: u64) -> Vec<Place> {
        let is_given_up = |place: &mut Place| {
            place.work.is_some() && now_ms.saturating_sub(place.polled_ms) > GIVEN_UP_MS
        };
        let mut given_up = Vec::new();
        for (number, place) in self.places.iter_mut().enumerate() {
            if let Some(place) = place.take_if(is_given_up) {
                given_up.push(place);
                self.free.push(number);
            }
        }
        given_up
    }
}

/// Lets go what requests held that are given up, now and then.
fn let_go_given_up(now_ms: u64) {
    let given_up = TASKS.with_borrow_mut(|tasks| {
        if now_ms.saturating_sub(tasks.looked_ms) < LOOK_MS {
            return Vec::new();
        }
        tasks.looked_ms = now_ms;
        tasks.given_up(now_ms)
    });
    GIVING_UP.set(true);
    drop(given_up);
    GIVING_UP.set(false);
}

/// Whether what is dropped now is of a request that the runtime has given up.
/// Its streams and timers have gone with it, and other requests may not touch
/// them.
pub fn is_giving_up() -> bool {
    GIVING_UP.get()
}

fn run(signal: Signal) {
    if BUSY.replace(true) {
        // When what runs now has come to its end: it may hold a borrow.
        return WOKEN.with_borrow_mut(|woken| woken.push_back(signal));
    }
    NOW_MS.set(None);
    let_go_given_up(now_ms());
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
        place.polled_ms = now_ms();
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
