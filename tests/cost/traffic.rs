//! Who asks for what, and where: a site's pages by how often they are wanted,
//! and data centres by how many readers they have.

use serde_json::Value;

/// Pages are fresh for so long by default, and assets for a day.
pub const PAGE_SECONDS: u64 = 300;
const ASSET_SECONDS: u64 = 86_400;
/// The window in which pages are served while they are refreshed, as docs/rules.md
/// suggests it.
const WHILE_REVALIDATE_SECONDS: u64 = 600;

/// What traffic is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As popular as the pages of a real blog.
    Log,
    /// By Zipf's law.
    Zipf,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Zipf => "zipf",
        }
    }
}

/// A page that is asked for again and again.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Of all requests.
    pub share: f64,
    /// `max-age`
    pub lifetime_seconds: u64,
    pub while_revalidate_seconds: u64,
}

impl Page {
    /// Whether orders name it: assets change their names instead.
    pub fn is_tagged(&self) -> bool {
        self.while_revalidate_seconds > 0
    }
}

/// A site and its readers.
#[derive(Clone, Debug)]
pub struct Site {
    pub pages: Vec<Page>,
    /// The share of requests for what nobody asks for again.
    pub once: f64,
    /// The share of requests that come within 5 seconds of another one of the
    /// same client.
    pub follow: f64,
    pub mean_bytes: f64,
    /// For what is asked for once.
    pub page_seconds: u64,
}

/// Of a site whose pages are wanted by Zipf's law: how many, how steep, and
/// how much besides is wanted once.
const ZIPF_PAGES: usize = 10_000;
const ZIPF_STEEPNESS: f64 = 0.8;
const ZIPF_ONCE: f64 = 0.1;

impl Site {
    pub fn of(kind: Kind, page_seconds: u64) -> Self {
        match kind {
            Kind::Log => Self::blog(page_seconds),
            Kind::Zipf => Self::zipf(page_seconds),
        }
    }

    /// As a real log has it (`blog.json`).
    ///
    /// What was asked for once in the log stands for all that is: by Good and
    /// Turing, it is how likely the next request is for something new.
    fn blog(page_seconds: u64) -> Self {
        let blog: Value = serde_json::from_str(include_str!("blog.json")).expect("blog.json");
        let number = |value: &Value| value.as_f64().expect("a number");
        let requests = number(&blog["requests"]);
        // How often, and how many targets so often.
        let all = |name: &str, is_asset| -> Vec<Page> {
            let each = blog[name].as_array().expect(name).iter();
            each.flat_map(|pair| {
                let page = page(number(&pair[0]) / requests, is_asset, page_seconds);
                std::iter::repeat_n(page, number(&pair[1]) as usize)
            })
            .collect()
        };
        let mut pages = all("pages", false);
        pages.extend(all("assets", true));
        Self {
            pages,
            once: number(&blog["once"]) / requests,
            follow: number(&blog["followed_within_5_seconds"]),
            mean_bytes: number(&blog["mean_bytes"]),
            page_seconds,
        }
    }

    /// Every second one is an asset.
    fn zipf(page_seconds: u64) -> Self {
        let weight = |rank: usize| (rank as f64).powf(-ZIPF_STEEPNESS);
        let sum: f64 = (1..=ZIPF_PAGES).map(weight).sum();
        let share = |rank| (1.0 - ZIPF_ONCE) * weight(rank) / sum;
        let pages = (1..=ZIPF_PAGES).step_by(2);
        let assets = (2..=ZIPF_PAGES).step_by(2);
        let pages = pages.map(|rank| page(share(rank), false, page_seconds));
        let assets = assets.map(|rank| page(share(rank), true, page_seconds));
        Self {
            pages: pages.chain(assets).collect(),
            once: ZIPF_ONCE,
            follow: 0.0,
            mean_bytes: 50_000.0,
            page_seconds,
        }
    }
}

fn page(share: f64, is_asset: bool, page_seconds: u64) -> Page {
    match is_asset {
        true => Page {
            share,
            lifetime_seconds: ASSET_SECONDS,
            while_revalidate_seconds: 0,
        },
        false => Page {
            share,
            lifetime_seconds: page_seconds,
            while_revalidate_seconds: WHILE_REVALIDATE_SECONDS,
        },
    }
}

/// The share of the readers that each of so many data centres has: the n-th
/// 1/n of what the first has.
pub fn data_centres(count: usize) -> Vec<f64> {
    let sum: f64 = (1..=count).map(|n| 1.0 / n as f64).sum();
    (1..=count).map(|n| 1.0 / n as f64 / sum).collect()
}
