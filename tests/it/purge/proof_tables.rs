//! Tests of authentication: signatures of bodies and of URLs, and tokens in the
//! fields of each dialect; and the responses to requests that fail.

#[allow(dead_code)]
use edgekeep::flow::response::reply::Answer;
use serde_json::json;
use testkit::worker::{NOW_MS, ORDER, PURGE, TestWorker, text};
use testkit::world::{Bytes, secrets};

const NOW: u64 = NOW_MS / 1000;

/// The fields that sign a payload, as ` | Name: value`.
fn signed(key: &str, id: &str, seconds: u64, payload: &str) -> String {
    let signature = secrets::sign(&secrets::hmac(key), id, seconds, payload);
    fields(id, seconds, &signature)
}

fn fields(id: &str, seconds: u64, signature: &str) -> String {
    format!(" | webhook-id: {id} | webhook-timestamp: {seconds} | webhook-signature: {signature}")
}

#[test]
fn signature_of_body_authenticates_order() {
    let worker = TestWorker::with_all_dialects();
    let order =
        |fields: &str, status: u16| worker.check(&format!("{PURGE}{fields} << {ORDER}"), status);
    let receipt = order(&signed("default", "m1", NOW, ORDER), 200);
    assert_eq!(
        (&receipt["key"], &receipt["via"], &receipt["id"]),
        (&json!("default"), &json!("webhook"), &json!("m1"))
    );
    let receipt = order(&signed("t-editor", "m2", NOW, ORDER), 200);
    assert_eq!(receipt["key"], "t-editor");
    let by_ed25519 =
        |key: &str, id: &str| fields(id, NOW, &secrets::ed25519_sign(key, id, NOW, ORDER));
    assert_eq!(order(&by_ed25519("t-editor", "m3"), 200)["key"], "t-editor");
    // Any one of several is enough.
    let both = format!(
        "{} {}",
        secrets::ed25519_sign("nobody", "m4", NOW, ORDER),
        secrets::sign(&secrets::hmac("t-editor"), "m4", NOW, ORDER)
    );
    assert_eq!(order(&fields("m4", NOW, &both), 200)["key"], "t-editor");
    for fields in [
        signed("nobody", "x", NOW, ORDER),
        by_ed25519("nobody", "x"),
        signed("default", "x", NOW - 301, ORDER),
        signed("default", "x", NOW + 301, ORDER),
        signed("default", "x", NOW, "{}"),
        // A signature of the URL does not authenticate a body.
        signed("default", "x", NOW, "POST a.test/.edgekeep/purge"),
        // A token does not replace an invalid signature.
        signed("nobody", "x", NOW, ORDER)
            + &format!(" | Authorization: Bearer {}", secrets::token("default")),
    ] {
        order(&fields, 401);
    }
    order("", 400);
    order(" | webhook-id: x", 400);
}

#[test]
fn signature_of_url_authenticates_request_without_body() {
    let worker = TestWorker::with_all_dialects();
    let sign = |payload: &str| signed("default", "m", NOW, payload);
    let list = "GET http://a.test/.edgekeep/purges?after=0&limit=5";
    let payload = "GET a.test/.edgekeep/purges?after=0&limit=5";
    worker.check(&format!("{list}{}", sign(payload)), 200);
    for moved in [
        "",
        "GET a.test/.edgekeep/purges",
        "GET a.test/.edgekeep/purges?after=0&limit=50",
        "GET b.test/.edgekeep/purges?after=0&limit=5",
        "HEAD a.test/.edgekeep/purges?after=0&limit=5",
        "GET http://a.test/.edgekeep/purges?after=0&limit=5",
        "GET a.test/.edgekeep/purges/m1",
    ] {
        worker.check(&format!("{list}{}", sign(moved)), 401);
    }
    worker.check(
        &format!(
            "GET http://a.test:81/.edgekeep/purges/x{}",
            sign("GET a.test:81/.edgekeep/purges/x")
        ),
        404,
    );
    let purge = "PURGE http://a.test/b?x=1";
    worker.check(&format!("{purge}{}", sign("PURGE a.test/b")), 401);
    worker.check(&format!("{purge}{}", sign("")), 401);
    let receipt = worker.check(&format!("{purge}{}", sign("PURGE a.test/b?x=1")), 200);
    assert_eq!(
        (&receipt["via"], &receipt["id"]),
        (&json!("varnish"), &json!("m"))
    );
    // The field that makes the URL a pattern is part of the signature.
    let pattern = "PURGE http://a.test/.* | X-Purge-Method: regex";
    let sign = |payload: &str| signed("default", "p", NOW, payload);
    worker.check(&format!("{pattern}{}", sign("PURGE a.test/.*")), 401);
    worker.check(
        &format!(
            "{pattern}{}",
            sign("PURGE a.test/.*\nx-purge-method: regex")
        ),
        200,
    );
    // So are all other fields that change the meaning, for both methods.
    for (at, (call, fields, lines)) in [
        ("PURGE", "X-Purge-Regex: .*", "\nx-purge-regex: .*"),
        (
            "PURGE",
            "X-VC-Purge-Method: regex",
            "\nx-vc-purge-method: regex",
        ),
        ("BAN", "X-Url: .*", "\nx-url: .*"),
        (
            "BAN",
            "X-Url: ^/b/ | X-Host: ^b.test$",
            "\nx-url: ^/b/\nx-host: ^b.test$",
        ),
        ("BAN", "Cache-Tags: a|b", "\ncache-tags: a|b"),
        ("PURGE", "xkey-purge: a b", "\nxkey-purge: a b"),
        (
            "BAN",
            "X-Magento-Tags-Pattern: .*",
            "\nx-magento-tags-pattern: .*",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let call_text = format!("{call} http://a.test/ | {fields}");
        let sign = |payload: &str| signed("default", &format!("f{at}"), NOW, payload);
        worker.check(
            &format!("{call_text}{}", sign(&format!("{call} a.test/"))),
            401,
        );
        let whole = format!("{call} a.test/{lines}");
        worker.check(&format!("{call_text}{}", sign(&whole)), 200);
        let other = call_text.replace(fields, "X-Purge-Method: exact");
        worker.check(&format!("{other}{}", sign(&whole)), 401);
    }
    // A token also authenticates reading.
    let token = secrets::token("t-editor");
    worker.check(&format!("{list} | Authorization: bearer {token}"), 200);
    for nothing in [
        "",
        " | Authorization: Basic x",
        " | X-Hub-Signature-256: sha256=00",
    ] {
        worker.check(&format!("{list}{nothing}"), 401);
    }
}

#[test]
fn token_is_read_from_field_of_dialect() {
    let worker = TestWorker::with_all_dialects();
    let token = secrets::token("t-editor");
    let basic = secrets::basic("t-editor");
    #[track_caller]
    fn check(worker: &TestWorker, request: &str, fields: &[String], authenticated: bool) {
        for field in fields {
            let answer = worker.send(&request.replace(" <<", &format!(" | {field} <<")));
            let status = if authenticated { 200 } else { 401 };
            assert_eq!(answer.status, status, "{request} {field}: {answer:?}");
        }
    }
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    let good = [
        bearer(&token),
        bearer(&format!(" {token} ")),
        bearer(&token).replace("Bearer", "bEARER"),
    ];
    let calls = [
        (
            "PURGE http://a.test/b << ",
            format!("Authorization: Basic {basic}"),
        ),
        (
            "POST http://a.test/service/x/purge/a1 | X: y << ",
            format!("Fastly-Key: {token}"),
        ),
        (
            "POST http://a.test/client/v4/zones/z/purge_cache << {\"tags\":[\"a1\"]}",
            format!("X-Auth-Key: {token}"),
        ),
    ];
    for (at, (request, own)) in calls.iter().enumerate() {
        check(&worker, request, &good, true);
        check(&worker, request, std::slice::from_ref(own), true);
        // The fields of another dialect do not authenticate.
        let others = calls.iter().enumerate().filter(|(n, _)| *n != at);
        let others: Vec<String> = others.map(|(_, (_, field))| field.clone()).collect();
        match at {
            // Fastly's field makes it a call of Fastly's dialect.
            0 => check(&worker, request, &others[1..], false),
            _ => check(&worker, request, &others, false),
        }
        check(
            &worker,
            request,
            &[
                bearer(&token[..40]),
                bearer(&secrets::token("nobody")),
                bearer(""),
                bearer(&secrets::hmac("t-editor")),
                "X: y".to_owned(),
            ],
            false,
        );
    }
    let native = format!("{PURGE} << {ORDER}");
    check(&worker, &native, &good, true);
    for (_, own) in &calls {
        // Without any field of a webhook.
        let answer = worker.send(&native.replace(" <<", &format!(" | {own} <<")));
        assert_eq!(answer.status, 400, "{own}: {answer:?}");
    }
    check(
        &worker,
        &native,
        &[
            bearer("x"),
            format!("Authorization: Bearer {}", secrets::hmac("default")),
        ],
        false,
    );
}

#[test]
fn failed_authentications_get_equal_responses() {
    let worker = TestWorker::with_all_dialects();
    let answers: Vec<Answer<Bytes>> = [
        signed("nobody", "x", NOW, ORDER),
        signed("default", "x", NOW - 999, ORDER),
        signed("default", "x", NOW, "other"),
        format!(" | Authorization: Bearer {}", secrets::token("nobody")),
        " | Authorization: Bearer x".to_owned(),
        format!(" | X-Hub-Signature-256: {}", secrets::hub_sign("x", ORDER)),
    ]
    .iter()
    .map(|fields| worker.send(&format!("{PURGE}{fields} << {ORDER}")))
    .collect();
    for answer in &answers {
        assert_eq!(text(answer), text(&answers[0]));
        assert_eq!(answer.fields, answers[0].fields);
        assert_eq!(answer.status, 401);
    }
    let challenge = |request: &str| worker.send(request).fields.joined("www-authenticate");
    let bearer = "Bearer realm=\"edgekeep\"";
    assert_eq!(
        challenge(&format!("{PURGE} | Authorization: Bearer x")),
        Some(format!("StandardWebhooks, {bearer}"))
    );
    assert_eq!(
        challenge("PURGE http://a.test/"),
        Some(format!("{bearer}, Basic realm=\"edgekeep\""))
    );
    assert_eq!(
        challenge("POST http://a.test/service/x/purge_all").as_deref(),
        Some(bearer)
    );
    assert_eq!(
        challenge("POST http://a.test/client/v4/zones/z/purge_cache").as_deref(),
        Some(bearer)
    );
}

#[test]
fn fastly_calls_cannot_be_signed() {
    // What they purge is in fields that no signature covers.
    let worker = TestWorker::with_all_dialects();
    let call = "POST http://a.test/service/x/purge | Surrogate-Key: a1";
    let payload = "POST a.test/service/x/purge";
    for payload in ["", payload] {
        worker.check(
            &format!("{call}{} << ", signed("default", "x", NOW, payload)),
            401,
        );
    }
    let purge = "PURGE http://a.test/b | Fastly-Soft-Purge: 1 | Fastly-Key: x";
    let signature = signed("default", "x", NOW, "PURGE a.test/b");
    worker.check(&format!("{purge}{signature}"), 401);
}

#[test]
fn without_valid_key_purges_get_503_and_pages_are_served() {
    let settings = json!({
        "origin": "http://origin.test",
        "keys": [{ "name": "cms", "secret": "CMS_SECRETS" }],
        "defaults": { "purge_dialects": ["varnish"] },
    });
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let no_secret = TestWorker::new(&settings, |_| None);
    let problem = no_secret.check(&format!("{PURGE}{token} << {ORDER}"), 503);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|d| d.contains("CMS_SECRETS")),
        "{problem}"
    );
    no_secret.check(&format!("PURGE http://a.test/{token}"), 503);
    no_secret.check(&format!("GET http://a.test/.edgekeep/purges{token}"), 503);
    no_secret.check("GET http://a.test/", 404);

    // One valid key is enough for its own orders.
    let one = TestWorker::new(&settings, |variable| match variable {
        "CMS_SECRETS" => Some("whsec_nonsense".to_owned()),
        _ => Some(secrets::token("default")),
    });
    one.check(&format!("{PURGE}{token} << {ORDER}"), 200);
    one.check(
        &format!("{PURGE} | Authorization: Bearer whsec_nonsense << {ORDER}"),
        401,
    );

    let unset = TestWorker::new(&json!({}), |_| None);
    let problem = unset.check(&format!("{PURGE}{token} << {ORDER}"), 503);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|d| d.contains("PURGE_SECRETS")),
        "{problem}"
    );
}
