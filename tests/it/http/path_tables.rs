//! Tests the slots of a key's variants: the path of a request through them, the
//! slot where a response is stored, and the limit (RFC 9111 §4.1).

use edgekeep::cache::key::cache_key::Slot;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::variant_slots::{PATH_SLOTS_MAX, Path, Resident};
use edgekeep::cache::request::classify::Lookup;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use testkit::given::{lookup, stored};

fn resident(names: &str, is_of_use: bool) -> Resident {
    Resident {
        names: names.split_whitespace().map(str::to_owned).collect(),
        is_of_use,
    }
}

/// A stored response that varies by these request fields.
fn entry_varying_by(lookup: &Lookup, names: &str) -> Entry {
    let names = resident(names, true).names;
    Entry {
        choices: lookup.choices(&names),
        ..stored("200 | cache-control: max-age=60")
    }
}

fn german_lookup() -> Lookup {
    lookup(&json!({}), "GET | Accept-Language: de | Accept: a/b")
}

/// The path after these responses.
fn path(residents: &[(&str, bool)]) -> Path {
    let mut path = Path::default();
    for (names, is_of_use) in residents {
        path.pass(resident(names, *is_of_use));
    }
    path
}

#[test]
fn response_is_stored_at_the_end_of_the_path() {
    let lookup = german_lookup();
    let slot = |residents: &[(&str, bool)]| path(residents).next(&lookup);
    let own = Some(lookup.key.slot().clone());
    assert_eq!(slot(&[]), own);
    let by_language = slot(&[("accept-language", true)]);
    assert_ne!(by_language, own);
    // The path depends on the fields, not on the response that names them.
    let by_both = slot(&[("accept accept-language", true)]);
    assert_eq!(
        slot(&[("accept-language", true), ("accept", true)]),
        by_both
    );
    assert_eq!(
        slot(&[("accept", true), ("accept-language", true)]),
        by_both
    );
    #[track_caller]
    fn check(lookup: &Lookup, residents: &[(&str, bool)], entry: &str, expected: &Option<Slot>) {
        let place = path(residents).place(lookup, &entry_varying_by(lookup, entry));
        assert_eq!(&place, expected, "{residents:?} {entry}");
    }
    check(&lookup, &[], "accept", &own);
    for entry in ["accept-language", "accept", "accept accept-language", ""] {
        check(&lookup, &[("accept-language", true)], entry, &by_language);
        let two = [("accept-language", true), ("accept", true)];
        check(&lookup, &two, entry, &by_both);
    }
    // A useless entry is replaced by a response that varies by other fields, but
    // the path continues after it to a response that varies by the same fields.
    check(&lookup, &[("accept-language", false)], "accept", &own);
    check(&lookup, &[("accept-language", false)], "", &own);
    check(
        &lookup,
        &[("accept-language", false)],
        "accept-language",
        &by_language,
    );
    let second = [("accept-language", true), ("accept", false)];
    check(&lookup, &second, "accept-encoding", &by_language);
    check(&lookup, &second, "accept", &by_both);
}

#[test]
fn path_is_limited_and_useless_entries_are_replaced() {
    let lookup = german_lookup();
    let names = ["x-a", "x-b", "x-c", "x-d", "x-e"];
    let mut path = Path::default();
    let mut slots = HashSet::new();
    for (at, name) in names.iter().enumerate() {
        let next = path.next(&lookup);
        assert_eq!(next.is_some(), at < PATH_SLOTS_MAX, "{at}");
        let place = path.place(&lookup, &entry_varying_by(&lookup, "accept"));
        assert_eq!(place, next, "{at}");
        slots.extend(next.map(|slot| slot.digest));
        path.pass(resident(name, true));
    }
    assert_eq!(slots.len(), PATH_SLOTS_MAX);
    // A useless entry is replaced at any place in the path.
    let mut path = self::path(&[("x-a", true), ("x-b", false), ("x-c", true), ("x-d", true)]);
    let behind_one = self::path(&[("x-a", true)]).next(&lookup);
    assert_eq!(path.next(&lookup), None);
    assert_eq!(
        path.place(&lookup, &entry_varying_by(&lookup, "accept")),
        behind_one
    );
    // A response that no further field selected ends the path, and is replaced.
    path = self::path(&[("x-a x-b", true), ("x-b", true)]);
    assert_eq!(path.next(&lookup), None);
    let behind_first = self::path(&[("x-a x-b", true)]).next(&lookup);
    assert_eq!(
        path.place(&lookup, &entry_varying_by(&lookup, "accept")),
        behind_first
    );
}

/// Many requests, with a random `Vary` for each response: a stored response is
/// found as long as it is usable, whatever requests come in between.
#[test]
fn stored_variant_is_not_replaced_by_another() {
    const LISTS: [&str; 8] = [
        "",
        "accept",
        "accept-language",
        "accept-encoding",
        "accept accept-language",
        "accept accept-encoding",
        "accept-encoding accept-language",
        "accept accept-encoding accept-language",
    ];
    for seed in 0..30 {
        let mut random = fastrand::Rng::with_seed(seed);
        let lookups: Vec<Lookup> = (0..27)
            .map(|n| {
                let accept = ["a/b", "c/d", "e/f"][n % 3];
                let language = ["de", "en", "fr"][n / 3 % 3];
                let coding = ["br", "gzip", "zstd"][n / 9];
                let fields = format!("Accept: {accept} | Accept-Language: {language}");
                lookup(
                    &json!({}),
                    &format!("GET | {fields} | Accept-Encoding: {coding}"),
                )
            })
            .collect();
        let mut tier: HashMap<String, Entry> = HashMap::new();
        let mut served: HashMap<usize, Entry> = HashMap::new();
        for _ in 0..300 {
            let n = random.usize(..lookups.len());
            let lookup = &lookups[n];
            let mut path = Path::default();
            let mut found = None;
            while let Some(slot) = path.next(lookup) {
                let Some(entry) = tier.get(&slot.digest) else {
                    break;
                };
                if lookup.fits(&entry.choices) {
                    found = Some(entry.clone());
                    break;
                }
                let names = entry.choices.iter().map(|(name, _)| name.clone());
                path.pass(Resident {
                    names: names.collect(),
                    is_of_use: true,
                });
            }
            let entry = match found {
                Some(entry) => entry,
                None => {
                    assert!(!served.contains_key(&n), "{seed}: {n} is fetched again");
                    // Without any `Vary`, the response would match all requests
                    // from the start.
                    let list = LISTS[random.usize(1..LISTS.len())];
                    let entry = entry_varying_by(lookup, list);
                    let place = path.place(lookup, &entry).expect("a place");
                    assert!(
                        tier.insert(place.digest, entry.clone()).is_none(),
                        "{seed}: {n}"
                    );
                    entry
                }
            };
            assert!(lookup.fits(&entry.choices), "{seed}: {n}");
            let before = served.insert(n, entry.clone());
            assert!(before.is_none_or(|before| before == entry), "{seed}: {n}");
        }
    }
}
