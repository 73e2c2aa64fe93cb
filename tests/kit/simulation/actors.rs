//! The actors of the world: readers, writers, editors with their webhooks, and
//! an actor that injects faults.

use super::attackers;
use super::exchange::Exchange;
use super::executor::Life;
use super::explained;
use super::host::SimHost;
use super::ledger::Reach;
use super::page::{Bytes, Name, Privacy, name_text};
use super::promises::{Promise, status_of};
use super::setup::{COOKIE, SEARCH};
use super::storm::has_session;
use super::switches::Switch;
use super::tamper;
use super::waves::{self, Kind};
use super::world::{Seat, World};
use edgekeep::cache::ledger::wire::Order;
use edgekeep::cache::purge::selector::EVERYTHING;
use edgekeep::flow::handle;
use edgekeep::flow::purge::sync;
use edgekeep::flow::runtime::host::LedgerReply;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A request of a reader, to be sent to a page.
#[derive(Clone, Copy, Debug)]
pub struct RequestSpec {
    pub method: &'static str,
    pub page: usize,
    pub language: Option<&'static str>,
    pub range: Option<&'static str>,
    /// `Cache-Control` of the request; applied in worlds with
    /// `request_directives`.
    pub control: Option<&'static str>,
    /// Whether the request has `If-None-Match`, with the newest version or the
    /// one before.
    pub conditional: bool,
    pub client: Name,
    pub kind: Kind,
}

/// `Cache-Control` fields of requests.
const CONTROLS: [Option<&str>; 4] = [
    Some("no-cache"),
    Some("max-age=0"),
    Some("max-stale"),
    Some("min-fresh=10"),
];

impl RequestSpec {
    pub fn plain(page: usize) -> Self {
        Self {
            method: "GET",
            page,
            language: None,
            range: None,
            control: None,
            conditional: false,
            client: 0,
            kind: Kind::Readers,
        }
    }

    pub fn any(world: &World, page: usize) -> Self {
        let mut spec = Self::plain(page);
        if world.origin.pages[page].setup.varies {
            spec.language = world.pick(&[None, Some("de"), Some("en")]);
        }
        if world.origin.pages[page].setup.played && world.chance(700) {
            spec.range = world.pick(&[Some("bytes=0-15"), Some("bytes=16-31")]);
            return spec;
        }
        match world.below(40) {
            0..3 => spec.method = "HEAD",
            3..5 => spec.range = world.pick(&[Some("bytes=0-15"), Some("bytes=16-31")]),
            5 => spec.conditional = true,
            6 => spec.control = world.pick(&CONTROLS),
            7..10 if world.setup.writes => spec.method = "POST",
            _ => {}
        }
        spec
    }

    fn head(&self, world: &World) -> RequestHead {
        let page = &world.origin.pages[self.page].setup;
        let mut url = format!("http://{}{}", page.host, page.path);
        if page.path == SEARCH {
            url += &format!("?u={}", world.below(3));
        }
        let mut fields = Fields::new();
        let lines = [
            ("accept-language", self.language),
            ("range", self.range),
            ("cache-control", self.control),
        ];
        for (name, value) in lines {
            if let Some(value) = value {
                fields.add(name, value);
            }
        }
        if has_session(self.client) {
            let name = name_text(self.client);
            fields.add("cookie", format!("theme=dark; {COOKIE}={name}"));
            if page.privacy == Some(Privacy::Authorized) {
                fields.add("authorization", format!("Bearer {name}"));
            }
        }
        if self.conditional {
            let page = &world.origin.pages[self.page];
            let version = page.version.get() - world.below(2);
            let tag = page.etag(version, self.language.unwrap_or("-"));
            fields.add("if-none-match", tag);
        }
        RequestHead {
            method: Method::named(self.method),
            url: Url::parse(&url).expect("a URL"),
            fields,
        }
    }
}

impl Exchange {
    /// Whether a response in this language fits this request.
    pub fn takes(&self, language: &str, world: &World) -> bool {
        let varies = world.origin.pages[self.page].setup.varies;
        let wanted = self.language.filter(|_| varies).unwrap_or("-");
        wanted == language
    }
}

/// Sends a request to an isolate. Its response is checked on arrival.
pub fn send(world: &Rc<World>, seat: &Rc<Seat>, spec: RequestSpec) -> Rc<Exchange> {
    send_as(world, seat, spec, None)
}

/// The same, from this IP address.
pub fn send_as(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    spec: RequestSpec,
    address: Option<String>,
) -> Rc<Exchange> {
    let site = world.origin.pages[spec.page].setup.host;
    let session = has_session(spec.client).then_some(spec.client);
    let exchange = Rc::new(Exchange {
        page: spec.page,
        kind: spec.kind,
        language: spec.language,
        range: spec.range,
        control: spec.control,
        address,
        names: RefCell::new(session.into_iter().collect()),
        ..Exchange::new(world, spec.method, site)
    });
    let head = spec.head(world);
    world.trace(|| format!("{}: {spec:?} arrives", seat.name));
    dispatch(world, seat, exchange, head, None)
}

/// Serves a request in an isolate.
pub fn dispatch(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    exchange: Rc<Exchange>,
    head: RequestHead,
    body: Option<Bytes>,
) -> Rc<Exchange> {
    let head = tamper::request(world, head);
    explained::begin(world, seat, &exchange, &head);
    seat.exchanges.borrow_mut().push(Rc::clone(&exchange));
    let both = (Rc::clone(&exchange), Rc::clone(seat));
    world.exchanges.borrow_mut().push(both);
    let host = SimHost {
        world: Rc::clone(world),
        seat: Rc::clone(seat),
        exchange: Rc::clone(&exchange),
    };
    let number = world.executor.spawn(exchange.life.clone(), async move {
        let (world, seat, exchange) = (&host.world, &host.seat, &host.exchange);
        let mut answer = handle::serve(&host, &seat.isolate, head, body).await;
        exchange.answered.set(true);
        if world.switch == Some(Switch::OutageNotReported) {
            let mut status = status_of(&answer).to_owned();
            for word in ["old-purge-index", "no-purge-index"] {
                status = status.replace(word, "-");
            }
            answer.fields.set("cache-status", status);
        }
        world.trace(|| {
            let (name, status) = (&seat.name, status_of(&answer));
            let stamp = answer.fields.get("x-stamp").unwrap_or("?");
            format!(
                "{name}: {exchange} -> {} stamp {stamp}: {status}",
                answer.status
            )
        });
        world.promises.check(world, seat, exchange, &answer);
        explained::check(world, seat, exchange, &answer);
        let wait_ms = world.executor.now_ms() - exchange.began_ms;
        world.sums(exchange.kind, |sums| sums.add_answer(&answer, wait_ms));
        *exchange.answer.borrow_mut() = Some(answer);
        world.count("response");
    });
    exchange.task.set(Some(number));
    exchange
}

/// As [`send`]; sometimes the client aborts before the response.
pub fn send_any(world: &Rc<World>, seat: &Rc<Seat>, spec: RequestSpec) {
    let exchange = send(world, seat, spec);
    if !world.chance(if spec.method == "POST" { 250 } else { 40 }) {
        return;
    }
    let world_then = Rc::clone(world);
    world.executor.spawn(Life::new(), async move {
        let world = world_then;
        world.executor.sleep(world.up_to(2000)).await;
        world.leave(&exchange);
    });
}

/// Spawns an actor, which runs until the world is healed.
fn spawn_actor<F: Future<Output = ()> + 'static>(
    world: &Rc<World>,
    work: impl FnOnce(Rc<World>) -> F,
) {
    world.executor.spawn(Life::new(), work(Rc::clone(world)));
}

/// Spawns the actors of the world.
pub fn begin(world: &Rc<World>) {
    match (&world.setup.storm, &world.setup.attack) {
        (Some(storm), _) => {
            for number in 0..storm.waves.len() {
                spawn_actor(world, |world| waves::play_wave(world, number));
            }
        }
        (None, Some(attack)) => {
            spawn_actor(world, |world| {
                attackers::victim_readers(world, attack.clone())
            });
            spawn_actor(world, |world| attackers::attack(world, attack.clone()));
        }
        (None, None) => spawn_actor(world, readers),
    }
    spawn_actor(world, editors);
    if world.setup.chaos_pause_ms.is_some() {
        spawn_actor(world, inject_faults);
    }
}

/// A page: most often the first one, for readers and editors alike.
fn any_page(world: &World) -> usize {
    match world.chance(600) {
        true => 0,
        false => world.below(world.shared_pages() as u64) as usize,
    }
}

async fn readers(world: Rc<World>) {
    loop {
        let pause_ms = world.about(world.setup.read_pause_ms);
        world.executor.sleep(pause_ms).await;
        if world.is_healed() {
            return;
        }
        let page = any_page(&world);
        let seat = world.any_seat();
        for _ in 0..world.pick(&[1, 1, 1, 2, 3]) {
            let seat = if world.chance(700) {
                Rc::clone(&seat)
            } else {
                world.any_seat()
            };
            send_any(&world, &seat, RequestSpec::any(&world, page));
            world.executor.sleep(world.up_to(300)).await;
        }
    }
}

async fn editors(world: Rc<World>) {
    loop {
        let pause_ms = world.about(world.setup.edit_pause_ms);
        world.executor.sleep(pause_ms).await;
        if world.is_healed() {
            return;
        }
        let page = any_page(&world);
        for _ in 0..world.pick(&[1, 1, 2]) {
            edit(&world, page);
            // Readers request the changed page before and after the purge is in
            // force.
            for _ in 0..world.below(4) {
                let (world_then, at_ms) = (Rc::clone(&world), world.up_to(world.setup.lag_ms * 2));
                world.executor.spawn(Life::new(), async move {
                    let world = world_then;
                    world.executor.sleep(at_ms).await;
                    send_any(&world, &world.any_seat(), RequestSpec::any(&world, page));
                });
            }
            world.executor.sleep(world.up_to(world.setup.lag_ms)).await;
        }
    }
}

/// Changes a page, and orders the purge of its earlier version.
fn edit(world: &Rc<World>, page: usize) {
    let version = world.origin.edit(page);
    let (mut hard, mut soft) = (Vec::new(), Vec::new());
    let mut names = world.origin.pages[page].names();
    if !world.chance(80) {
        names.retain(|name| name != EVERYTHING);
    }
    let kind = world.below(10);
    for _ in 0..world.pick(&[1, 1, 2]) {
        let name = world.pick(&names);
        let list = match kind {
            0..5 => &mut hard,
            5..8 => &mut soft,
            _ if world.chance(500) => &mut soft,
            _ => &mut hard,
        };
        if !list.contains(&name) {
            list.push(name);
        }
    }
    // Further tags in the same order.
    for _ in 0..world.pick(&[0, 0, 1, 3]) {
        hard.push(format!("tag:other-{}", world.below(50)));
    }
    world.trace(|| format!("page {page} has version {version} now"));
    order(world, hard, soft);
}

/// Sends a webhook until it has a receipt.
pub fn order(world: &Rc<World>, hard: Vec<String>, soft: Vec<String>) {
    world.pending.set(world.pending.get() + 1);
    let number = world.tick();
    let order = Order {
        id: Some(format!("msg_{number}")),
        body_digest: format!("{hard:?} {soft:?}"),
        key: Some("default".to_owned()),
        via: "webhook".to_owned(),
        hard,
        soft,
        // For every third order the ledger keeps marks separately, under a
        // scope of all hosts and tags.
        scope: number.is_multiple_of(3).then(|| "scope:h=*,t=*".to_owned()),
        lag_seconds: world.setup.lag_ms / 1000,
        ..Order::default()
    };
    let world_then = Rc::clone(world);
    world.executor.spawn(Life::new(), async move {
        deliver(&world_then, &order).await;
        world_then.pending.set(world_then.pending.get() - 1);
    });
}

/// The most attempts of a webhook: longer than any outage.
const TRIES_MAX: u32 = 200;

async fn deliver(world: &Rc<World>, order: &Order) {
    let unruly = |per_mille| match world.setup.unruly_webhooks {
        true => world.faults(per_mille),
        false => 0,
    };
    for _ in 0..TRIES_MAX {
        let lost = world.chance(unruly(150));
        if !lost && let Some(answer) = post(world, order).await {
            match answer {
                LedgerReply::Done(..) => break,
                LedgerReply::Conflict => {
                    let text = format!("the first order with its id is refused: {order:?}");
                    return world.promises.break_one(world, Promise::Receipts, text);
                }
            }
        }
        world.executor.sleep(world.up_to(3000)).await;
    }
    while world.chance(unruly(250)) {
        world.executor.sleep(world.up_to(4000)).await;
        post(world, order).await;
    }
    if world.chance(unruly(150)) {
        let mut forged = order.clone();
        forged.body_digest += " and more";
        forged.hard.push(EVERYTHING.to_owned());
        post(world, &forged).await;
    }
}

/// Sends an order to a random isolate. `None` without a reply.
async fn post(world: &Rc<World>, order: &Order) -> Option<LedgerReply> {
    post_to(world, order, None).await
}

/// The same, to this host; to a random one if `None`.
pub async fn post_to(
    world: &Rc<World>,
    order: &Order,
    site: Option<&'static str>,
) -> Option<LedgerReply> {
    let seat = world.any_seat();
    let answer: Rc<RefCell<Option<Result<LedgerReply, String>>>> = Rc::default();
    let done = Rc::new(Cell::new(false));
    let site = site.unwrap_or_else(|| world.pick(&world.sites()));
    let exchange = Rc::new(Exchange::new(world, "purge", site));
    seat.exchanges.borrow_mut().push(Rc::clone(&exchange));
    let host = SimHost {
        world: Rc::clone(world),
        seat: Rc::clone(&seat),
        exchange,
    };
    let mut order = order.clone();
    order.after = seat.isolate.seen();
    let life = host.exchange.life.clone();
    let (there, done_then) = (Rc::clone(&answer), Rc::clone(&done));
    world.executor.spawn(life.clone(), async move {
        let site = host.exchange.site;
        let answer = sync::send_order(&host, &host.seat.isolate, site, &order).await;
        if let Ok(LedgerReply::Done(receipt, _)) = &answer {
            host.seat.took.borrow_mut().push(receipt.sequence);
            let (name, sequence) = (&host.seat.name, receipt.sequence);
            host.world.trace(|| format!("{name}: receipt {sequence}"));
        }
        *there.borrow_mut() = Some(answer);
        done_then.set(true);
    });
    // The sender gives up after 7.5 s.
    for _ in 0..30 {
        if done.get() || life.is_over() {
            break;
        }
        world.executor.sleep(250).await;
    }
    answer.borrow_mut().take()?.ok()
}

async fn inject_faults(world: Rc<World>) {
    let mean_ms = world.setup.chaos_pause_ms.unwrap_or(5_000);
    loop {
        world.executor.sleep(world.about(mean_ms)).await;
        if world.is_healed() {
            return;
        }
        let centre = world.below(world.centres.len() as u64) as usize;
        match world.below(20) {
            0..5 => {
                let places = world.seats.borrow().len() as u64;
                world.restart(world.below(places) as usize);
            }
            5..10 => {
                let from = world.pick(&[None, Some(centre)]);
                let reach = world.pick(&[Reach::Refused, Reach::Silent]);
                world.trace(|| format!("ledger {reach:?} from {from:?}"));
                world.count("ledger outage");
                world.ledger.set_reach(from, reach);
                let world_then = Rc::clone(&world);
                world.executor.spawn(Life::new(), async move {
                    let world = world_then;
                    let most_ms = 3_000 + 3 * world.setup.lag_ms;
                    world.executor.sleep(world.up_to(most_ms)).await;
                    world.trace(|| format!("ledger back from {from:?}"));
                    world.ledger.set_reach(from, Reach::Up);
                });
            }
            10..14 => world.ledger.restart(&world),
            // At most once: the numbers of a new ledger are above those of the
            // last one only if that is older than the skew of clocks.
            14..16 if world.setup.ledger.may_be_lost && world.ledger.losses() == 0 => {
                world.ledger.lose(&world);
            }
            _ => {
                let all = world.chance(500);
                world.trace(|| format!("c{centre} evicts, all: {all}"));
                let mut cache = world.centres[centre].borrow_mut();
                cache.evict(|| all || world.chance(500));
            }
        }
    }
}
