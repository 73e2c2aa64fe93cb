//! Warming: which pages are fetched into KV before readers ask for them. An
//! order, or the settings, name URLs and sitemaps.

use super::sitemap::SitemapUrl;
use crate::cache::config::keys::Permit;
use crate::cache::config::limits::PAGES_MAX;
use crate::cache::config::limits::SITEMAPS_MAX;
use crate::cache::config::limits::URLS_MAX;
use crate::cache::config::rule::Kv;
use crate::cache::config::rules::Rules;
use crate::cache::key::cache_key::URL_BYTES_MAX;
use crate::cache::purge::order::{NotOrder, Refusal, read_body};
use crate::cache::purge::selector::Selector;
use crate::cache::request::classify::{Bypass, Lookup, Plan, classify};
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use crate::json_object;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::HashSet;

/// How long the URLs of an order may be together: 10,000 of 90 bytes. The ledger takes
/// them in one value, which SQLite there limits to 2 MB.
const URLS_BYTES_MAX: usize = 900_000;

/// How many sitemaps of an index are read, the newest.
pub const CHILDREN_MAX: usize = 20;

/// What browsers send over https: what most readers' keys are made of.
const BROWSERS_ENCODINGS: &str = "gzip, deflate, br, zstd";

/// Why a page cannot be kept in KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// Its rule says so.
    #[error("its rule says kv = false")]
    Kv,
    /// It does not use the cache.
    #[error("it is not cached: {}", .0.word())]
    Cache(Bypass),
    /// It is no page.
    #[error("it is an address of Edgekeep's own")]
    Own,
}

/// A browser's first visit to a URL, if KV may hold the page.
pub fn visit(rules: &Rules, url: &Url) -> Result<Lookup, NotKept> {
    let mut fields = Fields::new();
    fields.add("accept-encoding", BROWSERS_ENCODINGS);
    let request = RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields,
    };
    match classify(rules, &request) {
        Plan::Lookup(lookup) if lookup.rule.kv != Kv::Never => Ok(*lookup),
        Plan::Lookup(_) => Err(NotKept::Kv),
        Plan::Bypass(reason, _, _) => Err(NotKept::Cache(reason)),
        Plan::Admin | Plan::Purge(_) => Err(NotKept::Own),
    }
}

/// A URL that an order names, and where it stands there, such as `urls[2]`.
pub type Named = (String, Url);

/// What an order to warm names.
#[derive(Debug, Default)]
pub struct ParsedWarming {
    /// Pages.
    pub urls: Vec<Named>,
    /// Sitemaps that name pages.
    pub sitemaps: Vec<Named>,
    /// How many pages at most.
    pub limit: usize,
    /// Whether it only wants to know what it would do.
    pub dry_run: bool,
    /// What is wrong with it.
    pub refused: Vec<Refusal>,
}

/// The body. URLs are checked one by one, so that an error can list all bad
/// ones.
#[derive(Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct WarmBody {
    urls: Vec<Value>,
    sitemaps: Vec<Value>,
    limit: Option<u64>,
    dry_run: bool,
}

json_object!(WarmBody);

/// Reads an order's body. One that names nothing means what the settings name.
pub fn read(rules: &Rules, bytes: &[u8]) -> Result<ParsedWarming, NotOrder> {
    let body: WarmBody = read_body(bytes)?;
    let mut draft = if body.urls.is_empty() && body.sitemaps.is_empty() {
        ParsedWarming::of_settings(rules)
    } else {
        let mut draft = ParsedWarming::default();
        draft.urls = draft.named("urls", &body.urls, URLS_MAX);
        draft.sitemaps = draft.named("sitemaps", &body.sitemaps, SITEMAPS_MAX);
        draft
    };
    draft.limit = pages(body.limit.unwrap_or(rules.warm.limit));
    draft.dry_run = body.dry_run;
    if let Some(limit) = body.limit
        && !(1..=PAGES_MAX as u64).contains(&limit)
    {
        let problem = format!("must be from 1 to {PAGES_MAX} pages, not {limit}");
        draft.refused.push(("limit".to_owned(), problem));
    }
    Ok(draft)
}

fn pages(limit: u64) -> usize {
    usize::try_from(limit).map_or(PAGES_MAX, |limit| limit.min(PAGES_MAX))
}

impl ParsedWarming {
    /// What the settings name.
    pub fn of_settings(rules: &Rules) -> Self {
        let named = |list: &str, urls: &[Url]| {
            let path = |at: usize| format!("warm.{list}[{at}]");
            let urls = urls.iter().enumerate();
            urls.map(|(at, url)| (path(at), url.clone())).collect()
        };
        Self {
            urls: named("urls", &rules.warm.urls),
            sitemaps: named("sitemaps", &rules.warm.sitemaps),
            limit: pages(rules.warm.limit),
            ..Self::default()
        }
    }

    /// The URLs of a list; what is wrong with others goes to `refused`.
    fn named(&mut self, list: &str, items: &[Value], most: usize) -> Vec<Named> {
        if items.len() > most {
            let problem = format!("more than {most} URLs; split the order");
            self.refused.push((list.to_owned(), problem));
            return Vec::new();
        }
        let mut named = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{list}[{at}]");
            let url = match item.as_str() {
                Some(text) => Url::parse(text).map_err(|error| format!("the URL {error}")),
                None => Err("must be a text".to_owned()),
            };
            match url {
                Ok(url) => named.push((path, url)),
                Err(problem) => self.refused.push((path, problem)),
            }
        }
        named
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.urls.is_empty() && self.sitemaps.is_empty()
    }

    /// Takes out what a key may not warm, and names it: a key warms the hosts
    /// that it may purge.
    pub fn limit(&mut self, permit: &Permit, key: &str) {
        let refused = &mut self.refused;
        for list in [&mut self.urls, &mut self.sitemaps] {
            list.retain(|(path, url)| {
                let allowed = permit.allows(&Selector::Host(url.host.clone()));
                if !allowed {
                    let problem = format!("the key {key} may not warm pages of {}", url.host);
                    refused.push((path.clone(), problem));
                }
                allowed
            });
        }
    }

    /// The pages that it names itself, as the beginning of a choice. What
    /// cannot be kept goes to `refused`.
    pub fn choose(&mut self, rules: &Rules) -> Choice {
        let mut choice = Choice {
            limit: self.limit,
            ..Choice::default()
        };
        for (path, url) in &self.urls {
            match visit(rules, url) {
                Ok(lookup) => choice.take(&lookup, NAMED),
                Err(problem) => self.refused.push((path.clone(), problem.to_string())),
            }
        }
        choice.cut();
        choice
    }
}

/// What is named itself goes first, in its order.
const NAMED: u64 = u64::MAX;

/// The pages to be fetched, found little by little.
#[derive(Debug, Default)]
pub struct Choice {
    /// URL, and when it changed; sorted.
    pages: Vec<(String, u64)>,
    known: HashSet<String>,
    limit: usize,
    /// What is left out.
    pub skipped: Skipped,
}

/// How much is left out, and why. Its JSON leaves out zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Of another host than their sitemap, which a sitemap may not name
    /// (sitemaps.org, "Sitemap file location").
    #[serde(skip_serializing_if = "is_zero")]
    pub other_host: usize,
    /// No http(s) URLs, or too long.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_a_url: usize,
    /// Pages that KV may not hold, by their rule.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_kept: usize,
    /// Pages beyond the limit; they were not looked at further.
    #[serde(skip_serializing_if = "is_zero")]
    pub beyond_limit: usize,
    /// Sitemaps of an index that were not read, or could not be.
    #[serde(skip_serializing_if = "is_zero")]
    pub sitemaps: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Choice {
    /// Adds the pages that a sitemap names.
    ///
    /// What changed last goes first, over all sitemaps, and then what has no
    /// date, as the sitemap has it: a limit then leaves out what has lain
    /// unchanged for longest, which KV is likeliest to hold. `<priority>` is
    /// not heeded: most sites leave it to their generator, for which all pages
    /// are the same.
    pub fn add(&mut self, rules: &Rules, sitemap: &Url, mut entries: Vec<SitemapUrl>) {
        newest_first(&mut entries);
        let mut taken = 0;
        for entry in entries {
            // A page costs some microseconds: no more are looked at than one
            // file can contribute.
            if taken >= self.limit {
                self.skipped.beyond_limit += 1;
                continue;
            }
            match place(sitemap, &entry.url) {
                Ok(url) => match visit(rules, &url) {
                    Ok(lookup) => {
                        taken += 1;
                        self.take(&lookup, entry.changed);
                    }
                    Err(_) => self.skipped.not_kept += 1,
                },
                Err(Elsewhere::OtherHost) => self.skipped.other_host += 1,
                Err(Elsewhere::NotUrl) => self.skipped.not_a_url += 1,
            }
        }
        self.cut();
    }

    /// The sitemaps of an index that are to be read.
    pub fn children(&mut self, index: &Url, mut entries: Vec<SitemapUrl>) -> Vec<Url> {
        newest_first(&mut entries);
        let mut children = Vec::new();
        for entry in entries {
            match place(index, &entry.url) {
                Ok(url) if children.len() < CHILDREN_MAX => children.push(url),
                _ => self.skipped.sitemaps += 1,
            }
        }
        children
    }

    fn take(&mut self, lookup: &Lookup, changed: u64) {
        let url = lookup.key.url.to_string();
        if self.known.insert(url.clone()) {
            self.pages.push((url, changed));
        }
    }

    /// Sorts, and drops what is beyond the limit: what comes later cannot
    /// bring it back.
    fn cut(&mut self) {
        self.pages.sort_by(|(_, a), (_, b)| b.cmp(a));
        let mut bytes = 0_usize;
        let fits = self.pages.iter().take(self.limit).take_while(|(url, _)| {
            bytes = bytes.saturating_add(url.len());
            bytes <= URLS_BYTES_MAX
        });
        let fitting = fits.count();
        for (url, _) in self.pages.drain(fitting..) {
            self.known.remove(&url);
            self.skipped.beyond_limit += 1;
        }
    }

    /// The URLs, in the order in which they are to be fetched.
    pub fn urls(self) -> Vec<String> {
        self.pages.into_iter().map(|(url, _)| url).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The first of them.
    pub fn first(&self, most: usize) -> Vec<&str> {
        let urls = self.pages.iter().map(|(url, _)| url.as_str());
        urls.take(most).collect()
    }
}

fn newest_first(entries: &mut [SitemapUrl]) {
    entries.sort_by_key(|entry| Reverse(entry.changed));
}

/// Why a sitemap may not name a URL.
enum Elsewhere {
    OtherHost,
    NotUrl,
}

/// A URL that a sitemap names.
fn place(sitemap: &Url, text: &str) -> Result<Url, Elsewhere> {
    let url = Url::parse(text).map_err(|_| Elsewhere::NotUrl)?;
    if text.len() > URL_BYTES_MAX {
        Err(Elsewhere::NotUrl)
    } else if url.host != sitemap.host {
        Err(Elsewhere::OtherHost)
    } else {
        Ok(url)
    }
}
