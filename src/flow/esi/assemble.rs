//! Assembles pages from fragments (`cache::esi::parser`). The page is stored as
//! received, with its ESI tags. The fragments are inserted for each client;
//! each is looked up or fetched as if the client had requested it.
//!
//! The page is sent meanwhile: the text before a fragment is sent before the
//! fragment arrives. So a failed fragment cannot change the status any more.
//! Its `alt` is tried; otherwise its place stays empty, and the log says so. A
//! fragment is inserted completely or not at all.

use crate::cache::config::rule::Rule;
use crate::cache::esi::parser::{
    CONTROL_FIELD, Coding, DEPTH_MAX, INCLUDES_MAX, Include, Parser, Piece, has_mark, is_marked,
    set_assembled_head,
};
use crate::cache::request::classify::{Plan, classify};
use crate::flow::isolate::state::Isolate;
use crate::flow::request::serve::execute_plan;
use crate::flow::response::error_pages::error_page;
use crate::flow::response::reply::{Answer, Content};
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::host::{BodyError, BodyPipe, ClientDisconnected, Host, WHOLE_BYTES_MAX};
use crate::flow::stats::record;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;
use std::rc::Rc;

/// Starts the assembly of a page whose body has ESI tags: replaces head and
/// body of `answer` by those of the assembled page, and returns the pipe to
/// fill.
///
/// `None` leaves the body as it is. In both cases the origin's control field is
/// removed, if the rule uses ESI or the field announces it.
pub fn begin<H: Host>(
    host: &H,
    rule: &Rule,
    answer: &mut Answer<H::Body>,
    log: &mut RequestLog,
) -> Option<H::Pipe> {
    if !answer.fields.has(CONTROL_FIELD) {
        return None;
    }
    // A part (206) or a 304 is not a complete page.
    let whole = !matches!(answer.status, 206 | 304);
    if !rule.esi || !whole || !is_marked(&answer.fields) {
        if rule.esi || has_mark(&answer.fields) {
            answer.fields.remove(CONTROL_FIELD);
        }
        return None;
    }
    let coding = Coding::of(&answer.fields);
    let browser_ttl = rule.browser_ttl.filter(|_| answer.status < 400);
    set_assembled_head(&mut answer.fields, browser_ttl);
    answer.length = None;
    log.add_detail("esi");
    // This applies to HEAD, too: its head must not describe a page that cannot
    // be read.
    if coding == Coding::Other {
        refuse(answer, coding, log);
        return None;
    }
    match std::mem::replace(&mut answer.content, Content::Empty) {
        Content::Body(body) => {
            let body = readable(host, body, coding);
            let Some((pipe, whole)) = body.and_then(|body| host.pipe(body)) else {
                refuse(answer, coding, log);
                return None;
            };
            answer.content = Content::Body(whole);
            Some(pipe)
        }
        content => {
            answer.content = content;
            None
        }
    }
}

fn refuse<B>(answer: &mut Answer<B>, coding: Coding, log: &mut RequestLog) {
    log.cache = "error";
    log.add_note(format!(
        "the page is made of fragments, but coded: {}",
        coding.word()
    ));
    *answer = error_page(502, UNREADABLE);
}

const UNREADABLE: &str = "Bad gateway: the page is made of fragments, and the origin server has coded it so that they cannot be put in.\n";

/// The body without its content coding.
fn readable<H: Host>(host: &H, body: H::Body, coding: Coding) -> Option<H::Body> {
    match coding {
        Coding::Identity => Some(body),
        Coding::Gzip => host.decompressed(body),
        Coding::Other => None,
    }
}

/// Assembles the page in the background, and writes the log record at the end.
pub fn assemble_later<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    request: RequestHead,
    pipe: H::Pipe,
    log: RequestLog,
) {
    let page = Page {
        host: host.clone(),
        isolate: Rc::clone(isolate),
        request,
        tried: 0,
        filled: 0,
        log,
    };
    host.later(page.assemble(pipe));
}

/// A page that is being assembled.
struct Page<H: Host> {
    host: H,
    isolate: Rc<Isolate>,
    /// The client's request.
    request: RequestHead,
    /// How many includes were tried, and how many succeeded.
    tried: u32,
    filled: u32,
    log: RequestLog,
}

/// Why a page ends early: the client disconnected, or the body was cut off.
enum Stop {
    Disconnected,
    Broken,
}

impl From<ClientDisconnected> for Stop {
    fn from(_: ClientDisconnected) -> Self {
        Self::Disconnected
    }
}

impl From<BodyError> for Stop {
    fn from(_: BodyError) -> Self {
        Self::Broken
    }
}

/// The fragment for an include.
struct Fragment {
    url: Url,
    bytes: Vec<u8>,
    /// Whether it contains ESI tags.
    marked: bool,
}

impl<H: Host> Page<H> {
    async fn assemble(mut self, mut pipe: H::Pipe) {
        match self.stream(&mut pipe).await {
            Ok(()) => pipe.close().await,
            Err(Stop::Disconnected) => self.log.add_note("the client left".to_owned()),
            Err(Stop::Broken) => self.log.add_note("the page broke off".to_owned()),
        }
        self.log.fragments = Some(self.filled);
        self.log.write(&self.host);
    }

    async fn stream(&mut self, pipe: &mut H::Pipe) -> Result<(), Stop> {
        let base = self.request.url.clone();
        let mut parser = Parser::default();
        while let Some(bytes) = pipe.read().await? {
            let pieces = parser.feed(&bytes);
            self.put(pieces, &base, 1, pipe).await?;
        }
        let rest = parser.finish();
        if parser.is_unclosed() {
            self.log
                .add_note("the page has an ESI tag that is never closed".to_owned());
        }
        self.put(rest, &base, 1, pipe).await
    }

    /// Writes pieces of a body at `base`, whose fragments have this depth.
    async fn put(
        &mut self,
        pieces: Vec<Piece>,
        base: &Url,
        depth: u32,
        pipe: &mut H::Pipe,
    ) -> Result<(), Stop> {
        for piece in pieces {
            match piece {
                Piece::Text(bytes) => pipe.write(&bytes).await?,
                Piece::Include(include) => {
                    let Some(fragment) = self.include(&include, base, depth).await else {
                        continue;
                    };
                    if !fragment.marked {
                        pipe.write(&fragment.bytes).await?;
                        continue;
                    }
                    let mut parser = Parser::default();
                    let mut pieces = parser.feed(&fragment.bytes);
                    pieces.extend(parser.finish());
                    let url = &fragment.url;
                    Box::pin(self.put(pieces, url, depth.saturating_add(1), pipe)).await?;
                }
            }
        }
        Ok(())
    }

    /// The fragment, or its alternative.
    async fn include(&mut self, include: &Include, base: &Url, depth: u32) -> Option<Fragment> {
        for address in [Some(&include.src), include.alt.as_ref()]
            .into_iter()
            .flatten()
        {
            if self.tried >= INCLUDES_MAX {
                let note = format!("more than {INCLUDES_MAX} includes: the others are left out");
                if self.log.notes.last() != Some(&note) {
                    self.log.add_note(note);
                }
                return None;
            }
            self.tried = self.tried.saturating_add(1);
            match self.fragment(address, base, depth).await {
                Ok(fragment) => {
                    self.filled = self.filled.saturating_add(1);
                    return Some(fragment);
                }
                Err(problem) => {
                    let expected = if include.may_fail { " (onerror)" } else { "" };
                    self.log
                        .add_note(format!("fragment {address}: {problem}{expected}"));
                }
            }
        }
        None
    }

    async fn fragment(&self, address: &str, base: &Url, depth: u32) -> Result<Fragment, String> {
        if depth > DEPTH_MAX {
            return Err(format!("lies deeper than {DEPTH_MAX}"));
        }
        let url = target(base, address).ok_or("is no path of this host")?;
        let request = RequestHead {
            method: Method::Get,
            fields: fields_for(&self.request.fields),
            url,
        };
        let plan = classify(&self.isolate.rules, &request);
        if matches!(plan, Plan::Admin | Plan::Purge(_)) {
            return Err("is no page".to_owned());
        }
        let rule = plan.rule().map(Rc::clone).ok_or("is no page")?;
        let host = &self.host;
        let mut log = RequestLog {
            event: "fragment",
            host: request.url.host.clone(),
            method: "GET".to_owned(),
            path: request.url.path_and_query(),
            began_ms: host.now_ms(),
            ..RequestLog::default()
        };
        let work = execute_plan(host, &self.isolate, plan, &request, None, &mut log);
        let answer = Box::pin(work).await;
        log.status = answer.status;
        if answer.fields.has("set-cookie") {
            log.add_note("its Set-Cookie is dropped: the page's head has left".to_owned());
        }
        record::count(host, &self.isolate, Some(&rule), &log, None);
        log.write(host);
        self.read(request, &rule, answer).await
    }

    /// The body of a fragment, unless its gzip coding cannot be read within
    /// the limits. The decoder itself has none: it may run for a long time
    /// without a pause, and produce nothing.
    async fn decodable(&self, body: H::Body, coding: Coding, timeout_ms: u64) -> Option<H::Body> {
        if coding != Coding::Gzip {
            return Some(body);
        }
        let checked = self.host.is_gzip(body, WHOLE_BYTES_MAX, timeout_ms);
        let (is_gzip, body) = checked.await;
        body.filter(|_| is_gzip)
    }

    /// The complete body of a fragment, or why there is none.
    async fn read(
        &self,
        request: RequestHead,
        rule: &Rule,
        answer: Answer<H::Body>,
    ) -> Result<Fragment, String> {
        if !matches!(answer.status, 200..=299) {
            return Err(format!("status {}", answer.status));
        }
        let coding = Coding::of(&answer.fields);
        let bytes = match answer.content {
            Content::Empty => Vec::new(),
            Content::Text(text) => text.into_bytes(),
            Content::Body(body) => {
                let long = answer
                    .length
                    .is_some_and(|n| n > u64::from(WHOLE_BYTES_MAX));
                if long {
                    return Err(TOO_LONG.to_owned());
                }
                let length = answer.length.filter(|_| coding == Coding::Identity);
                let timeout_ms = rule.origin_timeout_seconds.saturating_mul(1000);
                let body = self.decodable(body, coding, timeout_ms).await;
                let body = body.and_then(|body| readable(&self.host, body, coding));
                let body = body.ok_or("is coded, or is broken gzip or longer than 256 KiB")?;
                let body = self.host.receive_whole(body, length, timeout_ms).await;
                let body = body.map_err(|failure| format!("the origin {failure}"))?;
                let limit = usize::try_from(WHOLE_BYTES_MAX).unwrap_or(usize::MAX);
                self.host
                    .read(body, limit)
                    .await
                    .map_err(|error| match error {
                        BodyError::TooLong => TOO_LONG,
                        BodyError::Broken => "broke off",
                    })?
            }
            Content::Parts(..) => return Err("came in parts".to_owned()),
        };
        Ok(Fragment {
            marked: rule.esi && is_marked(&answer.fields),
            url: request.url,
            bytes,
        })
    }
}

/// A fragment is read whole, with the limit for short bodies. Three nested ones
/// take 768 KiB.
const TOO_LONG: &str = "is longer than 256 KiB";

/// The URL of an address in a page at `base`: a path of the same host,
/// requested with the page's scheme. `None` for anything else.
fn target(base: &Url, address: &str) -> Option<Url> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    if address.is_empty() || address.contains(odd) {
        return None;
    }
    let url = base.join(address)?;
    (url.host == base.host && url.path.starts_with('/')).then_some(Url {
        scheme: base.scheme,
        ..url
    })
}

/// The client's fields for a fragment request, without those about the body of
/// the page or the client's copy of it.
fn fields_for(client: &Fields) -> Fields {
    let mut fields = client.clone();
    fields.retain(|name, _| {
        !name.starts_with("if-")
            && !matches!(
                name,
                "range"
                    | "content-length"
                    | "content-type"
                    | "content-encoding"
                    | "transfer-encoding"
                    | "expect"
                    | "upgrade"
                    | "origin"
            )
    });
    // The fragment is inserted into text.
    fields.set("accept-encoding", "identity");
    fields
}
