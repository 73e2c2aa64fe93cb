//! Tests of statistics in the ledger: rows and their text, what is added up,
//! for how long it is kept, and the bounds.

use edgekeep::cache::stats::counter::{Counter, Event};
use edgekeep::cache::stats::open_metrics;
use edgekeep::cache::stats::query::{StatsQuery, StatsStep};
use edgekeep::cache::stats::row::{Counts, OTHER, StatsRow, add_row};
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use edgekeep::flow::ledger::stats_store::StatsPage;
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::ledger::Database;

/// A time at the start of an hour and of a day.
const START: u64 = 1_795_392_000;

fn row(time: u64, host: &str, outcome: &str, requests: u64) -> StatsRow {
    let mut counts = Counts {
        requests,
        bytes: requests.saturating_mul(10),
        ..Counts::default()
    };
    counts.add_origin_time(requests);
    StatsRow {
        time,
        host: host.to_owned(),
        rule: "defaults".to_owned(),
        outcome: outcome.to_owned(),
        status: "2xx".to_owned(),
        counts,
        ..StatsRow::default()
    }
}

/// Adds the report of another isolate.
fn report<S: Sql>(ledger: &LedgerStore<S>, rows: &[StatsRow], now: u64) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let text = format!("{number}\n{}", StatsRow::lines(rows));
    ledger.add_stats(&text, now * 1000).expect("a report");
}

fn page<S: Sql>(
    ledger: &LedgerStore<S>,
    step: StatsStep,
    from: u64,
    to: u64,
    now: u64,
) -> StatsPage {
    let query = StatsQuery { step, from, to };
    let text = ledger.stats(&query, now * 1000).expect("an answer");
    StatsPage::read(&text).expect("a page")
}

/// `TIME HOST OUTCOME REQUESTS`, with the time after [`START`].
fn short(rows: &[StatsRow]) -> Vec<String> {
    let rows = rows.iter().map(|row| {
        let time = row.time.saturating_sub(START);
        let requests = row.counts.requests;
        format!("{time} {} {} {requests}", row.host, row.outcome)
    });
    rows.collect()
}

#[test]
fn row_survives_its_text() {
    let mut one = row(START, "a.test", "miss", 7);
    one.reason = "uri-miss".to_owned();
    one.tier = "kv".to_owned();
    one.counts.purge_lag_ms = u64::MAX;
    one.counts.add_origin_time(u64::MAX);
    let text = StatsRow::lines(&[one.clone(), one.clone()]);
    assert_eq!(
        StatsRow::read_lines(&text).collect::<Vec<_>>(),
        [one.clone(), one.clone()]
    );
    // A later version may write more.
    let longer = text.lines().next().map(|line| format!("{line}\t9"));
    assert_eq!(StatsRow::read_line(&longer.expect("a line")), Some(one));
    // No name can end its piece.
    let odd = row(START, "a\tb\nc", "hit", 1);
    let read: Vec<_> = StatsRow::read_lines(&StatsRow::lines(&[odd])).collect();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].host, "abc");
    for bad in [
        "",
        "x",
        "1\ta\tb",
        "1\ta\tb\tc\td\te\tf\t-1",
        "\t\t\t\t\t\t\t\t",
    ] {
        assert_eq!(StatsRow::read_line(bad), None, "{bad:?}");
    }
}

#[test]
fn reports_are_added_up_by_minute_hour_and_in_all() {
    let ledger = Database::new().open(0);
    let at = START + 3600;
    report(
        &ledger,
        &[
            row(at, "a.test", "hit", 3),
            row(at - 60, "a.test", "hit", 1),
        ],
        at + 60,
    );
    // Within a minute after that, reports are gathered. A query has them.
    report(
        &ledger,
        &[
            row(at + 5, "a.test", "hit", 4),
            row(at, "b.test", "miss", 2),
        ],
        at + 70,
    );
    let minutes = page(&ledger, StatsStep::Minute, START, at + 600, at + 71);
    let expected = [
        "3540 a.test hit 1",
        "3600 a.test hit 7",
        "3600 b.test miss 2",
    ];
    assert_eq!(short(&minutes.rows), expected);
    assert_eq!(minutes.next, None);
    let sums = minutes.rows[1].counts;
    assert_eq!(
        (sums.bytes, sums.origin_ms[0], sums.origin_ms_sum),
        (70, 2, 7)
    );
    let hours = page(&ledger, StatsStep::Hour, 0, at + 600, at + 71);
    let expected = ["0 a.test hit 1", "3600 a.test hit 7", "3600 b.test miss 2"];
    assert_eq!(short(&hours.rows), expected);
    let totals = page(&ledger, StatsStep::Total, 0, 1, at + 71);
    assert_eq!(
        short(&totals.rows),
        ["3600 a.test hit 8", "3600 b.test miss 2"]
    );
    let part = page(&ledger, StatsStep::Minute, at - 60, at, at + 71);
    assert_eq!(short(&part.rows), ["3540 a.test hit 1"]);
}

#[test]
fn reports_are_written_once_a_minute() {
    let database = Database::new();
    let ledger = database.open(0);
    let stored = |ledger: &LedgerStore<Database>| {
        let sum = "SELECT COUNT(*) FROM stats WHERE step = 60";
        ledger.sql().number(sum, &[]).expect("a number")
    };
    report(&ledger, &[row(START, "a.test", "hit", 1)], START);
    assert_eq!(stored(&ledger), 1, "a new object writes its first report");
    report(&ledger, &[row(START + 60, "a.test", "hit", 1)], START + 59);
    report(&ledger, &[row(START + 59, "a.test", "hit", 1)], START + 59);
    assert_eq!(stored(&ledger), 1);
    report(&ledger, &[row(START + 60, "a.test", "hit", 1)], START + 60);
    assert_eq!(stored(&ledger), 2);
    // They are there after a restart.
    drop(ledger);
    let ledger = database.open((START + 61) * 1000);
    let totals = page(&ledger, StatsStep::Total, 0, 1, START + 61);
    assert_eq!(short(&totals.rows), ["60 a.test hit 4"]);
}

#[test]
fn minutes_are_kept_for_two_days_and_hours_for_ninety() {
    let ledger = Database::new().open(0);
    let days = |days: u64| START + days * 86_400;
    for day in [0, 1, 2, 89, 90, 91] {
        report(&ledger, &[row(days(day), "a.test", "hit", 1)], days(day));
    }
    let now = days(91);
    let minutes = page(&ledger, StatsStep::Minute, 0, now + 1, now);
    let hours = page(&ledger, StatsStep::Hour, 0, now + 1, now);
    let times = |page: &StatsPage| -> Vec<u64> {
        page.rows
            .iter()
            .map(|row| (row.time - START) / 86_400)
            .collect()
    };
    assert_eq!(times(&minutes), [89, 90, 91]);
    assert_eq!(times(&hours), [1, 2, 89, 90, 91]);
    assert_eq!(
        page(&ledger, StatsStep::Total, 0, 1, now).rows[0]
            .counts
            .requests,
        6
    );
}

#[test]
fn times_of_wrong_clocks_are_near_now() {
    let ledger = Database::new().open(0);
    let now = START + 86_400;
    let rows =
        [0, 1, now - 7200, now + 999_999, u64::MAX].map(|time| row(time, "a.test", "hit", 1));
    report(&ledger, &rows, now);
    let found = page(&ledger, StatsStep::Minute, 0, u64::MAX, now);
    let times: Vec<u64> = found.rows.iter().map(|row| row.time).collect();
    assert_eq!(times, [now - 3600, now]);
}

#[test]
fn many_hosts_count_as_one_and_no_request_is_lost() {
    let ledger = Database::new().open(0);
    let outcomes = ["hit", "miss", "bypass"];
    for n in 0..40_u64 {
        let rows: Vec<StatsRow> = (0..200_u64)
            .map(|k| {
                row(
                    START,
                    &format!("h{n}-{k}.test"),
                    outcomes[(k % 3) as usize],
                    1,
                )
            })
            .collect();
        report(&ledger, &rows, START + 61 * n);
    }
    let now = START + 61 * 40;
    let minutes = page(&ledger, StatsStep::Minute, 0, u64::MAX, now);
    assert!(minutes.rows.len() <= 550, "{}", minutes.rows.len());
    let sum = |rows: &[StatsRow]| rows.iter().map(|row| row.counts.requests).sum::<u64>();
    assert_eq!(sum(&minutes.rows), 8000);
    let others = minutes.rows.iter().filter(|row| row.host == OTHER);
    let others: Vec<&str> = others.map(|row| row.outcome.as_str()).collect();
    assert_eq!(others.len(), 3, "{others:?}");
    let totals = page(&ledger, StatsStep::Total, 0, 1, now);
    assert!(totals.rows.len() <= 2050, "{}", totals.rows.len());
    assert_eq!(sum(&totals.rows), 8000);
}

#[test]
fn counter_has_bounds() {
    let mut counter = Counter::default();
    let long = "h".repeat(10_000);
    for n in 0..2000_u64 {
        for host in [format!("{n}{long}"), format!("h{n}.test")] {
            counter.add(&Event {
                now_ms: START * 1000,
                host: &host,
                rule: None,
                outcome: "hit",
                reason: "",
                tier: "memory",
                status: 200,
                counts: row(START, "", "", 1).counts,
            });
        }
    }
    let rows = counter.rows(|_| String::new());
    let sum: u64 = rows.iter().map(|row| row.counts.requests).sum();
    assert_eq!(sum, 4000);
    assert!(rows.len() <= 301, "{}", rows.len());
    let bytes = StatsRow::lines(&rows).len();
    assert!(bytes < 20_000, "{bytes}");
}

#[test]
fn report_that_is_sent_again_is_added_once() {
    let ledger = Database::new().open(0);
    let rows = StatsRow::lines(&[row(START, "a.test", "hit", 1)]);
    let add = |text: &str, now: u64| ledger.add_stats(text, now * 1000).expect("a report");
    add(&format!("17 1\n{rows}"), START);
    add(&format!("17 1\n{rows}"), START + 1);
    // The next report of this isolate, and one of another isolate.
    add(&format!("17 2\n{rows}"), START + 2);
    add(&format!("18 1\n{rows}"), START + 3);
    add(&format!("17 1\n{rows}"), START + 3600);
    let totals = page(&ledger, StatsStep::Total, 0, 1, START + 3600);
    assert_eq!(totals.rows[0].counts.requests, 3);
}

#[test]
fn invented_hosts_do_not_take_the_room_of_totals_for_good() {
    let ledger = Database::new().open(0);
    report(&ledger, &[row(START, "a.test", "hit", 5)], START);
    let hour = START + 3600;
    for n in 0..20_u64 {
        let at = hour + 61 * n;
        let invented: Vec<StatsRow> = (0..200)
            .map(|k| row(at, &format!("h{n}-{k}.test"), "hit", 1))
            .collect();
        report(&ledger, &invented, at);
        report(&ledger, &[row(at, "a.test", "hit", 1)], at);
    }
    let host_of = |host: &str, now: u64| {
        let totals = page(&ledger, StatsStep::Total, 0, 1, now);
        assert!(totals.rows.len() <= 2050, "{}", totals.rows.len());
        let row = totals.rows.into_iter().find(|row| row.host == host);
        row.map(|row| row.counts.requests)
    };
    report(
        &ledger,
        &[row(hour + 1300, "b.test", "hit", 1)],
        hour + 1300,
    );
    assert_eq!(host_of("b.test", hour + 1300), None, "there is no room");
    // An hour later the invented hosts are gone, whatever they were.
    let later = hour + 7200;
    report(&ledger, &[row(later, "b.test", "hit", 1)], later);
    assert_eq!(host_of("b.test", later), Some(1));
    assert_eq!(host_of("a.test", later), Some(25));
}

#[test]
fn hostile_rows_have_bounds() {
    let mut rows = Vec::new();
    for n in 0..1000_u64 {
        let mut odd = row(START, "a.test", &format!("outcome-{n}"), 1);
        odd.reason = "x".repeat(1000);
        add_row(&mut rows, odd, 10);
        add_row(
            &mut rows,
            row(START, &"h".repeat(5000), &format!("o{n}"), 1),
            10,
        );
        add_row(
            &mut rows,
            row(START + n, "b.test", &format!("o{n}"), u64::MAX),
            10,
        );
    }
    assert!(rows.len() <= 60, "{}", rows.len());
    let longest = rows
        .iter()
        .map(|row| row.host.len() + row.reason.len())
        .max();
    assert!(longest.is_some_and(|longest| longest < 300), "{longest:?}");
    // The ledger ignores what is no row.
    let ledger = Database::new().open(0);
    ledger
        .add_stats("nonsense\n\t\t\n", START * 1000)
        .expect("ignored");
    assert_eq!(
        page(&ledger, StatsStep::Total, 0, 1, START),
        StatsPage::default()
    );
}

#[test]
fn long_answers_have_pages() {
    let ledger = Database::new().open(0);
    for minute in 0..30_u64 {
        let time = START + 60 * minute;
        let rows: Vec<StatsRow> = (0..400)
            .map(|k| row(time, &format!("{k}{}.test", "x".repeat(60)), "hit", 1))
            .collect();
        report(&ledger, &rows, time);
    }
    let (mut from, mut found, mut pages) = (0, 0, 0);
    loop {
        let page = page(&ledger, StatsStep::Minute, from, u64::MAX, START + 1800);
        found += page.rows.len();
        pages += 1;
        assert!(page.rows.len() < 6000, "{}", page.rows.len());
        match page.next {
            Some(next) => {
                assert!(next > from);
                from = next;
            }
            None => break,
        }
    }
    assert_eq!(found, 12_000);
    assert!(pages > 2, "{pages}");
}

#[test]
fn labels_of_metrics_are_escaped() {
    let mut odd = row(0, "a.test", "hit", 1);
    odd.rule = "a\"b\\c\nd".to_owned();
    let text = open_metrics::print(&[odd], &[]);
    assert!(text.contains(r#"rule="a\"b\\c\nd""#), "{text}");
    assert!(text.lines().all(|line| !line.starts_with('d')), "{text}");
}
