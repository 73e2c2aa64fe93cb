//! Plays the requests of a log through rules and keys: one cache of unlimited
//! space in one data centre, with the core's keys and lifetimes.

use super::log::{Log, Outcome, Row};
use super::reasons::Reason;
use crate::cache::config::rule::Rule;
use crate::cache::config::rules::Rules;
use crate::cache::policy::freshness::{Times, terms};
use crate::cache::request::classify::{Plan, classify};
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead, ResponseHead};
use crate::http::url::Url;
use std::collections::HashMap;
use std::rc::Rc;

/// What a replay counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were answered without the origin, or from a stale copy.
    pub hits: u64,
    /// Hits of which the log shows whether the copy was still the same.
    pub compared: u64,
    /// Hits whose copy was no longer the same.
    pub changed: u64,
    /// Hits by a copy of another URL, with a body of the same length.
    pub merged_equal: u64,
    /// … of another length.
    pub merged_differing: u64,
}

/// A stored response.
#[derive(Clone, Copy, Debug)]
struct Copy {
    fresh_until: u64,
    usable_until: u64,
    url: usize,
    version: Option<u64>,
}

/// The rule and the key of a URL; `None` if it does not use the cache.
type Planned = Option<(Rc<Rule>, usize)>;

/// Plans of URLs, made when they are needed.
struct Plans<'a> {
    rules: &'a Rules,
    by_url: HashMap<usize, Planned>,
    keys: HashMap<String, usize>,
}

impl Plans<'_> {
    fn of(&mut self, id: usize, url: &Url) -> Planned {
        if let Some(planned) = self.by_url.get(&id) {
            return planned.clone();
        }
        let planned = match plan(self.rules, url) {
            Plan::Lookup(lookup) => {
                let next = self.keys.len();
                let key = self.keys.entry(lookup.key.text.clone()).or_insert(next);
                Some((lookup.rule, *key))
            }
            _ => None,
        };
        self.by_url.insert(id, planned.clone());
        planned
    }
}

/// The classification of a plain GET.
pub fn plan(rules: &Rules, url: &Url) -> Plan {
    let request = RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields: Fields::new(),
    };
    classify(rules, &request)
}

/// Replays these rows of a log.
pub fn replay<'a>(log: &'a Log, rules: &Rules, rows: impl Iterator<Item = &'a Row>) -> Tally {
    let mut tally = Tally::default();
    let mut copies: HashMap<usize, Copy> = HashMap::new();
    let mut plans = Plans {
        rules,
        by_url: HashMap::new(),
        keys: HashMap::new(),
    };
    for row in rows {
        let url = log.urls.get(row.url);
        let planned = url.and_then(|url| plans.of(row.url, url));
        let Some((rule, key)) = planned.filter(|(rule, _)| may_use(row, rule)) else {
            continue;
        };
        let copy = copies.get(&key).copied();
        if let Some(copy) = copy.filter(|copy| row.at < copy.usable_until) {
            count(&mut tally, log, row, copy);
            if row.at < copy.fresh_until {
                continue;
            }
        }
        // A miss, or the refresh of a stale copy. HEAD stores nothing.
        if !row.is_head
            && let Some(fetched) = fetched(row, &rule)
        {
            copies.insert(key, fetched);
        }
    }
    tally
}

/// The log does not name a bypass cookie, so only a rule without any lets such a
/// request use the cache.
fn may_use(row: &Row, rule: &Rule) -> bool {
    let has_none = rule.bypass_cookies.is_empty() && !rule.bypass_sessions;
    row.outcome != Outcome::Bypass || (has_none && row.reason != Reason::Other)
}

fn count(tally: &mut Tally, log: &Log, row: &Row, copy: Copy) {
    tally.hits = tally.hits.saturating_add(1);
    let (Some(now), Some(stored)) = (row.version, copy.version) else {
        return;
    };
    let counter = match (row.url == copy.url, now == stored) {
        (true, is_same) => {
            tally.compared = tally.compared.saturating_add(1);
            if is_same {
                return;
            }
            &mut tally.changed
        }
        // Counters of fetches say nothing about another URL.
        (false, _) if !log.has_lengths => return,
        (false, true) => &mut tally.merged_equal,
        (false, false) => &mut tally.merged_differing,
    };
    *counter = counter.saturating_add(1);
}

/// The copy of a response, by the core's lifetimes. `None` if it is not stored.
fn fetched(row: &Row, rule: &Rule) -> Option<Copy> {
    if row.lifetime.is_none() && row.reason == Reason::Other {
        return None;
    }
    let mut fields = Fields::new();
    if let Some(lifetime) = row.lifetime {
        fields.add("cache-control", format!("max-age={lifetime}"));
    }
    let head = ResponseHead {
        status: row.status,
        fields,
    };
    let now = Times {
        request_ms: 0,
        response_ms: 0,
    };
    let terms = terms(&head, rule, now)?;
    let fresh_until = row.at.saturating_add(terms.lifetime);
    Some(Copy {
        fresh_until,
        usable_until: fresh_until.saturating_add(terms.stale_while_revalidate),
        url: row.url,
        version: row.version,
    })
}
