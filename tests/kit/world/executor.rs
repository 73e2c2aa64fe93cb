//! Tasks and timers in virtual time. Everything is polled in order, so a run
//! repeats exactly.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The most rounds of polling in one run: far more than a test needs, so that
/// a test that never ends fails.
const ROUNDS_MAX: usize = 1_000_000;

/// Whether a task has woken another one, which may have been polled earlier in
/// the round.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone)]
pub struct Executor(Rc<Inner>);

struct Inner {
    now_ms: Cell<u64>,
    tasks: RefCell<Vec<Task>>,
    new: RefCell<Vec<Task>>,
    timers: RefCell<Vec<u64>>,
}

impl Executor {
    pub fn new(now_ms: u64) -> Self {
        Self(Rc::new(Inner {
            now_ms: Cell::new(now_ms),
            tasks: RefCell::default(),
            new: RefCell::default(),
            timers: RefCell::default(),
        }))
    }

    pub fn now_ms(&self) -> u64 {
        self.0.now_ms.get()
    }

    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) {
        self.0.new.borrow_mut().push(Box::pin(work));
    }

    pub async fn sleep(&self, milliseconds: u64) {
        let until = self.now_ms().saturating_add(milliseconds);
        self.0.timers.borrow_mut().push(until);
        poll_fn(|_| {
            if self.now_ms() >= until {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Runs `work` after a delay, or at once if the delay is 0.
    pub fn after(&self, milliseconds: u64, work: impl FnOnce() + 'static) {
        if milliseconds == 0 {
            return work();
        }
        let executor = self.clone();
        self.spawn(async move {
            executor.sleep(milliseconds).await;
            work();
        });
    }

    /// Polls all tasks until each of them waits for a timer.
    pub fn settle(&self) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        for _ in 0..ROUNDS_MAX {
            let new: Vec<Task> = self.0.new.borrow_mut().drain(..).collect();
            let mut tasks: Vec<Task> = self.0.tasks.borrow_mut().drain(..).collect();
            let before = tasks.len() + new.len();
            let had_new = !new.is_empty();
            tasks.extend(new);
            tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
            let ended = tasks.len() < before;
            *self.0.tasks.borrow_mut() = tasks;
            let woke = woken.0.swap(false, Ordering::Relaxed);
            if !ended && !had_new && !woke && self.0.new.borrow().is_empty() {
                return;
            }
        }
        panic!("the tasks never end");
    }

    /// Advances the time, timer by timer.
    pub fn advance(&self, milliseconds: u64) {
        let end = self.now_ms().saturating_add(milliseconds);
        self.settle();
        while let Some(next) = self.next_timer().filter(|next| *next <= end) {
            self.0.now_ms.set(next);
            self.settle();
        }
        self.0.now_ms.set(end);
        self.settle();
    }

    /// Advances the time until `done`.
    pub fn run_until(&self, done: impl Fn() -> bool) {
        self.settle();
        while !done() {
            let Some(next) = self.next_timer() else {
                panic!("no timer is set");
            };
            self.0.now_ms.set(next);
            self.settle();
        }
    }

    fn next_timer(&self) -> Option<u64> {
        let now_ms = self.now_ms();
        let mut timers = self.0.timers.borrow_mut();
        timers.retain(|until| *until > now_ms);
        timers.iter().min().copied()
    }
}
