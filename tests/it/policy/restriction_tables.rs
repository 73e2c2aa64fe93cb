//! Tests that restrictive directives count in any spelling, and permissive ones
//! only in the RFC's grammar (RFC 9111 §5.2, §5.2.3); and which of several
//! caching fields applies (RFC 9213 §2.2).

use edgekeep::http::cache_control::{CacheControl, withheld};
use edgekeep::http::fields::Fields;
use testkit::controls::{fields, words};

/// Restrictive words count anywhere; permissive ones only where the grammar of
/// RFC 9111 §5.2 allows them.
#[test]
fn restrictive_directives_apply_in_any_spelling() {
    #[track_caller]
    fn check(value: &str, expected: &str) {
        let mut one = Fields::new();
        one.add("cache-control", value);
        assert_eq!(words(&CacheControl::of(&one)), expected, "{value}");
    }
    check("private; max-age=3600", "max-age=0 private");
    check("private;max-age=3600", "max-age=0 private");
    check(
        "No-cache; No-store; Must-revalidate",
        "no-store no-cache proxy-revalidate",
    );
    check(
        "private; must-revalidate, max-age=600",
        "max-age=600 private proxy-revalidate",
    );
    check("\"private\", max-age=60", "max-age=60 private");
    check("private; max-age=0", "max-age=0 private");
    check(
        "max-age=0; no-cache; no-store; must-revalidate",
        "max-age=0 no-store no-cache proxy-revalidate",
    );
    check("max-age=60; PRIVATE", "max-age=0 private");
    check("max-age=60 private", "max-age=0 private");
    check("max-age=60\tno-store", "max-age=0 no-store");
    check("private max-age=60", "max-age=0 private");
    check("no-cache no-store", "no-store no-cache");
    check("private;", "private");
    check(";no-store", "no-store");
    check("'private', max-age=60", "max-age=60 private");
    check("`no-store`", "no-store");
    check("\u{201c}private\u{201d}, max-age=60", "max-age=60 private");
    check("(private), max-age=60", "max-age=60 private");
    check("private:", "private");
    check("no-store.", "no-store");
    check("Cache-Control: private", "private");
    check("no-cache =\"x-a\"", "no-cache");
    check("private = \"x-a\"", "private");
    check("private=\"x-a\"; max-age=60", "max-age=0 private");
    check("private='x-a'", "private");
    check("max-age=\"60, private\"", "max-age=0 private");
    check("max-age=60, \"no-store", "max-age=60 no-store");
    check("max-age=60, foo=\"a, no-store", "max-age=60 no-store");
    check("max-age=60, foo=\"a\" private", "max-age=60 private");
    check("{private}", "private");
    // A revalidation directive in this spelling permits nothing for
    // `Authorization`.
    check(
        "max-age=60, must-revalidate;",
        "max-age=60 proxy-revalidate",
    );
    check(
        "proxy-revalidate;, max-age=60",
        "max-age=60 proxy-revalidate",
    );
    // Permissive words do not count, and a lifetime among them is 0.
    check("public; max-age=3600", "max-age=0");
    check("must-revalidate; max-age=0", "max-age=0 proxy-revalidate");
    check("public; s-maxage=3600", "max-age=0");
    check("max-age=60, public;", "max-age=60");
    check("public; foo", "");
    // Parts of other words, and arguments of unknown directives, do not count.
    check("x-private, max-age=60", "max-age=60");
    check("no-cachexyz, max-age=60", "max-age=60");
    check("not-private; max-age=60", "max-age=0");
    check("no_store, max-age=60", "max-age=60");
    check("community=\"UCI private club\", max-age=60", "max-age=60");
    check("foo=private, max-age=60", "max-age=60");
    // In doubt they count: an unknown directive may be misspelled, too.
    check("community=\"UCI\"; \"private\"", "private");
}

/// The directives in IANA's registry, by the sections that define them: for
/// responses RFC 9111 §5.2.2, for requests §5.2.1.
const DIRECTIVES: [&str; 16] = [
    "Max-Age",
    "must-revalidate",
    "must-understand",
    "No-Cache",
    "no-store",
    "no-transform",
    "private",
    "proxy-revalidate",
    "public",
    "s-maxage", // §5.2.2
    "max-stale",
    "min-fresh",
    "only-if-cached", // §5.2.1
    "stale-while-revalidate",
    "stale-if-error", // RFC 5861
    "immutable",      // RFC 8246
];

/// The qualified form of `private` and `no-cache` is a quoted list of field
/// names (RFC 9111 §5.2.2.4, §5.2.2.7). Any other argument makes it the
/// unqualified directive.
#[test]
fn argument_without_field_names_makes_directive_unqualified() {
    #[track_caller]
    fn check(argument: &str, qualified: bool) {
        for word in ["private", "no-cache", "Private", "NO-CACHE"] {
            let value = format!("{word}={argument}, max-age=600");
            let one: Fields = [("cache-control", value.as_str())].into_iter().collect();
            let control = CacheControl::of(&one);
            let counts = control.private || control.no_cache;
            assert_eq!(
                (counts, withheld(&one).is_empty()),
                (!qualified, !qualified),
                "{value}"
            );
        }
    }
    for unquoted in [
        "true",
        "True",
        "1",
        "yes",
        "on",
        "false",
        "0",
        "no",
        "off",
        "set-cookie",
        "x-a",
        "",
        "no-store",
        "private",
        "max-age",
        "*",
        "'x-a'",
        "'x-a",
        "x-a\"",
        "?1",
        "%22x-a%22",
        " \"x-a\"",
        "\u{201c}x-a\u{201d}",
        "x-a;\"x-b\"",
    ] {
        check(unquoted, false);
    }
    // Values of flags, as written in practice.
    let switches = [
        "true", "FALSE", "yes", "No", "0", "1", "on", "off", "10", "none", "null", "all",
    ];
    // Not valid as a field name (RFC 9110 §5.1).
    let no_names = [
        "",
        ",",
        "*",
        "x-*",
        "a b",
        "a;b",
        "a=b",
        "'x-a'",
        ":x-a",
        "{x-a}",
        "\\\"x-a\\\"",
    ];
    for word in DIRECTIVES.into_iter().chain(switches).chain(no_names) {
        check(&format!("\"{word}\""), false);
        // One such word among names suffices.
        if !word.trim_matches(',').is_empty() {
            check(&format!("\"x-a, {word}\""), false);
            check(&format!("\"{word},x-a\""), false);
        }
    }
    for behind in [" ", "x", "\"", "; x", ";private=?0", "\"x-b\""] {
        check(&format!("\"x-a\"{behind}"), behind == " ");
    }
    for names in [
        "x-a",
        "Set-Cookie",
        "x-a, x-b",
        " X_A , x.b",
        "x-true",
        "true-client-ip",
        "age",
        "etag",
    ] {
        check(&format!("\"{names}\""), true);
    }
    // A more restrictive word in the argument applies as well.
    for value in [
        "no-cache=\"no-store\"",
        "no-cache=no-store",
        "no-cache=\"private, no-store\"",
    ] {
        let one: Fields = [("cache-control", value)].into_iter().collect();
        assert!(CacheControl::of(&one).no_store, "{value}");
    }
    // In a targeted field any argument is accepted (RFC 9213 has no qualified
    // form).
    for argument in [
        "true",
        "1",
        "yes",
        "?1",
        "\"true\"",
        "\"x-a\"",
        "\"no-store\"",
        "set-cookie",
        "(a)",
    ] {
        for word in ["private", "no-cache"] {
            let value = format!("{word}={argument}, max-age=600");
            let fields: Fields = [
                ("cdn-cache-control", value.as_str()),
                ("cache-control", "max-age=5"),
            ]
            .into_iter()
            .collect();
            let (control, _) = CacheControl::effective(&fields);
            assert!(control.private || control.no_cache, "{value}");
        }
    }
}

#[test]
fn malformed_must_understand_does_not_override_no_store() {
    // RFC 9111 §5.2.2.3.
    #[track_caller]
    fn check(value: &str, no_store: bool, must_understand: bool) {
        let mut one = Fields::new();
        one.add("cache-control", value);
        let control = CacheControl::of(&one);
        let found = (control.no_store, control.must_understand);
        assert_eq!(found, (no_store, must_understand), "{value}");
    }
    check("must-understand, no-store", true, true);
    check("must-understand; no-store", true, false);
    check("must-understand, no-store;", true, false);
    check("no-store, must-understand;", true, false);
    check("must-understand;, max-age=60", false, true);
}

/// The control that applies, and whether it is from a targeted field.
#[test]
fn most_specific_cache_control_field_applies() {
    #[track_caller]
    fn check(text: &str, expected: &str, targeted: bool) {
        let (control, by_target) = CacheControl::effective(&fields(text));
        assert_eq!(
            (words(&control).as_str(), by_target),
            (expected, targeted),
            "{text}"
        );
    }
    check("cache-control: max-age=1", "max-age=1", false);
    check(
        "cache-control: private | cdn-cache-control: max-age=1",
        "max-age=1",
        true,
    );
    // Cloudflare Cache, "CDN-Cache-Control".
    check(
        "cdn-cache-control: no-store | cloudflare-cdn-cache-control: max-age=1",
        "max-age=1",
        true,
    );
    check(
        "cdn-cache-control: max-age=9 | Cloudflare-CDN-Cache-Control: no-store | cache-control: max-age=5",
        "no-store",
        true,
    );
    check(
        "cloudflare-cdn-cache-control: | cdn-cache-control: max-age=2 | cache-control: no-store",
        "max-age=2",
        true,
    );
    // A field that is ignored (RFC 9213 §2.1) permits nothing, but its
    // restrictions count.
    for (value, expected) in [
        ("Private", "max-age=5 private"),
        ("No-Store, max-age=60", "max-age=5 no-store"),
        ("private max-age=60", "max-age=5 private"),
        ("\"no-store\"", "max-age=5 no-store"),
        ("max-age=60, no-cache,", "max-age=5 no-cache"),
        ("'private'", "max-age=5 private"),
        ("max-age=60; Private", "max-age=5 private"),
        ("Must-Revalidate", "max-age=5 proxy-revalidate"),
        ("MAX-AGE=0", "max-age=5"),
        ("max-age=60, Foo", "max-age=5"),
        ("X-Private", "max-age=5"),
    ] {
        for name in ["cdn-cache-control", "cloudflare-cdn-cache-control"] {
            check(
                &format!("cache-control: max-age=5 | {name}: {value}"),
                expected,
                false,
            );
        }
        let both = format!("cdn-cache-control: max-age=5 | cloudflare-cdn-cache-control: {value}");
        check(&both, expected, true);
    }
    // Valid dictionaries, with a restrictive word in an unexpected place.
    for (value, expected) in [
        ("max-age=60;private", "max-age=60 private"),
        ("max-age=60;private=?0", "max-age=60"),
        ("private., max-age=60", "max-age=60 private"),
        ("*no-store*, max-age=60", "max-age=60 no-store"),
        ("max-age=60;*private", "max-age=60 private"),
        ("max-age=60; no-store;a=b", "max-age=60 no-store"),
        ("foo=(private), max-age=60", "max-age=60 private"),
        ("private=(a), max-age=60", "max-age=60 private"),
        ("no-store=(), max-age=60", "max-age=60 no-store"),
        (
            "no-cache=\"no-store\", max-age=60",
            "max-age=60 no-store no-cache",
        ),
        ("foo=(a no-store);x, max-age=60", "max-age=60 no-store"),
        ("max-age=\"60; private\"", "max-age=0 private"),
        ("max-age=private", "max-age=0 private"),
        ("foo=\"a private club\", max-age=60", "max-age=60"),
        ("foo=private, max-age=60", "max-age=60"),
    ] {
        check(&format!("cdn-cache-control: {value}"), expected, true);
    }
    // Surrogates may not store it, and Edgekeep is one; nothing else of the
    // field is evaluated.
    check(
        "surrogate-control: no-store | cache-control: max-age=5",
        "max-age=5 no-store",
        false,
    );
    check(
        "surrogate-control: Private; x | cache-control: max-age=5",
        "max-age=5 private",
        false,
    );
    check(
        "surrogate-control: max-age=60 | cache-control: max-age=5",
        "max-age=5",
        false,
    );
    check(
        "surrogate-control: content=\"ESI/1.0\", no-store-remote | cache-control: max-age=5",
        "max-age=5",
        false,
    );
    check(
        "surrogate-control: no-store | cdn-cache-control: max-age=5",
        "max-age=5",
        true,
    );
}
