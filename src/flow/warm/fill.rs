//! Warming: turns an order, or the cron trigger, into the list of pages that
//! the ledger fetches into KV (`flow::ledger::runner`). Nothing is purged:
//! pages that are fresh in KV are left alone.
//!
//! Sitemaps are read immediately, one at a time. They are requested from the
//! origin like pages, but bypass the cache and are not stored.

use crate::cache::config::rules::Rules;
use crate::cache::key::cache_key;
use crate::cache::ledger::wire::{HistoryQuery, Order, Receipt};
use crate::cache::purge::order::{NotOrder, Refusal};
use crate::cache::request::classify::{Plan, classify};
use crate::cache::request::origin_request::OriginRequest;
use crate::cache::warm::sitemap::{self, Sitemap};
use crate::cache::warm::warm_order::{self, ListedUrl, PageSelection, ParsedWarming, Skipped};
use crate::flow::isolate::state::Isolate;
use crate::flow::origin::upstream;
use crate::flow::purge::append::{AppendOutcome, append_order, past_orders, read_body};
use crate::flow::purge::authenticate;
use crate::flow::response::problem::{PartErrors, Problem};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{BodyError, Host};
use crate::flow::runtime::timeout::with_timeout;
use crate::http::date;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::json_object::print;
use crate::http::url::Url;
use serde::Serialize;

/// The longest sitemap. The protocol allows 50 MB, which is too much for an
/// isolate of 128 MB: a file is held in JavaScript's memory and in ours, and
/// its URLs take as much again, so this is 24 MiB for each order in progress. 8
/// MiB are 50,000 pages, the limit of the protocol, of 160 bytes each; larger
/// sitemaps must be split.
pub const SITEMAP_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How many sitemaps are read for an order. A request has 50 subrequests on the
/// free plan; the ledger and shared notes take up to four.
const FETCHES_MAX: usize = 40;

/// How long reading them all may take, because the sender waits for it.
const SITEMAPS_MS_MAX: u64 = 60_000;

/// How many pages a dry run lists.
const SHOWN_MAX: usize = 20;

/// Handles `POST /.edgekeep/warm`.
pub async fn order<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
    body: Option<H::Body>,
    log: &mut RequestLog,
) -> Result<String, Problem> {
    log.event = "warm";
    let body = read_body(host, request, body).await?;
    let sender = authenticate::authenticate(host, isolate, request, &body, None).await?;
    let key = &sender.key.rule;
    let mut parsed = warm_order::read(&isolate.rules, &body).map_err(not_order)?;
    if parsed.is_empty() && parsed.refused.is_empty() {
        let detail = "name urls or sitemaps, here or in the settings, [vars.EDGEKEEP.warm]";
        return Err(Problem::new(422, "Empty order", detail));
    }
    refuse(&mut parsed, 422, "Order not understood")?;
    parsed.limit(&key.permit, &key.name);
    refuse(&mut parsed, 403, "Not allowed")?;
    let mut order = Order {
        id: sender.id,
        body_digest: authenticate::digest(request, &body),
        key: Some(key.name.clone()),
        via: sender.via.to_owned(),
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        ..Order::default()
    };
    // A repeated order gets its receipt even if the sitemaps cannot be read
    // again.
    if parsed.dry_run || !is_known(host, &order).await? {
        let mut selection = parsed.choose(&isolate.rules);
        refuse(&mut parsed, 422, "Page not kept in KV")?;
        let mut unread = Vec::new();
        read_sitemaps(host, isolate, &mut parsed, &mut selection, &mut unread).await;
        if parsed.dry_run {
            log.add_note(format!("dry run by {}", key.name));
            parsed.refused.append(&mut unread);
            return Ok(dry(&selection, &parsed.refused));
        }
        refuse(&mut parsed, 502, "Sitemap not read")?;
        log_unread(log, &selection.skipped, &unread);
        if selection.is_empty() {
            return Err(nothing(&selection.skipped, unread));
        }
        order.refresh = selection.urls();
    }
    let receipt = append_order(host, isolate, &request.url.host, &order).await?;
    log_warming(log, &receipt);
    Ok(AppendOutcome::Done(receipt).json())
}

/// Handles the cron trigger: orders the pages that the settings name. A sitemap
/// or page that fails is left out and logged; the next run tries it again.
/// `scheduled_ms` identifies the run, so a repeated run is not executed twice.
pub async fn scheduled<H: Host>(host: &H, isolate: &Isolate, scheduled_ms: u64) {
    let mut log = RequestLog {
        event: "warm",
        cache: "admin",
        began_ms: host.now_ms(),
        ..RequestLog::default()
    };
    if let Err(problem) = scheduled_order(host, isolate, scheduled_ms, &mut log).await {
        log.status = problem.status;
        log.add_note(problem.summary());
    }
    log.write(host);
}

async fn scheduled_order<H: Host>(
    host: &H,
    isolate: &Isolate,
    scheduled_ms: u64,
    log: &mut RequestLog,
) -> Result<(), Problem> {
    let mut parsed = ParsedWarming::of_settings(&isolate.rules);
    let first = parsed.urls.first().or(parsed.sitemaps.first());
    let Some(site) = first.map(|(_, url)| url.host.clone()) else {
        let detail = "a cron trigger is set, but [vars.EDGEKEEP.warm] names nothing";
        return Err(Problem::new(422, "Empty order", detail));
    };
    // No key and no webhook can have such names, because theirs have no blanks.
    let id = format!("cron {}", date::print_rfc3339(scheduled_ms));
    let mut order = Order {
        // The settings may change between a run and its repetition.
        body_digest: cache_key::digest(&id),
        id: Some(id),
        key: Some("cron trigger".to_owned()),
        via: "cron".to_owned(),
        lag_seconds: isolate.rules.max_purge_lag_seconds,
        after: isolate.seen(),
        ..Order::default()
    };
    if !is_known(host, &order).await? {
        let mut selection = parsed.choose(&isolate.rules);
        let mut unread = Vec::new();
        read_sitemaps(host, isolate, &mut parsed, &mut selection, &mut unread).await;
        unread.append(&mut parsed.refused);
        log_unread(log, &selection.skipped, &unread);
        if selection.is_empty() {
            return Err(nothing(&selection.skipped, unread));
        }
        order.refresh = selection.urls();
    }
    let receipt = append_order(host, isolate, &site, &order).await?;
    log.status = 200;
    log_warming(log, &receipt);
    Ok(())
}

/// Whether the ledger has an order with this key and id. If so, the ledger
/// decides whether it is the same order.
async fn is_known<H: Host>(host: &H, order: &Order) -> Result<bool, Problem> {
    let Some(id) = &order.id else {
        return Ok(false);
    };
    let past = past_orders(host, &HistoryQuery::Id(id.clone())).await?;
    Ok(past.iter().any(|past| past.receipt.key == order.key))
}

/// Reads an order's sitemaps and selects pages from them. A failed one is added
/// to `parsed.refused`; a failed one from a sitemap index is added to `unread`.
async fn read_sitemaps<H: Host>(
    host: &H,
    isolate: &Isolate,
    parsed: &mut ParsedWarming,
    selection: &mut PageSelection,
    unread: &mut Vec<Refusal>,
) {
    let rules = &isolate.rules;
    let mut fetches = Fetches {
        left: FETCHES_MAX,
        until_ms: host.now_ms().saturating_add(SITEMAPS_MS_MAX),
    };
    let sitemaps: Vec<ListedUrl> = std::mem::take(&mut parsed.sitemaps);
    for (path, url) in sitemaps {
        let index = match fetches.read(host, isolate, &url).await {
            Ok(Sitemap::Pages(pages)) => {
                selection.add(rules, &url, pages);
                continue;
            }
            Ok(Sitemap::Index(index)) => index,
            Err(problem) => {
                parsed.refused.push((path, problem));
                continue;
            }
        };
        for child in selection.children(&url, index) {
            let problem = match fetches.read(host, isolate, &child).await {
                Ok(Sitemap::Pages(pages)) => {
                    selection.add(rules, &child, pages);
                    continue;
                }
                Ok(Sitemap::Index(_)) => "it is an index within an index".to_owned(),
                Err(problem) => problem,
            };
            selection.skipped.sitemaps = selection.skipped.sitemaps.saturating_add(1);
            unread.push((path.clone(), format!("{child}: {problem}")));
        }
    }
}

/// The remaining budget of an order.
struct Fetches {
    left: usize,
    until_ms: u64,
}

impl Fetches {
    /// Fetches and parses a sitemap. An error says what is wrong and, if
    /// possible, how to correct it.
    async fn read<H: Host>(
        &mut self,
        host: &H,
        isolate: &Isolate,
        url: &Url,
    ) -> Result<Sitemap, String> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(format!("an order reads at most {FETCHES_MAX} sitemaps"));
        };
        self.left = left;
        let left_ms = self.until_ms.saturating_sub(host.now_ms());
        let bytes = match left_ms {
            0 => None,
            _ => with_timeout(host, left_ms, fetch_sitemap(host, isolate, url)).await,
        };
        let seconds = SITEMAPS_MS_MAX / 1000;
        let late = || format!("an order's sitemaps are read for at most {seconds} seconds");
        let bytes = bytes.ok_or_else(late)??;
        sitemap::read(&bytes).map_err(|error| error.to_string())
    }
}

async fn fetch_sitemap<H: Host>(host: &H, isolate: &Isolate, url: &Url) -> Result<Vec<u8>, String> {
    let request = sitemap_request(&isolate.rules, url)?;
    let rule = isolate.rules.rule_for(&cache_key::canonical_path(url));
    let wanted = upstream::UpstreamRequest::read(url, &rule);
    let mut log = RequestLog::default();
    let mut request = |_: &mut RequestLog| request.clone();
    let response =
        upstream::fetch_upstream(host, isolate, wanted, None, &mut request, &mut log).await;
    let no_answer = |_| "the origin gave no answer".to_owned();
    let (head, body) = response.result.map_err(no_answer)?;
    if head.status != 200 {
        let to = head.fields.get("location");
        let to = to.map_or(String::new(), |to| format!(" to {to}"));
        return Err(format!("origin: status {}{to}", head.status));
    }
    let coding = head.fields.joined("content-encoding").unwrap_or_default();
    if !matches!(coding.trim(), "" | "identity") {
        return Err(format!(
            "the origin sends it as {coding} though identity is asked for; name one that is served plain"
        ));
    }
    // A read allocates its full limit in advance.
    let length = head.fields.get("content-length");
    let length = length.and_then(|n| n.trim().parse::<usize>().ok());
    let most = length.unwrap_or(SITEMAP_BYTES_MAX);
    if most > SITEMAP_BYTES_MAX {
        return Err(too_long());
    }
    let body = body.ok_or("the origin sent no body")?;
    host.read(body, most).await.map_err(|error| match error {
        BodyError::TooLong => too_long(),
        BodyError::Broken => "its body broke off".to_owned(),
    })
}

fn too_long() -> String {
    format!("it has more than {SITEMAP_BYTES_MAX} bytes; split it")
}

/// The request to the origin for a sitemap.
fn sitemap_request(rules: &Rules, url: &Url) -> Result<OriginRequest, String> {
    let mut fields = Fields::new();
    fields.add("accept-encoding", "identity");
    let request = RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields,
    };
    match classify(rules, &request) {
        Plan::Lookup(lookup) => Ok(lookup.origin().clone()),
        Plan::Bypass(_, origin, _) => Ok(origin),
        Plan::Admin | Plan::Purge(_) => Err("it is an address of Edgekeep's own".to_owned()),
    }
}

/// Refuses an order if a part of it is refused, because an order is executed
/// completely or not at all. A dry run continues.
fn refuse(parsed: &mut ParsedWarming, status: u16, title: &'static str) -> Result<(), Problem> {
    if parsed.dry_run || parsed.refused.is_empty() {
        return Ok(());
    }
    let detail = "nothing is fetched: see the parts under \"errors\"";
    Err(Problem {
        errors: std::mem::take(&mut parsed.refused),
        ..Problem::new(status, title, detail)
    })
}

fn not_order(error: NotOrder) -> Problem {
    let (status, title) = match error {
        NotOrder::Json(_) => (400, "Body is not JSON"),
        _ => (422, "Not an order to warm"),
    };
    Problem::new(status, title, error.to_string())
}

fn nothing(skipped: &Skipped, errors: Vec<Refusal>) -> Problem {
    let detail = format!(
        "the sitemaps name no page that can be kept in KV; skipped: {}",
        print(skipped)
    );
    Problem {
        errors,
        ..Problem::new(422, "Nothing to warm", detail)
    }
}

fn log_warming(log: &mut RequestLog, receipt: &Receipt) {
    let key = receipt.key.as_deref().unwrap_or_default();
    let (sequence, pages, via) = (receipt.sequence, receipt.refresh, &receipt.via);
    log.add_note(format!("warm {sequence} by {key} ({via}), {pages} pages"));
}

/// Logs what was left out: the receipt counts only pages to fetch.
fn log_unread(log: &mut RequestLog, skipped: &Skipped, unread: &[Refusal]) {
    if *skipped != Skipped::default() {
        log.add_note(format!("skipped: {}", print(skipped)));
    }
    for (path, problem) in unread.iter().take(SHOWN_MAX) {
        log.add_note(format!("{path}: {problem}"));
    }
}

/// The result of a dry run, as JSON.
#[derive(Serialize)]
struct WarmDryRun<'a> {
    dry_run: bool,
    pages: usize,
    /// The first pages.
    refresh: Vec<&'a str>,
    skipped: Skipped,
    refused: PartErrors<'a>,
}

fn dry(selection: &PageSelection, refused: &[Refusal]) -> String {
    print(&WarmDryRun {
        dry_run: true,
        pages: selection.len(),
        refresh: selection.first(SHOWN_MAX),
        skipped: selection.skipped,
        refused: PartErrors(refused),
    })
}
