//! Tests of KV: which responses are admitted, when its breaker pauses, and how
//! the writes of a day are counted.

use edgekeep::cache::config::limits::DAY_MS;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::store::kv_admission::{Doorkeeper, is_of_use};
use edgekeep::cache::store::kv_breaker::{Reads, WriteFault, Writes};
use edgekeep::cache::store::kv_write_budget::KvWriteBudget;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::flow::runtime::host::Host;
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use testkit::world::World;
use testkit::world::place::{Place, START_MS, origin, slow};

fn entry(lifetime: u64, initial_age: u64, stale: u64) -> Entry {
    Entry {
        key: String::new(),
        seen: 0,
        received_ms: 0,
        cost_ms: 0,
        initial_age,
        terms: Terms {
            lifetime,
            stale_while_revalidate: stale,
            stale_if_error: stale,
            stale_allowed: true,
        },
        for_authorized: false,
        by_credentials: false,
        status: 200,
        length: None,
        tags: Vec::new(),
        marks: Vec::new(),
        choices: Vec::new(),
        fields: Fields::new(),
    }
}

#[test]
fn kv_admits_entries_that_stay_fresh_long_enough() {
    #[track_caller]
    fn check(kv: Value, entry: &Entry, expected: bool) {
        let settings = json!({ "defaults": { "kv": kv, "kv_min_ttl": 60 } });
        let rules = Rules::read_json(&settings.to_string()).expect("settings");
        let rule = rules.rule_for(&Url::parse("http://a.test/").expect("a URL"));
        assert_eq!(is_of_use(&rule, entry), expected, "{kv} {:?}", entry.terms);
    }
    let earned = json!("earned");
    check(earned.clone(), &entry(60, 0, 0), true);
    check(earned.clone(), &entry(59, 0, 0), false);
    check(earned.clone(), &entry(100, 40, 0), true);
    check(earned.clone(), &entry(100, 41, 0), false);
    check(earned.clone(), &entry(5, 100, 0), false);
    // Stale windows do not count: it would be written every 59 s.
    check(earned, &entry(59, 0, 86_400), false);
    check(json!(true), &entry(1, 0, 0), true);
    check(json!(true), &entry(100, 99, 0), true);
    check(json!(true), &entry(100, 100, 600), false);
    check(json!(true), &entry(0, 0, 600), false);
}

#[test]
fn doorkeeper_keeps_an_insert_for_one_to_two_generations() {
    let mut doorkeeper = Doorkeeper::default();
    assert!(!doorkeeper.check_and_insert(7));
    assert!(doorkeeper.check_and_insert(7));
    // After one generation it is still in the set, after two no longer.
    for other in 100..100 + 16_384 {
        assert!(!doorkeeper.check_and_insert(other));
    }
    assert!(doorkeeper.check_and_insert(7));
    assert!(!doorkeeper.check_and_insert(8));
    for other in 100_000..100_000 + 2 * 16_384 {
        assert!(!doorkeeper.check_and_insert(other));
    }
    assert!(!doorkeeper.check_and_insert(8));
    assert!(!doorkeeper.check_and_insert(100));
}

#[test]
fn kv_error_texts_map_to_write_faults() {
    #[track_caller]
    fn check(text: &str, expected: WriteFault) {
        assert_eq!(WriteFault::of(text), expected, "{text}");
    }
    check("KV put() limit exceeded for the day.", WriteFault::Quota);
    check("Limit exceeded", WriteFault::Quota);
    check(
        "body: KV put() limit exceeded for the day.",
        WriteFault::Quota,
    );
    check("KV PUT failed: 429 Too Many Requests", WriteFault::OneKey);
    check(
        "body: the body is not as long as its head says",
        WriteFault::Body,
    );
    check("body: KV PUT failed: 500 Internal Error", WriteFault::Body);
    check("KV PUT failed: 500 Internal Error", WriteFault::Other);
    check("KV PUT failed: 503 Service Unavailable", WriteFault::Other);
    check("there is no KV binding EDGEKEEP_KV", WriteFault::Other);
    check(
        "KV PUT failed: 413 Value length of 4290 exceeds limit of 9.",
        WriteFault::Other,
    );
    check("", WriteFault::Other);
}

/// Noon.
const NOON_MS: u64 = 20_000 * DAY_MS + DAY_MS / 2;

#[test]
fn writes_pause_with_backoff_when_quota_is_used_up() {
    let mut writes = Writes::default();
    let mut now_ms = NOON_MS;
    for seconds in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        assert!(!writes.are_paused(now_ms));
        let pause = writes.record_failure(WriteFault::Quota, now_ms);
        assert_eq!(pause, Some(seconds * 1000));
        // Results of requests that were in flight change nothing.
        assert_eq!(writes.record_failure(WriteFault::Quota, now_ms + 50), None);
        writes.record_success(now_ms + 60);
        assert!(writes.are_paused(now_ms + seconds * 1000 - 1));
        now_ms += seconds * 1000;
    }
    writes.record_success(now_ms);
    assert_eq!(
        writes.record_failure(WriteFault::Quota, now_ms),
        Some(60_000)
    );
    // A clock that is set back by a day does not extend the pause by a day.
    assert!(!writes.are_paused(now_ms - DAY_MS));
    // The pause ends with the day.
    let mut late = Writes::default();
    let pause = late.record_failure(WriteFault::Quota, 20_001 * DAY_MS - 5_000);
    assert_eq!(pause, Some(5_000));
    assert!(!late.are_paused(20_001 * DAY_MS));
}

#[test]
fn writes_pause_after_failures_in_a_row() {
    use WriteFault::{Body, OneKey, Other};
    let mut writes = Writes::default();
    let mut fail = |fault| writes.record_failure(fault, NOON_MS);
    assert_eq!([Other, Other].map(&mut fail), [None, None]);
    // These faults show nothing about KV.
    assert_eq!([OneKey, Body].map(&mut fail), [None, None]);
    assert_eq!(fail(Other), Some(10_000));
    // Then one failure suffices.
    assert_eq!(writes.record_failure(Other, NOON_MS + 10_000), Some(10_000));
    writes.record_success(NOON_MS + 20_000);
    assert_eq!(writes.record_failure(Other, NOON_MS + 20_000), None);
    assert!(!writes.are_paused(NOON_MS + 20_000));
    let mut keys = Writes::default();
    for _ in 0..100 {
        assert_eq!(keys.record_failure(OneKey, NOON_MS), None);
        assert_eq!(keys.record_failure(Body, NOON_MS), None);
    }
}

#[test]
fn reads_pause_after_failures_in_a_row() {
    let mut reads = Reads::default();
    for pause in [None, None, Some(5_000), None] {
        assert_eq!(reads.record_failure("slow", NOON_MS), pause);
    }
    assert!(reads.are_paused(NOON_MS + 4_999));
    assert!(!reads.are_paused(NOON_MS + 5_000));
    assert_eq!(reads.record_failure("slow", NOON_MS + 5_000), Some(5_000));
    reads.record_success(NOON_MS + 10_000);
    assert_eq!(reads.record_failure("slow", NOON_MS + 10_000), None);
    let mut full = Reads::default();
    let problem = "KV get() limit exceeded for the day.";
    assert_eq!(full.record_failure(problem, NOON_MS), Some(60_000));
    assert_eq!(
        full.record_failure(problem, NOON_MS + 60_000),
        Some(120_000)
    );
}

#[test]
fn write_budget_is_reset_each_day() {
    let mut budget = KvWriteBudget::default();
    assert!(budget.allows(1, NOON_MS));
    assert!(!budget.allows(0, NOON_MS));
    budget.count();
    assert!(!budget.allows(1, NOON_MS));
    // Reported writes are part of the next total.
    budget.record_reported(1);
    budget.record_total(3, NOON_MS);
    assert_eq!((budget.spent(NOON_MS), budget.unreported()), (3, 0));
    // A smaller total that arrives late, and one of yesterday, are ignored.
    budget.record_total(2, NOON_MS + 5);
    budget.record_total(900, NOON_MS - DAY_MS);
    assert_eq!(budget.spent(NOON_MS), 3);
    budget.count();
    assert_eq!(budget.spent(NOON_MS), 4);
    // A new day by the isolate's clock, before the ledger reports its total.
    let midnight_ms = NOON_MS + DAY_MS / 2;
    assert_eq!(budget.spent(midnight_ms - 1), 4);
    assert_eq!(budget.spent(midnight_ms), 1);
    // A new day by the ledger's clock, which is ahead.
    budget.record_total(7, midnight_ms);
    assert_eq!(budget.spent(midnight_ms - 1), 8);
}

fn place(world: &World, settings: Value) -> Place {
    let mut settings = settings;
    settings["origin"] = "http://origin.test".into();
    settings["max_purge_lag"] = 4.into();
    settings["defaults"] = json!({ "kv": true });
    Place::of(world, 0, &settings.to_string())
}

/// The problems with KV in the log.
fn kv_problems(world: &World) -> Vec<String> {
    let state = world.state.borrow();
    let lines = state.log.iter().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line
    });
    let lines = lines.filter(|line| line["part"] == "kv");
    lines
        .map(|line| line["problem"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn slow_kv_delays_three_reads_before_reads_pause() {
    let world = World::new(START_MS);
    let place = place(&world, json!({}));
    for page in ["/0", "/1", "/2", "/3", "/4", "/5"] {
        origin(&world, page, "max-age=600", "page");
    }
    place.get("/0");
    slow(&world, "kv", 30_000);
    let fetch_ms = |page| {
        let began_ms = world.now_ms();
        assert!(place.get(page).starts_with("page"), "{page}");
        world.now_ms() - began_ms
    };
    assert_eq!(["/1", "/2", "/3"].map(fetch_ms), [1000, 1000, 1000]);
    assert_eq!(["/4", "/5"].map(fetch_ms), [0, 0]);
    assert_eq!(
        kv_problems(&world),
        ["kv-reads-paused for 5 s: no answer within 1000 ms"]
    );
    world.executor.advance(5_000);
    origin(&world, "/6", "max-age=600", "page");
    assert_eq!(fetch_ms("/6"), 1000);
}

#[test]
fn failing_kv_pauses_writes_and_is_logged_once_a_pause() {
    let world = World::new(START_MS);
    let place = place(&world, json!({}));
    for n in 0..20 {
        origin(&world, &format!("/{n}"), "max-age=600", "page");
    }
    world.state.borrow_mut().down.push("kv-writes");
    for n in 0..10 {
        place.get(&format!("/{n}"));
    }
    let quota = "kv-writes-paused for 60 s: KV put() limit exceeded for the day.";
    assert_eq!(kv_problems(&world), [quota]);
    assert_eq!(world.state.borrow().kv_writes, 1);
    world.executor.advance(60_000);
    for n in 10..20 {
        place.get(&format!("/{n}"));
    }
    let again = quota.replace("60", "120");
    assert_eq!(kv_problems(&world), [quota, &again]);
    assert_eq!(world.state.borrow().kv_writes, 2);
}

/// Fetches so many new pages, and lets the isolate report the writes to the
/// ledger.
fn fetch(place: &Place, from: usize, pages: usize) {
    for n in from..from + pages {
        let page = format!("/{n}");
        origin(&place.world, &page, "max-age=600", "page");
        assert!(place.get(&page).starts_with("page"));
    }
    // Past the end of the lag, so that the totals are exchanged.
    for _ in 0..3 {
        place.world.executor.advance(2_100);
        place.get(&format!("/{from}"));
    }
}

/// The writes of the day that the ledger has counted.
fn ledger_count(world: &World) -> u64 {
    let total = "SELECT writes FROM kv_day";
    world.database.number(total, &[]).expect("a number")
}

#[test]
fn isolates_share_the_daily_write_budget() {
    let world = World::new(START_MS);
    let [one, other] = [0, 1].map(|_| place(&world, json!({ "kv_writes_per_day": 10 })));
    let written = || world.state.borrow().kv_writes;
    fetch(&one, 0, 4);
    assert_eq!((written(), ledger_count(&world)), (4, 4));
    fetch(&other, 100, 4);
    assert_eq!((written(), ledger_count(&world)), (8, 8));
    fetch(&one, 200, 4);
    assert_eq!((written(), ledger_count(&world)), (10, 10));
    assert_eq!(
        kv_problems(&world),
        ["kv-budget-spent: this day has had 10 writes"]
    );
    fetch(&other, 300, 4);
    assert_eq!((written(), ledger_count(&world)), (10, 10));
    // A new isolate receives the total with its first feed.
    let third = place(&world, json!({ "kv_writes_per_day": 10 }));
    fetch(&third, 400, 4);
    assert_eq!(written(), 10);
    // The budget of the next day.
    let left_ms = DAY_MS - world.now_ms() % DAY_MS;
    world.executor.advance(left_ms);
    fetch(&one, 500, 4);
    assert_eq!((written(), ledger_count(&world)), (14, 4));
}

#[test]
fn isolate_reports_writes_although_another_refreshes_the_snapshot() {
    let world = World::new(START_MS);
    let [one, other] = [0, 1].map(|_| place(&world, json!({ "kv_writes_per_day": 10 })));
    origin(&world, "/hit", "max-age=600", "page");
    one.get("/hit");
    origin(&world, "/new", "max-age=600", "page");
    other.get("/new");
    // One isolate always queries first, and its snapshot suffices for the
    // other.
    for _ in 0..30 {
        world.executor.advance(300);
        one.get("/hit");
        other.get("/hit");
    }
    assert_eq!(
        (world.state.borrow().kv_writes, ledger_count(&world)),
        (2, 2)
    );
    // There are no unnecessary queries: half of the lag is 2 seconds.
    let queries = world.state.borrow().ledger_queries;
    for _ in 0..30 {
        world.executor.advance(300);
        one.get("/hit");
        other.get("/hit");
    }
    let more = world.state.borrow().ledger_queries - queries;
    assert!(more <= 5, "{more} queries in 9 seconds");
}

#[test]
fn isolate_counts_its_own_writes_without_the_ledger() {
    let world = World::new(START_MS);
    world.state.borrow_mut().down.push("ledger");
    let place = place(&world, json!({ "kv_writes_per_day": 5 }));
    fetch(&place, 0, 8);
    assert_eq!(world.state.borrow().kv_writes, 5);
    // They are reported later.
    world.state.borrow_mut().down.clear();
    fetch(&place, 100, 1);
    assert_eq!(ledger_count(&world), 5);
}

#[test]
fn writes_are_not_counted_without_a_budget() {
    let world = World::new(START_MS);
    let place = place(&world, json!({}));
    fetch(&place, 0, 8);
    assert_eq!(
        (world.state.borrow().kv_writes, ledger_count(&world)),
        (8, 0)
    );
}

#[test]
fn hits_are_logged_unless_log_hits_is_false() {
    #[track_caller]
    fn check(settings: &str, hits: usize) {
        let world = World::new(START_MS);
        let place = Place::of(&world, 0, settings);
        origin(&world, "/a", "max-age=60", "page");
        for _ in 0..4 {
            place.get("/a");
        }
        let state = world.state.borrow();
        let lines = |word: &str| {
            let word = format!("\"cache\":\"{word}\"");
            state.log.iter().filter(|line| line.contains(&word)).count()
        };
        assert_eq!((lines("miss"), lines("hit")), (1, hits), "{:?}", state.log);
    }
    check("{}", 3);
    check(r#"{ "log_hits": true }"#, 3);
    check(r#"{ "log_hits": false }"#, 0);
}
