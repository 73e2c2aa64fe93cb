//! What is asked on the command line.

use super::traffic::{Kind, PAGE_SECONDS};

pub const USAGE: &str = "Usage: npm run cost [-- OPTIONS]

  --requests N         requests in a month, such as 1e7; if left out, 1e4 to 1e10
  --pops N             data centres, 1 to 300 (30)
  --isolates N         isolates in each of them (4); at most 6,000 together
  --purges-per-hour N  purge orders, 0 to 200 (10); each names one of a hundred tags
  --traffic KIND       log: a real blog's (the default); zipf: 10,000 pages by Zipf's law
  --ttl SECONDS        how long pages are fresh, 10 to 86,400 (300); assets are for a day
  --lag SECONDS        max_purge_lag, 1 to 60 (5)
  --tune               compares settings of kv, kv_min_ttl and max_purge_lag instead
  --seed N             of the first world (1)
  --seeds N            worlds for each figure, 2 to 50 (3): the spread comes of them
  --played N           requests that are played in each world, about (9000)";

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub requests: Option<f64>,
    pub pops: usize,
    pub isolates: usize,
    pub purges_per_hour: f64,
    pub traffic: Kind,
    pub ttl_seconds: u64,
    pub lag_seconds: u64,
    pub tune: bool,
    pub seed: u64,
    pub seeds: u64,
    pub played: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            requests: None,
            pops: 30,
            isolates: 4,
            purges_per_hour: 10.0,
            traffic: Kind::Log,
            ttl_seconds: PAGE_SECONDS,
            lag_seconds: 5,
            tune: false,
            seed: 1,
            seeds: 3,
            played: 9_000.0,
        }
    }
}

/// Each isolate is one in memory.
const ISOLATES_MAX: usize = 6_000;

/// Reads the words; an error says what would be right.
pub fn read(words: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(option) = words.next() {
        if option == "--tune" {
            options.tune = true;
            continue;
        }
        let known = USAGE.contains(&format!("\n  {option} ")) && option.starts_with("--");
        if !known {
            return Err(format!("{option} is no option"));
        }
        let value = words
            .next()
            .ok_or_else(|| format!("{option} takes a value"))?;
        let number = |least: f64, most: f64| number(option, value, least, most);
        let whole = |least, most| number(least, most).and_then(|n| whole(option, n));
        match option.as_str() {
            "--requests" => options.requests = Some(number(1e3, 1e12)?),
            "--pops" => options.pops = whole(1.0, 300.0)? as usize,
            "--isolates" => options.isolates = whole(1.0, ISOLATES_MAX as f64)? as usize,
            "--purges-per-hour" => options.purges_per_hour = number(0.0, 200.0)?,
            "--ttl" => options.ttl_seconds = whole(10.0, 86_400.0)?,
            "--lag" => options.lag_seconds = whole(1.0, 60.0)?,
            "--seed" => options.seed = whole(0.0, 1e15)?,
            "--seeds" => options.seeds = whole(2.0, 50.0)?,
            "--played" => options.played = number(1e3, 1e7)?,
            _ => {
                options.traffic = match value.as_str() {
                    "log" => Kind::Log,
                    "zipf" => Kind::Zipf,
                    _ => return Err(format!("{option} takes log or zipf, not {value}")),
                }
            }
        }
    }
    if options.pops * options.isolates > ISOLATES_MAX {
        let all = options.pops * options.isolates;
        return Err(format!(
            "--pops times --isolates is at most {ISOLATES_MAX}, not {all}"
        ));
    }
    Ok(options)
}

fn number(option: &str, value: &str, least: f64, most: f64) -> Result<f64, String> {
    let number: Option<f64> = value.parse().ok();
    let within = number.filter(|n| (least..=most).contains(n));
    within.ok_or_else(|| format!("{option} takes a number from {least} to {most}, not {value}"))
}

fn whole(option: &str, number: f64) -> Result<u64, String> {
    match number.fract() == 0.0 {
        true => Ok(number as u64),
        false => Err(format!("{option} takes a whole number, not {number}")),
    }
}
