//! The key of a request, and what was changed or dropped on the way to it.

use crate::cache::key::cache_key::{dropped_by, name_of};
use crate::cache::key::cookies;
use crate::cache::request::classify::Lookup;
use crate::cache::request::client_fields::{CONDITIONS, DEBUG_FIELD};
use crate::cache::request::origin_request::cookie;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use crate::http::url::canonical_parameter;
use serde::Serialize;

/// The key of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyFacts {
    /// The key as text: the URL, then a line for each field and cookie.
    pub text: String,
    /// Its digest, as in the log.
    pub digest: String,
    /// What was changed on the way from the request.
    pub changes: Vec<Change>,
}

/// A part of a request that neither the key nor the origin has as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `path`, `query`, `field` or `cookie`.
    pub part: &'static str,
    /// `dropped`, `decoded` (in canonical form), `sorted` or `replaced`.
    pub what: &'static str,
    /// The part as it was sent; only its name for a field or cookie that was
    /// dropped.
    pub from: String,
    /// Its new form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The setting that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<&'static str>,
}

/// The changes so far.
#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    /// Adds a change. It is compiled once, not at each of its calls.
    #[inline(never)]
    fn add(
        &mut self,
        (part, what): (&'static str, &'static str),
        from: &str,
        to: Option<&str>,
        by: Option<&'static str>,
    ) {
        if to != Some(from) {
            self.0.push(Change {
                part,
                what,
                from: from.to_owned(),
                to: to.map(str::to_owned),
                by,
            });
        }
    }

    fn in_query(&mut self, request: &RequestHead, lookup: &Lookup) {
        let rule = &lookup.rule;
        let query = request.url.query.as_deref().unwrap_or_default();
        let mut kept = String::new();
        for sent in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let parameter = canonical_parameter(sent);
            let by = dropped_by(name_of(&parameter), rule);
            if by.is_some() {
                self.add(("query", "dropped"), sent, None, by);
                continue;
            }
            self.add(("query", "decoded"), sent, Some(&parameter), None);
            if !kept.is_empty() {
                kept.push('&');
            }
            kept.push_str(&parameter);
        }
        let sorted = lookup.requested.url.query.as_deref().unwrap_or_default();
        let by = Some("sort_query");
        self.add(("query", "sorted"), &kept, Some(sorted), by);
        // `No-Vary-Search` shortens it further (`flow::store::query_alias`).
        let used = lookup.key.url.query.as_deref().unwrap_or_default();
        let by = Some("no_vary_search");
        self.add(("query", "dropped"), sorted, Some(used), by);
    }

    /// The fields that do not reach the origin, or with another value. The cache
    /// itself answers conditions and ranges.
    fn in_fields(&mut self, client: &Fields, sent: &Fields) {
        for (at, (name, _)) in client.iter().enumerate() {
            let is_known = client.iter().take(at).any(|(other, _)| other == name);
            let is_own = name == "cookie" || name == DEBUG_FIELD || CONDITIONS.contains(&name);
            if is_known || is_own {
                continue;
            }
            match sent.joined(name) {
                None => self.add(("field", "dropped"), name, None, None),
                Some(to) => {
                    let from = client.joined(name).unwrap_or_default();
                    if from != to {
                        let line = |value: &str| [name, ": ", value].concat();
                        let kind = ("field", "replaced");
                        self.add(kind, &line(&from), Some(&line(&to)), None);
                    }
                }
            }
        }
    }

    fn in_cookies(&mut self, client: &Fields, sent: &Fields) {
        for (name, _) in cookies::pairs(client) {
            if cookie(name, sent).is_none() {
                self.add(("cookie", "dropped"), name, None, None);
            }
        }
    }
}

impl KeyFacts {
    /// The key of a request that may use the cache.
    pub fn of(request: &RequestHead, lookup: &Lookup) -> Self {
        let mut changes = Changes::default();
        let path = &lookup.requested.url.path;
        let sent = &lookup.origin().fields;
        changes.add(("path", "decoded"), &request.url.path, Some(path), None);
        changes.in_query(request, lookup);
        changes.in_fields(&request.fields, sent);
        changes.in_cookies(&request.fields, sent);
        Self {
            text: lookup.key.text.clone(),
            digest: lookup.key.slot().digest.clone(),
            changes: changes.0,
        }
    }
}
