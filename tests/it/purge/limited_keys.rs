//! Tests of the effects of keys on each other's pages, through the whole of
//! `serve`. The purges of a key with limited permissions widen within them, and
//! it reads the history in pages of limited size.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::wire::{HISTORY_BYTES_MAX, SCOPE_MARKS_MAX};
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::response::reply::Content;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use testkit::world::{Bytes, Plan, World, secrets};

const NOW_MS: u64 = 1_795_424_400_000;

const SETTINGS: &str = r#"{"origin": "http://origin.test", "keys": [
    {"name": "t-weak", "secret": "STORY_T_WEAK", "may": {"hosts": ["weak.test"], "tags": ["weak-*"]}}
]}"#;

struct Site {
    world: World,
    isolate: Rc<Isolate>,
}

impl Site {
    fn new() -> Self {
        let rules = Rules::read_json(SETTINGS).expect("good settings");
        let keys = Keys::read(&rules, |name| Some(secrets::of_variable(name)));
        Self {
            world: World::new(NOW_MS),
            isolate: Rc::new(Isolate::new(rules, keys)),
        }
    }

    /// A response's status, with its `Cache-Status` or its text.
    #[track_caller]
    fn send(&self, method: &str, url: &str, key: &str, body: Option<String>) -> (u16, String) {
        let token = format!("Bearer {}", secrets::token(key));
        let mut fields = Fields::new();
        if !key.is_empty() {
            fields.add("authorization", token);
        }
        let head = RequestHead {
            method: Method::named(method),
            url: Url::parse(url).expect(url),
            fields,
        };
        let body = body.map(|text| Bytes::new(text, false));
        let slot: Rc<RefCell<Option<(u16, String)>>> = Rc::default();
        let (world, isolate, filled) = (
            self.world.clone(),
            Rc::clone(&self.isolate),
            Rc::clone(&slot),
        );
        self.world.executor.spawn(async move {
            let answer = serve(&world, &isolate, head, body).await;
            let text = match answer.content {
                Content::Text(text) => text,
                _ => answer
                    .fields
                    .get("cache-status")
                    .unwrap_or_default()
                    .to_owned(),
            };
            *filled.borrow_mut() = Some((answer.status, text));
        });
        self.world.executor.run_until(|| slot.borrow().is_some());
        self.world.executor.settle();
        slot.borrow_mut().take().expect("an answer")
    }

    fn page(&self, url: &str, tags: &str) {
        let path = Url::parse(url).expect(url).path;
        let fields = [("cache-control", "max-age=6000"), ("cache-tag", tags)];
        let plan = Plan::Answer {
            slow_ms: 0,
            cut: false,
            status: 200,
            fields: fields.into_iter().collect(),
            body: "page".to_owned(),
        };
        self.world.state.borrow_mut().plans.insert(path, plan);
        self.send("GET", url, "", None);
        assert!(self.is_hit(url), "{url}");
    }

    fn is_hit(&self, url: &str) -> bool {
        self.send("GET", url, "", None).1.contains("; hit")
    }

    #[track_caller]
    fn purge(&self, key: &str, body: &Value) {
        let (url, body) = ("http://a.test/.edgekeep/purge", body.to_string());
        let (status, text) = self.send("POST", url, key, Some(body));
        assert_eq!(status, 200, "{text}");
    }
}

#[test]
fn purges_of_limited_key_widen_only_within_its_scope() {
    let site = Site::new();
    site.page("http://a.test/own", "news");
    site.page("http://a.test/tagged", "weak-page");
    site.page("http://weak.test/other", "news");
    let orders = SCOPE_MARKS_MAX / 1000 + 2;
    for n in 0..orders {
        let tags: Vec<String> = (0..1000).map(|at| format!("weak-{n}-{at}")).collect();
        site.purge("t-weak", &json!({ "tags": tags }));
    }
    // Another isolate receives it in the form in which it is stored.
    let other = Site {
        world: site.world.clone(),
        ..Site::new()
    };
    for url in [
        "http://a.test/own",
        "http://a.test/tagged",
        "http://weak.test/other",
    ] {
        let own = url.ends_with("/own");
        assert_eq!(other.is_hit(url), own, "{url}");
    }
    // The key without limits may purge everything.
    site.purge("default", &json!({ "purge_everything": true }));
    assert!(!site.is_hit("http://a.test/own"));
}

#[test]
fn history_page_ends_at_byte_limit_and_continues() {
    let site = Site::new();
    for n in 0..30 {
        let tags: Vec<String> = (0..90).map(|at| format!("weak-{n}-{at:0>1000}")).collect();
        site.purge("t-weak", &json!({ "tags": tags }));
    }
    let (mut after, mut found, mut pages) = (0, 0, 0);
    loop {
        let url = format!("http://a.test/.edgekeep/purges?after={after}&limit=100");
        let (status, text) = site.send("GET", &url, "t-weak", None);
        assert_eq!(status, 200, "{text}");
        assert!(
            text.len() as u64 <= HISTORY_BYTES_MAX + 100_000,
            "{}",
            text.len()
        );
        let page: Value = serde_json::from_str(&text).expect("JSON");
        found += page["purges"].as_array().expect("a list").len();
        pages += 1;
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((found, pages), (30, 3));
}
