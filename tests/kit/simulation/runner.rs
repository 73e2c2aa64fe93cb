//! Runs one seed, or many on all cores.

use super::actors;
use super::attack::ATTACK_AT;
use super::numbers::{self, Numbers};
use super::promises::Violation;
use super::quiet;
use super::setup::Setup;
use super::storm::STORM_EVERY;
use super::switches::Switch;
use super::world::{Tally, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The result of a seed.
pub struct Outcome {
    pub seed: u64,
    /// The broken promise, or the message of a panic.
    pub broken: Option<String>,
    pub tally: Tally,
    pub numbers: Numbers,
    pub trace: Vec<String>,
}

/// Which kinds of worlds are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worlds {
    All,
    /// Those with many purges and little traffic.
    Purges,
    /// Those with much traffic, few purges and a failing origin.
    Storms,
    /// Those in which one position attacks a host.
    Attacks,
}

impl Worlds {
    /// The kind of worlds that show the effect of a defence.
    pub fn of(switch: Option<Switch>) -> Self {
        match switch {
            None => Self::All,
            Some(switch) if switch.of_attacks() => Self::Attacks,
            Some(switch) if switch.of_storms() => Self::Storms,
            Some(_) => Self::Purges,
        }
    }

    /// The seed of the n-th world of this kind from `first` on.
    fn seed(self, first: u64, n: u64) -> u64 {
        let is_one = |seed: &u64| match self {
            Self::All => true,
            Self::Storms => is_storm(*seed),
            Self::Attacks => is_attack(*seed),
            Self::Purges => !is_storm(*seed) && !is_attack(*seed),
        };
        // Of each STORM_EVERY seeds one is a storm, one an attack.
        let rounds = match self {
            Self::All => return first + n,
            Self::Storms | Self::Attacks => n,
            Self::Purges => n / (STORM_EVERY - 2),
        };
        let each = match self {
            Self::Purges => STORM_EVERY - 2,
            _ => 1,
        };
        let from = first + rounds * STORM_EVERY;
        let nth = (n - rounds * each) as usize;
        let seed = (from..from + STORM_EVERY).filter(is_one).nth(nth);
        seed.unwrap_or(from)
    }
}

fn is_attack(seed: u64) -> bool {
    seed % STORM_EVERY == ATTACK_AT
}

fn is_storm(seed: u64) -> bool {
    (seed + 1).is_multiple_of(STORM_EVERY)
}

/// Runs the world of one seed.
pub fn run(seed: u64, switch: Option<Switch>, traced: bool) -> Outcome {
    let setup = match is_storm(seed) {
        true => Setup::storm(seed, switch),
        false if is_attack(seed) => Setup::attack(seed, switch),
        false => Setup::of(seed, switch),
    };
    let world = World::new(seed, setup, switch, traced);
    let result = catch_unwind(AssertUnwindSafe(|| run_world(&world)));
    let broken = match result {
        Ok(Ok(())) => None,
        Ok(Err(violation)) => Some(format!("{:?}: {}", violation.promise, violation.text)),
        Err(panic) => Some(format!("panic: {}", message_of(&*panic))),
    };
    Outcome {
        seed,
        broken,
        tally: world.tally.take(),
        numbers: world.numbers.take(),
        trace: world.take_trace(),
    }
}

fn run_world(world: &Rc<World>) -> Result<(), Violation> {
    actors::begin(world);
    world.run(world.setup.busy_ms)?;
    quiet::check(world)
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

/// The command that repeats a seed.
pub fn again(seed: u64, switch: Option<Switch>) -> String {
    let without = switch.map(|switch| format!(" --without {switch:?}"));
    let without = without.unwrap_or_default();
    format!("to repeat it with a trace: npm run simulate -- --seed {seed}{without}")
}

/// The number of worlds that run at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The result of many seeds.
pub struct Summary {
    pub seeds: u64,
    /// The lowest seed found with a broken promise, and its message.
    pub broken: Option<(u64, String)>,
    pub tally: Tally,
    pub numbers: Numbers,
}

/// Runs `seeds` worlds from `first` on, until a promise is broken.
pub fn run_many(
    worlds: Worlds,
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
        numbers: Numbers::new(),
    });
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= seeds {
                return;
            }
            let outcome = run(worlds.seed(first, at), switch, false);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.seeds += 1;
            for (what, times) in outcome.tally {
                *summary.tally.entry(what).or_default() += times;
            }
            numbers::add(&mut summary.numbers, &outcome.numbers);
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
