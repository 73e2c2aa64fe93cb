//! Tests the structured fields that Edgekeep reads (RFC 9651): the cache groups,
//! `No-Vary-Search` and `CDN-Cache-Control`. A field with any error is ignored as
//! a whole; parameters have no effect.

use edgekeep::cache::key::no_vary_search::{FIELD, Policy};
use edgekeep::cache::purge::groups;
use edgekeep::http::cache_control::CacheControl;
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;

fn one(name: &str, value: &str) -> Fields {
    [(name, value)].into_iter().collect()
}

#[track_caller]
fn check_groups(value: &str, expected: &[&str]) {
    let found = groups::named(&one("cache-groups", value), "cache-groups");
    assert_eq!(found, expected, "{value:?}");
}

/// The significant part of a query; `None` if the field is ignored.
#[track_caller]
fn check_query(value: &str, expected: Option<&str>) {
    let url = Url::parse("https://a.test/?b%20=1&c=2&a=3").expect("a URL");
    let policy = Policy::of(&one(FIELD, value));
    let query = policy.map(|policy| policy.reduce(&url).query.unwrap_or_default());
    assert_eq!(query.as_deref(), expected, "{value:?}");
}

/// `max-age`, `no-store` and `private`; `None` if the field is ignored.
#[track_caller]
fn check_targeted(value: &str, expected: Option<(Option<u64>, bool, bool)>) {
    let found = CacheControl::of_dictionary(value);
    let found = found.map(|control| (control.max_age, control.no_store, control.private));
    assert_eq!(found, expected, "{value:?}");
}

#[test]
fn cache_groups_must_be_a_list_of_strings() {
    check_groups("  \"a\" ,\t\"b\\\"\\\\\";c;d=1 ", &["a", "b\"\\"]);
    check_groups("\"a\", \"a\"", &["a", "a"]);
    check_groups("", &[]);
    for (member, valid) in MEMBERS {
        // A member that is not a string makes the list invalid.
        let strings = valid && member.starts_with('"');
        let fields = one("cache-groups", &format!("\"g\", {member}"));
        let found = groups::named(&fields, "cache-groups");
        assert_eq!(found.len(), if strings { 2 } else { 0 }, "{member:?}");
    }
}

/// Members of a list or dictionary, and whether they are valid by RFC 9651.
const MEMBERS: [(&str, bool); 47] = [
    ("a", true),
    ("*tok:en/1", true),
    ("T!#$%&'*+-.^_`|~", true),
    ("\"a\"", true),
    ("\"\\\"\\\\\"", true),
    ("\"a\";b;c=1;  d=\"x\"", true),
    ("?1", true),
    ("?0", true),
    ("999999999999999", true),
    ("-999999999999999", true),
    ("1.5", true),
    ("-0.123", true),
    ("123456789012.123", true),
    (":aGVsbG8=:", true),
    (":aGVsbG8:", true),
    ("::", true),
    ("@1659578233", true),
    ("@-1", true),
    ("%\"f%c3%bc\"", true),
    ("%\"\"", true),
    ("()", true),
    ("( a  b )", true),
    ("(\"a\" 1 ?0);q=0.5", true),
    ("?2", false),
    ("?", false),
    ("-", false),
    ("1000000000000000", false),
    ("1.", false),
    (".5", false),
    ("1.2345", false),
    ("1234567890123.1", false),
    (":a:", false),
    (":YQ==", false),
    ("@1.5", false),
    ("%\"%C3\"", false),
    ("%\"%c3\"", false),
    ("%\"a", false),
    ("\"a", false),
    ("\"a\\b\"", false),
    ("\"a\u{7f}\"", false),
    ("\"\u{e9}\"", false),
    ("(a b", false),
    ("(a,b)", false),
    ("a;=1", false),
    ("a;B", false),
    ("a b", false),
    ("a=b", false),
];

#[test]
fn dictionary_with_any_error_is_ignored() {
    for (member, valid) in MEMBERS {
        let expected = valid.then_some((Some(60), false, false));
        check_targeted(&format!("max-age=60, x={member}"), expected);
        check_query(
            &format!("x={member}, params=(\"c\")"),
            valid.then_some("b%20=1&a=3"),
        );
    }
    for broken in ["max-age=60,", "max-age=60 a", "Max-Age=60", "=1", "a=1,,b"] {
        check_targeted(broken, None);
    }
}

#[test]
fn targeted_directives_are_parsed() {
    let private = Some((None, false, true));
    check_targeted("", None);
    check_targeted("max-age=60;x=1, no-store", Some((Some(60), true, false)));
    check_targeted("max-age=60, max-age=5", Some((Some(5), false, false)));
    check_targeted("max-age=60, max-age", Some((Some(0), false, false)));
    check_targeted("max-age=-1", Some((Some(0), false, false)));
    check_targeted("max-age=1.5", Some((Some(0), false, false)));
    check_targeted("max-age=\"60\"", Some((Some(0), false, false)));
    check_targeted("max-age=(60)", Some((None, false, false)));
    check_targeted(
        "max-age=999999999999999",
        Some((Some(1 << 31), false, false)),
    );
    check_targeted("private", private);
    check_targeted("private=\"set-cookie\"", private);
    check_targeted("private=?0", Some((None, false, false)));
    check_targeted("private, private=?0", Some((None, false, false)));
}

#[test]
fn no_vary_search_selects_significant_parameters() {
    check_query("params", Some(""));
    check_query("params=?0", None);
    check_query("params=()", None);
    check_query("params=(\"b+\" \"%61\")", Some("c=2"));
    check_query("params=(\"b%20\");x, key-order;y", Some("a=3&c=2"));
    check_query("params, except=(\"c\")", Some("c=2"));
    check_query("key-order", Some("a=3&b%20=1&c=2"));
    check_query("key-order=?0", None);
    // Of several members of one key the last counts.
    check_query("params=(\"a\"), params=(\"c\")", Some("b%20=1&a=3"));
    check_query("params=1, params=(\"c\")", Some("b%20=1&a=3"));
    // Values of another type than the draft requires.
    for other in [
        "params=1",
        "params=\"a\"",
        "params=(a)",
        "params=(1)",
        "key-order=1",
        "key-order=()",
        "except=(\"a\")",
        "params=(\"a\"), except=(\"a\")",
        "params, except",
        "params, except=(a)",
    ] {
        check_query(other, None);
    }
}
