//! The implementation of [`Host`] for Cloudflare Workers.

use super::background::Background;
use super::body::{self, Body, Copy, join, read_start};
use super::guard::{self, MemoryReservation};
use super::js::promise::BODY_WAIT_MS;
use super::js::{glue, message};
use super::pipe::{self, Pipe};
use super::timeout::timeout;
use super::zone::Zone;
use super::{analytics, crypto, origin, respond, tiers};
use crate::cache::key::cache_key::Slot;
use crate::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder};
use crate::cache::origin::failure::OriginFailure;
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::purge::order::ORDER_BYTES_MAX;
use crate::cache::purge::zone_purge::ZoneResponse;
use crate::cache::request::classify::{ADMIN_PATH, Plan};
use crate::cache::request::origin_request::OriginRequest;
use crate::cache::shadow::record::BodyDigest;
use crate::cache::stats::data_point::DataPoint;
use crate::cache::stats::query::StatsQuery;
use crate::cloudflare::ledger::client;
use crate::cloudflare::ledger::sql::Database;
use crate::flow::ledger::ledger_store::LedgerStore;
use crate::flow::response::request_log::log_problem;
use crate::flow::runtime::host::{
    BodyError, Host, LedgerReply, OriginTimeouts, SlotContent, StoreRequest, Tier, Upload,
    WatchQuery, WatchReply,
};
use crate::http::head::{RequestHead, ResponseHead};
use futures_channel::oneshot;
use js_sys::Promise;
use js_sys::futures::{JsFuture, future_to_promise};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::JsValue;
use worker::kv::KvStore;
use worker::{Context, Env, ScheduleContext};

/// The platform for one request, one cron run, or one step of the ledger's
/// work.
#[derive(Clone)]
pub struct Platform(Rc<Inner>);

struct Inner {
    env: Env,
    event: EventContext,
}

/// Where background work runs.
enum EventContext {
    /// A request: the runtime continues background work after the response.
    Request {
        context: Context,
        request: web_sys::Request,
        /// Whether the request has more fields than were read.
        has_more: bool,
        background: Background,
    },
    /// A run of the cron trigger.
    Cron(ScheduleContext, Background),
    /// A step of the ledger's work, which waits for its background work
    /// ([`Host::wait_for_background`]).
    Ledger(LedgerStep),
}

/// A step of the ledger's work, in the ledger's object.
struct LedgerStep {
    /// The ledger itself: its object must not call itself.
    ledger: Rc<LedgerStore<Database>>,
    /// What [`Host::wait_for_background`] waits for.
    pending: RefCell<Vec<Promise>>,
    /// The last failure of a write to KV.
    lost: Cell<Option<String>>,
}

impl Platform {
    /// The platform for a request.
    pub fn of_request(
        env: Env,
        context: Context,
        request: web_sys::Request,
        has_more: bool,
    ) -> Self {
        let event = EventContext::Request {
            context,
            request,
            has_more,
            background: Background::default(),
        };
        Self(Rc::new(Inner { env, event }))
    }

    /// The platform for a run of the cron trigger.
    pub fn of_cron(env: Env, context: ScheduleContext) -> Self {
        let event = EventContext::Cron(context, Background::default());
        Self(Rc::new(Inner { env, event }))
    }

    /// The platform for a step of the ledger's work.
    pub fn of_ledger(env: Env, ledger: Rc<LedgerStore<Database>>) -> Self {
        let event = EventContext::Ledger(LedgerStep {
            ledger,
            pending: RefCell::default(),
            lost: Cell::default(),
        });
        Self(Rc::new(Inner { env, event }))
    }

    fn env(&self) -> &Env {
        &self.0.env
    }

    /// The client's request.
    pub(super) fn request(&self) -> Option<&JsValue> {
        match &self.0.event {
            EventContext::Request { request, .. } => Some(request),
            EventContext::Cron(..) | EventContext::Ledger(_) => None,
        }
    }

    /// Records that a copy for KV was lost, in a step of the ledger's work. (A
    /// failure of the Cache API is not recorded: it only holds copies of the
    /// ledger's own data centre.)
    pub(super) fn record_lost_copy(&self, part: &str, problem: &str) {
        if let EventContext::Ledger(step) = &self.0.event {
            step.lost.set(Some(format!("{part}: {problem}")));
        }
    }

    pub(super) fn kv(&self) -> Result<KvStore, String> {
        let kv = self.env().kv("EDGEKEEP_KV");
        kv.map_err(|_| "there is no KV binding EDGEKEEP_KV".to_owned())
    }

    /// The URL of a note of this deployment in the Cache API. It contains the
    /// ledger's id, because two deployments may serve one host.
    fn note_url(&self, site: &str, name: &str) -> Result<String, String> {
        let id = client::id(self.env())?;
        Ok(format!("https://{site}{ADMIN_PATH}notes/{id}/{name}"))
    }
}

/// The timeout of a call to the ledger, which is 10 to 300 ms away.
const LEDGER_MS_MAX: u64 = 5000;

async fn in_time<T>(call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match timeout(call, LEDGER_MS_MAX).await {
        Some(answer) => answer,
        None => Err(format!("no answer within {LEDGER_MS_MAX} ms")),
    }
}

impl Host for Platform {
    type Body = Body;
    type Pipe = Pipe;

    fn now_ms(&self) -> u64 {
        guard::now_ms()
    }

    async fn sleep(&self, milliseconds: u64) {
        // It cannot fail.
        let _ = glue::pause(milliseconds).await;
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        match &self.0.event {
            EventContext::Request {
                context,
                background,
                ..
            } => {
                if let Some(all) = background.add(work) {
                    context.wait_until(all);
                }
            }
            EventContext::Cron(context, background) => {
                if let Some(all) = background.add(work) {
                    context.wait_until(all);
                }
            }
            EventContext::Ledger(step) => {
                let work = guard::until_expiry(work);
                let promise = future_to_promise(async {
                    work.await.unwrap_or_default();
                    Ok(JsValue::UNDEFINED)
                });
                step.pending.borrow_mut().push(promise);
            }
        }
    }

    async fn receive<T: 'static>(&self, from: oneshot::Receiver<T>) -> Option<T> {
        // The awaited work has bounds of its own, and this wait ends when it is
        // dropped.
        guard::with_bound(BODY_WAIT_MS, from).await.ok()
    }

    fn log(&self, line: &str) {
        glue::log(line);
    }

    async fn read_slot(&self, tier: Tier, slot: &Slot) -> Result<SlotContent<Body>, String> {
        let content = match tier {
            Tier::CacheApi => tiers::read_from_cache(slot, self.request()).await,
            Tier::Kv => tiers::read_from_kv(&self.kv()?, slot).await,
        };
        content.map_err(|error| message(&error))
    }

    fn store_entry(
        &self,
        body: Option<Body>,
        store_request: StoreRequest,
        for_client: bool,
    ) -> Option<Body> {
        let split = match body {
            Some(body) if for_client => body.twice().map(|(one, other)| (Some(one), Some(other))),
            body => Ok((body, None)),
        };
        match split {
            Ok((copy, client)) => {
                let length = store_request.entry.length;
                match copy.map(Body::into_bytes).transpose() {
                    Ok(bytes) => self.write_to_tiers(store_request, Copy::of_bytes(bytes, length)),
                    Err(body) => {
                        let host = self.clone();
                        self.later(async move {
                            let copy = Copy::of(body, length).await;
                            host.write_to_tiers(store_request, copy);
                        });
                    }
                }
                client
            }
            Err(error) => {
                self.report_lost_body(&store_request, &message(&error));
                None
            }
        }
    }

    fn copy_body(&self, body: &Body, done: Box<dyn FnOnce(Rc<dyn Any>, u64)>) {
        let Some(cached) = body.as_cached() else {
            return;
        };
        let copied = glue::copy_response(cached);
        self.later(async move {
            // If the body breaks off, `done` is not called.
            if let Ok((copy, bytes)) = copied.await
                && let Ok(bytes) = bytes.parse()
            {
                done(Rc::new(copy), bytes);
            }
        });
    }

    fn body_of_copy(&self, copy: &Rc<dyn Any>) -> Option<Body> {
        copy.downcast_ref::<JsValue>().cloned().map(Body::in_memory)
    }

    fn fork_body(&self, body: &mut Body) -> Option<Body> {
        body.fork()
    }

    async fn digest_body(
        &self,
        body: Body,
        is_gzip: bool,
        most: u32,
    ) -> Result<BodyDigest, BodyError> {
        crypto::digest_body(body, is_gzip, most).await
    }

    async fn join(&self, one: Body, other: Body) -> Option<Body> {
        match join(one, other).await {
            Ok(body) => Some(body),
            Err(error) => {
                log_problem(self, "body", &message(&error));
                None
            }
        }
    }

    async fn receive_whole(
        &self,
        body: Body,
        length: Option<u64>,
        timeout_ms: u64,
    ) -> Result<Body, OriginFailure> {
        match body::receive_whole(body, length, timeout_ms).await {
            Ok(body) => Ok(body),
            Err((failure, text)) => {
                log_problem(self, "origin", &text);
                Err(failure)
            }
        }
    }

    fn client_address(&self) -> Option<String> {
        match &self.0.event {
            // Cloudflare sets it, and overwrites what the client sent.
            EventContext::Request { request, .. } => glue::field(request, "cf-connecting-ip"),
            EventContext::Cron(..) | EventContext::Ledger(_) => None,
        }
    }

    fn whole_head(&self) -> Option<RequestHead> {
        match &self.0.event {
            EventContext::Request {
                request, has_more, ..
            } if *has_more => {
                let sent = respond::read_head(&glue::whole_head(request))?;
                Some(sent.head)
            }
            _ => None,
        }
    }

    fn reserve_memory(&self, plan: &Plan, head: &RequestHead, has_body: bool) -> bool {
        let bytes = head.fields.bytes();
        let is_reserved = match plan {
            // A lookup goes to the origin later, if at all.
            Plan::Lookup(_) => {
                guard::hold_bytes(bytes);
                true
            }
            Plan::Bypass(..) => guard::admit(MemoryReservation {
                bytes,
                is_order: false,
            }),
            // An order is read whole, into a buffer of the largest size.
            Plan::Admin | Plan::Purge(_) => guard::admit(MemoryReservation {
                bytes: match has_body {
                    true => bytes.saturating_add(ORDER_BYTES_MAX),
                    false => bytes,
                },
                is_order: has_body,
            }),
        };
        if !is_reserved {
            log_refusal();
        }
        is_reserved
    }

    fn hold_bytes(&self, bytes: usize) {
        guard::hold_bytes(bytes);
    }

    async fn send_to_origin(
        &self,
        request: &OriginRequest,
        upload: Option<Upload<Body>>,
        timeouts: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<Body>), OriginFailure> {
        match origin::send_to_origin(request, self.request(), upload, timeouts).await {
            Ok(answer) => Ok(answer),
            Err((failure, text)) => {
                log_problem(self, "origin", &text);
                Err(failure)
            }
        }
    }

    async fn read(&self, body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
        let stream = body.into_stream().ok_or(BodyError::Broken)?;
        let most = u32::try_from(limit.saturating_add(1)).map_err(|_| BodyError::TooLong)?;
        let bytes = read_start(&stream, most).await;
        let bytes = bytes.map_err(|_| BodyError::Broken)?;
        if bytes.length() == most {
            stream.cancel();
            return Err(BodyError::TooLong);
        }
        Ok(bytes.to_vec())
    }

    fn pipe(&self, body: Body) -> Option<(Pipe, Body)> {
        Pipe::of(body).ok()
    }

    async fn is_gzip(&self, body: Body, most: u32, timeout_ms: u64) -> (bool, Option<Body>) {
        let checked = pipe::is_gzip(body, most, timeout_ms).await;
        checked.unwrap_or((false, None))
    }

    fn decompressed(&self, body: Body) -> Option<Body> {
        pipe::decompressed(body).ok()
    }

    async fn append(&self, order: &Order) -> Result<LedgerReply, String> {
        in_time(client::append(self.env(), order)).await
    }

    async fn read_feed(&self, query: &FeedQuery) -> Result<PurgeFeed, String> {
        match &self.0.event {
            EventContext::Request { .. } | EventContext::Cron(..) => {
                in_time(client::read_feed(self.env(), query)).await
            }
            EventContext::Ledger(step) => {
                let now_ms = self.now_ms();
                let text = match query.kv_writes {
                    Some(writes) => step.ledger.read_counted_feed(query.after, writes, now_ms)?,
                    None => step.ledger.read_feed(query.after, now_ms)?,
                };
                if let Some(report) = &query.stats {
                    step.ledger.add_stats(report, now_ms)?;
                }
                PurgeFeed::decode(&text).map_err(|error| error.to_string())
            }
        }
    }

    async fn read_stats(&self, query: &StatsQuery) -> Result<String, String> {
        in_time(client::read_stats(self.env(), query)).await
    }

    async fn history(&self, query: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
        in_time(client::history(self.env(), query)).await
    }

    async fn watch(&self, query: &WatchQuery) -> Result<WatchReply<Body>, String> {
        let opened = in_time(client::watch(self.env(), query)).await?;
        Ok(opened.map_or(WatchReply::Full, |response| {
            WatchReply::Open(Body::upgrade(response))
        }))
    }

    async fn dashboard_file(&self, name: &str) -> Option<String> {
        Some(glue::dashboard_file(name).await.ok()?.1)
    }

    fn has_analytics(&self) -> bool {
        analytics::with_dataset(self.env(), |_| ()).is_some()
    }

    fn write_data_point(&self, point: &DataPoint) {
        analytics::with_dataset(self.env(), |dataset| analytics::write(dataset, point));
    }

    async fn read_note(&self, site: &str, name: &str) -> Result<Option<String>, String> {
        let url = self.note_url(site, name)?;
        tiers::read_note(&url)
            .await
            .map_err(|error| message(&error))
    }

    fn write_note(&self, site: &str, name: &str, text: String, seconds: u64) {
        let (host, url) = (self.clone(), self.note_url(site, name));
        self.later(async move {
            let written = match url {
                Ok(url) => tiers::write_note(&url, &text, seconds).await,
                Err(problem) => Err(problem.into()),
            };
            if let Err(error) = written {
                log_problem(&host, "cache-api", &message(&error));
            }
        });
    }

    async fn purge_zone(&self, body: &str) -> Result<ZoneResponse, String> {
        match Zone::of(self.env())? {
            Some(zone) => zone.purge(body).await,
            None => Err("CLOUDFLARE_ZONE_ID or CLOUDFLARE_API_TOKEN is not set".to_owned()),
        }
    }

    async fn wait_for_background(&self) -> Result<(), String> {
        let EventContext::Ledger(step) = &self.0.event else {
            return Ok(());
        };
        loop {
            // Completed work may have added more, so look again.
            let pending = step.pending.take();
            if pending.is_empty() {
                break;
            }
            for promise in pending {
                // It cannot fail: failures are recorded as they happen.
                let _ = guard::with_bound(BODY_WAIT_MS, JsFuture::from(promise)).await;
            }
        }
        step.lost.take().map_or(Ok(()), Err)
    }

    async fn verify_ed25519(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        crypto::verify_ed25519(key, message, signature)
            .await
            .unwrap_or(false)
    }
}

/// Logs that a request was refused because of the memory limit.
pub fn log_refusal() {
    glue::log_error("a request was refused: those that wait hold all the memory they may");
}
