//! Tests of the verdicts of shadow mode, and of its limits.

use edgekeep::cache::shadow::comparisons::{COMPARISONS_MAX, Comparisons, WARNINGS_MAX};
use edgekeep::cache::shadow::record::BODY_BYTES_MAX;
use serde_json::json;
use testkit::shadowed::{GET, PUBLIC, lines, page, shadow, stored, verdict};
use testkit::world::Plan;

#[test]
fn fields_that_matter_differ() {
    // The fields of the first response, those of the second, and the verdict.
    let rows = [
        ("X-A: 1", "X-A: 1", "same"),
        ("X-A: 1", "X-A: 2", "differs"),
        ("X-A: 1", "X-B: 1", "differs"),
        ("Location: /a", "Location: /b", "differs"),
        ("X-A: 1", "X-A: 1 | Set-Cookie: id=1", "differs"),
        ("ETag: \"1\"", "ETag: \"2\"", "same"),
        ("X-Request-Id: 1", "X-Request-Id: 2", "same"),
        ("Date: Mon, 23 Nov 2026 08:59:58 GMT", "Age: 5", "same"),
        ("Cache-Tag: a", "Cache-Tag: b", "same"),
        (
            "Content-Encoding: br",
            "Content-Encoding: zstd",
            "not-compared/coding",
        ),
        (
            "Content-Encoding: br",
            "Content-Encoding: br | X-A: 1",
            "differs",
        ),
    ];
    for (one, other, expected) in rows {
        let worker = shadow(json!({}));
        page(&worker, "/p", &format!("{PUBLIC} | {one}"), "page");
        assert_eq!(verdict(&worker, GET), "stored", "{one}");
        page(&worker, "/p", &format!("{PUBLIC} | {other}"), "page");
        assert_eq!(verdict(&worker, GET), expected, "{one}; {other}");
        let named = lines(&worker, "problem").iter().any(|line| {
            let problem = line["problem"].as_str().unwrap_or_default();
            let (_, names) = problem.split_once("other fields: ").expect("names");
            !names.is_empty()
        });
        assert_eq!(named, expected == "differs", "{one}; {other}");
    }
    // The rule removes the cookie, so a hit without it is right.
    let worker = shadow(json!({ "strip_set_cookie": ["seen"] }));
    page(&worker, "/p", PUBLIC, "page");
    assert_eq!(verdict(&worker, GET), "stored");
    page(
        &worker,
        "/p",
        &format!("{PUBLIC} | Set-Cookie: seen=1"),
        "page",
    );
    assert_eq!(verdict(&worker, GET), "same");
    // Another status.
    page(&worker, "/p", "404", "page");
    assert_eq!(verdict(&worker, GET), "differs");
}

#[test]
fn responses_that_may_not_be_stored_have_their_reason() {
    let rows = [
        ("200 | Cache-Control: private", "private"),
        ("200 | Cache-Control: no-store", "no-store"),
        ("200", "no-freshness"),
        (
            "200 | Cache-Control: max-age=60 | Set-Cookie: a=1",
            "set-cookie",
        ),
        ("200 | Cache-Control: max-age=60 | Vary: *", "vary"),
        ("503", "no-freshness"),
    ];
    for (answer, reason) in rows {
        let worker = shadow(json!({}));
        page(&worker, "/p", answer, "page");
        for _ in 0..2 {
            let expected = format!("not-stored/{reason}");
            assert_eq!(verdict(&worker, GET), expected, "{answer}");
        }
        assert!(stored(&worker).is_empty());
    }
}

#[test]
fn requests_that_do_not_use_the_cache_have_their_reason() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "page");
    assert_eq!(verdict(&worker, GET), "stored");
    let rows = [
        ("POST http://a.test/p << x", "bypass/method"),
        ("GET http://a.test/p | Cookie: sessionid=1", "bypass/cookie"),
        (
            "GET http://a.test/p | If-Match: \"1\"",
            "bypass/precondition",
        ),
        // The POST has purged the page.
        ("GET http://a.test/p", "stored"),
        // The stored response is not for these (RFC 9111 §3.5).
        ("GET http://a.test/p | Authorization: Basic eA==", "same"),
    ];
    for (request, expected) in rows {
        assert_eq!(verdict(&worker, request), expected, "{request}");
    }
    page(&worker, "/q", "200 | Cache-Control: max-age=60", "page");
    let request = "GET http://a.test/q | Authorization: Basic eA==";
    assert_eq!(verdict(&worker, request), "not-stored/authorization");
}

#[test]
fn what_cannot_be_compared_has_its_reason() {
    let long = "x".repeat(BODY_BYTES_MAX as usize + 1);
    let fits = "x".repeat(BODY_BYTES_MAX as usize);
    let etag = format!("{PUBLIC} | ETag: \"1\"");
    let rows = [
        ("HEAD", "/p", PUBLIC, "page", "not-compared/head"),
        (
            "GET | If-None-Match: \"1\"",
            "/p",
            &etag,
            "page",
            "not-compared/conditional",
        ),
        (
            "GET | Range: bytes=0-1",
            "/p",
            "206 | Content-Range: bytes 0-1/4",
            "pa",
            "not-compared/range",
        ),
        (
            "GET | Range: bytes=9-",
            "/p",
            "416",
            "",
            "not-compared/range",
        ),
        ("GET", "/p", PUBLIC, &long, "not-compared/too-large"),
        ("GET", "/p", PUBLIC, &fits, "stored"),
        ("GET | Range: bytes=0-1", "/p", PUBLIC, "page", "stored"),
        ("GET", "/p", PUBLIC, "", "stored"),
    ];
    for (request, path, answer, body, expected) in rows {
        let worker = shadow(json!({}));
        page(&worker, path, answer, body);
        let request = request.replacen("GET", &format!("GET http://a.test{path}"), 1);
        let request = request.replacen("HEAD", &format!("HEAD http://a.test{path}"), 1);
        assert_eq!(verdict(&worker, &request), expected, "{request} {answer}");
    }
    // Down, and failing while a page is stored.
    let worker = shadow(json!({ "retries": 0 }));
    page(&worker, "/p", PUBLIC, "page");
    assert_eq!(verdict(&worker, GET), "stored");
    page(&worker, "/p", "503", "sorry");
    assert_eq!(verdict(&worker, GET), "not-compared/origin-error");
    let mut state = worker.world.state.borrow_mut();
    state.plans.insert("/p".to_owned(), Plan::Down);
    drop(state);
    assert_eq!(verdict(&worker, GET), "not-compared/origin-error");
    // A body that breaks off.
    let worker = shadow(json!({}));
    let plan = Plan::Answer {
        slow_ms: 0,
        cut: true,
        status: 200,
        fields: [("cache-control", "max-age=60")].into_iter().collect(),
        body: "a page".to_owned(),
    };
    let mut state = worker.world.state.borrow_mut();
    state.plans.insert("/p".to_owned(), plan);
    drop(state);
    assert_eq!(verdict(&worker, GET), "not-compared/broken");
    assert!(stored(&worker).is_empty());
}

#[test]
fn variants_are_apart() {
    let worker = shadow(json!({}));
    let answer = format!("{PUBLIC} | Vary: Accept-Language");
    let languages = ["de", "en"];
    for expected in ["stored", "same"] {
        for language in languages {
            page(&worker, "/p", &answer, language);
            let request = format!("{GET} | Accept-Language: {language}");
            assert_eq!(verdict(&worker, &request), expected, "{language}");
        }
    }
}

#[test]
fn no_vary_search_that_is_wrong_is_found() {
    let worker = shadow(json!({ "no_vary_search": true }));
    let answer = format!("{PUBLIC} | No-Vary-Search: params=(\"a\")");
    page(&worker, "/p?a=1", &answer, "one");
    page(&worker, "/p?a=2", &answer, "one");
    page(&worker, "/p?a=3", &answer, "three");
    let get = |n: u32| verdict(&worker, &format!("{GET}?a={n}"));
    assert_eq!([get(1), get(2), get(3)], ["stored", "same", "differs"]);
}

#[test]
fn one_comparison_a_page_and_few_in_all() {
    let mut all = Comparisons::default();
    let now_ms = 1_000_000;
    assert!(all.begin("a", now_ms));
    assert!(!all.begin("a", now_ms));
    for n in 1..COMPARISONS_MAX {
        assert!(all.begin(&n.to_string(), now_ms));
    }
    assert!(!all.begin("b", now_ms));
    all.end("a");
    assert!(all.begin("b", now_ms));
    assert!(!all.begin("a", now_ms));
    // Those that the runtime has ended, and a clock that was set back.
    assert!(all.begin("a", now_ms + 60_001));
    assert!(all.begin("a", now_ms - 1_000_000));
    // Warnings.
    let may = |all: &mut Comparisons, ms| (0..50).filter(|_| all.may_warn(ms)).count();
    assert_eq!(may(&mut all, now_ms), WARNINGS_MAX as usize);
    assert_eq!(may(&mut all, now_ms + 60_000), WARNINGS_MAX as usize);
}

#[test]
fn warnings_are_few_and_short() {
    let worker = shadow(json!({}));
    page(&worker, "/p", PUBLIC, "page");
    assert_eq!(verdict(&worker, GET), "stored");
    let name = "x-".to_owned() + &"long".repeat(50);
    let many = (0..40).map(|n| format!(" | {name}-{n}: 1 | y-{n}: 1"));
    let many: String = many.collect();
    for n in 0..WARNINGS_MAX + 20 {
        page(&worker, "/p", &format!("{PUBLIC}{many}"), &n.to_string());
        assert_eq!(verdict(&worker, GET), "differs");
    }
    let problems = lines(&worker, "problem");
    assert_eq!(problems.len(), WARNINGS_MAX as usize);
    for line in &problems {
        let problem = line["problem"].as_str().unwrap_or_default();
        let (_, names) = problem.split_once("other fields: ").expect("names");
        let names: Vec<&str> = names.split(", ").collect();
        assert_eq!(names.len(), 10, "{problem}");
        assert!(names.iter().all(|name| name.len() <= 64), "{problem}");
    }
    worker.world.executor.advance(60_000);
    page(&worker, "/p", PUBLIC, "page");
    verdict(&worker, GET);
    page(&worker, "/p", PUBLIC, "other");
    assert_eq!(verdict(&worker, GET), "differs");
    assert_eq!(lines(&worker, "problem").len(), problems.len() + 1);
}
