//! Shows that purges keep their promises in thousands of simulated worlds, and
//! that the test can fail: where a defence is taken away, it finds the race.

mod scenes;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::simulation::numbers::{self, Numbers};
use testkit::simulation::runner::{self, Worlds};
use testkit::simulation::switches::Switch;
use testkit::simulation::waves::Kind;
use testkit::simulation::world::Tally;

/// How many worlds of each kind a run of the tests lives through: so many that
/// all of [`HAPPENINGS`] happens. `npm run simulate` lives through thousands, of
/// which one in fifty is a storm, and one an attack.
const WORLDS: [(Worlds, u64); 3] = [
    (Worlds::Purges, 250),
    (Worlds::Storms, 25),
    (Worlds::Attacks, 25),
];

/// In how many worlds the race must be found at most where a defence is
/// missing.
const SEEDS_TO_FAIL: u64 = 1500;

/// Worlds in which the race was met where a defence is missing: the first ones.
/// If a change of the flow makes one of them another world, the test searches
/// from the beginning, and prints what to write here.
const MET_AT: [(Switch, u64); 60] = [
    (Switch::SeenAfterFill, 0),
    (Switch::SeenAfter304, 6),
    (Switch::SeenOfCopy, 41),
    (Switch::SeenOfCopyAtOnce, 36),
    (Switch::TagsOf304, 14),
    (Switch::IndexNotRenewedAfterOrigin, 502),
    (Switch::IndexNotAskedAfterOrigin, 36),
    (Switch::BoundNotKept, 0),
    (Switch::EmptyIndexTrusted, 15),
    (Switch::OrderNotObeyedAtOnce, 6),
    (Switch::NewsDatedByArrival, 365),
    (Switch::FailureCountsAsNews, 2),
    (Switch::FirstPageIsAll, 3),
    (Switch::FloorNotTold, 12),
    (Switch::MarkerCountsAsNew, 2),
    (Switch::MarkerByOwnClock, 101),
    (Switch::ClockComparedAtArrival, 4),
    (Switch::MarkerForgets, 2),
    (Switch::GapsNotNoticed, 31),
    (Switch::CutNotesTaken, 34),
    (Switch::MarkerNotShared, 0),
    (Switch::ReceiptClosesGap, 123),
    (Switch::LedgerForgetsIds, 0),
    (Switch::DigestNotCompared, 0),
    (Switch::NumbersByClock, 10),
    (Switch::DroppedMarksLeaveNoFloor, 12),
    (Switch::NewLedgerStartsAtZero, 112),
    (Switch::LedgerSwallowsErrors, 308),
    (Switch::OutageAlwaysServes, 9),
    (Switch::OutageNotTold, 0),
    (Switch::WritesOrderNothing, 1),
    (Switch::WriteEndsWithClient, 133),
    (Switch::OneSlotForAllTiers, 130),
    (Switch::PartsTiedByNothing, 10),
    (Switch::LengthNotCompared, 49),
    (Switch::BrokenBodiesKept, 299),
    (Switch::StaleIfErrorIgnored, 49),
    (Switch::KvNeverFinds, 149),
    (Switch::MustRevalidateIgnored, 49),
    (Switch::CopiesAreNew, 49),
    (Switch::OriginsTimeNotCounted, 49),
    (Switch::UpstreamAgeIgnored, 49),
    (Switch::TimeLimitIgnored, 49),
    (Switch::LimitNotKept, 99),
    (Switch::NobodyWaits, 49),
    (Switch::PrivateStored, 49),
    (Switch::NoStoreStored, 49),
    (Switch::CookiesStored, 49),
    (Switch::AuthorizedStored, 99),
    (Switch::SessionSentUnkeyed, 99),
    (Switch::LeaversNotSeen, 224),
    (Switch::UploadsCountAsSent, 24),
    (Switch::ReaderNotTold, 24),
    (Switch::WritesAreOrders, 24),
    (Switch::ScopeNotTold, 24),
    (Switch::RedirectsCount, 24),
    (Switch::RefusalsForgiven, 24),
    (Switch::IdsOfOneKey, 224),
    (Switch::EdgeTtlForAll, 24),
    (Switch::CommaHidesCookie, 24),
];

/// Defences behind which another one stands. An isolate takes no marker from
/// the future (`flow::purge::sync`), so that the clocks of two lives of the ledger
/// would have to differ by less than a lag, and the right way; and KV is read
/// for a second at most (`flow::store::kv`), which no lag is shorter than. None was
/// met in 1,500 worlds.
const BACKED: [Switch; 3] = [
    Switch::LivesOfLedgerNotTold,
    Switch::LivesCountedFromOne,
    Switch::IndexNotRenewedAfterRead,
];

/// What must have happened in them, or they would show less than they say.
const HAPPENINGS: [&str; 62] = [
    "a host widens",
    "answer",
    "answer beside an attack",
    "asked in a burst of 429",
    "asked in a burst of 5xx",
    "asked while flapping",
    "asked while hanging",
    "asked while lying about length",
    "asked while refusing",
    "asked while slow",
    "asked while truncating",
    "body cut",
    "broken off beside a stale copy",
    "broken off with its head",
    "client left",
    "confirmed by 304",
    "copy beside an attack",
    "crowd of a thousand",
    "disk error",
    "error page",
    "excused by an outage",
    "explained",
    "from the cache",
    "isolate restarted",
    "ledger lost",
    "ledger out of reach",
    "ledger outage",
    "ledger restarted",
    "length lied about",
    "marks grown old",
    "marks of an owner widen",
    "news in pages",
    "no place to ask the origin",
    "no-purge-index",
    "not modified",
    "old-purge-index",
    "only the head",
    "order refused",
    "order repeated",
    "overflow",
    "page of news from a neighbour",
    "page with a name",
    "part completed",
    "part of a body",
    "purged",
    "read from KV",
    "reply lost",
    "stale by a soft purge",
    "stale-if-error",
    "step of a chosen redirect",
    "step of a crawler of a slow page",
    "step of a failing host",
    "step of a failing page",
    "step of a flood of orders",
    "step of a flood of writes",
    "step of a reader of failing pages",
    "step of a reader who leaves",
    "step of a throttled reader",
    "step of an odd reader",
    "step of an upload that stops",
    "step of guessed ids",
    "step of readers with credentials",
];

#[test]
fn promises_hold_in_hundreds_of_worlds() {
    let mut tally = Tally::new();
    let mut sums = Numbers::new();
    for (worlds, seeds) in WORLDS {
        let summary = runner::run_many(worlds, 0, seeds, None, runner::cores(), |_| {});
        if let Some((seed, broken)) = summary.broken {
            panic!("seed {seed}: {broken}\n{}", runner::again(seed, None));
        }
        assert_eq!(summary.seeds, seeds);
        for (what, times) in summary.tally {
            *tally.entry(what).or_default() += times;
        }
        numbers::add(&mut sums, &summary.numbers);
    }
    let never = |what: &&&str| !tally.contains_key(**what);
    let missing: Vec<_> = HAPPENINGS.iter().filter(never).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
    for kind in [Kind::Readers, Kind::Log, Kind::Zipf, Kind::Crowd] {
        let sums = &sums[&kind];
        assert!(sums.hits > 100 && sums.stale > 20, "{kind:?}: {sums:?}");
        assert!(sums.hits < sums.answers, "{kind:?}: {sums:?}");
    }
    println!("{tally:#?}");
    println!("{}", numbers::table(&sums));
}

#[test]
fn every_defence_is_needed() {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        while let Some(switch) = Switch::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let without = Some(*switch);
            let met = MET_AT.iter().find(|(met, _)| met == switch);
            let met = met.filter(|(_, seed)| runner::run(*seed, without, false).broken.is_some());
            let seed = match met {
                Some((_, seed)) => Some(*seed),
                None if BACKED.contains(switch) => None,
                None => {
                    let worlds = Worlds::of(without);
                    let search = runner::run_many(worlds, 0, SEEDS_TO_FAIL, without, 1, |_| {});
                    search.broken.map(|(seed, _)| seed)
                }
            };
            let mut found = found.lock().expect("no panic");
            found.push((*switch, seed));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..runner::cores() {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().expect("no panic");
    for (switch, seed) in &found {
        let is_new = seed.is_some_and(|seed| !MET_AT.contains(&(*switch, seed)));
        let advice = if is_new { "; note it in MET_AT" } else { "" };
        println!("{switch:?}, so that {}: {seed:?}{advice}", switch.what());
    }
    let missed = found
        .iter()
        .filter(|(switch, seed)| seed.is_none() && !BACKED.contains(switch));
    let missed: Vec<_> = missed.map(|(switch, _)| switch).collect();
    assert!(missed.is_empty(), "no race was found without {missed:?}");
    assert_eq!(found.len(), Switch::ALL.len());
}

#[test]
fn a_seed_is_always_the_same_world() {
    for seed in 0..20 {
        let one = runner::run(seed, None, true);
        let other = runner::run(seed, None, true);
        assert!(one.trace.len() > 20, "seed {seed}: {:?}", one.trace);
        assert_eq!(one.trace, other.trace, "seed {seed}");
    }
}
