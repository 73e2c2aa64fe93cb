//! Tests of JSON from callers and from other versions: which texts are
//! accepted, which are refused, and the exact form in which the ledger stores
//! and sends.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::config::setting_words::Dialect;
use edgekeep::cache::ledger::wire::{HistoryQuery, Order, PastOrder, Progress, Receipt, Record};
use edgekeep::cache::purge::order::{self, NotOrder, ORDER_BYTES_MAX};
use edgekeep::cache::purge::purge_call::{Action, PurgeCall};
use edgekeep::cache::warm::warm_order;
use edgekeep::flow::ledger::ledger_store::Reply;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::flow::response::request_log::{RequestLog, problem_line, setting_problem_line};
use edgekeep::http::fields::Fields;
use edgekeep::http::json_object::{print, read};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use testkit::ledger::{Database, append, order};

fn rules() -> Rules {
    Rules::read_json("{}").expect("settings")
}

fn names(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn receipt() -> Receipt {
    Receipt {
        id: "i".to_owned(),
        sequence: 1,
        received_ms: 2,
        in_force_ms: 3,
        key: None,
        via: "v".to_owned(),
        hard: Vec::new(),
        soft: names(&["tag:\u{1f}\u{7f}é"]),
        cascade: vec![("b".to_owned(), names(&["c"])), ("a".to_owned(), vec![])],
        refresh: 4,
        fast_lane: 5,
    }
}

const RECEIPT: &str = r#"{"id":"i","sequence":1,"received_ms":2,"in_force_ms":3,"key":null,"via":"v","hard":[],"soft":["tag:\u001fDELé"],"cascade":{"b":["c"],"a":[]},"refresh":4,"fast_lane":5}"#;

/// Users' log queries depend on names, and on which fields are omitted.
#[test]
fn log_lines() {
    let hit = RequestLog {
        event: "request",
        host: "a.test".to_owned(),
        method: "GET".to_owned(),
        path: "/\"\\\u{1}\u{7f}é".to_owned(),
        status: 200,
        cache: "hit",
        tier: Some("cache-api"),
        age: Some(1),
        ttl: Some(-2),
        key: Some("k".to_owned()),
        entry: Some("e".to_owned()),
        reads: vec!["cache-api"],
        fragments: Some(3),
        collapsed: true,
        hit: true,
        detail: vec!["stale-if-error"],
        began_ms: 5,
        ..RequestLog::default()
    };
    let expected = r#"{"event":"request","host":"a.test","method":"GET","path":"/\"\\\u0001DELé","status":200,"cache":"hit","tier":"cache-api","age":1,"ttl":-2,"key":"k","entry":"e","reads":["cache-api"],"stores":[],"origin":0,"fragments":3,"ms":0,"notes":[],"collapsed":true,"detail":["stale-if-error"]}"#;
    assert_eq!(print(&hit), expected.replace("DEL", "\u{7f}"));
    assert_eq!(
        print(&RequestLog::default()),
        r#"{"event":"","host":"","method":"","path":"","status":0,"cache":"","reads":[],"stores":[],"origin":0,"ms":0,"notes":[]}"#
    );
    assert_eq!(
        problem_line("kv", "\"\n"),
        r#"{"event":"problem","part":"kv","problem":"\"\n"}"#
    );
    assert_eq!(
        setting_problem_line("rules[2].ttl", "no"),
        r#"{"event":"problem","part":"settings","path":"rules[2].ttl","problem":"no"}"#
    );
}

/// Ledgers have stored these texts, and during a deployment isolates of one
/// version exchange them with a ledger of another. Names and order of fields
/// stay.
#[test]
fn ledger_messages_keep_their_shape() {
    #[track_caller]
    fn check<T>(message: T, text: &str)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let text = text.replace("RECEIPT", RECEIPT).replace("DEL", "\u{7f}");
        assert_eq!(print(&message), text);
        assert_eq!(read::<T>(&text), Ok(message), "{text}");
    }
    check(receipt(), RECEIPT);
    let record = Record {
        body_digest: "d".to_owned(),
        receipt: receipt(),
    };
    check(record, r#"{"body_digest":"d","receipt":RECEIPT}"#);
    let order = Order {
        id: None,
        body_digest: "d".to_owned(),
        key: Some("k".to_owned()),
        via: "webhook".to_owned(),
        hard: names(&["tag:a"]),
        soft: Vec::new(),
        cascade: receipt().cascade,
        refresh: names(&["u"]),
        lag_seconds: 5,
        after: u64::MAX,
        scope: None,
    };
    check(
        order,
        r#"{"id":null,"body_digest":"d","key":"k","via":"webhook","hard":["tag:a"],"soft":[],"cascade":{"b":["c"],"a":[]},"refresh":["u"],"lag_seconds":5,"after":18446744073709551615}"#,
    );
    check(
        Order::default(),
        r#"{"id":null,"body_digest":"","key":null,"via":"","hard":[],"soft":[],"cascade":{},"refresh":[],"lag_seconds":0,"after":0}"#,
    );
    let found = PastOrder {
        receipt: receipt(),
        fast_lane: Progress {
            pending: 1,
            done: 2,
            failed: 3,
            problem: Some("p".to_owned()),
        },
        refresh: Progress::default(),
        more: false,
    };
    check(
        vec![found],
        r#"[{"receipt":RECEIPT,"fast_lane":{"pending":1,"done":2,"failed":3,"problem":"p"},"refresh":{"pending":0,"done":0,"failed":0}}]"#,
    );
    let reply = |receipt| Reply {
        receipt,
        feed: "n\n".to_owned(),
    };
    check(
        reply(Some(receipt())),
        r#"{"receipt":RECEIPT,"news":"n\n"}"#,
    );
    check(reply(None), r#"{"receipt":null,"news":"n\n"}"#);
    check(HistoryQuery::Id("a\"b".to_owned()), r#"{"Id":"a\"b"}"#);
    check(
        HistoryQuery::After {
            after: 7,
            limit: 20,
        },
        r#"{"After":{"after":7,"limit":20}}"#,
    );
}

#[test]
fn ledger_messages_of_other_versions() {
    let receipt = |more: &str| {
        let text = format!(
            r#"{{"id":"a","sequence":1,"received_ms":2,"in_force_ms":3,"via":"webhook","refresh":0,"fast_lane":0{more}}}"#
        );
        read::<Receipt>(&text).map_err(|error| error.to_string())
    };
    let plain = receipt("").expect("a receipt");
    assert_eq!((plain.key, plain.hard.len()), (None, 0));
    let newer = receipt(r#","key":null,"hard":["a"],"of_a_newer_version":{"a":[1.5]}"#);
    assert_eq!(newer.expect("a receipt").hard, ["a"]);
    let wrong = |more: &str| receipt(more).expect_err(more);
    for (more, path) in [
        (r#","hard":"a""#, "hard: "),
        (r#","hard":null"#, "hard: "),
        (r#","hard":["a",1]"#, "hard[1]: "),
        (r#","cascade":{"a":[1]}"#, "cascade.a[0]: "),
        (r#","cascade":[["a",[]]]"#, "cascade: "),
        (
            r#","cascade":{"a":[],"a":[]}"#,
            "cascade: duplicate field `a`",
        ),
        (r#","key":7"#, "key: "),
        (r#","id":"b""#, "duplicate field `id`"),
    ] {
        let problem = wrong(more);
        assert!(problem.starts_with(path), "{more}: {problem}");
    }
    let problem = read::<Receipt>("{}").map_err(|error| error.to_string());
    assert_eq!(problem, Err("missing field `id`".to_owned()));
}

#[test]
fn ledger_messages_are_objects() {
    #[track_caller]
    fn refused<T: DeserializeOwned + Debug>(text: &str) {
        let text = text.replace("RECEIPT", RECEIPT);
        let problem = read::<T>(&text).expect_err(&text);
        assert!(!problem.is_syntax, "{text}: {problem}");
    }
    let list = r#"["i",1,2,3,null,"v",[],[],{},4,5]"#;
    refused::<Receipt>(list);
    refused::<Receipt>("null");
    refused::<Record>(&format!(r#"{{"body_digest":"d","receipt":{list}}}"#));
    refused::<Record>(r#"{"body_digest":"d","receipt":null}"#);
    refused::<Record>(r#"["d",RECEIPT]"#);
    refused::<Order>(r#"[null,"d",null,"v",[],[],{},[],5,0]"#);
    refused::<Reply>(r#"[RECEIPT,"n"]"#);
    // Neither true nor false.
    refused::<Reply>(r#"{"news":"n"}"#);
    refused::<Reply>(r#"{"receipt":RECEIPT}"#);
    refused::<Vec<PastOrder>>(r#"[[RECEIPT,{},{}]]"#);
    refused::<Vec<PastOrder>>(r#"[{"receipt":RECEIPT,"fast_lane":[0,0,0],"refresh":[0,0,0]}]"#);
    for question in [
        "{}",
        "null",
        "[]",
        r#""Id""#,
        r#"{"Id":null}"#,
        r#"{"After":[7,20]}"#,
        r#"{"After":null}"#,
        r#"{"After":{"after":7}}"#,
        r#"{"After":{"after":-7,"limit":1}}"#,
        r#"{"After":{"after":7,"after":8,"limit":1}}"#,
        r#"{"Of":{}}"#,
    ] {
        assert!(read::<HistoryQuery>(question).is_err(), "{question}");
    }
}

/// Texts of a damaged database or a hostile version.
#[test]
fn unreadable_records_are_errors() {
    let ledger = Database::new().open(0);
    append(&ledger, &order("one", &["tag:a"], &[]), 0);
    let good = format!(r#"{{"body_digest":"d","receipt":{RECEIPT}}}"#);
    let put = |text: &str| {
        let statement = "UPDATE receipts SET record = ?";
        ledger.sql().run(statement, &[text.into()]).expect("done");
        let found = ledger.history(&HistoryQuery::Id("one".to_owned()));
        let again = ledger.append(&order("one", &["tag:a"], &[]), 0);
        assert_eq!(found.is_ok(), again.is_ok(), "{text:.80}");
        found.is_ok()
    };
    assert!(put(&good));
    assert!(put(&good.replace("\"v\"", r#""\ud83d\ude00\u0000""#)));
    // Ignored at any depth, without recursion.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(put(&good.replacen('{', &format!("{{\"newer\":{deep},"), 1)));
    for text in broken(&good, "\"v\"") {
        assert!(!put(&text), "{text:.80}");
    }
    for number in ["1e999", "18446744073709551616", "-1", "1.5", "1.0", "\"1\""] {
        let text = good.replace("\"sequence\":1", &format!("\"sequence\":{number}"));
        assert!(!put(&text), "{number}");
    }
}

/// Parses a body with one of the parsers of callers' bodies.
type Reader = fn(&Rules, &[u8]) -> Result<bool, NotOrder>;

/// Whether a purge order is parsed without refusals.
fn purge_order(rules: &Rules, body: &[u8]) -> Result<bool, NotOrder> {
    order::read(rules, body, true).map(|draft| draft.refused.is_empty())
}

/// The same for an order to warm.
fn warm_order(rules: &Rules, body: &[u8]) -> Result<bool, NotOrder> {
    warm_order::read(rules, body).map(|draft| draft.refused.is_empty())
}

/// The same for Fastly's call with tags in its body.
fn fastly_call(rules: &Rules, body: &[u8]) -> Result<bool, NotOrder> {
    let call = PurgeCall {
        dialect: Dialect::Fastly,
        action: Action::Tags(None),
    };
    let draft = call.parse(rules, &Fields::new(), body)?;
    Ok(draft.refused.is_empty())
}

const BODIES: [(Reader, &str); 3] = [
    (
        purge_order,
        r#"{"tags":["a",{"tag":"b","soft":true}],"files":[{"url":"https://a.test/","headers":{}}],"soft":false}"#,
    ),
    (
        warm_order,
        r#"{"urls":["https://a.test/a"],"sitemaps":["https://a.test/s"],"limit":3,"dry_run":true}"#,
    ),
    (fastly_call, r#"{"surrogate_keys":["a"],"other":[]}"#),
];

#[test]
fn bodies_that_are_not_json_are_refused() {
    let rules = rules();
    for (reader, good) in BODIES {
        assert_eq!(reader(&rules, good.as_bytes()), Ok(true), "{good}");
        let spaced = format!(" \t\r\n{}\n", good.replace(':', " : "));
        let spaced = spaced.replace("https : ", "https:");
        assert_eq!(reader(&rules, spaced.as_bytes()), Ok(true), "{spaced}");
        let string = "\"a\"";
        let string = if good.contains(string) {
            string
        } else {
            "\"https://a.test/a\""
        };
        for text in broken(good, string) {
            let found = reader(&rules, text.as_bytes());
            let expected = match &found {
                Err(NotOrder::Json(problem)) => problem.contains(" at line "),
                _ => false,
            };
            assert!(expected, "{text:.80}: {found:?}");
        }
        // First of another shape, then not JSON.
        for text in [
            "[{",
            "{\"a\":1",
            "{\"a\":1} x",
            "7 7",
            "{\"a\":1,\"a\":\"\\ud800\"}",
        ] {
            let found = reader(&rules, text.as_bytes());
            assert!(matches!(found, Err(NotOrder::Json(_))), "{text}: {found:?}");
        }
        for at in [0, 2, good.len()] {
            let mut bytes = good.as_bytes().to_vec();
            bytes.insert(at, 0xff);
            let found = reader(&rules, &bytes);
            assert!(matches!(found, Err(NotOrder::Json(_))), "{at}: {found:?}");
        }
    }
}

#[test]
fn bodies_of_other_shape_are_refused() {
    #[track_caller]
    fn refused(reader: Reader, body: &str) {
        let found = reader(&rules(), body.as_bytes());
        assert!(
            matches!(found, Err(NotOrder::Shape(_))),
            "{body:.80}: {found:?}"
        );
    }
    for (reader, _) in BODIES {
        for body in ["null", "true", "7", "\"tags\"", "[]", "[{}]", "[[\"a\"]]"] {
            refused(reader, body);
        }
    }
    // Fields by position, which a derived struct would accept.
    refused(purge_order, "[[\"a\"],[],[],[],true]");
    refused(purge_order, "[[],[],[],[],true,false,false,false]");
    refused(warm_order, "[[\"https://a.test/\"],[],1,false]");
    refused(fastly_call, "[[\"a\"]]");
    for (reader, fields) in [
        (
            purge_order as Reader,
            r#""tags":[] "files":[] "prefixes":[] "hosts":[] "purge_everything":true "soft":true "refresh":true "dry_run":true"#,
        ),
        (
            warm_order,
            r#""urls":[] "sitemaps":[] "limit":1 "dry_run":true"#,
        ),
        (fastly_call, r#""surrogate_keys":[]"#),
    ] {
        for field in fields.split(' ') {
            refused(reader, &format!("{{{field},{field}}}"));
            let (name, _) = field.split_once(':').expect("a field");
            for value in ["{}", "\"true\"", "[[", "-1", "1.5"] {
                let body = format!("{{{name}:{value}}}");
                // A list of any values is validated item by item.
                if value != "[[" {
                    refused(reader, &body);
                }
            }
            if name != "\"limit\"" {
                refused(reader, &format!("{{{name}:null}}"));
            }
        }
    }
    // The error quotes the text, but not in full length.
    let long = "x".repeat(ORDER_BYTES_MAX);
    for body in [
        format!("{{\"soft\":\"{long}\"}}"),
        format!("{{\"{long}\":1}}"),
    ] {
        match order::read(&rules(), body.as_bytes(), false) {
            Err(NotOrder::Shape(problem)) => assert_eq!(problem.len(), 500),
            found => panic!("{found:?}"),
        }
    }
    for limit in ["18446744073709551616", "1e2", "1.0", "-0", "\"1\"", "[1]"] {
        refused(warm_order, &format!("{{\"limit\":{limit}}}"));
    }
}

/// A faulty item never becomes a selector, and the rest of the order is
/// validated nevertheless.
#[test]
fn items_of_other_shape_are_refused_by_path() {
    #[track_caller]
    fn check(item: &str, path: &str) {
        let body = format!("{{\"tags\":[\"a\",{item},\"\"]}}");
        let draft = order::read(&rules(), body.as_bytes(), true).expect("an order");
        let paths: Vec<&str> = draft
            .refused
            .iter()
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(paths, [path, "tags[2]"], "{body:.80}");
        assert_eq!(draft.tags(), ["a"], "{body:.80}");
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for item in [
        "null",
        "true",
        "7",
        "18446744073709551616",
        "1e300",
        "[\"b\"]",
        "[\"b\",true]",
        "{}",
        r#"{"soft":true}"#,
        r#"{"tag":"b","tag":"c"}"#,
        r#"{"tag":"b","soft":true,"soft":false}"#,
        &nested(125),
    ] {
        check(item, "tags[1]");
    }
    check(r#"{"tag":["b"]}"#, "tags[1].tag");
    check(r#"{"tag":null}"#, "tags[1].tag");
    check(r#"{"tag":"b","soft":null}"#, "tags[1].soft");
    check(r#"{"tag":"b","soft":[true]}"#, "tags[1].soft");
    check(r#"{"tag":"b","x":1}"#, "tags[1].x");
    check(r#""\u0000""#, "tags[1]");
    check(r#""\ud83d\ude00""#, "tags[1]");
    // The last exceeds the range of a float.
    const NOT_JSON: &str = r#"01 | +1 | .5 | 1. | 1e | - | 1.e2 | --1 | NaN | Infinity | 'a' | True |
        nul | nulls | [} | {] | {"a"} | {1:2} | {"a":1,} | [1,] | [1 2] | "\u+123" | /**/1 | 1e999"#;
    // serde_json parses 127 levels, of which the body takes two.
    let deep = [nested(126), nested(50_000)];
    for item in NOT_JSON.split('|').chain(deep.iter().map(String::as_str)) {
        for (reader, list) in [(purge_order as Reader, "tags"), (warm_order, "urls")] {
            let body = format!("{{\"{list}\":[{item}]}}");
            let found = reader(&rules(), body.as_bytes());
            assert!(
                matches!(found, Err(NotOrder::Json(_))),
                "{body:.80}: {found:?}"
            );
        }
    }
}

/// Invalid JSON texts, derived from a valid one; `string` is a string in it.
fn broken(good: &str, string: &str) -> Vec<String> {
    let mut texts: Vec<String> = [
        r"\ud800",
        r"\udc00",
        r"\ud800\u0041",
        r"\ud800a",
        r"\x",
        r"\u12",
        "\n",
        "\0",
    ]
    .into_iter()
    .map(|escape| good.replacen(string, &format!("\"{escape}\""), 1))
    .collect();
    for more in [" x", "{}", ",", "]", "}", "\0", "/**/", "\u{feff}"] {
        texts.push(format!("{good}{more}"));
    }
    for before in ["\u{feff}", "\0", "/**/", "[", "{"] {
        texts.push(format!("{before}{good}"));
    }
    for bomb in ["[", "{\"a\":", "[{\"a\":"] {
        texts.push(bomb.repeat(100_000));
    }
    texts.push(good.replace('"', "'"));
    texts.push(String::new());
    let starts = (1..good.len()).filter_map(|at| good.get(..at));
    texts.extend(starts.map(str::to_owned));
    texts
}
