//! Tests of `GET /.edgekeep/events`: who may watch, by which credentials, and
//! what a watcher sees.

use edgekeep::cache::config::keys::KeyRule;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::wire::Order;
use edgekeep::flow::endpoints::events::{REPLAYED_MAX, publish, replay};
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use serde_json::{Value, json};
use std::cell::Cell;
use testkit::ledger::{Database, append, order};
use testkit::stage::Stage;
use testkit::worker::{NOW_MS, TestWorker};
use testkit::world::{WATCHERS_MAX, secrets};

const EVENTS: &str = "GET http://a.test/.edgekeep/events";
const UPGRADE: &str = " | Upgrade: websocket | Connection: Upgrade";

fn settings() -> Value {
    json!({
        "origin": "http://origin.test",
        "keys": [
            { "name": "t-all", "secret": "STORY_T_ALL" },
            { "name": "t-some", "secret": "STORY_T_SOME", "may": { "hosts": ["b.test"], "tags": ["b-*"] } },
            { "name": "t-none", "secret": "STORY_T_NONE", "may": {} },
            { "name": "t-boss", "secret": "STORY_T_BOSS", "may": {}, "admin": true },
        ],
    })
}

fn worker() -> TestWorker {
    TestWorker::new(&settings(), |variable| Some(secrets::of_variable(variable)))
}

/// A line that asks for a WebSocket.
fn line(query: &str, more: &str) -> String {
    format!("{EVENTS}{query}{UPGRADE}{more}")
}

fn bearer(key: &str) -> String {
    format!(" | Authorization: Bearer {}", secrets::token(key))
}

#[test]
fn watchers_are_authenticated() {
    let worker = worker();
    let token = secrets::token("default");
    let weak = secrets::token("t-none");
    let protocol = |names: &str| format!(" | Sec-WebSocket-Protocol: {names}");
    for (query, more, status) in [
        ("", String::new(), 401),
        ("", bearer("nobody"), 401),
        ("", protocol("edgekeep.v1"), 401),
        ("", protocol("edgekeep.v1, edgekeep.token.token_wrong"), 401),
        ("", protocol("edgekeep.v1, edgekeep.token."), 401),
        // Only the field is looked at.
        (&format!("?token={token}"), String::new(), 401),
        (&format!("?after=1&token={token}"), bearer("default"), 400),
        ("?after=x", bearer("default"), 400),
        ("?after=-1", bearer("default"), 400),
        ("?before=1", bearer("default"), 400),
        ("", bearer("default"), 101),
        ("?after=5", bearer("t-none"), 101),
        (
            "",
            protocol(&format!("edgekeep.v1, edgekeep.token.{token}")),
            101,
        ),
        (
            "",
            protocol(&format!("edgekeep.token.{token} ,edgekeep.v1")),
            101,
        ),
        // Two fields are one list.
        (
            "",
            protocol("edgekeep.v1") + &protocol(&format!("edgekeep.token.{token}")),
            101,
        ),
        // A client that does not speak our protocol could not read it.
        ("", protocol(&format!("edgekeep.token.{token}")), 400),
        ("", protocol("chat") + &bearer("default"), 400),
        ("", protocol("edgekeep.v1") + &bearer("t-some"), 101),
        // The usual field goes first.
        (
            "",
            protocol(&format!("edgekeep.v1, edgekeep.token.{token}")) + &bearer("nobody"),
            401,
        ),
        (
            "",
            protocol(&format!("edgekeep.v1, edgekeep.token.{token}")) + &bearer("t-some"),
            101,
        ),
        // Not in another field of a WebSocket.
        ("", format!(" | Sec-WebSocket-Key: {weak}"), 401),
    ] {
        let answer = worker.send(&line(query, &more));
        assert_eq!(answer.status, status, "{query}{more}: {answer:?}");
        let field = answer.fields.get("sec-websocket-protocol");
        assert!(field.is_none_or(|field| !field.contains("token")));
    }
    let watchers = &worker.world.state.borrow().watchers;
    let seen: Vec<_> = watchers
        .iter()
        .map(|one| (one.key.as_str(), one.after, one.has_protocol))
        .collect();
    assert_eq!(
        seen,
        [
            ("default", None, false),
            ("t-none", Some(5), false),
            ("default", None, true),
            ("default", None, true),
            ("default", None, true),
            ("t-some", None, true),
            ("t-some", None, true),
        ]
    );
}

#[test]
fn signature_of_the_address_proves_a_watcher() {
    let worker = worker();
    let seconds = NOW_MS / 1000;
    let signed = |target: &str| {
        let signature = secrets::sign(&secrets::hmac("default"), "w1", seconds, target);
        format!(" | webhook-id: w1 | webhook-timestamp: {seconds} | webhook-signature: {signature}")
    };
    let right = signed("GET a.test/.edgekeep/events?after=7");
    worker.check(&line("?after=7", &right), 101);
    worker.check(&line("?after=8", &right), 401);
    worker.check(&line("", &right), 401);
}

#[test]
fn request_without_upgrade_gets_426() {
    let worker = worker();
    for upgrade in ["", " | Upgrade: h2c", " | Upgrade: websocketX"] {
        let request = format!("{EVENTS}{upgrade}{}", bearer("default"));
        let answer = worker.send(&request);
        assert_eq!(answer.status, 426, "{answer:?}");
        assert_eq!(answer.fields.get("upgrade"), Some("websocket"));
        assert_eq!(answer.fields.get("cache-control"), Some("no-store"));
        let problem = worker.check(&request, 426);
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|text| text.contains("wss://"))
        );
    }
    let any_case = format!("{EVENTS} | Upgrade: h2c, WebSocket{}", bearer("default"));
    worker.check(&any_case, 101);
    for method in ["POST", "HEAD", "PUT"] {
        let request = line("", &bearer("default")).replacen("GET", method, 1);
        let answer = worker.send(&request);
        assert_eq!(
            (answer.status, answer.fields.get("allow")),
            (405, Some("GET"))
        );
    }
}

#[test]
fn watcher_gets_503_when_there_are_too_many_or_no_ledger() {
    let worker = worker();
    for _ in 0..WATCHERS_MAX {
        worker.check(&line("", &bearer("default")), 101);
    }
    let full = worker.send(&line("", &bearer("default")));
    assert_eq!(
        (full.status, full.fields.get("retry-after")),
        (503, Some("60"))
    );
    worker.world.state.borrow_mut().down.push("ledger");
    let down = worker.send(&line("", &bearer("default")));
    assert_eq!(
        (down.status, down.fields.get("retry-after")),
        (503, Some("5"))
    );
}

fn keys() -> Vec<KeyRule> {
    Rules::read_json(&settings().to_string())
        .expect("settings")
        .keys
        .clone()
}

fn key<'a>(keys: &'a [KeyRule], name: &str) -> &'a KeyRule {
    keys.iter().find(|key| key.name == name).expect("a key")
}

/// An order of a key.
fn by(key: &str, order: Order) -> Order {
    Order {
        key: Some(key.to_owned()),
        ..order
    }
}

/// What a key reads after a number, and whether it has everything then.
fn read<S: edgekeep::flow::ledger::sql::Sql>(
    ledger: &LedgerStore<S>,
    key: &KeyRule,
    after: Option<u64>,
) -> (Vec<Value>, bool) {
    let mut all = Vec::new();
    let is_whole = replay(ledger, key, after, &mut |text| {
        all.push(serde_json::from_str(text).expect("JSON"));
        true
    });
    (all, is_whole.expect("a ledger"))
}

#[test]
fn key_sees_its_own_orders_and_what_it_may_purge() {
    let ledger = Database::new().open(0);
    for order in [
        by(
            "t-all",
            order(
                "one",
                &["tag:b-1", "tag:secret", "url:a.test/x", "url:b.test/x"],
                &["host:b.test", "tag:b"],
            ),
        ),
        by("t-some", order("two", &["tag:b-2", "tag:carried"], &[])),
        by("default", order("three", &["everything"], &[])),
        by(
            "default",
            order(
                "four",
                &["prefix:a.test/b.test", "tag:c-b-1"],
                &["host:c.test"],
            ),
        ),
        by("t-none", order("five", &["tag:of-none"], &[])),
    ] {
        append(&ledger, &order, 5000);
    }
    let keys = keys();
    let seen = |name: &str| -> Vec<String> {
        let (messages, is_whole) = read(&ledger, key(&keys, name), Some(0));
        assert!(is_whole);
        let end = messages.last().cloned();
        assert_eq!(end, Some(json!({ "event": 5 })), "{name}");
        let messages = messages.iter().take(messages.len() - 1);
        messages
            .map(|message| match (&message["order"], &message["purged"]) {
                (Value::Null, purged) => {
                    let names: Vec<_> = purged.as_object().expect("an object").keys().collect();
                    assert_eq!(
                        names,
                        ["hard", "in_force_at", "received_at", "sequence", "soft"]
                    );
                    assert_eq!(purged["in_force_at"], "1970-01-01T00:00:10Z");
                    format!("{} {} {}", message["event"], purged["hard"], purged["soft"])
                }
                (order, Value::Null) => format!(
                    "{} {}",
                    message["event"],
                    order["id"].as_str().unwrap_or_default()
                ),
                both => panic!("{both:?}"),
            })
            .collect()
    };
    let everything = "3 [\"everything\"] []".to_owned();
    assert_eq!(
        seen("default"),
        ["1 one", "2 two", "3 three", "4 four", "5 five"]
    );
    assert_eq!(
        seen("t-boss"),
        seen("default"),
        "an administrator sees all, whatever it may purge"
    );
    assert_eq!(
        seen("t-some"),
        [
            "1 [\"tag:b-1\",\"url:b.test/x\"] [\"host:b.test\"]",
            "2 two",
            &everything,
        ]
    );
    assert_eq!(seen("t-none"), [&everything, "5 five"]);
    assert_eq!(seen("t-all").len(), 5);
    let (messages, _) = read(&ledger, key(&keys, "t-all"), Some(1));
    assert_eq!(
        messages[0]["purged"]["hard"],
        json!(["tag:b-2", "tag:carried"])
    );
    // Nothing of others but these selectors, however it is written.
    let (messages, _) = read(&ledger, key(&keys, "t-some"), Some(0));
    let text = json!(messages).to_string();
    for other in [
        "secret", "a.test", "c.test", "c-b-1", "t-all", "default", "one", "four", "five",
        "webhook-",
    ] {
        assert!(!text.contains(other), "{other}: {text}");
    }
}

#[test]
fn order_in_an_event_is_the_one_of_the_history() {
    let worker = worker();
    let purge = "POST http://a.test/.edgekeep/purge";
    let body = r#"{"tags":["x"],"files":[{"url":"https://a.test/","soft":true}],"refresh":true}"#;
    let receipt = worker.check(&format!("{purge}{} << {body}", bearer("t-all")), 200);
    let id = receipt["id"].as_str().expect("an id");
    let past = worker.check(
        &format!("GET http://a.test/.edgekeep/purges/{id}{}", bearer("t-all")),
        200,
    );
    let keys = keys();
    let (messages, _) = read(&worker.world.ledger.borrow(), key(&keys, "t-all"), Some(0));
    assert_eq!(messages[0]["order"], past);
    assert_eq!(past["refresh"]["pending"], 1);
}

#[test]
fn work_of_an_order_is_seen_by_its_sender_and_administrators() {
    let stage = Stage::new(true);
    let order = Order {
        hard: vec!["tag:b-1".to_owned()],
        soft: vec!["url:b.test/".to_owned()],
        refresh: vec!["https://b.test/".to_owned()],
        key: Some("t-some".to_owned()),
        ..Order::default()
    };
    let receipt = stage.order(order);
    stage.run_out();
    let keys = keys();
    let ledger = stage.world.ledger.borrow();
    let progress = |name: &str, after: u64| read(&ledger, key(&keys, name), Some(after)).0;
    let after = receipt.sequence;
    for name in ["t-some", "default", "t-boss"] {
        let messages = progress(name, after);
        assert_eq!(messages.len(), 2, "{messages:?}");
        let work = &messages[0]["progress"];
        assert_eq!(work["sequence"], after);
        assert_eq!(work["id"], receipt.id);
        assert_eq!(work["fast_lane"]["done"], 1);
        assert_eq!(work["refresh"]["pending"], 0);
        assert_eq!(
            messages[1],
            json!({ "event": ledger.last_event().expect("a number") })
        );
    }
    // It would say how much others do, and its problems name their URLs.
    assert_eq!(progress("t-all", after).len(), 1);
    assert_eq!(progress("t-none", after).len(), 1);
    // One who has not seen the order gets it with its work.
    let messages = progress("default", after - 1);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0]["order"]["fast_lane"]["done"], 1);
}

#[test]
fn watcher_without_a_number_gets_the_position_only() {
    let ledger = Database::new().open(0);
    append(&ledger, &order("a", &["tag:a"], &[]), 0);
    let keys = keys();
    let only = |after| read(&ledger, key(&keys, "default"), after);
    assert_eq!(only(None), (vec![json!({ "event": 1 })], true));
    assert_eq!(only(Some(1)), (vec![json!({ "event": 1 })], true));
    // A number of a time that was restored away: it reads on from here.
    assert_eq!(only(Some(9)), (vec![json!({ "event": 1 })], true));
}

#[test]
fn long_absence_is_read_in_several_connections() {
    let ledger = Database::new().open(0);
    let count = REPLAYED_MAX as u64 * 2 + 50;
    for n in 0..count {
        append(&ledger, &order(&format!("o{n}"), &["tag:a"], &[]), 0);
    }
    let keys = keys();
    // A key that sees nothing of it must get on, too.
    for (name, sees) in [("default", count), ("t-none", 0)] {
        let (mut after, mut seen, mut connections) = (0, 0, 0);
        for connection in 1..10 {
            let (messages, is_whole) = read(&ledger, key(&keys, name), Some(after));
            connections = connection;
            for message in &messages {
                let number = message["event"].as_u64().expect("a number");
                if message.get("order").is_some() {
                    seen += 1;
                    assert_eq!(number, after + 1, "none is lost or repeated");
                }
                assert!(number >= after);
                after = number;
            }
            if is_whole {
                break;
            }
        }
        assert_eq!((seen, after, connections), (sees, count, 3), "{name}");
    }
    // A watcher that takes no more reads on from there.
    let mut sent = 0;
    let is_whole = replay(&ledger, key(&keys, "default"), Some(0), &mut |_| {
        sent += 1;
        sent < 5
    });
    assert_eq!((is_whole, sent), (Ok(false), 5));
}

#[test]
fn what_happens_is_sent_to_each_key_once() {
    let database = Database::new();
    let ledger = database.open(0);
    append(&ledger, &order("before", &["tag:b-0"], &[]), 0);
    let keys = keys();
    let watchers = [key(&keys, "default"), key(&keys, "t-some")];
    let published = Cell::new(ledger.last_event().expect("a number"));
    let sent = |watchers: &[&KeyRule]| {
        let mut sent = Vec::new();
        publish(&ledger, &published, watchers, &mut |key, text| {
            let message: Value = serde_json::from_str(text).expect("JSON");
            sent.push(format!("{} {}", key.name, message["event"]));
        })?;
        Ok::<_, String>(sent)
    };
    assert_eq!(sent(&watchers), Ok(vec![]));
    for n in 0..40 {
        let tag = format!("tag:{}-{n}", if n % 2 == 0 { "a" } else { "b" });
        append(&ledger, &order(&format!("o{n}"), &[&tag], &[]), 0);
    }
    let all = sent(&watchers).expect("sent");
    let of = |name: &str| all.iter().filter(|line| line.starts_with(name)).count();
    assert_eq!((of("default"), of("t-some")), (40, 20));
    assert_eq!(sent(&watchers), Ok(vec![]));
    // What a failure of the database held up is sent the next time.
    append(&ledger, &order("later", &["tag:b-9"], &[]), 0);
    database.fail_at(0, testkit::ledger::Fails::Before);
    assert!(sent(&watchers).is_err());
    database.heal();
    assert_eq!(sent(&watchers).expect("sent").len(), 2);
    // Without watchers nothing is kept for later ones.
    append(&ledger, &order("unseen", &["tag:b-9"], &[]), 0);
    assert_eq!(sent(&[]), Ok(vec![]));
    assert_eq!(sent(&watchers), Ok(vec![]));
}
