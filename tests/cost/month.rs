//! A world in which the drawn pages are asked for, and what that takes: the
//! real flow, in virtual time (`tests/kit/simulation`).

use super::sample::{GUARD_SECONDS, MONTH_SECONDS};
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::request::classify::{Plan, classify};
use edgekeep::flow::handle;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use fastrand::Rng;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use testkit::simulation::actors;
use testkit::simulation::exchange::Exchange;
use testkit::simulation::executor::Life;
use testkit::simulation::host::SimHost;
use testkit::simulation::meter::{CALLS, Call, Meter};
use testkit::simulation::setup::{LedgerFaults, PageSetup, START_MS, Setup, Steady, TierFaults};
use testkit::simulation::terms::{Terms, Windows};
use testkit::simulation::world::World;

const HOST: &str = "one.test";
/// Each page (no asset) has one of so many tags, and an order names one of
/// them.
pub const TAGS: usize = 100;
/// An isolate lives for so long.
const ISOLATE_SECONDS: u64 = 86_400;
/// What is fresh for less than this is not worth leaving requests out.
const LEAP_MS_MIN: u64 = 1_000;
/// Work goes on behind the last response.
const END_MS: u64 = 60_000;

/// What a world is like.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The share of readers that each data centre has.
    pub centres: Vec<f64>,
    /// Isolates of each.
    pub isolates: usize,
    pub lag_seconds: u64,
    pub steady: Steady,
    pub purges_per_hour: f64,
    pub seed: u64,
    /// Whether requests are left out that can only be hits. They are counted.
    pub leaps: bool,
}

/// When a page is asked for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// So often a second in all data centres, at random (Poisson).
    Often(f64),
    /// At these milliseconds, in these data centres.
    At(Vec<(u64, usize)>),
}

/// A page of the world.
#[derive(Clone, Debug)]
pub struct Subject {
    pub asked: Asked,
    pub lifetime_seconds: u64,
    pub while_revalidate_seconds: u64,
    /// Its tag, if it has one: a number below [`TAGS`].
    pub tag: Option<usize>,
    /// Counted from then on, and for so long.
    pub warm_seconds: f64,
    pub counted_seconds: f64,
}

/// What a page took while it was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub requests: f64,
    /// In the order of [`Call`].
    pub calls: [f64; CALLS],
    /// Whether KV held it at the end.
    pub in_kv: bool,
}

impl Counted {
    pub fn of(&self, call: Call) -> f64 {
        self.calls[call as usize]
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Warm(usize),
    Request { page: usize, centre: usize },
    Over(usize),
    Purge,
}

/// A page as the driver sees it.
struct Track {
    subject: Subject,
    head: RequestHead,
    slot: Slot,
    meter: Rc<Meter>,
    at_warm: [u64; CALLS],
    from_ms: u64,
    until_ms: u64,
    counted: Counted,
}

/// Lives through a world, and tells what each page took.
pub fn live(scene: &Scene, subjects: &[Subject]) -> (Vec<Counted>, Rc<World>) {
    let world = World::new(scene.seed, setup(scene, subjects), None, false);
    let driver = Driver::new(scene.clone(), Rc::clone(&world), subjects);
    let tracks = Rc::clone(&driver.tracks);
    let last_ms = tracks.borrow().iter().map(|track| track.until_ms).max();
    world.executor.spawn(Life::new(), driver.drive());
    let end_ms = START_MS + last_ms.unwrap_or(0) + END_MS;
    world.executor.run_until(end_ms, || false);
    let tracks = tracks.borrow();
    let counted = tracks.iter().map(|track| track.counted.clone()).collect();
    (counted, world)
}

fn setup(scene: &Scene, subjects: &[Subject]) -> Setup {
    let page = |(at, subject): (usize, &Subject)| PageSetup {
        host: HOST,
        path: path(at),
        tags: subject.tag.into_iter().map(tag).collect(),
        terms: Terms {
            max_age: subject.lifetime_seconds,
            while_revalidate: Some(subject.while_revalidate_seconds),
            ..Terms::default()
        },
        etag: true,
        varies: false,
        dated: true,
        terse_304: false,
        grouped: false,
        played: false,
        head_ms: 150,
        body_ms: 50,
        long: false,
        chunked: false,
        upstream_seconds: 0,
        privacy: None,
        trap: None,
    };
    Setup {
        calm: true,
        lag_ms: 1000 * scene.lag_seconds,
        serve_in_outage: true,
        origin_timeout_seconds: 30,
        centres: vec![scene.isolates; scene.centres.len()],
        skew_ms: 0,
        busy_ms: 0,
        read_pause_ms: 0,
        edit_pause_ms: 0,
        chaos_pause_ms: None,
        writes: false,
        directives: false,
        pages: subjects.iter().enumerate().map(page).collect(),
        tiers: TierFaults {
            kv_lag_ms: 60_000,
            ..TierFaults::NONE
        },
        ledger: LedgerFaults::NONE,
        origin_fails: 0,
        origin_ignores_if_range: false,
        unruly_webhooks: false,
        windows: Windows::default(),
        storm: None,
        attack: None,
        steady: Some(scene.steady),
    }
}

fn path(at: usize) -> String {
    format!("/page/{at}")
}

/// The tag of a page, out of a table that lives as long as the program.
fn tag(number: usize) -> &'static str {
    static TABLE: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let table = TABLE.get_or_init(|| (0..TAGS).map(|n| format!("g{n}")).collect());
    &table[number]
}

struct Driver {
    scene: Scene,
    world: Rc<World>,
    tracks: Rc<RefCell<Vec<Track>>>,
    /// The earliest first; of one time, in the order in which they were made.
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    made: u64,
    rng: Rng,
    /// The number of the last order that names each tag, and how many orders
    /// have been looked at.
    ordered: (Vec<u64>, usize),
    next_purge_ms: u64,
    /// When there is no page left that an order could name.
    tagged_until_ms: u64,
    /// The day of each isolate's life.
    days: Vec<u64>,
}

impl Driver {
    fn new(scene: Scene, world: Rc<World>, subjects: &[Subject]) -> Self {
        let rules = Rules::read_json(&world.setup.rules(None)).expect("rules");
        let tracks = subjects.iter().enumerate();
        let tracks: Vec<_> = tracks.map(|(at, s)| Track::new(at, s, &rules)).collect();
        let seats = world.seats.borrow().len();
        let tagged = tracks.iter().filter(|track| track.subject.tag.is_some());
        let tagged_until_ms = tagged.map(|track| track.until_ms).max().unwrap_or(0);
        let mut driver = Self {
            rng: Rng::with_seed(scene.seed ^ 0x5eed),
            world,
            tracks: Rc::new(RefCell::new(tracks)),
            events: BinaryHeap::new(),
            made: 0,
            ordered: (vec![0; TAGS], 0),
            next_purge_ms: u64::MAX,
            tagged_until_ms,
            days: vec![0; seats],
            scene,
        };
        driver.plan(subjects);
        driver
    }

    fn plan(&mut self, subjects: &[Subject]) {
        for (page, subject) in subjects.iter().enumerate() {
            let (from_ms, until_ms) = span(subject);
            self.push(from_ms, Event::Warm(page));
            self.push(until_ms, Event::Over(page));
            match &subject.asked {
                Asked::Often(_) => {
                    for centre in 0..self.scene.centres.len() {
                        self.push_next(0, until_ms, page, centre, subject);
                    }
                }
                Asked::At(times) => {
                    for (at_ms, centre) in times {
                        let centre = *centre;
                        self.push(*at_ms, Event::Request { page, centre });
                    }
                }
            }
        }
        self.push_purge(0);
    }

    fn push(&mut self, at_ms: u64, event: Event) {
        self.made += 1;
        self.events.push(Reverse((at_ms, self.made, event)));
    }

    /// The next request after a time, if it comes before the end.
    fn push_next(
        &mut self,
        after_ms: u64,
        until_ms: u64,
        page: usize,
        centre: usize,
        of: &Subject,
    ) {
        let rate = of.rate(self.scene.centres[centre]);
        let at_ms = after_ms as f64 + self.pause_ms(rate);
        if at_ms < until_ms as f64 {
            self.push(at_ms as u64, Event::Request { page, centre });
        }
    }

    /// The time to the next of events that come so often a second.
    fn pause_ms(&mut self, per_second: f64) -> f64 {
        -(1.0 - self.rng.f64()).ln() / per_second * 1000.0
    }

    fn push_purge(&mut self, after_ms: u64) {
        if self.scene.purges_per_hour > 0.0 {
            let pause_ms = self.pause_ms(self.scene.purges_per_hour / 3600.0);
            self.next_purge_ms = after_ms + pause_ms as u64;
            if self.next_purge_ms < self.tagged_until_ms {
                self.push(self.next_purge_ms, Event::Purge);
            }
        }
    }

    async fn drive(mut self) {
        let mut left = self.tracks.borrow().len();
        while let Some(Reverse((at_ms, _, event))) = self.events.pop() {
            self.world.until(at_ms).await;
            match event {
                Event::Warm(page) => {
                    let track = &mut self.tracks.borrow_mut()[page];
                    track.at_warm = track.meter.read();
                }
                Event::Request { page, centre } => self.request(at_ms, page, centre),
                Event::Over(page) => {
                    self.over(page);
                    left -= 1;
                    if left == 0 {
                        return;
                    }
                }
                Event::Purge => {
                    let tag = tag(self.rng.usize(..TAGS));
                    actors::order(&self.world, vec![format!("tag:{tag}")], Vec::new());
                    self.push_purge(at_ms);
                }
            }
        }
    }

    fn over(&mut self, page: usize) {
        let world = &self.world;
        let track = &mut self.tracks.borrow_mut()[page];
        let now = track.meter.read();
        for (at, count) in now.iter().enumerate() {
            track.counted.calls[at] += (count - track.at_warm[at]) as f64;
        }
        let (digest, now_ms) = (&track.slot.digest, world.executor.now_ms());
        track.counted.in_kv = world.kv.borrow().copy_in_slot(digest, 0, now_ms).is_some();
    }

    fn request(&mut self, at_ms: u64, page: usize, centre: usize) {
        let tracks = Rc::clone(&self.tracks);
        let track = &mut tracks.borrow_mut()[page];
        let until_ms = track.until_ms;
        let subject = track.subject.clone();
        let often = matches!(subject.asked, Asked::Often(_));
        let fresh_ms = match self.scene.leaps && often {
            true => self.surely_fresh_until(track, centre),
            false => 0,
        };
        let to_ms = fresh_ms.min(self.next_purge_ms).min(until_ms);
        if to_ms > at_ms + LEAP_MS_MIN {
            // This one, and as many as come until then (Poisson has no
            // memory): hits, of one read each.
            let counted_ms = to_ms.saturating_sub(at_ms.max(track.from_ms));
            let rate = subject.rate(self.scene.centres[centre]);
            let mut hits = rate * counted_ms as f64 / 1000.0;
            hits += f64::from(at_ms >= track.from_ms);
            track.counted.requests += hits;
            track.counted.calls[Call::CacheRead as usize] += hits;
            return self.push_next(to_ms, until_ms, page, centre, &subject);
        }
        if at_ms >= track.from_ms {
            track.counted.requests += 1.0;
        }
        self.send(track, page, centre);
        if often {
            self.push_next(at_ms, until_ms, page, centre, &subject);
        }
    }

    /// Until when requests in a data centre can only be hits, if nothing is
    /// purged meanwhile: while its Cache API holds an answer that is fresh for
    /// longer than [`GUARD_SECONDS`] and that no order has named since.
    fn surely_fresh_until(&mut self, track: &Track, centre: usize) -> u64 {
        self.hear_orders();
        let now_ms = self.world.executor.now_ms();
        let cache = self.world.centres[centre].borrow();
        let Some(copy) = cache.copy_in_slot(&track.slot.entry_url, now_ms) else {
            return 0;
        };
        let asked = self.world.origin.records.borrow();
        let last_order = track.subject.tag.map_or(0, |tag| self.ordered.0[tag]);
        match asked.get(&copy.stamp) {
            Some(asked) if copy.seen >= last_order && !copy.withdrawn => {
                let guard_ms = (GUARD_SECONDS * 1000.0) as u64;
                let stale_ms = asked.at_ms + 1000 * track.subject.lifetime_seconds;
                stale_ms.saturating_sub(START_MS + guard_ms)
            }
            _ => 0,
        }
    }

    fn hear_orders(&mut self) {
        let orders = self.world.promises.orders.borrow();
        let (last, heard) = &mut self.ordered;
        for order in orders.iter().skip(*heard) {
            for name in &order.hard {
                let number = name.strip_prefix("tag:g").and_then(|n| n.parse().ok());
                let number: usize = number.expect("one of our tags");
                last[number] = order.sequence;
            }
        }
        *heard = orders.len();
    }

    fn send(&mut self, track: &Track, page: usize, centre: usize) {
        let place = centre * self.scene.isolates + self.rng.usize(..self.scene.isolates);
        self.renew(place);
        let world = &self.world;
        let exchange = Rc::new(Exchange {
            page,
            meter: Some(Rc::clone(&track.meter)),
            ..Exchange::new(world, "GET", HOST)
        });
        let life = exchange.life.clone();
        let host = SimHost {
            world: Rc::clone(world),
            seat: Rc::clone(&world.seats.borrow()[place]),
            exchange,
        };
        let head = track.head.clone();
        world.executor.spawn(life, async move {
            let answer = handle::serve(&host, &host.seat.isolate, head, None).await;
            assert_eq!(answer.status, 200, "{:?}", answer.fields);
        });
    }

    /// A new isolate each day, at a time of day of its own.
    fn renew(&mut self, place: usize) {
        let world = &self.world;
        let seconds = (world.executor.now_ms() - START_MS) / 1000;
        let own = (place as u64 * 7919) % ISOLATE_SECONDS;
        let day = (seconds + own) / ISOLATE_SECONDS;
        if std::mem::replace(&mut self.days[place], day) != day {
            world.restart(place);
        }
    }
}

impl Subject {
    /// A second, in a data centre that has this share of the readers.
    fn rate(&self, share: f64) -> f64 {
        match &self.asked {
            Asked::Often(per_second) => per_second * share,
            Asked::At(_) => 0.0,
        }
    }
}

fn span(subject: &Subject) -> (u64, u64) {
    let from_ms = 1000.0 * subject.warm_seconds;
    let until_ms = from_ms + 1000.0 * subject.counted_seconds.min(100.0 * MONTH_SECONDS);
    (from_ms as u64, until_ms as u64)
}

impl Track {
    fn new(at: usize, subject: &Subject, rules: &Rules) -> Self {
        let url = format!("http://{HOST}{}", path(at));
        let head = RequestHead {
            method: Method::Get,
            url: Url::parse(&url).expect("a URL"),
            fields: Fields::new(),
        };
        let Plan::Lookup(lookup) = classify(rules, &head) else {
            panic!("{url} is not looked up");
        };
        let (from_ms, until_ms) = span(subject);
        Self {
            slot: lookup.key.slot().clone(),
            subject: subject.clone(),
            head,
            meter: Rc::default(),
            at_warm: [0; CALLS],
            from_ms,
            until_ms,
            counted: Counted::default(),
        }
    }
}
