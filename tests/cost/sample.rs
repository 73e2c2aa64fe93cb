//! Which pages live in a world, and for how long.
//!
//! A month of ten thousand million requests cannot be played. But without a
//! limit of room, what a cache does with one page does not depend on others.
//! So some pages are drawn; each has its real rate in every data centre, by
//! the real clock, and stands for `1 / odds` pages (Horvitz and Thompson). The
//! odds are what makes the least error for the work: in proportion to what a
//! page is expected to be fetched, and to the root of what it takes to play.
//! They are drawn at even steps along the list, so that each part of it, from
//! pages that all want to those that few do, is there in its proportion.

use super::traffic::Page;
use fastrand::Rng;

pub const MONTH_SECONDS: f64 = 30.0 * 86_400.0;
const DAY_SECONDS: f64 = 86_400.0;

/// How long before its end an entry's life is played request by request: an
/// early refresh comes within the last moments of it. At thirteen times what a
/// fetch takes it is one in half a million that it comes before.
pub const GUARD_SECONDS: f64 = 3.0;

/// A page that was drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    pub page: Page,
    /// Its place among all, by which it is tagged.
    pub number: usize,
    /// How likely it was to be drawn.
    pub odds: f64,
    /// It lives for so long before it is counted: until what is remembered
    /// was all learnt in this world.
    pub warm_seconds: f64,
    pub counted_seconds: f64,
}

impl Drawn {
    /// How many months of pages it stands for.
    pub fn weight(&self) -> f64 {
        MONTH_SECONDS / self.counted_seconds / self.odds
    }
}

/// How many lifetimes a page is counted for at least, and for how many times as
/// long as it takes to settle.
const LIVES_COUNTED: f64 = 10.0;
const SETTLINGS_COUNTED: f64 = 2.0;
/// That nobody has come in so many times the mean pause is one in five hundred
/// million.
const PAUSES: f64 = 20.0;

/// How long it takes until a page is in this world what it would be if the
/// world had always been: all that is remembered of it must have been learnt
/// there. An entry lies for its lifetime and a day
/// (`Entry::retention_seconds`): what came before that is forgotten. And where
/// all data centres ask for it much more often than that, none forgets it any
/// more once each has had it.
fn settling_seconds(page: &Page, per_second: f64, centres: &[f64]) -> f64 {
    let life = page.lifetime_seconds as f64;
    let least = centres.iter().copied().fold(1.0, f64::min);
    let seen_everywhere = PAUSES / (per_second * page.share * least);
    (life + DAY_SECONDS).min(seen_everywhere + 2.0 * life)
}

/// What is expected of a page in a second, all data centres together: fetches,
/// and requests that have to be played.
fn expected(page: &Page, per_second: f64, centres: &[f64]) -> (f64, f64) {
    let life = page.lifetime_seconds as f64;
    let mut sums = (0.0, 0.0);
    for share in centres {
        let rate = per_second * page.share * share;
        let fetches = rate / (1.0 + rate * life);
        sums.0 += fetches;
        sums.1 += fetches * (1.0 + rate * GUARD_SECONDS.min(life));
    }
    sums
}

/// What drawing a page would mean.
struct Plan {
    /// Expected in a second.
    fetches: f64,
    played: f64,
    /// It begins to count up to a lifetime after it has settled, at random.
    before: f64,
    settling: f64,
    /// The least that makes sense.
    counted: f64,
}

impl Plan {
    fn of(page: &Page, per_second: f64, centres: &[f64]) -> Self {
        let (fetches, played) = expected(page, per_second, centres);
        let settling = settling_seconds(page, per_second, centres);
        let life = page.lifetime_seconds as f64;
        Self {
            fetches,
            played,
            before: settling + life / 2.0,
            settling,
            counted: (LIVES_COUNTED * life).max(SETTLINGS_COUNTED * settling),
        }
    }

    /// How long it is counted, at so many times the least.
    fn counted(&self, times: f64) -> f64 {
        (times * self.counted).min(MONTH_SECONDS)
    }

    fn work(&self, times: f64) -> f64 {
        self.played * (self.before + self.counted(times))
    }

    fn odds(&self, times: f64, scale: f64) -> f64 {
        (scale * self.fetches / self.work(times).sqrt()).min(1.0)
    }
}

/// Draws pages of a month with so many requests, such that about `budget`
/// requests are played. Where that is enough for all pages, all are there, and
/// are counted for up to a month.
pub fn draw(
    pages: &[Page],
    month_requests: f64,
    centres: &[f64],
    budget: f64,
    rng: &mut Rng,
) -> Vec<Drawn> {
    let per_second = month_requests / MONTH_SECONDS;
    let plans = pages.iter().map(|page| Plan::of(page, per_second, centres));
    let plans: Vec<_> = plans.collect();
    let all = |times| plans.iter().map(|plan| plan.work(times)).sum();
    let times = scale_for(budget, 1e4, all).max(1.0);
    let drawn = |scale| {
        let each = plans.iter();
        each.map(|plan| plan.odds(times, scale) * plan.work(times))
            .sum()
    };
    let scale = scale_for(budget, 1e15, drawn);
    let mut due = rng.f64();
    let mut drawn = Vec::new();
    for (number, (plan, page)) in plans.iter().zip(pages).enumerate() {
        let odds = plan.odds(times, scale);
        due -= odds;
        if due < 0.0 {
            due += 1.0;
            // Else the first fetches of all would set the time of later ones.
            let begin = rng.f64() * page.lifetime_seconds as f64;
            drawn.push(Drawn {
                page: *page,
                number,
                odds,
                warm_seconds: plan.settling + begin,
                counted_seconds: plan.counted(times),
            });
        }
    }
    drawn
}

/// The scale, up to `most`, at which `spent` comes to the budget.
fn scale_for(budget: f64, most: f64, spent: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, most);
    if spent(most) <= budget {
        return most;
    }
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        match spent(middle) < budget {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}
