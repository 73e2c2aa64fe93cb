//! The groups of URLs for which rules are proposed: those of a rule that the
//! settings have already, otherwise those of a folder below the root, or one
//! file. No URL is in two groups.

use super::log::Log;
use crate::cache::config::rules::Rules;
use std::collections::HashMap;

/// The largest number of groups. URLs of others get no proposal.
const GROUPS_MAX: usize = 10_000;

/// The longest pattern in bytes.
const PATTERN_BYTES_MAX: usize = 200;

/// What the URLs of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GroupScope {
    /// The rule of the settings with this number.
    Rule(usize),
    /// Host and pattern of the path; no rule of the settings matches.
    New {
        /// `None` if the log has one host only.
        host: Option<String>,
        /// The pattern.
        path: String,
    },
}

/// A group of URLs.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they have in common.
    pub scope: GroupScope,
    /// The places of their requests in the log.
    pub rows: Vec<usize>,
}

/// The groups of a log, those with most requests first.
pub fn groups(log: &Log, rules: &Rules) -> Vec<Group> {
    let first = log.urls.first().map(|url| &url.host);
    let one_host = log.urls.iter().all(|url| Some(&url.host) == first);
    let scopes: Vec<Option<GroupScope>> = log
        .urls
        .iter()
        .map(|url| {
            if let Some(own) = rules.rule_for(url).source.own {
                return Some(GroupScope::Rule(own));
            }
            let path = pattern(&url.path)?;
            let host = (!one_host).then(|| url.host_name().to_owned());
            Some(GroupScope::New { host, path })
        })
        .collect();
    let mut places: HashMap<&GroupScope, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (number, row) in log.rows.iter().enumerate() {
        let Some(Some(scope)) = scopes.get(row.url) else {
            continue;
        };
        let place = *places.entry(scope).or_insert(groups.len());
        if let Some(group) = groups.get_mut(place) {
            group.rows.push(number);
        } else if groups.len() < GROUPS_MAX {
            groups.push(Group {
                scope: scope.clone(),
                rows: vec![number],
            });
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
    groups
}

/// The pattern of a path: its first folder, or itself. `None` if a pattern
/// cannot name it.
fn pattern(path: &str) -> Option<String> {
    let folder = path
        .strip_prefix('/')
        .and_then(|rest| rest.split_once('/'))
        .map(|(folder, _)| folder);
    let pattern = match folder {
        Some(folder) if folder.contains('*') => return None,
        Some(folder) => format!("/{folder}/*"),
        None if path.contains('*') => return None,
        None => path.to_owned(),
    };
    (pattern.len() <= PATTERN_BYTES_MAX).then_some(pattern)
}
