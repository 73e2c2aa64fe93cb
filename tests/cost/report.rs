//! Plays what was asked for on all cores, and tells it as JSON.

use super::asks::Asks;
use super::cpu::Cpu;
use super::model::{self, BreakerPass, Month};
use super::options::Options;
use super::prices::{Prices, Use};
use super::traffic::Site;
use edgekeep::cache::config::rule::Kv;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::simulation::setup::Steady;

/// Where the bench leaves its figures.
const BENCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/report.json");

/// All figures.
pub fn all(options: &Options) -> Value {
    let report = std::fs::read_to_string(BENCH).ok();
    let cpu = Cpu::of(report.as_deref());
    let prices = Prices::published();
    let figures = match options.tune {
        true => tune(options, &cpu, &prices),
        false => growth(options, &cpu, &prices),
    };
    json!({
        "prices_of": prices.looked_up,
        "cpu": { "hit_ms": cpu.hit_ms, "miss_ms": cpu.miss_ms, "recipe_hit_ms": cpu.recipe_hit_ms,
            "recipe_miss_ms": cpu.recipe_miss_ms, "source": cpu.source },
        "pops": options.pops,
        "isolates": options.isolates,
        "purges_per_hour": options.purges_per_hour,
        "traffic": options.traffic.word(),
        "ttl_seconds": options.ttl_seconds,
        "lag_seconds": options.lag_seconds,
        "seeds": options.seeds,
        "figures": figures,
    })
}

fn month(options: &Options, requests: f64) -> Month {
    Month {
        requests,
        site: Site::of(options.traffic, options.ttl_seconds),
        centres: options.pops,
        isolates: options.isolates,
        lag_seconds: options.lag_seconds,
        purges_per_hour: options.purges_per_hour,
        played: options.played,
    }
}

/// From little traffic to much, each way of serving it.
fn growth(options: &Options, cpu: &Cpu, prices: &Prices) -> Value {
    let many: Vec<f64> = match options.requests {
        Some(requests) => vec![requests],
        None => (4..=10).map(|power| 10_f64.powi(power)).collect(),
    };
    let months: Vec<Month> = many.iter().map(|n| month(options, *n)).collect();
    let asks = asks(options, &[options.lag_seconds]);
    let mut jobs = Vec::new();
    for month in &months {
        for kv in [Kv::Never, Kv::Earned, Kv::Always] {
            for seed in 0..options.seeds {
                jobs.push((month, kv, options.seed + seed));
            }
        }
    }
    let played = on_all_cores(&jobs, |(month, kv, seed)| {
        month.edgekeep(&month.play(model::usual(*kv), *seed), &asks[0], cpu)
    });
    let mut figures = Vec::new();
    for month in &months {
        for way in BreakerPass::ALL {
            let uses: Vec<Use> = match way {
                BreakerPass::Edgekeep(kv) => {
                    let all = jobs.iter().zip(&played);
                    let these =
                        all.filter(|((of, by, _), _)| of.requests == month.requests && *by == kv);
                    these.map(|(_, used)| *used).collect()
                }
                _ => vec![month.beside(way, cpu)],
            };
            let mut figure = figure(&uses, month.requests, prices);
            figure["way"] = way.word().into();
            figures.push(figure);
        }
    }
    figures.into()
}

/// Settings side by side, at little, middling and much traffic.
fn tune(options: &Options, cpu: &Cpu, prices: &Prices) -> Value {
    const LAGS: [u64; 5] = [1, 2, 5, 30, 60];
    const TTLS: [u64; 4] = [60, 300, 3_600, 86_400];
    let many = match options.requests {
        Some(requests) => vec![requests],
        None => vec![1e6, 1e8],
    };
    let asks = asks(options, &LAGS);
    let ways = [
        ("false", Kv::Never, 60),
        ("\"earned\"", Kv::Earned, 60),
        ("\"earned\", kv_min_ttl = 600", Kv::Earned, 600),
        ("true", Kv::Always, 60),
    ];
    let mut jobs = Vec::new();
    for requests in &many {
        for ttl_seconds in TTLS {
            for way in ways {
                for seed in 0..options.seeds {
                    let options = Options {
                        ttl_seconds,
                        ..options.clone()
                    };
                    jobs.push((month(&options, *requests), way, options.seed + seed));
                }
            }
        }
    }
    let usual = LAGS.iter().position(|lag| *lag == 5).unwrap_or(0);
    let played = on_all_cores(&jobs, |(month, (_, kv, kv_min_ttl), seed)| {
        let steady = Steady {
            kv_min_ttl: *kv_min_ttl,
            ..model::usual(*kv)
        };
        month.edgekeep(&month.play(steady, *seed), &asks[usual], cpu)
    });
    let seeds = options.seeds as usize;
    let mut figures = Vec::new();
    for (jobs, uses) in jobs.chunks(seeds).zip(played.chunks(seeds)) {
        let (month, (way, _, _), _) = &jobs[0];
        let mut figure = figure(uses, month.requests, prices);
        figure["way"] = format!("kv = {way}").into();
        figure["ttl_seconds"] = month.site.page_seconds.into();
        figures.push(figure);
    }
    for (lag_seconds, asks) in LAGS.iter().zip(&asks) {
        for requests in &many {
            let month = month(options, *requests);
            let used = month.edgekeep(&Default::default(), asks, cpu);
            let ledger = Use {
                object_requests: used.object_requests,
                object_gb_seconds: used.object_gb_seconds,
                object_rows_read: used.object_rows_read,
                ..Use::default()
            };
            let mut figure = figure(&[ledger], *requests, prices);
            figure["way"] = format!("max_purge_lag = {lag_seconds}").into();
            figures.push(figure);
        }
    }
    figures.into()
}

fn asks(options: &Options, lags: &[u64]) -> Vec<Asks> {
    let follow = Site::of(options.traffic, options.ttl_seconds).follow;
    on_all_cores(lags, |lag| {
        Asks::measure(options.isolates, *lag, follow, options.seed)
    })
}

/// The mean of what several worlds say, and the standard error of that.
fn figure(uses: &[Use], requests: f64, prices: &Prices) -> Value {
    let of = |what: &dyn Fn(&Use) -> f64| mean(uses.iter().map(what).collect());
    let (origin, origin_error) = of(&|u| u.origin);
    let (marginal, marginal_error) = of(&|u| prices.marginal(u));
    let (kv_writes, kv_writes_error) = of(&|u| u.kv_writes);
    let millions = requests / 1e6;
    let bill = of(&|u| prices.bill(u)).0;
    json!({
        "requests": requests,
        "billed_requests": of(&|u| u.requests).0,
        "cpu_ms": of(&|u| u.cpu_ms).0,
        "cache_api_calls": of(&|u| u.cache_calls).0,
        "kv_reads": of(&|u| u.kv_reads).0,
        "kv_writes": kv_writes,
        "kv_writes_error": kv_writes_error,
        "kv_gb": of(&|u| u.kv_gb_months).0,
        "ledger_calls": of(&|u| u.object_requests).0,
        "ledger_gb_seconds": of(&|u| u.object_gb_seconds).0,
        "ledger_rows_written": of(&|u| u.object_rows_written).0,
        "origin_requests": origin,
        "origin_requests_error": origin_error,
        "dollars_a_million": marginal / millions,
        "dollars_a_million_error": marginal_error / millions,
        "bill_dollars": bill,
        "bill_dollars_a_million": bill / millions,
    })
}

fn mean(numbers: Vec<f64>) -> (f64, f64) {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|n| (n - mean).powi(2)).sum();
    let error = match numbers.len() {
        1 => 0.0,
        _ => (squares / (count - 1.0) / count).sqrt(),
    };
    (mean, error)
}

/// Does all jobs, and gives the results in their order.
fn on_all_cores<J: Sync, R: Send>(jobs: &[J], work: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let lane = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at) else { return };
            let result = work(job);
            done.lock().expect("no panic").push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(lane);
        }
    });
    let mut done = done.into_inner().expect("no panic");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
