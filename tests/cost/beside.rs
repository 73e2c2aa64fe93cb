//! What else there is, for comparison. Where requests come at random, these
//! caches need not be played: how often they fetch follows from how long the
//! time is from one fetch to the next.

use super::cpu::Cpu;
use super::month::TAGS;
use super::prices::Use;
use super::sample::MONTH_SECONDS;
use super::traffic::Site;

/// What a fetch takes in the simulated world, on average, until its copy can
/// be found: 15 ms on the way, 75 to the head, 25 to the end of the body, 30
/// to land.
pub const FETCH_SECONDS: f64 = 0.145;

/// Every request goes to the origin, and no Worker runs.
pub fn nothing(requests: f64) -> Use {
    Use {
        origin: requests,
        ..Use::default()
    }
}

/// The usual recipe in a Worker: `caches.default.match`, else fetch and put.
/// Each data centre for itself; no validation, nothing stale, no waiting for
/// each other, and no purge that reaches another data centre: orders do not
/// count here.
pub fn recipe(site: &Site, requests: f64, centres: &[f64], cpu: &Cpu) -> Use {
    let mut misses = requests * site.once;
    for page in &site.pages {
        for share in centres {
            let rate = requests / MONTH_SECONDS * page.share * share;
            misses += MONTH_SECONDS * recipe_misses(rate, page.lifetime_seconds as f64);
        }
    }
    Use {
        requests,
        cpu_ms: cpu.recipe_hit_ms * (requests - misses) + cpu.recipe_miss_ms * misses,
        cache_calls: requests + misses,
        origin: misses,
        ..Use::default()
    }
}

/// In a second, of a page that is asked for so often there: the first one, and
/// all that come while it is fetched.
pub fn recipe_misses(rate: f64, lifetime_seconds: f64) -> f64 {
    rate * (1.0 + rate * FETCH_SECONDS) / (1.0 + rate * (lifetime_seconds + FETCH_SECONDS))
}

/// Cloudflare's Workers Cache in front of a Worker that only fetches: all data
/// centres below one upper tier, concurrent requests collapsed, hits without
/// CPU time but at the price of a request. Purges reach all of it, as many as
/// there are (its limit is 5 a minute). The Worker is taken to cost what the
/// recipe's miss does.
pub fn workers_cache(site: &Site, requests: f64, purges_per_hour: f64, cpu: &Cpu) -> Use {
    let purges = purges_per_hour / 3600.0 / TAGS as f64;
    let mut runs = requests * site.once;
    for page in &site.pages {
        let rate = requests / MONTH_SECONDS * page.share;
        let life = page.lifetime_seconds as f64;
        let life = match purges > 0.0 && page.is_tagged() {
            true => (1.0 - (-purges * life).exp()) / purges,
            false => life,
        };
        runs += MONTH_SECONDS * rate / (1.0 + rate * life);
    }
    Use {
        requests,
        cpu_ms: cpu.recipe_miss_ms * runs,
        origin: runs,
        ..Use::default()
    }
}
