//! Shows who is believed: signatures over bodies and over addresses, tokens
//! where each dialect puts them, ids and what they stand for; and what answers
//! say to those who are not.

#[allow(dead_code)]
mod world;

use edgekeep::cache::rules::Rules;
use edgekeep::flow::isolate::Isolate;
use edgekeep::flow::keys::Keys;
use edgekeep::flow::reply::{Answer, Content};
use edgekeep::flow::serve::serve;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use world::{Bytes, World, secrets};

const NOW_MS: u64 = 1_795_424_400_000;
const NOW: u64 = NOW_MS / 1000;

struct Stand {
    world: World,
    isolate: Rc<Isolate>,
}

impl Stand {
    fn new(settings: &Value, secret: impl Fn(&str) -> Option<String>) -> Self {
        let rules = Rules::read_json(&settings.to_string()).expect("good settings");
        let keys = Keys::read(&rules, secret);
        Self {
            world: World::new(NOW_MS),
            isolate: Rc::new(Isolate::new(rules, keys)),
        }
    }

    /// With the keys `default` and `editor`, and all dialects.
    fn usual() -> Self {
        let settings = json!({
            "origin": "http://origin.test",
            "keys": [{ "name": "t-editor", "secret": "STORY_T_EDITOR", "may": { "hosts": ["a.test"], "tags": ["a*"] } }],
            "rules": [
                { "host": "plain.test" },
                { "purge_dialects": ["varnish", "fastly", "cloudflare", "github"] },
            ],
        });
        Self::new(&settings, |variable| Some(secrets::of_variable(variable)))
    }

    /// Sends `METHOD URL[ | Name: value]…`, with the body after ` << `.
    fn send(&self, request: &str) -> Answer<Bytes> {
        let (request, body) = match request.split_once(" << ") {
            Some((request, body)) => (request, Some(body.to_owned())),
            None => (request, None),
        };
        let mut parts = request.split(" | ");
        let first = parts.next().unwrap_or_default();
        let (method, url) = first.split_once(' ').expect("METHOD URL");
        let head = RequestHead {
            method: Method::named(method),
            url: Url::parse(url).expect(request),
            fields: parts
                .map(|line| line.split_once(": ").expect("Name: value"))
                .collect(),
        };
        let body = body.map(|text| Bytes::new(text, false));
        let slot: Rc<RefCell<Option<Answer<Bytes>>>> = Rc::default();
        let (world, isolate, filled) = (
            self.world.clone(),
            Rc::clone(&self.isolate),
            Rc::clone(&slot),
        );
        self.world.executor.spawn(async move {
            let answer = serve(&world, &isolate, head, body).await;
            *filled.borrow_mut() = Some(answer);
        });
        self.world.executor.run_until(|| slot.borrow().is_some());
        slot.borrow_mut().take().expect("an answer")
    }

    #[track_caller]
    fn check(&self, request: &str, status: u16) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        serde_json::from_str(&text(&answer)).unwrap_or_default()
    }
}

fn text(answer: &Answer<Bytes>) -> String {
    match &answer.content {
        Content::Text(text) => text.clone(),
        Content::Body(bytes) => bytes.text.clone(),
        _ => String::new(),
    }
}

/// The fields that sign a payload, as ` | Name: value`.
fn signed(key: &str, id: &str, seconds: u64, payload: &str) -> String {
    let signature = secrets::sign(&secrets::hmac(key), id, seconds, payload);
    fields(id, seconds, &signature)
}

fn fields(id: &str, seconds: u64, signature: &str) -> String {
    format!(" | webhook-id: {id} | webhook-timestamp: {seconds} | webhook-signature: {signature}")
}

const ORDER: &str = r#"{"tags":["a1"]}"#;
const PURGE: &str = "POST http://a.test/.edgekeep/purge";

#[test]
fn bodies_are_signed() {
    let stand = Stand::usual();
    let order =
        |fields: &str, status: u16| stand.check(&format!("{PURGE}{fields} << {ORDER}"), status);
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
    // Whichever of several fits.
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
        // A body is not signed by its address.
        signed("default", "x", NOW, "POST a.test/.edgekeep/purge"),
        // A signature that does not fit is not made good by a token.
        signed("nobody", "x", NOW, ORDER)
            + &format!(" | Authorization: Bearer {}", secrets::token("default")),
    ] {
        order(&fields, 401);
    }
    order("", 400);
    order(" | webhook-id: x", 400);
}

#[test]
fn addresses_are_signed_where_there_is_no_body() {
    let stand = Stand::usual();
    let sign = |payload: &str| signed("default", "m", NOW, payload);
    let list = "GET http://a.test/.edgekeep/purges?after=0&limit=5";
    let payload = "GET a.test/.edgekeep/purges?after=0&limit=5";
    stand.check(&format!("{list}{}", sign(payload)), 200);
    for moved in [
        "",
        "GET a.test/.edgekeep/purges",
        "GET a.test/.edgekeep/purges?after=0&limit=50",
        "GET b.test/.edgekeep/purges?after=0&limit=5",
        "HEAD a.test/.edgekeep/purges?after=0&limit=5",
        "GET http://a.test/.edgekeep/purges?after=0&limit=5",
        "GET a.test/.edgekeep/purges/m1",
    ] {
        stand.check(&format!("{list}{}", sign(moved)), 401);
    }
    stand.check(
        &format!(
            "GET http://a.test:81/.edgekeep/purges/x{}",
            sign("GET a.test:81/.edgekeep/purges/x")
        ),
        404,
    );
    let purge = "PURGE http://a.test/b?x=1";
    stand.check(&format!("{purge}{}", sign("PURGE a.test/b")), 401);
    stand.check(&format!("{purge}{}", sign("")), 401);
    let receipt = stand.check(&format!("{purge}{}", sign("PURGE a.test/b?x=1")), 200);
    assert_eq!(
        (&receipt["via"], &receipt["id"]),
        (&json!("varnish"), &json!("m"))
    );
    // What makes a pattern of a URL is signed with it.
    let pattern = "PURGE http://a.test/.* | X-Purge-Method: regex";
    let sign = |payload: &str| signed("default", "p", NOW, payload);
    stand.check(&format!("{pattern}{}", sign("PURGE a.test/.*")), 401);
    stand.check(
        &format!(
            "{pattern}{}",
            sign("PURGE a.test/.*\nx-purge-method: regex")
        ),
        200,
    );
    // A token is a proof for reading too.
    let token = secrets::token("t-editor");
    stand.check(&format!("{list} | Authorization: bearer {token}"), 200);
    for nothing in [
        "",
        " | Authorization: Basic x",
        " | X-Hub-Signature-256: sha256=00",
    ] {
        stand.check(&format!("{list}{nothing}"), 401);
    }
}

#[test]
fn tokens_are_taken_where_a_dialect_puts_them() {
    let stand = Stand::usual();
    let token = secrets::token("t-editor");
    let basic = secrets::basic("t-editor");
    #[track_caller]
    fn check(stand: &Stand, request: &str, fields: &[String], proven: bool) {
        for field in fields {
            let answer = stand.send(&request.replace(" <<", &format!(" | {field} <<")));
            let status = if proven { 200 } else { 401 };
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
        check(&stand, request, &good, true);
        check(&stand, request, std::slice::from_ref(own), true);
        // Another dialect's place is none.
        let others = calls.iter().enumerate().filter(|(n, _)| *n != at);
        let others: Vec<String> = others.map(|(_, (_, field))| field.clone()).collect();
        match at {
            // Fastly's field makes it Fastly's word.
            0 => check(&stand, request, &others[1..], false),
            _ => check(&stand, request, &others, false),
        }
        check(
            &stand,
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
    check(&stand, &native, &good, true);
    for (_, own) in &calls {
        // Without any field of a webhook.
        let answer = stand.send(&native.replace(" <<", &format!(" | {own} <<")));
        assert_eq!(answer.status, 400, "{own}: {answer:?}");
    }
    check(
        &stand,
        &native,
        &[
            bearer("x"),
            format!("Authorization: Bearer {}", secrets::hmac("default")),
        ],
        false,
    );
}

#[test]
fn what_is_not_proven_is_answered_alike() {
    let stand = Stand::usual();
    let answers: Vec<Answer<Bytes>> = [
        signed("nobody", "x", NOW, ORDER),
        signed("default", "x", NOW - 999, ORDER),
        signed("default", "x", NOW, "other"),
        format!(" | Authorization: Bearer {}", secrets::token("nobody")),
        " | Authorization: Bearer x".to_owned(),
        format!(" | X-Hub-Signature-256: {}", secrets::hub_sign("x", ORDER)),
    ]
    .iter()
    .map(|fields| stand.send(&format!("{PURGE}{fields} << {ORDER}")))
    .collect();
    for answer in &answers {
        assert_eq!(text(answer), text(&answers[0]));
        assert_eq!(answer.fields, answers[0].fields);
        assert_eq!(answer.status, 401);
    }
    let challenge = |request: &str| stand.send(request).fields.joined("www-authenticate");
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
fn an_id_stands_for_one_order() {
    let stand = Stand::usual();
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let id = format!("{token} | webhook-id: i1");
    let first = stand.check(&format!("{PURGE}{id} << {ORDER}"), 200);
    let again = stand.check(&format!("{PURGE}{id} << {ORDER}"), 200);
    assert_eq!(first, again);
    // Another body, address, way or field is another order.
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
    // Without one every order is new.
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
    // Where no rule takes it, it is no proof.
    stand.check(
        &format!("POST http://plain.test/.edgekeep/purge{hub} << {ORDER}"),
        400,
    );
}

#[test]
fn fastlys_calls_cannot_be_signed() {
    // What they purge stands in fields that no signature covers.
    let stand = Stand::usual();
    let call = "POST http://a.test/service/x/purge | Surrogate-Key: a1";
    let payload = "POST a.test/service/x/purge";
    for payload in ["", payload] {
        stand.check(
            &format!("{call}{} << ", signed("default", "x", NOW, payload)),
            401,
        );
    }
    let purge = "PURGE http://a.test/b | Fastly-Soft-Purge: 1 | Fastly-Key: x";
    let signature = signed("default", "x", NOW, "PURGE a.test/b");
    stand.check(&format!("{purge}{signature}"), 401);
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
    // A page may have nothing of this key, and yet not be the last.
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
fn without_a_usable_key_purges_say_so_and_pages_are_served() {
    let settings = json!({
        "origin": "http://origin.test",
        "keys": [{ "name": "cms", "secret": "CMS_SECRETS" }],
        "defaults": { "purge_dialects": ["varnish"] },
    });
    let token = format!(" | Authorization: Bearer {}", secrets::token("default"));
    let nothing = Stand::new(&settings, |_| None);
    let problem = nothing.check(&format!("{PURGE}{token} << {ORDER}"), 503);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|d| d.contains("CMS_SECRETS")),
        "{problem}"
    );
    nothing.check(&format!("PURGE http://a.test/{token}"), 503);
    nothing.check(&format!("GET http://a.test/.edgekeep/purges{token}"), 503);
    nothing.check("GET http://a.test/", 404);

    // One good key is enough for its own orders.
    let one = Stand::new(&settings, |variable| match variable {
        "CMS_SECRETS" => Some("whsec_nonsense".to_owned()),
        _ => Some(secrets::token("default")),
    });
    one.check(&format!("{PURGE}{token} << {ORDER}"), 200);
    one.check(
        &format!("{PURGE} | Authorization: Bearer whsec_nonsense << {ORDER}"),
        401,
    );

    let unset = Stand::new(&json!({}), |_| None);
    let problem = unset.check(&format!("{PURGE}{token} << {ORDER}"), 503);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|d| d.contains("PURGE_SECRETS")),
        "{problem}"
    );
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
    // An id may hold what a path may not.
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
