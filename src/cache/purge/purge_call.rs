//! Purge calls in the dialects of other caches: Varnish's `PURGE`, and the
//! purge APIs of Fastly and Cloudflare. A rule enables each dialect; without
//! it, these requests go to the origin like any other.
//!
//! Sources: Fastly, "Purge API"; Cloudflare, "Purge Cached Content"; and the
//! requests of their public clients.

use super::order::{self, NotOrder, ParsedPurge, PurgeKind};
use super::varnish;
use crate::cache::config::rule::Rule;
use crate::cache::config::rules::Rules;
use crate::cache::config::setting_words::Dialect;
use crate::http::fields::Fields;
use crate::http::head::RequestHead;
use crate::http::url::{Url, decoded};
use crate::json_object;
use serde::Deserialize;

/// A purge call in a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeCall {
    /// The dialect.
    pub dialect: Dialect,
    /// The requested action.
    pub action: Action,
}

/// The action of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Purge the URL of the request.
    Url(String),
    /// Purge what URL and fields mean in Varnish's dialect
    /// (`cache::purge::varnish`).
    Varnish {
        /// Whether the method is `BAN`.
        ban: bool,
        /// The URL of the request.
        url: Url,
    },
    /// Purge one tag, given in the path.
    Tag(String),
    /// Purge the tags given in a field, or in the body if `None`.
    Tags(Option<String>),
    /// Purge everything.
    Everything,
    /// Execute the body, which is an order.
    Order,
    /// Return the zone of this name: clients query it before they purge.
    Zone(String),
    /// Verify the token.
    Verify,
}

/// Returns the purge call that a request makes under its rule, if any. `url` is
/// the canonical form of the request's URL.
pub fn call(rule: &Rule, request: &RequestHead, url: &Url) -> Option<PurgeCall> {
    let speaks = |dialect: &Dialect| rule.purge_dialects.contains(dialect);
    let (method, path, fields) = (request.method.name(), url.path.as_str(), &request.fields);
    let found = |dialect, action| Some(PurgeCall { dialect, action });
    if varnish::is_method(method) {
        let ban = method == "BAN";
        let fastly = speaks(&Dialect::Fastly) && !ban;
        if fastly && (fields.has("fastly-key") || !speaks(&Dialect::Varnish)) {
            return found(Dialect::Fastly, Action::Url(request.url.to_string()));
        }
        return speaks(&Dialect::Varnish).then(|| PurgeCall {
            dialect: Dialect::Varnish,
            action: Action::Varnish {
                ban,
                url: request.url.clone(),
            },
        });
    }
    if speaks(&Dialect::Fastly)
        && method == "POST"
        && let Some(action) = fastly(path, url.query.as_deref(), fields)
    {
        return found(Dialect::Fastly, action);
    }
    if speaks(&Dialect::Cloudflare)
        && let Some(action) = cloudflare(method, url)
    {
        return found(Dialect::Cloudflare, action);
    }
    None
}

fn fastly(path: &str, query: Option<&str>, fields: &Fields) -> Option<Action> {
    if let Some(rest) = path.strip_prefix("/purge/") {
        // Generated clients escape the whole URL.
        let whole = match rest.contains('/') {
            true => rest.to_owned(),
            false => decoded(rest)?,
        };
        let whole = match query {
            Some(query) => format!("{whole}?{query}"),
            None => whole,
        };
        return Some(Action::Url(match whole.contains("://") {
            true => whole,
            false => format!("https://{whole}"),
        }));
    }
    let (service, rest) = path.strip_prefix("/service/")?.split_once('/')?;
    if service.is_empty() {
        return None;
    }
    match rest {
        "purge" => Some(Action::Tags(fields.joined("surrogate-key"))),
        "purge_all" => Some(Action::Everything),
        _ => Some(Action::Tag(decoded(rest.strip_prefix("purge/")?)?)),
    }
}

fn cloudflare(method: &str, url: &Url) -> Option<Action> {
    let path = url.path.strip_prefix("/client/v4/")?.trim_end_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match (method, first, rest) {
        ("GET", "zones", "") => {
            let parameters = url.query.as_deref().unwrap_or_default().split('&');
            let name = parameters
                .filter_map(|text| text.strip_prefix("name="))
                .next();
            Some(Action::Zone(match name {
                Some(name) => decoded(name)?,
                None => url.host_name().to_owned(),
            }))
        }
        ("GET", "user", "tokens/verify") => Some(Action::Verify),
        // Older clients send DELETE.
        ("POST" | "DELETE", "zones", rest) => {
            let zone = rest.strip_suffix("/purge_cache")?;
            (!zone.is_empty() && !zone.contains('/')).then_some(Action::Order)
        }
        _ => None,
    }
}

impl PurgeCall {
    /// Returns the order that the call stands for.
    pub fn parse(
        &self,
        rules: &Rules,
        fields: &Fields,
        body: &[u8],
    ) -> Result<ParsedPurge, NotOrder> {
        // Fastly: "if present", whatever its value.
        let soft = self.dialect == Dialect::Fastly && fields.has("fastly-soft-purge");
        let mut parsed = ParsedPurge::default();
        let mut add = |kind, path: String, text: &str| parsed.add(rules, kind, path, text, soft);
        match &self.action {
            Action::Url(text) => add(PurgeKind::Url, "url".to_owned(), text),
            Action::Tag(tag) => add(PurgeKind::Tag, "surrogate_key".to_owned(), tag),
            Action::Tags(named) => {
                let tags = match named {
                    Some(named) => split_tags(named),
                    None => tags_of(body)?,
                };
                for (at, tag) in tags.iter().enumerate() {
                    add(PurgeKind::Tag, format!("surrogate_keys[{at}]"), tag);
                }
            }
            // Fastly: "cannot be done in soft mode".
            Action::Everything => parsed.add_everything(false),
            Action::Order => parsed = order::read(rules, body, true)?,
            Action::Varnish { ban, url } => varnish::read(&mut parsed, rules, *ban, url, fields)?,
            Action::Zone(_) | Action::Verify => {}
        }
        Ok(parsed)
    }
}

fn split_tags(text: &str) -> Vec<String> {
    text.split([' ', '\t', ','])
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Fastly's JSON body.
#[derive(Deserialize)]
#[serde(remote = "Self")]
struct FastlyBody {
    surrogate_keys: Vec<String>,
}

json_object!(FastlyBody);

fn tags_of(body: &[u8]) -> Result<Vec<String>, NotOrder> {
    let read = order::read_body(body).map_err(|error| match error {
        NotOrder::Shape(_) => {
            let problem = "name the tags in Surrogate-Key, or as a list \"surrogate_keys\"";
            NotOrder::Shape(problem.to_owned())
        }
        other => other,
    });
    read.map(|body: FastlyBody| body.surrogate_keys)
}
