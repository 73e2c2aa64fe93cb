//! How often a data centre asks the ledger, by how many requests it has. That
//! depends on neither pages nor other data centres, so it is played for one
//! data centre at its whole rate, and for rates in between read off a line.

use super::model;
use super::month::{self, Asked, Scene, Subject};
use edgekeep::cache::config::rule::Kv;
use fastrand::Rng;
use testkit::simulation::meter::Call;

/// Two rates for each power of ten, from one request in a day on.
const RATES: std::ops::RangeInclusive<i32> = -10..=4;
/// More requests in a lag than these change nothing: whoever finds the index
/// half old finds it so within a hundredth of the lag.
const REQUESTS_A_LAG: f64 = 300.0;
/// How many requests are played at each, and for how many lags at least.
const REQUESTS: f64 = 1500.0;
const LAGS: f64 = 40.0;
/// Requests of one client follow each other within this time.
const FOLLOW_MS: u64 = 5_000;

/// Of a data centre, in a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    /// Questions to the ledger.
    pub asks: f64,
    /// Notes on purges that are read or written in the Cache API.
    pub notes: f64,
}

/// By the rate of requests.
#[derive(Clone, Debug)]
pub struct Asks(Vec<(f64, Rate)>);

impl Asks {
    /// Plays them.
    pub fn measure(isolates: usize, lag_seconds: u64, follow: f64, seed: u64) -> Self {
        let fastest = REQUESTS_A_LAG / lag_seconds as f64;
        let rates = RATES.map(|half| 10_f64.powf(f64::from(half) / 2.0));
        let rates = rates.filter(|rate| *rate < fastest).chain([fastest]);
        let at = |rate| (rate, measure(rate, isolates, lag_seconds, follow, seed));
        Self(rates.map(at).collect())
    }

    /// At so many requests a second.
    pub fn at(&self, requests: f64) -> Rate {
        let above = self.0.partition_point(|(rate, _)| *rate < requests);
        let (Some(low), Some(high)) = (self.0.get(above.wrapping_sub(1)), self.0.get(above)) else {
            return match above {
                // Each request comes alone.
                0 => self.0[0].1.times(requests / self.0[0].0),
                _ => self.0[self.0.len() - 1].1,
            };
        };
        let part = (requests / low.0).ln() / (high.0 / low.0).ln();
        let between = |a: f64, b: f64| match a > 0.0 && b > 0.0 {
            true => a * (b / a).powf(part),
            false => a + (b - a) * part,
        };
        Rate {
            asks: between(low.1.asks, high.1.asks),
            notes: between(low.1.notes, high.1.notes),
        }
    }
}

impl Rate {
    pub fn times(self, factor: f64) -> Self {
        Self {
            asks: self.asks * factor,
            notes: self.notes * factor,
        }
    }
}

/// Plays one data centre at one rate, all of whose requests hit. The first
/// tenth of the time is not counted.
pub fn measure(per_second: f64, isolates: usize, lag_seconds: u64, follow: f64, seed: u64) -> Rate {
    let seconds = (REQUESTS / per_second).max(LAGS * lag_seconds as f64);
    let mut rng = Rng::with_seed(seed);
    let mut times = Vec::new();
    let mut at_seconds = 0.0;
    while at_seconds < seconds {
        let at_ms = (at_seconds * 1000.0) as u64;
        times.push((at_ms, 0));
        let mut following_ms = at_ms;
        while rng.f64() < follow {
            following_ms += rng.u64(..FOLLOW_MS);
            times.push((following_ms, 0));
        }
        at_seconds -= (1.0 - rng.f64()).ln() / (per_second * (1.0 - follow));
    }
    times.sort_unstable();
    let warm_seconds = seconds / 10.0;
    let subject = Subject {
        asked: Asked::At(times),
        lifetime_seconds: 1_000_000_000,
        while_revalidate_seconds: 0,
        tag: None,
        warm_seconds,
        counted_seconds: seconds - warm_seconds,
    };
    let scene = Scene {
        centres: vec![1.0],
        isolates,
        lag_seconds,
        steady: model::usual(Kv::Never),
        purges_per_hour: 0.0,
        seed,
        leaps: false,
    };
    let (counted, _) = month::live(&scene, &[subject]);
    let of = |call| counted[0].of(call) / (seconds - warm_seconds);
    Rate {
        asks: of(Call::Ledger),
        notes: of(Call::NewsRead) + of(Call::NewsWrite),
    }
}
