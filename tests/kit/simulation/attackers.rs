//! The actors of an attack: the victim's readers, and the attacker.

use super::actors::{RequestSpec, dispatch, post_to, send_as};
use super::attack::{ATTACKERS_FROM, Attack, OTHER, Position, VICTIM, WEAK_KEY};
use super::exchange::Exchange;
use super::executor::Life;
use super::page::{Bytes, Name, name_text};
use super::setup::COOKIE;
use super::world::{Seat, World};
use edgekeep::cache::ledger::wire::Order;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::rc::Rc;

/// The number of addresses of the victim's readers.
const READERS: u64 = 30;
/// The number of addresses of several attackers: more than a breaker requires.
const ATTACKERS: u64 = 12;
/// The number of account pages.
const ACCOUNTS: u64 = 20;
/// The number of selectors in an order of a flood.
const NAMES: u64 = 60;
/// The number of ids that are guessed in one step.
const GUESSES: u64 = 20;
/// The duration of a stalled upload that its client does not abort.
const STANDS_MS: u64 = 60_000;

/// The victim's readers.
pub async fn victim_readers(world: Rc<World>, attack: Attack) {
    loop {
        world
            .executor
            .sleep(world.about(world.setup.read_pause_ms))
            .await;
        if world.is_healed() {
            return;
        }
        if attack.position == Position::Crawler && world.chance(200) {
            read_slow_page(&world, &attack);
            continue;
        }
        if world.chance(100) {
            read_account(&world, &attack);
            continue;
        }
        let page = match world.chance(400) {
            true => 0,
            false => world.below(attack.shared_pages as u64) as usize,
        };
        let mut spec = RequestSpec::plain(page);
        match world.below(20) {
            0 => spec.method = "HEAD",
            1 => spec.range = Some("bytes=0-15"),
            2 => spec.conditional = true,
            _ => {}
        }
        let address = format!("10.1.0.{}", world.below(READERS));
        send_as(&world, &world.any_seat(), spec, Some(address));
    }
}

/// The attacker.
pub async fn attack(world: Rc<World>, attack: Attack) {
    let mut step = 0;
    loop {
        world.executor.sleep(world.about(attack.pause_ms)).await;
        if world.is_healed() {
            return;
        }
        world.count(attack.position.word());
        act(&world, &attack, step);
        step += 1;
    }
}

fn act(world: &Rc<World>, attack: &Attack, step: u64) {
    let account = attack.shared_pages;
    let own = account + 1;
    let many = format!("10.2.0.{}", step % ATTACKERS);
    match attack.position {
        Position::Leaver => abort_early(world, account, step),
        Position::Uploader => {
            let url = format!("http://{VICTIM}/upload/{step}");
            let attempt = Attempt::new("POST", url, own).from(many);
            let ends_ms = match world.chance(700) {
                true => world.up_to(2_000),
                false => STANDS_MS,
            };
            attempt
                .leaving_after(ends_ms)
                .uploading(ends_ms)
                .send(world);
        }
        Position::FailingPage(_) => {
            let url = format!("http://{VICTIM}/broken?{step}");
            Attempt::new("GET", url, own).from(many).send(world);
        }
        Position::FailingHost(_) => {
            let url = format!("http://{OTHER}/broken/{step}");
            Attempt::new("GET", url, own).from(many).send(world);
        }
        Position::Prober(_) => {
            let url = format!("http://{VICTIM}/broken/{step}");
            Attempt::new("GET", url, own).send(world);
        }
        Position::Crawler => {
            let url = format!("http://{VICTIM}/find?{step}");
            Attempt::new("GET", url, own).send(world);
        }
        Position::Throttled => {
            let path = format!("/account/{}", world.below(ACCOUNTS));
            of_session(account, &path, ATTACKERS_FROM).send(world);
        }
        Position::Writer => {
            let url = format!("http://{OTHER}/form/{step}");
            Attempt::new("POST", url, own).send(world);
        }
        Position::Redirector => {
            let target = world.below(attack.shared_pages as u64);
            // The form of the front page: all other pages are below it.
            let url = format!("http://{VICTIM}/?next=/page/{target}");
            Attempt::new("POST", url, own).send(world);
        }
        Position::Key => flood_orders(world, step),
        Position::Guesser => guess_ids(world),
        Position::OddReader => send_refused_request(world, attack),
        Position::Members => send_with_credentials(world, own, step),
    }
}

/// A request of an attacker.
struct Attempt {
    method: &'static str,
    url: String,
    page: usize,
    fields: Fields,
    address: String,
    session: Option<Name>,
    leaves_after_ms: Option<u64>,
    body: Option<Bytes>,
    attacks: bool,
}

impl Attempt {
    fn new(method: &'static str, url: String, page: usize) -> Self {
        Self {
            method,
            url,
            page,
            fields: Fields::new(),
            address: "10.2.1.1".to_owned(),
            session: None,
            leaves_after_ms: None,
            body: None,
            attacks: true,
        }
    }

    fn from(mut self, address: String) -> Self {
        self.address = address;
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.add(name, value.into());
        self
    }

    fn of_session(mut self, name: Name) -> Self {
        self.session = Some(name);
        self
    }

    fn of_victim(mut self) -> Self {
        self.attacks = false;
        self
    }

    fn leaving_after(mut self, milliseconds: u64) -> Self {
        self.leaves_after_ms = Some(milliseconds);
        self
    }

    /// Adds a body that breaks off after this time.
    fn uploading(mut self, milliseconds: u64) -> Self {
        self.fields.add("content-length", "100000");
        self.body = Some(Bytes {
            text: "x".to_owned(),
            broken: true,
            takes_ms: milliseconds,
        });
        self
    }

    fn send(self, world: &Rc<World>) {
        self.send_to(world, &world.any_seat());
    }

    fn send_to(self, world: &Rc<World>, seat: &Rc<Seat>) {
        let site = world.origin.pages[self.page].setup.host;
        let exchange = Exchange {
            page: self.page,
            attacks: self.attacks,
            address: Some(self.address),
            names: self.session.into_iter().collect::<Vec<_>>().into(),
            ..Exchange::new(world, self.method, site)
        };
        let head = RequestHead {
            method: Method::named(self.method),
            url: Url::parse(&self.url).expect("a URL"),
            fields: self.fields,
        };
        let exchange = dispatch(world, seat, Rc::new(exchange), head, self.body);
        let Some(milliseconds) = self.leaves_after_ms else {
            return;
        };
        let world_then = Rc::clone(world);
        world.executor.spawn(Life::new(), async move {
            world_then.executor.sleep(milliseconds).await;
            world_then.leave(&exchange);
        });
    }
}

/// A request of a session, which bypasses the cache.
fn of_session(account: usize, path: &str, name: Name) -> Attempt {
    let attempt = Attempt::new("GET", format!("http://{VICTIM}{path}"), account);
    let cookie = format!("{COOKIE}={}", name_text(name));
    attempt.with("cookie", cookie).of_session(name)
}

/// A reader of the victim requests the slow page.
fn read_slow_page(world: &Rc<World>, attack: &Attack) {
    let url = format!("http://{VICTIM}/find?own{}", world.tick());
    let attempt = Attempt::new("GET", url, attack.shared_pages + 1);
    let address = format!("10.1.0.{}", world.below(READERS));
    attempt.from(address).of_victim().send(world);
}

/// A reader of the victim requests an account page.
fn read_account(world: &Rc<World>, attack: &Attack) {
    let reader = world.below(READERS);
    let path = format!("/account/{}", world.below(ACCOUNTS));
    let attempt = of_session(attack.shared_pages, &path, reader);
    attempt
        .from(format!("10.1.0.{reader}"))
        .of_victim()
        .send(world);
}

/// Requests that are aborted before the response: some without followers, and
/// the first one for a cold page.
fn abort_early(world: &Rc<World>, account: usize, step: u64) {
    let (attempt, most_ms) = match step % 4 {
        0 => {
            let path = format!("/account/0?{step}");
            (of_session(account, &path, ATTACKERS_FROM + step % 5), 20)
        }
        1 => {
            let url = format!("http://{VICTIM}/page/0?h{step}");
            (Attempt::new("HEAD", url, 0), 20)
        }
        2 => {
            let url = format!("http://{VICTIM}/page/0?g{step}");
            (Attempt::new("GET", url, 0), 20)
        }
        _ => {
            let url = format!("http://{VICTIM}/page/1");
            (Attempt::new("GET", url, 1), 600)
        }
    };
    let leaves_after_ms = world.up_to(most_ms);
    attempt.leaving_after(leaves_after_ms).send(world);
}

/// A request that a page may refuse. The refusal must reach no other reader.
fn send_refused_request(world: &Rc<World>, attack: &Attack) {
    let page = world.below(attack.shared_pages as u64) as usize;
    let attempt = Attempt::new("GET", format!("http://{VICTIM}/page/{page}"), page);
    let attempt = match world.below(4) {
        0 => attempt.with("accept-language", "xx, ".repeat(3_000)),
        1 => attempt.with("accept", "application/odd"),
        2 => attempt.with("authorization", "Token junk"),
        _ => attempt.with("range", "bytes=99999-"),
    };
    attempt.send(world);
}

/// Requests with credentials for pages that contain their readers' names, and
/// requests without credentials for the same pages.
fn send_with_credentials(world: &Rc<World>, own: usize, step: u64) {
    let name = ATTACKERS_FROM + step % 7;
    let page = own + (step % 3) as usize;
    let path = &world.origin.pages[page].setup.path;
    let method = world.pick(&["GET", "GET", "GET", "HEAD"]);
    let mut attempt = Attempt::new(method, format!("http://{VICTIM}{path}"), page);
    if world.chance(200) {
        attempt = attempt.with("range", "bytes=0-15");
    }
    let attempt = match (world.chance(400), page == own) {
        (true, _) => attempt,
        (false, true) => {
            let bearer = format!("Bearer {}", name_text(name));
            attempt.with("authorization", bearer).of_session(name)
        }
        (false, false) => {
            // Two field lines, as HTTP/2 allows, which the runtime joins.
            let comma = world.pick(&[", ", ","]);
            let cookies = format!("theme=dark{comma}{COOKIE}={}", name_text(name));
            attempt.with("cookie", cookies).of_session(name)
        }
    };
    attempt.send(world);
}

/// An order of the limited key, with all kinds of selectors that it may name.
fn flood_orders(world: &Rc<World>, step: u64) {
    let names = |from: u64| {
        let name = move |n| match n % 3 {
            0 => format!("tag:other-{step}-{n}"),
            1 => format!("prefix:{OTHER}/{step}/{n}"),
            _ => format!("url:{OTHER}/form/{step}-{n}"),
        };
        (from..NAMES).step_by(2).map(name).collect()
    };
    send_order(world, format!("weak_{step}"), names(0), names(1));
}

/// Orders with the next ids of the victim's editors.
fn guess_ids(world: &Rc<World>) {
    let next = world.tick();
    for n in next..next + GUESSES {
        send_order(
            world,
            format!("msg_{n}"),
            vec![format!("tag:other-{n}")],
            Vec::new(),
        );
    }
}

fn send_order(world: &Rc<World>, id: String, hard: Vec<String>, soft: Vec<String>) {
    let seat = world.any_seat();
    let rules = &seat.isolate.rules;
    let key = rules.keys.iter().find(|key| key.name == WEAK_KEY);
    let key = key.expect("the limited key");
    let order = Order {
        id: Some(id),
        body_digest: format!("{hard:?} {soft:?}"),
        key: Some(key.name.clone()),
        via: "webhook".to_owned(),
        hard,
        soft,
        scope: key.permit.scope().map(ToString::to_string),
        lag_seconds: world.setup.lag_ms / 1000,
        ..Order::default()
    };
    let world_then = Rc::clone(world);
    world.executor.spawn(Life::new(), async move {
        post_to(&world_then, &order, Some(OTHER)).await;
    });
}
