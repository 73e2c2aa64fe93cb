//! Shows which webhooks pass: the published vector of Standard Webhooks, none
//! of its mutations; several signatures and secrets; the edges of the time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edgekeep::flow::webhook::{BadSecret, Refused, Secrets, TOLERANCE_SECONDS, check};
use edgekeep::http::fields::Fields;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME: u64 = 1_614_265_330;
const BODY: &str = "{\"test\": 2432232314}";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
/// Another good secret, which signed nothing here.
const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

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
fn the_published_vector_passes() {
    assert_eq!(
        outcome(SECRET, ID, &time(), SIGNATURE, BODY),
        Ok(ID.to_owned())
    );
}

/// A text with each of its characters changed, left out, doubled, in turn.
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
fn no_mutation_of_the_vector_passes() {
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
    // The parts may not flow into each other.
    refuse(&format!("{ID}.{TIME}"), "2432232314", SIGNATURE, BODY);
    assert!(tried > 1000, "{tried}");
    assert_eq!(
        outcome(OTHER, ID, &time(), SIGNATURE, BODY),
        Err(Refused::Unproven)
    );
    assert_eq!(
        outcome("", ID, &time(), SIGNATURE, BODY),
        Err(Refused::Unproven)
    );
}

#[test]
fn several_signatures_and_secrets_may_stand_together() {
    #[track_caller]
    fn check(secrets: &str, signatures: &str, passes: bool) {
        let found = outcome(secrets, ID, &time(), signatures, BODY);
        let expected = if passes {
            Ok(ID.to_owned())
        } else {
            Err(Refused::Unproven)
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
    // Sixteen are looked at.
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
fn a_webhook_is_late_or_early_beyond_the_tolerance() {
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
    // Forged and late is answered like forged, and like late.
    let late = check(&secrets, &fields, BODY.as_bytes(), 0);
    let forged = check(&secrets, &fields, b"{}", TIME * 1000);
    assert_eq!(
        (late, forged),
        (Err(Refused::Unproven), Err(Refused::Unproven))
    );
}

#[test]
fn a_malformed_webhook_is_told_which_field() {
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
fn secrets_are_read() {
    let whsec = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    for text in [
        SECRET,
        &whsec(24),
        &whsec(64),
        &format!(" ,\n{SECRET}\t{OTHER},"),
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
        assert_eq!(found, Err(BadSecret { number }), "{text}");
    }
    check("secret", 1);
    check("whsec_", 1);
    check(&SECRET.replace("whsec_", ""), 1);
    check(&SECRET.replace("whsec_", "WHSEC_"), 1);
    check("whsec_***", 1);
    check(&whsec(23), 1);
    check(&whsec(65), 1);
    check(&format!("{SECRET} {OTHER} whsec_é {SECRET}"), 3);
    let told = format!("{:?} {}", Secrets::read(SECRET), BadSecret { number: 2 });
    assert!(
        !told.contains(&SECRET[6..12]) && told.contains("number 2"),
        "{told}"
    );
}
