//! Tests the resolution of references, and whether two URLs have the same
//! origin. RFC 3986 §5.4.1 and §5.4.2 (all examples); RFC 6454 §5 (same origin).

use edgekeep::http::url::{Url, canonical_path};

#[track_caller]
fn check(base: &str, reference: &str, expected: Option<&str>) {
    let joined = Url::parse(base).expect(base).join(reference);
    let found = joined.map(|url| {
        let path = canonical_path(&url.path);
        Url { path, ..url }.to_string()
    });
    assert_eq!(found.as_deref(), expected, "{reference} in {base}");
}

const BASE: &str = "http://a/b/c/d;p?q";

#[test]
fn normal_examples_of_rfc_3986_are_resolved() {
    for (reference, expected) in [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        // A fragment is not part of the requested URL.
        ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("g;x?y#s", "http://a/b/c/g;x?y"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"),
        ("../../g", "http://a/g"),
    ] {
        check(BASE, reference, Some(expected));
    }
    // Another scheme: not an http(s) URL.
    check(BASE, "g:h", None);
}

#[test]
fn abnormal_examples_of_rfc_3986_are_resolved() {
    for (reference, expected) in [
        ("../../../g", "http://a/g"),
        ("../../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        (".g", "http://a/b/c/.g"),
        ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
        ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("g#s/./x", "http://a/b/c/g"),
        ("g#s/../x", "http://a/b/c/g"),
    ] {
        check(BASE, reference, Some(expected));
    }
    // As strict parsers treat it.
    check(BASE, "http:g", None);
}

#[test]
fn other_location_values_are_resolved_or_refused() {
    let base = "https://a.test:8443/b/c?d=1";
    for (reference, expected) in [
        ("http://b.test", "http://b.test/"),
        ("HTTP://B.Test:80/X", "http://b.test/X"),
        ("//b.test:443/x", "https://b.test/x"),
        ("//b.test?x", "https://b.test/?x"),
        (" /x ", "https://a.test:8443/x"),
        ("?", "https://a.test:8443/b/c?"),
        ("?a:b", "https://a.test:8443/b/c?a:b"),
        ("./g:h", "https://a.test:8443/b/g:h"),
        ("/g:h", "https://a.test:8443/g:h"),
        (
            "x?y=http://c.test/",
            "https://a.test:8443/b/x?y=http://c.test/",
        ),
        // As browsers parse them.
        ("\\x\\..\\y", "https://a.test:8443/y"),
        ("x\\y?z\\", "https://a.test:8443/b/x/y?z\\"),
        ("\\\\b.test\\y", "https://b.test/y"),
        ("/\\b.test/y", "https://b.test/y"),
        ("\\/b.test:443?y", "https://b.test/?y"),
        ("https:\\\\b.test\\y", "https://b.test/y"),
        ("/\tx/.\r\n./y", "https://a.test:8443/y"),
        ("../%2E%2e/z", "https://a.test:8443/z"),
        ("é", "https://a.test:8443/b/%C3%A9"),
        ("a b", "https://a.test:8443/b/a%20b"),
    ] {
        check(base, reference, Some(expected));
    }
    for reference in [
        "mailto:a@b.test",
        "javascript:alert(1)",
        "data:,x",
        "ftp://a.test/b",
        "http://",
        "http:///x",
        "//",
        "///x",
        "//user@a.test/",
        "//a.test:99999/",
        "http://a b/",
        "g:h/i",
    ] {
        check(base, reference, None);
    }
    check("http://a.test", "x", Some("http://a.test/x"));
    check("http://a.test", "", Some("http://a.test/"));
    check("http://a.test?q", "?r", Some("http://a.test/?r"));
    check("http://a.test/b/", "x", Some("http://a.test/b/x"));
    check("http://a.test/b//c", "x", Some("http://a.test/b//x"));
}

#[test]
fn same_origin_compares_scheme_host_and_port() {
    #[track_caller]
    fn check(one: &str, other: &str, expected: bool) {
        let url = |text| Url::parse(text).expect(text);
        assert_eq!(url(one).same_origin(&url(other)), expected, "{one} {other}");
        assert_eq!(url(other).same_origin(&url(one)), expected, "{other} {one}");
    }
    check("http://a.test/b", "http://a.test/c?d", true);
    check("http://a.test", "HTTP://A.TEST/", true);
    check("http://a.test", "http://a.test:80", true);
    check("https://a.test", "https://a.test:443", true);
    check("http://a.test:8080", "http://a.test:8080/x", true);
    check("http://a.test", "https://a.test", false);
    check("http://a.test:443", "https://a.test", false);
    check("http://a.test", "http://a.test:8080", false);
    check("http://a.test", "http://b.a.test", false);
    check("http://a.test", "http://a.test.b", false);
    check("http://[::1]", "http://[::1]:80/", true);
    check("http://[::1]", "http://[::2]", false);
}
