//! What purging costs on a hit: looking an entry of 100 tags up in an index of
//! 100,000 live marks, beside decoding the entry's text, and beside what it
//! would take if entries did not carry their marks. And what it costs an
//! isolate that starts to learn them all.
//!
//! `cargo bench -p edgekeep-bench --bench purge_index -- --quick`

use criterion::{Criterion, criterion_group, criterion_main};
use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::MARKS_MAX;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::Terms;
use edgekeep::cache::purge::feed::{FEED_MARKS_MAX, LedgerTime, PurgeFeed};
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::{mark_of, marks};
use edgekeep::http::url::Url;
use std::hint::black_box;

/// The number before the first purge: numbers begin at the time.
const START: u64 = 1_795_424_400_000;

/// The pages by which an isolate that starts learns of all marks.
fn pages() -> Vec<PurgeFeed> {
    let page = FEED_MARKS_MAX as u64;
    let firsts = (0..MARKS_MAX).step_by(FEED_MARKS_MAX);
    let told = firsts.map(|first| PurgeFeed {
        after: if first == 0 { 0 } else { START + first },
        sequence: START + first + page,
        complete: first + page >= MARKS_MAX,
        floor: Numbers {
            hard: START,
            soft: 0,
        },
        at: LedgerTime {
            run: START,
            ms: START,
        },
        kv_writes: None,
        marks: (first + 1..=first + page)
            .map(|n| {
                let (hard, soft) = if n % 2 == 0 {
                    (0, START + n)
                } else {
                    (START + n, 0)
                };
                (mark_of(&format!("tag:purged-{n}")), Numbers { hard, soft })
            })
            .collect(),
        ..PurgeFeed::default()
    });
    told.collect()
}

/// A page of an ordinary site, with 100 tags, filled before all these purges.
fn entry() -> Entry {
    let tags: Vec<String> = (0..100).map(|n| format!("article-{n:05}")).collect();
    let url = Url::parse("https://www.example.com/news/2026/11/an-article?page=2");
    let url = url.expect("a URL");
    let fields = [
        ("content-type", "text/html; charset=utf-8"),
        (
            "cache-control",
            "public, max-age=600, stale-while-revalidate=60",
        ),
        ("etag", "\"5f3a1c9e7b\""),
        ("last-modified", "Mon, 23 Nov 2026 08:00:00 GMT"),
        ("vary", "accept-encoding"),
        ("content-encoding", "br"),
        ("date", "Mon, 23 Nov 2026 09:00:00 GMT"),
        ("via", "1.1 edgekeep"),
    ];
    Entry {
        key: "https://www.example.com/news/2026/11/an-article?page=2".to_owned(),
        seen: START,
        received_ms: START,
        initial_age: 0,
        cost_ms: 0,
        terms: Terms {
            lifetime: 600,
            stale_while_revalidate: 60,
            stale_if_error: 0,
            stale_allowed: true,
        },
        for_authorized: false,
        by_credentials: false,
        status: 200,
        length: Some(20_000),
        marks: marks(&url, &tags, &[]),
        tags,
        choices: vec![("accept-encoding".to_owned(), Some("br".to_owned()))],
        fields: fields.into_iter().collect(),
    }
}

fn look_ups(bench: &mut Criterion) {
    let mut index = PurgeIndex::default();
    for page in pages() {
        assert!(index.apply(&page));
    }
    assert_eq!(index.len() as u64, MARKS_MAX);
    let alive = entry();
    assert_eq!(index.state(alive.seen, &alive.marks), PurgeState::Alive);
    bench.bench_function("look up 100 tags in 100,000 marks: alive", |bench| {
        bench.iter(|| index.state(black_box(alive.seen), black_box(&alive.marks)));
    });
    let mut purged = entry();
    purged.add_tags(&["purged-77777".to_owned()]);
    assert_eq!(index.state(purged.seen, &purged.marks), PurgeState::Hard);
    bench.bench_function("look up 101 tags in 100,000 marks: one purged", |bench| {
        bench.iter(|| index.state(black_box(purged.seen), black_box(&purged.marks)));
    });
    bench.bench_function("look up what was filled after the last purge", |bench| {
        let seen = index.sequence();
        bench.iter(|| index.state(black_box(seen), black_box(&alive.marks)));
    });
}

fn beside(bench: &mut Criterion) {
    let text = entry().encode();
    println!("the entry's text: {} bytes", text.len());
    bench.bench_function("decode the entry's text", |bench| {
        bench.iter(|| Entry::decode(black_box(&text)));
    });
    let names: Vec<String> = entry()
        .tags
        .iter()
        .map(|tag| format!("tag:{tag}"))
        .collect();
    bench.bench_function("SHA-256 of 100 tags", |bench| {
        bench.iter(|| {
            let marks = names.iter().map(|name| mark_of(black_box(name)));
            marks.fold(0, |all, mark| all ^ mark)
        });
    });
}

fn learning(bench: &mut Criterion) {
    let texts: Vec<String> = pages().iter().map(PurgeFeed::encode).collect();
    println!(
        "all news: {} bytes",
        texts.iter().map(String::len).sum::<usize>()
    );
    bench.bench_function("learn 100,000 marks from text", |bench| {
        bench.iter(|| {
            let mut index = PurgeIndex::default();
            for text in &texts {
                let news = PurgeFeed::decode(black_box(text)).expect("news");
                index.apply(&news);
            }
            index.len()
        });
    });
}

criterion_group! {
    name = purging;
    config = Criterion::default().without_plots();
    targets = look_ups, beside, learning
}
criterion_main!(purging);
