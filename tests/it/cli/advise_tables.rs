//! `edgekeep advise`: logs and the rules that are proposed for them.

use edgekeep::cli::advise::access_log;
use edgekeep::cli::advise::log::{Log, LogLimits};
use edgekeep::cli::advise::proposal::toml;
use edgekeep::cli::advise::records::RECORD_BYTES_MAX;
use edgekeep::cli::advise::{Advice, advise, read};
use serde_json::{Value, json};
use std::fmt::Write;

/// The default of `--least`, in percent.
const LEAST: f64 = 0.5;

fn access(text: &str, origin_ttl: Option<u64>) -> Log {
    read(text.as_bytes(), true, origin_ttl).expect("a log")
}

fn lines(text: &str) -> Log {
    read(text.as_bytes(), false, None).expect("a log")
}

/// The causes and settings of an advice, and the causes of its remarks.
fn found(advice: &Advice) -> Vec<String> {
    let proposals = advice.rules.iter().flat_map(|rule| &rule.proposals);
    let texts = proposals.map(|p| format!("{} {} {} = {}", p.cause, p.rule, p.setting, p.value));
    let remarks = advice.remarks.iter().map(|remark| remark.cause.to_owned());
    texts.chain(remarks).collect()
}

/// Checks the findings, and that the TOML is accepted and brings the hits.
#[track_caller]
fn check_with(log: &Log, settings: Value, least: f64, expected: &[&str]) -> Advice {
    let advice = advise(log, &settings, least).expect("an advice");
    assert_eq!(found(&advice), expected);
    let proposals = advice.rules.iter().flat_map(|rule| &rule.proposals);
    let brought: u64 = proposals.map(|proposal| proposal.hits).sum();
    assert_eq!(
        advice.after,
        advice.before + brought,
        "disjoint groups add up"
    );
    if settings == json!({}) && !advice.rules.is_empty() {
        let table: toml::Table = toml(&advice.rules).parse().expect("TOML");
        let pasted = serde_json::to_value(&table["vars"]["EDGEKEEP"]).expect("JSON");
        let again = advise(log, &pasted, least).expect("an advice");
        assert_eq!(
            again.before, advice.after,
            "the pasted rules bring the hits"
        );
        assert_eq!(again.rules.len(), 0, "nothing more to propose");
    }
    advice
}

#[track_caller]
pub fn check(log: &Log, expected: &[&str]) -> Advice {
    check_with(log, json!({}), LEAST, expected)
}

/// Rows of an access log with columns: seconds, target, bytes.
fn columns(rows: impl Iterator<Item = (u64, String, u64)>) -> String {
    let mut text = "seconds\tclient\tmethod\ttarget\tstatus\tbytes\tuser_agent\n".to_owned();
    for (seconds, target, bytes) in rows {
        writeln!(text, "{seconds}\t1\tGET\t{target}\t200\t{bytes}\tx").expect("a line");
    }
    text
}

fn page(n: u64, bytes: u64) -> (u64, String, u64) {
    (n * 10, "/page".to_owned(), bytes)
}

#[test]
fn empty_log_proposes_nothing() {
    for text in [
        "",
        "\n\n",
        "seconds\tclient\tmethod\ttarget\tstatus\tbytes\tuser_agent\n",
    ] {
        let advice = check(&access(text, None), &[]);
        assert_eq!((advice.before, advice.after), (0, 0));
    }
    check(&lines(""), &[]);
}

#[test]
fn lifetime_of_access_log_is_as_long_as_pages_stay_equal() {
    let same = |n| page(n, 100);
    let log = access(&columns((0..1000).map(same)), None);
    // 10,000 seconds: an hour costs two hits more than the longest would.
    let advice = check(&log, &["no-lifetime /page edge_ttl = 3600"]);
    assert_eq!((advice.before, advice.after), (0, 997));
    let checks = &advice.rules[0].proposals[0].check;
    assert!(
        checks
            .as_deref()
            .is_some_and(|text| text.contains("no lifetime"))
    );

    // A new page every 4,000 seconds: five minutes are too long.
    let log = access(&columns((0..1000).map(|n| page(n, n / 400))), None);
    check(&log, &["no-lifetime /page edge_ttl = 60"]);
    // Another page each time.
    let log = access(&columns((0..1000).map(|n| page(n, n))), None);
    check(&log, &[]);
    // The origin's own lifetime is long enough.
    let log = access(&columns((0..1000).map(same)), Some(86_400));
    check(&log, &[]);
    // It is not.
    let log = access(&columns((0..1000).map(same)), Some(20));
    check(&log, &["revalidated /page edge_ttl = 3600"]);
}

#[test]
fn parameter_is_proposed_if_all_lengths_are_equal() {
    let shop = |bytes: fn(u64) -> u64| {
        let row = move |n: u64| (n, format!("/shop/{}?ref={n}&id={}", n % 3, n % 2), bytes(n));
        access(&columns((0..600).map(row)), Some(86_400))
    };
    // Pages differ by id.
    let by_id = |n: u64| 1000 + n % 2;
    let advice = check(
        &shop(by_id),
        &[r#"parameter /shop/* query = {"deny":["ref"]}"#],
    );
    assert_eq!((advice.before, advice.after), (0, 594));
    let proposal = &advice.rules[0].proposals[0];
    let text = proposal.check.as_deref().unwrap_or_default();
    assert!(text.contains("equal length is not equal content"), "{text}");
    // One page in a hundred depends on ref.
    check(
        &shop(|n| 1000 + n % 2 + if n % 100 == 99 { 7 } else { 0 }),
        &[],
    );
}

#[test]
fn tracking_parameters_are_dropped_already() {
    let row = |n: u64| (n, format!("/a?utm_source={n}"), 5);
    let advice = check(&access(&columns((0..100).map(row)), Some(3600)), &[]);
    assert_eq!(advice.before, 99);
}

/// The line of a request with some of its fields.
pub fn line(path: &str, cache: &str, more: Value) -> Value {
    let mut line = json!({
        "event": "request", "host": "www.example.com", "method": "GET", "path": path,
        "status": 200, "cache": cache, "reads": [], "stores": [], "origin": 1, "ms": 3, "notes": [],
    });
    let more = more.as_object().cloned().expect("an object");
    line.as_object_mut().expect("an object").extend(more);
    line
}

pub fn log_of(rows: impl Iterator<Item = Value>) -> Log {
    let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
    lines(&rows.join("\n"))
}

#[test]
fn parameter_with_many_values_is_to_be_checked_without_lengths() {
    let stored = |path: String| line(&path, "miss", json!({ "age": 0, "ttl": 3600 }));
    let log = log_of((0..300).map(|n| stored(format!("/list/?session={n}"))));
    let advice = check(&log, &[r#"parameter /list/* query = {"deny":["session"]}"#]);
    let text = advice.rules[0].proposals[0]
        .check
        .clone()
        .unwrap_or_default();
    assert!(text.contains("the log does not show bodies"), "{text}");
    // The number of a page matters.
    let log = log_of((0..300).map(|n| stored(format!("/list/?page={}", n % 9))));
    check(&log, &[]);
}

#[test]
fn lifetime_that_ends_although_the_validator_stays() {
    let confirmed = json!({ "age": 0, "ttl": 60 });
    let rows = (0..400).map(|_| line("/news/", "revalidated", confirmed.clone()));
    // Without times: 400 lifetimes of a minute.
    let log = log_of(rows);
    let advice = check(&log, &["revalidated /news/* edge_ttl = 21600"]);
    assert_eq!(advice.before, 0);
    assert_eq!(advice.rules[0].proposals[0].check, None);
    // Each time the origin sends a new page instead.
    let log = log_of((0..400).map(|_| line("/news/", "miss", confirmed.clone())));
    check(&log, &[]);
}

#[test]
fn response_that_is_never_stored_gets_a_short_lifetime_to_be_checked() {
    let log = log_of((0..400).map(|_| line("/", "miss", json!({}))));
    // No time passes.
    check(&log, &["no-lifetime / edge_ttl = 60"]);
    let tail = |n: u64| {
        let text = line("/", "miss", json!({})).to_string();
        json!({
            "outcome": "ok", "scriptName": "edgekeep", "exceptions": [],
            "logs": [{ "message": [text], "level": "log", "timestamp": 1_700_000_000_000 + n * 10_000 }],
            "eventTimestamp": 1_700_000_000_000 + n * 10_000,
            "event": { "request": { "url": "https://www.example.com/", "method": "GET", "headers": {} } },
        })
    };
    for pretty in [true, false] {
        let text: String = (0..400)
            .map(|n| match pretty {
                true => format!("{:#}\n", tail(n)),
                false => format!("{}\n", tail(n)),
            })
            .collect();
        let log = lines(&text);
        assert!(log.has_times);
        let advice = check(&log, &["no-lifetime / edge_ttl = 300"]);
        let text = advice.rules[0].proposals[0]
            .check
            .clone()
            .unwrap_or_default();
        assert!(text.contains("no-freshness"), "{text}");
    }
}

#[test]
fn cookie_bypass_is_mended_for_static_files_only() {
    let rows = |path: &'static str| {
        let stored = line(path, "miss", json!({ "age": 0, "ttl": 3600 }));
        let bypass = (0..100).map(move |_| line(path, "bypass", json!({})));
        log_of([stored].into_iter().chain(bypass))
    };
    let cookie = r"cookie /static/* bypass_cookies = []";
    let advice = check_with(
        &rows("/static/a.css"),
        json!({}),
        LEAST,
        &[cookie, "cookie"],
    );
    assert_eq!(advice.after, 100);
    check(&rows("/account/"), &["cookie"]);
    // A rule says so: no cookie.
    let rule = json!({ "rules": [{ "path": "/account/*", "cache": false }] });
    check_with(&rows("/account/"), rule, LEAST, &[]);
}

#[test]
fn vary_with_many_values_is_a_remark() {
    let variants = |count: u64| {
        log_of((0..200).map(move |n| {
            let entry = format!("https://www.example.com/?edgekeep={:032x}", n % count);
            let more = json!({ "age": 0, "ttl": 9, "key": format!("{:032x}", 7), "entry": entry });
            line("/", "miss", more)
        }))
    };
    let advice = check(&variants(40), &["vary"]);
    assert_eq!(advice.remarks[0].requests, 39);
    assert!(advice.remarks[0].text.contains("/ (40 variants)"));
    check(&variants(8), &[]);
}

#[test]
fn withheld_fields_and_cookies_are_remarks() {
    // The texts of flow::fetch::withheld.
    let notes = [
        "vary-on-dropped: the answer varies on x-shop, which the origin does not get, so all …",
        "cookie-withheld: the origin did not get the cookies theme, lang. If pages depend on …",
        "https://backend.example.net: status 503",
    ];
    let row = line("/", "hit", json!({ "age": 1, "ttl": 9, "notes": notes }));
    let log = log_of((0..10).map(|_| row.clone()));
    let expected = ["withheld-field", "withheld-cookie", "withheld-cookie"];
    let advice = check(&log, &expected);
    assert!(
        advice.remarks[0]
            .text
            .contains("key_headers = [\"x-shop\"]")
    );
    let source = include_str!("../../../src/flow/fetch/withheld.rs");
    for text in [
        "varies on {fields}, which the origin",
        "the cookies {cookies}. If pages",
    ] {
        assert!(source.contains(text), "the note has changed: {text}");
    }
}

#[test]
fn proposal_below_the_threshold_is_left_out() {
    // 1,000 requests, of which 6 for a page that could have 5 hits.
    let row = |n: u64| match n {
        0..6 => page(n, 1),
        _ => (n * 10, format!("/{n}"), 1),
    };
    let log = access(&columns((0..1000).map(row)), None);
    let one = ["no-lifetime /page edge_ttl = 60"];
    check_with(&log, json!({}), 0.5, &one);
    check_with(&log, json!({}), 0.51, &[]);
}

#[test]
fn settings_in_use_are_changed_and_never_replaced() {
    let row = |n: u64| (n * 10, format!("/shop/{}?ref={n}", n % 2), 7);
    let log = access(&columns((0..1000).map(row)), None);
    let settings = json!({ "rules": [
        { "path": "/admin/*", "cache": false },
        { "path": "/shop/*", "edge_ttl": 86400, "query": { "deny": ["src"] } },
    ] });
    let expected = [r#"parameter rules[1] query = {"deny":["src","ref"]}"#];
    let advice = check_with(&log, settings, LEAST, &expected);
    let text = toml(&advice.rules);
    assert!(text.contains("# Change in rules[1]"), "{text}");
    assert!(!text.contains("[[vars"), "{text}");
    // A new rule is behind the others, so that these keep their URLs.
    let settings = json!({ "rules": [{ "path": "/shop/1", "cache": false }] });
    let expected = [
        "no-lifetime /shop/* edge_ttl = 60",
        r#"parameter /shop/* query = {"deny":["ref"]}"#,
    ];
    let none = advise(&log, &settings, LEAST).expect("an advice");
    assert_eq!(
        found(&none),
        &expected[..0],
        "one cannot bring hits without the other"
    );
}

#[test]
fn hosts_have_rules_of_their_own() {
    let row = |n: u64| {
        let host = if n.is_multiple_of(2) {
            "a.example.com"
        } else {
            "b.example.com"
        };
        line(
            "/",
            "revalidated",
            json!({ "host": host, "age": 0, "ttl": 60 }),
        )
    };
    let log = log_of((0..400).map(row));
    let expected = [
        "revalidated a.example.com/ edge_ttl = 3600",
        "revalidated b.example.com/ edge_ttl = 3600",
    ];
    check(&log, &expected);
}

#[test]
fn combined_log_format_is_read() {
    let at = |n: u64| format!("10/Oct/2026:13:{:02}:{:02} -0700", n / 60, n % 60);
    let row = |n| format!("192.0.2.1 - - [{}] \"GET /a.png HTTP/1.1\" 200 2326", at(n));
    for end in ["", " \"https://www.example.com/\" \"Mozilla/5.0 (x)\""] {
        let text: String = (0..600).map(|n| format!("{}{end}\n", row(n))).collect();
        let log = access(&text, None);
        assert_eq!((log.rows.len(), log.unreadable), (600, 0));
        assert_eq!(log.seconds(), 599);
        // 13:00 seven hours west of Greenwich.
        assert_eq!(log.rows[0].at % 86_400, 20 * 3600);
        check(&log, &["no-lifetime /a.png edge_ttl = 300"]);
    }
}

#[test]
fn hostile_lines_are_counted_and_skipped() {
    let long = format!(
        "{{\"event\":\"request\",\"path\":\"/{}\"}}",
        "a".repeat(RECORD_BYTES_MAX)
    );
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"logs\":{deep}");
    let bad = [
        "not JSON",
        "null",
        "[]",
        "{}",
        "{\"event\":7}",
        "{\"event\":\"request\"",
        r#"{"event":"request","status":99999}"#,
        r#"{"event":"request","cache":"hit","method":"GET","host":"www.example.com","path":7}"#,
        r#"{"event":"request","cache":"hit","method":"GET","host":"a b","path":"/"}"#,
        r#"{"event":"request","cache":"hit","method":"GET","host":"www.example.com","path":"x"}"#,
        r#"{"event":"request","cache":"hit","method":"GET","host":"","path":"/"}"#,
        r#"{"event":"request","cache":"hit","age":-1,"method":"GET","path":"/"}"#,
        r#"{"logs":[{"message":["{"]}]}"#,
        &long,
        &deep,
        &nested,
    ];
    let good = line("/", "hit", json!({ "age": u64::MAX, "ttl": i64::MIN })).to_string();
    for text in bad {
        let log = lines(&format!("{text}\n{good}\n"));
        assert_eq!((log.rows.len(), log.unreadable), (1, 1), "{:.80}", text);
        check(&log, &[]);
    }
    let no_request = [
        r#"{"event":"problem","part":"settings","problem":"x"}"#,
        r#"{"event":"request","cache":"admin","method":"GET","path":"/.edgekeep/purge"}"#,
    ];
    for text in no_request {
        let log = lines(&format!("{text}\n{good}"));
        assert_eq!((log.rows.len(), log.skipped), (1, 1), "{text}");
    }
    let log = lines(r#"{"logs":[{"message":7},{"message":[null,{"a":1},"text"]}],"event":null}"#);
    assert_eq!(
        (log.rows.len(), log.unreadable),
        (0, 0),
        "another program's lines"
    );
    let bad = [
        "\u{0}",
        "a\tb",
        "1\t1\tGET\t/\tx\t1",
        "-1\t1\tGET\t/\t200\t1",
        "1\t1\tGET\tx\t200\t1",
        "x - - [10/Oct/2026] \"GET / HTTP/1.1\" 200 1",
        "x - - [a:b c] \"GET / HTTP/1.1\" 200 1",
        "x - - [10/Oct/2026:13:55:36 +99999999999999999999] \"GET / HTTP/1.1\" 200 1",
        "x - - [10/Oct/2026:13:55:36 é0000] \"GET / HTTP/1.1\" 200 1",
        "x - - [10/Oct/2026:13:55:36 +0000] \"\\x16\\x03\" 400 0",
        "x - - [10/Oct/2026:13:55:36 +0000] \"GET / HTTP/1.1\" 999 0",
    ];
    for text in bad {
        let log = access(text, None);
        assert_eq!((log.rows.len(), log.unreadable), (0, 1), "{text}");
    }
    let bytes: &[u8] = b"\xff\xfe\n{\"event\":\"problem\"}";
    let log = read(bytes, false, None).expect("a log");
    assert_eq!((log.unreadable, log.skipped), (1, 1));
}

#[test]
fn toml_has_no_text_that_the_log_chose() {
    let path = "/a\"]\u{7f}\u{1b}[31m'x/b";
    let more = json!({ "age": 0, "ttl": 60 });
    let log = log_of((0..400).map(|n| {
        let path = format!("{path}?\u{7f}\u{1b}[2Jx=\u{85}{n}\u{2028}");
        line(&path, "revalidated", more.clone())
    }));
    let advice = advise(&log, &json!({}), LEAST).expect("an advice");
    let text = toml(&advice.rules);
    assert!(text.parse::<toml::Table>().is_ok(), "{text}");
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
}

#[test]
fn memory_is_bounded() {
    let bounded = |limits: LogLimits, targets: &[&str]| {
        let mut log = Log::with_limits(limits);
        let mut line = |target: &&str| {
            let text = format!("1\t1\tGET\t{target}\t200\t1");
            access_log::add(&mut log, &text, None)
        };
        let all = targets.iter().all(&mut line);
        assert_eq!(all, !log.is_cut);
        (log.urls.len(), log.rows.len(), log.over_limit, log.is_cut)
    };
    let limits = LogLimits::default();
    let rows = LogLimits { rows: 2, ..limits };
    assert_eq!(bounded(rows, &["/", "/"]), (1, 2, 0, false));
    assert_eq!(bounded(rows, &["/", "/", "/"]), (1, 2, 0, true));
    let urls = LogLimits { urls: 2, ..limits };
    assert_eq!(bounded(urls, &["/a", "/b", "/a"]), (2, 3, 0, false));
    assert_eq!(bounded(urls, &["/a", "/b", "/c", "/a"]), (2, 3, 1, false));
    let one = "https://site.invalid/a".len();
    let url_bytes = |url_bytes| LogLimits {
        url_bytes,
        ..limits
    };
    assert_eq!(bounded(url_bytes(2 * one), &["/a", "/b"]), (2, 2, 0, false));
    assert_eq!(
        bounded(url_bytes(2 * one - 1), &["/a", "/b"]),
        (1, 1, 1, false)
    );
}
