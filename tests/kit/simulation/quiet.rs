//! Promises that hold after a quiet time: when all faults have ended and all
//! requests are complete.

use super::actors::{RequestSpec, order, send};
use super::exchange::Exchange;
use super::page::STAMP;
use super::promises::{Promise, Violation, parameter, status_of};
use super::world::{Seat, World};
use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::purge::index::Purgeable;
use edgekeep::cache::purge::selector::{EVERYTHING, mark_of};
use std::collections::BTreeMap;
use std::rc::Rc;

/// The longest duration of earlier work: two requests to an origin with a limit
/// of 200 seconds, and bodies of 150 seconds.
const REST_MS_MAX: u64 = 600_000;
const STEP_MS: u64 = 10_000;
/// Notes about work in flight expire after 30 seconds.
const MARKS_MS: u64 = 31_000;
/// The time for which an idle world is observed.
const IDLE_MS: u64 = 600_000;

/// Heals the world, waits, and checks the promises for a quiet time.
pub fn check(world: &Rc<World>) -> Result<(), Violation> {
    check_cost(world)?;
    world.heal();
    order_purges_of_writes(world);
    for _ in 0..REST_MS_MAX / STEP_MS {
        world.run(STEP_MS)?;
        if world.pending.get() == 0 && world.waiting().is_none() {
            break;
        }
    }
    if let Some(exchange) = world.waiting() {
        let text = format!("no response to {exchange}");
        world.promises.break_one(world, Promise::Answer, text);
    }
    check_writes(world);
    world.run(MARKS_MS.max(world.setup.lag_ms + 1000))?;
    check_indexes(world)?;
    check_pages(world)?;
    check_idle(world)
}

/// Purges the pages of all writes: if a write's own purge did not reach the
/// ledger, the log reports it, and the site purges its page.
fn order_purges_of_writes(world: &Rc<World>) {
    let mut pages: Vec<usize> = world
        .exchanges
        .borrow()
        .iter()
        .filter(|(exchange, _)| exchange.method == "POST")
        .map(|(exchange, _)| exchange.page)
        .collect();
    pages.dedup();
    for page in pages {
        order(world, vec![world.origin.pages[page].url_name()], Vec::new());
    }
}

fn check_writes(world: &World) {
    for (exchange, seat) in world.exchanges.borrow().iter() {
        let in_place = world.seats.borrow().iter().any(|s| Rc::ptr_eq(s, seat));
        // The next request of the isolate sends it.
        if !seat.isolate.index.borrow().unconfirmed.is_empty() {
            continue;
        }
        if exchange.written.get() && !exchange.ordered.get() && in_place {
            let text = format!("{exchange}, at {}, purged nothing", seat.name);
            world.promises.break_one(world, Promise::Write, text);
        }
    }
}

/// Sends a request and waits for its response.
fn request_page(
    world: &Rc<World>,
    seat: &Rc<Seat>,
    spec: RequestSpec,
) -> Result<Rc<Exchange>, Violation> {
    let exchange = send(world, seat, spec);
    // It may wait some seconds for an entry that is being stored.
    for _ in 0..10 {
        world.run(1_000)?;
        if exchange.answered.get() {
            break;
        }
    }
    Ok(exchange)
}

fn check_indexes(world: &Rc<World>) -> Result<(), Violation> {
    let seats = world.seats.borrow().clone();
    // The first requests may send unconfirmed writes.
    for _ in 0..2 {
        let last = world.ledger.last();
        for seat in &seats {
            send(world, seat, RequestSpec::plain(0));
        }
        world.run(3_000)?;
        if world.ledger.last() == last {
            break;
        }
        world.run(world.setup.lag_ms + 1_000)?;
    }
    for seat in &seats {
        if !seat.isolate.index.borrow().unconfirmed.is_empty() {
            let text = format!("{}: a write has not reached the ledger", seat.name);
            world.promises.break_one(world, Promise::Write, text);
        }
    }
    let model = Model::of(world);
    for seat in &seats {
        if let Err(text) = model.check_index(world, seat) {
            let text = format!("{}: {text}", seat.name);
            world.promises.break_one(world, Promise::Agreement, text);
        }
    }
    world.promises.verdict()
}

/// The largest numbers of each selector, from the list of all orders.
struct Model {
    /// For each selector the numbers by orders, and those by writes, which may
    /// widen to a soft purge of their host.
    named: BTreeMap<String, [Numbers; 2]>,
    floor: Numbers,
    sequences: Vec<u64>,
}

/// The most selectors and numbers that are compared with an index: all, except
/// in floods.
const NAMES_MAX: usize = 400;
const SEQUENCES_MAX: usize = 100;

impl Model {
    fn of(world: &World) -> Self {
        let mut model = Self {
            named: BTreeMap::new(),
            floor: Numbers::default(),
            sequences: Vec::new(),
        };
        for order in world.promises.orders.borrow().iter() {
            let (mut hard, mut soft) = (Numbers::default(), Numbers::default());
            (hard.hard, soft.soft) = (order.sequence, order.sequence);
            for (names, numbers) in [(&order.hard, hard), (&order.soft, soft)] {
                for name in names {
                    if name == EVERYTHING {
                        model.floor.raise(numbers);
                        continue;
                    }
                    let [of_orders, of_writes] = model.named.entry(name.clone()).or_default();
                    match order.key {
                        Some(_) => of_orders.raise(numbers),
                        None => of_writes.raise(numbers),
                    }
                }
            }
            model.sequences.push(order.sequence);
        }
        model
    }

    fn check_index(&self, world: &World, seat: &Seat) -> Result<(), String> {
        let index = seat.isolate.index.borrow();
        let last = world.ledger.last();
        if index.sequence() != last {
            return Err(format!("it ends at {}, not {last}", index.sequence()));
        }
        let exact = !world.ledger.inexact.get() && world.setup.attack.is_none();
        let every = self.named.len() / NAMES_MAX + 1;
        for (name, [of_orders, of_writes]) in self.named.iter().step_by(every) {
            let mut expected = self.floor;
            expected.raise(*of_orders);
            let of_orders = expected;
            expected.raise(*of_writes);
            let (kind, text) = name.split_once(':').unwrap_or_default();
            let host = text.split('/').next().unwrap_or_default();
            let whole_host = mark_of(&format!("host:{host}"));
            let tag = [text.to_owned()];
            let tags: &[String] = if kind == "tag" { &tag } else { &[] };
            let marks = 1 + usize::from(!exact);
            let every = self.sequences.len() / SEQUENCES_MAX + 1;
            let sequences = self.sequences.iter().step_by(every);
            for seen in sequences.flat_map(|n| [n - 1, *n]) {
                let wanted = state(expected, seen);
                let found = index.state_of(Purgeable {
                    seen,
                    marks: &[mark_of(name), whole_host][..marks],
                    host: if kind == "tag" { "" } else { host },
                    tags,
                });
                let of_write = rank(wanted).min(rank(PurgeState::Soft));
                let least = rank(state(of_orders, seen)).max(of_write);
                if rank(found) < least || (exact && found != wanted) {
                    return Err(format!("{name} seen {seen}: {found:?}, not {wanted:?}"));
                }
            }
        }
        Ok(())
    }
}

fn state(numbers: Numbers, seen: u64) -> PurgeState {
    if numbers.hard > seen {
        PurgeState::Hard
    } else if numbers.soft > seen {
        PurgeState::Soft
    } else {
        PurgeState::Alive
    }
}

fn rank(state: PurgeState) -> u8 {
    match state {
        PurgeState::Alive => 0,
        PurgeState::Soft => 1,
        PurgeState::Hard => 2,
    }
}

/// The most requests for a page until it must be a fresh hit.
const TRIES: u32 = 4;

/// The most pages that are requested: a storm has hundreds.
const PAGES_MAX: usize = 8;

fn check_pages(world: &Rc<World>) -> Result<(), Violation> {
    let for_all = |page: &usize| world.origin.pages[*page].setup.privacy.is_none();
    let pages = (0..world.shared_pages()).filter(for_all);
    for page in pages.take(PAGES_MAX) {
        for centre in 0..world.centres.len() {
            let seats = world.seats.borrow();
            let seat = seats.iter().find(|seat| seat.centre == centre).cloned();
            drop(seats);
            let Some(seat) = seat else { continue };
            let mut problem = Ok(());
            for _ in 0..TRIES {
                let exchange = request_page(world, &seat, RequestSpec::plain(page))?;
                problem = is_fresh_hit(world, &exchange);
                if problem.is_ok() {
                    break;
                }
            }
            if let Err(text) = problem {
                let text = format!("page {page} at {}: {text}", seat.name);
                world.promises.break_one(world, Promise::Return, text);
            }
            world.promises.verdict()?;
        }
    }
    Ok(())
}

/// Checks that a response is a fresh hit in the newest version.
fn is_fresh_hit(world: &World, exchange: &Exchange) -> Result<(), String> {
    let answer = exchange.answer.borrow();
    let Some(answer) = answer.as_ref() else {
        return Err("no response".to_owned());
    };
    let page = &world.origin.pages[exchange.page];
    let stamp: Option<u64> = answer.fields.get(STAMP).and_then(|text| text.parse().ok());
    let version = stamp.and_then(|s| Some(world.origin.records.borrow().get(&s)?.version));
    let status = status_of(answer);
    if version != Some(page.version.get()) {
        return Err(format!(
            "version {version:?} of {}: {status}",
            page.version.get()
        ));
    }
    // With a `Date` by another clock, or from another cache, it may be stale on
    // arrival.
    let setup = &page.setup;
    let dated_ms = if setup.dated {
        2 * world.setup.skew_ms
    } else {
        0
    };
    let older_ms = dated_ms + 1000 * setup.upstream_seconds;
    if setup.terms.lifetime() * 1000 <= older_ms {
        return Ok(());
    }
    let hit = status.split("; ").any(|parameter| parameter == "hit");
    if hit && parameter(answer, "ttl").is_some_and(|ttl| ttl > 0) {
        Ok(())
    } else {
        Err(format!("not a fresh hit: {status}"))
    }
}

fn total_queries(world: &World) -> u64 {
    world
        .ledger_queries
        .borrow()
        .values()
        .map(|queries| queries.all)
        .sum()
}

fn check_idle(world: &World) -> Result<(), Violation> {
    // Background work ends.
    world.run(REST_MS_MAX)?;
    let before = total_queries(world);
    world.run(IDLE_MS)?;
    let after = total_queries(world);
    if after > before {
        let text = format!("idle, and the ledger received {} queries", after - before);
        world.promises.break_one(world, Promise::Cost, text);
    }
    world.promises.verdict()
}

/// While readers are active, a data centre queries the ledger for a site once
/// in half of `max_purge_lag`; at worst each of its isolates does, if a query
/// takes longer than the others wait. In addition, each isolate queries at its
/// start, for each page of a feed, and again after a slow or failed query.
fn check_cost(world: &World) -> Result<(), Violation> {
    let periods = 2 * world.setup.busy_ms / world.setup.lag_ms + 1;
    for ((centre, site), queries) in world.ledger_queries.borrow().iter() {
        let isolates = world.seated_in(*centre);
        let bound = match world.setup.calm {
            // At first each isolate queries, before a snapshot exists.
            true => periods + isolates,
            false => periods * isolates + isolates + queries.pages + queries.slow_or_failed,
        };
        if queries.all > bound {
            let text = format!("c{centre} queried for {site}: {queries:?}, more than {bound}");
            world.promises.break_one(world, Promise::Cost, text);
        }
    }
    world.promises.verdict()
}
