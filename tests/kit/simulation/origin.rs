//! The origin: pages with versions, and its failures. Each response has a
//! stamp: the tick at which the origin received the request.

use super::attack::{self, ATTACKERS_FROM, Failure, Trap, VICTIM};
use super::page::{Bytes, Name, OriginRecord, Page, Privacy, body, name_in, name_text};
use super::regimes::{ERRORS, Regime, UNRULY};
use super::setup::{COOKIE, PageSetup};
use super::world::World;
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::http::date;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::ResponseHead;
use edgekeep::http::url::{Url, canonical_path};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

pub struct Origin {
    pub pages: Vec<Page>,
    /// By host and path.
    places: BTreeMap<(String, String), usize>,
    pub records: RefCell<BTreeMap<u64, OriginRecord>>,
}

/// A response, and the time until it.
pub struct UpstreamResult {
    pub after_ms: u64,
    pub stamp: Option<u64>,
    /// The session that the origin sets.
    pub given: Option<Name>,
    pub answer: Answered,
}

pub type Answered = Result<(ResponseHead, Option<Bytes>), OriginFailure>;

impl Origin {
    pub fn new(pages: &[PageSetup]) -> Self {
        let page = |setup: &PageSetup| Page {
            setup: setup.clone(),
            version: Cell::new(1),
        };
        let place = |page: &PageSetup| {
            let path = canonical_path(&page.url().path);
            (page.host.to_owned(), path)
        };
        let places = pages.iter().enumerate();
        Self {
            places: places.map(|(at, page)| (place(page), at)).collect(),
            pages: pages.iter().map(page).collect(),
            records: RefCell::default(),
        }
    }

    /// The requested page. A path that ends in `/*` stands for all paths below.
    pub fn page_of(&self, request: &OriginRequest) -> Option<usize> {
        let url = Url::parse(&request.url).ok()?;
        let forwarded = request.fields.get("x-forwarded-host");
        let host = forwarded.unwrap_or(&url.host).to_owned();
        let folder = url
            .path
            .rsplit_once('/')
            .map(|(folder, _)| format!("{folder}/*"));
        let exact = self.places.get(&(host.clone(), url.path)).copied();
        exact.or_else(|| self.places.get(&(host, folder?)).copied())
    }

    /// Raises the version of a page. Responses with earlier versions are
    /// outdated from here on.
    pub fn edit(&self, page: usize) -> u64 {
        let version = self.pages[page].version.get() + 1;
        self.pages[page].version.set(version);
        version
    }

    /// Receives a request, now.
    pub fn receive(&self, world: &World, request: &OriginRequest) -> UpstreamResult {
        let Some(at) = self.page_of(request) else {
            return UpstreamResult::failed(0, Err(OriginFailure::Unreachable));
        };
        let page = &self.pages[at];
        let regime = world.regime(page.setup.host);
        if let Some(word) = regime.word() {
            world.count(word);
        }
        if let Some(failure) = failing(world, regime) {
            return failure;
        }
        let write = request.method == "POST";
        if let Some(result) = trapped(at, page, request) {
            return result;
        }
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
        let (owner, given) = page.owner(request, stamp);
        let mut record = OriginRecord {
            page: at,
            version: page.version.get(),
            language,
            head_only: request.method == "HEAD",
            owner,
            at_ms: world.executor.now_ms(),
            age_seconds: world.up_to(page.setup.upstream_seconds),
            terms: page.setup.terms.clone(),
            unruly: false,
        };
        let answer = page.answer(world, request, stamp, &mut record, given, regime);
        self.records.borrow_mut().insert(stamp, record);
        let slow = !world.is_healed() && !write;
        let head_ms = match regime {
            Regime::Slow => 1_500 * world.setup.origin_timeout_seconds,
            _ if slow => page.setup.head_ms,
            _ => 100,
        };
        UpstreamResult {
            after_ms: world.up_to(head_ms),
            stamp: Some(stamp),
            given,
            answer: Ok(answer),
        }
    }
}

impl UpstreamResult {
    fn failed(after_ms: u64, answer: Answered) -> Self {
        Self {
            after_ms,
            stamp: None,
            given: None,
            answer,
        }
    }
}

impl Page {
    /// The client that the body names, and the session that the response sets.
    fn owner(&self, request: &OriginRequest, stamp: u64) -> (Option<Name>, Option<Name>) {
        let Some(privacy) = self.setup.privacy else {
            return (None, None);
        };
        let sent = |name| request.fields.get(name).and_then(name_in);
        match privacy {
            Privacy::Authorized | Privacy::EdgeLived => (sent("authorization"), None),
            Privacy::CookieApart => (None, Some(sent("cookie").unwrap_or(stamp))),
            Privacy::SetCookie => {
                let name = sent("cookie").unwrap_or(stamp);
                (Some(name), Some(name))
            }
            _ => (sent("cookie"), None),
        }
    }

    /// Adds the fields by which the origin marks a response as private.
    fn keep_apart(&self, fields: &mut Fields, owner: Option<Name>, given: Option<Name>) {
        let control = fields.get("cache-control").unwrap_or_default().to_owned();
        let word = match self.setup.privacy {
            Some(Privacy::Private) if owner.is_some() => Some("private"),
            Some(Privacy::NoStore) if owner.is_some() => Some("no-store"),
            Some(Privacy::CookieApart) => Some("no-cache=\"set-cookie\""),
            _ => None,
        };
        if self.setup.privacy == Some(Privacy::EdgeLived) && owner.is_some() {
            fields.set("cache-control", "max-age=0, must-revalidate");
        }
        if let Some(word) = word {
            fields.set("cache-control", format!("{control}, {word}"));
        }
        if let Some(name) = given {
            fields.add("set-cookie", format!("{COOKIE}={}", name_text(name)));
        }
    }

    fn answer(
        &self,
        world: &World,
        request: &OriginRequest,
        stamp: u64,
        record: &mut OriginRecord,
        given: Option<Name>,
        regime: Regime,
    ) -> (ResponseHead, Option<Bytes>) {
        let sent = |name: &str| request.fields.get(name).map(str::to_owned);
        let language = record.language.clone();
        if request.method == "POST" {
            return (written(self, request), None);
        }
        let etag = self
            .setup
            .etag
            .then(|| self.etag(self.version.get(), &language));
        let confirmed = etag.is_some() && sent("if-none-match") == etag;
        let terse = confirmed && self.setup.terse_304;
        let mut fields = self.head(stamp, &language, !terse);
        self.keep_apart(&mut fields, record.owner, given);
        if record.age_seconds > 0 {
            fields.add("age", record.age_seconds.to_string());
        }
        if self.setup.dated {
            fields.add("date", date::print(world.executor.now_ms() / 1000));
        }
        if confirmed {
            let status = 304;
            return (ResponseHead { status, fields }, None);
        }
        let mut text = body(record);
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
        if !self.setup.chunked {
            fields.add("content-length", text.len().to_string());
        }
        if request.method == "HEAD" {
            return (ResponseHead { status, fields }, None);
        }
        let takes_ms = match world.is_healed() {
            true => 0,
            false => world.up_to(self.setup.body_ms),
        };
        let mut body = Bytes {
            text,
            broken: world.chance(world.faults(20)),
            takes_ms,
        };
        if status == 200 {
            spoil(world, regime, &mut fields, &mut body);
        }
        let sent = fields.get("content-length").and_then(|n| n.parse().ok());
        record.unruly = body.broken || sent.is_some_and(|length: usize| length != body.text.len());
        (ResponseHead { status, fields }, Some(body))
    }
}

/// Applies a regime to a complete body.
fn spoil(world: &World, regime: Regime, fields: &mut Fields, body: &mut Bytes) {
    if !world.chance(UNRULY) {
        return;
    }
    let length = body.text.len() as u64;
    match regime {
        Regime::Truncating => {
            world.count("body truncated");
            body.text.truncate(world.below(length) as usize);
            body.broken = true;
        }
        Regime::WrongLengths => {
            world.count("wrong length sent");
            let other = 1 + world.below(length - 1);
            let sent = if world.chance(500) {
                length + other
            } else {
                length - other
            };
            fields.set("content-length", sent.to_string());
            // A connection that closes before the last byte is an error. Bytes
            // after the last one are not always detected.
            body.broken = sent > length && world.chance(500);
        }
        _ => {}
    }
}

/// Parses `bytes=FIRST-[LAST]`, the only form that readers send.
fn range(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)))
}

fn head_alone(status: u16) -> ResponseHead {
    let fields = [("cache-control", "no-store")].into_iter().collect();
    ResponseHead { status, fields }
}

/// The failure of a request in a phase in which the origin fails.
fn failing(world: &World, regime: Regime) -> Option<UpstreamResult> {
    let refused = |world: &World| {
        let failure = Err(OriginFailure::Unreachable);
        Some(UpstreamResult::failed(world.up_to(50), failure))
    };
    let page = |status, retry: bool| {
        let mut head = head_alone(status);
        if world.chance(500) {
            head.fields.remove("cache-control");
        }
        if retry {
            head.fields.add("retry-after", "5");
        }
        Some(UpstreamResult::failed(world.up_to(1_000), Ok((head, None))))
    };
    match regime {
        Regime::Hanging => Some(UpstreamResult::failed(
            u64::MAX,
            Err(OriginFailure::TimedOut),
        )),
        Regime::Refusing => refused(world),
        Regime::Flapping(every_ms) if (world.executor.now_ms() / every_ms) % 2 == 1 => {
            refused(world)
        }
        Regime::Errors(status) if world.chance(ERRORS) => page(status, status == 503),
        Regime::TooMany if world.chance(ERRORS) => page(429, true),
        _ => None,
    }
}

fn failure(world: &World) -> UpstreamResult {
    let (after_ms, answer) = match world.below(4) {
        0 => (world.up_to(50), Err(OriginFailure::Unreachable)),
        1 => (world.up_to(5_000), Err(OriginFailure::Unreachable)),
        // No response before the time limit.
        2 => (u64::MAX, Err(OriginFailure::TimedOut)),
        _ => (world.up_to(1_000), Ok((head_alone(503), None))),
    };
    UpstreamResult::failed(after_ms, answer)
}

/// The response to a write.
fn written(page: &Page, request: &OriginRequest) -> ResponseHead {
    let mut head = head_alone(200);
    if page.setup.trap == Some(Trap::Redirects) {
        let (_, next) = request.url.split_once("next=").unwrap_or_default();
        head.status = 302;
        head.fields
            .add("location", format!("http://{VICTIM}{next}"));
    }
    head
}

/// The special response of a page in an attack.
fn trapped(at: usize, page: &Page, request: &OriginRequest) -> Option<UpstreamResult> {
    let failure = match page.setup.trap? {
        Trap::Fails(failure) => failure,
        Trap::Redirects => return None,
        Trap::Throttles => {
            let cookie = request.fields.get("cookie").and_then(name_in)?;
            if cookie < ATTACKERS_FROM {
                return None;
            }
            Failure::Rests
        }
        Trap::Refuses => {
            let status = attack::refusal(request, at)?;
            if status == 504 {
                return Some(UpstreamResult::failed(
                    u64::MAX,
                    Err(OriginFailure::TimedOut),
                ));
            }
            let mut head = head_alone(status);
            // A 5xx is stored only if the origin allows it explicitly.
            if status < 500 {
                head.fields.set("cache-control", "public, max-age=60");
            }
            return Some(UpstreamResult::failed(50, Ok((head, None))));
        }
    };
    let (after_ms, answer) = match failure {
        Failure::Hangs => (u64::MAX, Err(OriginFailure::TimedOut)),
        Failure::BadGateway => (50, Ok((head_alone(502), None))),
        Failure::Rests => {
            let mut head = head_alone(503);
            head.fields.add("retry-after", "3600");
            (50, Ok((head, None)))
        }
        Failure::HangsUp => (50, Err(OriginFailure::Unreachable)),
        Failure::NoStatus => (50, Err(OriginFailure::NoStatus(999))),
    };
    Some(UpstreamResult::failed(after_ms, answer))
}
