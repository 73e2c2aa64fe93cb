//! Parser of purge orders: which selectors to purge, hard or softly, and the
//! errors in them.
//!
//! The body has the shape of Cloudflare's own purge call, with an extension: a
//! list item may be an object with its own `soft`, so that one order may
//! contain both kinds.

use super::selector::{PREFIX_DEPTH_MAX, Selector, url_selector};
use crate::cache::config::cascade::{Carried, Cascades};
use crate::cache::config::keys::KeyPermissions;
use crate::cache::config::rules::Rules;
use crate::cache::key::cache_key;
use crate::cache::matching::tag::{RESERVED_TAG_PREFIX, is_reserved_tag, is_tag};
use crate::http::json_object::{JsonError, pairs, read_bytes};
use crate::http::url::{self, Url};
use crate::json_object;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use std::collections::HashSet;

/// The longest order, in bytes. 1,000 items have 131 bytes each.
/// `{"url":"…","soft":true},` takes 26 and leaves 105 for a URL, which 95 of
/// 100 URLs of a blog do not exceed (`tests/data`). At 64 KiB half of them
/// would not fit.
pub const ORDER_BYTES_MAX: usize = 128 * 1024;

/// The largest number of selectors in an order, without those added by
/// cascades.
pub const SELECTORS_MAX: usize = 1000;

/// The kind of a list of selectors in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeKind {
    /// `files`
    Url,
    /// `tags`
    Tag,
    /// `prefixes`
    Prefix,
    /// `hosts`
    Host,
}

impl PurgeKind {
    /// The name of the list in an order.
    pub fn list(self) -> &'static str {
        match self {
            Self::Url => "files",
            Self::Tag => "tags",
            Self::Prefix => "prefixes",
            Self::Host => "hosts",
        }
    }

    /// The member with the selector, if an item is an object.
    fn member(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Tag => "tag",
            Self::Prefix => "prefix",
            Self::Host => "host",
        }
    }
}

/// Why a body is not an order at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOrder {
    /// It is not JSON.
    #[error("{0}")]
    Json(String),
    /// It is JSON of another shape.
    #[error("{0}")]
    Shape(String),
    /// It has no selectors.
    #[error("name files, tags, prefixes, hosts or purge_everything")]
    Empty,
    /// It has more than [`SELECTORS_MAX`] selectors.
    #[error("an order has at most {SELECTORS_MAX} selectors; split it")]
    TooMany,
    /// Its cascades add more tags than a receipt may list.
    #[error("its tags carry too many others for one receipt; split it")]
    TooMuchCarried,
}

/// The longest error text that is kept, in characters: it quotes the body.
const PROBLEM_CHARS_MAX: usize = 500;

/// Parses a JSON body.
pub(crate) fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotOrder> {
    let text = |error: JsonError| error.to_string().chars().take(PROBLEM_CHARS_MAX).collect();
    // Parsing stops at the first error of shape. The rest must be valid JSON,
    // too.
    read_bytes(bytes).map_err(|error| match read_bytes::<Value>(bytes) {
        Err(syntax) => NotOrder::Json(text(syntax)),
        Ok(_) => NotOrder::Shape(text(error)),
    })
}

/// An error in a part of an order: the path of the part, such as `files[2]`,
/// and the problem.
pub type Refusal = (String, String);

/// One selector of an order.
#[derive(Clone, Debug)]
struct Item {
    path: String,
    selector: Selector,
    soft: bool,
    /// The canonical URL, if the selector is of a file.
    url: Option<Url>,
}

/// An order as it was sent, selector by selector.
#[derive(Debug, Default)]
pub struct ParsedPurge {
    items: Vec<Item>,
    /// Errors in the order.
    pub refused: Vec<Refusal>,
    /// Whether its soft files are to be refreshed.
    refresh: bool,
    /// Whether only a report is wanted, and nothing is purged.
    pub dry_run: bool,
}

/// An order with its cascades, as the ledger receives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedPurge {
    /// The texts of the selectors to purge hard; those added by cascades come
    /// last.
    pub hard: Vec<String>,
    /// The same for soft purges, without those that are also purged hard.
    pub soft: Vec<String>,
    /// Which tags the cascades added, for each tag.
    pub cascade: Carried,
    /// URLs to refresh.
    pub refresh: Vec<String>,
}

/// The JSON body. Items are validated one by one, so that an error can list all
/// invalid ones.
#[derive(Default, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct OrderBody {
    files: Vec<ListItem>,
    tags: Vec<ListItem>,
    prefixes: Vec<ListItem>,
    hosts: Vec<ListItem>,
    purge_everything: bool,
    soft: bool,
    refresh: bool,
    dry_run: bool,
}

json_object!(OrderBody);

/// An item of a list. An item of another shape is `Other`, and not an error,
/// which would end the parsing.
#[derive(Deserialize)]
#[serde(untagged)]
enum ListItem {
    Text(String),
    Object(#[serde(with = "pairs")] Vec<(String, Value)>),
    Other(IgnoredAny),
}

/// Parses an order's body. With `with_headers`, files may be objects with
/// `headers`, as Cloudflare's clients send them. They are ignored, because
/// Edgekeep purges all variants of a URL.
pub fn read(rules: &Rules, bytes: &[u8], with_headers: bool) -> Result<ParsedPurge, NotOrder> {
    let body: OrderBody = read_body(bytes)?;
    let lists = [
        (PurgeKind::Url, &body.files),
        (PurgeKind::Tag, &body.tags),
        (PurgeKind::Prefix, &body.prefixes),
        (PurgeKind::Host, &body.hosts),
    ];
    let listed: usize = lists.iter().map(|(_, list)| list.len()).sum();
    if listed.saturating_add(usize::from(body.purge_everything)) > SELECTORS_MAX {
        return Err(NotOrder::TooMany);
    }
    let mut parsed = ParsedPurge {
        refresh: body.refresh,
        dry_run: body.dry_run,
        ..ParsedPurge::default()
    };
    for (kind, list) in lists {
        for (at, item) in list.iter().enumerate() {
            let path = format!("{}[{at}]", kind.list());
            match read_item(kind, item, with_headers) {
                Ok((text, soft)) => parsed.add(rules, kind, path, text, soft.unwrap_or(body.soft)),
                Err((member, problem)) => parsed.refused.push((path + &member, problem)),
            }
        }
    }
    if body.purge_everything {
        parsed.add_everything(body.soft);
    }
    parsed.require_soft_file();
    Ok(parsed)
}

/// Returns a selector's text and its own `soft`, from a text or an object. The
/// path in an error is relative to the item.
fn read_item(
    kind: PurgeKind,
    item: &ListItem,
    with_headers: bool,
) -> Result<(&str, Option<bool>), Refusal> {
    let member = kind.member();
    let wrong = |name: &str, problem: &str| Err((name.to_owned(), problem.to_owned()));
    let object = match item {
        ListItem::Text(text) => return Ok((text, None)),
        ListItem::Object(members) => members,
        ListItem::Other(_) => {
            return wrong("", "must be a text, or an object without repeated names");
        }
    };
    for (name, _) in object {
        let headers = with_headers && kind == PurgeKind::Url && name == "headers";
        if name != member && name != "soft" && !headers {
            let problem = format!("only \"{member}\" and \"soft\" are known here");
            return Err((format!(".{name}"), problem));
        }
    }
    let find = |wanted: &str| object.iter().find(|(name, _)| name == wanted);
    let soft = match find("soft") {
        None => None,
        Some((_, Value::Bool(soft))) => Some(*soft),
        Some(_) => return wrong(".soft", "must be true or false"),
    };
    match find(member) {
        Some((_, Value::String(text))) => Ok((text, soft)),
        Some(_) => Err((format!(".{member}"), "must be a text".to_owned())),
        None => Err((String::new(), format!("has no \"{member}\""))),
    }
}

impl ParsedPurge {
    /// Adds a selector, normalized like a request's URL, or its error.
    pub fn add(&mut self, rules: &Rules, kind: PurgeKind, path: String, text: &str, soft: bool) {
        let read = match kind {
            PurgeKind::Url => file(rules, text).map(|(selector, url)| (selector, Some(url))),
            PurgeKind::Tag => tag(text).map(|selector| (selector, None)),
            PurgeKind::Prefix => prefix(text).map(|selector| (selector, None)),
            PurgeKind::Host => host(text).map(|selector| (selector, None)),
        };
        match read {
            Ok((selector, url)) => self.items.push(Item {
                path,
                selector,
                soft,
                url,
            }),
            Err(problem) => self.refused.push((path, problem)),
        }
    }

    /// Adds the path of a URL with all its queries, or its error.
    pub fn add_path(&mut self, path: String, text: &str) {
        match Url::parse(text) {
            Ok(url) => {
                let url = cache_key::canonical_path(&url);
                self.items.push(Item {
                    path,
                    selector: Selector::Path(format!("{}{}", url.host, url.path)),
                    soft: false,
                    url: None,
                });
            }
            Err(error) => self.refused.push((path, format!("the URL {error}"))),
        }
    }

    /// Adds the selector of everything.
    pub fn add_everything(&mut self, soft: bool) {
        self.items.push(Item {
            path: "purge_everything".to_owned(),
            selector: Selector::Everything,
            soft,
            url: None,
        });
    }

    /// Returns an error if the order has no selectors, or more than
    /// [`SELECTORS_MAX`].
    pub fn check_size(&self) -> Result<(), NotOrder> {
        match self.items.len() {
            0 if self.refused.is_empty() => Err(NotOrder::Empty),
            size if size > SELECTORS_MAX => Err(NotOrder::TooMany),
            _ => Ok(()),
        }
    }

    /// The tags in the order, without cascades.
    pub fn tags(&self) -> Vec<String> {
        self.items.iter().filter_map(Item::tag).cloned().collect()
    }

    /// Removes the selectors that a key may not purge, and adds them to
    /// `refused`.
    pub fn limit(&mut self, permit: &KeyPermissions, key: &str) {
        let refused = &mut self.refused;
        self.items.retain(|item| {
            let allowed = permit.allows(&item.selector);
            if !allowed {
                let problem = format!("the key {key} may not purge {}", item.selector);
                refused.push((item.path.clone(), problem));
            }
            allowed
        });
    }

    /// Resolves the order: each selector once, hard before soft, with the tags
    /// that cascades add.
    pub fn resolve(&self, cascades: &Cascades) -> Result<ResolvedPurge, NotOrder> {
        let mut resolved = ResolvedPurge::default();
        let mut named = HashSet::new();
        for soft in [false, true] {
            let items = || self.items.iter().filter(move |item| item.soft == soft);
            let tags = items().filter_map(Item::tag).map(String::as_str);
            let carried = cascades
                .expand(tags, &mut resolved.cascade)
                .ok_or(NotOrder::TooMuchCarried)?;
            let carried = carried.into_iter().map(Selector::Tag);
            let selectors = items().map(|item| item.selector.clone()).chain(carried);
            let texts = selectors.map(|selector| selector.to_string());
            let new: Vec<String> = texts.filter(|text| named.insert(text.clone())).collect();
            match soft {
                false => resolved.hard = new,
                true => resolved.soft = new,
            }
        }
        resolved.refresh = self.files_to_refresh(&resolved.hard);
        Ok(resolved)
    }

    /// Returns the URLs of the soft files if the order wants them refreshed,
    /// without those that are also purged hard.
    fn files_to_refresh(&self, hard: &[String]) -> Vec<String> {
        if !self.refresh {
            return Vec::new();
        }
        let gone: HashSet<&str> = hard.iter().map(String::as_str).collect();
        let soft = self.items.iter().filter(|item| item.soft);
        let soft = soft.filter(|item| !gone.contains(item.selector.to_string().as_str()));
        let urls = soft.filter_map(|item| item.url.as_ref());
        let mut named = HashSet::new();
        urls.map(Url::to_string)
            .filter(|url| named.insert(url.clone()))
            .collect()
    }

    /// Refuses an order with `refresh` but nothing to refresh.
    fn require_soft_file(&mut self) {
        let hard: Vec<String> = self
            .items
            .iter()
            .filter(|item| !item.soft)
            .map(|item| item.selector.to_string())
            .collect();
        // If a file was invalid, its error is already in `refused`.
        let none = self.refused.is_empty() && self.files_to_refresh(&hard).is_empty();
        if self.refresh && none {
            let problem = "needs soft files: it fetches them again behind the purge".to_owned();
            self.refused.push(("refresh".to_owned(), problem));
        }
    }
}

impl Item {
    fn tag(&self) -> Option<&String> {
        match &self.selector {
            Selector::Tag(tag) => Some(tag),
            _ => None,
        }
    }
}

/// Returns the selector of a URL, and the URL in canonical form.
fn file(rules: &Rules, text: &str) -> Result<(Selector, Url), String> {
    let url = Url::parse(text).map_err(|error| format!("the URL {error}"))?;
    let url = cache_key::canonical_path(&url);
    let rule = rules.rule_for(&url);
    let selector = url_selector(url.clone(), &rule);
    Ok((selector, cache_key::canonical_query(url, &rule)))
}

fn tag(text: &str) -> Result<Selector, String> {
    if is_reserved_tag(text) {
        Err(format!(
            "tags that begin with {RESERVED_TAG_PREFIX} are reserved"
        ))
    } else if is_tag(text) {
        Ok(Selector::Tag(text.to_owned()))
    } else {
        Err("a tag is 1 to 1024 printable ASCII characters without spaces and commas".to_owned())
    }
}

/// Parses `host/path`, with or without a scheme. The prefix matches the path
/// itself and all paths below it, at `/` boundaries.
fn prefix(text: &str) -> Result<Selector, String> {
    let text = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let url = Url::parse(&text).map_err(|error| format!("the prefix {error}"))?;
    if url.query.is_some() {
        return Err("a prefix has no query".to_owned());
    }
    let url = cache_key::canonical_path(&url);
    if url.path.matches('/').count() > PREFIX_DEPTH_MAX {
        return Err(format!("a prefix has at most {PREFIX_DEPTH_MAX} segments"));
    }
    let path = url.path.trim_end_matches('/');
    Ok(Selector::Prefix(format!("{}{path}", url.host)))
}

/// Parses a host name. A port is ignored: a purge of a host covers all its
/// ports.
fn host(text: &str) -> Result<Selector, String> {
    if url::canonical_host(url::host_name(text)).is_none() {
        return Err("must be a host name, such as www.example.com".to_owned());
    }
    let url = Url::parse(&format!("https://{text}")).map_err(|error| format!("it {error}"))?;
    Ok(Selector::Host(url.host_name().to_owned()))
}
