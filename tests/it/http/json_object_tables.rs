//! Tests the reading of JSON into structs: only objects, and the paths of errors.

use edgekeep::http::json_object::{pairs, read};
use edgekeep::json_object;
use serde::Deserialize;

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct Inner {
    number: u64,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
struct Outer {
    inner: Inner,
    list: Vec<Inner>,
    #[serde(with = "pairs")]
    named: Vec<(String, u64)>,
}

json_object!(Inner, Outer);

#[test]
fn only_objects_are_read_and_errors_have_paths() {
    let cases = [
        (
            r#"{"inner":{"number":1},"list":[{}],"named":{"b":2,"a":1}}"#,
            "ok",
        ),
        ("[{},[],{}]", "invalid type: sequence, expected a table"),
        ("null", "invalid type: null, expected a table"),
        (
            r#"{"inner":[1]}"#,
            "inner: invalid type: sequence, expected a table",
        ),
        (
            r#"{"list":[{},[2]]}"#,
            "list[1]: invalid type: sequence, expected a table",
        ),
        (
            r#"{"list":[{"number":-1}]}"#,
            "list[0].number: invalid value: integer `-1`, expected u64",
        ),
        (
            r#"{"inner":{"numbr":1}}"#,
            "inner.numbr: unknown field `numbr`, expected `number`",
        ),
        (
            r#"{"inner":{"number":1,"number":2}}"#,
            "inner: duplicate field `number`",
        ),
        (r#"{"named":{"a":1,"a":2}}"#, "named: duplicate field `a`"),
        ("{} {}", "trailing characters at line 1 column 4"),
    ];
    for (text, expected) in cases {
        let read = read::<Outer>(text);
        let read = read.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(read, expected, "{text}");
    }
}
