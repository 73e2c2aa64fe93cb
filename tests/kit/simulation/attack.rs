//! Attacks: worlds in which one position (a reader, a page, a host, a key)
//! attacks a host that shares the deployment and the origin with it. Nothing
//! else fails in them, so that every effect on the victim comes from the
//! attacker.

use super::page::{Name, Privacy};
use super::setup::{LedgerFaults, PageSetup, Setup, Small, TierFaults, chance, pick};
use super::storm::{Guard, STORM_EVERY};
use super::switches::Switch;
use super::terms::{Terms, Windows};
use edgekeep::cache::request::origin_request::OriginRequest;
use fastrand::Rng;
use serde_json::{Value, json};

/// The seed of the attack among each [`STORM_EVERY`] seeds.
pub const ATTACK_AT: u64 = 24;

/// The host that is attacked.
pub const VICTIM: &str = "victim.test";
/// A host of the attacker at the same origin.
pub const OTHER: &str = "other.test";
/// The origin of both.
const ORIGIN: &str = "http://origin.test";
/// The key that may purge [`OTHER`] and tags that begin with `other-`.
pub const WEAK_KEY: &str = "weak";
/// The lifetime that a rule sets for pages under [`Privacy::EdgeLived`], and
/// the origin for pages without names.
const EDGE_SECONDS: u64 = 60;

/// The position of the attacker, and its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// A reader that sends requests without followers (a session's page,
    /// `HEAD`, cold URLs), and aborts them at once.
    Leaver,
    /// Readers whose uploads stall.
    Uploader,
    /// A page of the victim's host that fails for every reader.
    FailingPage(Failure),
    /// A host whose pages all fail.
    FailingHost(Failure),
    /// A reader that requests many failing pages of the victim's host.
    Prober(Failure),
    /// A reader that requests many URLs of a slow page that others read.
    Crawler,
    /// A reader that a firewall throttles on pages that others read: 503 with
    /// `Retry-After: 3600`.
    Throttled,
    /// A reader that writes to many URLs of another host.
    Writer,
    /// A reader that writes to a page which redirects to URLs of its choice.
    Redirector,
    /// A limited key that sends large orders.
    Key,
    /// A limited key that uses the next ids of other keys.
    Guesser,
    /// A reader whose requests are refused: unusual `Accept` and `Range`, long
    /// `Accept-Language`, invalid credentials.
    OddReader,
    /// Readers with credentials, whose pages contain their names.
    Members,
}

/// How a page fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No response arrives.
    Hangs,
    /// 502
    BadGateway,
    /// 503 with `Retry-After: 3600`
    Rests,
    /// The connection ends without a response.
    HangsUp,
    /// The status is 999.
    NoStatus,
}

const FAILURES: [Failure; 5] = [
    Failure::Hangs,
    Failure::BadGateway,
    Failure::Rests,
    Failure::HangsUp,
    Failure::NoStatus,
];

/// The special behaviour of a page in an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// It fails.
    Fails(Failure),
    /// A write gets a 302 to the URL in the parameter `next`.
    Redirects,
    /// It refuses unusual requests.
    Refuses,
    /// Sessions of attackers get a 503 with `Retry-After: 3600`.
    Throttles,
}

/// The settings of an attack.
#[derive(Clone, Debug)]
pub struct Attack {
    pub position: Position,
    pub guard: Guard,
    /// Mean time between two steps of the attacker.
    pub pause_ms: u64,
    /// The number of the victim's shared pages, which come first. The next one
    /// stands for its account pages, for sessions; then come the pages that the
    /// attack needs.
    pub shared_pages: usize,
}

impl Setup {
    /// The attack of a seed.
    pub fn attack(seed: u64, switch: Option<Switch>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let position = switch.and_then(Switch::position);
        let position = position.unwrap_or_else(|| position_of(seed));
        let mut pages = Vec::new();
        for at in 0..rng.usize(4..=8) {
            let mut page = page(VICTIM, format!("/page/{at}"));
            page.terms.max_age = pick(rng, &[3, 20, 60, 300]);
            page.terms.while_revalidate = chance(rng, 300).then_some(10);
            page.etag = rng.bool();
            page.head_ms = pick(rng, &[50, 150, 600]);
            page.tags = super::setup::TAGS.to_vec();
            page.tags.retain(|_| rng.bool());
            page.trap = (position == Position::OddReader).then_some(Trap::Refuses);
            pages.push(page);
        }
        let shared_pages = pages.len();
        pages.push(PageSetup {
            privacy: Some(Privacy::Bypassed),
            trap: (position == Position::Throttled).then_some(Trap::Throttles),
            ..page(VICTIM, format!("{}/*", Privacy::Bypassed.folder()))
        });
        pages.extend(position.pages());
        Self {
            calm: false,
            lag_ms: 1000 * pick(rng, &[2, 5]),
            serve_in_outage: rng.bool(),
            origin_timeout_seconds: rng.u64(2..=8),
            centres: (0..rng.usize(1..=2)).map(|_| rng.usize(1..=2)).collect(),
            skew_ms: 0,
            busy_ms: rng.u64(30_000..=50_000),
            read_pause_ms: rng.u64(100..=400),
            edit_pause_ms: rng.u64(5_000..=15_000),
            chaos_pause_ms: None,
            writes: false,
            directives: false,
            pages,
            tiers: TierFaults {
                kv_lag_ms: pick(rng, &[0, 10_000]),
                ..TierFaults::NONE
            },
            ledger: LedgerFaults {
                way_ms: pick(rng, &[20, 100]),
                small: Some(SMALL),
                ..LedgerFaults::NONE
            },
            origin_fails: 0,
            origin_ignores_if_range: false,
            unruly_webhooks: false,
            windows: Windows::default(),
            storm: None,
            attack: Some(Attack {
                position,
                guard: Guard {
                    requests_max: pick(rng, &[12, 20, 40]),
                    queue_seconds: pick(rng, &[1, 5]),
                    breaker_failures: pick(rng, &[3, 10]),
                    breaker_seconds: pick(rng, &[1, 10]),
                    body_seconds: None,
                },
                pause_ms: position.pause_ms(),
                shared_pages,
            }),
            steady: None,
        }
    }
}

/// How pages separate readers with credentials.
const MEMBERS: [Privacy; 3] = [Privacy::EdgeLived, Privacy::Members, Privacy::Keyed];

/// The ledger's limits in an attack: a flood of one minute reaches the limit of
/// orders that may purge everything, which is far above the number of the
/// victim's orders, and the budgets of limited keys and of writes.
const SMALL: Small = Small {
    marks: 150,
    dropped: 20,
    mark_ms: 86_400_000,
    page: 20_000,
    owners_by: 10,
};

/// The position of a seed: all of them in turn.
fn position_of(seed: u64) -> Position {
    let turn = seed / STORM_EVERY;
    let all = |failure| {
        [
            Position::Leaver,
            Position::Writer,
            Position::Throttled,
            Position::Members,
            Position::FailingHost(failure),
            Position::Key,
            Position::Uploader,
            Position::OddReader,
            Position::Prober(failure),
            Position::Redirector,
            Position::Guesser,
            Position::FailingPage(failure),
            Position::Crawler,
        ]
    };
    let count = all(Failure::Hangs).len() as u64;
    let failure = FAILURES[(turn / count) as usize % FAILURES.len()];
    all(failure)[(turn % count) as usize]
}

fn page(host: &'static str, path: String) -> PageSetup {
    PageSetup {
        host,
        path,
        tags: Vec::new(),
        terms: Terms {
            max_age: 60,
            ..Terms::default()
        },
        etag: false,
        varies: false,
        dated: false,
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
    }
}

impl Position {
    /// The pages that the attack needs. A path that ends in `/*` stands for all
    /// paths below.
    fn pages(self) -> Vec<PageSetup> {
        let with = |host, path: &str, trap| PageSetup {
            trap,
            ..page(host, path.to_owned())
        };
        let private = |privacy: Privacy| PageSetup {
            privacy: Some(privacy),
            ..page(VICTIM, format!("{}/0", privacy.folder()))
        };
        let other = with(OTHER, "/form/*", None);
        match self {
            Self::Uploader => vec![with(VICTIM, "/upload/*", None)],
            Self::FailingPage(failure) => {
                vec![with(VICTIM, "/broken", Some(Trap::Fails(failure)))]
            }
            Self::FailingHost(failure) => {
                vec![with(OTHER, "/broken/*", Some(Trap::Fails(failure)))]
            }
            Self::Prober(failure) => vec![with(VICTIM, "/broken/*", Some(Trap::Fails(failure)))],
            Self::Writer | Self::Key | Self::Guesser => vec![other],
            Self::Crawler => vec![PageSetup {
                head_ms: 2_000,
                ..with(VICTIM, "/find", None)
            }],
            Self::Redirector => vec![with(VICTIM, "/", Some(Trap::Redirects))],
            Self::Leaver | Self::Throttled | Self::OddReader => Vec::new(),
            Self::Members => MEMBERS.map(private).to_vec(),
        }
    }

    /// Its name in the tally.
    pub fn word(self) -> &'static str {
        match self {
            Self::Leaver => "attack step: aborted request",
            Self::Uploader => "attack step: stalled upload",
            Self::FailingPage(_) => "attack step: failing page",
            Self::FailingHost(_) => "attack step: failing host",
            Self::Prober(_) => "attack step: probe of failing pages",
            Self::Crawler => "attack step: crawl of a slow page",
            Self::Throttled => "attack step: throttled request",
            Self::Writer => "attack step: flood of writes",
            Self::Redirector => "attack step: chosen redirect",
            Self::Key => "attack step: flood of orders",
            Self::Guesser => "attack step: guessed ids",
            Self::OddReader => "attack step: refused request",
            Self::Members => "attack step: request with credentials",
        }
    }

    /// The mean time between two steps: short if the attack needs numbers.
    fn pause_ms(self) -> u64 {
        match self {
            Self::Leaver | Self::Crawler => 30,
            Self::Writer
            | Self::Uploader
            | Self::FailingPage(_)
            | Self::FailingHost(_)
            | Self::Prober(_) => 100,
            Self::OddReader | Self::Members | Self::Throttled => 150,
            Self::Redirector => 400,
            Self::Guesser | Self::Key => 1_500,
        }
    }
}

impl Attack {
    /// Adds the settings of the deployment to the rules.
    pub fn apply_to(&self, rules: &mut Value) {
        rules["origin"] = ORIGIN.into();
        rules["keys"] = json!([{
            "name": WEAK_KEY,
            "secret": "WEAK_SECRETS",
            "may": { "hosts": [OTHER], "tags": ["other-*"], "everything": false },
        }]);
        let more = [
            json!({ "path": format!("{}/*", Privacy::EdgeLived.folder()), "edge_ttl": EDGE_SECONDS }),
            json!({
                "path": format!("{}/*", Privacy::Members.folder()),
                "bypass_cookies": [super::setup::COOKIE],
                "forward_headers": ["cookie"],
            }),
        ];
        if let Some(list) = rules["rules"].as_array_mut() {
            list.extend(more);
        }
    }
}

/// The first session of an attacker.
pub const ATTACKERS_FROM: Name = 700;

/// The longest `Accept-Language` that pages accept.
const LANGUAGE_BYTES_MAX: usize = 2_000;

/// The status with which a page refuses an unusual request; 504 if it sends no
/// response. The status depends on the page's number. The refusals have
/// lifetimes, as a framework's errors may.
pub fn refusal(request: &OriginRequest, page: usize) -> Option<u16> {
    let sent = |name: &str| request.fields.get(name).unwrap_or_default();
    let one_of = |all: &[u16]| Some(all[page % all.len()]);
    if sent("accept-language").len() > LANGUAGE_BYTES_MAX {
        return one_of(&[400, 431, 414]);
    }
    if sent("accept").contains("odd") {
        return one_of(&[406, 500, 415, 504, 422]);
    }
    if sent("authorization").contains("junk") {
        return one_of(&[401, 403, 404, 429, 410]);
    }
    sent("range").contains("99999").then_some(416)
}
