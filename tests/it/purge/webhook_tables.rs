//! Tests of webhook verification: the published vectors of Standard Webhooks
//! and GitHub, and all their mutations; several signatures and secrets;
//! ed25519; tokens; the limits of the timestamp.

#[allow(dead_code)]
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edgekeep::cache::config::rules::Rules;
use edgekeep::flow::isolate::credentials::{BadSecrets, Keys, Secrets};
use edgekeep::flow::purge::signature::{
    Refused, Signed, TOLERANCE_SECONDS, hub_signature, is_hub_signed,
};
use edgekeep::http::fields::Fields;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use testkit::world::{World, secrets};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME: u64 = 1_614_265_330;
const BODY: &str = "{\"test\": 2432232314}";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// Another valid secret, which signed nothing here.
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

thread_local! {
    /// Verifies signatures; its clock is not used.
    static WORLD: World = World::new(0);
}

/// The id of a webhook, if it is valid at this time. Nothing here waits.
fn check<'a>(
    secrets: &Secrets,
    fields: &'a Fields,
    body: &[u8],
    now_ms: u64,
) -> Result<&'a str, Refused> {
    let signed = Signed::read(fields)?;
    let message = signed.message(body);
    let proven = WORLD.with(|world| {
        let mut proof = pin!(signed.is_by(world, secrets, &message));
        proof.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    });
    match proven == Poll::Ready(true) && signed.is_in_time(now_ms) {
        true => Ok(signed.id),
        false => Err(Refused::Unauthenticated),
    }
}

/// The outcome for these parts, at the time of the vector.
fn outcome(
    secrets: &str,
    id: &str,
    time: &str,
    signature: &str,
    body: &str,
) -> Result<String, Refused> {
    let secrets = Secrets::read(secrets).expect("good secrets");
    let fields: Fields = [
        ("Webhook-Id", id),
        ("Webhook-Timestamp", time),
        ("Webhook-Signature", signature),
    ]
    .into_iter()
    .collect();
    check(&secrets, &fields, body.as_bytes(), TIME * 1000).map(str::to_owned)
}

fn time() -> String {
    TIME.to_string()
}

#[test]
fn published_vector_is_accepted() {
    assert_eq!(
        outcome(SECRET, ID, &time(), SIGNATURE, BODY),
        Ok(ID.to_owned())
    );
}

/// A text with each of its characters changed, removed, doubled, in turn.
fn mutations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        for other in ['a', 'B', '0', '/', '+', '=', '.', ' '] {
            found.push(format!("{before}{other}{after}"));
        }
        found.push(format!("{before}{after}"));
        found.push(format!("{before}{c}{c}{after}"));
        found.push(before.to_owned());
    }
    // Space around a field's value is not part of it.
    found.retain(|mutation| mutation.trim() != text);
    found
}

#[test]
fn mutations_of_vector_are_refused() {
    let mut tried = 0;
    let mut refuse = |id: &str, time: &str, signature: &str, body: &str| {
        let found = outcome(SECRET, id, time, signature, body);
        assert!(found.is_err(), "{id} {time} {signature} {body}");
        tried += 1;
    };
    for id in mutations(ID) {
        refuse(&id, &time(), SIGNATURE, BODY);
    }
    for time in mutations(&time()) {
        refuse(ID, &time, SIGNATURE, BODY);
    }
    for signature in mutations(SIGNATURE) {
        // A word after the signature is another signature.
        if !signature.starts_with(SIGNATURE) {
            refuse(ID, &time(), &signature, BODY);
        }
    }
    for body in mutations(BODY) {
        refuse(ID, &time(), SIGNATURE, &body);
    }
    refuse(ID, &time(), SIGNATURE, &format!("{BODY}\n"));
    // A character cannot move from one part to the next.
    refuse(&format!("{ID}.{TIME}"), "2432232314", SIGNATURE, BODY);
    assert!(tried > 1000, "{tried}");
    assert_eq!(
        outcome(OTHER, ID, &time(), SIGNATURE, BODY),
        Err(Refused::Unauthenticated)
    );
    assert_eq!(
        outcome("", ID, &time(), SIGNATURE, BODY),
        Err(Refused::Unauthenticated)
    );
}

#[test]
fn one_of_several_signatures_and_secrets_suffices() {
    #[track_caller]
    fn check(secrets: &str, signatures: &str, passes: bool) {
        let found = outcome(secrets, ID, &time(), signatures, BODY);
        let expected = if passes {
            Ok(ID.to_owned())
        } else {
            Err(Refused::Unauthenticated)
        };
        assert_eq!(found, expected, "{secrets} {signatures}");
    }
    let wrong = format!("v1,{}", STANDARD.encode([7; 32]));
    let short = format!("v1,{}", STANDARD.encode([7; 16]));
    check(&format!("{OTHER} {SECRET}"), SIGNATURE, true);
    check(&format!("{SECRET},{OTHER}"), SIGNATURE, true);
    check(&format!("\n{SECRET}\n\n{OTHER}\n"), SIGNATURE, true);
    check(&format!("{OTHER} {OTHER}"), SIGNATURE, false);
    check(SECRET, &format!("{wrong} {SIGNATURE}"), true);
    check(SECRET, &format!("{SIGNATURE} {wrong}"), true);
    check(SECRET, &format!("{short} {SIGNATURE}"), true);
    check(SECRET, &format!("v1a,AAAA v2,x {SIGNATURE}"), true);
    check(SECRET, &format!("{wrong}  {SIGNATURE}"), true);
    check(SECRET, &wrong, false);
    check(SECRET, &format!("{wrong} {wrong}"), false);
    check(SECRET, "v1,", false);
    check(SECRET, &SIGNATURE.replace("v1,", "v1a,"), false);
    check(SECRET, &SIGNATURE.replace("v1,", "v2,"), false);
    check(SECRET, &SIGNATURE.replace("v1,", "V1,"), false);
    // Sixteen are checked.
    check(
        SECRET,
        &format!("{}{SIGNATURE}", format!("{wrong} ").repeat(15)),
        true,
    );
    check(
        SECRET,
        &format!("{}{SIGNATURE}", format!("{wrong} ").repeat(16)),
        false,
    );
}

#[test]
fn timestamp_beyond_tolerance_is_refused() {
    assert_eq!(TOLERANCE_SECONDS, 300);
    let secrets = Secrets::read(SECRET).expect("a good secret");
    let time = time();
    let fields: Fields = [
        ("webhook-id", ID),
        ("webhook-timestamp", &time),
        ("webhook-signature", SIGNATURE),
    ]
    .into_iter()
    .collect();
    let at = |now_ms: u64| check(&secrets, &fields, BODY.as_bytes(), now_ms).is_ok();
    assert!(at(TIME * 1000));
    assert!(at((TIME + 300) * 1000));
    assert!(at((TIME + 300) * 1000 + 999));
    assert!(!at((TIME + 301) * 1000));
    assert!(at((TIME - 300) * 1000));
    assert!(!at((TIME - 300) * 1000 - 1));
    assert!(!at(0));
    assert!(!at(u64::MAX));
    // Forged and late gets the same response as forged, and as late.
    let late = check(&secrets, &fields, BODY.as_bytes(), 0);
    let forged = check(&secrets, &fields, b"{}", TIME * 1000);
    assert_eq!(
        (late, forged),
        (Err(Refused::Unauthenticated), Err(Refused::Unauthenticated))
    );
}

#[test]
fn error_of_malformed_webhook_names_field() {
    #[track_caller]
    fn refused(id: &str, time: &str, signature: &str, field: &'static str) {
        let found = outcome(SECRET, id, time, signature, BODY);
        assert_eq!(found, Err(Refused::Form(field)), "{id} {time} {signature}");
    }
    for id in [
        "",
        " ",
        "a b",
        "a\tb",
        "é",
        "a\u{7f}",
        "a\0",
        &"a".repeat(257),
    ] {
        refused(id, &time(), SIGNATURE, "webhook-id");
    }
    for time in [
        "",
        "now",
        "-1",
        "1.5",
        "1614265330s",
        "18446744073709551616",
        "0x60",
        "1 2",
    ] {
        refused(ID, time, SIGNATURE, "webhook-timestamp");
    }
    for signature in [
        "",
        " ",
        "v1,é",
        "v1,a",
        "v1,====",
        // Without padding, with too little, with excess bits, in the alphabet
        // for URLs.
        "v1,YQ",
        "v1,YQ=",
        "v1,YR==",
        "v1,-_8=",
        "v1,g0hM9SsE*OTP",
        "v1,AAAA v1,A",
    ] {
        refused(ID, &time(), signature, "webhook-signature");
    }
    let secrets = Secrets::read(SECRET).expect("a good secret");
    let time = time();
    let whole = [
        ("webhook-id", ID),
        ("webhook-timestamp", &*time),
        ("webhook-signature", SIGNATURE),
    ];
    for (missing, _) in whole {
        let fields: Fields = whole
            .into_iter()
            .filter(|(name, _)| *name != missing)
            .collect();
        let found = check(&secrets, &fields, BODY.as_bytes(), TIME * 1000);
        assert_eq!(found, Err(Refused::Form(missing)), "without {missing}");
    }
}

#[test]
fn ed25519_signatures_are_accepted() {
    #[track_caller]
    fn check(secrets: &str, signatures: &str, passes: bool) {
        let found = outcome(secrets, ID, &time(), signatures, BODY);
        assert_eq!(found.is_ok(), passes, "{secrets} {signatures}");
    }
    let public = secrets::public_key("one");
    let signature = secrets::ed25519_sign("one", ID, TIME, BODY);
    let other = secrets::ed25519_sign("other", ID, TIME, BODY);
    check(&public, &signature, true);
    check(&public, &format!("{SIGNATURE} {signature}"), true);
    check(&public, &format!("{other} {signature}"), true);
    check(&format!("{SECRET} {public}"), &signature, true);
    check(&format!("{SECRET} {public}"), SIGNATURE, true);
    check(&secrets::public_key("other"), &signature, false);
    check(SECRET, &signature, false);
    check(&public, &other, false);
    check(&public, SIGNATURE, false);
    check(&public, &signature.replace("v1a,", "v1,"), false);
    check(&public, "v1a,", false);
    check(&public, "v1a,AAAA", false);
    // Four are checked.
    check(
        &public,
        &format!("{}{signature}", format!("{other} ").repeat(3)),
        true,
    );
    check(
        &public,
        &format!("{}{signature}", format!("{other} ").repeat(4)),
        false,
    );
    for (id, seconds, body) in [
        ("msg_x", TIME, BODY),
        (ID, TIME + 1, BODY),
        (ID, TIME, "{}"),
    ] {
        let moved = secrets::ed25519_sign("one", id, seconds, body);
        check(&public, &moved, false);
    }
    let refused = outcome(&public, ID, &time(), "v1a,é", BODY);
    assert_eq!(refused, Err(Refused::Form("webhook-signature")));
    for flipped in (0..64 * 8).step_by(13) {
        let mut bytes = STANDARD.decode(&signature[4..]).expect("base64");
        bytes[flipped / 8] ^= 1 << (flipped % 8);
        check(&public, &format!("v1a,{}", STANDARD.encode(bytes)), false);
    }
}

#[test]
fn published_github_signatures_are_accepted() {
    // The values of GitHub's own page.
    let hello = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(
        secrets::hub_sign("It's a Secret to Everybody", "Hello, World!"),
        hello
    );

    let keys = Secrets::read(&format!("{OTHER} {SECRET}")).expect("good secrets");
    let of = |value: &str| hub_signature(&[("X-Hub-Signature-256", value)].into_iter().collect());
    let passes = |value: &str, body: &str| {
        of(value).is_ok_and(|signature| is_hub_signed(&keys, body.as_bytes(), &signature))
    };
    let signature = secrets::hub_sign(SECRET, BODY);
    assert!(passes(&signature, BODY));
    assert!(passes(
        &signature.to_uppercase().replace("SHA", "sha"),
        BODY
    ));
    assert!(passes(&secrets::hub_sign(OTHER, BODY), BODY));
    assert!(!passes(&signature, "{}"));
    assert!(!passes(&secrets::hub_sign("whsec_", BODY), BODY));
    // The key is the text itself, not its decoded form.
    assert!(!passes(&secrets::hub_sign(&SECRET[6..], BODY), BODY));
    let form = Err(Refused::Form("x-hub-signature-256"));
    for value in [
        "",
        "sha256=",
        "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
        &signature[7..],
        &signature[..70],
        &format!("{signature}0"),
        &signature.replace('=', "=+").as_str()[..71],
        &format!("sha256={}", "é".repeat(32)),
        &format!("sha256={}", "x".repeat(64)),
    ] {
        assert_eq!(of(value), form, "{value}");
    }
    assert_eq!(hub_signature(&Fields::new()), form);
}

/// The name of the key that a token belongs to.
fn key_of(keys: &Keys, token: &str) -> Option<String> {
    keys.of_token(token).map(|key| key.rule.name.clone())
}

#[test]
fn token_belongs_to_one_key() {
    let rules = r#"{"keys": [{"name": "a", "secret": "A"}, {"name": "b", "secret": "B"}]}"#;
    let rules = Rules::read_json(rules).expect("good settings");
    let keys = Keys::read(&rules, |variable| match variable {
        "A" => Some(format!(
            "{} {}",
            secrets::token("old"),
            secrets::token("new")
        )),
        "B" => Some(secrets::token("b")),
        _ => None,
    });
    assert!(keys.problems().is_empty(), "{:?}", keys.problems());
    for (token, name) in [("old", "a"), ("new", "a"), ("b", "b")] {
        let found = key_of(&keys, &secrets::token(token));
        assert_eq!(found.as_deref(), Some(name), "{token}");
    }
    let good = secrets::token("b");
    let (short, long) = (&good[..good.len() - 1], format!("{good}0"));
    for token in [
        "",
        "token_",
        &good[6..],
        short,
        &long,
        &good.to_uppercase(),
        SECRET,
    ] {
        assert_eq!(key_of(&keys, token), None, "{token}");
    }
}

#[test]
fn invalid_key_is_reported_and_others_stay_usable() {
    let rules = r#"{"keys": [
        {"name": "bad", "secret": "BAD"}, {"name": "unset", "secret": "UNSET"},
        {"name": "good", "secret": "GOOD"}, {"name": "same", "secret": "SAME"}
    ]}"#;
    let rules = Rules::read_json(rules).expect("good settings");
    let good = secrets::token("good");
    let keys = Keys::read(&rules, |variable| match variable {
        "BAD" => Some(format!("{} token_short", secrets::token("bad"))),
        "GOOD" => Some(good.clone()),
        // It would have the permissions of both.
        "SAME" => Some(format!("{SECRET} {good}")),
        _ => None,
    });
    let names: Vec<&str> = keys.iter().map(|key| key.rule.name.as_str()).collect();
    assert_eq!(names, ["good"]);
    assert_eq!(key_of(&keys, &good).as_deref(), Some("good"));
    let problems = keys.problems().join("\n");
    for part in [
        "BAD",
        "key bad",
        "number 2",
        "UNSET",
        "key unset",
        "SAME",
        "key same",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert!(
        !problems.contains("PURGE_SECRETS"),
        "no key uses PURGE_SECRETS: {problems}"
    );
    for secret in [&good[6..], &SECRET[6..], "token_short"] {
        assert!(!problems.contains(secret), "{problems}");
    }
    assert!(Keys::of_default("").is_empty() && !Keys::of_default(SECRET).is_empty());
}

#[test]
fn secrets_are_parsed() {
    let whsec = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    let whpk = |bytes: usize| format!("whpk_{}", STANDARD.encode(vec![7; bytes]));
    let token = |characters: usize| format!("token_{}", "!".repeat(characters));
    for text in [
        SECRET,
        &whsec(24),
        &whsec(64),
        &whpk(32),
        &token(32),
        &token(256),
        &format!(" ,\n{SECRET}\t{OTHER},"),
        &format!("{} {} {}", token(40), whpk(32), SECRET),
        &[SECRET; 8].join(" "),
    ] {
        let secrets = Secrets::read(text).expect(text);
        assert!(!secrets.is_empty(), "{text}");
    }
    for text in ["", " ", "\n", ",, ,"] {
        assert!(
            Secrets::read(text).is_ok_and(|secrets| secrets.is_empty()),
            "{text:?}"
        );
    }
    #[track_caller]
    fn check(text: &str, number: usize) {
        let found = Secrets::read(text).map(|_| ());
        assert_eq!(found, Err(BadSecrets::Form(number)), "{text}");
    }
    check("secret", 1);
    check("whsec_", 1);
    check(&SECRET.replace("whsec_", ""), 1);
    check(&SECRET.replace("whsec_", "WHSEC_"), 1);
    check("whsec_***", 1);
    check(whsec(25).trim_end_matches('='), 1);
    check(&whsec(25).replace("w==", "x=="), 1);
    check(&format!("whsec_{}", "-_".repeat(16)), 1);
    check(&whsec(23), 1);
    check(&whsec(65), 1);
    check("whpk_", 1);
    check(&whpk(31), 1);
    check(&whpk(33), 1);
    check("whpk_***", 1);
    check("token_", 1);
    check(&token(31), 1);
    check(&token(257), 1);
    check(&format!("token_{}é", "a".repeat(40)), 1);
    check(&format!("{SECRET} {OTHER} whsec_é {SECRET}"), 3);
    let many = Secrets::read(&[SECRET; 9].join(" ")).map(|_| ());
    assert_eq!(many, Err(BadSecrets::TooMany));
    let text = format!("{:?} {}", Secrets::read(SECRET), BadSecrets::Form(2));
    assert!(
        !text.contains(&SECRET[6..12]) && text.contains("number 2"),
        "{text}"
    );
}
