//! Drops the futures of cancelled requests.
//!
//! The runtime cancels a request whose client has disconnected: it runs none of
//! its callbacks any more. Nothing drops the future that waited for them. What
//! the future holds (fields, a permit at the origin, the flight of a collapsed
//! request) would stay in the isolate. A [`Guarded`] future is dropped
//!
//! - by the request's `signal`, when the client has disconnected (compatibility
//!   flag `enable_request_signal`). workerd fires it in the request's own
//!   context, where streams may be cancelled and timers cleared;
//! - by a sweep, when it has waited for longer than its longest wait allows: in
//!   a runtime without the flag, or for background work that exceeded its 30
//!   seconds. (A future that the runtime stops in the middle of a poll, for its
//!   CPU time, is not swept.)
//!
//! Work that must be done whether the client waits or not is a guarded future
//! of its own under `wait_until`, without a signal.
//!
//! All waiting requests of clients may hold [`WAITING_BYTES_MAX`] together. A
//! request that would exceed it is refused ([`GuardError::NoMemory`],
//! [`admit`]). Lookups in the Cache API do not count, so hits in the Cache API
//! and in memory are always served.

use super::js::disconnect;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use wasm_bindgen::prelude::*;

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The bound of a wait that announces none by [`allow_wait`]: calls of KV, of
/// the Cache API and of the ledger.
const WAIT_MS: u64 = 30_000;

/// How much longer than its bound a future may wait before it is swept: timers
/// and callbacks may be late.
const GRACE_MS: u64 = 15_000;

/// The interval of the sweep.
const SWEEP_MS: u64 = 10_000;

/// How many bytes all waiting requests may hold. An isolate has 128 MB for
/// these bytes (32 MB), the memory tier (`memory_bytes`), the purge index (20
/// MB at worst, while it is rebuilt), and the runtime with the compiled worker
/// (20 MB, estimated). That leaves 56 MB for the memory tier.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a waiting request holds besides its fields and its body: futures in
/// wasm (6 KB measured), and JavaScript objects. 2,700 such requests may wait.
const WAITING_BYTES_EACH: usize = 12 * 1024;

/// How many of these bytes requests may hold whose body is an order: an eighth,
/// which is 29 of the largest orders. Their senders are not authenticated
/// before the body is read.
const ORDERS_BYTES_MAX: usize = WAITING_BYTES_MAX / 8;

/// Why a guarded future has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardError {
    /// The client has disconnected, or the future exceeded the bound of its
    /// waits.
    Dropped,
    /// The waiting requests hold [`WAITING_BYTES_MAX`] already.
    NoMemory,
}

/// A registered future, with its bookkeeping.
struct Suspended {
    /// `None` while it is polled.
    work: Option<Work>,
    /// The id of the request's first future. A future that is begun during a
    /// poll belongs to the group of the polled future.
    group: u32,
    /// The client's request; `None` for work that only its time ends.
    request: Option<web_sys::Request>,
    /// Wakes the [`Guarded`] future that owns it.
    waker: Option<Waker>,
    /// The time after which a sweep drops it.
    expires_ms: u64,
    /// What it holds while it waits; nothing before that.
    reservation: MemoryReservation,
}

/// What a request holds of wasm's memory while it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReservation {
    /// The bytes of its fields, and of the body that is read whole.
    pub bytes: usize,
    /// Whether that body is an order.
    pub is_order: bool,
}

#[derive(Default)]
struct Registry {
    suspended: BTreeMap<u32, Suspended>,
    last_id: u32,
    swept_ms: u64,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
    /// The time of the running poll. The clock does not advance during a poll.
    static POLL_MS: Cell<Option<u64>> = const { Cell::new(None) };
    /// The longest wait that the future has announced in the running poll.
    static LONGEST_WAIT_MS: Cell<Option<u64>> = const { Cell::new(None) };
    /// How many bytes the future that is being polled has announced.
    static HELD_BYTES: Cell<usize> = const { Cell::new(0) };
    /// The group of the future that is being polled.
    static POLLED_GROUP: Cell<Option<u32>> = const { Cell::new(None) };
    /// Whether futures of other requests are being dropped.
    static SWEEPING: Cell<bool> = const { Cell::new(false) };
}

/// Milliseconds since 1970. The clock is read from JavaScript once per poll.
pub fn now_ms() -> u64 {
    // Positive, and exact for 285,000 years.
    POLL_MS.get().unwrap_or_else(|| js_sys::Date::now() as u64)
}

/// Announces, in the poll of a future that has to wait, how long the wait may
/// take. 0 means a lookup in the Cache API, which takes milliseconds.
pub fn allow_wait(milliseconds: u64) {
    LONGEST_WAIT_MS.set(LONGEST_WAIT_MS.get().max(Some(milliseconds)));
}

/// Announces, in the first poll of a client's request that is looked up, how
/// many bytes of it stay in memory if it has to wait.
pub fn hold_bytes(bytes: usize) {
    HELD_BYTES.set(bytes);
}

/// Reserves memory for the client's request that is being polled; `false` if
/// there is none left. For requests with side effects: they are refused before
/// those, or not at all.
pub fn admit(reservation: MemoryReservation) -> bool {
    POLLED_GROUP
        .get()
        .is_none_or(|id| reserve_memory(id, reservation))
}

/// The output of a future that may take up to this many milliseconds.
pub async fn with_bound<F: Future>(milliseconds: u64, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        allow_wait(milliseconds);
        future.as_mut().poll(context)
    })
    .await
}

/// Whether the value that is being dropped belongs to another request. Its
/// streams and timers must not be touched; they ended with that request.
pub fn is_sweeping() -> bool {
    SWEEPING.get()
}

/// Work that is dropped when its time is over, or when the client of `request`
/// has disconnected.
pub fn until_disconnect<T: 'static>(
    request: web_sys::Request,
    work: impl Future<Output = T> + 'static,
) -> Guarded<T> {
    guarded(Some(request), work)
}

/// Work that is dropped when its time is over.
pub fn until_expiry<T: 'static>(work: impl Future<Output = T> + 'static) -> Guarded<T> {
    guarded(None, work)
}

fn guarded<T: 'static>(
    request: Option<web_sys::Request>,
    work: impl Future<Output = T> + 'static,
) -> Guarded<T> {
    let output = Rc::new(Cell::new(None));
    let result = Rc::clone(&output);
    let work: Work = Box::pin(async move { result.set(Some(work.await)) });
    Guarded {
        id: register(work, request),
        output,
        bytes: 0,
        is_watched: false,
        has_room: false,
    }
}

fn register(work: Work, request: Option<web_sys::Request>) -> u32 {
    REGISTRY.with_borrow_mut(|registry| {
        let mut id = registry.last_id.wrapping_add(1);
        while registry.suspended.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        registry.last_id = id;
        let suspended = Suspended {
            work: Some(work),
            group: POLLED_GROUP.get().unwrap_or(id),
            request,
            waker: None,
            expires_ms: u64::MAX,
            reservation: MemoryReservation::default(),
        };
        registry.suspended.insert(id, suspended);
        id
    })
}

/// A future that can be dropped from outside.
pub struct Guarded<T> {
    id: u32,
    output: Rc<Cell<Option<T>>>,
    /// How many bytes it holds, as it announced ([`hold_bytes`]).
    bytes: usize,
    /// Whether [`watch`] was called for it.
    is_watched: bool,
    /// Whether it may wait for more than lookups.
    has_room: bool,
}

impl<T> Future for Guarded<T> {
    type Output = Result<T, GuardError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id;
        let Some((mut work, group, is_first)) = take(id) else {
            return Poll::Ready(Err(GuardError::Dropped));
        };
        let now_ms = js_sys::Date::now() as u64;
        POLL_MS.set(Some(now_ms));
        LONGEST_WAIT_MS.set(None);
        HELD_BYTES.set(self.bytes);
        sweep(now_ms);
        POLLED_GROUP.set(Some(group));
        let polled = work.as_mut().poll(context);
        POLLED_GROUP.set(None);
        POLL_MS.set(None);
        self.bytes = HELD_BYTES.get();
        if polled.is_ready() {
            // Dropped after the borrow, because dropping a body cancels its
            // stream.
            drop((remove(id), work));
            return Poll::Ready(self.output.take().ok_or(GuardError::Dropped));
        }
        let wait_ms = LONGEST_WAIT_MS.get();
        let expires_ms = now_ms
            .saturating_add(wait_ms.map_or(WAIT_MS, |ms| ms.max(WAIT_MS)))
            .saturating_add(GRACE_MS);
        put_back(id, work, context.waker(), expires_ms);
        let is_lookup = wait_ms == Some(0);
        // A hit waits once, for its lookup: the sweep is enough for it.
        let is_hit = is_first && is_lookup;
        if !is_hit && !self.is_watched {
            watch(id);
            self.is_watched = true;
        }
        if !is_lookup && !self.has_room {
            let reservation = MemoryReservation {
                bytes: self.bytes,
                is_order: false,
            };
            if !reserve_memory(id, reservation) {
                // Dropped after the borrow, as above.
                drop(remove(id));
                return Poll::Ready(Err(GuardError::NoMemory));
            }
            self.has_room = true;
        }
        Poll::Pending
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        drop(remove(self.id));
    }
}

/// Takes a future out of the registry to poll it. Returns it with its group,
/// and whether this is its first poll.
fn take(id: u32) -> Option<(Work, u32, bool)> {
    REGISTRY.with_borrow_mut(|registry| {
        let suspended = registry.suspended.get_mut(&id)?;
        let work = suspended.work.take()?;
        Some((work, suspended.group, suspended.waker.is_none()))
    })
}

/// Has [`disconnected`] called when the client disconnects, if the future
/// belongs to a client's request.
fn watch(id: u32) {
    REGISTRY.with_borrow(|registry| {
        let suspended = registry.suspended.get(&id);
        if let Some(request) = suspended.and_then(|suspended| suspended.request.as_ref()) {
            // This calls none of our code before it returns.
            disconnect::watch(request, id);
        }
    });
}

/// Reserves memory for a client's waiting request; `false` if there is none
/// left. A request keeps what it has reserved. Other work reserves nothing,
/// because a request began it.
fn reserve_memory(id: u32, reservation: MemoryReservation) -> bool {
    REGISTRY.with_borrow_mut(|registry| {
        let waits = |one: &Suspended| one.request.is_some() && one.reservation.bytes == 0;
        if !registry.suspended.get(&id).is_some_and(waits) {
            return true;
        }
        let sum = |of_orders: bool| {
            let all = registry.suspended.values().map(|one| one.reservation);
            let counted = all.filter(|reservation| reservation.is_order || !of_orders);
            counted.fold(0, |sum: usize, reservation| {
                sum.saturating_add(reservation.bytes)
            })
        };
        let bytes = reservation.bytes.saturating_add(WAITING_BYTES_EACH);
        let fits = |of_orders, most| sum(of_orders).saturating_add(bytes) <= most;
        let has_room = fits(false, WAITING_BYTES_MAX)
            && (!reservation.is_order || fits(true, ORDERS_BYTES_MAX));
        if has_room && let Some(suspended) = registry.suspended.get_mut(&id) {
            suspended.reservation = MemoryReservation {
                bytes,
                ..reservation
            };
        }
        has_room
    })
}

fn put_back(id: u32, work: Work, waker: &Waker, expires_ms: u64) {
    // A replaced waker is dropped after the borrow.
    let _replaced = REGISTRY.with_borrow_mut(|registry| {
        let Some(suspended) = registry.suspended.get_mut(&id) else {
            return (Some(work), None);
        };
        suspended.work = Some(work);
        suspended.expires_ms = expires_ms;
        let kept = suspended.waker.as_ref();
        match kept.is_some_and(|kept| kept.will_wake(waker)) {
            true => (None, None),
            false => (None, suspended.waker.replace(waker.clone())),
        }
    });
}

fn remove(id: u32) -> Option<Suspended> {
    REGISTRY.with_borrow_mut(|registry| registry.suspended.remove(&id))
}

/// Called by JavaScript when the client of a guarded request has disconnected.
#[wasm_bindgen]
pub fn disconnected(id: u32) {
    if let Some(suspended) = remove(id) {
        end(suspended);
    }
}

/// Drops a future, and wakes its owner so that it ends, too: the executor's
/// task holds a reference to itself until then.
fn end(suspended: Suspended) {
    drop(suspended.work);
    if let Some(request) = &suspended.request {
        disconnect::forget(request);
    }
    if let Some(waker) = suspended.waker {
        waker.wake();
    }
}

/// Drops expired futures, every [`SWEEP_MS`], and all other waiting futures of
/// their groups: what they wake must not run in the context of the request that
/// sweeps.
fn sweep(now_ms: u64) {
    let expired: Vec<Suspended> = REGISTRY.with_borrow_mut(|registry| {
        if now_ms.saturating_sub(registry.swept_ms) < SWEEP_MS {
            return Vec::new();
        }
        registry.swept_ms = now_ms;
        let waiting = |suspended: &&Suspended| suspended.work.is_some();
        let expired = registry.suspended.values().filter(waiting);
        let groups: HashSet<u32> = expired
            .filter(|suspended| suspended.expires_ms < now_ms)
            .map(|suspended| suspended.group)
            .collect();
        if groups.is_empty() {
            return Vec::new();
        }
        let ended = |_: &u32, suspended: &mut Suspended| {
            suspended.work.is_some() && groups.contains(&suspended.group)
        };
        registry
            .suspended
            .extract_if(.., ended)
            .map(|(_, suspended)| suspended)
            .collect()
    });
    SWEEPING.set(true);
    expired.into_iter().for_each(end);
    SWEEPING.set(false);
}
