//! What the probe reads of a response, and the fields that it sends.

use edgekeep::cli::probe::exchange::{ProbeExchange, ProbeRequest};
use edgekeep::cli::probe::request_fields::{REQUEST_FIELDS, SentField};
use edgekeep::http::fields::Fields;
use edgekeep::http::url::Url;
use std::collections::BTreeSet;

fn exchange(status: u16, fields: &[(&str, &str)], body: &str, sent_ms: u64) -> ProbeExchange {
    let mut read = Fields::new();
    for (name, value) in fields {
        read.add(name, value);
    }
    ProbeExchange {
        request: ProbeRequest {
            is_head: false,
            url: "https://a.test/?edgekeep-probe=one".to_owned(),
            buster: "one".to_owned(),
            fields: Vec::new(),
        },
        status,
        fields: read,
        body: body.to_owned(),
        sent_ms,
    }
}

#[test]
fn hits_of_many_caches_are_read() {
    let hits = [
        ("x-cache", "HIT"),
        ("x-cache", "MISS, HIT"),
        ("x-cache", "Hit from cloudfront"),
        ("x-cache", "TCP_HIT from a.test"),
        ("cf-cache-status", "HIT"),
        ("x-vercel-cache", "HIT"),
        ("cache-status", "Edgekeep; hit; ttl=5"),
        ("cache-status", "ExampleCache; hit"),
        ("age", "1"),
        ("x-cache-hits", "0, 2"),
    ];
    let others = [
        ("x-cache", "MISS"),
        ("x-cache", "hit-for-pass"),
        ("cf-cache-status", "DYNAMIC"),
        ("cache-status", "Edgekeep; fwd=uri-miss; stored"),
        ("cache-status", "Edgekeep; fwd=miss; detail=hit-for-miss"),
        ("age", "0"),
        ("age", "old"),
        ("x-cache-hits", "0"),
        ("x-other", "HIT"),
    ];
    for (name, value) in hits {
        let read = exchange(200, &[(name, value)], "", 0);
        assert!(read.hit_mark().is_some(), "{name}: {value}");
        assert!(read.reports_cache(), "{name}: {value}");
    }
    for (name, value) in others {
        let read = exchange(200, &[(name, value)], "", 0);
        assert_eq!(read.hit_mark(), None, "{name}: {value}");
    }
}

#[test]
fn equal_dates_show_a_hit_after_more_than_a_second() {
    let date = [("date", "Mon, 30 Nov 2026 21:00:00 GMT")];
    let first = exchange(200, &date, "", 1000);
    let soon = exchange(200, &date, "", 1900);
    let late = exchange(200, &date, "", 2100);
    assert_eq!(soon.cached_since(&first), None);
    assert!(late.cached_since(&first).is_some());
    let none = exchange(200, &[], "", 1000);
    assert_eq!(exchange(200, &[], "", 9000).cached_since(&none), None);
}

#[test]
fn responses_are_alike_by_status_location_type_and_length() {
    let html = [("content-type", "text/html")];
    let page = exchange(200, &html, &"x".repeat(8000), 0);
    let is_like = |status, fields: &[(&str, &str)], length| {
        exchange(status, fields, &"y".repeat(length), 0).is_like(&page)
    };
    assert!(is_like(200, &html, 8000));
    assert!(is_like(200, &html, 7000));
    assert!(!is_like(200, &html, 6900));
    assert!(!is_like(404, &html, 8000));
    assert!(!is_like(200, &[("content-type", "text/plain")], 8000));
    let moved = [("content-type", "text/html"), ("location", "/?e=one")];
    assert!(!is_like(200, &moved, 8000));
}

#[test]
fn about_sixty_fields_have_values_of_their_own() {
    assert!(REQUEST_FIELDS.len() >= 60);
    let url = Url::parse("https://a.test:8443/page").expect("a URL");
    let mut canaries = BTreeSet::new();
    for (number, field) in (1..).zip(REQUEST_FIELDS) {
        let sent = SentField::new(field, &url, &format!("ekp0123456789x{number}z"));
        if let Some(canary) = sent.canary {
            let value = format!(":{}", sent.value);
            assert!(value.contains(&canary), "{}: {value}", sent.name);
            assert!(
                canaries.insert(canary),
                "{} has another's canary",
                sent.name
            );
        }
        // A request must not change the site.
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_ne!(sent.value, method);
        }
    }
    assert!(canaries.len() >= 40);
}
