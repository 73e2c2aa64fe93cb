//! Tests of the purge endpoints after authentication: ids, the history, dry
//! runs, size limits, and unknown paths.

use serde_json::{Value, json};
#[allow(dead_code)]
use testkit::worker::{ORDER, PURGE, TestWorker};
use testkit::world::secrets;

#[test]
fn id_makes_order_idempotent() {
    let worker = TestWorker::with_all_dialects();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let id = format!("{token} | webhook-id: i1");
    let first = worker.check(&format!("{PURGE}{id} << {ORDER}"), 200);
    let again = worker.check(&format!("{PURGE}{id} << {ORDER}"), 200);
    assert_eq!(first, again);
    // Another body, URL, dialect or field is another order.
    for other in [
        format!("{PURGE}{id} << {{\"tags\":[\"a2\"]}}"),
        format!("{}{id} << {ORDER}", PURGE.replace("a.test", "b.test")),
        format!("PURGE http://a.test/b{id}"),
        format!("POST http://a.test/client/v4/zones/z/purge_cache{id} << {ORDER}"),
        format!("POST http://a.test/service/x/purge{id} | Surrogate-Key: a1"),
    ] {
        worker.check(&other, 409);
    }
    let fastly = |id: &str, more: &str| {
        format!("POST http://a.test/service/x/purge{token} | webhook-id: {id}{more}")
    };
    worker.check(&fastly("i2", " | Surrogate-Key: a1 b"), 200);
    worker.check(&fastly("i2", " | Surrogate-Key: a1 b"), 200);
    worker.check(&fastly("i2", " | Surrogate-Key: a1"), 409);
    worker.check(
        &fastly("i2", " | Surrogate-Key: a1 b | Fastly-Soft-Purge: 1"),
        409,
    );
    worker.check(
        &format!("PURGE http://a.test/b/.*{token} | webhook-id: i3"),
        200,
    );
    worker.check(
        &format!("PURGE http://a.test/b/.*{token} | webhook-id: i3 | X-Purge-Method: regex"),
        409,
    );
    // Without an id every order is new.
    let one = worker.check(&format!("{PURGE}{token} << {ORDER}"), 200);
    let two = worker.check(&format!("{PURGE}{token} << {ORDER}"), 200);
    assert!(one["id"] != two["id"] && one["sequence"].as_u64() < two["sequence"].as_u64());
    for bad in ["a b", "", &"x".repeat(257)] {
        worker.check(
            &format!("{PURGE}{token} | webhook-id: {bad} << {ORDER}"),
            400,
        );
    }
    let hub = format!(
        " | X-Hub-Signature-256: {}",
        secrets::hub_sign(&secrets::hmac("default"), ORDER)
    );
    let receipt = worker.check(
        &format!("{PURGE}{hub} | X-GitHub-Delivery: g1 << {ORDER}"),
        200,
    );
    assert_eq!(
        (&receipt["id"], &receipt["via"]),
        (&json!("g1"), &json!("github"))
    );
    worker.check(&format!("{PURGE}{hub} << {ORDER}"), 200);
    worker.check(
        &format!("{PURGE}{hub} | X-GitHub-Delivery: a b << {ORDER}"),
        400,
    );
    // Where no rule enables the dialect, it does not authenticate.
    worker.check(
        &format!("POST http://plain.test/.edgekeep/purge{hub} << {ORDER}"),
        400,
    );
}

#[test]
fn history_is_read_in_pages() {
    let worker = TestWorker::with_all_dialects();
    let by = |key: &str| format!(" | Authorization: Bearer {}", secrets::token(key));
    let order = |key: &str| worker.check(&format!("{PURGE}{} << {ORDER}", by(key)), 200);
    let numbers: Vec<Value> = ["default", "t-editor", "default", "t-editor"]
        .map(|key| order(key)["sequence"].clone())
        .to_vec();
    #[track_caller]
    fn check(found: Value, purges: &[&Value], next: &Value) {
        let list = found["purges"].as_array().expect("a list");
        let sequences: Vec<&Value> = list.iter().map(|purge| &purge["sequence"]).collect();
        assert_eq!((sequences, &found["next"]), (purges.to_vec(), next));
    }
    let history = |key: &str, query: &str| {
        worker.check(
            &format!("GET http://a.test/.edgekeep/purges{query}{}", by(key)),
            200,
        )
    };
    let [one, two, three, four] = &numbers[..] else {
        panic!("{numbers:?}");
    };
    check(
        history("default", ""),
        &[one, two, three, four],
        &Value::Null,
    );
    check(history("default", "?limit=2"), &[one, two], two);
    check(
        history("default", &format!("?after={two}&limit=2")),
        &[three, four],
        four,
    );
    check(
        history("default", &format!("?limit=2&after={three}")),
        &[four],
        &Value::Null,
    );
    check(
        history("default", &format!("?after={four}")),
        &[],
        &Value::Null,
    );
    // A page may contain nothing of this key, and yet not be the last.
    check(history("t-editor", "?limit=1"), &[], one);
    check(
        history("t-editor", &format!("?limit=2&after={one}")),
        &[two],
        three,
    );
    check(history("t-editor", ""), &[two, four], &Value::Null);
    let read = |query: &str| {
        worker.check(
            &format!("GET http://a.test/.edgekeep/purges{query}{}", by("default")),
            400,
        )
    };
    for query in [
        "?after=-1",
        "?after=",
        "?after=1.5",
        "?limit=",
        "?limit=0",
        "?limit=101",
        "?x=1",
        "?after=18446744073709551616",
    ] {
        assert_eq!(read(query)["status"], 400, "{query}");
    }
}

#[test]
fn file_headers_are_accepted_only_in_cloudflare_calls() {
    let worker = TestWorker::with_all_dialects();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let order = r#"{"files":[{"url":"https://a.test/b","headers":{"Origin":"x"}}]}"#;
    worker.check(&format!("{PURGE}{token} << {order}"), 422);
    worker.check(
        &format!("POST http://a.test/client/v4/zones/z/purge_cache{token} << {order}"),
        200,
    );
}

#[test]
fn dry_run_does_not_query_ledger() {
    let worker = TestWorker::with_all_dialects();
    worker.world.state.borrow_mut().down.push("ledger");
    let token = format!(" | Authorization: Bearer {}", secrets::token("t-editor"));
    let dry = worker.check(
        &format!("{PURGE}{token} << {{\"dry_run\":true,\"tags\":[\"a1\",\"b\"]}}"),
        200,
    );
    assert_eq!(dry["hard"], json!(["tag:a1"]));
    assert_eq!(dry["refused"][0]["path"], "tags[1]");
    let api = "POST http://a.test/client/v4/zones/z/purge_cache";
    let dry = worker.check(
        &format!("{api}{token} << {{\"dry_run\":true,\"tags\":[\"a1\"]}}"),
        200,
    );
    assert_eq!(
        (&dry["success"], &dry["result"]["hard"]),
        (&json!(true), &json!(["tag:a1"]))
    );
    let failed = worker.check(&format!("{PURGE}{token} << {ORDER}"), 503);
    assert_eq!(failed["title"], "Ledger unavailable");
    assert_eq!(
        worker.check(&format!("{api}{token} << {ORDER}"), 503)["success"],
        json!(false)
    );
    worker.check(
        &format!("POST http://a.test/service/x/purge/a1{token}"),
        503,
    );
    worker.check(&format!("PURGE http://a.test/b{token}"), 503);
    worker.check(&format!("GET http://a.test/.edgekeep/purges{token}"), 503);
    worker.check(&format!("GET http://a.test/.edgekeep/purges/x{token}"), 503);
}

#[test]
fn oversized_body_is_refused_before_authentication() {
    let worker = TestWorker::with_all_dialects();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let padded = |bytes: usize| format!("{ORDER}{}", " ".repeat(bytes - ORDER.len()));
    let limit = 128 * 1024;
    worker.check(&format!("{PURGE}{token} << {}", padded(limit)), 200);
    worker.check(&format!("{PURGE}{token} << {}", padded(limit + 1)), 413);
    worker.check(
        &format!("{PURGE} | Content-Length: {} << {ORDER}", limit + 1),
        413,
    );
    let api = "POST http://a.test/client/v4/zones/z/purge_cache";
    assert_eq!(
        worker.check(&format!("{api}{token} << {}", padded(limit + 1)), 413)["success"],
        json!(false)
    );
}

#[test]
fn unknown_paths_get_404_and_other_methods_405() {
    let worker = TestWorker::with_all_dialects();
    for (request, allow) in [
        ("GET http://a.test/.edgekeep/purge", "POST"),
        ("HEAD http://a.test/.edgekeep/purge", "POST"),
        ("PUT http://a.test/.edgekeep/purge", "POST"),
        ("post http://a.test/.edgekeep/purge", "POST"),
        ("POST http://a.test/.edgekeep/purges", "GET"),
        ("HEAD http://a.test/.edgekeep/purges", "GET"),
        ("DELETE http://a.test/.edgekeep/purges/x", "GET"),
        ("PURGE http://a.test/.edgekeep/purges/x", "GET"),
    ] {
        let answer = worker.send(request);
        assert_eq!(answer.status, 405, "{request}");
        assert_eq!(answer.fields.get("allow"), Some(allow), "{request}");
    }
    for path in ["", "purge/", "purges2", "Purge", "purge/x", "notes/x"] {
        worker.check(&format!("GET http://a.test/.edgekeep/{path}"), 404);
    }
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    worker.check(
        &format!("POST http://a.test/%2Eedgekeep/./purge{token} << {ORDER}"),
        200,
    );
    // An id may contain characters that a path may not.
    worker.check(
        &format!("{PURGE}{token} | webhook-id: a/b?c#%20.. << {ORDER}"),
        200,
    );
    let receipt = worker.check(
        &format!("GET http://a.test/.edgekeep/purges/a%2Fb%3Fc%23%2520..{token}"),
        200,
    );
    assert_eq!(receipt["id"], "a/b?c#%20..");
    for id in ["", "%FF", "%00", "a%2Fb"] {
        worker.check(
            &format!("GET http://a.test/.edgekeep/purges/{id}{token}"),
            404,
        );
    }
}
