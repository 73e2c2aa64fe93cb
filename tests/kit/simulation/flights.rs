//! Requests to the origin that are in flight: how many, and for what.

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

/// Who has waited for another one in vain, or was told that its answer is not
/// for all, asks within this time.
const AFTER_MS: u64 = 1_000;
/// After so long without a head, or without a copy after that, some more may
/// ask beside the first one: how many, `collapse_bounds` shows.
const ALONE_MS: u64 = 1_000;
/// For so long after its body a copy is waited for.
const LANDING_MS: u64 = 11_000;
/// For how long it is remembered that answers are not for all.
const UNSHARED_MS: u64 = 60_000;
/// A leader from which nothing was heard for so long is gone.
const DEAD_MS: u64 = 3_000;
/// How often a request looks into the Cache API: at first, and three times
/// after another one has asked. Then it asks for itself.
const LOOKS_MAX: u32 = 4;

/// A request to the origin.
pub struct Flight {
    site: &'static str,
    page: usize,
    /// The client, if it has a name.
    client: Option<Name>,
    /// Whether it has no limit of time.
    upload: bool,
    /// What it asks for, variant and all.
    key: String,
    began_ms: u64,
    /// Whether others wait for it.
    leads: bool,
    /// The task that asks.
    life: Life,
    /// When there was an answer.
    over: Rc<Cell<Option<u64>>>,
    /// How long its body took after that: a short one is read to its end before
    /// anything is stored, where a stale copy stands by.
    body_ms: Cell<u64>,
}

impl Flight {
    fn is_up(&self) -> bool {
        self.over.get().is_none() && !self.life.is_over()
    }

    /// Whether others wait for its copy, or for the request if its isolate has
    /// ended it without a word.
    fn lands(&self, now_ms: u64) -> bool {
        let at_ms = self.over.get().unwrap_or(self.began_ms);
        !self.is_up() && now_ms < at_ms + self.body_ms.get() + LANDING_MS
    }

    /// Whether they may have waited for long.
    fn lasts(&self, now_ms: u64) -> bool {
        now_ms >= self.began_ms + ALONE_MS
    }
}

/// Answers to an isolate that were not for all: when the last one came, for
/// each key; and until when that is remembered.
pub type Unshared = BTreeMap<String, (u64, u64)>;

/// Ends a request to the origin that is dropped while it is under way.
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

/// Notes that a request goes to the origin. The cell is for [`end`].
pub fn begin(host: &SimHost, request: &OriginRequest) -> Rc<Cell<Option<u64>>> {
    let (world, exchange, seat) = (&host.world, &host.exchange, &host.seat);
    let over = Rc::new(Cell::new(None));
    let now_ms = world.executor.now_ms();
    let key = key(host, request);
    let mut flights = seat.flights.borrow_mut();
    flights.retain(|flight| flight.is_up() || flight.lands(now_ms));
    let beside = flights
        .iter()
        .any(|other| other.key == key && other.lasts(now_ms));
    let flight = Flight {
        site: exchange.site,
        page: exchange.page,
        client: exchange.names.borrow().first().copied(),
        upload: request.method == "POST",
        key,
        began_ms: now_ms,
        leads: is_for_all(host, request) && !is_excused(host, request) && !beside,
        life: world.executor.current_life(),
        over: Rc::clone(&over),
        body_ms: Cell::new(0),
    };
    world.trace(|| {
        let (name, key) = (&seat.name, &flight.key);
        let whose = if flight.leads {
            "for all"
        } else {
            "for itself"
        };
        format!("{name}: {exchange}, asks {whose}: {key}")
    });
    let same = |other: &&Flight| other.leads && other.is_up() && other.key == flight.key;
    if flight.leads
        && let Some(other) = flights.iter().find(same)
    {
        let (name, key, ms) = (&seat.name, &flight.key, other.began_ms - START_MS);
        let text = format!("{name} asks for {key}, asked for at {ms} ms\n{exchange}");
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

/// Whose share of an origin's places a request is of.
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

    /// Whether there is no place for another one like it: its host, its page,
    /// its client or uploads have all that they may. Both hosts share an
    /// origin.
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

/// Whether the answer to a request is meant for all who ask alike. Where a
/// page has variants, who asks first cannot know yet whose answer it will be.
fn is_for_all(host: &SimHost, request: &OriginRequest) -> bool {
    let (world, exchange) = (&host.world, &host.exchange);
    let page = &world.origin.pages[exchange.page].setup;
    let wishes = exchange.control.is_some() && world.setup.directives;
    let ranged = exchange.range.is_some() || request.fields.has("range");
    // What follows a part is asked for by each, and then all of it, perhaps.
    let completes = exchange.completes.get() || request.fields.has("range");
    exchange.completes.set(completes);
    let asks_for_all = request.method == "GET" && !ranged && !completes && !wishes;
    let plain = asks_for_all && !exchange.attacks;
    plain && page.privacy.is_none() && !page.varies && page.path != SEARCH
}

/// Whether a request need not wait for others, or has done so in vain.
fn is_excused(host: &SimHost, request: &OriginRequest) -> bool {
    let now_ms = host.world.executor.now_ms();
    let mut told = host.world.unshared[host.seat.centre].borrow_mut();
    let told = told.get_mut(&key(host, request));
    let unshared = told.is_some_and(|(at_ms, until_ms)| {
        let remembered = now_ms < *until_ms;
        if remembered {
            // Who hears of it remembers it for as long again.
            *until_ms = now_ms + UNSHARED_MS;
        }
        remembered || now_ms < *at_ms + AFTER_MS
    });
    let waited_ms = now_ms - host.exchange.began_ms;
    let in_vain = host.exchange.looks.get() >= LOOKS_MAX;
    unshared || in_vain || waited_ms >= others_ms(&host.world.setup)
}

/// What came back.
type UpstreamResult = Result<(ResponseHead, Option<Bytes>), OriginFailure>;

/// Whether a 503 comes of the limit of requests under way: all places were
/// taken a while ago, perhaps by requests that are gone without a word.
pub fn was_full(world: &World, seat: &Seat) -> bool {
    let Some(guard) = world.setup.guard() else {
        return false;
    };
    let seconds = world.setup.origin_timeout_seconds + guard.queue_seconds;
    let while_ms = 1000 * seconds + 2 * AFTER_MS;
    let now_ms = world.executor.now_ms();
    seat.full_ms.get().is_some_and(|at| now_ms - at <= while_ms)
}

/// Whether a body is not what its head says.
fn is_cut(head: &ResponseHead, body: Option<&Bytes>) -> bool {
    let told = head.fields.get("content-length");
    let told: Option<usize> = told.and_then(|length| length.parse().ok());
    body.is_some_and(|body| body.broken || told.is_some_and(|told| told != body.text.len()))
}

/// Notes that there is an answer.
pub fn end(
    host: &SimHost,
    request: &OriginRequest,
    over: &Cell<Option<u64>>,
    said: &UpstreamResult,
) {
    let world = &host.world;
    let now_ms = world.executor.now_ms();
    over.set(Some(now_ms));
    let body = said.as_ref().ok().and_then(|(_, body)| body.as_ref());
    for flight in host.seat.flights.borrow().iter() {
        if std::ptr::eq(&raw const *flight.over, over) {
            flight.body_ms.set(body.map_or(0, |body| body.takes_ms));
        }
    }
    let until_ms = match said {
        // Those who wait hear that it failed.
        Err(_) => now_ms,
        Ok((head, _)) if head.status >= 500 => now_ms,
        Ok((head, body)) => {
            let page = &world.origin.pages[host.exchange.page].setup;
            // What comes stale is for nobody else.
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
    let told = unshared.entry(key(host, request)).or_default();
    *told = (now_ms, told.1.max(until_ms));
}

/// What a request asks for: what the origin sees but for conditions.
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
