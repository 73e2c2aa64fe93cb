//! Checks the promises in hundreds of simulated worlds, and shows that the
//! checks can fail: without a defence, a world breaks its promise.

mod scenes;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::simulation::numbers::{self, Numbers};
use testkit::simulation::runner::{self, Worlds};
use testkit::simulation::switches::Switch;
use testkit::simulation::waves::Kind;
use testkit::simulation::world::Tally;

/// The number of worlds of each kind in this test: so many that all of
/// [`REQUIRED_EVENTS`] happen. `npm run simulate` runs thousands, of which one
/// in fifty is a storm, and one an attack.
const WORLDS: [(Worlds, u64); 3] = [
    (Worlds::Purges, 250),
    (Worlds::Storms, 25),
    (Worlds::Attacks, 25),
];

/// The most worlds in which the broken promise of a missing defence is
/// searched.
const SEEDS_SEARCHED: u64 = 1500;

/// For each defence the first seed whose world breaks the promise without it.
/// If a change of the flow changes that world, the test searches from the first
/// seed, and prints the new value for this list.
const FAILING_SEEDS: [(Switch, u64); 60] = [
    (Switch::SeenAfterFill, 0),
    (Switch::SeenAfter304, 6),
    (Switch::SeenOfCopy, 41),
    (Switch::SeenOfCopyAtOnce, 36),
    (Switch::TagsDroppedBy304, 14),
    (Switch::IndexNotRenewedAfterOrigin, 502),
    (Switch::IndexNotCheckedAfterOrigin, 36),
    (Switch::LagNotKept, 0),
    (Switch::EmptyIndexTrusted, 15),
    (Switch::OrderNotAppliedAtOnce, 6),
    (Switch::FeedDatedByArrival, 365),
    (Switch::FailureCountsAsFeed, 2),
    (Switch::FirstPageIsAll, 3),
    (Switch::FloorNotSent, 12),
    (Switch::SnapshotCountsAsNew, 2),
    (Switch::SnapshotByOwnClock, 101),
    (Switch::ClockComparedAtArrival, 4),
    (Switch::SnapshotDropsMarks, 2),
    (Switch::GapsIgnored, 31),
    (Switch::CutNotesAccepted, 34),
    (Switch::SnapshotNotShared, 0),
    (Switch::ReceiptClosesGap, 123),
    (Switch::IdsNotStored, 0),
    (Switch::DigestNotCompared, 0),
    (Switch::NumbersByClock, 10),
    (Switch::DroppedMarksLeaveNoFloor, 12),
    (Switch::NewLedgerStartsAtZero, 112),
    (Switch::LedgerIgnoresErrors, 308),
    (Switch::OutageAlwaysServes, 9),
    (Switch::OutageNotReported, 0),
    (Switch::WritesDoNotPurge, 1),
    (Switch::WriteEndsWithClient, 133),
    (Switch::OneSlotForAllTiers, 130),
    (Switch::PartsNotCompared, 10),
    (Switch::LengthNotCompared, 49),
    (Switch::BrokenBodiesStored, 299),
    (Switch::StaleIfErrorIgnored, 49),
    (Switch::KvAlwaysMisses, 149),
    (Switch::MustRevalidateIgnored, 49),
    (Switch::CopiesCountAsNew, 49),
    (Switch::OriginTimeNotCounted, 49),
    (Switch::UpstreamAgeIgnored, 49),
    (Switch::TimeLimitIgnored, 49),
    (Switch::ConcurrencyLimitIgnored, 99),
    (Switch::CollapsingOff, 49),
    (Switch::PrivateStored, 49),
    (Switch::NoStoreStored, 49),
    (Switch::CookiesStored, 49),
    (Switch::AuthorizedStored, 99),
    (Switch::SessionSentUnkeyed, 99),
    (Switch::AbortsIgnored, 224),
    (Switch::UploadsCountAsSent, 24),
    (Switch::ReaderNotIdentified, 24),
    (Switch::WritesCountAsOrders, 24),
    (Switch::ScopeNotSent, 24),
    (Switch::RedirectsInvalidate, 24),
    (Switch::RefusalsBlamePage, 24),
    (Switch::IdsSharedByKeys, 224),
    (Switch::EdgeTtlForAll, 24),
    (Switch::CommaHidesCookie, 24),
];

/// Defences behind which there is a second one. An isolate accepts no snapshot
/// from the future (`flow::purge::sync`), so that the clocks of two ledger
/// instances would have to differ by less than a lag, in one direction; and a
/// read of KV takes a second at most (`flow::store::kv`), and no lag is
/// shorter. 1,500 worlds showed no broken promise.
const DOUBLY_DEFENDED: [Switch; 3] = [
    Switch::LedgerRunsNotCompared,
    Switch::LedgerRunsStartAtOne,
    Switch::IndexNotRenewedAfterRead,
];

/// Events that must have happened in these worlds; without them the test would
/// cover less than it claims.
const REQUIRED_EVENTS: [&str; 62] = [
    "attack step: aborted request",
    "attack step: chosen redirect",
    "attack step: crawl of a slow page",
    "attack step: failing host",
    "attack step: failing page",
    "attack step: flood of orders",
    "attack step: flood of writes",
    "attack step: guessed ids",
    "attack step: probe of failing pages",
    "attack step: refused request",
    "attack step: request with credentials",
    "attack step: stalled upload",
    "attack step: throttled request",
    "body failed beside a stale entry",
    "body truncated",
    "client aborted",
    "crowd of a thousand",
    "disk error",
    "error page",
    "explained",
    "feed in pages",
    "feed page from another isolate",
    "head only",
    "host widened",
    "isolate restarted",
    "ledger lost",
    "ledger outage",
    "ledger restarted",
    "ledger unreachable",
    "marks expired",
    "marks of an owner widened",
    "no permit for the origin",
    "no-purge-index",
    "not modified",
    "old-purge-index",
    "older response allowed in an outage",
    "order refused",
    "order repeated",
    "origin request in a burst of 429",
    "origin request in a burst of 5xx",
    "origin request while flapping",
    "origin request while hanging",
    "origin request while lengths are wrong",
    "origin request while refusing",
    "origin request while slow",
    "origin request while truncating",
    "overflow",
    "page with a client name",
    "partial response",
    "partial response completed",
    "purged",
    "read from KV",
    "reply lost",
    "response",
    "response to the victim of an attack",
    "revalidated by 304",
    "served from the cache",
    "short body failed with its head",
    "stale by soft purge",
    "stale-if-error",
    "usable entry during an attack",
    "wrong length sent",
];

#[test]
fn promises_hold_in_simulated_worlds() {
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
    let missing: Vec<_> = REQUIRED_EVENTS.iter().filter(never).collect();
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
fn each_switched_off_defence_breaks_its_promise() {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let work = || {
        while let Some(switch) = Switch::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let without = Some(*switch);
            let known = FAILING_SEEDS.iter().find(|(known, _)| known == switch);
            let known =
                known.filter(|(_, seed)| runner::run(*seed, without, false).broken.is_some());
            let seed = match known {
                Some((_, seed)) => Some(*seed),
                None if DOUBLY_DEFENDED.contains(switch) => None,
                None => {
                    let worlds = Worlds::of(without);
                    let search = runner::run_many(worlds, 0, SEEDS_SEARCHED, without, 1, |_| {});
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
        let is_new = seed.is_some_and(|seed| !FAILING_SEEDS.contains(&(*switch, seed)));
        let advice = if is_new {
            "; add it to FAILING_SEEDS"
        } else {
            ""
        };
        println!("{switch:?}, so that {}: {seed:?}{advice}", switch.what());
    }
    let missed = found
        .iter()
        .filter(|(switch, seed)| seed.is_none() && !DOUBLY_DEFENDED.contains(switch));
    let missed: Vec<_> = missed.map(|(switch, _)| switch).collect();
    assert!(
        missed.is_empty(),
        "no broken promise was found without {missed:?}"
    );
    assert_eq!(found.len(), Switch::ALL.len());
}

#[test]
fn same_seed_gives_same_world() {
    for seed in 0..20 {
        let one = runner::run(seed, None, true);
        let other = runner::run(seed, None, true);
        assert!(one.trace.len() > 20, "seed {seed}: {:?}", one.trace);
        assert_eq!(one.trace, other.trace, "seed {seed}");
    }
}
