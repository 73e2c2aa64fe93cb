//! Tests of cascades: which tags they add to an order, and which cascades are
//! refused.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::purge::order::NotOrder;
use serde_json::{Value, json};
use testkit::orders::{parse_order, resolve_order};
use testkit::settings::rules;

fn rules_with_cascades(cascades: Value) -> Rules {
    rules(json!({ "cascades": cascades }))
}

#[test]
fn cascade_adds_tags_to_order() {
    let rules = rules_with_cascades(json!([
        { "tag": "article:*", "carries": ["home", "feed"] },
        { "tag": "*:7", "carries": ["seven", "home"] },
        { "tag": "home", "carries": ["root"] },
    ]));
    #[track_caller]
    fn check(rules: &Rules, order: Value, hard: &str, soft: &str, cascade: Value) {
        let found = resolve_order(rules, &order);
        let texts = |names: Vec<String>| names.join(" ").replace("tag:", "");
        assert_eq!(
            (texts(found.hard), texts(found.soft)),
            (hard.to_owned(), soft.to_owned()),
            "{order}"
        );
        let found: std::collections::BTreeMap<_, _> = found.cascade.iter().cloned().collect();
        assert_eq!(json!(found), cascade, "{order}");
    }
    check(&rules, json!({ "tags": ["other"] }), "other", "", json!({}));
    check(
        &rules,
        json!({ "hosts": ["home"] }),
        "host:home",
        "",
        json!({}),
    );
    check(
        &rules,
        json!({ "tags": ["article:1"] }),
        "article:1 home feed root",
        "",
        json!({ "article:1": ["home", "feed"], "home": ["root"] }),
    );
    check(
        &rules,
        json!({ "tags": ["article:7", "feed"] }),
        "article:7 feed home seven root",
        "",
        json!({ "article:7": ["home", "feed", "seven"], "home": ["root"] }),
    );
    check(
        &rules,
        json!({ "tags": ["x:7", { "tag": "article:1", "soft": true }] }),
        "x:7 seven home root",
        "article:1 feed",
        json!({ "x:7": ["seven", "home"], "home": ["root"], "article:1": ["home", "feed"] }),
    );
    // A soft tag that a hard one adds is hard, with all that it adds itself.
    check(
        &rules,
        json!({ "tags": [{ "tag": "home", "soft": true }, "article:1"] }),
        "article:1 home feed root",
        "",
        json!({ "article:1": ["home", "feed"], "home": ["root"] }),
    );
}

#[test]
fn order_whose_cascade_exceeds_limit_is_refused() {
    let long = |n: usize| format!("{}{n}", "c".repeat(1000));
    let carries: Vec<String> = (0..20).map(long).collect();
    let rules = rules_with_cascades(json!([{ "tag": "a*", "carries": carries }]));
    let of = |count: usize| {
        let tags: Vec<String> = (0..count).map(|n| format!("a{n}")).collect();
        parse_order(&rules, &json!({ "tags": tags }))
            .expect("an order")
            .resolve(&rules.cascades)
    };
    assert_eq!(of(3).expect("60 kB").hard.len(), 23);
    assert_eq!(of(4), Err(NotOrder::TooMuchCarried));
}

#[test]
fn cyclic_cascades_are_refused() {
    #[track_caller]
    fn check(cascades: &[(&str, &[&str])], path: &str, part: &str) {
        let cascades: Vec<Value> = cascades
            .iter()
            .map(|(tag, carries)| json!({ "tag": tag, "carries": carries }))
            .collect();
        let error = Rules::read_json(&json!({ "cascades": cascades }).to_string());
        let error = error.expect_err("bad settings");
        assert_eq!(error.path, path, "{error}");
        assert!(error.problem.contains(part), "{error}");
    }
    check(&[("a", &["a"])], "cascades[0].carries[0]", "a -> a");
    check(
        &[("a*", &["x", "ab"])],
        "cascades[0].carries[1]",
        "ab -> ab",
    );
    check(&[("*", &["b"])], "cascades[0].carries[0]", "b -> b");
    check(
        &[("a", &["b"]), ("b", &["c", "d"]), ("d*", &["a"])],
        "cascades[0].carries[0]",
        "b -> d -> a -> b",
    );
    check(
        &[("x", &["y"]), ("a", &["x", "b"]), ("b", &["a"])],
        "cascades[1].carries[1]",
        "b -> a",
    );
}

#[test]
fn cascades_deeper_than_eight_steps_are_refused() {
    let chain = |from: usize, steps: usize| -> Vec<Value> {
        let step = |n| json!({ "tag": format!("t{n}"), "carries": [format!("t{}", n + 1)] });
        (from..from + steps).map(step).collect()
    };
    let found = resolve_order(
        &rules_with_cascades(json!(chain(0, 8))),
        &json!({ "tags": ["t0"] }),
    );
    assert_eq!(found.hard.len(), 9);
    assert_eq!(found.hard[8], "tag:t8");
    let error = Rules::read_json(&json!({ "cascades": chain(0, 9) }).to_string());
    let error = error.expect_err("too deep");
    assert_eq!(error.path, "cascades[0].carries[0]");
    assert!(error.problem.contains("8 steps"), "{error}");
    // The same in reverse order, when the following links are already there.
    let mut backwards = chain(0, 9);
    backwards.reverse();
    let error = Rules::read_json(&json!({ "cascades": backwards }).to_string());
    assert_eq!(error.expect_err("too deep").path, "cascades[8].carries[0]");
    backwards.pop();
    rules_with_cascades(json!(backwards));
    // A long cycle is refused as too deep before it is detected as a cycle.
    let mut ring = chain(0, 19);
    ring.push(json!({ "tag": "t19", "carries": ["t0"] }));
    assert!(Rules::read_json(&json!({ "cascades": ring }).to_string()).is_err());
}
