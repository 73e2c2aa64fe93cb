//! A page of the origin: what its answers say, and what their bodies are.

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

/// A client as its session names it.
pub type Name = u64;

/// How a page that knows its readers keeps them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// The origin says `private` to who has a session.
    Private,
    /// The origin says `no-store`.
    NoStore,
    /// It says nothing, but sets a cookie: who comes without a session gets
    /// one.
    SetCookie,
    /// The page is for all, and `no-cache="set-cookie"` tells that only the
    /// cookie is not.
    CookieApart,
    /// A setting has the session in the key.
    Keyed,
    /// A setting lets requests with a session through.
    Bypassed,
    /// Who is who is told by `Authorization`.
    Authorized,
    /// The same, where the origin lets answers be stored to be confirmed
    /// (RFC 9111 §3.5), and a rule has `edge_ttl`. In attacks.
    EdgeLived,
    /// A rule lets requests with a session through, and sends cookies on
    /// without. In attacks.
    Members,
    /// The origin greets who has a session and says nothing of it; but no
    /// setting lets sessions through to it.
    Careless,
}

impl Privacy {
    /// Those of storms.
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

    /// The folder for which the settings say so.
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

/// A body: its bytes, how long they take, and whether they break off.
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

/// What the origin was asked for at a tick, and what it said.
#[derive(Clone, Debug)]
pub struct Asked {
    pub page: usize,
    pub version: u64,
    pub language: String,
    /// Whether only the head was wanted.
    pub head_only: bool,
    /// Whose name is in the body.
    pub owner: Option<Name>,
    /// True time.
    pub at_ms: u64,
    /// How old the answer was then, as its `Age` said.
    pub age_seconds: u64,
    pub terms: Terms,
    /// Whether its body was cut, or of another length than its head said.
    pub unruly: bool,
}

impl Page {
    fn place(&self) -> String {
        format!("{}{}", self.setup.host, self.setup.path)
    }

    /// The selector of its URL, as an order names it.
    pub fn url_name(&self) -> String {
        match &*self.setup.path {
            SEARCH => format!("path:{}", self.place()),
            _ => format!("url:{}", self.place()),
        }
    }

    /// Every selector that reaches it.
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

    /// The tag of a version.
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

/// A client's name as it stands in cookies and bodies.
pub fn name_text(name: Name) -> String {
    format!("{NAME}{name:0DIGITS$}")
}

/// The client whose session a `Cookie` or `Authorization` tells.
pub fn name_in(value: &str) -> Option<Name> {
    names_in(value).next()
}

/// Every client's name in a text; one that was cut off is none.
pub fn names_in(text: &str) -> impl Iterator<Item = Name> {
    let rests = text.split(NAME).skip(1);
    rests.filter_map(|rest| rest.get(..DIGITS)?.parse().ok())
}

/// A body is its version, language and owner, written so often that each part
/// of it tells which body it belongs to.
pub fn body(asked: &Asked) -> String {
    let owner = asked.owner.map(name_text).unwrap_or_default();
    let (version, language) = (asked.version, &asked.language);
    format!("{version:05}{language:>2} {owner:>13} ").repeat(TOKENS)
}

/// Whether a head tells the version that was asked for.
pub fn check_head(asked: &Asked, fields: &Fields) -> Result<(), String> {
    match fields.get(VERSION) == Some(asked.version.to_string().as_str()) {
        true => Ok(()),
        false => Err(format!("the head tells another version than {asked:?}")),
    }
}

/// What a client must get of a body: all of it, or the part that the answer
/// names.
pub fn expected(asked: &Asked, fields: &Fields) -> Option<String> {
    let whole = body(asked);
    let Some(range) = fields.get("content-range") else {
        return Some(whole);
    };
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let told = total.parse() == Ok(whole.len());
    whole.get(first..=last).filter(|_| told).map(str::to_owned)
}
