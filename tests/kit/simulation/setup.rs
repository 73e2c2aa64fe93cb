//! The setup of the world of one seed: data centres, skew of clocks, faults,
//! and the origin's pages.

use super::attack::{Attack, Trap};
use super::page::Privacy;
use super::storm::{Guard, Storm};
use super::switches::Switch;
use super::terms::{Terms, Windows};
use edgekeep::cache::config::rule::Kv;
use edgekeep::http::url::Url;
use fastrand::Rng;
use serde_json::{Value, json};

/// 2026-11-23, 09:00.
pub const START_MS: u64 = 1_795_424_400_000;
const MINUTE_MS: u64 = 60_000;

/// A probability, in thousandths.
pub type PerMille = u64;

#[derive(Clone, Debug)]
pub struct Setup {
    /// Many readers and no faults: a world with the fewest queries to the
    /// ledger.
    pub calm: bool,
    /// The promised `max_purge_lag`.
    pub lag_ms: u64,
    /// `on_ledger_outage = "serve"`
    pub serve_in_outage: bool,
    pub origin_timeout_seconds: u64,
    /// The number of isolates of each data centre.
    pub centres: Vec<usize>,
    /// The greatest error of a clock, in both directions.
    pub skew_ms: u64,
    /// The time for which readers and editors are active.
    pub busy_ms: u64,
    /// Mean time between two requests of the steady readers.
    pub read_pause_ms: u64,
    /// Mean time between two edits.
    pub edit_pause_ms: u64,
    /// Mean time between two injected faults; none if absent.
    pub chaos_pause_ms: Option<u64>,
    pub writes: bool,
    /// `request_directives`
    pub directives: bool,
    pub pages: Vec<PageSetup>,
    pub tiers: TierFaults,
    pub ledger: LedgerFaults,
    /// The probability that the origin fails a request.
    pub origin_fails: PerMille,
    /// Whether the origin sends ranges regardless of `If-Range`.
    pub origin_ignores_if_range: bool,
    /// Whether webhooks are lost, repeated, and repeated with another body.
    pub unruly_webhooks: bool,
    /// `stale_while_revalidate` and `stale_if_error` of the settings.
    pub windows: Windows,
    /// Much traffic, and a failing origin.
    pub storm: Option<Storm>,
    /// One position that attacks a host; nothing else fails.
    pub attack: Option<Attack>,
    /// No faults, and settings that affect the cost.
    pub steady: Option<Steady>,
}

/// The settings of a world that is run for its cost.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    pub kv: Kv,
    /// `kv_min_ttl`
    pub kv_min_ttl: u64,
    /// `early_refresh`
    pub early_refresh: bool,
    /// `collapse`: within a data centre, or off.
    pub collapse: bool,
}

#[derive(Clone, Debug)]
pub struct TierFaults {
    /// The longest delay until a data centre sees a write to KV.
    pub kv_lag_ms: u64,
    pub kv_fails: PerMille,
    pub kv_slow: PerMille,
    pub cache_fails: PerMille,
    /// The probability that a write is slow, to any tier.
    pub put_slow: PerMille,
    pub cache_loses: PerMille,
    /// For how long an earlier version of a note may be served after its
    /// update.
    pub note_old_ms: u64,
    pub note_cut: PerMille,
}

#[derive(Clone, Debug)]
pub struct LedgerFaults {
    /// The longest duration of one way.
    pub way_ms: u64,
    pub reply_lost: PerMille,
    pub reply_late: PerMille,
    pub disk_fails: PerMille,
    /// Its limits, far below the real ones so that a short run reaches them.
    pub small: Option<Small>,
    /// Whether its database may be lost.
    pub may_be_lost: bool,
}

/// Limits of a small ledger.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    /// In place of `MARKS_MAX`.
    pub marks: u64,
    /// In place of `MARKS_DROPPED`.
    pub dropped: u64,
    /// In place of `MARK_MS`.
    pub mark_ms: u64,
    /// In place of `FEED_MARKS_MAX`.
    pub page: u64,
    /// The divisor of `SCOPE_MARKS_MAX` and `HOST_WRITES_MAX`.
    pub owners_by: u64,
}

#[derive(Clone, Debug)]
pub struct PageSetup {
    pub host: &'static str,
    pub path: String,
    pub tags: Vec<&'static str>,
    pub terms: Terms,
    pub etag: bool,
    /// `Vary: Accept-Language`
    pub varies: bool,
    /// Whether it has a `Date`, by the true time. Otherwise the isolate adds
    /// one by its own clock.
    pub dated: bool,
    /// Whether a 304 has no tags.
    pub terse_304: bool,
    /// Whether it belongs to the host's cache group, which writes invalidate.
    pub grouped: bool,
    /// Whether most requests for it have `Range`.
    pub played: bool,
    /// The longest duration of its head.
    pub head_ms: u64,
    /// The longest duration of its body.
    pub body_ms: u64,
    /// Whether its body is too long to be read together with its head.
    pub long: bool,
    /// Whether it has no `Content-Length`.
    pub chunked: bool,
    /// The greatest `Age` of its responses, as from an origin behind another
    /// cache.
    pub upstream_seconds: u64,
    /// Whether it has content for single readers, and how it separates them.
    pub privacy: Option<Privacy>,
    /// Its special behaviour in an attack.
    pub trap: Option<Trap>,
}

/// The path with `no_vary_search`.
pub const SEARCH: &str = "/search";
/// The path with `kv = false`.
pub const NO_KV: &str = "/local/a";
/// More requests than a world ever has in flight.
const GUARD_OFF: usize = 10_000;
/// The cookie that holds a session.
pub const COOKIE: &str = "visitor";

const PATHS: [(&str, &str); 7] = [
    ("one.test", "/"),
    ("one.test", "/blog/a"),
    ("one.test", "/blog/b"),
    ("one.test", SEARCH),
    ("one.test", NO_KV),
    ("two.test", "/"),
    ("two.test", "/blog/a"),
];
pub const TAGS: [&str; 3] = ["front", "news", "shop"];

pub fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

pub fn chance(rng: &mut Rng, per_mille: PerMille) -> bool {
    rng.u64(..1000) < per_mille
}

impl Setup {
    pub fn of(seed: u64, switch: Option<Switch>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let calm = chance(rng, 20);
        let lag_ms = 1000 * pick(rng, &[1, 1, 2, 3, 5, 10]);
        let long_fills = chance(rng, 60);
        let faulty = chance(rng, 750);
        let centres = (0..rng.usize(2..=4)).map(|_| rng.usize(1..=3)).collect();
        let tiers = TierFaults::of(rng, faulty);
        let ledger = LedgerFaults::of(rng, faulty, switch);
        let mut paths = PATHS;
        rng.shuffle(&mut paths);
        let pages = rng.usize(1..=3);
        let mut setup = Self {
            calm,
            lag_ms,
            serve_in_outage: rng.bool(),
            origin_timeout_seconds: if long_fills { 200 } else { rng.u64(3..=30) },
            centres,
            skew_ms: pick(rng, &[0, 2_000, 6_000, MINUTE_MS, 5 * MINUTE_MS]),
            busy_ms: lag_ms * rng.u64(6..=14) + rng.u64(5_000..=30_000),
            read_pause_ms: rng.u64(600..=3000),
            edit_pause_ms: lag_ms + rng.u64(2_000..=9_000),
            chaos_pause_ms: chance(rng, 800).then(|| rng.u64(1_500..=8_000)),
            writes: chance(rng, 400),
            directives: chance(rng, 500),
            pages: paths
                .iter()
                .take(pages)
                .map(|place| PageSetup::of(rng, *place, lag_ms, long_fills))
                .collect(),
            tiers,
            ledger,
            origin_fails: pick(rng, &[0, 0, 30, 150]),
            origin_ignores_if_range: chance(rng, 200),
            unruly_webhooks: chance(rng, 700),
            windows: Windows::default(),
            storm: None,
            attack: None,
            steady: None,
        };
        if calm {
            setup.remove_faults();
        }
        if let Some(switch) = switch {
            setup.favour_race(switch);
        }
        setup
    }

    /// Makes the circumstances more frequent in which a defence has an effect,
    /// so that few seeds are needed to show it.
    fn favour_race(&mut self, switch: Switch) {
        match switch {
            Switch::SeenOfCopy => {
                self.tiers.put_slow = 300;
                self.chaos_pause_ms = Some(2_000);
            }
            Switch::CutNotesAccepted => {
                self.tiers.note_cut = 300;
                self.edit_pause_ms = 2_000;
            }
            Switch::SnapshotNotShared => self.remove_faults(),
            Switch::IndexNotRenewedAfterRead => self.tiers.kv_slow = 500,
            Switch::ClockComparedAtArrival => {
                self.ledger.reply_late = 400;
                self.centres = vec![3, 3];
            }
            Switch::ReceiptClosesGap => {
                self.ledger.small = Some(Small {
                    marks: 8,
                    dropped: 2,
                    mark_ms: 1_000_000,
                    page: 1,
                    owners_by: 1,
                });
                self.pages.truncate(1);
            }
            Switch::LedgerIgnoresErrors => self.ledger.disk_fails = 100,
            Switch::WriteEndsWithClient => self.writes = true,
            Switch::OneSlotForAllTiers => {
                self.pages.truncate(1);
                self.tiers.kv_fails = 200;
                self.pages.iter_mut().for_each(|page| page.varies = true);
            }
            Switch::PartsNotCompared => {
                self.origin_ignores_if_range = true;
                for page in &mut self.pages {
                    (page.played, page.etag, page.varies) = (true, true, false);
                }
            }
            _ => {}
        }
    }

    /// Removes the faults, and adds readers.
    pub fn remove_faults(&mut self) {
        self.calm = true;
        self.lag_ms = self.lag_ms.max(5_000);
        self.centres = vec![3, 3];
        self.busy_ms = 4 * self.lag_ms;
        self.read_pause_ms = 100;
        self.chaos_pause_ms = None;
        self.origin_fails = 0;
        self.pages.truncate(1);
        self.tiers = TierFaults::NONE;
        self.ledger = LedgerFaults::NONE;
    }

    /// `origin_deadline`: enough for one retry.
    pub fn deadline_seconds(&self) -> u64 {
        2 * self.origin_timeout_seconds
    }

    /// The protection of the origin.
    pub fn guard(&self) -> Option<&Guard> {
        let of_attack = self.attack.as_ref().map(|attack| &attack.guard);
        let of_storm = self.storm.as_ref().map(|storm| &storm.guard);
        of_attack.or(of_storm)
    }

    /// The settings as the worker would read them, with the effect of a switch.
    pub fn rules(&self, switch: Option<Switch>) -> String {
        let folder = |privacy: Privacy| format!("{}/*", privacy.folder());
        let lag = match switch {
            Some(Switch::LagNotKept) => 60,
            _ => self.lag_ms / 1000,
        };
        let serve = self.serve_in_outage || switch == Some(Switch::OutageAlwaysServes);
        let invalidate = switch != Some(Switch::WritesDoNotPurge);
        let mut rules = json!({
            "max_purge_lag": lag,
            "on_ledger_outage": if serve { "serve" } else { "revalidate" },
            "origin_timeout": self.origin_timeout_seconds,
            "origin_deadline": self.deadline_seconds(),
            "defaults": {
                "invalidate_on_write": invalidate,
                "kv": if self.earned() { json!("earned") } else { json!(true) },
                "kv_min_ttl": 5,
                "request_directives": self.directives,
                "stale_while_revalidate": self.windows.while_revalidate,
                "stale_if_error": self.windows.if_error,
            },
            "rules": [
                { "path": format!("{SEARCH}*"), "no_vary_search": true },
                { "path": format!("{NO_KV}*"), "kv": false },
                { "path": folder(Privacy::Private), "forward_headers": ["cookie"] },
                { "path": folder(Privacy::Keyed), "key_cookies": [COOKIE] },
                { "path": folder(Privacy::Bypassed), "bypass_cookies": [COOKIE] },
            ],
        });
        if switch == Some(Switch::CollapsingOff) {
            rules["defaults"]["collapse"] = "off".into();
        }
        if let Some(steady) = &self.steady {
            steady.apply_to(&mut rules["defaults"]);
        }
        if let Some(attack) = &self.attack {
            attack.apply_to(&mut rules);
        }
        if let Some(guard) = self.guard() {
            let most = match switch {
                Some(Switch::ConcurrencyLimitIgnored) => GUARD_OFF,
                _ => guard.requests_max,
            };
            rules["protection"] = serde_json::json!({
                "max_requests": most,
                "queue_timeout": guard.queue_seconds,
                "breaker_failures": guard.breaker_failures,
                "breaker_pause": guard.breaker_seconds,
            });
            rules["origin_body_timeout"] = guard.body_seconds.into();
        }
        rules.to_string()
    }
}

impl Steady {
    /// Adds its settings to the defaults.
    fn apply_to(&self, defaults: &mut Value) {
        defaults["kv"] = match self.kv {
            Kv::Never => json!(false),
            Kv::Earned => json!("earned"),
            Kv::Always => json!(true),
        };
        // Calls of the Cache API are counted as if there were no memory tier in
        // front of it: they are free of charge.
        defaults["memory"] = false.into();
        defaults["kv_min_ttl"] = self.kv_min_ttl.into();
        defaults["early_refresh"] = self.early_refresh.into();
        defaults["collapse"] = if self.collapse { "data-centre" } else { "off" }.into();
    }
}

impl Setup {
    /// Whether `kv = "earned"`. In most worlds all entries are written to KV.
    fn earned(&self) -> bool {
        self.origin_timeout_seconds.is_multiple_of(5)
    }
}

impl TierFaults {
    pub const NONE: Self = Self {
        kv_lag_ms: 0,
        kv_fails: 0,
        kv_slow: 0,
        cache_fails: 0,
        put_slow: 0,
        cache_loses: 0,
        note_old_ms: 0,
        note_cut: 0,
    };

    pub fn of(rng: &mut Rng, faulty: bool) -> Self {
        let often = |rng: &mut Rng, most| if faulty { rng.u64(0..=most) } else { 0 };
        Self {
            kv_lag_ms: pick(rng, &[0, 1_000, 10_000, 60_000, 120_000]),
            kv_fails: often(rng, 100),
            kv_slow: often(rng, 150),
            cache_fails: often(rng, 50),
            put_slow: often(rng, 150),
            cache_loses: often(rng, 100),
            note_old_ms: often(rng, 3_000),
            note_cut: often(rng, 100),
        }
    }
}

impl LedgerFaults {
    pub const NONE: Self = Self {
        way_ms: 20,
        reply_lost: 0,
        reply_late: 0,
        disk_fails: 0,
        small: None,
        may_be_lost: false,
    };

    fn of(rng: &mut Rng, faulty: bool, switch: Option<Switch>) -> Self {
        let often = |rng: &mut Rng, most| if faulty { rng.u64(0..=most) } else { 0 };
        let small = chance(rng, 400).then(|| Small {
            marks: rng.u64(3..=8),
            dropped: rng.u64(1..=3),
            mark_ms: pick(rng, &[10_000, 30_000, 1_000_000]),
            page: rng.u64(1..=4),
            owners_by: 1,
        });
        Self {
            way_ms: pick(rng, &[20, 150, 400]),
            reply_lost: often(rng, 150),
            reply_late: often(rng, 150),
            disk_fails: often(rng, 15),
            small,
            may_be_lost: faulty
                && (chance(rng, 100) || switch.is_some_and(Switch::needs_ledger_loss)),
        }
    }
}

impl PageSetup {
    /// Its URL.
    pub fn url(&self) -> Url {
        Url::parse(&format!("http://{}{}", self.host, self.path)).expect("a URL")
    }

    fn of(rng: &mut Rng, place: (&'static str, &'static str), lag_ms: u64, long: bool) -> Self {
        let (host, path) = place;
        let max_age = pick(rng, &[0, 5, 20, 300, 3600]);
        let etag = max_age == 0 || chance(rng, 600);
        let terms = Terms {
            max_age,
            while_revalidate: chance(rng, 500).then(|| pick(rng, &[0, 60, 600])),
            if_error: chance(rng, 500).then(|| pick(rng, &[0, 60, 86_400])),
            ..Terms::default()
        };
        let mut tags: Vec<&str> = TAGS.to_vec();
        tags.retain(|_| rng.bool());
        let slow = rng.bool();
        let very_slow = long && chance(rng, 300);
        let head_ms = match (slow, very_slow) {
            (_, true) => 150_000,
            (true, _) => lag_ms * rng.u64(1..=3),
            _ => 150,
        };
        let body_ms = match (chance(rng, 300), long && chance(rng, 300)) {
            (_, true) => 150_000,
            (true, _) => lag_ms * 2,
            _ => 50,
        };
        Self {
            host,
            path: path.to_owned(),
            tags,
            terms,
            etag,
            varies: chance(rng, 250),
            dated: chance(rng, 300),
            terse_304: rng.bool(),
            grouped: chance(rng, 300),
            played: chance(rng, 120),
            head_ms,
            body_ms,
            long: body_ms > 50,
            chunked: false,
            upstream_seconds: 0,
            privacy: None,
            trap: None,
        }
    }
}
