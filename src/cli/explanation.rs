//! What becomes of a request before the tiers are read: its rule, its key, and
//! what was changed or left out on the way. It compares what the core's
//! functions receive with what they return, so it has no rules of its own.

use super::rule_sources::{RuleSetting, name_of, settings_of};
use super::settings_file::SettingsFile;
use crate::cache::key::cache_key;
use crate::cache::key::cookies;
use crate::cache::purge::selector::url_selector;
use crate::cache::request::classify::{Lookup, Plan, classify};
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::{self, Url};
use serde::Serialize;
use std::collections::BTreeMap;

/// What becomes of a request, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The URL as Edgekeep reads it.
    pub url: String,
    /// What becomes of it.
    pub expected: Expected,
    /// The rule; `None` for Edgekeep's own addresses.
    pub rule: Option<RuleFacts>,
    /// The key; `None` if the request does not use the cache.
    pub key: Option<KeyFacts>,
    /// The request fields by which a response may vary, as the origin receives
    /// them.
    pub vary: BTreeMap<String, String>,
    /// The selector of an order that names this URL.
    pub purged_by: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// `lookup`, `pass`, `purge`, or `own`: Edgekeep answers itself.
    pub result: &'static str,
    /// Why it does not use the cache: a word of `Cache-Status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// The rule of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleFacts {
    /// The table that matches.
    pub name: String,
    /// Its settings.
    pub settings: Vec<RuleSetting>,
}

/// The key of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// The URL, then a line for each field and cookie.
    pub text: String,
    /// Its digest, as in the log.
    pub digest: String,
    /// What was changed on the way.
    pub changes: Vec<Change>,
}

/// A part of a request that neither the key nor the origin has as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `path`, `query`, `field` or `cookie`.
    pub part: &'static str,
    /// `dropped`, `decoded` (in canonical form), `sorted` or `replaced`.
    pub what: &'static str,
    /// The part as it was sent.
    pub from: String,
    /// Its new form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Explains a GET of `url` with these fields.
pub fn explain(file: &SettingsFile, url: &Url, fields: Fields) -> Explanation {
    let request = RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields,
    };
    let rule = file.rules.rule_for(&cache_key::canonical_path(url));
    let plan = classify(&file.rules, &request);
    let (result, reason) = match &plan {
        Plan::Admin => ("own", None),
        Plan::Purge(_) => ("purge", None),
        Plan::Bypass(reason, _, _) => ("pass", Some(reason.word())),
        Plan::Lookup(_) => ("lookup", None),
    };
    let has_rule = !matches!(plan, Plan::Admin);
    let lookup = match &plan {
        Plan::Lookup(lookup) => Some(lookup),
        _ => None,
    };
    let purged_by = lookup.map(|_| url_selector(cache_key::canonical_path(url), &rule));
    Explanation {
        url: url.to_text(),
        expected: Expected { result, reason },
        rule: has_rule.then(|| RuleFacts {
            name: name_of(&file.settings, rule.source),
            settings: settings_of(&file.settings, rule.source),
        }),
        key: lookup.map(|lookup| key_facts(&request, lookup)),
        vary: lookup.map_or_else(BTreeMap::new, |lookup| vary(lookup)),
        purged_by: purged_by.map(|selector| selector.to_string()),
    }
}

/// The fields that the origin receives from the client: an origin cannot vary by
/// another one.
fn vary(lookup: &Lookup) -> BTreeMap<String, String> {
    let sent = &lookup.origin().fields;
    let by_client = |name: &&str| lookup.client.has(name) || *name == "accept-encoding";
    let names = sent.iter().map(|(name, _)| name).filter(by_client);
    names
        .filter_map(|name| Some((name.to_owned(), lookup.choice(name)?)))
        .collect()
}

fn key_facts(request: &RequestHead, lookup: &Lookup) -> KeyFacts {
    let mut changes = Vec::new();
    let path = &lookup.key.url.path;
    changes.extend(changed("path", "decoded", &request.url.path, path));
    in_query(request, lookup, &mut changes);
    in_fields(&request.fields, lookup, &mut changes);
    KeyFacts {
        text: lookup.key.text.clone(),
        digest: lookup.key.slot().digest.clone(),
        changes,
    }
}

fn dropped(part: &'static str, from: &str) -> Change {
    Change {
        part,
        what: "dropped",
        from: from.to_owned(),
        to: None,
    }
}

/// `None` if both forms are equal.
fn changed(part: &'static str, what: &'static str, from: &str, to: &str) -> Option<Change> {
    (from != to).then(|| Change {
        what,
        to: Some(to.to_owned()),
        ..dropped(part, from)
    })
}

fn parameters(url: &Url) -> impl Iterator<Item = &str> {
    let query = url.query.as_deref().unwrap_or_default();
    query.split('&').filter(|parameter| !parameter.is_empty())
}

fn in_query(request: &RequestHead, lookup: &Lookup, changes: &mut Vec<Change>) {
    let used: Vec<&str> = parameters(&lookup.key.url).collect();
    let mut kept = Vec::new();
    for sent in parameters(&request.url) {
        let parameter = url::canonical_parameter(sent);
        if used.contains(&parameter.as_str()) {
            changes.extend(changed("query", "decoded", sent, &parameter));
            kept.push(parameter);
        } else {
            changes.push(dropped("query", sent));
        }
    }
    changes.extend(changed("query", "sorted", &kept.join("&"), &used.join("&")));
}

/// The fields and cookies that do not reach the origin, or in another form.
fn in_fields(client: &Fields, lookup: &Lookup, changes: &mut Vec<Change>) {
    let sent = &lookup.origin().fields;
    let mut names: Vec<&str> = client.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| *name != "cookie") {
        let from = client.joined(name).unwrap_or_default();
        match sent.joined(name) {
            None => changes.push(dropped("field", name)),
            Some(to) => {
                let change = changed("field", "replaced", &from, &to);
                changes.extend(change.map(|change| Change {
                    from: format!("{name}: {from}"),
                    ..change
                }));
            }
        }
    }
    for (name, _) in cookies::pairs(client) {
        if !cookies::pairs(sent).any(|(other, _)| other == name) {
            changes.push(dropped("cookie", name));
        }
    }
}
