//! Runs seeds, one or many, on both cores.

use super::actors;
use super::promises::Violation;
use super::quiet;
use super::setup::Setup;
use super::switches::Switch;
use super::world::{Tally, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What became of a seed.
pub struct Outcome {
    pub seed: u64,
    /// The promise that was broken, or what panicked.
    pub broken: Option<String>,
    pub tally: Tally,
    pub trace: Vec<String>,
}

/// Lives through the world of one seed.
pub fn run(seed: u64, switch: Option<Switch>, traced: bool) -> Outcome {
    let setup = Setup::of(seed, switch);
    let world = World::new(seed, setup, switch, traced);
    let lived = catch_unwind(AssertUnwindSafe(|| live(&world)));
    let broken = match lived {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(format!("{:?}: {}", violation.promise, violation.text)),
        Err(panic) => Some(format!("panic: {}", words_of(&*panic))),
    };
    Outcome {
        seed,
        broken,
        tally: world.tally.take(),
        trace: world.take_trace(),
    }
}

fn live(world: &Rc<World>) -> Result<(), Violation> {
    actors::begin(world);
    world.run(world.setup.busy_ms)?;
    quiet::check(world)
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without words").to_owned()
}

/// How to see a seed again.
pub fn again(seed: u64, switch: Option<Switch>) -> String {
    let without = switch.map(|switch| format!(" --without {switch:?}"));
    let without = without.unwrap_or_default();
    format!("to see it again, with a trace: npm run simulate -- --seed {seed}{without}")
}

/// How many worlds live at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What became of many seeds.
pub struct Summary {
    pub seeds: u64,
    /// The first seed in which a promise was broken, and how.
    pub broken: Option<(u64, String)>,
    pub tally: Tally,
}

/// Runs so many seeds from `first` on, until a promise is broken.
pub fn run_many(
    first: u64,
    seeds: u64,
    switch: Option<Switch>,
    threads: usize,
    progress: impl Fn(u64) + Sync,
) -> Summary {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let summary = Mutex::new(Summary {
        seeds: 0,
        broken: None,
        tally: Tally::new(),
    });
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= seeds {
                return;
            }
            let outcome = run(first + at, switch, false);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.seeds += 1;
            for (what, times) in outcome.tally {
                *summary.tally.entry(what).or_default() += times;
            }
            if let Some(broken) = outcome.broken {
                stop.store(true, Ordering::Relaxed);
                let earlier = summary
                    .broken
                    .as_ref()
                    .is_some_and(|(s, _)| *s < outcome.seed);
                if !earlier {
                    summary.broken = Some((outcome.seed, broken));
                }
            }
            progress(summary.seeds);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}
