//! The whole explanation of a request, and its short form for a response field.

use super::copy::CopyFacts;
use super::request_key::KeyFacts;
use crate::cache::config::rules::Rules;
use crate::cache::config::setting_sources::{DEFAULT, RuleSources};
use crate::cache::key::cache_key;
use crate::cache::key::variant::Choice;
use crate::cache::request::classify::Plan;
use crate::http::head::RequestHead;
use crate::http::json_object::{pairs, print};
use serde::Serialize;
use std::fmt::Write;
use std::ops::Not;

/// The longest short form of an explanation, and the longest list of tags
/// beside it, in bytes. Browsers and proxies accept 8 KB in a field; the tags
/// of an entry alone can have 72.
pub const FIELD_BYTES_MAX: usize = 4096;

/// What becomes of a request, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The URL, as Edgekeep reads it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// What a client would get now.
    pub expected: Expected,
    /// The rule; `None` for Edgekeep's own addresses.
    pub rule: Option<RuleSources>,
    /// The key; `None` if the request does not use the cache.
    pub key: Option<KeyFacts>,
    /// The request fields that choose the variant, as the origin receives them:
    /// those by which a stored response varies.
    #[serde(serialize_with = "pairs::serialize")]
    pub vary: Vec<Choice>,
    /// The purge index with which stored responses are judged.
    pub purge_index: Option<IndexFacts>,
    /// The tiers, in the order in which a lookup reads them.
    pub tiers: Vec<TierFacts>,
    /// Failures of tiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether parts were left out, because they were too long for a field.
    #[serde(skip_serializing_if = "Not::not")]
    pub cut: bool,
}

/// What a client would get now.
#[derive(Clone, Debug, Serialize)]
pub struct Expected {
    /// `hit`, `stale` (served, and refreshed behind the response),
    /// `revalidate` (the origin is asked whether a stored response is good),
    /// `miss`, `pass`, `error`, or `own`: Edgekeep answers itself.
    pub result: &'static str,
    /// `Cache-Status`, as far as it is known before the origin is asked.
    pub cache_status: String,
    /// Why the request does not use the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Whether a stored response may be served if the origin fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_if_error: Option<bool>,
}

/// The purge index of the isolate.
#[derive(Clone, Debug, Serialize)]
pub struct IndexFacts {
    /// `current`, or the word in `Cache-Status` for an index that is not.
    pub state: &'static str,
    /// The sequence number up to which it is complete.
    pub sequence: u64,
}

/// A tier.
#[derive(Clone, Debug, Serialize)]
pub struct TierFacts {
    /// `memory`, `cache-api` or `kv`.
    pub tier: &'static str,
    /// Whether the rule uses it.
    pub used: bool,
    /// The stored responses in the slots that a lookup reads.
    pub copies: Vec<CopyFacts>,
}

impl Explanation {
    /// What is known of a request without the tiers, by the decisions that
    /// `plan` contains.
    pub fn of_plan(rules: &Rules, request: &RequestHead, plan: &Plan) -> Self {
        let rule = match plan {
            Plan::Admin => None,
            Plan::Purge(_) => Some(rules.rule_for(&cache_key::canonical_path(&request.url))),
            plan => plan.rule().cloned(),
        };
        let key = match plan {
            Plan::Lookup(lookup) => Some(KeyFacts::of(request, lookup)),
            Plan::Admin | Plan::Purge(_) | Plan::Bypass(..) => None,
        };
        let (result, reason) = match plan {
            Plan::Admin | Plan::Purge(_) => ("own", None),
            Plan::Bypass(reason, ..) => ("pass", Some(reason.word())),
            Plan::Lookup(_) => ("miss", None),
        };
        Self {
            url: request.url.to_text(),
            expected: Expected {
                result,
                cache_status: String::new(),
                reason,
                stale_if_error: None,
            },
            rule: rule.map(|rule| rules.settings_of(&rule)),
            key,
            vary: Vec::new(),
            purge_index: None,
            tiers: Vec::new(),
            notes: Vec::new(),
            cut: false,
        }
    }

    /// The short form: JSON in ASCII, of at most [`FIELD_BYTES_MAX`] bytes. It
    /// has no URL, no defaults and no tags; if it is still too long, it has no
    /// rule, then no key, then no notes, then no tiers.
    pub fn short(mut self) -> String {
        self.url.clear();
        if let Some(rule) = &mut self.rule {
            rule.settings.retain(|setting| setting.from != DEFAULT);
        }
        for copy in self.tiers.iter_mut().flat_map(|tier| &mut tier.copies) {
            copy.tags.clear();
        }
        let leave_out: [fn(&mut Self); 4] = [
            |it| it.rule = None,
            |it| it.key = None,
            |it| it.notes.clear(),
            |it| {
                it.tiers.clear();
                it.vary.clear();
            },
        ];
        let mut text = ascii(&print(&self));
        for leave_out in leave_out {
            if text.len() <= FIELD_BYTES_MAX {
                break;
            }
            leave_out(&mut self);
            self.cut = true;
            text = ascii(&print(&self));
        }
        text
    }

    /// The tags of the stored response that the request finds first, separated
    /// by commas; as many as [`FIELD_BYTES_MAX`] holds. `None` if there are
    /// none.
    pub fn tags(&self) -> Option<String> {
        let copies = self.tiers.iter().flat_map(|tier| &tier.copies);
        let own = copies.filter(|copy| !copy.verdict.starts_with("other-"));
        let mut tags = String::new();
        for tag in own.map(|copy| &copy.tags).next()? {
            // A comma, and the tag.
            if tags.len().saturating_add(tag.len()) >= FIELD_BYTES_MAX {
                break;
            }
            if !tags.is_empty() {
                tags.push(',');
            }
            tags.push_str(tag);
        }
        (!tags.is_empty()).then_some(tags)
    }
}

/// JSON with escapes instead of characters that are not ASCII. They stand only
/// in strings.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}
