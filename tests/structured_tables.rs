//! Shows that structured fields are read as RFC 9651 has them: by a table, and
//! beside the crate `sfv` on whole and broken ones.

#[path = "given/random.rs"]
mod random;

use edgekeep::http::structured::{self, Item, Member};
use random::Hostile;
use sfv::{BareItem, Dictionary, List, ListEntry, Parser};

fn item(item: &sfv::Item) -> Item {
    match &item.bare_item {
        BareItem::Boolean(yes) => Item::Boolean(*yes),
        BareItem::Integer(number) => Item::Integer(i64::from(*number)),
        BareItem::String(text) => Item::Text(text.as_str().to_owned()),
        _ => Item::Other,
    }
}

fn member(entry: &ListEntry) -> Member {
    match entry {
        ListEntry::Item(one) => Member::Item(item(one)),
        ListEntry::InnerList(list) => Member::List(list.items.iter().map(item).collect()),
    }
}

/// Both readers on a text; whether it is a list, and whether a dictionary.
fn both(text: &str) -> (bool, bool) {
    let list: Option<List> = Parser::new(text).parse().ok();
    let list = list.map(|list| list.iter().map(member).collect::<Vec<_>>());
    assert_eq!(structured::list(text), list, "{text:?}");
    let dictionary: Option<Dictionary> = Parser::new(text).parse().ok();
    let sorted = |mut members: Vec<(String, Member)>| {
        members.sort_by(|(a, _), (b, _)| a.cmp(b));
        members
    };
    let dictionary = dictionary.map(|found| {
        let members = found.iter();
        sorted(
            members
                .map(|(key, entry)| (key.as_str().to_owned(), member(entry)))
                .collect(),
        )
    });
    let ours = structured::dictionary(text).map(sorted);
    assert_eq!(ours, dictionary, "{text:?}");
    (list.is_some(), dictionary.is_some())
}

#[test]
fn fields_are_read() {
    let text = |text: &str| Member::Item(Item::Text(text.to_owned()));
    assert_eq!(
        structured::list(r#"  "a" ,	"b\"\\";c;d=1 ,7, ("x" ?1);e, tok/en "#),
        Some(vec![
            text("a"),
            text("b\"\\"),
            Member::Item(Item::Integer(7)),
            Member::List(vec![Item::Text("x".to_owned()), Item::Boolean(true)]),
            Member::Item(Item::Other),
        ])
    );
    let found = structured::dictionary("a=1, b;x=?0, a=-2, c=()");
    let members = found.expect("a dictionary");
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(members[0].1, Member::Item(Item::Integer(-2)));
    assert_eq!(members[1].1, Member::Item(Item::Boolean(true)));
    assert_eq!(structured::list(""), Some(Vec::new()));
}

const EXAMPLES: [&str; 28] = [
    "",
    " ",
    "a",
    "a=1, b=2",
    "max-age=60, stale-if-error=10;x",
    "\"a\", \"b c\", \"\\\"\\\\\"",
    "key-order, params=(\"a\" \"b%20\"), except=()",
    "(\"a\" 1 ?0);q=0.5, (), ( a  b )",
    "?1, ?0, ?2",
    "999999999999999, -999999999999999, 1000000000000000",
    "1.5, -0.123, 123456789012.123, 1234567890123.1, 1., .5, 1.2345",
    ":aGVsbG8=:, :aGVsbG8:, ::, :YQ==:, :Y=:, :a:",
    "@1659578233, @-1, @1.5",
    "%\"f%c3%bc\", %\"\", %\"%C3\", %\"%c3\"",
    "*tok:en/1, T!#$%&'*+-.^_`|~",
    "a;b;c=1;  d=\"x\"",
    "a,b,",
    "a ,\tb",
    "a\t",
    "a;=1",
    "A=1",
    "*a=1, a*_-.0=2",
    "a=b=c",
    "a=1 b=2",
    "\"a",
    "\"a\u{7f}\"",
    "\"\u{e9}\"",
    "(a b",
];

#[test]
fn two_readers_take_and_mean_the_same() {
    let mut hostile = Hostile::new();
    let (mut lists, mut dictionaries, mut bad) = (0, 0, 0);
    for text in EXAMPLES.iter().flat_map(|text| text.split(", ")) {
        both(text);
    }
    for _ in 0..200_000 {
        let (list, dictionary) = both(&hostile.text(&EXAMPLES));
        lists += usize::from(list);
        dictionaries += usize::from(dictionary);
        bad += usize::from(!list && !dictionary);
    }
    assert!(
        lists > 10_000 && dictionaries > 10_000 && bad > 10_000,
        "{lists} {dictionaries} {bad}"
    );
}
