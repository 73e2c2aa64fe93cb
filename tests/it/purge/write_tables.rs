//! Tests of invalidation by writes, through the whole of `serve`. RFC 9111 §4.4
//! (invalidating stored responses), §4.3.5 (HEAD); RFC 9110 §9.2.1 (safe
//! methods); RFC 9875 §2 and §3 (cache groups); RFC 9651 §3.1 (lists).

#[allow(dead_code, reason = "stories are played elsewhere")]
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::ledger::sequence::{Numbers, PurgeState};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::groups;
use edgekeep::cache::purge::index::INDEX_MARKS_MAX;
use edgekeep::cache::purge::write_rate::{GATHERED_MAX, InvalidationNames, WRITES_BURST};
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::RefCell;
use std::rc::Rc;
use testkit::world::{Plan, World};

const NOW_MS: u64 = 1_795_424_400_000;

/// A world in which `a.test` and `b.test` have an origin.
struct Site {
    world: World,
    isolate: Rc<Isolate>,
}

impl Site {
    fn new(settings: &str) -> Self {
        let rules = Rules::read_json(settings).expect("good settings");
        Self {
            world: World::new(NOW_MS),
            isolate: Rc::new(Isolate::new(rules, Keys::of_default(""))),
        }
    }

    /// The origin responds to this path with `STATUS[ | name: value]…`.
    fn plan(&self, path: &str, answer: &str) {
        let mut parts = answer.split(" | ");
        let status = parts.next().and_then(|s| s.parse().ok());
        let plan = Plan::Answer {
            slow_ms: 0,
            cut: false,
            status: status.expect("a status"),
            fields: parts
                .map(|line| line.split_once(": ").expect("name: value"))
                .collect(),
            body: "body".to_owned(),
        };
        self.world
            .state
            .borrow_mut()
            .plans
            .insert(path.to_owned(), plan);
    }

    /// The status of the response, and whether the origin received the request.
    #[track_caller]
    fn send(&self, method: &str, url: &str, fields: Fields) -> (u16, bool) {
        let head = RequestHead {
            method: Method::named(method),
            url: Url::parse(url).expect(url),
            fields,
        };
        let before = self.world.state.borrow().asked.len();
        let slot: Rc<RefCell<Option<u16>>> = Rc::default();
        let (world, isolate, filled) = (
            self.world.clone(),
            Rc::clone(&self.isolate),
            Rc::clone(&slot),
        );
        self.world.executor.spawn(async move {
            let answer = serve(&world, &isolate, head, None).await;
            *filled.borrow_mut() = Some(answer.status);
        });
        self.world.executor.run_until(|| slot.borrow().is_some());
        self.world.executor.settle();
        let reached_origin = self.world.state.borrow().asked.len() > before;
        let status = slot.borrow_mut().take().expect("an answer");
        (status, reached_origin)
    }

    fn get(&self, url: &str) -> bool {
        self.send("GET", url, Fields::new()).1
    }
}

const PLAIN: &str = r#"{"origin": "http://origin.test"}"#;

/// Whether a page is purged after a write to `target` with this response.
#[track_caller]
fn purged_by_write(settings: &str, page: &str, write: &str, answer: &str) -> bool {
    let (method, target) = write.split_once(' ').expect("METHOD URL");
    let site = Site::new(settings);
    let path = |url: &str| url.splitn(4, '/').nth(3).map(|path| format!("/{path}"));
    let stored = "200 | cache-control: max-age=600 | cache-groups: \"g\", \"h h\"";
    site.plan(&path(page).expect(page), stored);
    assert!(site.get(page) && !site.get(page), "{page} is not stored");
    site.plan(&path(target).expect(target), answer);
    let (status, reached_origin) = site.send(method, target, Fields::new());
    assert!(
        reached_origin && answer.starts_with(&status.to_string()),
        "{write}"
    );
    site.plan(&path(page).expect(page), stored);
    site.get(page)
}

#[test]
fn write_invalidates_its_target() {
    #[track_caller]
    fn check(write: &str, answer: &str, expected: bool) {
        let found = purged_by_write(PLAIN, "http://a.test/p", write, answer);
        assert_eq!(found, expected, "{write}, {answer}");
    }
    // RFC 9111 §4.4: unsafe methods, and unknown ones.
    for method in [
        "POST", "PUT", "DELETE", "PATCH", "MKCOL", "FROB", "CONNECT", "post", "get",
    ] {
        check(&format!("{method} http://a.test/p"), "200", true);
    }
    for method in ["OPTIONS", "TRACE"] {
        check(&format!("{method} http://a.test/p"), "200", false);
    }
    // A status that is not an error: 2xx or 3xx.
    for status in [
        200, 201, 202, 204, 205, 299, 300, 301, 302, 303, 307, 308, 399,
    ] {
        check("POST http://a.test/p", &status.to_string(), true);
    }
    for status in [
        400, 401, 403, 404, 409, 410, 412, 422, 429, 499, 500, 501, 502, 503, 599,
    ] {
        check("POST http://a.test/p", &status.to_string(), false);
    }
    // The target in any spelling, and no other URL.
    check("POST http://A.test:80/x/../p", "200", true);
    check("POST http://a.test/%70", "200", true);
    check("POST http://a.test/p?utm_source=x", "200", true);
    check("POST http://a.test/p?q", "200", false);
    check("POST http://a.test/p/", "200", false);
    check("POST http://a.test/", "200", false);
    check("POST http://b.test/p", "200", false);
}

#[test]
fn write_invalidates_urls_that_it_created() {
    #[track_caller]
    fn check(target: &str, answer: &str, expected: bool) {
        let write = format!("POST http://a.test{target}");
        let found = purged_by_write(PLAIN, "http://a.test/d/p", &write, answer);
        assert_eq!(found, expected, "{write}: {answer}");
    }
    // RFC 9111 §4.4: URIs of the same origin in Location, Content-Location.
    for name in ["location", "content-location", "Location"] {
        check("/d", &format!("201 | {name}: http://a.test/d/p"), true);
        check(
            "/d",
            &format!("201 | {name}: http://A.TEST:80/d/p#top"),
            true,
        );
        check("/d", &format!("201 | {name}: //a.test/d/p"), true);
        check("/d", &format!("201 | {name}: /d/p"), true);
        check("/d", &format!("201 | {name}: d/p"), true);
        check("/d/", &format!("201 | {name}: p"), true);
        check("/d/", &format!("201 | {name}: ./x/../p"), true);
        check("/d?x", &format!("201 | {name}: /d/p?utm_source=x"), true);
        check("/d/p?x", &format!("201 | {name}: /d/p"), true);
        check("/", &format!("201 | {name}: /d/p"), true);
        check("/d", &format!("201 | {name}: /d/q"), false);
        check("/d", &format!("201 | {name}: /d/p?q"), false);
        // Beside or above the target.
        check("/d/form", &format!("201 | {name}: /d/p"), false);
        check("/d/p/form", &format!("201 | {name}: /d/p"), false);
        check("/d/pp", &format!("201 | {name}: /d/p"), false);
        check("/d/x/..%2fp", &format!("201 | {name}: /d/p"), false);
        // Another origin.
        check("/d", &format!("201 | {name}: https://a.test/d/p"), false);
        check(
            "/d",
            &format!("201 | {name}: http://a.test:8080/d/p"),
            false,
        );
        check("/d", &format!("201 | {name}: http://b.test/d/p"), false);
        check("/d", &format!("201 | {name}: //b.test/d/p"), false);
        check("/d", &format!("201 | {name}: mailto:a@a.test"), false);
        // Nothing was created: the client may have chosen the URL.
        for status in [200, 202, 204, 301, 302, 303, 307, 308, 399, 400, 500] {
            check("/d", &format!("{status} | {name}: /d/p"), false);
        }
    }
    check("/d", "201 | location: /x | content-location: /d/p", true);
    check("/d", "201 | location: /d/p | content-location: /x", true);
    check("/d", "201 | link: </d/p>", false);
}

#[test]
fn write_to_other_origin_invalidates_nothing() {
    let named = "201 | location: http://a.test/p | content-location: http://a.test/p | cache-group-invalidation: \"g\"";
    for target in [
        "http://b.test/form",
        "https://a.test/form",
        "http://a.test:81/form",
    ] {
        let found = purged_by_write(PLAIN, "http://a.test/p", &format!("POST {target}"), named);
        assert!(!found, "{target}");
    }
}

#[test]
fn rule_disables_invalidation_by_writes() {
    let quiet = r#"{"origin": "http://origin.test", "rules":
        [{"path": "/quiet/*", "invalidate_on_write": false}]}"#;
    let named = "201 | location: /p | cache-group-invalidation: \"g\"";
    assert!(!purged_by_write(
        quiet,
        "http://a.test/p",
        "POST http://a.test/quiet/x",
        named
    ));
    assert!(!purged_by_write(
        quiet,
        "http://a.test/quiet/x",
        "POST http://a.test/quiet/x",
        "200"
    ));
    assert!(purged_by_write(
        quiet,
        "http://a.test/p",
        "POST http://a.test/loud/x",
        named
    ));
    // The rule of the write applies, not that of the URLs it invalidates.
    let loud = "201 | location: /quiet/x";
    assert!(purged_by_write(
        quiet,
        "http://a.test/quiet/x",
        "POST http://a.test/quiet",
        loud
    ));
}

#[test]
fn write_invalidates_cache_groups_of_its_response() {
    #[track_caller]
    fn check(write: &str, answer: &str, expected: bool) {
        let found = purged_by_write(PLAIN, "http://a.test/p", write, answer);
        assert_eq!(found, expected, "{write}, {answer}");
    }
    let post = "POST http://a.test/form";
    let named = |groups: &str| format!("200 | cache-group-invalidation: {groups}");
    // RFC 9875 §3.
    check(post, &named("\"g\""), true);
    check(post, &named("\"h h\""), true);
    check(post, &named("\"x\", \"g\""), true);
    check(post, &named("\"g\";a=1"), true);
    check(
        post,
        "200 | cache-group-invalidation: \"x\" | cache-group-invalidation: \"g\"",
        true,
    );
    check(post, &named("\"x\""), false);
    check(post, &named("\"G\""), false);
    check(post, &named("\"g \""), false);
    check(post, &named("\"\""), false);
    check(post, &named("g"), false);
    check(post, &named("\"g\", x"), false);
    check(post, &named("\"g\","), false);
    check(post, &named("\"g"), false);
    check(post, &named("(\"g\")"), false);
    check(post, &named(""), false);
    check(post, "200 | cache-groups: \"g\"", false);
    check(post, "200", false);
    for method in ["PUT", "DELETE", "PATCH", "FROB"] {
        check(
            &format!("{method} http://a.test/form"),
            &named("\"g\""),
            true,
        );
    }
    // §3: ignored in responses to safe methods.
    for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
        check(
            &format!("{method} http://a.test/form"),
            &named("\"g\""),
            false,
        );
    }
    check(post, "500 | cache-group-invalidation: \"g\"", false);
    check(post, "404 | cache-group-invalidation: \"g\"", false);
}

#[test]
fn head_response_with_other_etag_makes_entry_stale() {
    // RFC 9111 §4.3.5: otherwise the stored response would stay in use although
    // it is outdated.
    let heeded = r#"{"origin": "http://origin.test", "defaults": {"request_directives": true}}"#;
    let no_cache = || [("cache-control", "no-cache")].into_iter().collect();
    let page = "http://a.test/p";
    for (etag, refetched) in [("\"a\"", false), ("\"b\"", true)] {
        let site = Site::new(heeded);
        site.plan("/p", "200 | cache-control: max-age=600 | etag: \"a\"");
        assert!(site.get(page) && !site.get(page), "not stored");
        let answer = format!("200 | cache-control: max-age=600 | etag: {etag}");
        site.plan("/p", &answer);
        assert_eq!(site.send("HEAD", page, no_cache()), (200, true));
        assert_eq!(site.get(page), refetched, "{etag}");
    }
}

#[test]
fn cache_groups_are_lists_of_strings() {
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let lines = text.split(" | ").filter(|line| !line.is_empty());
        let fields: Fields = lines
            .map(|line| line.split_once(':').expect("name: value"))
            .map(|(name, value)| (name, value.trim()))
            .collect();
        assert_eq!(groups::named(&fields, "cache-groups"), expected, "{text}");
    }
    // RFC 9875 §2, RFC 9651 §3.1.
    check("", &[]);
    check("cache-groups:", &[]);
    check("cache-groups: \"a\"", &["a"]);
    check("Cache-Groups: \"a\", \"b\"", &["a", "b"]);
    check("cache-groups: \"a\",\"b\"\t,\t\"c\"", &["a", "b", "c"]);
    check("cache-groups: \"a\" | cache-groups: \"b\"", &["a", "b"]);
    check("cache-groups: \"a b, c\"", &["a b, c"]);
    check("cache-groups: \"a\\\"b\\\\\"", &["a\"b\\"]);
    check("cache-groups: \"\"", &[""]);
    check("cache-groups: \"a\";x=1;y", &["a"]);
    check("other: \"a\"", &[]);
    for bad in [
        "a",
        "1",
        "?1",
        ":YQ==:",
        "\"a\", b",
        "\"a\", 1",
        "(\"a\")",
        "\"a\", (\"b\")",
        "\"a\",",
        ",\"a\"",
        "\"a\",,\"b\"",
        "\"a\" \"b\"",
        "\"a",
        "a\"",
        "\"é\"",
        "\"a\\b\"",
        "'a'",
        "\"a\";",
    ] {
        check(&format!("cache-groups: {bad}"), &[]);
    }
    // An invalid line invalidates the field.
    check("cache-groups: \"a\" | cache-groups: (", &[]);
}

#[test]
fn cache_group_limits_exceed_rfc_minimum() {
    // RFC 9875 §2: at least 32, of at least 32 characters.
    let named = |count: usize, bytes: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("\"{at:0>bytes$}\"")).collect();
        let fields: Fields = [("cache-groups", names.join(", "))].into_iter().collect();
        groups::named(&fields, "cache-groups").len()
    };
    assert_eq!(named(32, 32), 32);
    assert_eq!(named(64, 256), 64);
    // A response with more is not stored: an invalidation could miss it.
    assert_eq!(named(65, 32), 65);
    assert_eq!(groups::GROUPS_MAX, 64);
    assert_eq!(named(3, 257), 0);
}

#[test]
fn burst_of_writes_is_sent_singly_and_the_rest_in_batches() {
    let site = Site::new(PLAIN);
    let page = |n: u64| format!("http://a.test/p{n}");
    let write = |n: u64| {
        site.plan(&format!("/p{n}"), "204");
        assert_eq!(site.send("POST", &page(n), Fields::new()).0, 204);
        site.plan(&format!("/p{n}"), "200 | cache-control: max-age=600");
    };
    let all = WRITES_BURST + 40;
    for n in 0..all {
        site.plan(&format!("/p{n}"), "200 | cache-control: max-age=600");
        site.get(&page(n));
    }
    let ledger = || site.world.ledger.borrow().last().expect("a number");
    let before = ledger();
    for n in 0..all {
        write(n);
    }
    // In this isolate all of them take effect at once.
    site.world.executor.advance(10);
    for n in 0..all {
        assert!(site.get(&page(n)) && !site.get(&page(n)), "{n}");
    }
    // In another one, those that were sent at once.
    let other = Site {
        world: site.world.clone(),
        ..Site::new(PLAIN)
    };
    let marks = |n: u64| {
        let url = Url::parse(&page(n)).expect("a URL");
        edgekeep::cache::purge::selector::marks(&url, &[], &[])
    };
    let state = |site: &Site, n| site.isolate.index.borrow().state(before, &marks(n));
    other.get(&page(0));
    assert_eq!(state(&other, WRITES_BURST - 1), PurgeState::Hard);
    assert_eq!(state(&other, WRITES_BURST), PurgeState::Alive);
    // The others within a lag: the first ones by their selectors, those beyond
    // with their host. A flood makes no reader's write a soft one.
    site.world.executor.advance(10_500);
    other.get(&page(0));
    let gathered = WRITES_BURST + GATHERED_MAX as u64;
    assert_eq!(state(&other, WRITES_BURST), PurgeState::Hard);
    assert_eq!(state(&other, gathered - 1), PurgeState::Hard);
    assert_eq!(state(&other, gathered), PurgeState::Soft);
    // Nor is any earlier response served here, now that the ledger has them.
    assert_eq!(state(&site, all - 1), PurgeState::Hard);
    let orders = ledger() - before;
    assert!(orders < all - 20, "{orders} orders");
}

#[test]
fn batched_writes_to_port_purge_their_host() {
    let site = Site::new(PLAIN);
    let stored = "200 | cache-control: max-age=600";
    let page = "http://a.test:8080/form";
    site.plan("/form", stored);
    assert!(site.get(page) && !site.get(page));
    // Another client uses up the tokens, with so many selectors that only the
    // host is kept.
    for n in 0..WRITES_BURST + 40 {
        site.plan(&format!("/p{n}"), "204");
        site.send("POST", &format!("http://a.test:8080/p{n}"), Fields::new());
    }
    site.plan("/form", "204");
    site.send("POST", page, Fields::new());
    site.plan("/form", stored);
    site.world.executor.advance(10_500);
    // Another isolate, which has not received it.
    let other = Site {
        world: site.world.clone(),
        ..Site::new(PLAIN)
    };
    assert!(other.get(page), "the write is lost");
}

#[test]
fn batch_of_ended_request_is_sent_by_later_request() {
    for method in ["GET", "POST"] {
        let site = Site::new(PLAIN);
        site.plan("/other", "200 | cache-control: max-age=600");
        let before = site.world.ledger.borrow().last().expect("a number");
        let names = InvalidationNames::new(vec!["url:a.test/p".to_owned()]);
        let gather = |index: &mut edgekeep::cache::purge::index::PurgeIndex| {
            index.unconfirmed.gather("a.test", names, 5000, NOW_MS)
        };
        assert!(gather(&mut site.isolate.index.borrow_mut()));
        site.send(method, "http://b.test/other", Fields::new());
        assert!(!site.isolate.index.borrow().unconfirmed.is_empty());
        site.world.executor.advance(60_000);
        assert!(!site.isolate.index.borrow().unconfirmed.is_empty());
        site.send(method, "http://b.test/other", Fields::new());
        site.world.executor.advance(1000);
        assert!(
            site.isolate.index.borrow().unconfirmed.is_empty(),
            "{method}"
        );
        assert!(site.world.ledger.borrow().last().expect("a number") > before);
    }
}

#[test]
fn isolate_with_only_writes_bounds_its_index() {
    let site = Site::new(PLAIN);
    site.plan("/p", "204");
    site.send("POST", "http://a.test/p", Fields::new());
    let numbers = Numbers { hard: 1, soft: 0 };
    let marks = (0..=INDEX_MARKS_MAX).map(|mark| (mark, numbers)).collect();
    site.isolate.index.borrow_mut().apply(&PurgeFeed {
        writes: marks,
        ..PurgeFeed::default()
    });
    site.send("POST", "http://a.test/p", Fields::new());
    site.world.executor.advance(1000);
    assert!(site.isolate.index.borrow().len() < 10);
}
