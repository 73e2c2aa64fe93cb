//! Looks for settings that bring hits: each candidate is replayed for its group,
//! with those that were accepted before.

use super::groups::Group;
use super::log::{Log, Outcome, Row};
use super::proposal::{Proposal, RulePatch, name, patched};
use super::reasons::Reason;
use super::replay::{Tally, plan, replay};
use crate::cache::config::rule::Query;
use crate::cache::config::rules::Rules;
use crate::cache::request::classify::Plan;
use crate::cli::output::plain;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

/// The lifetimes that are tried, in seconds: a minute to 30 days.
const LIFETIMES: [u64; 7] = [60, 300, 3600, 21_600, 86_400, 604_800, 2_592_000];

/// The longest lifetime that is proposed if the log does not show whether pages
/// change.
const UNSEEN_LIFETIME_MAX: u64 = 300;

/// A lifetime is too long if more than this share of its hits, in percent, are
/// copies that the origin had changed.
const CHANGED_PERCENT_MAX: u64 = 2;

/// How many parameters of a group are tried, those in most requests first. Each
/// costs a replay of the group.
const PARAMETERS_MAX: usize = 16;

/// How many values a parameter must have if the log has no lengths of bodies. A
/// parameter with few values, such as a page's number, is usually one that
/// matters.
const VALUES_MIN: usize = 10;

/// Files whose content does not depend on who asks, by their endings.
const STATIC: [&str; 16] = [
    ".css", ".js", ".mjs", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".ico",
    ".woff", ".woff2", ".ttf", ".mp4", ".webm",
];

/// The search in one group.
pub struct ProposalSearch<'a> {
    log: &'a Log,
    base: &'a Value,
    group: &'a Group,
    least: u64,
    patch: RulePatch,
    rules: Rules,
    now: Tally,
}

/// The settings that bring at least `least` hits each, for a group. `None` if
/// there are none.
pub fn search(log: &Log, base: &Value, group: &Group, least: u64) -> Option<RulePatch> {
    let patch = RulePatch {
        scope: group.scope.clone(),
        settings: Map::new(),
        proposals: Vec::new(),
    };
    let rules = compiled(base, &patch)?;
    let now = replay(log, &rules, rows(log, group));
    let mut search = ProposalSearch {
        log,
        base,
        group,
        least,
        patch,
        rules,
        now,
    };
    // Without a possible hit there is nothing to look for.
    if (group.rows.len() as u64).saturating_sub(search.now.hits) >= least {
        search.cookies();
        search.lifetime();
        search.parameters();
    }
    Some(search.patch).filter(|patch| !patch.proposals.is_empty())
}

/// The rows of a group.
pub fn rows<'a>(log: &'a Log, group: &'a Group) -> impl Iterator<Item = &'a Row> {
    group.rows.iter().filter_map(|row| log.rows.get(*row))
}

fn compiled(base: &Value, patch: &RulePatch) -> Option<Rules> {
    let settings = patched(base, std::iter::once(patch));
    Rules::read_json(&settings.to_string()).ok()
}

/// A candidate and what its replay counted.
struct Tried {
    value: Value,
    rules: Rules,
    tally: Tally,
    gain: u64,
}

impl ProposalSearch<'_> {
    fn rows(&self) -> impl Iterator<Item = &Row> {
        rows(self.log, self.group)
    }

    fn try_setting(&self, setting: &'static str, value: Value) -> Option<Tried> {
        let mut patch = self.patch.clone();
        patch.settings.insert(setting.to_owned(), value.clone());
        let rules = compiled(self.base, &patch)?;
        let tally = replay(self.log, &rules, self.rows());
        let gain = tally.hits.saturating_sub(self.now.hits);
        Some(Tried {
            value,
            rules,
            tally,
            gain,
        })
    }

    fn accept(&mut self, tried: Tried, proposal: Proposal) {
        let name = proposal.setting.to_owned();
        self.patch.settings.insert(name, tried.value);
        self.patch.proposals.push(proposal);
        self.rules = tried.rules;
        self.now = tried.tally;
    }

    fn proposal(&self, cause: &'static str, setting: &'static str, tried: &Tried) -> Proposal {
        Proposal {
            cause,
            rule: name(&self.patch.scope),
            setting,
            value: tried.value.clone(),
            hits: tried.gain,
            counted: String::new(),
            check: None,
        }
    }

    /// Requests for static files that bypass, most probably by a cookie.
    fn cookies(&mut self) {
        let bypassed = self.rows();
        let bypassed = bypassed.filter(|row| is_cookie_bypass(self.log, &self.rules, row));
        let bypassed: Vec<&Row> = bypassed.collect();
        let is_static = |row: &Row| {
            let path = self.log.urls.get(row.url).map(|url| url.path.as_str());
            path.is_some_and(|path| STATIC.iter().any(|end| path.ends_with(end)))
        };
        if bypassed.is_empty() || !bypassed.iter().all(|row| is_static(row)) {
            return;
        }
        let is_said = bypassed.iter().all(|row| row.reason == Reason::Cookie);
        let doubt = match is_said {
            true => "",
            false => ", and that Cache-Status says detail=cookie: the log has no reasons",
        };
        let Some(tried) = self.try_setting("bypass_cookies", json!([])) else {
            return;
        };
        if tried.gain < self.least {
            return;
        }
        let proposal = Proposal {
            counted: "Replay with the requests for static files that bypassed the cache".to_owned(),
            check: Some(format!("that these files are equal for all readers{doubt}")),
            ..self.proposal("cookie", "bypass_cookies", &tried)
        };
        self.accept(tried, proposal);
    }

    fn lifetime(&mut self) {
        let seconds = self.log.seconds().max(60);
        let tried: Vec<Tried> = LIFETIMES
            .into_iter()
            .filter(|lifetime| *lifetime <= seconds)
            .filter_map(|lifetime| self.try_setting("edge_ttl", lifetime.into()))
            .filter(|tried| tried.gain >= self.least && self.may_last(tried))
            .collect();
        let Some(most) = tried.iter().map(|tried| tried.gain).max() else {
            return;
        };
        // A longer one would not bring enough more.
        let enough = |tried: &Tried| most.saturating_sub(tried.gain) < self.least;
        let Some(best) = tried.into_iter().find(enough) else {
            return;
        };
        let compared = best.tally.compared.saturating_sub(self.now.compared);
        let changed = best.tally.changed.saturating_sub(self.now.changed);
        let by = match (self.log.has_lengths, compared) {
            (_, 0) => "the log does not show whether the pages had changed".to_owned(),
            (true, _) => format!("{changed} of {compared} had another length than the copy"),
            (false, _) => format!("before {changed} of {compared} the origin had sent a new page"),
        };
        let (cause, check) = self.lifetime_check();
        let proposal = Proposal {
            counted: format!("Replay: {by}"),
            check,
            ..self.proposal(cause, "edge_ttl", &best)
        };
        self.accept(best, proposal);
    }

    /// Why a lifetime is proposed, and what its user should check first.
    fn lifetime_check(&self) -> (&'static str, Option<String>) {
        let mut unstored = self.rows().filter(|row| row.lifetime.is_none()).peekable();
        if unstored.peek().is_none() {
            let check = "that pages may be this old";
            return (
                "revalidated",
                self.log.has_lengths.then(|| check.to_owned()),
            );
        }
        let are_equal = "that the pages are equal for all readers";
        let check = match (self.log.has_lengths, unstored.all(has_reason)) {
            (_, true) => are_equal.to_owned(),
            (true, false) => format!("that the origin names no lifetime, and {are_equal}"),
            (false, false) => "that Cache-Status says detail=no-freshness: the log does not say \
                               why responses were not stored"
                .to_owned(),
        };
        ("no-lifetime", Some(check))
    }

    /// Whether pages changed seldom enough for this lifetime.
    fn may_last(&self, tried: &Tried) -> bool {
        let compared = tried.tally.compared.saturating_sub(self.now.compared);
        let changed = tried.tally.changed.saturating_sub(self.now.changed);
        match compared {
            0 => tried.value.as_u64() <= Some(UNSEEN_LIFETIME_MAX),
            _ => changed.saturating_mul(100) <= compared.saturating_mul(CHANGED_PERCENT_MAX),
        }
    }

    fn parameters(&mut self) {
        for (parameter, values) in self.used_parameters() {
            let Some(url) = self
                .rows()
                .next()
                .and_then(|row| self.log.urls.get(row.url))
            else {
                return;
            };
            let query = without(&self.rules.rule_for(url).query, &parameter);
            let Some(tried) = self.try_setting("query", query) else {
                continue;
            };
            let equal = tried
                .tally
                .merged_equal
                .saturating_sub(self.now.merged_equal);
            let differing = tried
                .tally
                .merged_differing
                .saturating_sub(self.now.merged_differing);
            let may = match self.log.has_lengths {
                true => equal > 0 && differing == 0,
                false => values >= VALUES_MIN,
            };
            if tried.gain < self.least || !may {
                continue;
            }
            let (counted, seen) = match self.log.has_lengths {
                true => (
                    format!(
                        "Replay: the bodies of {equal} had the length of the copy, of 0 another"
                    ),
                    "equal length is not equal content",
                ),
                false => (
                    format!("Replay without the parameter, which has {values} values"),
                    "the log does not show bodies or their lengths",
                ),
            };
            let proposal = Proposal {
                counted,
                check: Some(format!(
                    "that {} does not change the page: {seen}",
                    plain(&parameter)
                )),
                ..self.proposal("parameter", "query", &tried)
            };
            self.accept(tried, proposal);
        }
    }

    /// The parameters in keys of the group and how many values each has, those
    /// in most requests first.
    fn used_parameters(&self) -> Vec<(String, usize)> {
        let mut found: BTreeMap<String, (u64, HashSet<String>)> = BTreeMap::new();
        for row in self.rows() {
            let Some(url) = self.log.urls.get(row.url).filter(|url| url.query.is_some()) else {
                continue;
            };
            let Plan::Lookup(lookup) = plan(&self.rules, url) else {
                continue;
            };
            let query = lookup.key.url.query.as_deref().unwrap_or_default();
            for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let (count, values) = found.entry(name.to_owned()).or_default();
                *count = count.saturating_add(1);
                if values.len() < VALUES_MIN {
                    values.insert(value.to_owned());
                }
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.retain(|(_, (count, _))| *count >= self.least);
        found.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        found.truncate(PARAMETERS_MAX);
        let named = |(name, (_, values)): (String, (u64, HashSet<String>))| (name, values.len());
        found.into_iter().map(named).collect()
    }
}

fn has_reason(row: &Row) -> bool {
    row.reason != Reason::Unknown
}

/// Whether a request bypassed the cache by a cookie. Where the log has no
/// reasons: whether its URL may use the cache, so that most probably a cookie
/// prevented it.
pub fn is_cookie_bypass(log: &Log, rules: &Rules, row: &Row) -> bool {
    let plan = log.urls.get(row.url).map(|url| plan(rules, url));
    let may_be = matches!(row.reason, Reason::Cookie | Reason::Unknown);
    row.outcome == Outcome::Bypass && may_be && matches!(plan, Some(Plan::Lookup(_)))
}

/// The setting `query` without a parameter.
fn without(query: &Query, parameter: &str) -> Value {
    match query {
        Query::All => json!({ "deny": [parameter] }),
        Query::Deny(names) => {
            let names = names.iter().map(String::as_str).chain([parameter]);
            json!({ "deny": names.collect::<Vec<_>>() })
        }
        Query::Allow(names) => {
            let names = names.iter().filter(|name| *name != parameter);
            json!({ "allow": names.collect::<Vec<_>>() })
        }
    }
}
