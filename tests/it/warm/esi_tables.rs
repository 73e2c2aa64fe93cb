//! Tests of ESI: which responses are marked, and the output of the parser,
//! however the body is cut.

use edgekeep::cache::esi::parser::{
    Coding, Include, Parser, Piece, TAG_BYTES_MAX, is_marked, set_assembled_head,
};
use edgekeep::http::fields::Fields;

#[test]
fn esi_mark_is_read_from_surrogate_control() {
    #[track_caller]
    fn check(control: &str, marked: bool) {
        for (kind, html) in [
            ("text/html; charset=utf-8", true),
            ("Text/HTML", true),
            ("application/xhtml+xml", true),
            ("application/json", false),
            ("text/html-ish", false),
            ("", false),
        ] {
            let lines = control.split('\n').map(|line| ("surrogate-control", line));
            let fields: Fields = lines.chain([("content-type", kind)]).collect();
            assert_eq!(is_marked(&fields), marked && html, "{control} {kind}");
        }
    }
    check(r#"content="ESI/1.0""#, true);
    check(r#"Content="ESI/1.0""#, true);
    check(r#"content="ESI/1.0 ESI-Inline/1.0""#, true);
    check(r#"content="X/2 ESI/1.0""#, true);
    check(r#"max-age=60, content="ESI/1.0", no-store"#, true);
    check("max-age=60\ncontent=\"ESI/1.0\"", true);
    check(r#"content="ESI/1.0";edgekeep"#, true);
    check(r#"content="ESI/1.0"; edgekeep"#, true);
    // For another surrogate, or invalid.
    check(r#"content="ESI/1.0";other"#, false);
    check(r#"content="ESI/1.0";edgekeep;other"#, false);
    check(r#"content="ESI/1.0";"#, false);
    // A directive for Edgekeep has precedence.
    check(r#"content="X/1";edgekeep, content="ESI/1.0""#, false);
    check(r#"content="X/1", content="ESI/1.0";edgekeep"#, true);
    // A repeated directive is ambiguous.
    check(r#"content="ESI/1.0", content="ESI/1.0""#, false);
    check(r#"content="ESI/1.0", content="X/1""#, false);
    // Invalid, although similar.
    for control in [
        "",
        "content",
        "content=",
        "content=ESI/1.0",
        "content='ESI/1.0'",
        r#"content="ESI/1.0"#,
        r#"content="esi/1.0""#,
        r#"content="ESI/1.1""#,
        r#"content="ESI/1.0,""#,
        r#"content="XESI/1.0""#,
        r#"content = "ESI/1.0""#,
        r#"contents="ESI/1.0""#,
        r#"no-store;content="ESI/1.0""#,
        r#"x="content="ESI/1.0"""#,
    ] {
        check(control, false);
    }
    assert!(!is_marked(&Fields::new()));
}

#[test]
fn content_coding_is_identity_gzip_or_other() {
    #[track_caller]
    fn check(encoding: Option<&str>, coding: Coding) {
        let fields: Fields = encoding
            .map(|e| ("content-encoding", e))
            .into_iter()
            .collect();
        assert_eq!(Coding::of(&fields), coding, "{encoding:?}");
    }
    check(None, Coding::Identity);
    check(Some("identity"), Coding::Identity);
    check(Some("gzip"), Coding::Gzip);
    check(Some("GZIP"), Coding::Gzip);
    // RFC 9110 §8.4.1.3: x-gzip is gzip.
    check(Some("x-gzip"), Coding::Gzip);
    check(Some("X-GZip"), Coding::Gzip);
    check(Some(" gzip ,, identity"), Coding::Gzip);
    check(Some("identity, identity"), Coding::Identity);
    check(Some("gzip, x-gzip"), Coding::Other);
    check(Some("x-br"), Coding::Other);
    check(Some("unknown"), Coding::Other);
    check(Some("br"), Coding::Other);
    check(Some("gzip, br"), Coding::Other);
    check(Some(""), Coding::Other);
}

#[test]
fn assembled_head_drops_fields_of_the_unassembled_body() {
    #[track_caller]
    fn check(control: &str, browser_ttl: Option<u64>, expected: &str) {
        let mut fields: Fields = [
            ("content-type", "text/html"),
            ("etag", "\"a\""),
            ("last-modified", "Thu, 26 Nov 2026 12:00:00 GMT"),
            ("content-length", "9"),
            ("content-encoding", "gzip"),
            ("accept-ranges", "bytes"),
            ("repr-digest", "sha-256=:x:"),
            ("age", "7"),
            ("expires", "Thu, 26 Nov 2026 12:00:00 GMT"),
            ("cache-control", control),
            ("cdn-cache-control", "max-age=60"),
            ("cloudflare-cdn-cache-control", "max-age=60"),
            ("surrogate-control", "content=\"ESI/1.0\""),
            ("vary", "Accept-Language"),
            ("set-cookie", "a=b"),
        ]
        .into_iter()
        .collect();
        set_assembled_head(&mut fields, browser_ttl);
        let kept: Vec<_> = fields.iter().collect();
        let expected = [
            ("content-type", "text/html"),
            ("vary", "Accept-Language"),
            ("set-cookie", "a=b"),
            ("cache-control", expected),
        ];
        assert_eq!(kept, expected);
    }
    check("public, max-age=60", None, "private, no-cache");
    check("", None, "private, no-cache");
    check("max-age=60", Some(30), "private, max-age=30");
    check("max-age=60, No-Store", Some(30), "private, no-store");
    check("no-store", None, "private, no-store");
    check("private, max-age=60", Some(30), "private, no-cache");
    check("no-cache", Some(30), "private, no-cache");
}

fn include(src: &str) -> Piece {
    Piece::Include(Include {
        src: src.to_owned(),
        ..Include::default()
    })
}

/// Pieces as text: fragments in brackets, as `[src]`, `[src|alt]`, with a `?`
/// if they may fail.
fn shown(pieces: &[Piece]) -> String {
    let show = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Include(Include { src, alt, may_fail }) => {
            let alt = alt.as_ref().map_or(String::new(), |alt| format!("|{alt}"));
            let mark = if *may_fail { "?" } else { "" };
            format!("[{src}{alt}{mark}]").into_bytes()
        }
    };
    let bytes: Vec<u8> = pieces.iter().flat_map(show).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The output for a body that arrives in pieces of so many bytes.
fn parsed(body: &[u8], mut sizes: impl FnMut() -> usize) -> (String, bool) {
    let mut parser = Parser::default();
    let mut pieces = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(sizes().clamp(1, rest.len()));
        pieces.extend(parser.feed(chunk));
        rest = after;
    }
    pieces.extend(parser.finish());
    (shown(&pieces), parser.is_unclosed())
}

#[track_caller]
fn check(body: &str, expected: &str) {
    for size in [1, 2, 3, 5, 8, 13, usize::MAX] {
        let (found, unclosed) = parsed(body.as_bytes(), || size);
        assert_eq!(found, expected, "{body} in pieces of {size}");
        assert!(!unclosed, "{body}");
    }
}

#[test]
fn text_that_is_not_a_tag_is_kept() {
    for body in [
        "",
        "plain",
        "<p>a < b && c > d</p>",
        "<!doctype html><html><body>\u{e9}\u{1f600}</body></html>",
        "<esi",
        "<esi:",
        "<esi:include",
        "<esi:include src=\"/a\"",
        "< esi:include src=\"/a\"/>",
        "<ESI:INCLUDE SRC=\"/a\"/>",
        "&lt;esi:include src=\"/a\"/&gt;",
        "<esi:includes src=\"/a\"/>",
        "<esi:vars>$(HTTP_COOKIE)</esi:vars>",
        "<esi:inline name=\"/a\">b</esi:inline>",
        "<esi:choose><esi:when test=\"1\">a</esi:when></esi:choose>",
        "</esi:vars>",
        "</esi",
        "<!-- a <esi:include src=\"/a\"/> b -->",
        "<!--a--><!----><!--->-->-<!---->",
        "<!--><p>-->",
        "<!--esiless <esi:remove>a</esi:remove> -->",
        "<!--esi",
        "<!--es",
        "<!-",
        "<!",
        "<<<<",
        "a-->b",
        "<script>if (a<b) {}</script>",
        // A tag that never ends.
        "<esi:include src=\"/a <p>b</p>",
        "<esi:include src='/a\" />",
    ] {
        check(body, body);
    }
}

#[test]
fn values_without_quotes_end_at_whitespace() {
    check("<esi:include src=/x />", "[/x]");
    check("<esi:include src=/x>", "[/x]");
    check("<esi:include src=/x/y/ onerror=continue />", "[/x/y/?]");
    // As in XML, the last slash closes the tag.
    check("<esi:include src=/x/>", "[/x]");
    check("<esi:include src=/x/ />", "[/x/]");
    check("<esi:include src=\"/x\" alt=/y>", "[/x|/y]");
    check("<esi:include src=/x alt='/y'/>", "[/x|/y]");
    check(
        "<esi:include\nsrc = /x?a=1&b==2\talt=/y />",
        "[/x?a=1&b==2|/y]",
    );
    check("<esi:include async src=\"/x\" defer alt=/y/>", "[/x|/y]");
    check("<esi:include src=/x&#63;a=1&amp;b=2/>", "[/x?a=1&b=2]");
    check("<esi:include src= />", "[]");
}

#[test]
fn include_tags_become_fragments() {
    check("a<esi:include src=\"/x\"/>b", "a[/x]b");
    check("<esi:include src=\"/x\" />", "[/x]");
    check("<esi:include src='/x'>", "[/x]");
    check("<esi:include src=\"/x\"></esi:include>", "[/x]");
    check("<esi:include\n\tsrc = \"/x\"\n/>", "[/x]");
    check("<esi:include src=\" /x \"/>", "[/x]");
    check("<esi:include src=\"/x\" alt=\"/y\"/>", "[/x|/y]");
    check("<esi:include onerror=\"continue\" src=\"/x\"/>", "[/x?]");
    check("<esi:include src=\"/x\" onerror=\"stop\"/>", "[/x]");
    check("<esi:include src=\"/x\" onerror=\"Continue\"/>", "[/x]");
    check("<esi:include src=\"/x\" src=\"/y\" max-age=\"3\"/>", "[/x]");
    check("<esi:include src=\"/x?a=1&amp;b=%3E\"/>", "[/x?a=1&b=%3E]");
    check(
        "<esi:include src=\"/x?&amp;lt;&quot;&#x27;\"/>",
        "[/x?&lt;\"']",
    );
    check("<esi:include src=\"/x?a>b\"/>c", "[/x?a>b]c");
    check(
        "<esi:include src=\"/x\"/><esi:include src=\"/y\"/>",
        "[/x][/y]",
    );
    check("<<esi:include src=\"/x\"/>>", "<[/x]>");
    check("<!-<esi:include src=\"/x\"/>", "<!-[/x]");
    check("<esi:<esi:include src=\"/x\"/>", "<esi:[/x]");
    check("<!-- a --><esi:include src=\"/x\"/>", "<!-- a -->[/x]");
    check("<!--><esi:include src=\"/x\"/>", "<!-->[/x]");
    check(
        "<!-- a --- > --><esi:include src=\"/x\"/>",
        "<!-- a --- > -->[/x]",
    );
    check(
        "<p title=\"<esi:include src='/x'/>\">",
        "<p title=\"[/x]\">",
    );
    // Without a valid URL: a fragment that fails.
    check("<esi:include/>", "[]");
    check("<esi:include src/>", "[]");
    check("<esi:include src=\"\" alt=\"\"/>", "[|]");
}

#[test]
fn comment_and_remove_elements_give_no_output() {
    check("a<esi:comment text=\"b > c\"/>d", "ad");
    check("a<esi:comment text=\"b\"></esi:comment>d", "ad");
    check("a<esi:remove>b</esi:remove>c", "ac");
    check(
        "a<esi:remove>b<esi:include src=\"/x\"/></esi:remove >c",
        "ac",
    );
    check("a<esi:remove><esi:remove>b</esi:remove>c", "ac");
    check("a<esi:remove/>b", "ab");
    check("a</esi:remove>b", "ab");
    check(
        "a<esi:remove></esi:remov></esi:removes>b</esi:remove\n>c",
        "ac",
    );
    check("a<esi:remove><</esi:remove>b", "ab");
    check("a<esi:remove></esi:remove</esi:remove>b", "ab");
    check("a<esi:remove><!-- </esi:remove> -->b", "a -->b");
}

#[test]
fn esi_comments_are_unwrapped() {
    check("a<!--esi b-->c", "a bc");
    check("a<!--esi\n<p>b</p>\n-->c", "a\n<p>b</p>\nc");
    check("<!--esi <esi:include src=\"/x\"/>-->a", " [/x]a");
    check("<!--esi<esi:include src=\"/x\"/>-->a", "[/x]a");
    check("<!--esi a---->b", " a--b");
    check("<!--esi a - b -- c -> d-->e", " a - b -- c -> de");
    check("<!--esi a-<b>-->c", " a-<b>c");
    check("<!--esi <esi:remove>a --> b</esi:remove> c-->d", "  cd");
    check("<!--esi a <!-- b --> c", " a <!-- b  c");
    check("<!--esi a--><!-- b --><!--esi c-->", " a<!-- b --> c");
    check("<!--esi <!--esi a-->b", " <!--esi ab");
    check("<!--esi <esi:include src=\"/-->\"/>-->b", " [/-->]b");
}

#[test]
fn unclosed_elements_are_reported() {
    for (body, expected) in [
        ("a<esi:remove>b", "a"),
        ("a<esi:remove>b</esi:remove", "a"),
        ("a<!--esi b", "a b"),
        ("a<!--esi b--", "a b--"),
    ] {
        for size in [1, 3, usize::MAX] {
            let (found, unclosed) = parsed(body.as_bytes(), || size);
            assert_eq!((found.as_str(), unclosed), (expected, true), "{body}");
        }
    }
}

#[test]
fn length_of_a_tag_is_limited() {
    let tag = |bytes: usize| {
        let frame = "<esi:include src=\"/\"/>".len();
        format!("<esi:include src=\"/{}\"/>", "x".repeat(bytes - frame))
    };
    let (found, _) = parsed(tag(TAG_BYTES_MAX).as_bytes(), || 1000);
    assert!(found.starts_with("[/x"), "{found}");
    let long = tag(TAG_BYTES_MAX + 1);
    check(&long, &long);
    check(
        &format!("{long}<esi:include src=\"/x\"/>"),
        &format!("{long}[/x]"),
    );
}

#[test]
fn invalid_utf8_is_kept() {
    let mut parser = Parser::default();
    let body = b"\xff<p>\x00<esi:include src=\"/\xff\"/>\xfe<esi:include src=\"/x\"/>";
    let pieces = parser.feed(body);
    let text = b"\xff<p>\x00<esi:include src=\"/\xff\"/>\xfe".to_vec();
    assert_eq!(pieces, [Piece::Text(text), include("/x")]);
}

#[test]
fn any_chunking_gives_the_same_output() {
    const WORDS: [&str; 26] = [
        "<esi:include src=\"/x\"/>",
        "<esi:include ",
        "src=\"/y\"",
        "/>",
        ">",
        "<",
        "\"",
        "'",
        "<esi:remove>",
        "</esi:remove>",
        "</esi:remove",
        "<!--",
        "<!--esi ",
        "<!--esi",
        "-->",
        "--",
        "-",
        "<esi:comment text=\"c\"/>",
        "text ",
        "<p>",
        "</esi:",
        "<esi:",
        "esi",
        "\u{e9}",
        " ",
        "!",
    ];
    let seed = std::env::var("EDGEKEEP_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("EDGEKEEP_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..5_000 {
        let mut body: Vec<u8> = Vec::new();
        for _ in 0..random.usize(0..24) {
            match random.u8(0..20) {
                0 => body.push(random.u8(..)),
                1 => body.resize(body.len() + random.usize(0..TAG_BYTES_MAX * 2), b'a'),
                _ => body.extend_from_slice(WORDS[random.usize(..WORDS.len())].as_bytes()),
            }
        }
        let whole = parsed(&body, || usize::MAX);
        let cut = parsed(&body, || random.usize(1..9));
        let text = String::from_utf8_lossy(&body);
        assert!(whole == cut, "round {round}: {text}");
    }
}

#[test]
fn parser_holds_back_at_most_one_tag() {
    // Nothing of these is removed, so all input that is not yet output is held
    // back.
    const WORDS: [&str; 12] = [
        "<esi:include ",
        "<esi:",
        "</esi:",
        "<!--esi",
        "<!--",
        "-->",
        "<",
        ">",
        "'",
        "\"",
        "<esi:vars a='",
        "text",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut most = 0;
    for _ in 0..200 {
        let mut parser = Parser::default();
        let mut held = 0;
        for _ in 0..200 {
            let word = match random.u8(0..8) {
                0 => "a".repeat(random.usize(0..TAG_BYTES_MAX)),
                _ => WORDS[random.usize(..WORDS.len())].to_owned(),
            };
            if word.ends_with('>') && held > 0 {
                continue; // would complete a tag
            }
            // Whitespace after this would open a comment.
            let word = word.replace("<!--esi", "<!--esi.");
            held += word.len();
            for piece in parser.feed(word.as_bytes()) {
                match piece {
                    Piece::Text(text) => held -= text.len(),
                    Piece::Include(_) => unreachable!("there is no whole tag"),
                }
            }
            most = most.max(held);
        }
    }
    assert!(
        (TAG_BYTES_MAX / 2..=TAG_BYTES_MAX).contains(&most),
        "{most}"
    );
}
