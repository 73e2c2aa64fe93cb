//! Prices, and the arithmetic of a bill.

use super::about;
use super::prices::{Prices, Use};

const MILLION: f64 = 1e6;

#[track_caller]
fn check_price(used: Use, bill: f64, marginal: f64) {
    let prices = Prices::published();
    let (got_bill, got_marginal) = (prices.bill(&used), prices.marginal(&used));
    assert!(about(bill, got_bill, 1e-9), "bill {got_bill}, not {bill}");
    assert!(
        about(marginal, got_marginal, 1e-9),
        "marginal {got_marginal}, not {marginal}"
    );
}

#[test]
fn a_bill_is_the_fee_and_what_is_beyond_the_included() {
    let of = |requests: f64| Use {
        requests: requests * MILLION,
        ..Use::default()
    };
    // Who uses no Workers pays nothing.
    check_price(Use::default(), 0.0, 0.0);
    check_price(of(1.0), 5.0, 0.3);
    check_price(of(10.0), 5.0, 3.0);
    check_price(of(11.0), 5.3, 3.3);
    // Examples 1 and 4 of Cloudflare's documentation: 7 ms a request.
    let with_cpu = |requests: f64| Use {
        cpu_ms: 7.0 * requests * MILLION,
        ..of(requests)
    };
    check_price(with_cpu(15.0), 8.0, 4.5 + 2.1);
    check_price(with_cpu(100.0), 45.4, 30.0 + 14.0);
    let kv = |reads: f64, writes: f64, gb: f64| Use {
        kv_reads: reads * MILLION,
        kv_writes: writes * MILLION,
        kv_gb_months: gb,
        ..of(1.0)
    };
    check_price(kv(10.0, 1.0, 1.0), 5.0, 0.3 + 5.0 + 5.0 + 0.5);
    check_price(kv(12.0, 1.0, 1.0), 6.0, 0.3 + 6.0 + 5.0 + 0.5);
    check_price(kv(10.0, 3.0, 1.0), 15.0, 0.3 + 5.0 + 15.0 + 0.5);
    check_price(kv(10.0, 1.0, 3.0), 6.0, 0.3 + 5.0 + 5.0 + 1.5);
    // What is left of one allowance pays for no other.
    check_price(kv(0.0, 2.0, 0.0), 10.0, 0.3 + 10.0);
    // Example 1 of the documentation of Durable Objects, not rounded up to a
    // million: half a million requests too many.
    let object = |requests: f64, gb_seconds: f64, read: f64, written: f64| Use {
        object_requests: requests * MILLION,
        object_gb_seconds: gb_seconds,
        object_rows_read: read * MILLION,
        object_rows_written: written * MILLION,
        ..of(1.0)
    };
    check_price(object(1.5, 128e3, 0.0, 0.0), 5.075, 0.3 + 0.225 + 1.6);
    check_price(object(1.0, 1.4e6, 0.0, 0.0), 5.0 + 12.5, 0.3 + 0.15 + 17.5);
    check_price(
        object(1.0, 0.0, 26e3, 52.0),
        5.0 + 1.0 + 2.0,
        0.3 + 0.15 + 26.0 + 52.0,
    );
    // What has no price.
    let free = Use {
        cache_calls: 1e12,
        origin: 1e12,
        ..of(1.0)
    };
    check_price(free, 5.0, 0.3);
}

#[test]
fn prices_tell_when_and_where_they_were_found() {
    let text = include_str!("prices.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("prices.json");
    assert_eq!(all["looked_up"].as_str().map(str::len), Some(10));
    let prices = all.as_object().expect("a table");
    let priced = prices
        .values()
        .filter(|v| v.get("dollars_per_million").is_some());
    let from = |v: &serde_json::Value| v["source"].as_str().map(str::to_owned);
    let sources: Vec<_> = priced.map(from).collect();
    assert_eq!(sources.len(), 11);
    for source in sources {
        let source = source.expect("a source");
        assert!(
            source.starts_with("https://developers.cloudflare.com/"),
            "{source}"
        );
    }
}
