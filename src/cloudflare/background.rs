//! Background work of a request, which continues after the response.
//!
//! All background work of a request is one future, so that it costs one promise
//! under `waitUntil`. A miss has two pieces of work, and each promise takes
//! seven crossings between wasm and JavaScript.

use super::guard;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The background work of one request.
#[derive(Clone, Default)]
pub struct Background(Rc<Inner>);

#[derive(Default)]
struct Inner {
    /// Work that was added and not polled yet.
    added: RefCell<Vec<Work>>,
    /// Whether the future that [`Background::add`] returned is still running.
    is_running: Cell<bool>,
    /// Wakes that future; `None` while it is polled.
    waker: Cell<Option<Waker>>,
}

impl Background {
    /// Adds work. Returns a future that does this work and all that is added
    /// before it ends; `None` if such a future is running already.
    pub fn add(
        &self,
        work: impl Future<Output = ()> + 'static,
    ) -> Option<impl Future<Output = ()> + 'static> {
        self.0.added.borrow_mut().push(Box::pin(work));
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
        if self.0.is_running.replace(true) {
            return None;
        }
        // Register it now, not at its first poll: `guard` assigns it to the
        // request that is being polled.
        let work = guard::until_expiry(self.run());
        Some(async move { work.await.unwrap_or_default() })
    }

    fn run(&self) -> impl Future<Output = ()> + 'static {
        let mut running = Running(Rc::clone(&self.0));
        let mut pending: Vec<Work> = Vec::new();
        poll_fn(move |context| running.poll(&mut pending, context))
    }
}

/// Runs the work. Dropping it, at its end or by a sweep, lets
/// [`Background::add`] return a new future.
struct Running(Rc<Inner>);

impl Running {
    /// Polls all pieces of work. Some are polled without need, but there are
    /// few, and each announces how long it may still wait
    /// ([`guard::allow_wait`]).
    fn poll(&mut self, pending: &mut Vec<Work>, context: &mut Context<'_>) -> Poll<()> {
        self.0.waker.set(None);
        pending.retain_mut(|work| work.as_mut().poll(context).is_pending());
        loop {
            // Polled work may add more.
            let added = self.0.added.take();
            if added.is_empty() {
                break;
            }
            for mut work in added {
                if work.as_mut().poll(context).is_pending() {
                    pending.push(work);
                }
            }
        }
        if pending.is_empty() {
            return Poll::Ready(());
        }
        self.0.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.is_running.set(false);
        self.0.waker.set(None);
        // Work that was added but never polled is dropped, too.
        drop(self.0.added.take());
    }
}
