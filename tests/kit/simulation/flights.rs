//! Requests to the origin that are in flight, and the promises about their
//! number and collapsing.

use super::executor::Life;
use super::host::SimHost;
use super::page::{Bytes, Name};
use super::promises::{Promise, others_ms};
use super::setup::{SEARCH, START_MS};
use super::world::{Seat, World};
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::http::head::ResponseHead;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A follower whose leader failed, or whose leader's response is not shared,
/// sends its own request within this time.
const AFTER_MS: u64 = 1_000;
/// After this time without a head, or without an entry after the head, further
/// requests may be sent beside the leader's. `collapse_bounds` tests how many.
const ALONE_MS: u64 = 1_000;
/// The longest wait for an entry after its body.
const LANDING_MS: u64 = 11_000;
/// For how long a hit-for-miss record lasts.
const UNSHARED_MS: u64 = 60_000;
/// A leader without a heartbeat for this time counts as cancelled.
const DEAD_MS: u64 = 3_000;
/// The most lookups of a request in the Cache API: the first one, and three
/// after the requests of leaders. Then it sends its own request.
const LOOKS_MAX: u32 = 4;

/// A request to the origin.
pub struct Flight {
    site: &'static str,
    page: usize,
    /// The client, if it has a session.
    client: Option<Name>,
    /// Whether it is a POST, which has no time limit.
    upload: bool,
    /// The URL and the fields that select its response, see [`key`].
    key: String,
    began_ms: u64,
    /// Whether it leads: followers wait for it.
    leads: bool,
    /// The life of the task that sent it.
    life: Life,
    /// The time of its response.
    over: Rc<Cell<Option<u64>>>,
    /// The duration of its body after the head. If a stale entry is available,
    /// a short body is read to its end before it is stored.
    body_ms: Cell<u64>,
}

impl Flight {
    fn is_up(&self) -> bool {
        self.over.get().is_none() && !self.life.is_over()
    }

    /// Whether followers wait for its entry, or for the request itself if it
    /// was cancelled with its isolate.
    fn lands(&self, now_ms: u64) -> bool {
        let at_ms = self.over.get().unwrap_or(self.began_ms);
        !self.is_up() && now_ms < at_ms + self.body_ms.get() + LANDING_MS
    }

    /// Whether followers may have waited for their longest time.
    fn lasts(&self, now_ms: u64) -> bool {
        now_ms >= self.began_ms + ALONE_MS
    }
}

/// Responses that were not shared: for each key the time of the last one, and
/// the end of its hit-for-miss record.
pub type Unshared = BTreeMap<String, (u64, u64)>;

/// Ends a flight when its request is dropped.
pub struct UntilDropped {
    pub over: Rc<Cell<Option<u64>>>,
    pub world: Rc<World>,
}

impl Drop for UntilDropped {
    fn drop(&mut self) {
        let now_ms = || self.world.executor.now_ms();
        let at_ms = self.over.get().unwrap_or_else(now_ms);
        self.over.set(Some(at_ms));
    }
}

/// Records a request to the origin. The returned cell is for [`end`].
pub fn begin(host: &SimHost, request: &OriginRequest) -> Rc<Cell<Option<u64>>> {
    let (world, exchange, seat) = (&host.world, &host.exchange, &host.seat);
    let over = Rc::new(Cell::new(None));
    let now_ms = world.executor.now_ms();
    let key = key(host, request);
    let mut flights = seat.flights.borrow_mut();
    flights.retain(|flight| flight.is_up() || flight.lands(now_ms));
    let allowed_beside = flights
        .iter()
        .any(|other| other.key == key && other.lasts(now_ms));
    let flight = Flight {
        site: exchange.site,
        page: exchange.page,
        client: exchange.names.borrow().first().copied(),
        upload: request.method == "POST",
        key,
        began_ms: now_ms,
        leads: is_for_all(host, request) && !is_excused(host, request) && !allowed_beside,
        life: world.executor.current_life(),
        over: Rc::clone(&over),
        body_ms: Cell::new(0),
    };
    world.trace(|| {
        let (name, key) = (&seat.name, &flight.key);
        let role = if flight.leads { "as leader" } else { "alone" };
        format!("{name}: {exchange}, requests {role}: {key}")
    });
    let same = |other: &&Flight| other.leads && other.is_up() && other.key == flight.key;
    if flight.leads
        && let Some(other) = flights.iter().find(same)
    {
        let (name, key, ms) = (&seat.name, &flight.key, other.began_ms - START_MS);
        let text = format!("{name} requests {key}, already requested at {ms} ms\n{exchange}");
        world.promises.break_one(world, Promise::Collapsed, text);
    }
    let guard = world.setup.guard();
    let limit = guard.map_or(usize::MAX, |guard| guard.requests_max);
    let last = Share::of(&flight);
    flights.push(flight);
    let here = |flight: &&Flight| flight.site == exchange.site && flight.is_up();
    let count = flights.iter().filter(here).count();
    let is_full = last.is_full(&flights, limit);
    drop(flights);
    world.sums(exchange.kind, |sums| {
        sums.origin += 1;
        sums.in_flight = sums.in_flight.max(count as u64);
    });
    if is_full {
        seat.full_ms.set(Some(world.executor.now_ms()));
    }
    if count > limit {
        let (name, site) = (&seat.name, exchange.site);
        let text = format!("{name} has {count} requests in flight to {site}, of {limit}");
        world.promises.break_one(world, Promise::Load, text);
    }
    over
}

/// The shares of an origin's permits that a request belongs to.
struct Share {
    site: &'static str,
    page: usize,
    client: Option<Name>,
    upload: bool,
}

impl Share {
    fn of(flight: &Flight) -> Self {
        Self {
            site: flight.site,
            page: flight.page,
            client: flight.client,
            upload: flight.upload,
        }
    }

    /// Whether no permit is left for another such request: its host, page,
    /// client, or uploads have their whole share. Both hosts share an origin.
    fn is_full(&self, all: &[Flight], limit: usize) -> bool {
        let up = || all.iter().filter(|other| other.is_up());
        let here = || up().filter(|other| other.site == self.site);
        let of_page = here().filter(|other| other.page == self.page).count();
        let of_client = here().filter(|other| self.client.is_some() && other.client == self.client);
        let of_both = here().filter(|other| {
            self.client.is_some() && other.client == self.client && other.page == self.page
        });
        let uploads = here().filter(|other| other.upload).count();
        let half = limit.div_ceil(2);
        here().count().saturating_add(up().count()) >= limit.saturating_mul(2)
            || of_page >= half
            || of_client.count() >= half
            || of_both.count() >= half.div_ceil(2)
            || (self.upload && uploads >= (limit / 4).max(1))
    }
}

/// Whether the response to a request may be shared. For a page with variants
/// this is not known before the response.
fn is_for_all(host: &SimHost, request: &OriginRequest) -> bool {
    let (world, exchange) = (&host.world, &host.exchange);
    let page = &world.origin.pages[exchange.page].setup;
    let directives = exchange.control.is_some() && world.setup.directives;
    let ranged = exchange.range.is_some() || request.fields.has("range");
    // Each request fetches the rest of a partial response for itself, and then
    // perhaps the whole.
    let completes = exchange.completes.get() || request.fields.has("range");
    exchange.completes.set(completes);
    let asks_for_all = request.method == "GET" && !ranged && !completes && !directives;
    let plain = asks_for_all && !exchange.attacks;
    plain && page.privacy.is_none() && !page.varies && page.path != SEARCH
}

/// Whether a request need not wait for others, or has waited without success.
fn is_excused(host: &SimHost, request: &OriginRequest) -> bool {
    let now_ms = host.world.executor.now_ms();
    let mut records = host.world.unshared[host.seat.centre].borrow_mut();
    let record = records.get_mut(&key(host, request));
    let unshared = record.is_some_and(|(at_ms, until_ms)| {
        let remembered = now_ms < *until_ms;
        if remembered {
            // Each use renews the record.
            *until_ms = now_ms + UNSHARED_MS;
        }
        remembered || now_ms < *at_ms + AFTER_MS
    });
    let waited_ms = now_ms - host.exchange.began_ms;
    let in_vain = host.exchange.looks.get() >= LOOKS_MAX;
    unshared || in_vain || waited_ms >= others_ms(&host.world.setup)
}

/// The outcome of a request to the origin.
type UpstreamResult = Result<(ResponseHead, Option<Bytes>), OriginFailure>;

/// Whether a 503 may come from the limit of concurrent requests: all permits
/// were in use a while ago, perhaps by requests that were cancelled since.
pub fn was_full(world: &World, seat: &Seat) -> bool {
    let Some(guard) = world.setup.guard() else {
        return false;
    };
    let seconds = world.setup.origin_timeout_seconds + guard.queue_seconds;
    let while_ms = 1000 * seconds + 2 * AFTER_MS;
    let now_ms = world.executor.now_ms();
    seat.full_ms.get().is_some_and(|at| now_ms - at <= while_ms)
}

/// Whether a body breaks off, or differs from its `Content-Length`.
fn is_cut(head: &ResponseHead, body: Option<&Bytes>) -> bool {
    let length = head.fields.get("content-length");
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    body.is_some_and(|body| body.broken || length.is_some_and(|length| length != body.text.len()))
}

/// Records the end of a request to the origin.
pub fn end(
    host: &SimHost,
    request: &OriginRequest,
    over: &Cell<Option<u64>>,
    result: &UpstreamResult,
) {
    let world = &host.world;
    let now_ms = world.executor.now_ms();
    over.set(Some(now_ms));
    let body = result.as_ref().ok().and_then(|(_, body)| body.as_ref());
    for flight in host.seat.flights.borrow().iter() {
        if std::ptr::eq(&raw const *flight.over, over) {
            flight.body_ms.set(body.map_or(0, |body| body.takes_ms));
        }
    }
    let until_ms = match result {
        // Followers are informed of the failure.
        Err(_) => now_ms,
        Ok((head, _)) if head.status >= 500 => now_ms,
        Ok((head, body)) => {
            let page = &world.origin.pages[host.exchange.page].setup;
            // A response that is stale on arrival is not shared.
            let older_ms = 1000 * page.upstream_seconds + 2 * world.setup.skew_ms + DEAD_MS;
            let lives =
                1000 * page.terms.lifetime() > older_ms + 1000 * world.setup.origin_timeout_seconds;
            match lives && head.status < 400 {
                true if is_cut(head, body.as_ref()) => now_ms,
                true => return,
                false => now_ms + UNSHARED_MS,
            }
        }
    };
    let mut unshared = world.unshared[host.seat.centre].borrow_mut();
    let record = unshared.entry(key(host, request)).or_default();
    *record = (now_ms, record.1.max(until_ms));
}

/// The key of a request: what the origin receives, except conditions.
fn key(host: &SimHost, request: &OriginRequest) -> String {
    let site = host.exchange.site;
    let mut key = format!("{site} {} {}", request.method, request.url);
    for name in ["accept-language", "cookie", "authorization"] {
        if let Some(value) = request.fields.get(name) {
            key += &format!(" {name}: {value}");
        }
    }
    key
}
