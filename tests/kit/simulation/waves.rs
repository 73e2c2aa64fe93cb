//! Waves of traffic: from a real log with its time compressed, by Zipf's law,
//! and crowds that request one page at once.

use super::actors::{RequestSpec, send_any};
use super::page::Name;
use super::setup::{PageSetup, chance, pick};
use super::storm::{FlightRole, add_page, any_client};
use super::world::{Seat, World};
use edgekeep::http::url::canonical_path;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::OnceLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// All requests outside waves: the readers of other worlds.
    Readers,
    Log,
    Zipf,
    Crowd,
}

/// A request of a wave, at `at_ms` after the start of the world.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub at_ms: u64,
    pub client: Name,
    pub page: usize,
}

#[derive(Clone)]
pub struct Wave {
    pub kind: Kind,
    pub arrivals: Vec<Arrival>,
}

impl std::fmt::Debug for Wave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from_ms = self.arrivals.first().map_or(0, |first| first.at_ms);
        let until_ms = self.arrivals.last().map_or(0, |last| last.at_ms);
        let (kind, count) = (self.kind, self.arrivals.len());
        write!(f, "{kind:?}: {count} from {from_ms} to {until_ms} ms")
    }
}

/// The waves of a world; adds the pages that they request.
pub fn draw(rng: &mut Rng, pages: &mut Vec<PageSetup>, whole_ms: u64) -> Vec<Wave> {
    let mut waves = Vec::new();
    let (log, zipf) = pick(rng, &[(true, false), (false, true), (true, true)]);
    if log {
        waves.push(of_log(rng, pages, whole_ms));
    }
    if zipf {
        waves.push(of_zipf(rng, pages, whole_ms));
    }
    for _ in 0..rng.u64(..=2) {
        waves.push(crowd(rng, pages, whole_ms));
    }
    waves
}

/// A line of the log.
struct Line {
    seconds: u64,
    client: Name,
    target: &'static str,
}

const LOG: &str = include_str!("../../data/blog-access-sample.tsv");

/// The log's GET requests, without their queries: other tests show which query
/// parameters matter.
fn lines() -> &'static [Line] {
    static LINES: OnceLock<Vec<Line>> = OnceLock::new();
    LINES.get_or_init(|| {
        let line = |text: &'static str| {
            let mut columns = text.split('\t');
            let seconds = columns.next()?.parse().ok()?;
            let client = columns.next()?.parse().ok()?;
            let target = columns.nth(1)?.split('?').next()?;
            Some(Line {
                seconds,
                client,
                target,
            })
        };
        LOG.lines().filter_map(line).collect()
    })
}

/// The fewest lines of the log in a wave.
const LINES_MIN: usize = 100;

/// A section of the log, compressed to `whole_ms`.
fn of_log(rng: &mut Rng, pages: &mut Vec<PageSetup>, whole_ms: u64) -> Wave {
    let lines = lines();
    let count = rng.usize(LINES_MIN..=lines.len());
    let first = rng.usize(..=lines.len() - count);
    let lines = &lines[first..first + count];
    let begin = lines[0].seconds;
    let span = (lines[count - 1].seconds - begin).max(1);
    let mut places = BTreeMap::new();
    let arrivals = lines.iter().map(|line| {
        let page = *places
            .entry(canonical_path(line.target))
            .or_insert_with(|| add_page(rng, pages, Some(line.target), FlightRole::Usual));
        Arrival {
            // Lines of one second are spread over it.
            at_ms: (line.seconds - begin) * whole_ms / span + rng.u64(..whole_ms / span + 2),
            client: line.client,
            page,
        }
    });
    let mut arrivals: Vec<_> = arrivals.collect();
    arrivals.sort_by_key(|arrival| arrival.at_ms);
    let kind = Kind::Log;
    Wave { kind, arrivals }
}

/// Requests of which the n-th page gets 1/n^s as many as the first, and others
/// for pages that are requested only once.
fn of_zipf(rng: &mut Rng, pages: &mut Vec<PageSetup>, whole_ms: u64) -> Wave {
    let count = rng.usize(50..=200);
    let steepness = 0.7 + 0.5 * rng.f64();
    let single_requests = pick(rng, &[0, 100, 300]);
    let places: Vec<_> = (0..count)
        .map(|_| add_page(rng, pages, None, FlightRole::Usual))
        .collect();
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=count)
        .map(|rank| {
            sum += (rank as f64).powf(-steepness);
            sum
        })
        .collect();
    let mut at_ms: Vec<u64> = (0..rng.usize(150..=700))
        .map(|_| rng.u64(..whole_ms))
        .collect();
    at_ms.sort_unstable();
    let arrivals = at_ms.into_iter().map(|at_ms| {
        let page = match chance(rng, single_requests) {
            true => add_page(rng, pages, None, FlightRole::Usual),
            false => {
                let drawn = rng.f64() * sum;
                let rank = sums.partition_point(|upto| *upto < drawn);
                places[rank.min(count - 1)]
            }
        };
        Arrival {
            at_ms,
            client: any_client(rng),
            page,
        }
    });
    let kind = Kind::Zipf;
    let arrivals = arrivals.collect();
    Wave { kind, arrivals }
}

/// The largest crowd.
const CROWD_MAX: usize = 1000;

/// Many requests for one page at once: a new one, or one that has just expired.
fn crowd(rng: &mut Rng, pages: &mut Vec<PageSetup>, whole_ms: u64) -> Wave {
    let page = add_page(rng, pages, None, FlightRole::Crowd);
    let size = match chance(rng, 100) {
        true => CROWD_MAX,
        false => rng.usize(20..=200),
    };
    let spread_ms = pick(rng, &[0, 50, 1_000]);
    let mut from_ms = rng.u64(1_000..whole_ms);
    let mut arrivals = Vec::new();
    if rng.bool() {
        arrivals.push(Arrival {
            at_ms: from_ms,
            client: any_client(rng),
            page,
        });
        from_ms += pages[page].terms.lifetime() * 1000 + rng.u64(..=2_000);
    }
    let mut at_ms: Vec<u64> = (0..size).map(|_| from_ms + rng.u64(..=spread_ms)).collect();
    at_ms.sort_unstable();
    arrivals.extend(at_ms.into_iter().map(|at_ms| Arrival {
        at_ms,
        client: any_client(rng),
        page,
    }));
    let kind = Kind::Crowd;
    Wave { kind, arrivals }
}

/// Sends the requests of a wave.
pub async fn play_wave(world: Rc<World>, number: usize) {
    let storm = world.setup.storm.as_ref();
    let Some(wave) = storm.and_then(|storm| storm.waves.get(number)) else {
        return;
    };
    if wave.kind == Kind::Crowd && wave.arrivals.len() >= CROWD_MAX {
        world.count("crowd of a thousand");
    }
    for arrival in &wave.arrivals {
        world.until(arrival.at_ms).await;
        if world.is_healed() {
            return;
        }
        let mut spec = RequestSpec::any(&world, arrival.page);
        (spec.client, spec.kind) = (arrival.client, wave.kind);
        let seat = isolate_near(&world, arrival.client);
        send_any(&world, &seat, spec);
    }
}

/// An isolate of the data centre nearest to a client.
fn isolate_near(world: &World, client: Name) -> Rc<Seat> {
    let centre = client as usize % world.centres.len();
    let seats = world.seats.borrow();
    let near: Vec<_> = seats.iter().filter(|seat| seat.centre == centre).collect();
    Rc::clone(near[world.below(near.len() as u64) as usize])
}
