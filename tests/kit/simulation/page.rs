//! A page of the origin: the fields and bodies of its responses.

use super::setup::{PageSetup, SEARCH};
use super::terms::Terms;
use edgekeep::cache::purge::selector::EVERYTHING;
use edgekeep::http::fields::Fields;
use std::cell::Cell;

/// The field that holds the tick at which the origin received the request.
pub const STAMP: &str = "x-stamp";
const VERSION: &str = "x-version";
const LANGUAGE: &str = "x-language";

/// The one cache group (RFC 9875).
const GROUP: &str = "all";

const TOKENS: usize = 6;

/// The number of a client, which its session contains.
pub type Name = u64;

/// How a page with content for single readers separates them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// The origin sends `private` to clients with a session.
    Private,
    /// The origin sends `no-store` to them.
    NoStore,
    /// The origin sends `Set-Cookie`, with a new session for clients without
    /// one.
    SetCookie,
    /// The page is shared, and `no-cache="set-cookie"` excludes the cookie.
    CookieApart,
    /// A setting adds the session to the cache key.
    Keyed,
    /// By a setting, requests with a session bypass the cache.
    Bypassed,
    /// `Authorization` identifies the client.
    Authorized,
    /// The same; the origin allows storing with revalidation (RFC 9111 §3.5),
    /// and a rule has `edge_ttl`. In attacks.
    EdgeLived,
    /// By a rule, requests with a session bypass the cache, and the
    /// cookies of other requests are forwarded. In attacks.
    Members,
    /// The origin names clients with a session, and does not mark these
    /// responses as private; but by the settings it receives no session.
    Careless,
}

impl Privacy {
    /// The kinds in storms.
    pub const ALL: [Self; 8] = [
        Self::Private,
        Self::NoStore,
        Self::SetCookie,
        Self::CookieApart,
        Self::Keyed,
        Self::Bypassed,
        Self::Authorized,
        Self::Careless,
    ];

    /// The folder that has these settings.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Private | Self::NoStore | Self::SetCookie | Self::CookieApart => "/own",
            Self::Keyed => "/keyed",
            Self::Bypassed => "/account",
            Self::Authorized => "/auth",
            Self::EdgeLived => "/basic",
            Self::Members => "/members",
            Self::Careless => "/hello",
        }
    }
}

/// A body: its bytes, their duration, and whether they break off.
#[derive(Clone, Debug)]
pub struct Bytes {
    pub text: String,
    pub broken: bool,
    pub takes_ms: u64,
}

pub struct Page {
    pub setup: PageSetup,
    pub version: Cell<u64>,
}

/// The origin's record of a request and its response, by tick.
#[derive(Clone, Debug)]
pub struct OriginRecord {
    pub page: usize,
    pub version: u64,
    pub language: String,
    /// Whether it was a HEAD request.
    pub head_only: bool,
    /// The client that the body names.
    pub owner: Option<Name>,
    /// The true time.
    pub at_ms: u64,
    /// The age of the response then, as in its `Age`.
    pub age_seconds: u64,
    pub terms: Terms,
    /// Whether its body was truncated, or had another length than its head.
    pub unruly: bool,
}

impl Page {
    fn place(&self) -> String {
        format!("{}{}", self.setup.host, self.setup.path)
    }

    /// The selector of its URL in an order.
    pub fn url_name(&self) -> String {
        match &*self.setup.path {
            SEARCH => format!("path:{}", self.place()),
            _ => format!("url:{}", self.place()),
        }
    }

    /// All selectors that match it.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.url_name(), EVERYTHING.to_owned()];
        let host = self.setup.host;
        names.push(format!("host:{host}"));
        let mut prefix = host.to_owned();
        names.push(format!("prefix:{prefix}"));
        for segment in self.setup.path.split('/').filter(|s| !s.is_empty()) {
            prefix = format!("{prefix}/{segment}");
            names.push(format!("prefix:{prefix}"));
        }
        names.extend(self.setup.tags.iter().map(|tag| format!("tag:{tag}")));
        if self.setup.grouped {
            names.push(format!("group:http://{host} {GROUP}"));
        }
        names
    }

    /// The ETag of a version.
    pub fn etag(&self, version: u64, language: &str) -> String {
        format!("\"v{version}{language}\"")
    }

    pub fn head(&self, stamp: u64, language: &str, with_tags: bool) -> Fields {
        let setup = &self.setup;
        let mut fields = Fields::new();
        fields.add("cache-control", setup.terms.cache_control());
        fields.add(STAMP, stamp.to_string());
        fields.add(VERSION, self.version.get().to_string());
        fields.add(LANGUAGE, language);
        if setup.etag {
            fields.add("etag", self.etag(self.version.get(), language));
        }
        if setup.varies {
            fields.add("vary", "Accept-Language");
        }
        if setup.grouped {
            fields.add("cache-groups", format!("\"{GROUP}\""));
        }
        if &*setup.path == SEARCH {
            fields.add("no-vary-search", "params=(\"u\")");
        }
        if with_tags && !setup.tags.is_empty() {
            fields.add("cache-tag", setup.tags.join(", "));
        }
        fields
    }
}

const NAME: &str = "client-";
const DIGITS: usize = 6;

/// A client's name in cookies and bodies.
pub fn name_text(name: Name) -> String {
    format!("{NAME}{name:0DIGITS$}")
}

/// The client that a `Cookie` or `Authorization` names.
pub fn name_in(value: &str) -> Option<Name> {
    names_in(value).next()
}

/// All clients' names in a text. A truncated name does not count.
pub fn names_in(text: &str) -> impl Iterator<Item = Name> {
    let rests = text.split(NAME).skip(1);
    rests.filter_map(|rest| rest.get(..DIGITS)?.parse().ok())
}

/// The body: version, language and owner, repeated so often that each part of
/// it identifies its body.
pub fn body(record: &OriginRecord) -> String {
    let owner = record.owner.map(name_text).unwrap_or_default();
    let (version, language) = (record.version, &record.language);
    format!("{version:05}{language:>2} {owner:>13} ").repeat(TOKENS)
}

/// Checks that a head has the version of its record.
pub fn check_head(record: &OriginRecord, fields: &Fields) -> Result<(), String> {
    match fields.get(VERSION) == Some(record.version.to_string().as_str()) {
        true => Ok(()),
        false => Err(format!("the head has another version than {record:?}")),
    }
}

/// The expected body of a response: the whole, or the range in its head.
pub fn expected(record: &OriginRecord, fields: &Fields) -> Option<String> {
    let whole = body(record);
    let Some(range) = fields.get("content-range") else {
        return Some(whole);
    };
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let fits = total.parse() == Ok(whole.len());
    whole.get(first..=last).filter(|_| fits).map(str::to_owned)
}
