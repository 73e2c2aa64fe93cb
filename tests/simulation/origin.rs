//! The origin: a handful of pages, each with a version, and a mark on each
//! answer that tells when its content was asked for.

use super::setup::{PageSetup, SEARCH};
use super::world::World;
use edgekeep::cache::answer::OriginFailure;
use edgekeep::cache::request::OriginRequest;
use edgekeep::cache::selector::EVERYTHING;
use edgekeep::http::date;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::ResponseHead;
use edgekeep::http::url::Url;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// The field that holds the tick at which the origin received the request.
pub const STAMP: &str = "x-stamp";
const VERSION: &str = "x-version";
const LANGUAGE: &str = "x-language";

/// The one cache group (RFC 9875).
const GROUP: &str = "all";

/// A body is its version and language, written so often that each part of it
/// tells which body it belongs to.
pub const TOKEN_BYTES: usize = 8;
const TOKENS: usize = 6;

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

/// What the origin was asked for at a tick.
#[derive(Clone, Debug)]
pub struct Asked {
    pub page: usize,
    pub version: u64,
    pub language: String,
}

pub struct Origin {
    pub pages: Vec<Page>,
    pub asked: RefCell<BTreeMap<u64, Asked>>,
}

/// What comes back, and after how long.
pub struct Said {
    pub after_ms: u64,
    pub stamp: Option<u64>,
    pub answer: Result<(ResponseHead, Option<Bytes>), OriginFailure>,
}

impl Page {
    fn place(&self) -> String {
        format!("{}{}", self.setup.host, self.setup.path)
    }

    /// The selector of its URL, as an order names it.
    pub fn url_name(&self) -> String {
        match self.setup.path {
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

    fn head(&self, stamp: u64, language: &str, with_tags: bool) -> Fields {
        let setup = &self.setup;
        let mut fields = Fields::new();
        fields.add("cache-control", setup.cache_control.as_str());
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
        if setup.path == SEARCH {
            fields.add("no-vary-search", "params=(\"u\")");
        }
        if with_tags && !setup.tags.is_empty() {
            fields.add("cache-tag", setup.tags.join(", "));
        }
        fields
    }
}

/// One token of the body.
fn token(version: u64, language: &str) -> String {
    format!("{version:05}{language:>2} ")
}

fn body(version: u64, language: &str) -> String {
    token(version, language).repeat(TOKENS)
}

/// What is wrong with what a client got, if anything: it must be of one
/// version and language, and those that its head tells.
pub fn check_body(asked: &Asked, fields: &Fields, text: &str) -> Result<(), String> {
    if fields.get(VERSION) != Some(asked.version.to_string().as_str()) {
        return Err(format!("the head tells another version than {asked:?}"));
    }
    let expected = token(asked.version, &asked.language);
    let mut tokens = text.as_bytes().chunks(TOKEN_BYTES);
    if tokens.all(|found| found == expected.as_bytes()) {
        Ok(())
    } else {
        Err(format!("the body {text:?} is not of {asked:?}"))
    }
}

impl Origin {
    pub fn new(pages: &[PageSetup]) -> Self {
        let page = |setup: &PageSetup| Page {
            setup: setup.clone(),
            version: Cell::new(1),
        };
        Self {
            pages: pages.iter().map(page).collect(),
            asked: RefCell::default(),
        }
    }

    pub fn page_at(&self, url: &str) -> Option<usize> {
        let url = Url::parse(url).ok()?;
        let here = |page: &Page| page.setup.host == url.host && page.setup.path == url.path;
        self.pages.iter().position(here)
    }

    /// Changes a page. What it was before is old from here on.
    pub fn edit(&self, page: usize) -> u64 {
        let version = self.pages[page].version.get() + 1;
        self.pages[page].version.set(version);
        version
    }

    /// Receives a request, now.
    pub fn receive(&self, world: &World, request: &OriginRequest) -> Said {
        let Some(at) = self.page_at(&request.url) else {
            return Said {
                after_ms: 0,
                stamp: None,
                answer: Err(OriginFailure::Unreachable),
            };
        };
        let page = &self.pages[at];
        let write = request.method == "POST";
        if world.chance(world.faults(world.setup.origin_fails)) {
            return failure(world);
        }
        if write {
            self.edit(at);
        }
        let language = match request.fields.get("accept-language") {
            Some(language) if page.setup.varies => language.to_owned(),
            _ => "-".to_owned(),
        };
        let stamp = world.tick();
        let asked = Asked {
            page: at,
            version: page.version.get(),
            language: language.clone(),
        };
        self.asked.borrow_mut().insert(stamp, asked);
        let (head, body) = page.answer(world, request, stamp, &language);
        let slow = !world.is_healed() && !write;
        let head_ms = if slow { page.setup.head_ms } else { 100 };
        Said {
            after_ms: world.up_to(head_ms),
            stamp: Some(stamp),
            answer: Ok((head, body)),
        }
    }
}

impl Page {
    fn answer(
        &self,
        world: &World,
        request: &OriginRequest,
        stamp: u64,
        language: &str,
    ) -> (ResponseHead, Option<Bytes>) {
        let sent = |name: &str| request.fields.get(name).map(str::to_owned);
        if request.method == "POST" {
            let fields = [("cache-control", "no-store")].into_iter().collect();
            return (
                ResponseHead {
                    status: 200,
                    fields,
                },
                None,
            );
        }
        let etag = self
            .setup
            .etag
            .then(|| self.etag(self.version.get(), language));
        let confirmed = etag.is_some() && sent("if-none-match") == etag;
        let terse = confirmed && self.setup.terse_304;
        let mut fields = self.head(stamp, language, !terse);
        if self.setup.dated {
            fields.add("date", date::print(world.executor.now_ms() / 1000));
        }
        if confirmed {
            return (
                ResponseHead {
                    status: 304,
                    fields,
                },
                None,
            );
        }
        let mut text = body(self.version.get(), language);
        let mut status = 200;
        let tied = sent("if-range").is_none_or(|tie| Some(tie) == etag);
        let range = sent("range").as_deref().and_then(range);
        if let Some((first, last)) = range
            && (tied || world.setup.origin_ignores_if_range)
        {
            status = 206;
            let last = last.min(text.len() - 1);
            fields.add(
                "content-range",
                format!("bytes {first}-{last}/{}", text.len()),
            );
            text = text[first..=last].to_owned();
        }
        fields.add("content-length", text.len().to_string());
        if request.method == "HEAD" {
            return (ResponseHead { status, fields }, None);
        }
        let broken = world.chance(world.faults(20));
        let takes_ms = match world.is_healed() {
            true => 0,
            false => world.up_to(self.setup.body_ms),
        };
        let body = Bytes {
            text,
            broken,
            takes_ms,
        };
        (ResponseHead { status, fields }, Some(body))
    }
}

/// `bytes=FIRST-[LAST]`, the only form that the readers send.
fn range(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)))
}

fn failure(world: &World) -> Said {
    let page = |status| {
        let fields = [("cache-control", "no-store")].into_iter().collect();
        Ok((ResponseHead { status, fields }, None))
    };
    let (after_ms, answer) = match world.below(4) {
        0 => (world.up_to(50), Err(OriginFailure::Unreachable)),
        1 => (world.up_to(5_000), Err(OriginFailure::Unreachable)),
        // Never, but for the time limit.
        2 => (u64::MAX, Err(OriginFailure::TimedOut)),
        _ => (world.up_to(1_000), page(503)),
    };
    Said {
        after_ms,
        stamp: None,
        answer,
    }
}
