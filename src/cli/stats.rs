//! `edgekeep stats`: how well the cache does, by host and rule.

use crate::cache::stats::row::BUCKETS;
use crate::cli::args::StatsArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{self, STRONG, new_table, percent, plain, styled};
use crate::cli::remote::client::SiteClient;
use crate::cli::shadow_stats::ShadowReport;
use crate::cli::system;
use crate::http::date;
use comfy_table::CellAlignment;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The pause of `--watch`: the ledger writes once a minute, and when it is asked.
const WATCH_MS: u64 = 15_000;

/// From this time on, hours are asked for: 6 hours are 360 minutes.
const MINUTES_MAX: u64 = 6 * 3600;

/// How many reasons are listed.
const REASONS_SHOWN: usize = 20;

/// The answer of `GET /.edgekeep/stats`.
#[derive(Deserialize)]
struct StatsAnswer {
    rows: Vec<AnsweredRow>,
    origin_ms_buckets: Vec<u64>,
    next: Option<u64>,
}

/// A row of it.
#[derive(Deserialize)]
struct AnsweredRow {
    host: String,
    rule: String,
    outcome: String,
    reason: String,
    requests: u64,
    bytes: u64,
    origin_requests: u64,
    origin_ms: Vec<u64>,
}

/// The sums of a host and a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RuleSums {
    requests: u64,
    hits: u64,
    stale: u64,
    errors: u64,
    bytes: u64,
    origin_requests: u64,
    origin_ms: [u64; BUCKETS],
}

/// All sums, and the reasons of what was no hit.
#[derive(Debug, Default)]
pub struct Summary {
    rules: BTreeMap<(String, String), RuleSums>,
    reasons: BTreeMap<(String, String), u64>,
    bounds_ms: Vec<u64>,
    shadow: ShadowReport,
}

/// Prints statistics.
pub fn run(args: &StatsArgs) -> Result<(), Failure> {
    let client = SiteClient::new(&args.site)?;
    let seconds = seconds(&args.since).ok_or_else(|| {
        let since = plain(&args.since);
        Failure::Usage(format!("--since {since}: write it as 30m, 24h or 7d"))
    })?;
    loop {
        let mut summary = Summary::default();
        let mut from = format!("-{seconds}s");
        loop {
            let value = client
                .get(&path(args, seconds, &from))?
                .json(system::now_ms())?;
            if args.site.json {
                output::json(&value)?;
            }
            match summary.add(&value).map_err(Failure::Found)? {
                Some(next) => from = next.to_string(),
                None => break,
            }
        }
        if !args.site.json {
            let now = date::print_rfc3339(system::now_ms());
            let heading = format!("the last {} until {now}", plain(&args.since));
            output::line(styled(STRONG, heading))?;
            match args.shadow {
                true => summary.shadow.print()?,
                false => summary.print()?,
            }
        }
        if !args.watch {
            return match summary.shadow.differing() {
                n if args.shadow && n > 0 => Err(Failure::Found(format!(
                    "{n} hits would have differed from what the origin sent; the log has their \
                     keys, as problems of shadow"
                ))),
                _ => Ok(()),
            };
        }
        system::sleep_ms(WATCH_MS);
    }
}

fn path(args: &StatsArgs, seconds: u64, from: &str) -> String {
    let step = match seconds > MINUTES_MAX {
        true => "hour",
        false => "minute",
    };
    let mut path = format!("/.edgekeep/stats?step={step}&from={from}");
    for (name, value) in [("host", &args.host), ("rule", &args.rule)] {
        if let Some(value) = value {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            path.push_str(&format!("&{name}={value}"));
        }
    }
    path
}

/// Seconds of a duration such as `24h`.
fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).filter(|seconds| *seconds > 0)
}

impl Summary {
    /// Adds a page of the answer, and returns the `from` of the next one.
    pub fn add(&mut self, value: &Value) -> Result<Option<u64>, String> {
        let answer = StatsAnswer::deserialize(value)
            .map_err(|error| format!("the answer is no statistics: {error}"))?;
        self.bounds_ms = answer.origin_ms_buckets;
        for row in answer.rows {
            let (place, why) = ((&*row.host, &*row.rule), (&*row.outcome, &*row.reason));
            self.shadow.add(place, why, row.requests);
            let sums = self.rules.entry((row.host, row.rule)).or_default();
            let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
            add(&mut sums.requests, row.requests);
            add(&mut sums.bytes, row.bytes);
            add(&mut sums.origin_requests, row.origin_requests);
            for (sum, more) in sums.origin_ms.iter_mut().zip(row.origin_ms) {
                add(sum, more);
            }
            match row.outcome.as_str() {
                "hit" | "collapsed" => add(&mut sums.hits, row.requests),
                "stale" => {
                    add(&mut sums.hits, row.requests);
                    add(&mut sums.stale, row.requests);
                }
                "error" => add(&mut sums.errors, row.requests),
                _ => {}
            }
            if row.requests > 0 && row.outcome != "hit" && row.outcome != "admin" {
                let place = (row.outcome, row.reason);
                add(self.reasons.entry(place).or_default(), row.requests);
            }
        }
        Ok(answer.next)
    }

    fn print(&self) -> Result<(), Failure> {
        let mut table = new_table(&[
            "HOST", "RULE", "REQUESTS", "HITS", "STALE", "ERRORS", "MB", "ORIGIN", "MEDIAN", "95 %",
        ]);
        for ((host, rule), sums) in &self.rules {
            table.add_row([
                plain(host),
                plain(rule),
                sums.requests.to_string(),
                percent(sums.hits, sums.requests),
                sums.stale.to_string(),
                sums.errors.to_string(),
                format!("{:.1}", sums.bytes as f64 / 1e6),
                sums.origin_requests.to_string(),
                self.quantile(sums, 50),
                self.quantile(sums, 95),
            ]);
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        output::line(table.trim_fmt())?;
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        reasons.truncate(REASONS_SHOWN);
        if reasons.is_empty() {
            return Ok(());
        }
        let mut table = new_table(&["NO HIT", "REASON", "REQUESTS"]);
        for ((outcome, reason), count) in reasons {
            table.add_row([plain(outcome), plain(reason), count.to_string()]);
        }
        output::line("")?;
        Ok(output::line(table.trim_fmt())?)
    }

    /// The bound of the bucket below which so many percent of the origin's
    /// requests are.
    fn quantile(&self, sums: &RuleSums, percent: u64) -> String {
        let all = sums
            .origin_ms
            .iter()
            .fold(0, |sum: u64, n| sum.saturating_add(*n));
        let wanted = all.saturating_mul(percent).div_ceil(100);
        let mut sum: u64 = 0;
        for (at, count) in sums.origin_ms.iter().enumerate() {
            sum = sum.saturating_add(*count);
            if all > 0 && sum >= wanted {
                return match (self.bounds_ms.get(at), self.bounds_ms.last()) {
                    (Some(ms), _) => format!("<= {ms} ms"),
                    (None, Some(ms)) => format!("> {ms} ms"),
                    (None, None) => String::new(),
                };
            }
        }
        String::new()
    }
}
