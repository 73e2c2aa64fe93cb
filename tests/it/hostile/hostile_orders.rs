//! Shows that no order, key or call makes anything panic, that none passes
//! that should not, and that what is read keeps its laws. `EDGEKEEP_SEED` sets
//! the seed; a failure prints it.

#[allow(dead_code)]
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
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

/// How many texts each reader gets.
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

/// The laws of what an order comes to.
fn check(settled: &ResolvedPurge, text: &str) {
    let names: Vec<&String> = settled.hard.iter().chain(&settled.soft).collect();
    let once: HashSet<&&String> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "{text}: {settled:?}");
    for (tag, carried) in &settled.cascade {
        for name in carried.iter().chain([tag]) {
            let name = format!("tag:{name}");
            assert!(names.contains(&&name), "{text}: {name} of {settled:?}");
        }
        // What something hard carries is hard.
        if settled.hard.contains(&format!("tag:{tag}")) {
            let is_hard = |tag: &String| settled.hard.contains(&format!("tag:{tag}"));
            assert!(carried.iter().all(is_hard), "{text}: {settled:?}");
        }
    }
    for url in &settled.refresh {
        let parsed = Url::parse(url).expect("a URL");
        let name = format!("url:{}{}", parsed.host, parsed.path);
        let soft = settled.soft.iter().any(|soft| soft.starts_with(&name));
        assert!(soft, "{text}: {settled:?}");
    }
}

fn settle(rules: &Rules, draft: &ParsedPurge, text: &str) -> bool {
    match draft.resolve(&rules.cascades) {
        Ok(settled) => {
            check(&settled, text);
            !settled.hard.is_empty() || !settled.soft.is_empty()
        }
        Err(problem) => {
            assert_eq!(problem, NotOrder::TooMuchCarried, "{text}");
            false
        }
    }
}

#[test]
fn orders() {
    let rules = rules();
    let mut hostile = Hostile::new();
    let (mut read_well, mut refused) = (0, 0);
    for _ in 0..TEXTS {
        let text = hostile.text(&ORDERS);
        let with_headers = hostile.random.bool();
        let Ok(mut draft) = read(&rules, text.as_bytes(), with_headers) else {
            continue;
        };
        refused += usize::from(!draft.refused.is_empty());
        read_well += usize::from(settle(&rules, &draft, &text));
        let before = draft.refused.len();
        draft.limit(&rules.keys[1].permit, "t-editor");
        settle(&rules, &draft, &text);
        assert!(draft.refused.len() - before <= SELECTORS_MAX, "{text}");
    }
    assert!(
        read_well > TEXTS / 10 && refused > TEXTS / 50,
        "{read_well} {refused}"
    );
}

#[test]
fn bytes_that_are_no_text() {
    let rules = rules();
    let mut hostile = Hostile::new();
    for _ in 0..TEXTS {
        let mut bytes = hostile.one_of(&ORDERS).as_bytes().to_vec();
        for _ in 0..hostile.random.usize(1..6) {
            let at = hostile.random.usize(0..bytes.len());
            bytes[at] = hostile.random.u8(..);
        }
        if let Ok(draft) = read(&rules, &bytes, false) {
            settle(&rules, &draft, &String::from_utf8_lossy(&bytes));
        }
    }
}

/// The published vector, mutated: it passes only whole, and by its own secret.
#[test]
fn webhooks() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const PARTS: [&str; 3] = [
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ];
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    let mut hostile = Hostile::new();
    let world = World::new(0);
    let passes = |secrets: &Secrets, fields: &Fields| {
        let Ok(signed) = Signed::read(fields) else {
            return false;
        };
        let message = signed.message(BODY);
        let mut proof = pin!(signed.is_by(&world, secrets, &message));
        let proven = proof.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        proven == Poll::Ready(true) && signed.is_in_time(1_614_265_330_000)
    };
    let secrets = Secrets::read(SECRET).expect("a good secret");
    let mut passed = 0;
    for _ in 0..TEXTS / 4 {
        let parts = PARTS.map(|part| hostile.text(&[part]));
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let fields: Fields = names
            .into_iter()
            .zip(parts.iter().map(String::as_str))
            .collect();
        let found = passes(&secrets, &fields);
        let signed = list::trim(&parts[0]) == PARTS[0] && list::trim(&parts[1]) == PARTS[1];
        let whole = parts[2].contains(PARTS[2]);
        assert!(!found || (signed && whole), "{parts:?}");
        passed += usize::from(found);
        // Whatever is taken for a secret signs nothing of the vector's.
        let text = hostile.text(&["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_", ", "]);
        if let Ok(others) = Secrets::read(&text) {
            assert!(!passes(&others, &fields), "{text:?}");
        }
    }
    assert!(passed > 0);
}

#[test]
fn secrets_and_signatures() {
    let mut hostile = Hostile::new();
    let good = secrets::of_variable("PURGE_SECRETS");
    let pieces: Vec<&str> = good.split(' ').collect();
    let mut taken = 0;
    for _ in 0..TEXTS / 4 {
        let text = hostile.text(&pieces);
        let read = Secrets::read(&text);
        let shown = format!("{read:?}");
        assert!(shown.len() < 40, "{text}: {shown}");
        taken += usize::from(read.is_ok_and(|secrets| !secrets.is_empty()));
        let keys = Keys::of_default(&text);
        let told = keys.problems().join(" ");
        assert!(told.len() < 300, "{text}: {told}");
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
    assert!(taken > TEXTS / 40, "{taken}");
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
fn calls() {
    let rules = rules();
    let mut hostile = Hostile::new();
    let (mut called, mut meant) = (0, 0);
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
        called += 1;
        let body = hostile.text(&ORDERS);
        if let Ok(draft) = call.parse(&rules, &head.fields, body.as_bytes()) {
            meant += usize::from(settle(&rules, &draft, &format!("{head:?}")));
        }
    }
    assert!(
        called > TEXTS / 10 && meant > TEXTS / 20,
        "{called} {meant}"
    );
}

/// Fields that calls have, some of them, mutated.
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

/// The ledger's last number; it answers at once.
fn sequence(world: &World, after: u64) -> u64 {
    let mut news = pin!(world.read_feed(after));
    match news.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(news)) => news.sequence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_is_sent_nothing_unproven_is_done() {
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
            // These go first where they are.
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
        // The origin answers 404 to all, so that no write invalidates.
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
