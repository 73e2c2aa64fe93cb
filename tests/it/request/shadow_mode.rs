//! Tests of shadow mode: clients get what they get without a cache, purges
//! count, and no entry of one namespace is used in the other.

use edgekeep::flow::response::reply::Answer;
use serde_json::{Value, json};
use testkit::shadowed::{GET, PUBLIC, lines, page, purge, shadow, stored, verdict, worker_in};
use testkit::worker::{NOW_MS, text};
use testkit::world::{Bytes, World};

#[test]
fn right_page_is_stored_and_then_the_same() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "a page");
    assert_eq!(verdict(&worker, GET), "stored");
    for _ in 0..3 {
        assert_eq!(verdict(&worker, GET), "same");
    }
    // Each of them asked the origin.
    assert_eq!(worker.world.state.borrow().asked.len(), 4);
    assert!(lines(&worker, "problem").is_empty());
    worker.world.executor.advance(61_000);
    assert_eq!(verdict(&worker, GET), "stored");
}

#[test]
fn page_that_greets_its_reader_differs() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "Hello, stranger");
    assert_eq!(verdict(&worker, GET), "stored");
    page(&worker, "/p", PUBLIC, "Hello, Ada");
    let alice = format!("{GET} | Cookie: name=Ada");
    assert_eq!(verdict(&worker, &alice), "differs");
    // The origin got the cookie.
    let asked = worker.world.state.borrow().asked.clone();
    assert_eq!(asked[1].fields.get("cookie"), Some("name=Ada"));
    let problems = lines(&worker, "problem");
    assert_eq!(problems.len(), 1, "{problems:?}");
    let (part, problem) = (&problems[0]["part"], problems[0]["problem"].to_string());
    assert_eq!(part, "shadow");
    let key = lines(&worker, "request")[0]["key"].clone();
    assert!(problem.contains(key.as_str().expect("a key")), "{problem}");
    assert!(problem.contains("stored 200 ") && problem.contains("received 200 "));
    for secret in ["Hello", "Ada", "stranger"] {
        assert!(!problem.contains(secret), "{problem}");
        let held = stored(&worker);
        assert!(held.iter().all(|(text, _)| !text.contains(secret)));
    }
    // The stored one is still what a reader would get.
    page(&worker, "/p", PUBLIC, "Hello, stranger");
    assert_eq!(verdict(&worker, GET), "same");
}

#[test]
fn body_and_values_are_not_stored() {
    let worker = shadow(json!({ "kv": true }));
    let answer = format!("{PUBLIC} | X-User: secret-ada | Link: </secret-a>");
    page(&worker, "/p", &answer, "secret body");
    assert_eq!(verdict(&worker, GET), "stored");
    let held = stored(&worker);
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].1, None);
    assert!(!held[0].0.contains("secret"), "{}", held[0].0);
    assert!(worker.world.state.borrow().kv.is_empty());
}

#[test]
fn purge_between_two_requests_is_a_miss() {
    for order in [
        r#"{"files":["http://a.test/p"]}"#,
        r#"{"tags":["t1"]}"#,
        r#"{"hosts":["a.test"]}"#,
        r#"{"purge_everything":true}"#,
        r#"{"tags":["t1"],"soft":true}"#,
    ] {
        let worker = shadow(json!({}));
        page(&worker, "/p", &format!("{PUBLIC} | Cache-Tag: t1"), "page");
        page(&worker, "/q", PUBLIC, "page");
        assert_eq!(verdict(&worker, GET), "stored");
        assert_eq!(verdict(&worker, GET), "same");
        purge(&worker, order);
        assert_eq!(verdict(&worker, GET).as_str(), "stored", "{order}");
        assert_eq!(verdict(&worker, GET), "same", "{order}");
    }
}

/// Responses of the origin, and requests to it.
fn exchanges() -> [(&'static str, &'static str, &'static str); 10] {
    let tagged = "200 | Cache-Control: max-age=60 | Cache-Tag: x | ETag: \"1\" | X-A: 1";
    [
        ("GET http://a.test/p | Cookie: a=1", tagged, "a page"),
        ("GET http://a.test/p?utm_source=1&b=2", tagged, "a page"),
        ("HEAD http://a.test/p", tagged, "a page"),
        ("GET http://a.test/p | If-None-Match: \"1\"", tagged, "x"),
        ("GET http://a.test/p | If-None-Match: \"2\"", tagged, "x"),
        (
            "GET http://a.test/p | Range: bytes=0-0",
            "206 | Content-Range: bytes 0-0/2",
            "x",
        ),
        ("GET http://a.test/p", "301 | Location: /q", ""),
        ("GET http://a.test/p", "204", ""),
        ("GET http://a.test/p", "503 | Retry-After: 1", "sorry"),
        ("GET http://a.test/p | Accept: a/b;q=0.5, c/d", "404", "no"),
    ]
}

fn seen(answer: &Answer<Bytes>) -> String {
    let mut fields = answer.fields.clone();
    let status = fields.get("cache-status").unwrap_or_default().to_owned();
    let status = status.replace("shadow", "rule");
    fields.set("cache-status", status);
    let (code, length) = (answer.status, answer.length);
    format!("{code} {length:?} {fields:?} {:?}", text(answer))
}

#[test]
fn client_and_origin_see_what_they_see_without_a_cache() {
    for (request, answer, body) in exchanges() {
        let mut all = Vec::new();
        for rule in [json!({ "cache": false }), json!({ "shadow": true })] {
            let worker = worker_in(&World::new(NOW_MS), rule);
            let path = request.split_once("a.test").expect("a host").1;
            let path = path.split(" | ").next().expect("a path");
            page(&worker, path, answer, body);
            let answers = [(); 3].map(|()| seen(&worker.send(request)));
            worker.world.executor.settle();
            let asked = format!("{:?}", worker.world.state.borrow().asked);
            all.push((answers, asked));
        }
        assert_eq!(all[0], all[1], "{request}");
    }
}

#[test]
fn the_two_namespaces_share_nothing() {
    let world = World::new(NOW_MS);
    let defaults = json!({ "memory": false, "kv": true });
    let real = worker_in(&world, defaults);
    let shadowed = worker_in(&world, json!({ "shadow": true, "kv": true }));
    // Switched off after a week: a miss.
    page(&shadowed, "/p", PUBLIC, "page");
    assert_eq!(verdict(&shadowed, GET), "stored");
    assert_eq!(verdict(&shadowed, GET), "same");
    let status = |answer: &Answer<Bytes>| {
        let status = answer.fields.get("cache-status").unwrap_or_default();
        status.to_owned()
    };
    let answer = real.send(GET);
    assert!(status(&answer).contains("fwd=uri-miss"), "{answer:?}");
    assert_eq!(text(&answer), "page");
    world.executor.settle();
    assert!(status(&real.send(GET)).contains("hit"));
    // Switched on with pages stored: a miss, too.
    page(&real, "/q", PUBLIC, "page");
    real.send("GET http://a.test/q");
    world.executor.settle();
    assert!(status(&real.send("GET http://a.test/q")).contains("hit"));
    assert_eq!(verdict(&shadowed, "GET http://a.test/q"), "stored");
}

#[test]
fn entry_in_the_slot_of_the_other_namespace_is_a_miss() {
    for is_real in [true, false] {
        let world = World::new(NOW_MS);
        let real = worker_in(&world, json!({ "memory": false, "kv": false }));
        let shadowed = worker_in(&world, json!({ "shadow": true }));
        page(&real, "/p", PUBLIC, "page");
        // A collision of the digests: both slots hold the entry of one.
        real.send(GET);
        world.executor.settle();
        shadowed.send(GET);
        world.executor.settle();
        let mut state = world.state.borrow_mut();
        let held = state.cache_api.clone();
        assert_eq!(held.len(), 2);
        let is_of_shadow = |text: &str| text.contains("shadow:");
        let (_, one) = held
            .iter()
            .find(|(_, (text, _, _))| is_of_shadow(text) != is_real)
            .expect("an entry");
        state
            .cache_api
            .values_mut()
            .for_each(|slot| *slot = one.clone());
        drop(state);
        match is_real {
            true => assert_eq!(verdict(&shadowed, GET), "stored"),
            false => {
                let answer = real.send(GET);
                let status = answer.fields.get("cache-status").unwrap_or_default();
                assert!(status.contains("fwd=uri-miss"), "{status}");
                assert_eq!(text(&answer), "page");
            }
        }
    }
}

#[test]
fn page_that_is_being_compared_is_only_passed() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "page");
    worker
        .world
        .state
        .borrow_mut()
        .slow
        .insert("cache-api", 500);
    worker.send(GET);
    let answer = worker.send(GET);
    assert_eq!(text(&answer), "page");
    let words: Vec<Value> = lines(&worker, "request")
        .iter()
        .map(|line| line["shadow"].clone())
        .collect();
    assert!(words.contains(&json!("not-compared")), "{words:?}");
    worker.world.executor.advance(5000);
    assert_eq!(lines(&worker, "request").len(), 2);
    // When it has ended, the next request is compared.
    worker.world.state.borrow_mut().slow.clear();
    assert_eq!(verdict(&worker, GET), "same");
}

#[test]
fn a_reader_does_not_wait_for_the_comparison() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "page");
    let mut state = worker.world.state.borrow_mut();
    state.slow.insert("cache-api", 700);
    state.slow.insert("ledger", 900);
    drop(state);
    let began_ms = worker.world.executor.now_ms();
    worker.send(GET);
    assert_eq!(worker.world.executor.now_ms(), began_ms);
}

#[test]
fn purge_during_a_comparison_applies_to_its_response() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "page");
    // The response came before the purge, and is stored after it.
    worker
        .world
        .state
        .borrow_mut()
        .slow
        .insert("cache-api", 500);
    worker.send(GET);
    purge(&worker, r#"{"files":["http://a.test/p"]}"#);
    worker.world.executor.advance(5000);
    worker.world.state.borrow_mut().slow.clear();
    assert_eq!(stored(&worker).len(), 1);
    assert_eq!(verdict(&worker, GET), "stored");
    assert_eq!(verdict(&worker, GET), "same");
}

#[test]
fn record_is_renewed_when_the_cache_would_refresh_it() {
    let worker = shadow(json!({ "stale_while_revalidate": 100 }));
    page(&worker, "/p", PUBLIC, "one");
    assert_eq!(verdict(&worker, GET), "stored");
    page(&worker, "/p", PUBLIC, "two");
    worker.world.executor.advance(70_000);
    // Served stale once, and refreshed behind that.
    assert_eq!(verdict(&worker, GET), "differs");
    assert_eq!(verdict(&worker, GET), "same");
}
