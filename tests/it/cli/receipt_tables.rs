//! Receipts: when an order is in force, and whether it was sent before.

use edgekeep::cli::orders::receipt::OrderReceipt;
use edgekeep::cli::orders::wait::path_of;
use edgekeep::http::date;
use serde_json::json;

/// A receipt of this second, with this lag.
fn receipt(received: &str, in_force: &str) -> OrderReceipt {
    let value = json!({
        "id": "msg_1", "sequence": 7, "received_at": received, "in_force_at": in_force,
        "key": "default", "via": "webhook", "hard": ["tag:a"], "soft": [],
        "refresh": { "pending": 2, "done": 1, "failed": 0 }, "later": "unknown",
    });
    OrderReceipt::read(&value).expect("a receipt")
}

#[test]
fn rfc3339_times_are_read_as_they_are_printed() {
    for seconds in [
        0,
        951_782_400,
        1_709_164_800,
        1_796_040_000,
        253_402_300_799,
    ] {
        let text = date::print_rfc3339(seconds * 1000);
        assert_eq!(date::parse_rfc3339(&text), Some(seconds), "{text}");
    }
    for text in [
        "",
        "2026-11-30",
        "2026-11-30T12:00:00",
        "2026-11-30T12:00:00+01:00",
        "2026-11-30T12:00:00.5Z",
        "2026-13-30T12:00:00Z",
        "2026-00-30T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-30T25:00:00Z",
        "2026-1-30T12:00:00Z",
        "26-11-30T12:00:00Z",
    ] {
        assert_eq!(date::parse_rfc3339(text), None, "{text}");
    }
}

#[test]
fn wait_is_the_rest_of_the_lag_by_the_clock_of_the_server() {
    let at = |text: &str| date::parse_rfc3339(text);
    let receipt = receipt("2026-11-30T12:00:00Z", "2026-11-30T12:00:06Z");
    for (now, expected) in [
        (at("2026-11-30T12:00:00Z"), 6000),
        (at("2026-11-30T12:00:04Z"), 2000),
        (at("2026-11-30T12:00:06Z"), 0),
        (at("2026-11-30T13:00:00Z"), 0),
        // A clock that is behind does not make the wait longer.
        (at("2026-11-30T11:00:00Z"), 6000),
        (None, 6000),
    ] {
        assert_eq!(receipt.in_force_in_ms(now), expected, "{now:?}");
    }
}

#[test]
fn order_of_an_earlier_run_is_recognized() {
    let receipt = receipt("2026-11-30T12:00:00Z", "2026-11-30T12:00:06Z");
    let noon = date::parse_rfc3339("2026-11-30T12:00:00Z").expect("a time");
    for (after, run_seconds, expected) in [
        (0, 0, false),
        (1, 0, false),
        (2, 0, true),
        (3600, 0, true),
        // Its receipt was lost, and this run asked again.
        (20, 20, false),
    ] {
        assert_eq!(
            receipt.is_of_earlier_run(noon + after, run_seconds),
            expected,
            "{after}"
        );
    }
}

/// Cloudflare's edge decodes escapes of unreserved characters before the Worker
/// compares the signature with the address.
#[test]
fn ids_are_escaped_in_addresses_but_for_unreserved_characters() {
    for (id, path) in [
        ("msg_2f-1.a~b", "/.edgekeep/purges/msg_2f-1.a~b"),
        (
            "cron 2026-11-30T03:00:00Z",
            "/.edgekeep/purges/cron%202026-11-30T03%3A00%3A00Z",
        ),
        ("a/b?c#d%", "/.edgekeep/purges/a%2Fb%3Fc%23d%25"),
    ] {
        assert_eq!(path_of(id), path);
    }
}

#[test]
fn receipt_is_read_with_its_work() {
    let receipt = receipt("2026-11-30T12:00:00Z", "2026-11-30T12:00:06Z");
    let work: Vec<_> = receipt
        .work
        .parts()
        .map(|(name, p)| (name, p.pending, p.done))
        .collect();
    assert_eq!(work, [("refresh", 2, 1)]);
    assert_eq!(receipt.summary(), "hard tag:a");
    let many: Vec<String> = (0..50).map(|n| format!("tag:{n}")).collect();
    let receipt = OrderReceipt {
        hard: many,
        soft: vec!["everything".to_owned()],
        ..receipt
    };
    let summary = "hard tag:0 tag:1 tag:2 and 47 more; soft everything";
    assert_eq!(receipt.summary(), summary);
    for wrong in [json!({}), json!({ "id": 7 }), json!([])] {
        assert!(OrderReceipt::read(&wrong).is_err(), "{wrong}");
    }
}
