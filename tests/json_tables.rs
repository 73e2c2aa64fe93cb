//! Shows that JSON is read and printed as RFC 8259 has it: by tables, and
//! beside `serde_json` on texts that mean something and on broken ones.

use edgekeep::http::json::Json;
use serde_json::Value;

#[track_caller]
fn check(text: &str, printed: &str) {
    let read = Json::read(text).expect(text);
    assert_eq!(read.to_string(), printed, "{text}");
    assert_eq!(Json::read(printed), Ok(read), "{printed}");
}

#[test]
fn values_are_read_and_printed() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "18446744073709551615",
        "-1",
        "1.50",
        "-0",
        "1e400",
        "1E+2",
        "\"\"",
        "[]",
        "{}",
        "[[]]",
        "[1,[2],{}]",
        r#"{"a":1,"b":[null],"a":{"c":""}}"#,
        "\"é\u{1f600}\u{7f}\u{2028}/\"",
        r#""\"\\\n\r\t\b\f\u0000\u001f""#,
    ] {
        check(text, text);
    }
    check(" \t\r\n[ 1 , 2 ]\n", "[1,2]");
    check("{ \"a\" : 1 , \"b\" : 2 }", r#"{"a":1,"b":2}"#);
    check(
        r#""\u0041\/\u00e9\uD83D\ude00\u000a""#,
        "\"A/é\u{1f600}\\n\"",
    );
}

#[test]
fn other_texts_are_refused_and_the_place_is_named() {
    #[track_caller]
    fn check(text: &str, place: &str) {
        let problem = Json::read(text).expect_err(text);
        assert!(problem.ends_with(place), "{text}: {problem}");
        assert!(problem.len() > place.len() + 8, "{text}: {problem}");
    }
    check("", "line 1 column 1");
    check("[", "line 1 column 2");
    check("[1,]", "line 1 column 4");
    check("[1 2]", "line 1 column 4");
    check("{\"a\":1,}", "line 1 column 8");
    check("{\n  \"a\": nul\n}", "line 2 column 8");
    check("{a:1}", "line 1 column 2");
    check("{\"a\" 1}", "line 1 column 6");
    check("[] x", "line 1 column 4");
    check("\u{feff}{}", "line 1 column 1");
    check("\"a", "line 1 column 3");
    check("\"a\nb\"", "line 1 column 3");
    for text in [
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "-",
        "1.e2",
        "--1",
        "NaN",
        "Infinity",
        "'a'",
        "True",
        "nulls",
        "[}",
        "{]",
        "{\"a\"}",
        "{1:2}",
        ",",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800a\"",
        "\"\t\"",
        "/**/1",
    ] {
        assert!(Json::read(text).is_err(), "{text}");
    }
    assert!(Json::read_bytes(b"\"\xff\"").is_err());
    assert_eq!(Json::read_bytes("\"é\"".as_bytes()), Ok(Json::from("é")));
}

#[test]
fn only_so_much_is_read_in_each_other() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Json::read(&nested(100)).is_ok());
    assert!(Json::read(&nested(101)).is_err());
    assert!(Json::read(&"[".repeat(1_000_000)).is_err());
    assert!(Json::read(&"{\"a\":".repeat(200_000)).is_err());
}

/// What another reader makes of the same text, if it has no number that ours
/// keeps as it is.
fn told(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Bool(yes) => Json::from(*yes),
        Value::Number(number) => Json::from(number.as_u64()?),
        Value::String(text) => Json::from(text),
        Value::Array(items) => Json::List(items.iter().map(told).collect::<Option<_>>()?),
        Value::Object(members) => Json::Table(
            members
                .iter()
                .map(|(name, value)| Some((name.clone(), told(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

/// A value without the order of its members.
fn sorted(json: Json) -> Json {
    match json {
        Json::List(items) => Json::List(items.into_iter().map(sorted).collect()),
        Json::Table(members) => {
            // Of members of one name, the last counts.
            let members: std::collections::BTreeMap<String, Json> =
                members.into_iter().map(|(n, v)| (n, sorted(v))).collect();
            Json::Table(members.into_iter().collect())
        }
        other => other,
    }
}

fn has_other_number(json: &Json) -> bool {
    match json {
        Json::OtherNumber(_) => true,
        Json::List(items) => items.iter().any(has_other_number),
        Json::Table(members) => members.iter().any(|(_, value)| has_other_number(value)),
        _ => false,
    }
}

#[test]
fn two_readers_take_and_mean_the_same() {
    const PIECES: [&str; 34] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\"a\"",
        "\"b\":",
        "{\"a\":",
        "1",
        "-",
        "0",
        "12.5",
        "e3",
        "true",
        "false",
        "null",
        " ",
        "\n",
        "\\",
        "\\n",
        "\\u00e9",
        "\\ud83d",
        "\\ude00",
        "é",
        "\u{1f600}",
        "\u{1}",
        "[1,2]",
        "{}",
        "\"\\\"\"",
        "18446744073709551616",
        ",\"c\":2",
        "x",
    ];
    let mut random = fastrand::Rng::with_seed(8259);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..200_000 {
        let mut text = String::new();
        for _ in 0..random.usize(1..9) {
            text.push_str(PIECES[random.usize(..PIECES.len())]);
        }
        let (ours, theirs) = (Json::read(&text), serde_json::from_str::<Value>(&text));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                good += 1;
                assert_eq!(Json::read(&ours.to_string()).as_ref(), Ok(&ours), "{text}");
                let printed = serde_json::from_str::<Value>(&ours.to_string());
                assert_eq!(printed.ok().as_ref(), Some(&theirs), "{text}");
                if !has_other_number(&ours) {
                    assert_eq!(Some(sorted(ours)), told(&theirs).map(sorted), "{text}");
                }
            }
            (Err(_), Err(_)) => bad += 1,
            // It reads numbers, and so has a largest one.
            (Ok(_), Err(theirs)) if theirs.to_string().contains("out of range") => {}
            (ours, theirs) => panic!("{text:?}: {ours:?}, but {theirs:?}"),
        }
    }
    assert!(good > 5_000 && bad > 50_000, "{good} good, {bad} bad");
}
