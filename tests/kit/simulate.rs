//! `npm run simulate -- --seeds N [--first F] [--seed S] [--only KIND]
//! [--without DEFENCE]`: runs this number of simulated worlds, or one of them
//! with a trace.

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use testkit::simulation::numbers;
use testkit::simulation::runner::{self, Worlds};
use testkit::simulation::switches::Switch;

/// As many as two cores run in a year.
const SEEDS_MAX: u64 = 10_000_000_000;
const SEEDS: u64 = 10_000;
/// The time between two lines of progress.
const PAUSE: Duration = Duration::from_secs(5);

const USAGE: &str =
    "Usage: npm run simulate -- [--seeds N] [--first F] [--only purges|storms|attacks] [--without DEFENCE]
       npm run simulate -- --seed S [--without DEFENCE]

  --seeds    number of worlds (default 10000); stops at a broken promise
  --first    seed of the first world (default 0)
  --seed     runs one world, and prints a trace of its events
  --only     one kind of worlds: purges (many purges), storms (much traffic
             and a failing origin), or attacks (by one reader, page, host or
             key). Of all seeds, every 50th is a storm, and every 50th an attack
  --without  switches off a defence; then a promise should be broken";

/// The options of the command line.
#[derive(Default)]
struct Options {
    seeds: Option<u64>,
    first: u64,
    seed: Option<u64>,
    without: Option<Switch>,
    worlds: Option<Worlds>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = match read(&words) {
        Ok(wanted) => wanted,
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}\n\nDefences:");
            for switch in Switch::ALL {
                eprintln!("  {switch:?}: without it, {}", switch.what());
            }
            return ExitCode::FAILURE;
        }
    };
    let broken = match wanted.seed {
        Some(seed) => one(seed, wanted.without),
        None => many(&wanted),
    };
    if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn read(words: &[String]) -> Result<Options, String> {
    let mut wanted = Options::default();
    let mut words = words.iter();
    while let Some(option) = words.next() {
        let value = words
            .next()
            .ok_or_else(|| format!("{option} takes a value"))?;
        let number = || {
            let number: Option<u64> = value.parse().ok().filter(|n| *n <= SEEDS_MAX);
            number.ok_or_else(|| format!("{option} takes a number up to {SEEDS_MAX}"))
        };
        match option.as_str() {
            "--seeds" => wanted.seeds = Some(number()?),
            "--first" => wanted.first = number()?,
            "--seed" => wanted.seed = Some(number()?),
            "--without" => {
                let is_it = |switch: &&Switch| format!("{switch:?}") == *value;
                let found = Switch::ALL.iter().find(is_it);
                let found = found.ok_or_else(|| format!("unknown defence {value}"))?;
                wanted.without = Some(*found);
            }
            "--only" => {
                wanted.worlds = Some(match value.as_str() {
                    "purges" => Worlds::Purges,
                    "storms" => Worlds::Storms,
                    "attacks" => Worlds::Attacks,
                    _ => return Err(format!("{option} takes purges, storms or attacks")),
                });
            }
            _ => return Err(format!("unknown option {option}")),
        }
    }
    Ok(wanted)
}

fn one(seed: u64, without: Option<Switch>) -> bool {
    let outcome = runner::run(seed, without, true);
    println!("{}", outcome.trace.join("\n"));
    match &outcome.broken {
        Some(broken) => eprintln!("\nseed {} breaks a promise\n{broken}", outcome.seed),
        None => eprintln!("\nseed {seed} keeps its promises"),
    }
    outcome.broken.is_some()
}

#[allow(clippy::disallowed_methods, reason = "this never runs on wasm32")]
fn now() -> Instant {
    Instant::now()
}

fn many(wanted: &Options) -> bool {
    let seeds = wanted.seeds.unwrap_or(SEEDS);
    let began = now();
    let printed = Mutex::new(began);
    let pace = |done: u64| done as f64 / began.elapsed().as_secs_f64().max(0.001);
    let progress = |done: u64| {
        let Ok(mut printed) = printed.lock() else {
            return;
        };
        if printed.elapsed() >= PAUSE {
            *printed = now();
            eprintln!("{done} of {seeds} worlds, {:.0} a second", pace(done));
        }
    };
    let cores = runner::cores();
    let worlds = wanted.worlds.unwrap_or(Worlds::of(wanted.without));
    let summary = runner::run_many(worlds, wanted.first, seeds, wanted.without, cores, progress);
    println!(
        "{} worlds, {:.0} a second",
        summary.seeds,
        pace(summary.seeds)
    );
    for (what, times) in &summary.tally {
        println!("{times:>12}  {what}");
    }
    println!("\n{}", numbers::table(&summary.numbers));
    if let Some((seed, broken)) = &summary.broken {
        println!("\nseed {seed} breaks a promise\n{broken}");
        println!("{}", runner::again(*seed, wanted.without));
    }
    summary.broken.is_some()
}
