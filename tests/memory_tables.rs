//! Shows what the isolate's own memory lets in, keeps and drives out.

use edgekeep::cache::entry::Entry;
use edgekeep::cache::freshness::Terms;
use edgekeep::cache::memory::{Kept, MEMORY_BODY_BYTES_MAX, Memory};
use edgekeep::cache::selector::mark_of;
use edgekeep::http::fields::Fields;
use std::rc::Rc;

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

fn copy(entry: Entry) -> Kept {
    Kept {
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
fn the_second_look_opens_the_door() {
    #[track_caller]
    fn check(change: impl Fn(&mut Entry), most_bytes: u64, expected: bool) {
        let mut memory = Memory::new(most_bytes);
        let mut entry = entry("/a", 100);
        change(&mut entry);
        assert!(!memory.lets_in(&entry));
        assert_eq!(memory.lets_in(&entry), expected);
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
    // What has no mark cannot be purged.
    check(|e| e.marks.clear(), 1_000_000, false);
    check(|_| {}, 0, false);
}

#[test]
fn it_never_holds_more_than_it_may() {
    let mut memory = Memory::new(100_000);
    for n in 0..1000 {
        memory.keep(copy(entry(&format!("/{n}"), 10_000)));
        assert!(memory.bytes() <= 100_000, "{} at {n}", memory.bytes());
    }
    // 12 KB each, with what goes with a copy.
    let kept = (0..1000).filter(|n| holds(&memory, &format!("/{n}")));
    assert_eq!(kept.collect::<Vec<_>>(), (992..1000).collect::<Vec<_>>());
}

#[test]
fn what_is_used_outlives_a_scan() {
    let mut memory = Memory::new(100_000);
    memory.keep(copy(entry("/hot", 10_000)));
    memory.keep(copy(entry("/cold", 10_000)));
    for n in 0..1000 {
        memory.keep(copy(entry(&format!("/scan/{n}"), 10_000)));
        assert!(holds(&memory, "/hot"), "gone after {n}");
    }
    assert!(!holds(&memory, "/cold"));
}

#[test]
fn variants_lie_under_one_key() {
    let variant = |value: &str, bytes| Entry {
        choices: vec![("accept".to_owned(), Some(value.to_owned()))],
        ..entry("/a", bytes)
    };
    let mut memory = Memory::new(1_000_000);
    memory.keep(copy(variant("x", 100)));
    memory.keep(copy(variant("y", 100)));
    assert_eq!(memory.find("/a").len(), 2);
    let two = memory.bytes();
    // A newer one takes the place of the older.
    memory.keep(copy(variant("x", 200)));
    assert_eq!(memory.find("/a").len(), 2);
    assert_eq!(memory.bytes(), two + 100);
    for value in ["1", "2", "3", "4", "5"] {
        memory.keep(copy(variant(value, 100)));
    }
    assert_eq!(memory.find("/a").len(), 4);
    memory.drop_key("/a");
    assert_eq!(memory.bytes(), 0);
    assert!(!holds(&memory, "/a"));
}
