//! A month: what is played, scaled up, with what follows from it.

use super::asks::Asks;
use super::beside;
use super::cpu::Cpu;
use super::month::{self, Asked, Counted, Scene, Subject};
use super::prices::Use;
use super::sample::{self, Drawn, MONTH_SECONDS};
use super::traffic::{Site, data_centres};
use edgekeep::cache::config::rule::Kv;
use fastrand::Rng;
use testkit::simulation::meter::Call;
use testkit::simulation::setup::Steady;

/// How many pages that are asked for once are played at most.
const ONCE_MAX: f64 = 200.0;
/// An entry lies for so long after its lifetime (`Entry::retention_seconds`).
const DAY_SECONDS: f64 = 86_400.0;

/// How long the ledger's object is at work on a question: not measured on
/// Cloudflare's network. (If it were at work all month, it would take 331,776
/// GB-s, which are included.)
const OBJECT_SECONDS: f64 = 0.005;
const OBJECT_GB: f64 = 0.128;
/// `flow::ledger::ledger_store`, an order of one selector: the state twice, a mark and a
/// receipt with two indexes each, and their end (a row and two of indexes); an event with an
/// index, and its end.
const ROWS_WRITTEN_AN_ORDER: f64 = 18.0;
/// `flow::ledger::stats_store`, once a minute: a row of two minutes, of an hour and of
/// the totals, and a minute and sometimes an hour that are too old.
const STATS_ROWS_WRITTEN_A_MINUTE: f64 = 6.0;
/// A question: the state four times, and what is new with its index.
const ROWS_READ_A_QUESTION: f64 = 8.0;

/// How a month is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerPass {
    NoCache,
    Recipe,
    WorkersCache,
    Edgekeep(Kv),
}

impl BreakerPass {
    pub const ALL: [Self; 6] = [
        Self::NoCache,
        Self::Recipe,
        Self::WorkersCache,
        Self::Edgekeep(Kv::Never),
        Self::Edgekeep(Kv::Earned),
        Self::Edgekeep(Kv::Always),
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::NoCache => "no cache",
            Self::Recipe => "JS recipe",
            Self::WorkersCache => "Workers Cache",
            Self::Edgekeep(Kv::Never) => "kv = false",
            Self::Edgekeep(Kv::Earned) => "kv = \"earned\"",
            Self::Edgekeep(Kv::Always) => "kv = true",
        }
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Month {
    pub requests: f64,
    pub site: Site,
    pub centres: usize,
    pub isolates: usize,
    pub lag_seconds: u64,
    pub purges_per_hour: f64,
    /// How many requests are played, about.
    pub played: f64,
}

/// The usual settings.
pub fn usual(kv: Kv) -> Steady {
    Steady {
        kv,
        kv_min_ttl: 60,
        early_refresh: true,
        collapse: true,
    }
}

/// What was estimated from a world.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    pub origin: f64,
    pub kv_reads: f64,
    pub kv_found: f64,
    pub kv_writes: f64,
    /// On average at any time.
    pub kv_keys: f64,
    /// Calls of the Cache API beyond the one read that each request makes,
    /// without those for news of purges.
    pub more_cache_calls: f64,
}

impl Estimate {
    fn add(&mut self, counted: &Counted, weight: f64) {
        let of = |call| weight * counted.of(call);
        self.origin += of(Call::Origin);
        self.kv_reads += of(Call::KvRead);
        self.kv_found += of(Call::KvFound);
        self.kv_writes += of(Call::KvWrite);
        self.more_cache_calls +=
            of(Call::CacheRead) + of(Call::CacheWrite) - weight * counted.requests;
    }
}

impl Month {
    pub fn orders(&self) -> f64 {
        self.purges_per_hour * MONTH_SECONDS / 3600.0
    }

    /// In how many minutes statistics are reported at most.
    fn minutes(&self) -> f64 {
        self.requests.min(MONTH_SECONDS / 60.0)
    }

    /// Plays a sample of the month in a world.
    pub fn play(&self, steady: Steady, seed: u64) -> Estimate {
        let mut rng = Rng::with_seed(seed);
        let centres = data_centres(self.centres);
        let pages = &self.site.pages;
        let drawn = sample::draw(pages, self.requests, &centres, self.played, &mut rng);
        let mut subjects: Vec<_> = drawn.iter().map(|drawn| self.subject(drawn)).collect();
        let all_once = self.requests * self.site.once;
        let once = all_once.min(ONCE_MAX).ceil() as usize;
        subjects.extend((0..once).map(|_| self.once(&centres, &mut rng)));
        let scene = Scene {
            centres,
            isolates: self.isolates,
            lag_seconds: self.lag_seconds,
            steady,
            purges_per_hour: self.purges_per_hour,
            seed,
            leaps: true,
        };
        let (counted, _) = month::live(&scene, &subjects);
        let (again, alone) = counted.split_at(drawn.len());
        let mut estimate = Estimate::default();
        for (drawn, counted) in drawn.iter().zip(again) {
            estimate.add(counted, drawn.weight());
            estimate.kv_keys += f64::from(counted.in_kv) / drawn.odds;
        }
        let before = estimate.kv_writes;
        for counted in alone {
            estimate.add(counted, all_once / once as f64);
        }
        let months = (self.site.page_seconds as f64 + DAY_SECONDS) / MONTH_SECONDS;
        estimate.kv_keys += (estimate.kv_writes - before) * months;
        estimate
    }

    fn subject(&self, drawn: &Drawn) -> Subject {
        Subject {
            asked: Asked::Often(self.requests / MONTH_SECONDS * drawn.page.share),
            lifetime_seconds: drawn.page.lifetime_seconds,
            while_revalidate_seconds: drawn.page.while_revalidate_seconds,
            tag: drawn.page.is_tagged().then_some(drawn.number % month::TAGS),
            warm_seconds: drawn.warm_seconds,
            counted_seconds: drawn.counted_seconds,
        }
    }

    /// A page that is asked for once, on some time of a day.
    fn once(&self, centres: &[f64], rng: &mut Rng) -> Subject {
        let mut left = rng.f64();
        let centre = centres.iter().position(|share| {
            left -= share;
            left < 0.0
        });
        let at_ms = rng.u64(..DAY_SECONDS as u64 * 1000);
        Subject {
            asked: Asked::At(vec![(at_ms, centre.unwrap_or(0))]),
            lifetime_seconds: self.site.page_seconds,
            while_revalidate_seconds: 0,
            tag: None,
            warm_seconds: 0.0,
            counted_seconds: at_ms as f64 / 1000.0 + 60.0,
        }
    }

    /// What Edgekeep uses by an estimate.
    pub fn edgekeep(&self, estimate: &Estimate, asks: &Asks, cpu: &Cpu) -> Use {
        let per_second = self.requests / MONTH_SECONDS;
        let centres = data_centres(self.centres);
        let rates = centres.iter().map(|share| asks.at(per_second * share));
        let (mut questions, mut notes) = (0.0, 0.0);
        for rate in rates.map(|rate| rate.times(MONTH_SECONDS)) {
            questions += rate.asks;
            notes += rate.notes;
        }
        let object_requests = questions + self.orders();
        let at_work = (object_requests * OBJECT_SECONDS).min(MONTH_SECONDS);
        let fills = estimate.origin + estimate.kv_found;
        Use {
            requests: self.requests + self.orders(),
            cpu_ms: self.requests * cpu.hit_ms + fills * (cpu.miss_ms - cpu.hit_ms),
            kv_reads: estimate.kv_reads,
            kv_writes: estimate.kv_writes,
            kv_gb_months: estimate.kv_keys * self.site.mean_bytes / 1e9,
            object_requests,
            object_gb_seconds: at_work * OBJECT_GB,
            object_rows_read: object_requests * ROWS_READ_A_QUESTION,
            object_rows_written: self.orders() * ROWS_WRITTEN_AN_ORDER
                + self.minutes() * STATS_ROWS_WRITTEN_A_MINUTE,
            cache_calls: self.requests + estimate.more_cache_calls + notes,
            origin: estimate.origin,
        }
    }

    /// What the others use.
    pub fn beside(&self, way: BreakerPass, cpu: &Cpu) -> Use {
        let centres = data_centres(self.centres);
        match way {
            BreakerPass::Recipe => beside::recipe(&self.site, self.requests, &centres, cpu),
            BreakerPass::WorkersCache => {
                beside::workers_cache(&self.site, self.requests, self.purges_per_hour, cpu)
            }
            BreakerPass::NoCache | BreakerPass::Edgekeep(_) => beside::nothing(self.requests),
        }
    }
}
