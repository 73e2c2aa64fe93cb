//! The model of a month's cost: its prices, its sample, and its counts.

mod asks;
mod beside;
mod bills;
mod cpu;
mod model;
mod month;
mod options;
mod prices;
mod report;
mod sample;
mod traffic;

use asks::Asks;
use cpu::Cpu;
use edgekeep::cache::config::rule::Kv;
use fastrand::Rng;
use model::{BreakerPass, Month};
use month::{Asked, Counted, Scene, Subject};
use prices::Prices;
use sample::MONTH_SECONDS;
use testkit::simulation::meter::Call;
use testkit::simulation::setup::Steady;
use traffic::{Kind, Page, Site};

fn about(wanted: f64, got: f64, part: f64) -> bool {
    (got - wanted).abs() <= part * wanted.abs().max(1e-9)
}

#[track_caller]
fn check_options(words: &str, wanted: Result<fn(&options::Options) -> bool, &str>) {
    let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    match (options::read(&words), wanted) {
        (Ok(options), Ok(is_right)) => assert!(is_right(&options), "{options:?}"),
        (Err(problem), Err(wanted)) => assert_eq!(problem, wanted),
        (got, _) => panic!("{words:?}: {got:?}"),
    }
}

#[test]
fn bad_options_say_what_would_be_right() {
    check_options("", Ok(|o| *o == options::Options::default()));
    check_options("--requests 1e7", Ok(|o| o.requests == Some(1e7)));
    check_options("--requests 25000", Ok(|o| o.requests == Some(25_000.0)));
    check_options(
        "--traffic zipf --pops 300",
        Ok(|o| o.traffic == Kind::Zipf && o.pops == 300),
    );
    check_options("--tune --seed 7", Ok(|o| o.tune && o.seed == 7));
    check_options("--pops 300 --isolates 20", Ok(|o| o.isolates == 20));
    check_options("--purges-per-hour 0.5", Ok(|o| o.purges_per_hour == 0.5));
    check_options("--pops", Err("--pops takes a value"));
    check_options("--colour red", Err("--colour is no option"));
    check_options("-- --pops 3", Err("-- is no option"));
    check_options("--takes 3", Err("--takes is no option"));
    check_options(
        "--pops 0",
        Err("--pops takes a number from 1 to 300, not 0"),
    );
    check_options(
        "--pops 301",
        Err("--pops takes a number from 1 to 300, not 301"),
    );
    check_options("--pops 2.5", Err("--pops takes a whole number, not 2.5"));
    check_options(
        "--pops NaN",
        Err("--pops takes a number from 1 to 300, not NaN"),
    );
    let requests = "--requests takes a number from 1000 to 1000000000000, not lots";
    check_options("--requests lots", Err(requests));
    check_options(
        "--traffic both",
        Err("--traffic takes log or zipf, not both"),
    );
    let purges = "--purges-per-hour takes a number from 0 to 200, not 201";
    check_options("--purges-per-hour 201", Err(purges));
    check_options("--lag 61", Err("--lag takes a number from 1 to 60, not 61"));
    check_options(
        "--pops 300 --isolates 21",
        Err("--pops times --isolates is at most 6000, not 6300"),
    );
}

#[test]
fn sites_are_whole() {
    for kind in [Kind::Log, Kind::Zipf] {
        let site = Site::of(kind, 300);
        let shares: f64 = site.pages.iter().map(|page| page.share).sum();
        assert!(about(1.0, shares + site.once, 1e-6), "{kind:?}: {shares}");
        assert!(site.pages.iter().any(Page::is_tagged));
        assert!(!site.pages.iter().all(Page::is_tagged));
    }
    for count in [1, 7, 300] {
        let centres = traffic::data_centres(count);
        assert_eq!(centres.len(), count);
        assert!(about(1.0, centres.iter().sum(), 1e-9));
    }
}

/// However many pages are drawn, they stand for all, on average.
#[test]
fn what_is_drawn_stands_for_all() {
    let site = Site::of(Kind::Log, 300);
    let centres = traffic::data_centres(10);
    for (requests, budget) in [(1e4, 1e3), (1e6, 1e4), (1e9, 1e5), (1e4, 1e7)] {
        // As often as one data centre would fetch a page.
        let fetches = |page: &Page| {
            let rate = requests / MONTH_SECONDS * page.share / 10.0;
            rate / (1.0 + rate * page.lifetime_seconds as f64)
        };
        let (mut drawn_in_all, draws) = (0.0, 200);
        for seed in 0..draws {
            let mut rng = Rng::with_seed(seed);
            for drawn in sample::draw(&site.pages, requests, &centres, budget, &mut rng) {
                assert!(drawn.odds > 0.0 && drawn.odds <= 1.0);
                assert!(drawn.counted_seconds <= MONTH_SECONDS);
                drawn_in_all += fetches(&drawn.page) / drawn.odds;
            }
        }
        let all: f64 = site.pages.iter().map(fetches).sum();
        let got = drawn_in_all / draws as f64;
        assert!(about(all, got, 0.02), "{requests}: {got}, not {all}");
    }
}

fn subject(asked: Asked, lifetime_seconds: u64, warm: f64, counted: f64) -> Subject {
    Subject {
        asked,
        lifetime_seconds,
        while_revalidate_seconds: 0,
        tag: None,
        warm_seconds: warm,
        counted_seconds: counted,
    }
}

fn scene(centres: usize, kv: Kv) -> Scene {
    Scene {
        centres: traffic::data_centres(centres),
        isolates: 1,
        lag_seconds: 5,
        steady: model::usual(kv),
        purges_per_hour: 0.0,
        seed: 1,
        leaps: false,
    }
}

/// A page that is fresh for 300 s: requests at these seconds in these data
/// centres, and what they must take.
#[track_caller]
fn check_counts(kv: Kv, times: &[(u64, usize)], wanted: &[(Call, u64)]) {
    let times = times
        .iter()
        .map(|(at, centre)| (at * 1000, *centre))
        .collect();
    let page = subject(Asked::At(times), 300, 0.0, 100_000.0);
    let (counted, world) = month::live(&scene(2, kv), &[page]);
    let counted: &Counted = &counted[0];
    for (call, count) in wanted {
        assert_eq!(counted.of(*call), *count as f64, "{call:?}: {counted:?}");
    }
    // What the world itself has seen, apart from the meter.
    let origin = world.origin.records.borrow().len();
    assert_eq!(counted.of(Call::Origin), origin as f64);
    let asks: u64 = world
        .ledger_queries
        .borrow()
        .values()
        .map(|queries| queries.all)
        .sum();
    assert_eq!(counted.of(Call::Ledger), asks as f64);
    let found = world.tally.borrow().get("read from KV").copied();
    assert_eq!(counted.of(Call::KvFound), found.unwrap_or(0) as f64);
}

#[test]
fn counts_are_those_of_the_world() {
    use Call::{KvFound, KvRead, KvWrite, Ledger, Origin};
    // A miss, a hit, a first visit elsewhere, and one when all is stale.
    let visits = [(0, 0), (100, 0), (200, 1), (1_000, 0)];
    let rows = [
        (
            Kv::Never,
            [(Origin, 3), (KvRead, 0), (KvFound, 0), (KvWrite, 0)],
        ),
        // Both copies are stale in the end, so KV is read again, in vain.
        (
            Kv::Always,
            [(Origin, 2), (KvRead, 3), (KvFound, 2), (KvWrite, 2)],
        ),
        // The second fetch of the first data centre earns it.
        (
            Kv::Earned,
            [(Origin, 3), (KvRead, 3), (KvFound, 0), (KvWrite, 1)],
        ),
    ];
    for (kv, wanted) in rows {
        check_counts(kv, &visits, &wanted);
        // Each comes later than a lag after the one before.
        check_counts(kv, &visits, &[(Ledger, 4)]);
    }
    // Two within a lag: the second need not ask.
    check_counts(Kv::Never, &[(0, 0), (1, 0)], &[(Ledger, 1), (Origin, 1)]);
    check_counts(Kv::Never, &[], &[(Ledger, 0), (Origin, 0)]);
}

/// Pages that are asked for once in some seconds, each with a tag of its own:
/// what is counted without being played is what would have been counted. Each
/// part may be off by its share.
#[track_caller]
fn check_leaps(pages: usize, lifetime_seconds: u64, purges_per_hour: f64, parts: [f64; 4]) {
    let count = |leaps, seed| {
        let scene = Scene {
            leaps,
            seed,
            purges_per_hour,
            ..scene(2, Kv::Earned)
        };
        let life = lifetime_seconds as f64;
        let page = |tag| Subject {
            tag: Some(tag),
            ..subject(
                Asked::Often(60.0 / life),
                lifetime_seconds,
                life,
                4.0 * life,
            )
        };
        let pages: Vec<_> = (0..pages).map(page).collect();
        month::live(&scene, &pages).0
    };
    let sums = |leaps| {
        let mut sums = [0.0; 4];
        for counted in [1, 2].into_iter().flat_map(|seed| count(leaps, seed)) {
            sums[0] += counted.requests;
            sums[1] += counted.of(Call::CacheRead);
            sums[2] += counted.of(Call::Origin);
            sums[3] += counted.of(Call::KvWrite);
        }
        sums
    };
    let (with, without) = (sums(true), sums(false));
    assert!(without[2] > 30.0, "{without:?}");
    for (at, part) in parts.into_iter().enumerate() {
        assert!(about(without[at], with[at], part), "{with:?}, {without:?}");
    }
}

#[test]
fn requests_that_can_only_hit_need_not_be_played() {
    check_leaps(8, 60, 0.0, [0.05, 0.08, 0.08, 0.15]);
    // Each tag is named once in a lifetime, at random: as much is fetched for
    // that as because it is stale.
    check_leaps(20, 6_000, 60.0, [0.05, 0.15, 0.2, 0.3]);
}

/// A cache of one data centre without any of our ways fetches as often as the
/// formula says for the recipe.
#[test]
fn the_recipe_fetches_as_the_formula_says() {
    let lifetime = 60;
    for per_second in [0.002, 0.02, 0.2, 1.0] {
        let scene = Scene {
            steady: Steady {
                early_refresh: false,
                collapse: false,
                ..model::usual(Kv::Never)
            },
            leaps: true,
            ..scene(1, Kv::Never)
        };
        let counted_seconds = 600.0 * (60.0 + 1.0 / per_second);
        let page = subject(Asked::Often(per_second), lifetime, 1_000.0, counted_seconds);
        let (counted, _) = month::live(&scene, &[page]);
        let wanted = counted_seconds * beside::recipe_misses(per_second, lifetime as f64);
        let got = counted[0].of(Call::Origin);
        // 600 fetches, or some more: 4 % are one standard deviation.
        assert!(
            about(wanted, got, 0.12),
            "{per_second}: {got}, not {wanted}"
        );
    }
}

#[test]
fn workers_cache_fetches_once_for_all_data_centres() {
    let site = Site {
        pages: vec![Page {
            share: 1.0,
            lifetime_seconds: 300,
            while_revalidate_seconds: 600,
        }],
        once: 0.0,
        follow: 0.0,
        mean_bytes: 0.0,
        page_seconds: 300,
    };
    let cpu = Cpu::of(None);
    let runs = |purges| beside::workers_cache(&site, 1e9, purges, &cpu).origin;
    assert!(
        about(MONTH_SECONDS / 300.0, runs(0.0), 0.01),
        "{}",
        runs(0.0)
    );
    // A page of 100 tags is purged once in 36 s then.
    let expected = MONTH_SECONDS / (36.0 * (1.0 - (-300.0_f64 / 36.0).exp()));
    assert!(about(expected, runs(10_000.0), 0.01));
}

fn small_month(requests: f64, played: f64) -> Month {
    let page = |rank: usize| Page {
        share: 0.9 / rank as f64 / 4.4992,
        lifetime_seconds: 3_600,
        while_revalidate_seconds: if rank.is_multiple_of(2) { 600 } else { 0 },
    };
    Month {
        requests,
        site: Site {
            pages: (1..=50).map(page).collect(),
            once: 0.1,
            follow: 0.0,
            mean_bytes: 50e3,
            page_seconds: 3_600,
        },
        centres: 3,
        isolates: 2,
        lag_seconds: 5,
        purges_per_hour: 1.0,
        played,
    }
}

/// A sample says what the whole does, but for the error that it tells.
#[test]
fn a_sample_agrees_with_the_whole() {
    let steady = model::usual(Kv::Earned);
    let whole = small_month(8_000.0, 1e9).play(steady, 1);
    let seeds = 8;
    let sampled = small_month(8_000.0, 400.0);
    let samples: Vec<_> = (0..seeds).map(|seed| sampled.play(steady, seed)).collect();
    type Figure = fn(&model::Estimate) -> f64;
    let figures: [(&str, Figure); 3] = [
        ("origin", |e| e.origin),
        ("KV reads", |e| e.kv_reads),
        ("KV writes", |e| e.kv_writes),
    ];
    for (what, of) in figures {
        let all: Vec<f64> = samples.iter().map(of).collect();
        let mean = all.iter().sum::<f64>() / seeds as f64;
        let variance = all.iter().map(|n| (n - mean).powi(2)).sum::<f64>() / (seeds - 1) as f64;
        let error = (variance / seeds as f64).sqrt();
        let whole = of(&whole);
        println!("{what}: {whole:.0} of all, {mean:.0} ± {error:.0} of samples");
        assert!(error < 0.1 * mean, "{what}: {mean} ± {error}");
        assert!(
            (mean - whole).abs() < 3.0 * error.max(0.02 * whole),
            "{what}: {mean} ± {error}, not {whole}"
        );
    }
}

#[test]
fn the_ledger_is_asked_by_time_and_not_by_traffic() {
    // Who comes alone has the ledger asked.
    let alone = asks::measure(1e-3, 2, 5, 0.0, 1).asks;
    assert!(about(1e-3, alone, 0.1), "{alone}");
    // Who is followed within the lag, only the first does.
    let visits = asks::measure(1e-3, 1, 5, 0.5, 1).asks;
    assert!(visits < 0.85e-3 && visits > 0.4e-3, "{visits}");
    // In constant use: once in half a lag and up to a quarter more.
    let busy = asks::measure(30.0, 2, 5, 0.0, 1).asks;
    assert!((1.0 / 4.0..1.0 / 2.0).contains(&busy), "{busy}");
}

#[test]
fn more_requests_cost_more_dollars_and_less_each() {
    let cpu = Cpu::of(None);
    let prices = Prices::published();
    let asks = Asks::measure(1, 5, 0.0, 1);
    let mut before: Option<(f64, f64)> = None;
    for requests in [1e4, 1e5, 1e6, 1e7, 1e8] {
        let month = small_month(requests, 300.0);
        let estimate = month.play(model::usual(Kv::Earned), 1);
        let used = month.edgekeep(&estimate, &asks, &cpu);
        let (bill, each) = (prices.bill(&used), prices.marginal(&used) / requests);
        if let Some((less, dearer)) = before {
            assert!(bill >= less, "{requests}: {bill} after {less}");
            assert!(each < dearer, "{requests}: {each} after {dearer}");
        }
        before = Some((bill, each));
        let nothing = month.beside(BreakerPass::NoCache, &cpu);
        assert_eq!((nothing.origin, prices.bill(&nothing)), (requests, 0.0));
        let recipe = month.beside(BreakerPass::Recipe, &cpu);
        let workers_cache = month.beside(BreakerPass::WorkersCache, &cpu);
        assert!(workers_cache.origin < recipe.origin);
        assert!(used.cache_calls > requests && used.kv_gb_months > 0.0);
    }
}

#[test]
fn a_report_has_all_ways_of_all_months() {
    let options = options::Options {
        requests: Some(1e6),
        pops: 3,
        isolates: 1,
        seeds: 2,
        played: 1e3,
        ..options::Options::default()
    };
    let figures = |options| {
        let report = report::all(options);
        let figures = report["figures"].as_array().expect("figures").clone();
        for figure in &figures {
            let dollars = figure["dollars_a_million"].as_f64().expect("a number");
            assert!((0.0..100.0).contains(&dollars), "{figure}");
        }
        let ways = figures
            .iter()
            .map(|f| f["way"].as_str().expect("a word").to_owned());
        ways.collect::<Vec<_>>()
    };
    assert_eq!(figures(&options), BreakerPass::ALL.map(BreakerPass::word));
}
