//! Who acts in an attack: the victim's readers, and the attacker.

use super::actors::{Wish, dispatch, post_to, send_as};
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

/// How many addresses the victim's readers have.
const READERS: u64 = 30;
/// How many the attackers have where they are several: more than a breaker
/// asks for.
const ATTACKERS: u64 = 12;
/// How many account pages there are.
const ACCOUNTS: u64 = 20;
/// How many names an order of a flood has.
const NAMES: u64 = 60;
/// How many ids are guessed at a time.
const GUESSES: u64 = 20;
/// How long an upload stands still that its client does not end.
const STANDS_MS: u64 = 60_000;

/// The victim's readers.
pub async fn neighbours(world: Rc<World>, attack: Attack) {
    loop {
        world
            .executor
            .sleep(world.about(world.setup.read_pause_ms))
            .await;
        if world.is_healed() {
            return;
        }
        if attack.position == Position::Crawler && world.chance(200) {
            find(&world, &attack);
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
        let mut wish = Wish::plain(page);
        match world.below(20) {
            0 => wish.method = "HEAD",
            1 => wish.range = Some("bytes=0-15"),
            2 => wish.conditional = true,
            _ => {}
        }
        let address = format!("10.1.0.{}", world.below(READERS));
        send_as(&world, &world.any_seat(), wish, Some(address));
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
        Position::Leaver => leave_early(world, account, step),
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
            // The form of a front page: all others lie below it.
            let url = format!("http://{VICTIM}/?next=/page/{target}");
            Attempt::new("POST", url, own).send(world);
        }
        Position::Key => flood(world, step),
        Position::Guesser => guess(world),
        Position::OddReader => be_odd(world, attack),
        Position::Members => come_with_name(world, own, step),
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

    /// With a body that breaks off then.
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

/// A request of a session, which passes.
fn of_session(account: usize, path: &str, name: Name) -> Attempt {
    let attempt = Attempt::new("GET", format!("http://{VICTIM}{path}"), account);
    let cookie = format!("{COOKIE}={}", name_text(name));
    attempt.with("cookie", cookie).of_session(name)
}

/// A reader of the victim looks for something.
fn find(world: &Rc<World>, attack: &Attack) {
    let url = format!("http://{VICTIM}/find?own{}", world.tick());
    let attempt = Attempt::new("GET", url, attack.shared_pages + 1);
    let address = format!("10.1.0.{}", world.below(READERS));
    attempt.from(address).of_victim().send(world);
}

/// A reader of the victim looks at an account page.
fn read_account(world: &Rc<World>, attack: &Attack) {
    let reader = world.below(READERS);
    let path = format!("/account/{}", world.below(ACCOUNTS));
    let attempt = of_session(attack.shared_pages, &path, reader);
    attempt
        .from(format!("10.1.0.{reader}"))
        .of_victim()
        .send(world);
}

/// Requests of a reader who has left before there is an answer: those that no
/// other waits for, and the first for a cold page.
fn leave_early(world: &Rc<World>, account: usize, step: u64) {
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

/// What a page may refuse, and others must not get.
fn be_odd(world: &Rc<World>, attack: &Attack) {
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

/// Pages that bear their readers' names, and others that want them without.
fn come_with_name(world: &Rc<World>, own: usize, step: u64) {
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
            // Two lines, which HTTP/2 allows, and the runtime joins.
            let comma = world.pick(&[", ", ","]);
            let cookies = format!("theme=dark{comma}{COOKIE}={}", name_text(name));
            attempt.with("cookie", cookies).of_session(name)
        }
    };
    attempt.send(world);
}

/// An order of the limited key, of all that it may name.
fn flood(world: &Rc<World>, step: u64) {
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

/// Orders under the ids that the victim's editors use next.
fn guess(world: &Rc<World>) {
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
