//! Work that goes on behind a response.
//!
//! All of a request's is one future, so that it costs one promise under
//! `waitUntil`: a miss has two pieces of it, and each promise takes seven
//! crossings between wasm and JavaScript.

use super::guard;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The work that goes on behind one response.
#[derive(Clone, Default)]
pub struct Background(Rc<Inner>);

#[derive(Default)]
struct Inner {
    /// Added and not yet polled.
    added: RefCell<Vec<Work>>,
    /// Whether the future that [`Background::add`] returned is under way.
    is_running: Cell<bool>,
    /// Wakes it; `None` while it is polled.
    waker: Cell<Option<Waker>>,
}

impl Background {
    /// Adds work. Returns the future that does it, and all that is added before
    /// that ends, unless such a future is under way already.
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
        // Now, not when it is first polled: it belongs to the request that is
        // polled now.
        let work = guard::until_expiry(self.run());
        Some(async move { work.await.unwrap_or_default() })
    }

    fn run(&self) -> impl Future<Output = ()> + 'static {
        let mut running = Running(Rc::clone(&self.0));
        let mut pending: Vec<Work> = Vec::new();
        poll_fn(move |context| running.poll(&mut pending, context))
    }
}

/// Dropping it, at its end or by a sweep, lets later work begin anew.
struct Running(Rc<Inner>);

impl Running {
    /// Polls all of it. That is once too often for some, but they are few, and
    /// each announces how long it may yet wait ([`guard::allow_wait`]).
    fn poll(&mut self, pending: &mut Vec<Work>, context: &mut Context<'_>) -> Poll<()> {
        self.0.waker.set(None);
        pending.retain_mut(|work| work.as_mut().poll(context).is_pending());
        loop {
            // What is polled may add more.
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
        // Work that was added and never began goes with the rest.
        drop(self.0.added.take());
    }
}
