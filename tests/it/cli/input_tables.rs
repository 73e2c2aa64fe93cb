//! Selectors from arguments and files.

use edgekeep::cache::purge::order::PurgeKind::{Host, Prefix, Tag, Url};
use edgekeep::cli::orders::selectors::{InputSelector, checked, lines, listed, parse_line};

fn of(kind: edgekeep::cache::purge::order::PurgeKind, text: &str) -> Option<InputSelector> {
    Some(InputSelector::Of(kind, text.to_owned()))
}

#[test]
fn line_is_a_url_or_a_selector_as_receipts_have_it() {
    let cases = [
        ("https://a.test/x?y=1", of(Url, "https://a.test/x?y=1")),
        ("http://a.test/", of(Url, "http://a.test/")),
        ("url:https://a.test/x", of(Url, "https://a.test/x")),
        ("url:a.test/x", of(Url, "https://a.test/x")),
        ("tag:front", of(Tag, "front")),
        ("tag:article:7", of(Tag, "article:7")),
        ("prefix:a.test/blog", of(Prefix, "a.test/blog")),
        (
            "prefix:https://a.test/blog",
            of(Prefix, "https://a.test/blog"),
        ),
        ("host:a.test", of(Host, "a.test")),
        ("everything", Some(InputSelector::Everything)),
        ("front", None),
        ("/page", None),
        ("a.test/x", None),
        ("TAG:front", None),
        ("path:a.test/x", None),
        ("everything:", None),
    ];
    for (line, expected) in cases {
        assert_eq!(parse_line(line).ok(), expected, "{line}");
    }
}

#[test]
fn empty_lines_and_comments_are_skipped_and_counted() {
    let text = "\u{feff}tag:a\r\n\r\n# a comment\n   tag:b  \n\ttag:#c\n";
    let expected = [("f:1", "tag:a"), ("f:4", "tag:b"), ("f:5", "tag:#c")];
    let expected = expected.map(|(place, line)| (place.to_owned(), line.to_owned()));
    assert_eq!(lines("f", text), expected);
    assert_eq!(lines("f", ""), []);
}

fn placed(texts: &[&str]) -> Vec<(String, InputSelector)> {
    let places = (1..).map(|number| format!("f:{number}"));
    let selectors = texts.iter().map(|text| parse_line(text).expect("a line"));
    places.zip(selectors).collect()
}

#[test]
fn selectors_are_sent_once_in_their_sequence() {
    let items = checked(placed(&[
        "tag:b",
        "tag:a",
        "tag:b",
        "everything",
        "host:b",
        "everything",
    ]));
    let items = items.expect("items");
    let named: Vec<_> = items.iter().map(|i| (i.list, i.text.as_str())).collect();
    assert_eq!(
        named,
        [
            ("tags", "b"),
            ("tags", "a"),
            ("purge_everything", ""),
            ("hosts", "b")
        ]
    );
}

#[test]
fn wrong_selectors_are_all_named_by_their_place() {
    let selectors = placed(&[
        "tag:good",
        "tag:two words",
        "url:https://",
        "prefix:a.test/x?q",
        "host:a.test/x",
        "tag:edgekeep-x",
    ]);
    let problem = checked(selectors).expect_err("an error");
    let lines: Vec<&str> = problem.lines().collect();
    assert_eq!(lines.len(), 6, "{problem}");
    assert_eq!(lines[0], "nothing was sent:");
    for (line, place) in lines[1..].iter().zip(["f:2", "f:3", "f:4", "f:5", "f:6"]) {
        assert!(line.starts_with(&format!("  {place}: ")), "{line}");
    }
}

#[test]
fn list_of_wrong_lines_is_short() {
    let wrong: Vec<_> = (0..500)
        .map(|n| (format!("f:{n}"), "bad".to_owned()))
        .collect();
    let text = listed(&wrong).expect("a text");
    assert_eq!(text.lines().count(), 22);
    assert!(text.ends_with("and 480 more"), "{text}");
    assert_eq!(listed(&[]), None);
}
