//! `GET /.edgekeep/stats` (JSON) and `GET /.edgekeep/metrics` (OpenMetrics).

use crate::cache::purge::selector::Selector;
use crate::cache::stats::open_metrics;
use crate::cache::stats::query::{AskedStats, StatsQuery, StatsStep, USAGE};
use crate::cache::stats::row::{BUCKET_BOUNDS_MS, OTHER, StatsRow};
use crate::flow::isolate::credentials::Key;
use crate::flow::isolate::origins::BreakerState;
use crate::flow::isolate::state::Isolate;
use crate::flow::ledger::stats_store::StatsPage;
use crate::flow::purge::authenticate;
use crate::flow::response::problem::Problem;
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::host::Host;
use crate::http::head::RequestHead;
use crate::http::json_object::print;
use crate::http::url::decoded;
use serde::Serialize;

/// How far back the gauges of the metrics look, in seconds: isolates report once
/// a minute, and a scraper asks once a minute.
const LATEST_SECONDS: u64 = 180;

/// The longest query, in bytes.
const QUERY_BYTES_MAX: usize = 4096;

/// The answer to `GET /.edgekeep/stats`.
#[derive(Serialize)]
struct Stats<'a> {
    /// The length of a step, in seconds.
    step: u64,
    from: u64,
    to: u64,
    rows: &'a [StatsRow],
    /// The bounds of `origin_ms`.
    origin_ms_buckets: [u64; 7],
    /// The circuit breakers of the isolate that answers.
    origins: Vec<BreakerState>,
    /// The `from` of the next page, if there is one.
    next: Option<u64>,
}

/// Answers `GET /.edgekeep/stats`.
pub async fn stats<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
) -> Result<String, Problem> {
    let key = authorized(host, isolate, request).await?;
    let asked = parameters(request).and_then(|all| AskedStats::read(&all, host.now_ms() / 1000));
    let asked = asked.ok_or_else(|| Problem::new(400, "Question not understood", USAGE))?;
    let mut page = page(host, &asked.query).await?;
    page.rows.retain(|row| {
        let is_host = asked.host.as_ref().is_none_or(|host| *host == row.host);
        let is_rule = asked.rule.as_ref().is_none_or(|rule| *rule == row.rule);
        is_host && is_rule && may_see(key, &row.host)
    });
    let mut origins = isolate.origins.breakers();
    origins.retain(|state| may_see(key, &state.host));
    Ok(print(&Stats {
        step: asked.query.step.seconds(),
        from: asked.query.from,
        to: asked.query.to,
        rows: &page.rows,
        origin_ms_buckets: BUCKET_BOUNDS_MS,
        origins,
        next: page.next,
    }))
}

/// Answers `GET /.edgekeep/metrics`.
pub async fn metrics<H: Host>(
    host: &H,
    isolate: &Isolate,
    request: &RequestHead,
) -> Result<String, Problem> {
    let key = authorized(host, isolate, request).await?;
    let totals = StatsQuery {
        step: StatsStep::Total,
        from: 0,
        to: 1,
    };
    let mut totals = page(host, &totals).await?.rows;
    let now = host.now_ms() / 1000;
    let latest = StatsQuery {
        step: StatsStep::Minute,
        from: now.saturating_sub(LATEST_SECONDS),
        to: now.saturating_add(1),
    };
    let mut latest = page(host, &latest).await?.rows;
    totals.retain(|row| may_see(key, &row.host));
    latest.retain(|row| may_see(key, &row.host));
    Ok(open_metrics::print(&totals, &latest))
}

/// The key of the sender. It must have `stats` or `admin`.
async fn authorized<'a, H: Host>(
    host: &H,
    isolate: &'a Isolate,
    request: &RequestHead,
) -> Result<&'a Key, Problem> {
    let sender = authenticate::authenticate(host, isolate, request, b"", None).await?;
    if !(sender.key.rule.admin || sender.key.rule.stats) {
        let detail = "only a key with stats = true or admin = true may read statistics";
        return Err(Problem::new(403, "Not allowed", detail));
    }
    Ok(sender.key)
}

/// Whether a key may see what is about a host: all with `admin`, otherwise the
/// hosts that it may purge.
fn may_see(key: &Key, host: &str) -> bool {
    let may_purge = || key.rule.permit.allows(&Selector::Host(host.to_owned()));
    key.rule.admin || (host != OTHER && may_purge())
}

/// The decoded parameters of a query; `None` if it is too long, or is not UTF-8.
fn parameters(request: &RequestHead) -> Option<Vec<(String, String)>> {
    let query = request.url.query.as_deref().unwrap_or_default();
    if query.len() > QUERY_BYTES_MAX {
        return None;
    }
    let parameters = query.split('&').filter(|text| !text.is_empty());
    let pairs = parameters.map(|text| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), decoded(&value.replace('+', "%20"))?))
    });
    pairs.collect()
}

async fn page<H: Host>(host: &H, query: &StatsQuery) -> Result<StatsPage, Problem> {
    let answer = host.read_stats(query).await;
    let page = answer
        .and_then(|text| StatsPage::read(&text).ok_or_else(|| "unreadable statistics".to_owned()));
    page.map_err(|problem| {
        log_problem(host, "ledger", &problem);
        let detail = "the ledger cannot be reached; ask again";
        Problem::new(503, "Ledger unavailable", detail).with_field("retry-after", "5")
    })
}
