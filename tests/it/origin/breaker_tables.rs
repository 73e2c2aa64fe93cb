//! Tests of an origin's circuit breaker: when it opens, for how long, which
//! requests pass meanwhile, and how it closes. A reader is a client's IP
//! address.

use edgekeep::cache::config::protection::Protection;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::origin::circuit_breaker::{Breaker, BreakerPass, ResponseVerdict, TRIALS};
use edgekeep::cache::origin::outcomes::{OUTCOMES_MAX, RequestSource, digest};
use serde_json::json;

/// 2026-11-23, 09:00.
const NOW_MS: u64 = 1_795_424_400_000;

const FAILS: ResponseVerdict = ResponseVerdict::Fails {
    retry_after_ms: None,
};

fn limits(failures: u64, pause_seconds: u64) -> Protection {
    let settings = json!({
        "protection": { "breaker_failures": failures, "breaker_pause": pause_seconds }
    });
    let rules = Rules::read_json(&settings.to_string()).expect("settings");
    rules.protection
}

/// Parses `PATH` or `PATH@READER`; without a reader, the path stands for it.
fn source(text: &str) -> RequestSource {
    let (path, reader) = text.split_once('@').unwrap_or((text, text));
    RequestSource {
        path: digest(path),
        reader: digest(reader),
    }
}

/// Plays events, at milliseconds from the start, with 3 failures and a pause of
/// 10 seconds. `ok PAGE`, `bad PAGE`, `bad=N PAGE` (with a `Retry-After` of N
/// seconds), `none PAGE` (without a verdict): a request that arrives and ends
/// at once. `begin PAGE`: a request that arrives and does not end (`end-ok`,
/// `end-bad`: the last of them ends). The result of each follows: `through`,
/// `working`, `trial`, or the milliseconds to wait.
#[track_caller]
fn check(events: &[(u64, &str, &str)]) {
    check_with(&limits(3, 10), events);
}

#[track_caller]
fn check_with(limits: &Protection, events: &[(u64, &str, &str)]) {
    let mut breaker = Breaker::default();
    let mut open_pass = (BreakerPass::Through, source(""));
    for (at, (ms, event, expected)) in events.iter().enumerate() {
        let now_ms = NOW_MS + ms;
        let (event, page) = event.split_once(' ').unwrap_or((event, ""));
        let (event, retry_after_ms) = match event.split_once('=') {
            Some((event, seconds)) => {
                (event, Some(seconds.parse::<u64>().expect("seconds") * 1000))
            }
            None => (event, None),
        };
        let verdict = match event {
            "ok" | "end-ok" => ResponseVerdict::Works,
            "none" => ResponseVerdict::Unknown,
            _ => ResponseVerdict::Fails { retry_after_ms },
        };
        if event.starts_with("end") {
            breaker.leave(open_pass.0, open_pass.1, verdict, limits, now_ms);
            continue;
        }
        let source = source(page);
        let pass = breaker.enter(source, now_ms, 30_000);
        let found = match pass {
            Ok(BreakerPass::Through) => "through".to_owned(),
            Ok(BreakerPass::Working) => "working".to_owned(),
            Ok(BreakerPass::Trial(_)) => "trial".to_owned(),
            Err(ms) => ms.to_string(),
        };
        assert_eq!(found, *expected, "row {at}: {event} {page} at {ms}");
        match pass {
            Ok(pass) if event == "begin" => open_pass = (pass, source),
            Ok(pass) => breaker.leave(pass, source, verdict, limits, now_ms),
            Err(_) => {}
        }
    }
}

#[test]
fn breaker_opens_after_failures_of_three_pages_for_three_readers() {
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (0, "ok a", "10000"),
        (9999, "ok d", "1"),
    ]);
    // Two pages, or two readers, are not enough.
    check(&[
        (0, "bad a@1", "through"),
        (0, "bad b@2", "through"),
        (0, "bad a@3", "through"),
        (0, "bad b@4", "through"),
        (0, "bad c@5", "through"),
        (0, "bad c@6", "10000"),
    ]);
    check(&[
        (0, "bad a@1", "through"),
        (0, "bad b@2", "through"),
        (0, "bad c@1", "through"),
        (0, "bad d@2", "through"),
        (0, "bad e@3", "through"),
        (0, "bad e@4", "10000"),
    ]);
    // At least half of the paths and of the readers must fail.
    check(&[
        (0, "ok 1", "through"),
        (0, "ok 2", "through"),
        (0, "ok 3", "through"),
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (0, "bad a", "10000"),
    ]);
    check(&[
        (0, "ok 1", "through"),
        (0, "ok 2", "through"),
        (0, "ok 3", "through"),
        (0, "ok 4", "through"),
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (0, "bad c", "through"),
    ]);
    // Only the last outcome of each counts.
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "ok a", "through"),
        (0, "ok b", "through"),
        (0, "bad c", "through"),
        (0, "bad d", "through"),
        (0, "ok d", "through"),
    ]);
}

#[test]
fn failures_count_for_a_minute() {
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (59_999, "bad c", "through"),
        (59_999, "ok a", "10000"),
    ]);
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (60_000, "bad c", "through"),
        (60_000, "ok a", "through"),
    ]);
}

/// Counts the requests that pass if each of them fails.
fn count_admitted(pages: impl Iterator<Item = String>) -> usize {
    let limits = limits(10, 10);
    let mut breaker = Breaker::default();
    let mut count = 0;
    for (n, page) in pages.enumerate() {
        let (source, now_ms) = (source(&page), NOW_MS + n as u64);
        if let Ok(pass) = breaker.enter(source, now_ms, 1000) {
            breaker.leave(pass, source, FAILS, &limits, now_ms);
            count += 1;
        }
    }
    count
}

#[test]
fn one_page_or_one_reader_does_not_open_breaker() {
    assert_eq!(count_admitted((0..500).map(|n| format!("slow@{n}"))), 500);
    assert_eq!(count_admitted((0..500).map(|n| format!("{n}@one"))), 500);
    // Two readers together, or two pages, cannot open it either.
    let two = (0..500).map(|n| format!("{n}@{}", n % 2));
    assert_eq!(count_admitted(two), 500);
    let two = (0..500).map(|n| format!("{}@{n}", n % 2));
    assert_eq!(count_admitted(two), 500);
    // Failures of all readers on all pages open it at the configured number.
    assert_eq!(count_admitted((0..500).map(|n| format!("{n}@{n}"))), 10);
}

#[test]
fn failures_of_three_readers_do_not_open_breaker_of_site_in_use() {
    let limits = limits(10, 10);
    let mut breaker = Breaker::default();
    let mut send = |page: String, verdict, now_ms| {
        let source = source(&page);
        let pass = breaker.enter(source, now_ms, 1000);
        assert_eq!(pass, Ok(BreakerPass::Through), "{page}");
        breaker.leave(BreakerPass::Through, source, verdict, &limits, now_ms);
    };
    for n in 0..10 {
        send(
            format!("page-{n}@reader-{n}"),
            ResponseVerdict::Works,
            NOW_MS,
        );
    }
    for n in 0..500_u64 {
        let now_ms = NOW_MS + 100 * n;
        // Each attacker sends ten times as many requests as all others
        // together.
        for m in 0..30 {
            send(format!("{n}-{m}@attacker-{}", m % 3), FAILS, now_ms);
        }
        send(
            format!("page-{}@reader-{}", n % 40, n % 30),
            ResponseVerdict::Works,
            now_ms,
        );
    }
}

#[test]
fn breaker_admits_few_trials_after_its_pause() {
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (10_000, "begin a", "trial"),
        // One trial at a time for each page and each reader.
        (10_000, "ok a", "30000"),
        (10_000, "ok x@a", "30000"),
        // One trial for pages with recorded failures, too.
        (10_000, "ok b", "30000"),
        (11_000, "begin x", "trial"),
        (12_000, "begin y", "trial"),
        // Other requests wait for the end of these trials.
        (12_000, "ok d", "28000"),
        (13_000, "end-ok", ""),
        (13_000, "ok d", "through"),
        (13_000, "bad a", "through"),
        (13_000, "bad b", "through"),
        (13_000, "bad c", "through"),
        // d worked recently.
        (13_000, "ok d", "working"),
        (13_000, "ok e", "10000"),
    ]);
    // These trials end without a signal: the next requests are trials.
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (10_000, "begin a", "trial"),
        (20_000, "begin x", "trial"),
        (20_000, "begin y", "trial"),
        (39_999, "ok d", "1"),
        (40_000, "ok d", "trial"),
        (40_000, "ok e", "through"),
    ]);
    // A request without a verdict frees its trial for another.
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (10_000, "none a", "trial"),
        (10_000, "none a", "trial"),
        (10_000, "none a", "trial"),
        (10_000, "none a", "trial"),
        (10_000, "ok a", "trial"),
        (10_000, "ok b", "through"),
    ]);
}

#[test]
fn failed_round_of_trials_doubles_pause_up_to_a_minute() {
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (10_000, "bad a", "trial"),
        (10_000, "bad a", "20000"),
        (11_000, "bad x", "trial"),
        (12_000, "bad y", "trial"),
        (12_000, "bad z", "18000"),
        (30_000, "bad a", "trial"),
        (30_000, "ok a", "40000"),
        (70_000, "bad a", "trial"),
        (70_000, "ok a", "60000"),
        (130_000, "bad a", "trial"),
        (130_000, "ok a", "60000"),
        // After a success the first pause is short again.
        (190_000, "ok a", "trial"),
        (190_000, "bad b", "through"),
        (190_000, "bad c", "through"),
        (190_000, "bad d", "through"),
        (190_000, "ok e", "10000"),
    ]);
    // A longer pause in the settings is kept.
    check_with(
        &limits(1, 600),
        &[
            (0, "bad a", "through"),
            (0, "bad b", "through"),
            (0, "bad c", "through"),
            (600_000, "bad a", "trial"),
            (600_000, "bad a", "600000"),
        ],
    );
}

#[test]
fn successful_trials_admit_more_trials_and_a_majority_closes_breaker() {
    check(&[
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (10_000, "bad a", "trial"),
        (10_000, "bad x", "trial"),
        (10_000, "ok d", "trial"),
        (10_000, "ok e", "trial"),
        // A page that worked recently passes, and is not a trial.
        (10_000, "ok d", "working"),
        (10_000, "bad f", "trial"),
        (10_000, "ok g", "trial"),
        (10_000, "ok h", "trial"),
        // Four of seven.
        (10_000, "ok a", "through"),
    ]);
}

#[test]
fn retry_after_of_half_of_failures_sets_pause_up_to_a_minute() {
    check(&[
        (0, "bad=300 a", "through"),
        (0, "bad b", "through"),
        (0, "bad=20 c", "through"),
        // At least half of the failures ask for this pause.
        (0, "ok d", "20000"),
        (20_000, "bad=3 a", "trial"),
        // c asks for a longer pause, and one of three for a shorter one.
        (20_000, "ok a", "3000"),
    ]);
    check(&[
        (0, "bad=3600 a", "through"),
        (0, "bad=3600 b", "through"),
        (0, "bad=3600 c", "through"),
        (0, "ok d", "60000"),
    ]);
    // One page with a long `Retry-After` does not close the site for longer.
    check(&[
        (0, "bad=3600 a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (0, "ok d", "10000"),
    ]);
}

#[test]
fn request_begun_before_opening_does_not_change_open_breaker() {
    for end in ["end-ok", "end-bad"] {
        check(&[
            (0, "begin x", "through"),
            (0, "bad a", "through"),
            (0, "bad b", "through"),
            (0, "bad c", "through"),
            (5000, end, ""),
            (5000, "ok a", "5000"),
            (10_000, "ok a", "trial"),
        ]);
    }
}

#[test]
fn breaker_with_zero_failures_never_opens() {
    let rows: Vec<String> = (0..2000).map(|n| format!("bad {n}")).collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (0, row.as_str(), "through"))
        .collect();
    check_with(&limits(0, 10), &rows);
    // A thousand failures are counted, although fewer pages are remembered.
    let (last, rest) = rows.split_last().expect("rows");
    let mut rows = rest.split_at(999).0.to_vec();
    rows.push(*last);
    let mut all: Vec<(u64, &str, &str)> = Vec::new();
    for n in 0..1000 {
        all.push(*rows.get(n % 8).expect("a row"));
    }
    all.push((0, "bad x", "10000"));
    check_with(&limits(1000, 10), &all);
}

/// Plays two minutes of a site of a hundred pages, of which so many are broken.
/// Returns the share of requests for working pages that is refused in the
/// second minute, and how many requests for broken pages reach the origin in
/// it.
fn play_partly_broken_site(broken: u64) -> (f64, u64) {
    let limits = limits(10, 10);
    let mut breaker = Breaker::default();
    let (mut requested, mut refused, mut failed) = (0_u32, 0_u32, 0);
    for n in 0..2400_u64 {
        let now_ms = NOW_MS + 50 * n;
        let page = n * 37 % 100;
        let source = source(&format!("{page}@{}", n % 83));
        let pass = breaker.enter(source, now_ms, 1000);
        let counts = n >= 1200;
        if page < broken {
            failed += u64::from(counts && pass.is_ok());
        } else {
            requested += u32::from(counts);
            refused += u32::from(counts && pass.is_err());
        }
        let verdict = if page < broken {
            FAILS
        } else {
            ResponseVerdict::Works
        };
        if let Ok(pass) = pass {
            breaker.leave(pass, source, verdict, &limits, now_ms);
        }
    }
    (f64::from(refused) / f64::from(requested.max(1)), failed)
}

#[test]
fn partly_broken_site_refuses_few_requests_for_working_pages() {
    for (broken, most) in [(30, 0.01), (50, 0.05), (60, 0.1), (75, 0.4)] {
        let (refused, failed) = play_partly_broken_site(broken);
        assert!(
            refused < most,
            "{broken} broken: {refused} refused, {failed} failed"
        );
    }
}

#[test]
fn failing_origin_receives_few_requests() {
    // Half of the pages worked just before.
    let limits = limits(10, 10);
    let mut breaker = Breaker::default();
    for n in 0..20 {
        let source = source(&format!("{n}@{n}"));
        breaker.leave(
            BreakerPass::Through,
            source,
            ResponseVerdict::Works,
            &limits,
            NOW_MS,
        );
    }
    let mut admitted = 0;
    // Ten minutes, a hundred requests a second.
    for n in 0..60_000_u64 {
        let now_ms = NOW_MS + 10 * n;
        let source = source(&format!("{}@{}", n * 7 % 40, n % 1000));
        if let Ok(pass) = breaker.enter(source, now_ms, 1000) {
            breaker.leave(pass, source, FAILS, &limits, now_ms);
            admitted += 1;
        }
    }
    // Pauses of 10, 20 and 40 seconds, and then of a minute: a dozen rounds.
    let most = 2 * OUTCOMES_MAX as u64 + 13 * TRIALS;
    assert!(admitted <= most, "{admitted} of at most {most}");
}

#[test]
fn one_reader_or_page_does_not_use_up_the_trials() {
    let open = [
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (10_000, "bad a@poll", "trial"),
    ];
    for again in ["bad a@1", "bad z@poll"] {
        let mut rows = open.to_vec();
        rows.extend([(10_000, again, "20000"); 10]);
        rows.push((10_000, "ok x@other", "trial"));
        check(&rows);
    }
}

#[test]
fn failures_of_one_reader_do_not_block_page_that_works_for_others() {
    check(&[
        (0, "ok page@1", "through"),
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (0, "bad page@attacker", "working"),
        (0, "ok page@2", "working"),
    ]);
    // It has failed for two of three.
    check(&[
        (0, "ok page@1", "through"),
        (0, "bad a", "through"),
        (0, "bad b", "through"),
        (0, "bad c", "through"),
        (0, "bad page@2", "working"),
        (0, "bad page@3", "working"),
        (0, "ok page@4", "10000"),
    ]);
}
