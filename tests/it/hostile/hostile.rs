//! Tests that no text makes a parser panic, and that the results of parsers
//! keep their invariants. `EDGEKEEP_SEED` sets the seed; a failure prints it.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cookies;
use edgekeep::cache::key::variant;
use edgekeep::cache::matching::glob::Glob;
use edgekeep::cache::policy::early_refresh::{is_due_early, shortened};
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::http::cache_control::{self, CacheControl};
use edgekeep::http::fields::{Fields, strip_hop_by_hop};
use edgekeep::http::url::{Url, canonical_parameter, canonical_path};
use edgekeep::http::{accept, conditional, date, list};
use testkit::random::Hostile;

/// The number of texts for each parser.
const TEXTS: usize = 20_000;

/// Fields with one line.
fn one_field(name: &str, value: &str) -> Fields {
    [(name, value)].into_iter().collect()
}

#[test]
fn canonical_urls_normalize_to_themselves() {
    const EXAMPLES: [&str; 6] = [
        "http://a.test/b/c?d=1&e=%2F#f",
        "https://A.test:443/%7e/../x;y//z?",
        "http://[::1]:8080/?a=%zz&&=",
        "https://a.test:65535",
        "http://user@a.test/é",
        "/a/./b/%2e%2E/c%5cd\\e",
    ];
    let mut hostile = Hostile::new();
    let mut parsed = 0;
    for _ in 0..TEXTS {
        let text = hostile.text(&EXAMPLES);
        let path = canonical_path(&text);
        assert_eq!(canonical_path(&path), path, "{text:?}");
        assert!(path.is_ascii() && path.starts_with('/'), "{text:?}: {path}");
        let parameter = canonical_parameter(&text);
        assert_eq!(canonical_parameter(&parameter), parameter, "{text:?}");
        let Ok(url) = Url::parse(&text) else {
            continue;
        };
        parsed += 1;
        assert!(url.path.starts_with('/'), "{text:?}: {url:?}");
        assert_eq!(Url::parse(&url.to_string()), Ok(url), "{text:?}");
    }
    assert!(parsed > TEXTS / 10, "{parsed}");
}

#[test]
fn cache_control_times_are_bounded_and_restrictions_add_up() {
    const EXAMPLES: [&str; 6] = [
        "public, max-age=60, s-maxage=\"70\"",
        "no-cache=\"set-cookie, x-a\", private, no-store",
        "stale-while-revalidate=30, stale-if-error=86400",
        "max-age=99999999999999999999",
        "max-age=60;a=b, foo=(1 2), bar=:aGk=:, baz=?0",
        "MAX-AGE = 1 , ,must-revalidate",
    ];
    let mut hostile = Hostile::new();
    let mut targeted = 0;
    for _ in 0..TEXTS {
        let text = hostile.text(&EXAMPLES);
        let plain = CacheControl::of(&one_field("cache-control", &text));
        let other = CacheControl::of_dictionary(&text);
        targeted += usize::from(other.is_some());
        for control in [Some(plain), other].into_iter().flatten() {
            let times = [
                control.max_age,
                control.s_maxage,
                control.stale_while_revalidate,
                control.stale_if_error,
            ];
            // RFC 9111 §1.2.2.
            assert!(
                times.into_iter().flatten().all(|t| t <= 1 << 31),
                "{text:?}"
            );
        }
        assert!(
            cache_control::age(&one_field("age", &text)) <= 1 << 31,
            "{text:?}"
        );
        // A further line never lifts a restriction.
        let mut more = one_field("cache-control", "no-store, private");
        more.add("cache-control", text.as_str());
        let more = CacheControl::of(&more);
        assert!(more.no_store && more.private, "{text:?}");
    }
    assert!(targeted > TEXTS / 20, "{targeted}");
}

#[test]
fn normalized_lists_normalize_to_themselves() {
    const EXAMPLES: [&str; 6] = [
        "gzip, deflate, br;q=0.5, *;q=0",
        "text/html;level=1;q=0.7, */*;q=0.1",
        "de-CH, de;q=0.9 , EN ;q=0",
        "a, \"b, c\\\"\", d=\"e;f\"",
        "Accept-Encoding, X-A,, Origin",
        "close, X-A, Keep-Alive",
    ];
    let mut hostile = Hostile::new();
    for _ in 0..TEXTS {
        let text = hostile.text(&EXAMPLES);
        for member in list::members(&text) {
            assert!(
                !member.is_empty() && list::trim(member) == member,
                "{text:?}"
            );
            assert!(list::unquote(member).len() <= member.len(), "{text:?}");
        }
        let pieces: Vec<&str> = list::split_outside_quotes(&text, b';').collect();
        assert_eq!(pieces.join(";"), text);
        let encoding = accept::encoding(Some(&text));
        assert_eq!(accept::encoding(Some(&encoding)), encoding, "{text:?}");
        // An unclosed quote would include the members sorted behind it.
        if !text.contains('"') {
            let ranked = accept::ranked(&text);
            assert_eq!(accept::ranked(&ranked), ranked, "{text:?}");
        }
        if let Ok(names) = variant::choosing_fields(&one_field("vary", &text)) {
            let request = one_field("x-a", &text);
            let value = |name: &str| variant::value(name, &request);
            let choices = variant::choices(&names, &value);
            assert!(variant::fits(&choices, &value), "{text:?}");
        }
        let mut fields = one_field("connection", &text);
        fields.add("x-a", "1");
        strip_hop_by_hop(&mut fields);
        let stripped = fields.clone();
        strip_hop_by_hop(&mut fields);
        assert_eq!(fields, stripped, "{text:?}");
        assert!(!fields.has("connection"), "{text:?}");
    }
}

#[test]
fn dates_round_trip_and_date_preconditions_need_valid_dates() {
    const EXAMPLES: [&str; 6] = [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "\"a\", W/\"b\", \"c,d\"",
        "*",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ];
    let mut hostile = Hostile::new();
    let mut dates = 0;
    for _ in 0..TEXTS {
        let text = hostile.text(&EXAMPLES);
        if let Some(seconds) = date::parse(&text) {
            dates += 1;
            assert_eq!(
                date::parse(&date::print(seconds)),
                Some(seconds),
                "{text:?}"
            );
        }
        let other = hostile.text(&EXAMPLES);
        for (condition, validator) in [
            ("if-none-match", "etag"),
            ("if-modified-since", "last-modified"),
            ("if-modified-since", "date"),
        ] {
            let (request, stored) = (one_field(condition, &text), one_field(validator, &other));
            let found = conditional::not_modified(&request, &stored);
            let of_dates = date::parse(&text).is_some() && date::parse(&other).is_some();
            assert!(
                !found || condition == "if-none-match" || of_dates,
                "{text:?} {other:?}"
            );
        }
        assert!(!conditional::not_modified(
            &Fields::new(),
            &one_field("etag", &text)
        ));
    }
    assert!(dates > TEXTS / 20, "{dates}");
}

fn random_entry(hostile: &mut Hostile) -> Entry {
    const TEXTS: [&str; 6] = [
        "http://a.test/b",
        "x-a",
        "a|b\\7c;",
        "é\n\u{1F600}",
        "=",
        "",
    ];
    let number = |hostile: &mut Hostile| {
        let any = hostile.random.u64(..);
        hostile.one_of(&[0, 1, 60, u64::MAX, any])
    };
    let count = |hostile: &mut Hostile| hostile.random.usize(0..4);
    Entry {
        key: hostile.text(&TEXTS),
        seen: number(hostile),
        received_ms: number(hostile),
        initial_age: number(hostile),
        cost_ms: number(hostile),
        terms: Terms {
            lifetime: number(hostile),
            stale_while_revalidate: number(hostile),
            stale_if_error: number(hostile),
            stale_allowed: hostile.random.bool(),
        },
        for_authorized: hostile.random.bool(),
        by_credentials: hostile.random.bool(),
        status: hostile.random.u16(..),
        length: hostile.random.bool().then(|| number(hostile)),
        tags: (0..count(hostile)).map(|_| hostile.text(&TEXTS)).collect(),
        marks: (0..count(hostile)).map(|_| number(hostile)).collect(),
        choices: (0..count(hostile))
            .map(|_| {
                let name = hostile.text(&TEXTS);
                (name, hostile.random.bool().then(|| hostile.text(&TEXTS)))
            })
            .collect(),
        fields: (0..count(hostile))
            .map(|_| (hostile.text(&TEXTS), hostile.text(&TEXTS)))
            .collect(),
    }
}

#[test]
fn entries_round_trip_through_their_encoding() {
    let mut hostile = Hostile::new();
    let mut invalid = 0;
    for _ in 0..TEXTS / 4 {
        let entry = random_entry(&mut hostile);
        let text = entry.encode();
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
        assert_eq!(Entry::decode(&text).as_ref(), Ok(&entry), "{text:?}");
        // An entry that decodes is the same after encoding and decoding.
        let mutated = hostile.mutate(&text, &["|", "\\7c;", "99"]);
        for text in [
            mutated,
            hostile.text(&["E5|0|0|0|0|0|0|0|0|200|0|||0||0|0|."]),
        ] {
            match Entry::decode(&text) {
                Err(_) => invalid += 1,
                Ok(entry) => {
                    assert_eq!(
                        Entry::decode(&entry.encode()).as_ref(),
                        Ok(&entry),
                        "{text:?}"
                    );
                    // Numbers of any size do not overflow.
                    let _ = (entry.age(0), entry.age(u64::MAX), entry.retention_seconds());
                    let _ = (is_due_early(&entry, 0), is_due_early(&entry, u64::MAX));
                    let shorter = shortened(entry.terms.lifetime, 50, &entry);
                    assert!(shorter >= entry.terms.lifetime / 2, "{text:?}");
                }
            }
        }
    }
    assert!(invalid > TEXTS / 20, "{invalid}");
}

#[test]
fn rejected_settings_name_a_path_and_a_problem() {
    const EXAMPLES: [&str; 4] = [
        r#"{"max_purge_lag":5,"origin":"http://a.test","origins":{"b.test":"https://c.test"}}"#,
        r#"{"defaults":{"edge_ttl":60,"tags":["a"],"query":{"allow":["a"]}},"rules":[{"path":"/*"}]}"#,
        r#"{"rules":[{"host":"*.a","path":"/b","cache":false},{"key_headers":["x"],"forward_headers":["*"]}]}"#,
        r#"{"rules":[{"query":"all","sort_query":false,"bypass_cookies":["s*"],"stale_if_error":0}]}"#,
    ];
    let mut hostile = Hostile::new();
    let mut accepted = 0;
    for _ in 0..TEXTS / 4 {
        let text = hostile.text(&EXAMPLES);
        match Rules::read_json(&text) {
            Ok(_) => accepted += 1,
            Err(error) => assert!(
                !error.path.is_empty() && !error.problem.is_empty(),
                "{text:?}"
            ),
        }
    }
    assert!(accepted > TEXTS / 40, "{accepted}");
}

#[test]
fn cookie_pairs_contain_no_separators() {
    let mut hostile = Hostile::new();
    for _ in 0..TEXTS {
        let text = hostile.text(&["a=1; b=\"2\"; c", "session=x;; =y; z=", "; ;a"]);
        let fields = one_field("cookie", &text);
        for (name, value) in cookies::pairs(&fields) {
            assert!(
                !name.contains(['=', ';']) && !value.contains(';'),
                "{text:?}"
            );
            assert!(!name.is_empty() || !value.is_empty(), "{text:?}");
        }
    }
}

/// Whether a pattern matches, by exhaustive search.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], rest) => rest.is_empty(),
        ([b'*', after @ ..], _) => (0..=text.len()).any(|from| matches(after, &text[from..])),
        ([expected, after @ ..], [found, rest @ ..]) => expected == found && matches(after, rest),
        (_, []) => false,
    }
}

#[test]
fn glob_matches_as_exhaustive_search_does() {
    let mut hostile = Hostile::new();
    let mut matched = 0;
    for _ in 0..TEXTS {
        let mut text = |of: &[&str], most: usize| -> String {
            let count = hostile.random.usize(0..=most);
            (0..count).map(|_| hostile.one_of(of)).collect()
        };
        let (pattern, text) = (text(&["*", "a", "b", "/"], 6), text(&["a", "b", "/"], 8));
        let expected = matches(pattern.as_bytes(), text.as_bytes());
        assert_eq!(
            Glob::new(&pattern).matches(&text),
            expected,
            "{pattern} {text}"
        );
        matched += usize::from(expected);
    }
    assert!(matched > TEXTS / 20, "{matched}");
}
