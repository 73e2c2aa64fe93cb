//! Tests of the text form of entries: every entry is decoded as it was encoded,
//! and no other text is accepted.

use edgekeep::cache::policy::entry::{Entry, EntryError};
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::purge::selector::{Selector, marks};
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;

fn entry() -> Entry {
    Entry {
        key: "http://a.test/b?c=1\nfield:x-a=1".to_owned(),
        seen: 7,
        received_ms: 1_795_424_400_000,
        initial_age: 3,
        cost_ms: 40,
        terms: Terms {
            lifetime: 60,
            stale_while_revalidate: 5,
            stale_if_error: 6,
            stale_allowed: true,
        },
        for_authorized: true,
        by_credentials: false,
        status: 200,
        length: Some(11),
        tags: vec!["t1".to_owned(), "t2".to_owned()],
        marks: vec![0, 1, u64::MAX],
        choices: vec![
            ("accept".to_owned(), Some("a".to_owned())),
            ("x".to_owned(), None),
        ],
        fields: [("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2")]
            .into_iter()
            .collect(),
    }
}

#[test]
fn entry_decodes_as_it_was_encoded() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Entry)) {
        let mut entry = entry();
        change(&mut entry);
        let text = entry.encode();
        assert_eq!(Entry::decode(&text), Ok(entry), "{text}");
        // The text fits into a response field.
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text}");
    }
    check(|_| {});
    check(|e| e.length = None);
    check(|e| e.length = Some(0));
    check(|e| e.for_authorized = false);
    check(|e| e.by_credentials = true);
    check(|e| (e.for_authorized, e.by_credentials) = (false, true));
    check(|e| e.terms.stale_allowed = false);
    check(|e| e.marks.clear());
    check(|e| e.tags.clear());
    check(|e| e.choices.clear());
    check(|e| e.fields = Fields::new());
    check(|e| e.key.clear());
    check(|e| e.status = u16::MAX);
    check(|e| e.status = 0);
    check(|e| {
        (e.seen, e.received_ms, e.initial_age) = (u64::MAX, u64::MAX, u64::MAX);
        e.cost_ms = u64::MAX;
        e.length = Some(u64::MAX);
        e.terms = Terms {
            lifetime: u64::MAX,
            stale_while_revalidate: u64::MAX,
            stale_if_error: u64::MAX,
            stale_allowed: true,
        };
    });
    for odd in [
        "",
        " ",
        "|",
        "||",
        "\\",
        "\\7c;",
        "\\;",
        ";",
        "=",
        "a=b",
        "a|b\\c;d",
        "\n",
        "\r\n",
        "\t",
        "\0",
        "\u{7f}",
        "é",
        "ÿ\u{80}",
        "日本",
        "\u{1F600}",
        "\u{10FFFF}",
        "E5|1|2",
        "\"",
        " a ",
        "0",
        "\u{2028}",
    ] {
        check(|e| e.key = odd.to_owned());
        check(|e| e.tags = vec![odd.to_owned(), odd.to_owned()]);
        check(|e| {
            e.choices = vec![
                (odd.to_owned(), Some(odd.to_owned())),
                (odd.to_owned(), None),
            ]
        });
        check(|e| {
            e.fields = [("x-a", odd), ("x-b", "1"), ("x-a", odd)]
                .into_iter()
                .collect()
        });
    }
    check(|e| e.tags = (0..1000).map(|n| format!("tag-{n}")).collect());
    for count in [1_u64, 2, 4, 7, 64, 1070] {
        check(|e| {
            e.marks = (0..count)
                .map(|n: u64| n.wrapping_mul(0x0123_4567_89ab_cdef))
                .collect()
        });
    }
    // Every byte in every position.
    check(|e| e.marks = (0..=u8::MAX).map(|b| u64::from_be_bytes([b; 8])).collect());
}

#[test]
fn added_tags_add_their_marks() {
    let url = Url::parse("http://a.test/b?c=1").expect("a URL");
    let owned = |tags: &[&str]| -> Vec<String> { tags.iter().map(|&t| t.to_owned()).collect() };
    #[track_caller]
    fn sorted(mut marks: Vec<u64>) -> Vec<u64> {
        marks.sort_unstable();
        marks
    }
    let check = |before: &[&str], added: &[&str], after: &[&str]| {
        let mut entry = entry();
        entry.tags = owned(before);
        entry.marks = marks(&url, &entry.tags, &[]);
        entry.add_tags(&owned(added));
        assert_eq!(entry.tags, owned(after), "{before:?} and {added:?}");
        let expected = marks(&url, &owned(after), &[]);
        assert_eq!(sorted(entry.marks), sorted(expected), "{after:?}");
    };
    check(&[], &[], &[]);
    check(&["t"], &[], &["t"]);
    check(&[], &["t"], &["t"]);
    check(&["t"], &["t"], &["t"]);
    check(&["t"], &["s", "u"], &["s", "t", "u"]);
    check(&["s", "u"], &["t", "t", "s"], &["s", "t", "u"]);
    check(&["T"], &["t"], &["T", "t"]);
    // A purge of an added tag matches.
    let mut entry = entry();
    entry.add_tags(&owned(&["new"]));
    assert!(
        entry
            .marks
            .contains(&Selector::Tag("new".to_owned()).mark())
    );
    assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
}

#[test]
fn absent_choice_differs_from_an_empty_one() {
    let with = |value: Option<&str>| {
        let mut entry = entry();
        entry.choices = vec![("x".to_owned(), value.map(str::to_owned))];
        entry.encode()
    };
    assert_ne!(with(None), with(Some("")));
    assert_ne!(with(Some("=")), with(Some("")));
}

#[test]
fn invalid_entry_text_is_refused() {
    #[track_caller]
    fn check(text: &str, expected: EntryError) {
        assert_eq!(Entry::decode(text), Err(expected), "{text}");
    }
    for text in [
        "", " ", "E", "e5|", "E0|1", "E1|1", "E2|1", "E3|1", "E4|1", "E6|1", "E55|1", "|E5|",
        "nonsense", "{}", " E5|1",
    ] {
        check(text, EntryError::Version);
    }
    // Complete entries of earlier versions.
    check(
        "E1|7|0|0|60|0|0|1|0|200|3|http://a.test/|1|t|0|0|1|x-a|1|.",
        EntryError::Version,
    );
    check(
        "E2|7|0|0|60|0|0|1|0|200|3|http://a.test/|1|t|AAAAAAAAAAA|0|1|x-a|1|.",
        EntryError::Version,
    );
    for text in ["E5", "E5|", "E5|1|2|3", "E5|||||||||||||"] {
        check(text, EntryError::Garbled);
    }
    let good = entry().encode();
    check(&format!("{good}|"), EntryError::Garbled);
    check(&format!("{good}|0"), EntryError::Garbled);
    let pieces: Vec<&str> = good.split('|').collect();
    let with = |at: usize, piece: &str| {
        let mut pieces = pieces.clone();
        pieces[at] = piece;
        pieces.join("|")
    };
    // Every number: ten, and the counts of tags, choices and fields.
    for at in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 17, 22] {
        for bad in ["", "x", "-1", "1.5", "18446744073709551616", " 1", "é"] {
            check(&with(at, bad), EntryError::Garbled);
        }
    }
    for bad in ["x", "-1", "18446744073709551616"] {
        check(&with(11, bad), EntryError::Garbled);
    }
    for bad in ["65536", "99999"] {
        check(&with(9, bad), EntryError::Garbled);
    }
    for (at, piece) in [
        (13, "3"),
        (13, "1"),
        (17, "3"),
        (17, "0"),
        (22, "4"),
        (22, "2"),
    ] {
        check(&with(at, piece), EntryError::Garbled);
    }
    // Marks: whole ones, in the alphabet for URLs, without padding and without
    // excess bits.
    for bad in [
        "A",
        "AA",
        "AAAAAAAAAA",
        "AAAAAAAAAAAA",
        "AAAAAAAAAAA=",
        "AAAAAAAAAAB",
        "++++++++++8",
        "AAAAAAAAAA ",
        "AAAAAAAAAé",
        "0",
    ] {
        check(&with(16, bad), EntryError::Garbled);
    }
    for at in [13, 17, 22] {
        check(&with(at, "18446744073709551615"), EntryError::Garbled);
    }
    for bad in [
        "\\",
        "\\7c",
        "\\;",
        "\\x;",
        "\\110000;",
        "\\d800;",
        "a\\7c;\\",
        "\\7c\\7c;",
        "\\-1;",
    ] {
        for at in [12, 14, 18, 19, 23, 24] {
            check(&with(at, bad), EntryError::Garbled);
        }
    }
}

#[test]
fn truncated_entry_is_refused() {
    let text = entry().encode();
    for end in 0..text.len() {
        let cut = &text[..end];
        assert!(Entry::decode(cut).is_err(), "{cut}");
    }
}

#[test]
fn retention_covers_lifetime_windows_and_validator() {
    const DAY: u64 = 86_400;
    #[track_caller]
    fn check(terms: (u64, u64, u64), initial_age: u64, validator: Option<&str>, expected: u64) {
        let mut entry = entry();
        entry.terms = Terms {
            lifetime: terms.0,
            stale_while_revalidate: terms.1,
            stale_if_error: terms.2,
            stale_allowed: true,
        };
        entry.initial_age = initial_age;
        if let Some(name) = validator {
            entry.fields.set(name, "x");
        }
        assert_eq!(
            entry.retention_seconds(),
            expected,
            "{terms:?} {initial_age}"
        );
    }
    check((60, 0, 0), 0, None, 60);
    check((60, 5, 6), 0, None, 66);
    check((60, 7, 6), 0, None, 67);
    check((60, 0, 0), 10, None, 50);
    check((60, 0, 0), 60, None, 0);
    check((60, 0, 0), 99, None, 0);
    check((0, 0, 0), 0, None, 0);
    // Longer with a validator: a 304 is cheaper than a body.
    check((60, 0, 0), 0, Some("etag"), 60 + DAY);
    check((0, 0, 0), 0, Some("last-modified"), DAY);
    check((60, 5, 2 * DAY), 0, Some("etag"), 60 + 2 * DAY);
    check(
        (u64::MAX, u64::MAX, u64::MAX),
        5,
        Some("etag"),
        u64::MAX - 5,
    );
}
