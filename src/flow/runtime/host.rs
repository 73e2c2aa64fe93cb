//! The platform's interface for the flow: the [`Host`] trait.
//!
//! There are two hosts, the real one (`cloudflare`) and a simulated world with
//! virtual time and faults (`tests/kit/world`).

use crate::cache::key::cache_key::Slot;
use crate::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder, Receipt};
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::entry::Entry;
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::purge::zone_purge::ZoneResponse;
use crate::cache::request::classify::Plan;
use crate::cache::request::origin_request::OriginRequest;
use crate::cache::shadow::record::BodyDigest;
use crate::cache::stats::data_point::DataPoint;
use crate::cache::stats::query::StatsQuery;
use crate::http::head::{RequestHead, ResponseHead};
use futures_channel::oneshot;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Bodies up to this length are stored in one piece after their last byte has
/// arrived, so a body that is cut off is never stored. A hundred fills at a
/// time take a fifth of an isolate's 128 MB. Parts are joined up to this
/// length.
pub const WHOLE_BYTES_MAX: u32 = 256 * 1024;

/// Bodies up to this length arrive with their heads, if their length is known.
/// An origin sends so much at once (ten segments of 1,460 bytes, RFC 6928), so
/// this causes no wait, and a body that is cut off fails before the client gets
/// anything.
pub const AT_ONCE_BYTES_MAX: u32 = 14_600;

/// A place where entries are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The Cache API of this data centre.
    CacheApi,
    /// KV, visible in all data centres after some time.
    Kv,
}

impl Tier {
    /// A word for logs and `Cache-Status`.
    pub fn word(self) -> &'static str {
        match self {
            Self::CacheApi => "cache-api",
            Self::Kv => "kv",
        }
    }
}

/// The content of a slot: an entry's text and its body; `None` if the slot is
/// empty.
pub type SlotContent<B> = Option<(String, Option<B>)>;

/// A request to store an entry in the tiers.
#[derive(Clone, Debug)]
pub struct StoreRequest {
    /// The entry.
    pub entry: Entry,
    /// The tiers, and the slot in each. A variant's slot may differ between
    /// tiers.
    pub places: Vec<(Tier, Slot)>,
    /// Receives the result of each store.
    pub observer: StoreObserver,
}

/// Receives the result of storing a copy: once for each place, when the copy
/// can be read there, or why it was lost. It only records plain values;
/// requests that wait for the copy poll those.
#[derive(Clone, Default)]
pub struct StoreObserver(Option<Rc<ReportResult>>);

type ReportResult = dyn Fn(Tier, Result<(), &str>);

impl StoreObserver {
    /// An observer that calls `self`, then `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(one), Some(other)) => Self::new(move |tier, outcome| {
                one(tier, outcome);
                other(tier, outcome);
            }),
            (one, other) => Self(one.or(other)),
        }
    }

    /// An observer that calls `report`.
    pub fn new(report: impl Fn(Tier, Result<(), &str>) + 'static) -> Self {
        Self(Some(Rc::new(report)))
    }

    /// Reports the result of the store in a tier.
    pub fn report(&self, tier: Tier, outcome: Result<(), &str>) {
        if let Some(report) = &self.0 {
            report(tier, outcome);
        }
    }
}

impl fmt::Debug for StoreObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreObserver")
    }
}

/// The ledger's response to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerReply {
    /// The receipt, new or repeated, and the purge feed since [`Order::after`].
    Done(Box<Receipt>, PurgeFeed),
    /// The id was used for another order.
    Conflict,
}

/// A watcher of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchQuery {
    /// The name of the key with which it watches.
    pub key: String,
    /// The number of an event: it first gets what has happened since. `None`:
    /// it gets what happens from now on.
    pub after: Option<u64>,
    /// Whether the client has asked for the subprotocol, and is told that it is
    /// spoken.
    pub has_protocol: bool,
}

/// The ledger's response to a watcher.
#[derive(Debug)]
pub enum WatchReply<B> {
    /// The response 101, which carries the socket.
    Open(B),
    /// There are too many watchers.
    Full,
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit.
    TooLong,
    /// It was cut off.
    Broken,
}

/// The time limits of a request to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginTimeouts {
    /// Milliseconds until the response head must arrive; `None` for no limit.
    pub head_ms: Option<u64>,
    /// Milliseconds from the head to the end of the body; `None` for no limit.
    pub body_ms: Option<u64>,
    /// Whether a body of at most [`AT_ONCE_BYTES_MAX`], if its length is known,
    /// must arrive completely within `head_ms`.
    pub at_once: bool,
}

/// The body of a request to an origin.
#[derive(Debug)]
pub struct Upload<B> {
    /// The body.
    pub body: B,
    /// Whether its last byte has been taken, as far as is known. The host sets
    /// it. A failure before that may be caused by the client, whose body stops
    /// or is cut off.
    pub is_sent: Rc<Cell<bool>>,
}

impl<B> Upload<B> {
    /// A body of which nothing has been sent yet.
    pub fn new(body: B) -> Self {
        Self {
            body,
            is_sent: Rc::default(),
        }
    }
}

/// The client of a body that is being written has disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientDisconnected;

/// A body that is read, and another one that is written meanwhile. Dropping the
/// pipe cuts off the written one.
#[allow(async_fn_in_trait, reason = "one thread: no future need be Send")]
pub trait BodyPipe: 'static {
    /// The next bytes to read, as they arrive; `None` at the end.
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError>;

    /// Writes bytes, as fast as they are taken.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientDisconnected>;

    /// Ends the written body.
    async fn close(self);
}

/// The pipe type of a host without pipes.
#[derive(Debug)]
pub enum NoPipe {}

impl BodyPipe for NoPipe {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        match *self {}
    }

    async fn write(&mut self, _: &[u8]) -> Result<(), ClientDisconnected> {
        match *self {}
    }

    async fn close(self) {
        match self {}
    }
}

/// The operations of the platform.
///
/// Everything runs on one thread. Two requests must never await the same future
/// of a host: the runtime would cancel it or run it in the wrong context.
/// Dropping a body ends its stream.
#[allow(async_fn_in_trait, reason = "one thread: no future need be Send")]
pub trait Host: Clone + 'static {
    /// A stream of bytes, which the flow only moves.
    type Body: 'static;

    /// See [`Host::pipe`].
    type Pipe: BodyPipe;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Waits for this time.
    async fn sleep(&self, milliseconds: u64);

    /// Runs a task in the background, whether the client is connected or not.
    fn later(&self, work: impl Future<Output = ()> + 'static);

    /// The value that a task given to [`Host::later`] sends, however long that
    /// takes; `None` if the task was dropped.
    async fn receive<T: 'static>(&self, from: oneshot::Receiver<T>) -> Option<T> {
        from.await.ok()
    }

    /// Writes a line to the log.
    fn log(&self, line: &str);

    /// Reads the text and body of the entry in a slot. An error says what
    /// failed.
    async fn read_slot(&self, tier: Tier, slot: &Slot) -> Result<SlotContent<Self::Body>, String>;

    /// Stores an entry in the background, and reports to
    /// [`StoreRequest::observer`]. If the body is cut off, nothing stays
    /// stored. Returns the body for the client if `for_client`.
    fn store_entry(
        &self,
        body: Option<Self::Body>,
        store_request: StoreRequest,
        for_client: bool,
    ) -> Option<Self::Body>;

    /// Copies a body that is given to a client, for repeated use. In the
    /// background it calls `done` with the copy and its length in bytes; not if
    /// the body is cut off. A host without memory does nothing.
    fn copy_body(&self, body: &Self::Body, done: Box<dyn FnOnce(Rc<dyn Any>, u64)>) {
        let _ = (body, done);
    }

    /// A body from a copy that [`Host::copy_body`] made.
    fn body_of_copy(&self, copy: &Rc<dyn Any>) -> Option<Self::Body> {
        let _ = copy;
        None
    }

    /// A copy of a body that is given to a client, for
    /// [`Host::digest_body`]. It must be read or dropped at once: the bytes that
    /// one of the two has read are kept for the other. `None` if that is not
    /// possible.
    fn fork_body(&self, body: &mut Self::Body) -> Option<Self::Body> {
        let _ = body;
        None
    }

    /// The SHA-256 of a body of at most `most` bytes, encoded and decoded. If
    /// `is_gzip`, it is decoded before.
    async fn digest_body(
        &self,
        body: Self::Body,
        is_gzip: bool,
        most: u32,
    ) -> Result<BodyDigest, BodyError> {
        drop(body);
        let _ = (is_gzip, most);
        Err(BodyError::Broken)
    }

    /// Joins two short bodies; `None` if either is cut off.
    async fn join(&self, one: Self::Body, other: Self::Body) -> Option<Self::Body>;

    /// Reads a body to its end and returns it whole. It fails if the body is
    /// cut off, is not of `length`, or has not arrived within `timeout_ms`. A
    /// body of more than [`WHOLE_BYTES_MAX`] is returned as a stream again, as
    /// soon as it is known to be that long.
    async fn receive_whole(
        &self,
        body: Self::Body,
        length: Option<u64>,
        timeout_ms: u64,
    ) -> Result<Self::Body, OriginFailure>;

    /// The IP address of the client; `None` if it is unknown, or if there is no
    /// client.
    fn client_address(&self) -> Option<String> {
        None
    }

    /// The client's request with all its fields, if `serve` was given only
    /// those that a lookup reads; `None` if it was given all.
    fn whole_head(&self) -> Option<RequestHead> {
        None
    }

    /// Reserves memory for a request that has to wait, until it ends; `false`
    /// if there is none left.
    fn reserve_memory(&self, plan: &Plan, head: &RequestHead, has_body: bool) -> bool {
        let _ = (plan, head, has_body);
        true
    }

    /// Counts so many more bytes as held by this request while it waits.
    fn hold_bytes(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Sends a request to the origin. A body that exceeds its time limit is cut
    /// off; one that must arrive with its head fails as a whole.
    async fn send_to_origin(
        &self,
        request: &OriginRequest,
        upload: Option<Upload<Self::Body>>,
        timeouts: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<Self::Body>), OriginFailure>;

    /// Reads a whole body of at most `limit` bytes. Only for orders, sitemaps
    /// and fragments: other bodies are never read.
    async fn read(&self, body: Self::Body, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// A pipe that reads this body, and the body that is written through it,
    /// for use in the background. `None` if that is not possible.
    fn pipe(&self, body: Self::Body) -> Option<(Self::Pipe, Self::Body)> {
        drop(body);
        None
    }

    /// Whether a body is gzip from its first byte to its last (RFC 1952), has
    /// at most `most` bytes both encoded and decoded, and has arrived within
    /// `timeout_ms`. Returns the body as received, unless it was cut off or is
    /// too long.
    async fn is_gzip(
        &self,
        body: Self::Body,
        most: u32,
        timeout_ms: u64,
    ) -> (bool, Option<Self::Body>) {
        let _ = (most, timeout_ms);
        (true, Some(body))
    }

    /// A body without its gzip coding; `None` if that is not possible.
    fn decompressed(&self, body: Self::Body) -> Option<Self::Body> {
        drop(body);
        None
    }

    /// Appends an order to the ledger. An error says what failed. The order may
    /// have been stored or not, and can be sent again.
    async fn append(&self, order: &Order) -> Result<LedgerReply, String>;

    /// The ledger's purges after a sequence number. The ledger receives what the
    /// query reports.
    async fn read_feed(&self, query: &FeedQuery) -> Result<PurgeFeed, String>;

    /// The ledger's statistics, as the text of a `StatsPage`
    /// (`flow::ledger::stats_store`).
    async fn read_stats(&self, query: &StatsQuery) -> Result<String, String>;

    /// The past orders that the ledger still has.
    async fn history(&self, query: &HistoryQuery) -> Result<Vec<PastOrder>, String>;

    /// A WebSocket between the client and the ledger, over which the ledger
    /// sends events (`flow::endpoints::events`). The client's request must ask
    /// for one.
    async fn watch(&self, query: &WatchQuery) -> Result<WatchReply<Self::Body>, String> {
        let _ = query;
        Err("no WebSockets".to_owned())
    }

    /// The text of a file of the dashboard; `None` if there is none.
    async fn dashboard_file(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }

    /// Whether data points can be written.
    fn has_analytics(&self) -> bool {
        false
    }

    /// Writes a data point of Analytics Engine. It is lost if that fails.
    fn write_data_point(&self, point: &DataPoint) {
        let _ = point;
    }

    /// A note that the isolates of this data centre share, if there is one.
    /// `site` is the host name of the request: Cloudflare has a cache per zone.
    async fn read_note(&self, site: &str, name: &str) -> Result<Option<String>, String>;

    /// Shares a note in the background, for this many seconds.
    fn write_note(&self, site: &str, name: &str, text: String, seconds: u64);

    /// Calls the zone's own purge API (`cache::purge::zone_purge`). An error
    /// says what failed before there was a response.
    async fn purge_zone(&self, body: &str) -> Result<ZoneResponse, String>;

    /// Waits until all background tasks of this host and its clones have ended.
    /// An error says that a copy for KV was lost. Only for work that no
    /// response waits for: the ledger's.
    async fn wait_for_background(&self) -> Result<(), String>;

    /// Whether `signature` is the ed25519 signature of `message` (RFC 8032).
    async fn verify_ed25519(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool;
}
