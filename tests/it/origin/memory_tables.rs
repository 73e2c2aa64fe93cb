//! Tests of the tier in isolate memory: admission, contents and eviction.

#[allow(dead_code, reason = "other tests use the rest")]
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::cache::store::memory::{COPYING_MAX, MEMORY_BODY_BYTES_MAX, Memory, MemoryCopy};
use edgekeep::flow::handle::serve;
use edgekeep::flow::runtime::host::{StoreObserver, StoreRequest, Tier};
use edgekeep::flow::store::memory_tier::drop_older;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::rc::Rc;
use testkit::world::place::{Place, START_MS, origin, slow};
use testkit::world::{Plan, World};

fn entry(key: &str, bytes: u64) -> Entry {
    Entry {
        key: key.to_owned(),
        seen: 0,
        received_ms: 0,
        cost_ms: 0,
        initial_age: 0,
        terms: Terms {
            lifetime: 60,
            stale_while_revalidate: 0,
            stale_if_error: 0,
            stale_allowed: true,
        },
        for_authorized: false,
        by_credentials: false,
        status: 200,
        length: Some(bytes),
        tags: Vec::new(),
        marks: vec![mark_of(key)],
        choices: Vec::new(),
        fields: Fields::new(),
    }
}

fn copy(entry: Entry) -> MemoryCopy {
    MemoryCopy {
        entry: Rc::new(entry),
        body: Rc::new(()),
        digest: String::new(),
        entry_url: String::new(),
        until_ms: 30_000,
    }
}

fn holds(memory: &Memory, key: &str) -> bool {
    !memory.find(key).is_empty()
}

#[test]
fn memory_admits_suitable_entry_at_its_second_lookup() {
    #[track_caller]
    fn check(change: impl Fn(&mut Entry), most_bytes: u64, expected: bool) {
        let mut memory = Memory::new(most_bytes);
        let mut entry = entry("/a", 100);
        change(&mut entry);
        assert!(!memory.admits(&entry));
        assert_eq!(memory.admits(&entry), expected);
    }
    check(|_| {}, 1_000_000, true);
    check(|e| e.length = Some(MEMORY_BODY_BYTES_MAX), 1_000_000, true);
    check(
        |e| e.length = Some(MEMORY_BODY_BYTES_MAX + 1),
        1_000_000,
        false,
    );
    check(|e| e.length = None, 1_000_000, false);
    check(|e| e.status = 404, 1_000_000, true);
    check(|e| e.status = 206, 1_000_000, false);
    // An entry without marks cannot be purged.
    check(|e| e.marks.clear(), 1_000_000, false);
    check(|_| {}, 0, false);
}

#[test]
fn memory_stays_within_its_byte_limit() {
    let mut memory = Memory::new(100_000);
    for n in 0..1000 {
        memory.insert(copy(entry(&format!("/{n}"), 10_000)));
        assert!(memory.bytes() <= 100_000, "{} at {n}", memory.bytes());
    }
    // 12 KB each, with the overhead of a copy.
    let kept = (0..1000).filter(|n| holds(&memory, &format!("/{n}")));
    assert_eq!(kept.collect::<Vec<_>>(), (992..1000).collect::<Vec<_>>());
}

#[test]
fn used_entry_survives_a_scan() {
    let mut memory = Memory::new(100_000);
    memory.insert(copy(entry("/hot", 10_000)));
    memory.insert(copy(entry("/cold", 10_000)));
    for n in 0..1000 {
        memory.insert(copy(entry(&format!("/scan/{n}"), 10_000)));
        assert!(holds(&memory, "/hot"), "dropped after {n}");
    }
    assert!(!holds(&memory, "/cold"));
}

#[test]
fn variants_are_held_under_one_key() {
    let variant = |value: &str, bytes| Entry {
        choices: vec![("accept".to_owned(), Some(value.to_owned()))],
        ..entry("/a", bytes)
    };
    let mut memory = Memory::new(1_000_000);
    memory.insert(copy(variant("x", 100)));
    memory.insert(copy(variant("y", 100)));
    assert_eq!(memory.find("/a").len(), 2);
    let two = memory.bytes();
    // A newer copy replaces the older one.
    memory.insert(copy(variant("x", 200)));
    assert_eq!(memory.find("/a").len(), 2);
    assert_eq!(memory.bytes(), two + 100);
    for value in ["1", "2", "3", "4", "5"] {
        memory.insert(copy(variant(value, 100)));
    }
    assert_eq!(memory.find("/a").len(), 4);
    memory.drop_key("/a");
    assert_eq!(memory.bytes(), 0);
    assert!(!holds(&memory, "/a"));
}

#[test]
fn copy_begun_before_a_newer_store_is_dropped() {
    let mut memory = Memory::new(1_000_000);
    let begun = memory.begin_copy("/a");
    let other = memory.begin_copy("/b");
    memory.drop_key("/a");
    memory.end_copy(copy(entry("/a", 100)), begun);
    memory.end_copy(copy(entry("/b", 100)), other);
    assert!(!holds(&memory, "/a") && holds(&memory, "/b"));
    // A copy is dropped, too, if another was begun since; and no copy ends
    // twice.
    let old = memory.begin_copy("/a");
    let new = memory.begin_copy("/a");
    memory.end_copy(copy(entry("/a", 100)), old);
    assert!(!holds(&memory, "/a"));
    memory.end_copy(copy(entry("/a", 100)), new);
    assert!(holds(&memory, "/a"));
    memory.drop_key("/a");
    memory.end_copy(copy(entry("/a", 100)), new);
    assert!(!holds(&memory, "/a"));
}

#[test]
fn unfinished_copies_are_bounded() {
    let mut memory = Memory::new(1_000_000);
    let begun: Vec<u64> = (0..COPYING_MAX)
        .map(|n| memory.begin_copy(&format!("/{n}")))
        .collect();
    // At the limit all are tracked; with one more, only that one is.
    memory.end_copy(copy(entry("/0", 100)), begun[0]);
    assert!(holds(&memory, "/0"));
    memory.begin_copy("/0");
    let last = memory.begin_copy("/last");
    memory.end_copy(copy(entry("/1", 100)), begun[1]);
    memory.end_copy(copy(entry("/last", 100)), last);
    assert!(!holds(&memory, "/1") && holds(&memory, "/last"));
}

const SETTINGS: &str = r#"{ "origin": "http://origin.test", "max_purge_lag": 4,
    "defaults": { "kv": false, "request_directives": true } }"#;

/// Makes the isolate fetch and store `/a` again, although its copy is fresh.
fn reload(place: &Place) {
    let head = RequestHead {
        method: Method::Get,
        url: Url::parse("http://a.test/a").expect("a URL"),
        fields: [("cache-control", "no-cache")].into_iter().collect(),
    };
    let cloned = place.clone();
    place.world.executor.spawn(async move {
        serve(&cloned.world, &cloned.isolate, head, None).await;
    });
    place.world.executor.settle();
}

#[test]
fn copy_in_progress_is_dropped_by_a_reload() {
    for reloads in [false, true] {
        let world = World::new(START_MS);
        origin(&world, "/a", "max-age=600", "old");
        let place = Place::of(&world, 0, SETTINGS);
        assert_eq!(place.get("/a"), "old -");
        assert_eq!(place.get("/a"), "old cache-api");
        slow(&world, "memory", 1000);
        assert_eq!(place.get("/a"), "old cache-api");
        world.executor.advance(500);
        if reloads {
            origin(&world, "/a", "max-age=600", "new");
            // Otherwise the origin would answer 304 to the old ETag.
            if let Some(Plan::Answer { fields, .. }) = world.state.borrow_mut().plans.get_mut("/a")
            {
                fields.set("etag", "\"2\"");
            }
            reload(&place);
        }
        world.executor.advance(1000);
        let expected = if reloads {
            "new cache-api"
        } else {
            "old memory"
        };
        assert_eq!(place.get("/a"), expected);
    }
}

#[test]
fn copy_made_during_a_store_is_dropped_when_the_store_completes() {
    let world = World::new(START_MS);
    let place = Place::of(&world, 0, SETTINGS);
    let keep = |place: &Place| {
        let mut memory = place.isolate.memory.borrow_mut();
        memory.insert(copy(entry("/a", 100)));
    };
    for (tier, outcome, is_kept) in [
        (Tier::CacheApi, Ok(()), false),
        (Tier::CacheApi, Err("it broke off"), true),
        (Tier::Kv, Ok(()), true),
    ] {
        keep(&place);
        let mut stored = StoreRequest {
            entry: entry("/a", 200),
            places: Vec::new(),
            observer: StoreObserver::default(),
        };
        drop_older(&place.isolate, &mut stored);
        assert!(!holds(&place.isolate.memory.borrow(), "/a"));
        keep(&place);
        stored.observer.report(tier, outcome);
        assert_eq!(
            holds(&place.isolate.memory.borrow(), "/a"),
            is_kept,
            "{tier:?}"
        );
    }
}
