//! Tests of the sitemap reader: what it returns, and that no input makes it
//! panic or take long. `EDGEKEEP_SEED` sets the seed; a failure prints it.

use edgekeep::cache::warm::sitemap::{ENTRIES_MAX, NotSitemap, Sitemap, SitemapUrl, read};
use testkit::random::Hostile;

/// The content of a file, as `pages` or `index` and `URL[ CHANGED]` for each
/// entry.
fn shown(text: &[u8]) -> String {
    let (kind, entries) = match read(text) {
        Ok(Sitemap::Pages(entries)) => ("pages", entries),
        Ok(Sitemap::Index(entries)) => ("index", entries),
        Err(problem) => return format!("not: {problem}"),
    };
    let entry = |entry: &SitemapUrl| match entry.changed {
        0 => format!(" {}", entry.url),
        changed => format!(" {}={changed}", entry.url),
    };
    kind.to_owned() + &entries.iter().map(entry).collect::<String>()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shown(text.as_bytes()), expected, "{text}");
}

/// Checks the result for `<url>…</url>` in a set of pages.
#[track_caller]
fn check_url(inside: &str, expected: &str) {
    let text = format!("<urlset><url>{inside}</url><url><loc>z</loc></url></urlset>");
    let expected = format!("pages {expected} z").replace("  ", " ");
    check(&text, &expected);
}

#[test]
fn urlset_and_sitemapindex_are_read() {
    check(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
          <url><loc>https://a.test/</loc><lastmod>2026-11-26</lastmod><changefreq>daily</changefreq><priority>0.8</priority></url>
          <url>
            <loc>
              https://a.test/b
            </loc>
          </url>
        </urlset>"#,
        "pages https://a.test/=20261126000000 https://a.test/b",
    );
    check(
        "<sitemapindex><sitemap><loc>https://a.test/1.xml</loc></sitemap>\
         <sitemap><lastmod>2026</lastmod><loc>https://a.test/2.xml</loc></sitemap></sitemapindex>",
        "index https://a.test/1.xml https://a.test/2.xml=20260000000000",
    );
    check("<urlset/>", "pages");
    check("<urlset></urlset>", "pages");
    check(
        "\u{feff} \n<urlset><url><loc>a</loc></url></urlset>",
        "pages a",
    );
    // Each kind of file has its own elements.
    check(
        "<urlset><sitemap><lastmod>2026</lastmod></sitemap></urlset>",
        "pages",
    );
}

#[test]
fn elements_other_than_loc_and_lastmod_are_ignored() {
    check_url(
        "<loc>a</loc><image:image><image:loc>b</image:loc></image:image>",
        "a",
    );
    check_url(
        "<image:image><image:loc>b</image:loc></image:image><loc>a</loc>",
        "a",
    );
    check_url("<loc>a</loc><xhtml:link rel='alternate' href='b'/>", "a");
    check_url(
        "<loc>a</loc><video:video><video:title>x > y</video:title></video:video>",
        "a",
    );
    check_url("<location>b</location><loc>a</loc>", "a");
    check_url("<loc/><lastmod/>", "");
    check_url("<loc></loc>", "");
    check_url("<loc>  </loc>", "");
    check_url("<lastmod>2026</lastmod>", "");
    check_url("a", "");
    // Elements within a field are not part of the protocol.
    check_url("<loc>a<b/>c</loc>", "");
    check_url("<loc><b>a</b></loc>", "");
    check_url("<LOC>a</LOC>", "");
    // Elements with the prefix of the root element are read.
    check(
        "<s:urlset xmlns:s='x'><s:url><s:loc>a</s:loc><loc>b</loc></s:url><url><loc>c</loc></url></s:urlset>",
        "pages a",
    );
}

#[test]
fn xml_text_is_decoded() {
    check_url("<loc>a?b=1&amp;c=2</loc>", "a?b=1&c=2");
    check_url(
        "<loc>&lt;&gt;&quot;&apos;&#65;&#x42;&#x1F600;</loc>",
        "<>\"'AB\u{1F600}",
    );
    check_url("<loc>a?b=1&c=2&amp</loc>", "a?b=1&c=2&amp");
    check_url("<loc>&amp;amp;</loc>", "&amp;");
    check_url(
        "<loc>&unknown;&#;&#x;&#xD800;&#+65;&#x110000;&;</loc>",
        "&unknown;&#;&#x;&#xD800;&#+65;&#x110000;&;",
    );
    check_url("<loc><![CDATA[a?b=1&c=2]]></loc>", "a?b=1&c=2");
    check_url("<loc>a<![CDATA[<b>]]]]>c</loc>", "a<b>]]c");
    check_url("<!-- <loc>b</loc> --><loc>a</loc>", "a");
    check_url("<loc>a<!-- > -- -->b</loc>", "ab");
    check_url("<loc>a<?x > ?>b</loc>", "ab");
    check_url("<loc title='>'  >a</loc  >", "a");
    check_url("<loc\n>a</loc\n>", "a");
    // Entities declared by the file are not expanded.
    check(
        "<!DOCTYPE urlset [<!ENTITY x \"xxxxxxxxxx\"> <!ENTITY y '&x;&x;'>]><urlset><url><loc>a&y;</loc></url></urlset>",
        "pages a&y;",
    );
    assert_eq!(
        shown(b"<urlset><url><loc>a\xff</loc></url></urlset>"),
        "pages a\u{fffd}"
    );
}

#[test]
fn lastmod_is_read_as_a_number() {
    #[track_caller]
    fn check(text: &str, expected: u64) {
        let file = format!("<urlset><url><loc>a</loc><lastmod>{text}</lastmod></url></urlset>");
        let Ok(Sitemap::Pages(entries)) = read(file.as_bytes()) else {
            panic!("{text}");
        };
        assert_eq!(
            entries.first().map(|entry| entry.changed),
            Some(expected),
            "{text}"
        );
    }
    check("2026", 20_260_000_000_000);
    check("2026-11", 20_261_100_000_000);
    check("2026-11-26", 20_261_126_000_000);
    check(" 2026-11-26\n", 20_261_126_000_000);
    check("2026-11-26T09:30Z", 20_261_126_093_000);
    check("2026-11-26T09:30:15Z", 20_261_126_093_015);
    check("2026-11-26T09:30:15.123456+02:00", 20_261_126_093_015);
    check("2026-11-26T09:30-05:00", 20_261_126_093_000);
    check("2026-11-26T09:30+05:00", 20_261_126_093_000);
    check("2026-11-26 09:30:15", 20_261_126_093_015);
    for none in [
        "",
        "yesterday",
        "26",
        "26.11.2026",
        "11/26/2026",
        "20261126",
        "0",
        "-",
    ] {
        check(none, 0);
    }
}

#[test]
fn text_files_have_a_url_a_line() {
    check(
        "http://a.test/\nhttps://a.test/b\n",
        "pages http://a.test/ https://a.test/b",
    );
    check(
        "\u{feff}\r\n HTTPS://a.test/ \r\n\r\nhttps://a.test/b c",
        "pages HTTPS://a.test/ https://a.test/b c",
    );
    check("https://a.test/\rfoo", "pages https://a.test/ foo");
}

#[test]
fn other_files_are_rejected() {
    check("", "not: it is no sitemap: neither XML nor a URL a line");
    check(" \n", "not: it is no sitemap: neither XML nor a URL a line");
    check(
        "{\"urls\":[]}",
        "not: it is no sitemap: neither XML nor a URL a line",
    );
    check(
        "no such page",
        "not: it is no sitemap: neither XML nor a URL a line",
    );
    check("<", "not: it is no sitemap: neither XML nor a URL a line");
    check(
        "<!-- <urlset> -->",
        "not: it is no sitemap: neither XML nor a URL a line",
    );
    check(
        "<!DOCTYPE html><html><body>404</body></html>",
        "not: it is no sitemap: it begins with <html>",
    );
    check(
        "<rss version='2.0'><channel/></rss>",
        "not: it is no sitemap: it begins with <rss>",
    );
    check(
        "<urlsets><url><loc>a</loc></url></urlsets>",
        "not: it is no sitemap: it begins with <urlsets>",
    );
    assert_eq!(read(b"\x1f\x8b\x08\x00\x00"), Err(NotSitemap::Compressed));
    // UTF-16
    assert_eq!(read(b"\xff\xfe<\0u\0"), Err(NotSitemap::Unknown));
}

#[test]
fn truncated_file_gives_its_complete_entries() {
    let whole =
        "<urlset><url><loc>a</loc></url><url><loc>b</loc><lastmod>2026</lastmod></url></urlset>";
    check(whole, "pages a b=20260000000000");
    for (end, expected) in [
        (20, "pages"),
        (25, "pages a"),
        (40, "pages a"),
        (46, "pages a"),
        (48, "pages a b"),
        (65, "pages a b"),
        (70, "pages a b"),
        (71, "pages a b=20260000000000"),
    ] {
        check(&whole[..end], expected);
    }
    check(
        "<urlset><url><loc>a</loc></url><!-- <url><loc>b</loc></url>",
        "pages a",
    );
    check(
        "<urlset><url><loc>a</loc></url><url title='><loc>b</loc></url>",
        "pages a",
    );
    check(
        "<urlset><loc>a</loc><loc>b</loc><lastmod>2026</lastmod><url><loc>c</loc>",
        "pages a b=20260000000000 c",
    );
}

#[test]
fn entries_are_limited_to_the_protocol_maximum() {
    let many = format!(
        "<urlset>{}</urlset>",
        "<url><loc>a</loc></url>".repeat(ENTRIES_MAX + 1)
    );
    let lines = "http://a.test/\n".repeat(ENTRIES_MAX + 1);
    for text in [many, lines] {
        match read(text.as_bytes()) {
            Ok(Sitemap::Pages(entries)) => assert_eq!(entries.len(), ENTRIES_MAX),
            other => panic!("{other:?}"),
        }
    }
}

const FILES: [&str; 6] = [
    "<?xml version=\"1.0\"?><urlset><url><loc>https://a.test/?a&amp;b</loc><lastmod>2026-11-26T09:00:00Z</lastmod></url></urlset>",
    "<sitemapindex><sitemap><loc><![CDATA[https://a.test/1]]></loc></sitemap></sitemapindex>",
    "<s:urlset><!-- x --><s:url><s:loc>&#x41;&#65;</s:loc></s:url></s:urlset>",
    "https://a.test/\nhttps://a.test/b",
    "<loc>",
    "]]>",
];

#[test]
fn random_files_give_valid_entries() {
    let mut hostile = Hostile::new();
    let mut read_well = 0;
    for _ in 0..40_000 {
        let text = hostile.text(&FILES);
        let mut bytes = text.clone().into_bytes();
        if hostile.random.bool() && !bytes.is_empty() {
            let at = hostile.random.usize(0..bytes.len());
            bytes[at] = hostile.random.u8(..);
        }
        let Ok(Sitemap::Pages(entries) | Sitemap::Index(entries)) = read(&bytes) else {
            continue;
        };
        read_well += usize::from(!entries.is_empty());
        for entry in entries {
            // The result was in the input: no text grows, except that an
            // invalid byte becomes three bytes.
            assert!(entry.url.len() <= bytes.len() * 3, "{text}");
            assert!(entry.changed < 100_000_000_000_000, "{text}");
            assert_eq!(
                entry.url.trim_matches([' ', '\n', '\t', '\r']),
                entry.url,
                "{text}"
            );
        }
    }
    assert!(read_well > 10_000, "{read_well}");
}

#[test]
fn reader_finishes_long_hostile_files() {
    // A megabyte each: a reader with quadratic time would take minutes.
    let repeat = |text: &str| text.repeat(1024 * 1024 / text.len());
    let files = [
        repeat("<"),
        repeat("<!--"),
        repeat("<![CDATA["),
        repeat("<?"),
        repeat("<a '"),
        repeat("</"),
        repeat("<urlset>"),
        repeat("<urlset><loc>&"),
        "<urlset><loc>".to_owned() + &repeat("&#x10FFFF"),
        repeat("]]>"),
        repeat("-->"),
        "<urlset><loc>".to_owned() + &repeat("&amp;"),
        "<urlset>".to_owned() + &repeat("<url><loc>a"),
        "http".to_owned() + &repeat("\n"),
    ];
    for file in files {
        // Any result is accepted, as long as the reader ends.
        drop(read(file.as_bytes()));
    }
}
