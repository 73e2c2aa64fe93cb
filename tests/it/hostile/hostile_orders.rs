//! Tests that no order, key or call causes a panic, that no unauthorized one is
//! accepted, and that parsed orders keep their invariants. `EDGEKEEP_SEED` sets
//! the seed; a failure prints it.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
#[allow(dead_code)]
use edgekeep::cache::ledger::wire::FeedQuery;
use edgekeep::cache::purge::order::{NotOrder, ParsedPurge, ResolvedPurge, SELECTORS_MAX, read};
use edgekeep::cache::purge::purge_call::call;
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::{Keys, Secrets};
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::purge::signature::{Signed, hub_signature};
use edgekeep::flow::response::reply::Content;
use edgekeep::flow::runtime::host::Host;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::list;
use edgekeep::http::url::{Url, decoded};
use std::cell::RefCell;
use std::collections::HashSet;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use testkit::random::Hostile;
use testkit::world::{Bytes, World, secrets};

/// The number of texts for each parser.
const TEXTS: usize = 20_000;

const SETTINGS: &str = r#"{
    "origin": "http://origin.test",
    "defaults": { "purge_dialects": ["varnish", "fastly", "cloudflare", "github"] },
    "keys": [{ "name": "t-editor", "secret": "STORY_T_EDITOR", "may": { "hosts": ["*.a.test"], "tags": ["a*"] } }],
    "cascades": [
        { "tag": "a*", "carries": ["home", "b"] }, { "tag": "*b", "carries": ["c:1"] },
        { "tag": "c:*", "carries": ["d"] }
    ]
}"#;

const ORDERS: [&str; 8] = [
    r#"{"files":["https://a.test/b?x=1"],"tags":["a1","b"],"prefixes":["a.test/c"],"hosts":["a.test"]}"#,
    r#"{"tags":[{"tag":"a1","soft":true},"a1"],"soft":false}"#,
    r#"{"files":[{"url":"http://a.test/","soft":true,"headers":{}}],"refresh":true}"#,
    r#"{"purge_everything":true,"dry_run":true}"#,
    r#"{"hosts":[{"host":"www.a.test"}],"soft":true}"#,
    r#"{"surrogate_keys":["a1","b"]}"#,
    r#"{"tags":[],"files":[{}],"prefixes":[null]}"#,
    "[[]]",
];

fn rules() -> Rules {
    Rules::read_json(SETTINGS).expect("good settings")
}

/// Checks the invariants of a resolved order.
fn check(resolved: &ResolvedPurge, text: &str) {
    let names: Vec<&String> = resolved.hard.iter().chain(&resolved.soft).collect();
    let distinct: HashSet<&&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{text}: {resolved:?}");
    for (tag, carried) in &resolved.cascade {
        for name in carried.iter().chain([tag]) {
            let name = format!("tag:{name}");
            assert!(names.contains(&&name), "{text}: {name} of {resolved:?}");
        }
        // Tags that a hard purge carries are purged hard.
        if resolved.hard.contains(&format!("tag:{tag}")) {
            let is_hard = |tag: &String| resolved.hard.contains(&format!("tag:{tag}"));
            assert!(carried.iter().all(is_hard), "{text}: {resolved:?}");
        }
    }
    for url in &resolved.refresh {
        let parsed = Url::parse(url).expect("a URL");
        let name = format!("url:{}{}", parsed.host, parsed.path);
        let soft = resolved.soft.iter().any(|soft| soft.starts_with(&name));
        assert!(soft, "{text}: {resolved:?}");
    }
}

/// Resolves an order and checks the result. Returns whether it purges anything.
fn resolve(rules: &Rules, order: &ParsedPurge, text: &str) -> bool {
    match order.resolve(&rules.cascades) {
        Ok(resolved) => {
            check(&resolved, text);
            !resolved.hard.is_empty() || !resolved.soft.is_empty()
        }
        Err(problem) => {
            assert_eq!(problem, NotOrder::TooMuchCarried, "{text}");
            false
        }
    }
}

#[test]
fn mutated_orders_resolve_consistently() {
    let rules = rules();
    let mut hostile = Hostile::new();
    let (mut read_well, mut refused) = (0, 0);
    for _ in 0..TEXTS {
        let text = hostile.text(&ORDERS);
        let with_headers = hostile.random.bool();
        let Ok(mut order) = read(&rules, text.as_bytes(), with_headers) else {
            continue;
        };
        refused += usize::from(!order.refused.is_empty());
        read_well += usize::from(resolve(&rules, &order, &text));
        let before = order.refused.len();
        order.limit(&rules.keys[1].permit, "t-editor");
        resolve(&rules, &order, &text);
        assert!(order.refused.len() - before <= SELECTORS_MAX, "{text}");
    }
    assert!(
        read_well > TEXTS / 10 && refused > TEXTS / 50,
        "{read_well} {refused}"
    );
}

#[test]
fn orders_of_invalid_utf8_do_not_panic() {
    let rules = rules();
    let mut hostile = Hostile::new();
    for _ in 0..TEXTS {
        let mut bytes = hostile.one_of(&ORDERS).as_bytes().to_vec();
        for _ in 0..hostile.random.usize(1..6) {
            let at = hostile.random.usize(0..bytes.len());
            bytes[at] = hostile.random.u8(..);
        }
        if let Ok(order) = read(&rules, &bytes, false) {
            resolve(&rules, &order, &String::from_utf8_lossy(&bytes));
        }
    }
}

/// The published test vector, mutated: it is valid only unchanged and with its
/// own secret.
#[test]
fn mutated_webhook_signature_is_rejected() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PARTS: [&str; 3] = [
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ];
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    let mut hostile = Hostile::new();
    let world = World::new(0);
    let is_valid = |secrets: &Secrets, fields: &Fields| {
        let Ok(signed) = Signed::read(fields) else {
            return false;
        };
        let message = signed.message(BODY);
        let mut verification = pin!(signed.is_by(&world, secrets, &message));
        let verified = verification
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        verified == Poll::Ready(true) && signed.is_in_time(1_614_265_330_000)
    };
    let secrets = Secrets::read(SECRET).expect("a good secret");
    let mut valid = 0;
    for _ in 0..TEXTS / 4 {
        let parts = PARTS.map(|part| hostile.text(&[part]));
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let fields: Fields = names
            .into_iter()
            .zip(parts.iter().map(String::as_str))
            .collect();
        let found = is_valid(&secrets, &fields);
        let signed = list::trim(&parts[0]) == PARTS[0] && list::trim(&parts[1]) == PARTS[1];
        let whole = parts[2].contains(PARTS[2]);
        assert!(!found || (signed && whole), "{parts:?}");
        valid += usize::from(found);
        // No other text that is accepted as a secret verifies the vector.
        let text = hostile.text(&["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_", ", "]);
        if let Ok(others) = Secrets::read(&text) {
            assert!(!is_valid(&others, &fields), "{text:?}");
        }
    }
    assert!(valid > 0);
}

#[test]
fn mutated_secrets_and_signatures_are_read_without_disclosure() {
    let mut hostile = Hostile::new();
    let good = secrets::of_variable("PURGE_SECRETS");
    let pieces: Vec<&str> = good.split(' ').collect();
    let mut accepted = 0;
    for _ in 0..TEXTS / 4 {
        let text = hostile.text(&pieces);
        let read = Secrets::read(&text);
        let shown = format!("{read:?}");
        assert!(shown.len() < 40, "{text}: {shown}");
        accepted += usize::from(read.is_ok_and(|secrets| !secrets.is_empty()));
        let keys = Keys::of_default(&text);
        let problems = keys.problems().join(" ");
        assert!(problems.len() < 300, "{text}: {problems}");
        let value = hostile.text(&[
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,AAAA",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        ]);
        let fields: Fields = [
            ("webhook-id", "x"),
            ("webhook-timestamp", "1"),
            ("webhook-signature", &*value),
            ("x-hub-signature-256", &*value),
        ]
        .into_iter()
        .collect();
        let signed = Signed::read(&fields);
        assert!(signed.is_err() || !signed.is_ok_and(|signed| signed.is_in_time(u64::MAX)));
        assert!(
            hub_signature(&fields).is_ok_and(|bytes| bytes.len() == 32)
                || hub_signature(&fields).is_err()
        );
    }
    assert!(accepted > TEXTS / 40, "{accepted}");
}

const TARGETS: [&str; 12] = [
    "/service/x/purge",
    "/service/x/purge/a1",
    "/service/x/purge_all",
    "/purge/www.a.test/b?c",
    "/purge/https%3A%2F%2Fa.test%2F",
    "/client/v4/zones/z/purge_cache",
    "/client/v4/zones?name=a.test",
    "/client/v4/user/tokens/verify",
    "/b/.*",
    "/.edgekeep/purge",
    "/.edgekeep/purges?after=0&limit=5",
    "/.edgekeep/purges/x%2Fy",
];

#[test]
fn mutated_purge_calls_resolve_consistently() {
    let rules = rules();
    let mut hostile = Hostile::new();
    let (mut calls, mut effective) = (0, 0);
    for _ in 0..TEXTS {
        let target = hostile.text(&TARGETS);
        let plain = decoded(&target);
        assert!(
            plain.is_none_or(|plain| plain.len() <= target.len()),
            "{target:?}"
        );
        let Ok(url) = Url::parse(&format!("http://www.a.test{target}")) else {
            continue;
        };
        let head = RequestHead {
            method: Method::named(hostile.one_of(&["PURGE", "BAN", "POST", "DELETE", "GET"])),
            url,
            fields: call_fields(&mut hostile).collect(),
        };
        let url = cache_key::canonical_path(&head.url);
        let Some(call) = call(&rules.rule_for(&url), &head, &url) else {
            continue;
        };
        calls += 1;
        let body = hostile.text(&ORDERS);
        if let Ok(order) = call.parse(&rules, &head.fields, body.as_bytes()) {
            effective += usize::from(resolve(&rules, &order, &format!("{head:?}")));
        }
    }
    assert!(
        calls > TEXTS / 10 && effective > TEXTS / 20,
        "{calls} {effective}"
    );
}

/// A random choice of the fields of purge calls, mutated.
fn call_fields(hostile: &mut Hostile) -> impl Iterator<Item = (String, String)> + use<> {
    let all = [
        ("surrogate-key", "a1 b, c"),
        ("fastly-soft-purge", "1"),
        ("fastly-key", "token_x"),
        ("x-purge-method", "regex"),
        ("x-url", "^/(a|b)(/.*)?$"),
        ("x-host", "^(a.test|www\\.a\\.test)$"),
        ("cache-tags", "((^|,)a1(,|$))|(b\\-c(,.+)?$)"),
        ("xkey-softpurge", "a1 b"),
        ("x-auth-key", "x"),
        ("authorization", "Basic dTpw"),
        ("authorization", "Bearer x"),
        ("webhook-id", "x"),
        ("webhook-signature", "v1,AAAA v1a,AAAA"),
        ("x-hub-signature-256", "sha256=00"),
        ("x-github-delivery", "x"),
    ];
    let mut chosen = Vec::new();
    for (name, value) in all {
        if hostile.random.u8(0..3) == 0 {
            chosen.push((name.to_owned(), hostile.value(&[value])));
        }
    }
    chosen.into_iter()
}

/// The ledger's last sequence number. The simulated ledger replies at once.
fn sequence(world: &World, after: u64) -> u64 {
    let query = FeedQuery::after(after);
    let mut news = pin!(world.read_feed(&query));
    match news.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(news)) => news.sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ledger_appends_only_authorized_orders() {
    let mut hostile = Hostile::new();
    let world = World::new(1_795_424_400_000);
    let rules = rules();
    let keys = Keys::read(&rules, |variable| Some(secrets::of_variable(variable)));
    let isolate = Rc::new(Isolate::new(rules, keys));
    let (editor, admin) = (secrets::token("t-editor"), secrets::token("default"));
    let (mut done, mut denied, mut last) = (0, 0, 0);
    for turn in 0..6000 {
        let target = hostile.text(&TARGETS);
        let Ok(url) = Url::parse(&format!("http://www.a.test{target}")) else {
            continue;
        };
        let mut fields: Fields = call_fields(&mut hostile).collect();
        let token = match turn % 4 {
            0 => Some(&admin),
            1 => Some(&editor),
            _ => None,
        };
        if let Some(token) = token {
            fields.set("authorization", format!("Bearer {token}"));
            // These fields would take precedence over the token.
            for name in [
                "fastly-key",
                "x-auth-key",
                "webhook-signature",
                "x-hub-signature-256",
            ] {
                fields.remove(name);
            }
        }
        let head = RequestHead {
            method: Method::named(hostile.one_of(&["PURGE", "BAN", "POST", "DELETE", "GET"])),
            url,
            fields,
        };
        let text = hostile.text(&ORDERS);
        let shown = format!("{head:?} {text}");
        let body = (head.method != Method::Get).then_some(Bytes::new(text, false));
        let before = last;
        let slot = Rc::new(RefCell::new(None));
        let (host, isolate, filled) = (world.clone(), Rc::clone(&isolate), Rc::clone(&slot));
        let is_call = matches!(head.method.name(), "PURGE" | "BAN")
            || head.url.path.contains("purge")
            || head.url.path.contains("/v4/");
        world.executor.spawn(async move {
            let answer = serve(&host, &isolate, head, body).await;
            *filled.borrow_mut() = Some(answer);
        });
        world.executor.run_until(|| slot.borrow().is_some());
        world.executor.settle();
        let answer = slot.borrow_mut().take().expect("an answer");
        last = sequence(&world, before);
        // The origin answers 404 to every request, so no write invalidates.
        if last > before {
            assert!(
                token.is_some() && answer.status == 200,
                "{shown}: {answer:?}"
            );
            done += 1;
        }
        denied += usize::from(answer.status == 401);
        if let Content::Text(text) = &answer.content
            && is_call
        {
            for secret in [&editor, &admin] {
                assert!(!text.contains(secret.as_str()), "{shown}: {text}");
            }
        }
    }
    assert!(done > 200 && denied > 200, "{done} {denied}");
}
