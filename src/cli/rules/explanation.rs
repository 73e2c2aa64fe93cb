//! What becomes of a request before the tiers are read: its rule, its key, and
//! what was changed or left out on the way. It compares what the core's
//! functions receive with what they return, so it has no rules of its own.

use crate::cache::config::rule::Rule;
use crate::cache::config::rules::Rules;
use crate::cache::config::setting_sources::{DEFAULT, RuleSources};
use crate::cache::explain::request_key::KeyFacts;
use crate::cache::key::cache_key;
use crate::cache::purge::selector::url_selector;
use crate::cache::request::classify::{Lookup, Plan, classify};
use crate::cli::rules::settings_file::SettingsFile;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use serde::Serialize;
use std::collections::BTreeMap;

/// What becomes of a request, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UrlExplanation {
    /// The URL as Edgekeep reads it.
    pub url: String,
    /// What becomes of it.
    pub expected: ExpectedPlan,
    /// The rule; `None` for Edgekeep's own addresses.
    pub rule: Option<RuleSources>,
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
pub struct ExpectedPlan {
    /// `lookup`, `pass`, `purge`, or `own`: Edgekeep answers itself.
    pub result: &'static str,
    /// Why it does not use the cache: a word of `Cache-Status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// Explains a GET of `url` with these fields.
pub fn explain(file: &SettingsFile, url: &Url, fields: Fields) -> UrlExplanation {
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
    UrlExplanation {
        url: url.to_text(),
        expected: ExpectedPlan { result, reason },
        rule: has_rule.then(|| written_settings(&file.rules, &rule)),
        key: lookup.map(|lookup| KeyFacts::of(&request, lookup)),
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

/// The settings of a rule that a table sets. What is not among them has
/// Edgekeep's default.
pub fn written_settings(rules: &Rules, rule: &Rule) -> RuleSources {
    let mut sources = rules.settings_of(rule);
    sources.settings.retain(|setting| setting.from != DEFAULT);
    sources
}
