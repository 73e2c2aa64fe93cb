//! `edgekeep advise`: reads a log, and proposes rules with the hits that they
//! would have brought in it. Rules, keys and lifetimes are the core's.

pub mod access_log;
pub mod args;
pub mod edgekeep_log;
pub mod groups;
pub mod log;
pub mod proposal;
pub mod reasons;
pub mod records;
pub mod remarks;
pub mod replay;
pub mod search;
pub mod variants;
pub mod withheld;

use super::failure::Failure;
use super::output::{self, STRONG, styled};
use super::system;
use crate::cache::config::rules::Rules;
use crate::cli::rules::settings_file::SettingsFile;
use args::AdviseArgs;
use log::{Log, Outcome, ROWS_MAX};
use proposal::{Proposal, Remark, RulePatch};
use records::LogRecord;
use serde_json::{Value, json};
use std::io::BufRead;

/// The result for a log.
#[derive(Debug)]
pub struct Advice {
    /// Hits of a replay with the settings in use.
    pub before: u64,
    /// Hits of a replay with the proposed rules.
    pub after: u64,
    /// The proposed rules.
    pub rules: Vec<RulePatch>,
    /// Other findings.
    pub remarks: Vec<Remark>,
}

/// Prints what would bring hits.
pub fn run(args: &AdviseArgs) -> Result<(), Failure> {
    let settings = settings(args)?;
    let name = &args.log;
    let failed = |problem: String| Failure::Usage(format!("{name} {problem}"));
    let reader = system::open(name).map_err(failed)?;
    let ttl = args.origin_ttl;
    let log = read(reader, args.access, ttl)
        .map_err(|error| Failure::Usage(format!("{name} cannot be read: {error}")))?;
    if log.rows.is_empty() && log.unreadable > 0 {
        let form = match args.access {
            true => "an access log with tabs or in the combined log format",
            false => "Edgekeep's log; for an access log add --access",
        };
        return Err(Failure::Usage(format!("{name} has no line of {form}")));
    }
    let advice = advise(&log, &settings, args.least)
        .ok_or_else(|| Failure::Usage("the rules have no room for another one".to_owned()))?;
    match args.json {
        true => output::json(&as_json(&log, &advice))?,
        false => print(&log, &advice, args.least)?,
    }
    match advice.rules.iter().map(|rule| rule.proposals.len()).sum() {
        0_usize if advice.remarks.is_empty() => Ok(()),
        count => Err(Failure::Found(format!(
            "{count} proposals, {} remarks",
            advice.remarks.len()
        ))),
    }
}

fn settings(args: &AdviseArgs) -> Result<Value, Failure> {
    let Some(file) = &args.rules else {
        return Ok(json!({}));
    };
    let read = SettingsFile::read(file);
    let read = read.map_err(|problem| Failure::Usage(format!("{file}: {problem}")))?;
    Ok(read.settings)
}

/// Reads a log.
pub fn read(from: impl BufRead, is_access: bool, origin_ttl: Option<u64>) -> std::io::Result<Log> {
    let mut log = Log::default();
    records::read(from, |record| match record {
        LogRecord::Unreadable => {
            log.unreadable = log.unreadable.saturating_add(1);
            true
        }
        LogRecord::Text(text) if is_access => access_log::add(&mut log, &text, origin_ttl),
        LogRecord::Text(text) => edgekeep_log::add(&mut log, &text),
    })?;
    Ok(log)
}

/// Proposes rules that bring at least `least` percent of the requests each.
/// `None` if the settings with them are not valid: there are too many rules.
pub fn advise(log: &Log, settings: &Value, least: f64) -> Option<Advice> {
    let base = Rules::read_json(&settings.to_string()).ok()?;
    let least = least_requests(log.rows.len(), least);
    let groups = groups::groups(log, &base);
    let worth = groups
        .iter()
        .filter(|group| group.rows.len() as u64 >= least);
    let rules: Vec<RulePatch> = worth
        .filter_map(|group| search::search(log, settings, group, least))
        .collect();
    let together = proposal::patched(settings, rules.iter());
    let together = Rules::read_json(&together.to_string()).ok()?;
    Some(Advice {
        before: replay::replay(log, &base, log.rows.iter()).hits,
        after: replay::replay(log, &together, log.rows.iter()).hits,
        remarks: remarks::remarks(log, &base, least),
        rules,
    })
}

/// The share in requests, rounded up; at least one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there are at most ROWS_MAX requests and 100 percent"
)]
fn least_requests(requests: usize, percent: f64) -> u64 {
    (((requests as f64) * percent / 100.0).ceil() as u64).max(1)
}

/// What limits the result: read these before the numbers.
fn limits(log: &Log) -> Vec<String> {
    let mut texts = Vec::new();
    let mut count = |number: u64, text: &str| {
        if number > 0 {
            texts.push(format!("{number} {text}"));
        }
    };
    count(log.others, "requests with other methods are left out");
    count(
        log.skipped,
        "lines that are no request of a client are left out",
    );
    count(log.unreadable, "records cannot be read");
    count(
        log.over_limit,
        "requests for more URLs than fit into memory are left out",
    );
    if log.is_cut {
        texts.push(format!("only the first {ROWS_MAX} requests were read"));
    }
    if !log.has_times && !log.rows.is_empty() {
        texts.push(
            "the lines have no time: as much time passed as ages and lifetimes show, so lifetimes \
             bring at most these hits"
                .to_owned(),
        );
    }
    texts
}

fn as_json(log: &Log, advice: &Advice) -> Value {
    let proposals: Vec<&Proposal> = advice.rules.iter().flat_map(|r| &r.proposals).collect();
    json!({
        "requests": log.rows.len(),
        "hits_logged": log.count(Outcome::Served),
        "hits_before": advice.before,
        "hits_after": advice.after,
        "proposals": proposals,
        "remarks": advice.remarks,
        "limits": limits(log),
        "toml": proposal::toml(&advice.rules),
    })
}

fn print(log: &Log, advice: &Advice, least: f64) -> std::io::Result<()> {
    let requests = log.rows.len();
    output::line(format!("# {requests} requests (GET and HEAD)"))?;
    for limit in limits(log) {
        output::line(format!("# {limit}"))?;
    }
    if advice.rules.is_empty() && advice.remarks.is_empty() {
        return output::line(format!(
            "# Nothing to propose that brings {least} % of the requests"
        ));
    }
    if !advice.rules.is_empty() {
        let (before, after) = (advice.before, advice.after);
        let hits = format!("# Hits in a replay: {before} before, {after} with these rules");
        output::line(styled(STRONG, hits))?;
        output::line("")?;
        let text = proposal::toml(&advice.rules);
        output::line(text.trim_end())?;
    }
    for remark in &advice.remarks {
        output::line(format!("\n# {} requests: {}", remark.requests, remark.text))?;
    }
    Ok(())
}
