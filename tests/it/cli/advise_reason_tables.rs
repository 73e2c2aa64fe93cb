//! What `advise` makes of the reasons in Edgekeep's log.

use super::advise_tables::{check, line, log_of};
use edgekeep::cli::advise::Advice;
use serde_json::json;

#[test]
fn reasons_of_the_log_decide_what_is_proposed() {
    let rows = |path: &'static str, cache: &'static str, word: &'static str| {
        let more = json!({ "detail": ["retried", word] });
        log_of((0..400).map(move |_| line(path, cache, more.clone())))
    };
    let check_text = |advice: &Advice| advice.rules[0].proposals[0].check.clone();
    // The origin says why: no lifetime mends it.
    let advice = check(&rows("/", "miss", "private"), &["not-stored"]);
    assert!(advice.remarks[0].text.contains(": private (400)."));
    let advice = check(
        &rows("/", "miss", "no-freshness"),
        &["no-lifetime / edge_ttl = 60"],
    );
    let text = check_text(&advice).expect("a check");
    assert!(!text.contains("no-freshness"), "{text}");
    // A bypass by something else than a cookie.
    check(&rows("/static/a.css", "bypass", "upgrade"), &[]);
    let stored = line("/static/a.css", "miss", json!({ "age": 0, "ttl": 3600 }));
    let more = json!({ "detail": ["cookie"] });
    let bypass = (0..100).map(|_| line("/static/a.css", "bypass", more.clone()));
    let advice = check(
        &log_of([stored].into_iter().chain(bypass)),
        &["cookie /static/* bypass_cookies = []", "cookie"],
    );
    let text = check_text(&advice).expect("a check");
    assert!(!text.contains("Cache-Status"), "{text}");
}
