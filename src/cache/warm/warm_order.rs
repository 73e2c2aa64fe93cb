//! Orders to warm: which pages are fetched into KV before readers request them.
//! An order, or the settings, list URLs and sitemaps.

use super::sitemap::SitemapUrl;
use crate::cache::config::keys::KeyPermissions;
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

/// The largest total length of the URLs of an order, in bytes: 10,000 URLs of
/// 90 bytes. The ledger stores them in one value, which SQLite limits to 2 MB
/// there.
const URLS_BYTES_MAX: usize = 900_000;

/// How many sitemaps of an index are read; the newest are chosen.
pub const CHILDREN_MAX: usize = 20;

/// The `Accept-Encoding` that browsers send over https. Most readers' cache
/// keys contain it.
const BROWSERS_ENCODINGS: &str = "gzip, deflate, br, zstd";

/// Why a page cannot be kept in KV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWarmable {
    /// Its rule has `kv = false`.
    #[error("its rule says kv = false")]
    Kv,
    /// Requests for it do not use the cache.
    #[error("it is not cached: {}", .0.word())]
    Cache(Bypass),
    /// The URL is one of Edgekeep's own.
    #[error("it is an address of Edgekeep's own")]
    Own,
}

/// Returns the lookup of a browser's first request for a URL, if its page may
/// be kept in KV.
pub fn lookup_to_warm(rules: &Rules, url: &Url) -> Result<Lookup, NotWarmable> {
    let mut fields = Fields::new();
    fields.add("accept-encoding", BROWSERS_ENCODINGS);
    let request = RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields,
    };
    match classify(rules, &request) {
        Plan::Lookup(lookup) if lookup.rule.kv != Kv::Never => Ok(*lookup),
        Plan::Lookup(_) => Err(NotWarmable::Kv),
        Plan::Bypass(reason, _, _) => Err(NotWarmable::Cache(reason)),
        Plan::Admin | Plan::Purge(_) => Err(NotWarmable::Own),
    }
}

/// A URL in an order, with its path there, such as `urls[2]`.
pub type ListedUrl = (String, Url);

/// A parsed order to warm.
#[derive(Debug, Default)]
pub struct ParsedWarming {
    /// URLs of pages.
    pub urls: Vec<ListedUrl>,
    /// URLs of sitemaps.
    pub sitemaps: Vec<ListedUrl>,
    /// The largest number of pages to fetch.
    pub limit: usize,
    /// Whether only a report is wanted, and nothing is fetched.
    pub dry_run: bool,
    /// Errors in the order.
    pub refused: Vec<Refusal>,
}

/// The JSON body. URLs are validated one by one, so that an error can list all
/// invalid ones.
#[derive(Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct WarmBody {
    urls: Vec<Value>,
    sitemaps: Vec<Value>,
    limit: Option<u64>,
    dry_run: bool,
}

json_object!(WarmBody);

/// Parses an order's body. A body without URLs and sitemaps means those of the
/// settings.
pub fn read(rules: &Rules, bytes: &[u8]) -> Result<ParsedWarming, NotOrder> {
    let body: WarmBody = read_body(bytes)?;
    let mut parsed = if body.urls.is_empty() && body.sitemaps.is_empty() {
        ParsedWarming::of_settings(rules)
    } else {
        let mut parsed = ParsedWarming::default();
        parsed.urls = parsed.parse_urls("urls", &body.urls, URLS_MAX);
        parsed.sitemaps = parsed.parse_urls("sitemaps", &body.sitemaps, SITEMAPS_MAX);
        parsed
    };
    parsed.limit = pages(body.limit.unwrap_or(rules.warm.limit));
    parsed.dry_run = body.dry_run;
    if let Some(limit) = body.limit
        && !(1..=PAGES_MAX as u64).contains(&limit)
    {
        let problem = format!("must be from 1 to {PAGES_MAX} pages, not {limit}");
        parsed.refused.push(("limit".to_owned(), problem));
    }
    Ok(parsed)
}

fn pages(limit: u64) -> usize {
    usize::try_from(limit).map_or(PAGES_MAX, |limit| limit.min(PAGES_MAX))
}

impl ParsedWarming {
    /// Returns an order with the URLs and sitemaps of the settings.
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

    /// Returns the valid URLs of a list; adds errors of the others to
    /// `refused`.
    fn parse_urls(&mut self, list: &str, items: &[Value], most: usize) -> Vec<ListedUrl> {
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

    /// Whether the order has no URLs and no sitemaps.
    pub fn is_empty(&self) -> bool {
        self.urls.is_empty() && self.sitemaps.is_empty()
    }

    /// Removes what a key may not warm, and adds it to `refused`. A key may
    /// warm the hosts that it may purge.
    pub fn limit(&mut self, permit: &KeyPermissions, key: &str) {
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

    /// Returns a selection that contains the pages in `urls`. Pages that cannot
    /// be kept go to `refused`.
    pub fn choose(&mut self, rules: &Rules) -> PageSelection {
        let mut selection = PageSelection {
            limit: self.limit,
            ..PageSelection::default()
        };
        for (path, url) in &self.urls {
            match lookup_to_warm(rules, url) {
                Ok(lookup) => selection.take(&lookup, LISTED),
                Err(problem) => self.refused.push((path.clone(), problem.to_string())),
            }
        }
        selection.cut();
        selection
    }
}

/// Sorts the pages of `urls` before those of sitemaps, in the order's sequence.
const LISTED: u64 = u64::MAX;

/// The pages to fetch, collected step by step.
#[derive(Debug, Default)]
pub struct PageSelection {
    /// Sorted, the newest first.
    pages: Vec<SitemapUrl>,
    known: HashSet<String>,
    limit: usize,
    /// How much was left out.
    pub skipped: Skipped,
}

/// How many URLs were left out, by reason. Zeros are omitted in its JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The host is not the sitemap's, which sitemaps.org, "Sitemap file
    /// location", forbids.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_host: usize,
    /// Not an http(s) URL, or too long.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_a_url: usize,
    /// Pages that may not be kept in KV by their rule.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_kept: usize,
    /// Pages beyond the limit. They were not checked further.
    #[serde(skip_serializing_if = "is_zero")]
    pub beyond_limit: usize,
    /// Sitemaps of an index that were not read, or could not be read.
    #[serde(skip_serializing_if = "is_zero")]
    pub sitemaps: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl PageSelection {
    /// Adds the pages that a sitemap lists.
    ///
    /// Pages that changed last come first, over all sitemaps. Pages without a
    /// date follow in the sitemap's order. So a limit leaves out the pages that
    /// have not changed for longest, which KV is most likely to hold.
    /// `<priority>` is ignored: most sites let a generator write it, with the
    /// same value for all pages.
    pub fn add(&mut self, rules: &Rules, sitemap: &Url, mut entries: Vec<SitemapUrl>) {
        newest_first(&mut entries);
        let mut taken = 0;
        for entry in entries {
            // Checking a page takes some microseconds. No more pages are
            // checked than one file can contribute.
            if taken >= self.limit {
                self.skipped.beyond_limit += 1;
                continue;
            }
            match place(sitemap, &entry.url) {
                Ok(url) => match lookup_to_warm(rules, &url) {
                    Ok(lookup) => {
                        taken += 1;
                        self.take(&lookup, entry.changed);
                    }
                    Err(_) => self.skipped.not_kept += 1,
                },
                Err(IgnoredUrl::OtherHost) => self.skipped.other_host += 1,
                Err(IgnoredUrl::NotUrl) => self.skipped.not_a_url += 1,
            }
        }
        self.cut();
    }

    /// Returns the sitemaps of an index that are to be read.
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
            self.pages.push(SitemapUrl { url, changed });
        }
    }

    /// Sorts the pages and drops those beyond the limit. Pages that are added
    /// later cannot bring them back.
    fn cut(&mut self) {
        newest_first(&mut self.pages);
        let mut bytes = 0_usize;
        let fits = self.pages.iter().take(self.limit).take_while(|page| {
            bytes = bytes.saturating_add(page.url.len());
            bytes <= URLS_BYTES_MAX
        });
        let fitting = fits.count();
        for page in self.pages.drain(fitting..) {
            self.known.remove(&page.url);
            self.skipped.beyond_limit += 1;
        }
    }

    /// Returns the URLs in the order in which they are to be fetched.
    pub fn urls(self) -> Vec<String> {
        self.pages.into_iter().map(|page| page.url).collect()
    }

    /// How many pages there are.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether there are no pages.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The URLs of the first `most` pages.
    pub fn first(&self, most: usize) -> Vec<&str> {
        let urls = self.pages.iter().map(|page| page.url.as_str());
        urls.take(most).collect()
    }
}

fn newest_first(entries: &mut [SitemapUrl]) {
    entries.sort_by_key(|entry| Reverse(entry.changed));
}

/// Why a URL in a sitemap is ignored.
enum IgnoredUrl {
    OtherHost,
    NotUrl,
}

/// Parses a URL in a sitemap, and checks its length and host.
fn place(sitemap: &Url, text: &str) -> Result<Url, IgnoredUrl> {
    let url = Url::parse(text).map_err(|_| IgnoredUrl::NotUrl)?;
    if text.len() > URL_BYTES_MAX {
        Err(IgnoredUrl::NotUrl)
    } else if url.host != sitemap.host {
        Err(IgnoredUrl::OtherHost)
    } else {
        Ok(url)
    }
}
