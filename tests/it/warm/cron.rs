//! Tests of warming by the cron trigger, on the ledger's real database: which
//! URLs and sitemaps it uses, what it leaves out and logs, and which refreshes
//! precede its own.

use edgekeep::cache::ledger::wire::{HistoryQuery, Order, PastOrder, Receipt};
use edgekeep::flow::runtime::host::Host;
use edgekeep::flow::warm::fill::{SITEMAP_BYTES_MAX, scheduled};
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use testkit::stage::{START_MS, Stage, progress, urls};
use testkit::world::Plan;

/// Runs the cron trigger once.
fn run_cron(stage: &Stage, scheduled_ms: u64) {
    let ended = Rc::new(Cell::new(false));
    let (world, isolate, then) = (
        stage.world.clone(),
        Rc::clone(&stage.isolate),
        Rc::clone(&ended),
    );
    stage.world.executor.spawn(async move {
        scheduled(&world, &isolate, scheduled_ms).await;
        then.set(true);
    });
    stage.world.executor.run_until(|| ended.get());
}

fn orders(stage: &Stage) -> Vec<PastOrder> {
    let question = HistoryQuery::After {
        after: 0,
        limit: 100,
    };
    let history = stage.world.ledger.borrow().history(&question);
    history.expect("history")
}

/// The notes in the last line of the log.
fn notes(stage: &Stage) -> Vec<String> {
    let state = stage.world.state.borrow();
    let line = state.log.last().expect("a line");
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(line["event"], "warm");
    serde_json::from_value(line["notes"].clone()).expect("notes")
}

/// Serves a sitemap or an index of these URLs below `https://a.test/`.
fn sitemap(stage: &Stage, path: &str, root: &str, item: &str, names: &[String]) {
    let entry = |name: &String| format!("<{item}><loc>https://a.test/{name}</loc></{item}>");
    let entries: String = names.iter().map(entry).collect();
    stage.origin(path, 200, "", &format!("<{root}>{entries}</{root}>"));
}

fn names(count: usize, suffix: &str) -> Vec<String> {
    (0..count).map(|n| format!("{n}{suffix}")).collect()
}

fn with_warm(warm: Value) -> Stage {
    let stage = Stage::with(false, json!({ "warm": warm }));
    for n in 0..23 {
        stage.origin(&format!("/{n}"), 200, "max-age=600", &format!("page {n}"));
    }
    stage
}

/// Counts the requests to the origin for a path.
fn count_fetches(stage: &Stage, path: &str) -> usize {
    let url = format!("http://origin.test{path}");
    let state = stage.world.state.borrow();
    state.asked.iter().filter(|r| r.url == url).count()
}

#[test]
fn cron_trigger_warms_urls_and_sitemaps_of_settings() {
    let stage = with_warm(json!({
        "urls": ["https://a.test/22"], "sitemaps": ["https://a.test/sitemap.xml"], "limit": 8
    }));
    sitemap(&stage, "/sitemap.xml", "urlset", "url", &names(20, ""));
    run_cron(&stage, START_MS);
    assert_eq!(
        notes(&stage),
        [
            r#"skipped: {"beyond_limit":13}"#,
            "warm 1 by cron trigger (cron), 8 pages"
        ]
    );
    stage.run_out();
    let history = orders(&stage);
    assert_eq!(history[0].receipt.id, "cron 2026-11-23T09:00:00Z");
    assert_eq!(history[0].receipt.key.as_deref(), Some("cron trigger"));
    assert_eq!(history[0].refresh, progress(0, 8, 0, None));
    let mut expected: Vec<String> = (0..7).map(|n| format!("page {n}")).collect();
    expected.insert(3, "page 22".to_owned());
    assert_eq!(stage.in_kv(), expected);
    // The same run again is the same order, and sends nothing to the origin.
    let before = stage.asked();
    run_cron(&stage, START_MS);
    stage.run_out();
    assert_eq!((orders(&stage).len(), stage.asked()), (1, before));
    // The next run finds all pages fresh.
    run_cron(&stage, START_MS + 300_000);
    stage.run_out();
    let history = orders(&stage);
    assert_eq!(history[1].refresh, progress(0, 8, 0, None));
    assert_eq!(stage.asked(), before + 1);
}

#[test]
fn cron_trigger_skips_uncached_urls_and_missing_sitemaps() {
    let stage = Stage::with(
        false,
        json!({
            "warm": { "urls": ["https://a.test/0", "https://a.test/admin"],
                "sitemaps": ["https://a.test/gone.xml", "https://a.test/sitemap.xml"] },
            "rules": [{ "path": "/admin", "cache": false }],
        }),
    );
    stage.origin("/0", 200, "max-age=60", "page");
    sitemap(&stage, "/sitemap.xml", "urlset", "url", &names(2, ""));
    run_cron(&stage, START_MS);
    assert_eq!(
        notes(&stage),
        [
            "warm.urls[1]: it is not cached: rule",
            "warm.sitemaps[0]: origin: status 404",
            "warm 1 by cron trigger (cron), 2 pages",
        ]
    );
}

#[test]
fn cron_trigger_logs_why_there_is_nothing_to_warm() {
    let stage = Stage::new(false);
    run_cron(&stage, START_MS);
    assert_eq!(
        notes(&stage),
        ["Empty order: a cron trigger is set, but [vars.EDGEKEEP.warm] names nothing"]
    );
    let stage = with_warm(json!({ "sitemaps": ["https://a.test/sitemap.xml"] }));
    stage.plan("/sitemap.xml", Plan::Hang);
    run_cron(&stage, START_MS);
    assert_eq!(
        notes(&stage),
        [
            "warm.sitemaps[0]: the origin gave no answer",
            "Nothing to warm: warm.sitemaps[0]: the origin gave no answer",
        ]
    );
    assert!(orders(&stage).is_empty());
    // Without a ledger it has no effect.
    stage.world.state.borrow_mut().down.push("ledger");
    run_cron(&stage, START_MS);
    assert_eq!(count_fetches(&stage, "/sitemap.xml"), 1);
    assert_eq!(
        notes(&stage),
        ["Ledger unavailable: the purge ledger cannot be reached; ask again"]
    );
}

#[test]
fn order_reads_at_most_forty_sitemaps() {
    let index = |n: u32| format!("https://a.test/index{n}");
    let stage = with_warm(json!({ "sitemaps": [index(0), index(1), index(2)] }));
    for n in 0..3 {
        let children = names(20, &format!("of{n}.xml"));
        let path = format!("/index{n}");
        sitemap(&stage, &path, "sitemapindex", "sitemap", &children);
        for (at, child) in children.iter().enumerate() {
            let page = [at.to_string()];
            sitemap(&stage, &format!("/{child}"), "urlset", "url", &page);
        }
    }
    run_cron(&stage, START_MS);
    assert_eq!(stage.asked(), 40);
    let notes = notes(&stage);
    assert_eq!(notes[0], r#"skipped: {"sitemaps":2}"#);
    assert!(
        notes[1].ends_with("18of1.xml: an order reads at most 40 sitemaps"),
        "{notes:?}"
    );
    assert_eq!(
        notes[3],
        "warm.sitemaps[2]: an order reads at most 40 sitemaps"
    );
    assert_eq!(notes[4], "warm 1 by cron trigger (cron), 20 pages");
}

#[test]
fn sitemaps_are_read_for_at_most_a_minute() {
    let index = |n: u32| format!("https://a.test/index{n}");
    // Without the breaker, which would stop the requests earlier.
    let settings = json!({
        "warm": { "urls": ["https://a.test/0"], "sitemaps": [index(0), index(1)] },
        "protection": { "breaker_failures": 0 },
    });
    let stage = Stage::with(false, settings);
    for n in 0..2 {
        let children = names(20, &format!("of{n}.xml"));
        let path = format!("/index{n}");
        sitemap(&stage, &path, "sitemapindex", "sitemap", &children);
        for child in &children {
            stage.plan(&format!("/{child}"), Plan::Hang);
        }
    }
    run_cron(&stage, START_MS);
    // Each takes two seconds, the timeout of this origin.
    assert_eq!(stage.world.now_ms() - START_MS, 60_000);
    assert_eq!(stage.asked(), 32);
    let notes = notes(&stage);
    assert_eq!(notes[0], r#"skipped: {"sitemaps":40}"#);
    assert_eq!(
        notes.last().map(String::as_str),
        Some("warm 1 by cron trigger (cron), 1 pages")
    );
}

#[test]
fn a_sitemap_may_have_eight_megabytes() {
    for (bytes, expected) in [
        (SITEMAP_BYTES_MAX, "warm 1 by cron trigger (cron), 1 pages"),
        (
            SITEMAP_BYTES_MAX + 1,
            "warm.sitemaps[0]: it has more than 8388608 bytes; split it",
        ),
    ] {
        let stage = with_warm(json!({ "sitemaps": ["https://a.test/sitemap.xml"] }));
        let start = "<urlset><url><loc>https://a.test/0</loc></url>";
        let body = start.to_owned() + &" ".repeat(bytes - start.len());
        stage.origin("/sitemap.xml", 200, "", &body);
        run_cron(&stage, START_MS);
        assert_eq!(notes(&stage)[0], expected);
    }
}

#[test]
fn refreshes_after_a_purge_precede_pages_to_warm() {
    let stage = with_warm(json!({}));
    let warm = |pages: Vec<String>| {
        stage.order(Order {
            refresh: pages,
            ..Order::default()
        })
    };
    let sitemap = warm(urls(23)[..22].to_vec());
    let purge = stage.warm(&urls(23)[22..]);
    assert!(stage.run());
    assert_eq!(count_fetches(&stage, "/22"), 1);
    assert_eq!(stage.told(&purge).refresh, progress(0, 1, 0, None));
    assert_eq!(stage.told(&sitemap).refresh, progress(15, 7, 0, None));
    // Refreshes and pages to warm do not evict each other.
    let purge = stage.warm(&urls(1000));
    let many: Vec<Receipt> = (0..11).map(|_| warm(urls(1000))).collect();
    assert_eq!(stage.told(&purge).refresh, progress(1000, 0, 0, None));
    assert_eq!(stage.told(&many[10]).refresh, progress(1000, 0, 0, None));
    let problem = Some("more than 10000 were waiting");
    assert_eq!(stage.told(&many[0]).refresh, progress(0, 0, 1000, problem));
    assert_eq!(stage.told(&sitemap).refresh, progress(0, 7, 15, problem));
}
