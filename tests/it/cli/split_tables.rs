//! Splitting what a command names into orders: within the Worker's limits, and
//! without losing, repeating or moving an item.

use edgekeep::cache::config::limits::{SITEMAPS_MAX, URLS_MAX};
use edgekeep::cache::purge::order::{ORDER_BYTES_MAX, SELECTORS_MAX, read};
use edgekeep::cache::warm::warm_order;
use edgekeep::cli::orders::split::{
    Item, OrderLimits, PURGE_LIMITS, SplitError, WARM_LIMITS, split,
};
use serde_json::{Map, Value, json};
use testkit::settings::rules;

fn items(list: &'static str, texts: impl Iterator<Item = String>) -> Vec<Item> {
    texts.map(|text| Item { list, text }).collect()
}

fn tags(count: usize) -> Vec<Item> {
    items("tags", (0..count).map(|n| format!("tag-{n}")))
}

fn urls(list: &'static str, count: usize, bytes: usize) -> Vec<Item> {
    let url = |n: usize| format!("{:a<bytes$}", format!("https://www.example.com/{n:06}/"));
    items(list, (0..count).map(url))
}

fn shared(value: Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn orders(items: &[Item], fields: Value, limits: OrderLimits) -> Vec<Value> {
    let bodies = split(items, &shared(fields), limits).expect("orders");
    let too_long = bodies.iter().find(|body| body.len() > ORDER_BYTES_MAX);
    assert_eq!(too_long.map(String::len), None);
    let order = |body: &String| serde_json::from_str(body).expect("JSON");
    bodies.iter().map(order).collect()
}

/// The items of an order, list by list.
fn listed(order: &Value) -> Vec<(&str, &str)> {
    let lists = order.as_object().expect("an object").iter();
    lists
        .flat_map(|(list, texts)| {
            let texts = texts.as_array().into_iter().flatten();
            texts.map(move |text| (list.as_str(), text.as_str().expect("a text")))
        })
        .collect()
}

/// Checks how many items each order has, and that all orders together have
/// exactly the items, in their sequence within each list.
#[track_caller]
fn check(items: &[Item], limits: OrderLimits, counts: &[usize]) {
    let orders = orders(items, json!({}), limits);
    let sizes: Vec<_> = orders.iter().map(|order| listed(order).len()).collect();
    assert_eq!(sizes, counts);
    let of_list = |name: &str| -> Vec<&str> {
        let sent = orders.iter().flat_map(listed);
        sent.filter(|(list, _)| *list == name)
            .map(|(_, t)| t)
            .collect()
    };
    for name in ["files", "tags", "urls", "sitemaps"] {
        let given = items.iter().filter(|item| item.list == name);
        let given: Vec<&str> = given.map(|item| item.text.as_str()).collect();
        assert_eq!(of_list(name), given, "{name}");
    }
}

#[test]
fn order_has_at_most_the_limit_of_selectors() {
    assert_eq!(SELECTORS_MAX, 1000);
    for (count, counts) in [
        (1, vec![1]),
        (1000, vec![1000]),
        (1001, vec![1000, 1]),
        (2500, vec![1000, 1000, 500]),
    ] {
        check(&tags(count), PURGE_LIMITS, &counts);
    }
    let mut mixed = tags(600);
    mixed.extend(urls("files", 600, 60));
    check(&mixed, PURGE_LIMITS, &[1000, 200]);
}

#[test]
fn order_is_within_the_limit_of_bytes_and_nearly_full() {
    let files = urls("files", 1000, 300);
    let bodies = split(&files, &Map::new(), PURGE_LIMITS).expect("orders");
    assert!(bodies.len() > 1);
    let (last, full) = bodies.split_last().expect("orders");
    assert!(last.len() <= ORDER_BYTES_MAX);
    for body in full {
        // A URL with its quotes and comma takes 303, and the estimate of an
        // order's frame is at most 16 bytes too long.
        let room = ORDER_BYTES_MAX.checked_sub(body.len()).expect("within");
        assert!(room < 303 + 16, "{room} bytes of room");
    }
}

#[test]
fn worker_reads_every_order() {
    let rules = rules(json!({}));
    let mut all = tags(1500);
    all.extend(urls("files", 800, 200));
    all.extend(items(
        "prefixes",
        (0..300).map(|n| format!("www.example.com/{n}")),
    ));
    all.extend(items("hosts", (0..300).map(|n| format!("{n}.example.com"))));
    // JSON escapes both characters.
    all.extend(items(
        "tags",
        (0..900).map(|n| format!("{n}{}", "\"\\".repeat(150))),
    ));
    let fields = json!({ "soft": true, "refresh": true });
    let bodies = split(&all, &shared(fields), PURGE_LIMITS).expect("orders");
    let mut count = 0;
    for body in &bodies {
        assert!(body.len() <= ORDER_BYTES_MAX);
        let order = read(&rules, body.as_bytes(), false).expect("an order");
        order.check_size().expect("a size");
        assert_eq!(order.refused, []);
        count += listed(&serde_json::from_str(body).expect("JSON")).len();
    }
    assert_eq!(count, all.len());
}

#[test]
fn only_orders_with_files_have_refresh() {
    let mut all = tags(1000);
    all.extend(urls("files", 2, 60));
    let orders = orders(&all, json!({ "soft": true, "refresh": true }), PURGE_LIMITS);
    let has = |order: &Value| (order["soft"].is_boolean(), order["refresh"].is_boolean());
    let has: Vec<_> = orders.iter().map(has).collect();
    assert_eq!(has, [(true, false), (true, true)]);
}

#[test]
fn everything_is_a_field_of_one_order() {
    let mut all = tags(1000);
    let everything = Item {
        list: "purge_everything",
        text: String::new(),
    };
    all.push(everything);
    let orders = orders(&all, json!({}), PURGE_LIMITS);
    assert_eq!(orders.len(), 2);
    assert_eq!(orders[1], json!({ "purge_everything": true }));
}

#[test]
fn longest_item_fits_and_a_longer_one_is_an_error() {
    let one = |bytes: usize| {
        let tag = items("tags", std::iter::once("t".repeat(bytes)));
        split(&tag, &Map::new(), PURGE_LIMITS)
    };
    let room = ORDER_BYTES_MAX - r#"{"tags":[""]}"#.len();
    // The estimate of the frame is at most 16 bytes too long.
    assert!(one(room - 16).is_ok());
    for bytes in [room + 1, room + 1000] {
        assert_eq!(one(bytes), Err(SplitError::TooLong("t".repeat(60))));
    }
}

#[test]
fn orders_to_warm_have_limits_of_each_list() {
    assert_eq!((URLS_MAX, SITEMAPS_MAX), (1000, 20));
    check(&urls("urls", 1001, 60), WARM_LIMITS, &[1000, 1]);
    check(&urls("sitemaps", 45, 60), WARM_LIMITS, &[20, 20, 5]);
    let mut both = urls("urls", 1000, 60);
    both.extend(urls("sitemaps", 20, 60));
    check(&both, WARM_LIMITS, &[1020]);
    let rules = rules(json!({}));
    for body in split(&both, &shared(json!({ "limit": 5 })), WARM_LIMITS).expect("orders") {
        let order = warm_order::read(&rules, body.as_bytes()).expect("an order");
        assert_eq!((order.refused.len(), order.limit), (0, 5));
    }
    // Without items, the order means those of the settings.
    assert_eq!(orders(&[], json!({}), WARM_LIMITS), [json!({})]);
}
