//! Storms: worlds with few purges, much traffic, and a failing origin.

use super::page::{Name, Privacy};
use super::regimes::{self, Phase};
use super::setup::{LedgerFaults, PageSetup, Setup, TAGS, TierFaults, chance, pick};
use super::switches::Switch;
use super::terms::{Terms, Windows};
use super::waves::{self, Wave};
use fastrand::Rng;

/// Of this number of seeds one is a storm, and one an attack: they take as long
/// as many other worlds.
pub const STORM_EVERY: u64 = 50;

/// The settings of a storm.
#[derive(Clone, Debug)]
pub struct Storm {
    /// The phases of each host.
    pub phases: Vec<(&'static str, Vec<Phase>)>,
    pub waves: Vec<Wave>,
    pub guard: Guard,
}

/// `protection`, and other settings that protect origins.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The most requests of an isolate in flight to one origin.
    pub requests_max: usize,
    pub queue_seconds: u64,
    pub breaker_failures: u64,
    pub breaker_seconds: u64,
    /// `origin_body_timeout`
    pub body_seconds: Option<u64>,
}

const HOSTS: [&str; 2] = ["one.test", "two.test"];

/// The number of clients, most of which have a session.
const CLIENTS: u64 = 60;

/// Whether a client has a session.
pub fn has_session(client: Name) -> bool {
    !client.is_multiple_of(3)
}

impl Setup {
    /// The storm of a seed.
    pub fn storm(seed: u64, switch: Option<Switch>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let faulty = chance(rng, 500);
        let busy_ms = rng.u64(50_000..=150_000);
        let mut pages = Vec::new();
        let waves = waves::draw(rng, &mut pages, busy_ms);
        let mut setup = Self {
            calm: false,
            lag_ms: 1000 * pick(rng, &[2, 5, 10]),
            serve_in_outage: rng.bool(),
            origin_timeout_seconds: rng.u64(1..=8),
            centres: (0..rng.usize(1..=3)).map(|_| rng.usize(1..=3)).collect(),
            skew_ms: pick(rng, &[0, 0, 1_000, 20_000]),
            busy_ms,
            read_pause_ms: 0,
            edit_pause_ms: rng.u64(8_000..=40_000),
            chaos_pause_ms: chance(rng, 700).then(|| rng.u64(4_000..=20_000)),
            writes: false,
            directives: chance(rng, 300),
            pages,
            tiers: TierFaults::of(rng, faulty),
            ledger: LedgerFaults::NONE,
            origin_fails: pick(rng, &[0, 0, 20]),
            origin_ignores_if_range: false,
            unruly_webhooks: false,
            windows: Windows {
                while_revalidate: chance(rng, 200).then(|| pick(rng, &[2, 20])),
                if_error: chance(rng, 300).then(|| pick(rng, &[0, 10, 600])),
            },
            attack: None,
            steady: None,
            storm: Some(Storm {
                phases: HOSTS
                    .map(|host| (host, regimes::draw(rng, busy_ms)))
                    .to_vec(),
                waves,
                guard: Guard {
                    requests_max: pick(rng, &[2, 6, 20, 100]),
                    queue_seconds: pick(rng, &[0, 1, 5]),
                    breaker_failures: pick(rng, &[0, 3, 10]),
                    breaker_seconds: pick(rng, &[1, 10]),
                    body_seconds: chance(rng, 300).then(|| rng.u64(1..=4)),
                },
            }),
        };
        if let Some(switch) = switch {
            setup.favour_storm_race(switch);
        }
        setup
    }

    /// As [`Setup::lean`].
    fn favour_storm_race(&mut self, switch: Switch) {
        let privacy = match switch {
            Switch::PrivateStored => Privacy::Private,
            Switch::NoStoreStored => Privacy::NoStore,
            Switch::CookiesStored => Privacy::SetCookie,
            Switch::AuthorizedStored => Privacy::Authorized,
            Switch::SessionSentUnkeyed => Privacy::Careless,
            _ => return,
        };
        let pages = self.pages.iter_mut().enumerate();
        for (at, page) in pages.filter(|(_, page)| page.privacy.is_some()) {
            page.privacy = Some(privacy);
            page.path = format!("{}/{at}", privacy.folder());
            (page.terms.s_maxage, page.terms.must_revalidate) = (None, false);
        }
    }
}

/// The role of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightRole {
    /// One of many.
    Usual,
    /// One that a crowd requests.
    Crowd,
}

/// Adds a page to a storm, and returns its index.
pub fn add_page(
    rng: &mut Rng,
    pages: &mut Vec<PageSetup>,
    path: Option<&str>,
    role: FlightRole,
) -> usize {
    let at = pages.len();
    let logged = path.is_some();
    let usual = !logged && role == FlightRole::Usual;
    let privacy = (usual && chance(rng, 120)).then(|| pick(rng, &Privacy::ALL));
    let path = match (path, privacy) {
        (Some(path), _) => path.to_owned(),
        (None, Some(privacy)) => format!("{}/{at}", privacy.folder()),
        (None, None) => format!("/page/{at}"),
    };
    let mut terms = terms(rng, logged);
    if privacy == Some(Privacy::Authorized) {
        // With these two directives a shared cache may store the response
        // (RFC 9111 §3.5).
        (terms.s_maxage, terms.must_revalidate) = (None, false);
    }
    let mut tags = TAGS.to_vec();
    tags.retain(|_| chance(rng, 100));
    pages.push(PageSetup {
        host: if chance(rng, 700) { HOSTS[0] } else { HOSTS[1] },
        path,
        tags,
        etag: privacy.is_none() && (terms.max_age == 0 || chance(rng, 500)),
        terms,
        varies: chance(rng, 150),
        dated: chance(rng, 300),
        terse_304: rng.bool(),
        grouped: false,
        played: role == FlightRole::Usual && chance(rng, 40),
        head_ms: if chance(rng, 100) { 1_500 } else { 150 },
        body_ms: if chance(rng, 100) { 3_000 } else { 50 },
        long: chance(rng, 300),
        chunked: chance(rng, 200),
        upstream_seconds: if chance(rng, 150) { rng.u64(2..=15) } else { 0 },
        privacy,
        trap: None,
    });
    at
}

fn terms(rng: &mut Rng, logged: bool) -> Terms {
    Terms {
        max_age: match logged {
            true => pick(rng, &[0, 20, 300, 300, 3600]),
            false => pick(rng, &[0, 2, 5, 20, 60, 300]),
        },
        s_maxage: chance(rng, 150).then(|| pick(rng, &[3, 30])),
        while_revalidate: chance(rng, 400).then(|| pick(rng, &[2, 10, 600])),
        if_error: chance(rng, 400).then(|| pick(rng, &[0, 10, 60, 86_400])),
        must_revalidate: chance(rng, 80),
    }
}

/// One of the clients.
pub fn any_client(rng: &mut Rng) -> Name {
    rng.u64(..CLIENTS)
}
