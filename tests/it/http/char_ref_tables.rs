//! Tests character references in the attributes of ESI tags and in sitemaps; both
//! use the same function.

use edgekeep::cache::esi::parser::{Include, Parser, Piece};
use edgekeep::cache::warm::sitemap::{self, Sitemap};
use edgekeep::http::char_refs::{self, REFERENCE_BYTES_MAX};

#[test]
fn character_references_in_values_are_resolved() {
    #[track_caller]
    fn check_value(value: &str, decoded: &str) {
        let tag = format!("<esi:include src=\"/{value}\"/>");
        let pieces = Parser::default().feed(tag.as_bytes());
        let src = format!("/{decoded}");
        let include = Include {
            src: src.clone(),
            ..Include::default()
        };
        assert_eq!(pieces, [Piece::Include(include)], "{value}");
        assert_eq!(char_refs::decode(value), decoded, "{value}");
        // Sitemaps, by the same function.
        let sitemap = format!("<urlset><url><loc>/{value}</loc></url></urlset>");
        let Ok(Sitemap::Pages(pages)) = sitemap::read(sitemap.as_bytes()) else {
            panic!("{value}");
        };
        let urls: Vec<&str> = pages.iter().map(|page| page.url.as_str()).collect();
        assert_eq!(urls, [src], "{value}");
    }
    check_value("?a=1&amp;b=2", "?a=1&b=2");
    // WordPress' `esc_url`, PHP's `htmlspecialchars`, Python's `html.escape`, Go's
    // `html/template`, Handlebars and Jinja.
    check_value("?a=1&#038;b=2", "?a=1&b=2");
    check_value("?a=1&#38;b=2", "?a=1&b=2");
    check_value("?a=1&#x26;b=2", "?a=1&b=2");
    check_value("it&#039;s&#39;s&#x27;s&apos;s", "it's's's's");
    check_value("?a&#x3D;1&#61;2&equals;3", "?a=1=2=3");
    check_value("?q=1&#43;2&plus;3&#x2B;4&#x2b;5", "?q=1+2+3+4+5");
    check_value("&#34;&quot;&QUOT;&AMP;&gt;&GT;", "\"\"\"&>>");
    check_value("?a&num;b&quest;c&sol;d&colon;e&percnt;20", "?a#b?c/d:e%20");
    check_value("a&semi;b&comma;c&lpar;d&rpar;&commat;", "a;b,c(d)@");
    check_value("&#x00000026;&#0000000038;&#X26;", "&&&");
    check_value("caf&#233;&#xE9;&#x1F600;", "caf\u{e9}\u{e9}\u{1f600}");
    // References are decoded once.
    check_value("?a&amp;amp;b&amp;#38;c&#38;lt;d", "?a&amp;b&#38;c&lt;d");
    // No references, and parameters whose names look like references.
    for plain in [
        "?a=1&b=2",
        "?a=1&lt=2&copy=3&amp=4",
        "?a=1&copy;b&nothing;c",
        "?&;&#;&#x;&#-38;&#+38;&# 38;&#3a;&#xg;",
        "?&#0;&#xD800;&#x110000;&#99999999999;",
        "?a&&&&#&#&",
        "?&#000000000038;",
        "?&\u{e9};&#\u{e9};",
    ] {
        check_value(plain, plain);
    }
    let many = "&".repeat(4000);
    assert_eq!(char_refs::decode(&many), many);
}

#[test]
fn character_reference_has_a_maximum_length() {
    let padded = |bytes: usize| format!("#{}38", "0".repeat(bytes - 3));
    let (longest, longer) = (padded(REFERENCE_BYTES_MAX), padded(REFERENCE_BYTES_MAX + 1));
    assert_eq!(char_refs::resolve(&longest), Some('&'));
    assert_eq!(char_refs::decode(&format!("&{longest};")), "&");
    assert_eq!(char_refs::resolve(&longer), None);
    let plain = format!("&{longer};");
    assert_eq!(char_refs::decode(&plain), plain);
}
