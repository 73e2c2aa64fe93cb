//! Secrets: which texts are secrets, what is wrong with others, and that the
//! core accepts what they sign.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use edgekeep::cli::orders::order_ids::{BadPrefix, IdPrefix};
use edgekeep::cli::remote::secret::{NewSecret, Secret, SecretError, SecretKind};
use edgekeep::cli::remote::site::{Site, SiteError};
use edgekeep::flow::isolate::credentials::{Keys, Secrets};
use edgekeep::flow::purge::signature::{Signed, is_id};
use edgekeep::http::fields::Fields;

/// The published vector of Standard Webhooks.
const HMAC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME: u64 = 1_614_265_330;
const BODY: &str = "{\"test\": 2432232314}";
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

/// Made by `openssl genpkey -algorithm ed25519`, and its public half.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINHxlOjsnoM9DkNHl9T38C2l/mohZMgRm4QMFgMAXwM5
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "whpk_VkY2eZCCEdfAWlg8UZPQfj06IEH6wPUUCyyEakd2Taw=";

const TOKEN: &str = "token_0123456789abcdef0123456789abcdef";

fn fields(secret: &Secret) -> Fields {
    let proof = secret.prove(ID, TIME, BODY.as_bytes()).expect("a proof");
    proof.into_iter().collect()
}

fn secret(text: &str) -> Secret {
    Secret::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn hmac_signs_as_the_published_vector() {
    let fields = fields(&secret(HMAC));
    assert_eq!(fields.get("webhook-id"), Some(ID));
    assert_eq!(fields.get("webhook-timestamp"), Some("1614265330"));
    assert_eq!(fields.get("webhook-signature"), Some(SIGNATURE));
    assert_eq!(fields.len(), 3);
}

#[test]
fn private_key_of_openssl_signs_for_its_public_half() {
    let fields = fields(&secret(PRIVATE));
    let signed = Signed::read(&fields).expect("a webhook");
    let message = signed.message(BODY.as_bytes());
    let bytes = |text: &str| STANDARD.decode(text).expect("base64");
    let public: [u8; 32] = bytes(&PUBLIC[5..]).try_into().expect("a key");
    let public = VerifyingKey::from_bytes(&public).expect("a key");
    let signature = fields.get("webhook-signature").expect("a signature");
    let signature = signature.strip_prefix("v1a,").expect("the version");
    let signature = Signature::from_slice(&bytes(signature)).expect("a signature");
    assert!(public.verify(&message, &signature).is_ok());
    assert!(public.verify(b"another message", &signature).is_err());
}

#[test]
fn token_is_sent_with_the_id() {
    let fields = fields(&secret(TOKEN));
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(fields.get("authorization"), Some(bearer.as_str()));
    assert_eq!(fields.get("webhook-id"), Some(ID));
    assert!(!fields.has("webhook-signature"));
}

#[test]
fn white_space_around_a_secret_does_not_count() {
    for text in [HMAC, TOKEN, PRIVATE] {
        let padded = format!("\n  {text}\r\n");
        assert_eq!(fields(&secret(&padded)), fields(&secret(text)));
    }
    let dos = PRIVATE.replace('\n', "\r\n");
    assert_eq!(fields(&secret(&dos)), fields(&secret(PRIVATE)));
}

#[test]
fn other_texts_are_errors_that_do_not_contain_them() {
    let public_pem = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAVkY2eZCCEdfAWlg8UZPQfj06IEH6wPUUCyyEakd2Taw=
-----END PUBLIC KEY-----";
    let of_curve_p256 = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+EGtQGnCOCLz7xOy
VO7ZaGtgYqt3jJJIbpZYdZJWXzKhRANCAASK9gZoUl+RceRoR7oN6adpjaTECcWY
dt2U6TFsjxRpS4m5BKNvUH2AMa1tcpmmEbDzWuB0eVthKNcgsrsTJp+9
-----END PRIVATE KEY-----";
    let on_one_line = PRIVATE.trim().replace('\n', " ");
    let cut = &PRIVATE[..60];
    let several = format!("{HMAC} {TOKEN}");
    let long_token = format!("token_{}", "x".repeat(257));
    let cases = [
        ("", SecretError::Missing),
        (" \n", SecretError::Missing),
        (PUBLIC, SecretError::PublicKey),
        (public_pem, SecretError::PublicKey),
        (of_curve_p256, SecretError::PrivateKey),
        (&on_one_line, SecretError::PrivateKey),
        (cut, SecretError::PrivateKey),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            SecretError::PrivateKey,
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            SecretError::PrivateKey,
        ),
        (&several, SecretError::Several),
        ("whsec_a,whsec_b", SecretError::Several),
        ("whsec_", SecretError::Form),
        ("whsec_not-base64!", SecretError::Form),
        ("whsec_AAAA", SecretError::Form),
        ("token_short", SecretError::Form),
        (&long_token, SecretError::Form),
        ("whsk_AAAAAAAA", SecretError::Unknown),
        ("hunter2", SecretError::Unknown),
        (
            "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            SecretError::Unknown,
        ),
    ];
    for (text, expected) in cases {
        let error = Secret::read(text).expect_err(text);
        assert_eq!(error, expected, "{text}");
        let is_told = text.len() > 8 && error.to_string().contains(text);
        assert!(!is_told, "{error}");
    }
    assert_eq!(format!("{:?}", secret(TOKEN)), "a secret");
}

#[test]
fn new_secrets_are_read_by_worker_and_caller() {
    for kind in [SecretKind::Hmac, SecretKind::Ed25519, SecretKind::Token] {
        let made = NewSecret::make(kind, [7; 32]).expect("a secret");
        let other = NewSecret::make(kind, [8; 32]).expect("a secret");
        assert_ne!(made, other, "{kind:?}");
        assert_eq!(made.worker == made.caller, kind != SecretKind::Ed25519);
        let of_worker = Secrets::read(&made.worker).expect("secrets");
        let proof = fields(&secret(&made.caller));
        match kind {
            SecretKind::Token => {
                let keys = Keys::of_default(&made.worker);
                assert!(keys.of_token(&made.caller).is_some());
                assert_eq!(proof.len(), 2);
            }
            SecretKind::Hmac => {
                let again = fields(&secret(&of_worker.hmac[0].text));
                assert_eq!(again, proof);
            }
            SecretKind::Ed25519 => {
                assert_eq!(of_worker.ed25519.len(), 1);
                assert!(made.caller.starts_with("-----BEGIN PRIVATE KEY-----\n"));
                assert!(
                    proof
                        .get("webhook-signature")
                        .is_some_and(|s| s.starts_with("v1a,"))
                );
            }
        }
    }
}

#[test]
fn site_is_a_url_without_a_path() {
    let cases = [
        (None, Err(SiteError::Missing)),
        (Some(" "), Err(SiteError::Missing)),
        (
            Some("https://www.example.com"),
            Ok("https://www.example.com"),
        ),
        (
            Some("HTTPS://WWW.Example.com:443/"),
            Ok("https://www.example.com"),
        ),
        (Some("http://127.0.0.1:8787"), Ok("http://127.0.0.1:8787")),
        (
            Some("www.example.com"),
            Err(SiteError::NotUrl("www.example.com".to_owned())),
        ),
        (
            Some("https://a.test/x"),
            Err(SiteError::Path("https://a.test/x".to_owned())),
        ),
        (
            Some("https://a.test/?x"),
            Err(SiteError::Path("https://a.test/?x".to_owned())),
        ),
        (
            Some("https://u:p@a.test"),
            Err(SiteError::NotUrl("https://u:p@a.test".to_owned())),
        ),
    ];
    for (text, expected) in cases {
        let site = Site::read(text).map(|site| site.to_string());
        assert_eq!(site, expected.map(str::to_owned), "{text:?}");
    }
    let site = Site::read(Some("https://a.test")).expect("a site");
    assert_eq!(site.url("/x?a=1").to_string(), "https://a.test/x?a=1");
}

#[test]
fn token_is_not_sent_in_the_clear_to_another_computer() {
    for (site, is_refused) in [
        ("https://www.example.com", false),
        ("http://www.example.com", true),
        ("http://192.168.0.7:8787", true),
        ("http://127.0.0.1.example.com", true),
        ("http://localhost:8787", false),
        ("http://blog.localhost", false),
        ("http://127.0.0.1:8787", false),
        ("http://[::1]:8787", false),
    ] {
        let read = Site::read(Some(site)).expect("a site");
        let by = |text: &str| secret(text).check_site(&read).is_err();
        assert_eq!(
            (by(TOKEN), by(HMAC), by(PRIVATE)),
            (is_refused, false, false),
            "{site}"
        );
    }
}

#[test]
fn ids_are_a_prefix_and_a_number() {
    let given = |text: &str| IdPrefix::given_or_new(Some(text));
    assert_eq!(
        given("deploy-7").map(|p| p.id(0)),
        Ok("deploy-7-1".to_owned())
    );
    for bad in ["", "a b", "ä", "a\n", &"x".repeat(245)] {
        assert_eq!(given(bad), Err(BadPrefix::Form), "{bad}");
    }
    let longest = given(&"x".repeat(244)).expect("a prefix").id(9_999_999_999);
    assert!(is_id(&longest));
    let new = || IdPrefix::given_or_new(None).expect("a prefix").id(41);
    assert!(
        new().starts_with("msg_") && new().ends_with("-42"),
        "{}",
        new()
    );
    assert_ne!(new(), new());
}
