//! Tasks and timers in virtual time. Tasks are polled in the order in which
//! they were woken, timers fire in the order of their times, so a run repeats
//! exactly.
//!
//! Each task has a [`Life`]. When that ends, the task is never polled again,
//! and is not dropped before the world is, like a cancelled request on the
//! platform.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// The most polls at one moment of time: far more than a world needs, so that
/// a world that never ends fails.
const POLLS_MAX: u64 = 5_000_000;

type Ready = Arc<Mutex<VecDeque<usize>>>;

/// Whether a task is still polled.
#[derive(Clone, Debug)]
pub struct Life(Rc<Cell<bool>>);

impl Default for Life {
    fn default() -> Self {
        Self(Rc::new(Cell::new(true)))
    }
}

impl Life {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn end(&self) {
        self.0.set(false);
    }

    pub fn is_over(&self) -> bool {
        !self.0.get()
    }
}

struct Task {
    work: Pin<Box<dyn Future<Output = ()>>>,
    life: Life,
    waker: Waker,
}

struct Alarm {
    task: usize,
    ready: Ready,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let ready = self.ready.lock();
        ready
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(self.task);
    }
}

#[derive(Default)]
pub struct Executor {
    now_ms: Cell<u64>,
    tasks: RefCell<Vec<Option<Task>>>,
    ready: Ready,
    /// By time, then by the order in which they were set.
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    timers_set: Cell<u64>,
    polls: Cell<u64>,
    /// The life of the task that is being polled.
    current: RefCell<Life>,
}

impl Executor {
    pub fn new(now_ms: u64) -> Self {
        Self {
            now_ms: Cell::new(now_ms),
            ..Self::default()
        }
    }

    /// The true time.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// The life of the task that is being polled.
    pub fn current_life(&self) -> Life {
        self.current.borrow().clone()
    }

    /// Starts a task, and returns its number.
    pub fn spawn(&self, life: Life, work: impl Future<Output = ()> + 'static) -> usize {
        let mut tasks = self.tasks.borrow_mut();
        let number = tasks.len();
        let alarm = Arc::new(Alarm {
            task: number,
            ready: Arc::clone(&self.ready),
        });
        tasks.push(Some(Task {
            work: Box::pin(work),
            life,
            waker: Waker::from(Arc::clone(&alarm)),
        }));
        alarm.wake();
        number
    }

    /// Drops a task.
    pub fn drop_task(&self, number: usize) {
        let task = self
            .tasks
            .borrow_mut()
            .get_mut(number)
            .and_then(Option::take);
        // Its drop may access the other tasks.
        drop(task);
    }

    pub async fn sleep(&self, milliseconds: u64) {
        let until = self.now_ms().saturating_add(milliseconds);
        let mut set = false;
        poll_fn(|context| {
            if self.now_ms() >= until {
                return Poll::Ready(());
            }
            if !set {
                set = true;
                let order = self.timers_set.get();
                self.timers_set.set(order + 1);
                let waker = context.waker().clone();
                self.timers.borrow_mut().insert((until, order), waker);
            }
            Poll::Pending
        })
        .await;
    }

    /// Advances the time, timer by timer, up to `end_ms` or until `stop`.
    pub fn run_until(&self, end_ms: u64, stop: impl Fn() -> bool) {
        loop {
            self.poll_all();
            if stop() {
                return;
            }
            let next = self.timers.borrow_mut().pop_first();
            match next {
                Some(((at, _), waker)) if at <= end_ms => {
                    if at > self.now_ms() {
                        self.polls.set(0);
                        self.now_ms.set(at);
                    }
                    waker.wake();
                }
                later => {
                    let mut timers = self.timers.borrow_mut();
                    timers.extend(later);
                    break;
                }
            }
        }
        self.now_ms.set(end_ms.max(self.now_ms()));
    }

    fn poll_all(&self) {
        while let Some(at) = self.next() {
            let task = self.tasks.borrow_mut()[at].take();
            let Some(mut task) = task else {
                continue;
            };
            let mut ended = false;
            if !task.life.is_over() {
                self.polls.set(self.polls.get() + 1);
                assert!(self.polls.get() < POLLS_MAX, "the tasks never end");
                self.current.replace(task.life.clone());
                let waker = task.waker.clone();
                let mut context = Context::from_waker(&waker);
                ended = task.work.as_mut().poll(&mut context).is_ready();
            }
            if !ended {
                self.tasks.borrow_mut()[at] = Some(task);
            }
        }
    }

    fn next(&self) -> Option<usize> {
        let ready = self.ready.lock();
        ready.unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
