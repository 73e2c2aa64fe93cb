//! Handing a value from work behind the response to the request it belongs
//! to. Both are of one request: a waker of another one's must never be called
//! (the runtime would run it in the wrong context).

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A place for one value.
pub struct Handoff<T>(Rc<RefCell<(Option<T>, Option<Waker>)>>);

impl<T> Clone for Handoff<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Handoff<T> {
    fn default() -> Self {
        Self(Rc::new(RefCell::new((None, None))))
    }
}

impl<T> Handoff<T> {
    /// Puts the value there.
    pub fn put(&self, value: T) {
        let waker = {
            let mut place = self.0.borrow_mut();
            place.0 = Some(value);
            place.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the value.
    pub async fn take(&self) -> T {
        poll_fn(|context| {
            let mut place = self.0.borrow_mut();
            match place.0.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    place.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
