//! The platform, as the flow sees it: a few verbs.
//!
//! There are two hosts, the real one (`cloudflare`) and a simulated world with
//! virtual time and faults (`tests/kit/world`).

use crate::cache::key::cache_key::Slot;
use crate::cache::ledger::wire::{Order, PastOrder, Question, Receipt};
use crate::cache::origin::failure::OriginFailure;
use crate::cache::policy::entry::Entry;
use crate::cache::purge::feed::PurgeFeed;
use crate::cache::purge::zone_purge::ZoneResponse;
use crate::cache::request::classify::Plan;
use crate::cache::request::origin_request::OriginRequest;
use crate::http::head::{RequestHead, ResponseHead};
use futures_channel::oneshot;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Bodies up to this length are stored in one piece, when their last byte has
/// come: what breaks off before is never seen in a tier. A hundred fills at a
/// time take a fifth of an isolate's 128 MB. Parts are put together up to it.
pub const WHOLE_BYTES_MAX: u32 = 256 * 1024;

/// Bodies up to this length come with their heads, if the length is told: an
/// origin sends so much at once (ten segments of 1,460 bytes, RFC 6928), so
/// nobody waits, and one that breaks off has failed before anybody hears of it.
pub const AT_ONCE_BYTES_MAX: u32 = 14_600;

/// Where entries are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// The Cache API of this data centre.
    CacheApi,
    /// KV, seen by all data centres, some time later.
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

/// An entry on its way to the tiers.
#[derive(Clone, Debug)]
pub struct StoreRequest {
    /// Its head.
    pub entry: Entry,
    /// The tiers it goes to, and where it goes there: in which slot a variant
    /// lies may differ between them.
    pub places: Vec<(Tier, Slot)>,
    /// Who wants to know what becomes of the copies.
    pub landed: StoreObserver,
}

/// Is told what became of a copy: once for each place, when it can be read
/// there, or why it is lost. It only notes plain values: whoever waits for the
/// copy looks at those by itself.
#[derive(Clone, Default)]
pub struct StoreObserver(Option<Rc<Tell>>);

type Tell = dyn Fn(Tier, Result<(), &str>);

impl StoreObserver {
    /// Tells `other` after these.
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

    /// Tells `tell`.
    pub fn new(tell: impl Fn(Tier, Result<(), &str>) + 'static) -> Self {
        Self(Some(Rc::new(tell)))
    }

    /// Tells what became of the copy for a tier.
    pub fn tell(&self, tier: Tier, outcome: Result<(), &str>) {
        if let Some(tell) = &self.0 {
            tell(tier, outcome);
        }
    }
}

impl fmt::Debug for StoreObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Landed")
    }
}

/// What the ledger says of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerReply {
    /// The receipt, new or repeated, and the news since [`Order::after`].
    Done(Box<Receipt>, PurgeFeed),
    /// The id was used for another order.
    Conflict,
}

/// A body that is longer than it may be, or that broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Longer than the limit.
    TooLong,
    /// It broke off.
    Broken,
}

/// How long an origin may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginTimeouts {
    /// Milliseconds until the response head must be there, if it must.
    pub head_ms: Option<u64>,
    /// Milliseconds from the head to the end of the body, if that must come.
    pub body_ms: Option<u64>,
    /// Whether a body of at most [`AT_ONCE_BYTES_MAX`], if its length is told,
    /// must come whole within `head_ms`.
    pub at_once: bool,
}

/// The body of a request on its way to an origin.
#[derive(Debug)]
pub struct Upload<B> {
    /// The body.
    pub body: B,
    /// Whether its last byte has been taken, as far as is known. The host sets
    /// it: what fails before may be the client's doing, by a body that stops or
    /// breaks off.
    pub is_sent: Rc<Cell<bool>>,
}

impl<B> Upload<B> {
    /// A body of which nothing is sent yet.
    pub fn new(body: B) -> Self {
        Self {
            body,
            is_sent: Rc::default(),
        }
    }
}

/// The reader of a body that is being made is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderGone;

/// A body that is read, and another one that is written meanwhile. Dropping it
/// breaks the other one off.
#[allow(async_fn_in_trait, reason = "one thread: no future need be Send")]
pub trait BodyPipe: 'static {
    /// The next bytes of the one, as they come; `None` at its end.
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError>;

    /// Writes bytes to the other, as fast as they are taken.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), ReaderGone>;

    /// Ends the other.
    async fn close(self);
}

/// No pipe, of a host that has none.
#[derive(Debug)]
pub enum NoPipe {}

impl BodyPipe for NoPipe {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        match *self {}
    }

    async fn write(&mut self, _: &[u8]) -> Result<(), ReaderGone> {
        match *self {}
    }

    async fn close(self) {
        match self {}
    }
}

/// The verbs. Everything runs on one thread, and nothing here may be awaited
/// by two requests: the runtime would cancel it or run it in the wrong
/// context. Dropping a body ends its stream.
#[allow(async_fn_in_trait, reason = "one thread: no future need be Send")]
pub trait Host: Clone + 'static {
    /// A stream of bytes, which the flow only moves.
    type Body: 'static;

    /// See [`Host::pipe`].
    type Pipe: BodyPipe;

    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;

    /// Waits.
    async fn sleep(&self, milliseconds: u64);

    /// Does something behind the response, whether the client waits or not.
    fn later(&self, work: impl Future<Output = ()> + 'static);

    /// The value that work given to [`Host::later`] sends, however long that
    /// takes; `None` if the work was dropped.
    async fn receive<T: 'static>(&self, from: oneshot::Receiver<T>) -> Option<T> {
        from.await.ok()
    }

    /// Writes a line to the log.
    fn log(&self, line: &str);

    /// The text and body of the entry in a slot. An error says what failed.
    async fn recall(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Self::Body>)>, String>;

    /// Keeps an entry behind the response, and tells [`StoreRequest::landed`]. If the
    /// body breaks off, nothing stays stored. Gives back the body for the
    /// client if `for_client`.
    fn keep(
        &self,
        body: Option<Self::Body>,
        keep: StoreRequest,
        for_client: bool,
    ) -> Option<Self::Body>;

    /// Copies a body that is to be given to a client, for use any number of
    /// times, and behind the response tells `done` of the copy and how many
    /// bytes it has; or nothing, if it breaks off. A host that has no memory
    /// does nothing.
    fn hold(&self, body: &Self::Body, done: Box<dyn FnOnce(Rc<dyn Any>, u64)>) {
        let _ = (body, done);
    }

    /// A body of a copy that this host held.
    fn give(&self, held: &Rc<dyn Any>) -> Option<Self::Body> {
        let _ = held;
        None
    }

    /// One body after the other, both short; `None` if either breaks off.
    async fn join(&self, one: Self::Body, other: Self::Body) -> Option<Self::Body>;

    /// Reads a body to its end and gives it back whole. It fails if it breaks
    /// off, is not of `length`, or has not come within `timeout_ms`. One of
    /// more than [`WHOLE_BYTES_MAX`] is given back as it is, as soon as that
    /// is known.
    async fn whole(
        &self,
        body: Self::Body,
        length: Option<u64>,
        timeout_ms: u64,
    ) -> Result<Self::Body, OriginFailure>;

    /// The IP address of the client whose request this is; `None` if it is not
    /// known, or if there is no client.
    fn reader(&self) -> Option<String> {
        None
    }

    /// The client's request with all its fields, where `serve` was given
    /// only those of its fields that are read; `None` if it was given all.
    fn whole_head(&self) -> Option<RequestHead> {
        None
    }

    /// Whether there is memory for a request that has to wait. It holds that
    /// memory until it ends.
    fn has_room(&self, plan: &Plan, head: &RequestHead, has_body: bool) -> bool {
        let _ = (plan, head, has_body);
        true
    }

    /// A request that is looked up holds so many bytes from now on, should it
    /// have to wait.
    fn hold_bytes(&self, bytes: usize) {
        let _ = bytes;
    }

    /// Asks the origin. A body that takes longer than it may breaks off; one
    /// that is to come with its head fails as a whole.
    async fn ask_origin(
        &self,
        request: &OriginRequest,
        upload: Option<Upload<Self::Body>>,
        patience: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<Self::Body>), OriginFailure>;

    /// Reads a whole body of at most `limit` bytes. For orders, sitemaps and
    /// fragments only: other bodies are never read.
    async fn read(&self, body: Self::Body, limit: usize) -> Result<Vec<u8>, BodyError>;

    /// A body that is made of this one by whoever holds the pipe: behind the
    /// response. `None` if that cannot be.
    fn pipe(&self, body: Self::Body) -> Option<(Self::Pipe, Self::Body)> {
        drop(body);
        None
    }

    /// Whether a body is gzip from its first byte to its last (RFC 1952), has at
    /// most `most` bytes once it is decoded, and has come within `timeout_ms`.
    /// Gives the body back as it was, unless it broke off.
    async fn is_gzip(
        &self,
        body: Self::Body,
        most: u64,
        timeout_ms: u64,
    ) -> (bool, Option<Self::Body>) {
        let _ = (most, timeout_ms);
        (true, Some(body))
    }

    /// A body without its gzip coding; `None` if that cannot be.
    fn decompressed(&self, body: Self::Body) -> Option<Self::Body> {
        drop(body);
        None
    }

    /// Appends an order to the ledger. An error says what failed; the order
    /// may or may not have been kept, and can be sent again.
    async fn append(&self, order: &Order) -> Result<LedgerReply, String>;

    /// What the ledger has had since number `after`.
    async fn news(&self, after: u64) -> Result<PurgeFeed, String>;

    /// The same, where KV writes are counted: tells the ledger of `kv_writes`
    /// more, and hears the day's total. A host without a budget need not tell
    /// them.
    async fn counted_news(&self, after: u64, kv_writes: u64) -> Result<PurgeFeed, String> {
        let _ = kv_writes;
        self.news(after).await
    }

    /// What the ledger remembers of past orders.
    async fn history(&self, question: &Question) -> Result<Vec<PastOrder>, String>;

    /// A note that the isolates of this data centre share, if there is one.
    /// `site` is the host name of the request that asks: Cloudflare keeps a
    /// cache for each zone.
    async fn shared(&self, site: &str, name: &str) -> Result<Option<String>, String>;

    /// Shares a note, behind the response, for that many seconds.
    fn share(&self, site: &str, name: &str, text: String, seconds: u64);

    /// Sends a call to the zone's own purge (`cache::purge::zone_purge`). An error says
    /// what failed before there was an answer.
    async fn purge_zone(&self, body: &str) -> Result<ZoneResponse, String>;

    /// Waits until all is done that this host and its clones have put behind
    /// the response, and tells if a copy for KV was lost. Only for work that
    /// no response waits for: the ledger's.
    async fn settled(&self) -> Result<(), String>;

    /// Whether `signature` is the ed25519 signature of `message` (RFC 8032).
    async fn verify_ed25519(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool;
}
