//! Tests of the purge endpoints after authentication: ids, the history, dry
//! runs, size limits, and unknown paths.

use serde_json::{Value, json};
#[allow(dead_code)]
use testkit::stand::{ORDER, PURGE, Stand};
use testkit::world::secrets;

#[test]
fn an_id_stands_for_one_order() {
    let stand = Stand::usual();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let id = format!("{token} | webhook-id: i1");
    let first = stand.check(&format!("{PURGE}{id} << {ORDER}"), 200);
    let again = stand.check(&format!("{PURGE}{id} << {ORDER}"), 200);
    assert_eq!(first, again);
    // Another body, URL, dialect or field is another order.
    for other in [
        format!("{PURGE}{id} << {{\"tags\":[\"a2\"]}}"),
        format!("{}{id} << {ORDER}", PURGE.replace("a.test", "b.test")),
        format!("PURGE http://a.test/b{id}"),
        format!("POST http://a.test/client/v4/zones/z/purge_cache{id} << {ORDER}"),
        format!("POST http://a.test/service/x/purge{id} | Surrogate-Key: a1"),
    ] {
        stand.check(&other, 409);
    }
    let fastly = |id: &str, more: &str| {
        format!("POST http://a.test/service/x/purge{token} | webhook-id: {id}{more}")
    };
    stand.check(&fastly("i2", " | Surrogate-Key: a1 b"), 200);
    stand.check(&fastly("i2", " | Surrogate-Key: a1 b"), 200);
    stand.check(&fastly("i2", " | Surrogate-Key: a1"), 409);
    stand.check(
        &fastly("i2", " | Surrogate-Key: a1 b | Fastly-Soft-Purge: 1"),
        409,
    );
    stand.check(
        &format!("PURGE http://a.test/b/.*{token} | webhook-id: i3"),
        200,
    );
    stand.check(
        &format!("PURGE http://a.test/b/.*{token} | webhook-id: i3 | X-Purge-Method: regex"),
        409,
    );
    // Without an id every order is new.
    let one = stand.check(&format!("{PURGE}{token} << {ORDER}"), 200);
    let two = stand.check(&format!("{PURGE}{token} << {ORDER}"), 200);
    assert!(one["id"] != two["id"] && one["sequence"].as_u64() < two["sequence"].as_u64());
    for bad in ["a b", "", &"x".repeat(257)] {
        stand.check(
            &format!("{PURGE}{token} | webhook-id: {bad} << {ORDER}"),
            400,
        );
    }
    let hub = format!(
        " | X-Hub-Signature-256: {}",
        secrets::hub_sign(&secrets::hmac("default"), ORDER)
    );
    let receipt = stand.check(
        &format!("{PURGE}{hub} | X-GitHub-Delivery: g1 << {ORDER}"),
        200,
    );
    assert_eq!(
        (&receipt["id"], &receipt["via"]),
        (&json!("g1"), &json!("github"))
    );
    stand.check(&format!("{PURGE}{hub} << {ORDER}"), 200);
    stand.check(
        &format!("{PURGE}{hub} | X-GitHub-Delivery: a b << {ORDER}"),
        400,
    );
    // Where no rule enables the dialect, it does not authenticate.
    stand.check(
        &format!("POST http://plain.test/.edgekeep/purge{hub} << {ORDER}"),
        400,
    );
}

#[test]
fn the_history_is_read_page_by_page() {
    let stand = Stand::usual();
    let by = |key: &str| format!(" | Authorization: Bearer {}", secrets::token(key));
    let order = |key: &str| stand.check(&format!("{PURGE}{} << {ORDER}", by(key)), 200);
    let numbers: Vec<Value> = ["default", "t-editor", "default", "t-editor"]
        .map(|key| order(key)["sequence"].clone())
        .to_vec();
    #[track_caller]
    fn check(found: Value, purges: &[&Value], next: &Value) {
        let list = found["purges"].as_array().expect("a list");
        let sequences: Vec<&Value> = list.iter().map(|purge| &purge["sequence"]).collect();
        assert_eq!((sequences, &found["next"]), (purges.to_vec(), next));
    }
    let ask = |key: &str, query: &str| {
        stand.check(
            &format!("GET http://a.test/.edgekeep/purges{query}{}", by(key)),
            200,
        )
    };
    let [one, two, three, four] = &numbers[..] else {
        panic!("{numbers:?}");
    };
    check(ask("default", ""), &[one, two, three, four], &Value::Null);
    check(ask("default", "?limit=2"), &[one, two], two);
    check(
        ask("default", &format!("?after={two}&limit=2")),
        &[three, four],
        four,
    );
    check(
        ask("default", &format!("?limit=2&after={three}")),
        &[four],
        &Value::Null,
    );
    check(ask("default", &format!("?after={four}")), &[], &Value::Null);
    // A page may contain nothing of this key, and yet not be the last.
    check(ask("t-editor", "?limit=1"), &[], one);
    check(
        ask("t-editor", &format!("?limit=2&after={one}")),
        &[two],
        three,
    );
    check(ask("t-editor", ""), &[two, four], &Value::Null);
    let read = |query: &str| {
        stand.check(
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
fn headers_of_files_are_cloudflares_own() {
    let stand = Stand::usual();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let order = r#"{"files":[{"url":"https://a.test/b","headers":{"Origin":"x"}}]}"#;
    stand.check(&format!("{PURGE}{token} << {order}"), 422);
    stand.check(
        &format!("POST http://a.test/client/v4/zones/z/purge_cache{token} << {order}"),
        200,
    );
}

#[test]
fn a_dry_run_asks_no_ledger() {
    let stand = Stand::usual();
    stand.world.state.borrow_mut().down.push("ledger");
    let token = format!(" | Authorization: Bearer {}", secrets::token("t-editor"));
    let dry = stand.check(
        &format!("{PURGE}{token} << {{\"dry_run\":true,\"tags\":[\"a1\",\"b\"]}}"),
        200,
    );
    assert_eq!(dry["hard"], json!(["tag:a1"]));
    assert_eq!(dry["refused"][0]["path"], "tags[1]");
    let api = "POST http://a.test/client/v4/zones/z/purge_cache";
    let dry = stand.check(
        &format!("{api}{token} << {{\"dry_run\":true,\"tags\":[\"a1\"]}}"),
        200,
    );
    assert_eq!(
        (&dry["success"], &dry["result"]["hard"]),
        (&json!(true), &json!(["tag:a1"]))
    );
    let failed = stand.check(&format!("{PURGE}{token} << {ORDER}"), 503);
    assert_eq!(failed["title"], "Ledger unavailable");
    assert_eq!(
        stand.check(&format!("{api}{token} << {ORDER}"), 503)["success"],
        json!(false)
    );
    stand.check(
        &format!("POST http://a.test/service/x/purge/a1{token}"),
        503,
    );
    stand.check(&format!("PURGE http://a.test/b{token}"), 503);
    stand.check(&format!("GET http://a.test/.edgekeep/purges{token}"), 503);
    stand.check(&format!("GET http://a.test/.edgekeep/purges/x{token}"), 503);
}

#[test]
fn sizes_are_limited_before_anything_is_read() {
    let stand = Stand::usual();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let padded = |bytes: usize| format!("{ORDER}{}", " ".repeat(bytes - ORDER.len()));
    let limit = 128 * 1024;
    stand.check(&format!("{PURGE}{token} << {}", padded(limit)), 200);
    stand.check(&format!("{PURGE}{token} << {}", padded(limit + 1)), 413);
    stand.check(
        &format!("{PURGE} | Content-Length: {} << {ORDER}", limit + 1),
        413,
    );
    let api = "POST http://a.test/client/v4/zones/z/purge_cache";
    assert_eq!(
        stand.check(&format!("{api}{token} << {}", padded(limit + 1)), 413)["success"],
        json!(false)
    );
}

#[test]
fn only_what_is_there_is_answered() {
    let stand = Stand::usual();
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
        let answer = stand.send(request);
        assert_eq!(answer.status, 405, "{request}");
        assert_eq!(answer.fields.get("allow"), Some(allow), "{request}");
    }
    for path in ["", "purge/", "purges2", "Purge", "purge/x", "notes/x"] {
        stand.check(&format!("GET http://a.test/.edgekeep/{path}"), 404);
    }
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    stand.check(
        &format!("POST http://a.test/%2Eedgekeep/./purge{token} << {ORDER}"),
        200,
    );
    // An id may contain characters that a path may not.
    stand.check(
        &format!("{PURGE}{token} | webhook-id: a/b?c#%20.. << {ORDER}"),
        200,
    );
    let told = stand.check(
        &format!("GET http://a.test/.edgekeep/purges/a%2Fb%3Fc%23%2520..{token}"),
        200,
    );
    assert_eq!(told["id"], "a/b?c#%20..");
    for id in ["", "%FF", "%00", "a%2Fb"] {
        stand.check(
            &format!("GET http://a.test/.edgekeep/purges/{id}{token}"),
            404,
        );
    }
}
