//! The pure functions that a hit passes through, one at a time, so that their
//! instructions can be counted: `pure NAME ROUNDS` calls one so often. What a
//! call costs is the difference of two runs; `scripts/bench.mjs` takes it.
//!
//! `pure` alone prints the names; `pure index-bytes` what 100,000 purge
//! selectors take of memory.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key::{self, CacheKey};
use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::ledger::wire::MARKS_MAX;
use edgekeep::cache::policy::entry::Entry;
use edgekeep::cache::policy::freshness::{Times, initial_age, terms};
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use edgekeep::cache::purge::feed::{FEED_MARKS_MAX, LedgerTime, PurgeFeed};
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::flow::isolate::credentials::Secrets;
use edgekeep::flow::purge::signature;
use edgekeep::flow::response::reply::{Client, from_entry};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead, ResponseHead};
use edgekeep::http::url::Url;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The settings with which the worker itself is measured.
const POLICY: &str = include_str!("policy.json");

const URL: &str = "https://www.example.com/blog/2026/some-article-title?b=2&a=1&utm_source=x";
const NOW_MS: u64 = 1_795_424_460_000;
/// When the page was filled, and the number before the first purge.
const START: u64 = NOW_MS - 60_000;

/// What a browser sends.
const BROWSER: [(&str, &str); 12] = [
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    ),
    ("accept-language", "en-GB,en;q=0.9"),
    ("accept-encoding", "gzip, deflate, br"),
    (
        "cookie",
        "_ga=GA1.2.1234567890.1700000000; theme=dark; consent=yes",
    ),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "none"),
    ("upgrade-insecure-requests", "1"),
    ("cf-connecting-ip", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("host", "www.example.com"),
];

/// What the origin answers.
const ANSWER: [(&str, &str); 11] = [
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "public, max-age=3600"),
    ("cache-tag", "article-7, front, blog"),
    ("etag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
    ("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT"),
    ("vary", "Accept-Encoding"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
    ("server", "nginx"),
    ("date", "Mon, 23 Nov 2026 09:00:00 GMT"),
    ("content-length", "2048"),
];

fn request() -> RequestHead {
    RequestHead {
        method: Method::Get,
        url: Url::parse(URL).expect("a URL"),
        fields: BROWSER.into_iter().collect(),
    }
}

fn answer() -> ResponseHead {
    ResponseHead {
        status: 200,
        fields: ANSWER.into_iter().collect(),
    }
}

fn lookup(rules: &Rules) -> Lookup {
    match classify(rules, &request()) {
        Plan::Lookup(lookup) => *lookup,
        plan => panic!("{plan:?}"),
    }
}

const TIMES: Times = Times {
    request_ms: START,
    response_ms: START + 20,
};

/// The page as it is stored, with so many tags of its origin.
fn entry(lookup: &Lookup, tags: usize) -> Entry {
    let mut head = answer();
    let tags: Vec<String> = (0..tags).map(|n| format!("article-{n:05}")).collect();
    head.fields.set("cache-tag", tags.join(","));
    let exchange = Exchange {
        lookup,
        seen: START,
        times: TIMES,
        stored: None,
        on_error: false,
        ranged: false,
    };
    match decide_response(&exchange, Ok(&head)) {
        ResponseDecision::Store(entry) => *entry,
        next => panic!("{next:?}"),
    }
}

/// An index of 100,000 marks, learnt page by page as an isolate does.
fn full_index() -> PurgeIndex {
    let page = FEED_MARKS_MAX as u64;
    let mut index = PurgeIndex::default();
    for first in (0..MARKS_MAX).step_by(FEED_MARKS_MAX) {
        let mark = |n: u64| {
            let hard = START + n;
            (
                mark_of(&format!("tag:purged-{n}")),
                Numbers { hard, soft: 0 },
            )
        };
        let news = PurgeFeed {
            after: if first == 0 { 0 } else { START + first },
            sequence: START + first + page,
            complete: first + page >= MARKS_MAX,
            floor: Numbers::default(),
            at: LedgerTime {
                run: START,
                ms: START,
            },
            marks: (first + 1..=first + page).map(mark).collect(),
            kv_writes: None,
            ..PurgeFeed::default()
        };
        assert!(index.apply(&news));
    }
    assert_eq!(index.len() as u64, MARKS_MAX);
    index
}

/// What is measured, by name.
const NAMES: [&str; 9] = [
    "request",
    "key",
    "vary",
    "freshness",
    "index",
    "judge-100-tags",
    "decode",
    "head",
    "signature",
];

/// Makes what the function needs, and a call of it.
fn function(name: &str) -> Option<Box<dyn FnMut()>> {
    let rules = Rules::read_json(POLICY).expect("settings");
    let lookup = lookup(&rules);
    Some(match name {
        // The first question, whole.
        "request" => {
            let request = request();
            Box::new(move || drop(black_box(classify(&rules, black_box(&request)))))
        }
        // The URL as text to the place in the tiers.
        "key" => Box::new(move || {
            let url = Url::parse(black_box(URL)).expect("a URL");
            let url = cache_key::canonical_query(cache_key::canonical_path(&url), &lookup.rule);
            black_box(CacheKey::of_url(url).slot());
        }),
        "vary" => {
            let entry = entry(&lookup, 3);
            Box::new(move || {
                assert!(lookup.fits(black_box(&entry.choices)));
            })
        }
        "freshness" => {
            let head = answer();
            Box::new(move || {
                black_box(terms(black_box(&head), &lookup.rule, TIMES));
                black_box(initial_age(&head, TIMES));
            })
        }
        // An entry of 100 tags against 100,000 marks, and then all of it.
        "index" => {
            let (entry, index) = (entry(&lookup, 100), full_index());
            Box::new(move || {
                let state = index.state(black_box(entry.seen), black_box(&entry.marks));
                assert_eq!(state, PurgeState::Alive);
            })
        }
        "judge-100-tags" => {
            let (entry, index) = (entry(&lookup, 100), full_index());
            Box::new(move || {
                let verdict = judge(black_box(&entry), &lookup, Some(&index), NOW_MS);
                assert!(matches!(verdict, ReuseVerdict::Fresh(_)));
            })
        }
        "decode" => {
            let text = entry(&lookup, 3).encode();
            Box::new(move || drop(black_box(Entry::decode(black_box(&text)))))
        }
        // The head that a client gets.
        "head" => {
            let entry = entry(&lookup, 3);
            let ReuseVerdict::Fresh(age) =
                judge(&entry, &lookup, Some(&PurgeIndex::default()), NOW_MS)
            else {
                panic!("not fresh");
            };
            Box::new(move || {
                let head = from_entry(black_box(&entry), &lookup, Client::Waiting, age);
                black_box(head.fields.len());
            })
        }
        // An order of a few tags, signed by HMAC.
        "signature" => {
            let secrets = Secrets::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
            let secrets = secrets.expect("a secret");
            let body = br#"{"tags":["front","article-7"],"soft":true}"#;
            let digits = format!("sha256={}", "5a".repeat(32));
            let fields: Fields = [("x-hub-signature-256", digits)].into_iter().collect();
            Box::new(move || {
                let signature = signature::hub_signature(black_box(&fields)).expect("its form");
                assert!(!signature::is_hub_signed(
                    &secrets,
                    black_box(body),
                    &signature
                ));
            })
        }
        _ => return None,
    })
}

/// The system's allocator, and how much it has given out.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's; only sizes are noted beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let (name, rounds) = (arguments.next(), arguments.next());
    let Some(name) = name else {
        return println!("{}", NAMES.join("\n"));
    };
    if name == "index-bytes" {
        let before = HELD.load(Ordering::Relaxed);
        let index = full_index();
        println!("{}", HELD.load(Ordering::Relaxed) - before);
        return drop(index);
    }
    let rounds: u64 = rounds
        .and_then(|n| n.parse().ok())
        .expect("pure NAME ROUNDS");
    let mut call = function(&name).unwrap_or_else(|| panic!("there is no {name}"));
    for _ in 0..rounds {
        call();
    }
}
