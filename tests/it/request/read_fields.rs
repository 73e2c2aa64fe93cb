//! Tests that a lookup depends only on the fields that `fields_read` names: with
//! random requests, once whole and once with only these fields. `EDGEKEEP_SEED`
//! sets the seed; a failure prints it.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::withheld_fields::has_own_cookie;
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::cache::request::read_fields::fields_read;
use edgekeep::http::conditional::not_modified;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::range::if_range_holds;
use edgekeep::http::url::Url;
use testkit::random::Hostile;

const SETTINGS: &str = r#"{
    "rules": [
        { "path": "/never/*", "cache": false },
        { "path": "/key/*", "key_headers": ["X-A"], "key_cookies": ["c"] },
        { "path": "/send/*", "forward_headers": ["X-B", "Accept", "Via", "If-Range"] },
        { "path": "/wish/*", "request_directives": true, "bypass_cookies": [] },
        { "path": "/call/*", "purge_dialects": ["varnish", "fastly", "cloudflare", "github"] }
    ]
}"#;

/// Settings without `request_directives`.
const BARE: &str = r#"{ "defaults": { "bypass_cookies": [] } }"#;
const KEYED: &str = r#"{ "defaults": { "bypass_cookies": [], "key_cookies": ["c"] } }"#;
const FORWARDED: &str =
    r#"{ "defaults": { "bypass_cookies": [], "forward_headers": ["Cookie"] } }"#;

const URLS: [&str; 8] = [
    "http://a.test/x?b=1&a=2",
    "http://a.test/never/x",
    "http://a.test/key/x",
    "http://a.test/send/x",
    "http://a.test/wish/x",
    "http://a.test/call/x",
    "http://a.test/client/v4/zones",
    "http://a.test/.edgekeep/purge",
];

const FIELDS: [(&str, &str); 38] = [
    ("accept", "text/html;q=0.5, image/webp"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "de, en;q=0.5"),
    ("authorization", "Basic x"),
    ("cache-control", "max-age=3"),
    ("cache-control", "only-if-cached"),
    ("cf-connecting-ip", "203.0.113.7"),
    ("connection", "close, x-a, accept, origin"),
    ("connection", "keep-alive"),
    ("content-length", "0"),
    ("content-length", "3"),
    ("cookie", "c=1; theme=dark"),
    ("cookie", "sessionid=1"),
    ("expect", "100-continue"),
    ("fastly-key", "k"),
    ("host", "b.test"),
    ("if-match", "\"a\""),
    ("if-modified-since", "Mon, 23 Nov 2026 09:00:00 GMT"),
    ("if-none-match", "\"a\", \"b\""),
    ("if-range", "\"a\""),
    ("if-unmodified-since", "Mon, 23 Nov 2026 09:00:00 GMT"),
    ("keep-alive", "timeout=5"),
    ("origin", "http://c.test"),
    ("pragma", "no-cache"),
    ("range", "bytes=0-1"),
    ("surrogate-capability", "x=\"ESI/1.0\""),
    ("te", "trailers"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "websocket"),
    ("user-agent", "Mozilla/5.0"),
    ("via", "1.1 proxy"),
    ("x-a", "1"),
    ("x-b", "2"),
    ("x-c", "3"),
    ("x-forwarded-host", "evil.test"),
    ("x-forwarded-proto", "https"),
    ("x-purge-method", "regex"),
    ("xkey", "t"),
];

fn request(hostile: &mut Hostile) -> RequestHead {
    let mut fields = Fields::new();
    for _ in 0..hostile.random.usize(0..5) {
        let (name, value) = hostile.one_of(&FIELDS);
        if hostile.random.u8(0..8) > 0 {
            fields.add(name, value);
        } else {
            fields.add(name, hostile.value(&[value]));
        }
    }
    RequestHead {
        method: Method::named(hostile.one_of(&["GET", "GET", "GET", "HEAD"])),
        url: Url::parse(hostile.one_of(&URLS)).expect("a URL"),
        fields,
    }
}

/// All results that depend on the request of a lookup: its slot and variant, the
/// request to the origin, and the results of conditions and ranges.
fn lookup_text(lookup: &Lookup) -> String {
    let stored: Fields = [
        ("etag", "\"a\""),
        ("last-modified", "Mon, 23 Nov 2026 09:00:00 GMT"),
    ]
    .into_iter()
    .collect();
    let names = FIELDS.iter().map(|(name, _)| *name);
    let choices: Vec<_> = names.map(|name| (name, lookup.choice(name))).collect();
    format!(
        "{} {} {} {:?} {:?} {:?} {choices:?} {} {} {:?} {}",
        lookup.key.text,
        lookup.head_only,
        lookup.authorized,
        lookup.range,
        lookup.request_control,
        lookup.origin(),
        not_modified(&lookup.client, &stored),
        if_range_holds(&lookup.client, &stored),
        lookup.client.get("if-range"),
        has_own_cookie(&lookup.rule, &lookup.client),
    )
}

fn plan(rules: &Rules, request: &RequestHead) -> Option<String> {
    match classify(rules, request) {
        Plan::Lookup(lookup) => Some(lookup_text(&lookup)),
        _ => None,
    }
}

#[test]
fn lookup_depends_only_on_fields_read() {
    let mut hostile = Hostile::new();
    for settings in [SETTINGS, BARE, KEYED, FORWARDED] {
        let rules = Rules::read_json(settings).expect("settings");
        let read = fields_read(&rules).expect("not all fields");
        let mut lookups = 0;
        for _ in 0..15_000 {
            let whole = request(&mut hostile);
            let mut part = whole.clone();
            // A request with a body is read whole.
            let length = part.fields.get("content-length").unwrap_or("0");
            if length.trim() == "0" && !part.fields.has("transfer-encoding") {
                part.fields.retain(|name, _| read.contains(&name));
            }
            let (whole_plan, plan) = (plan(&rules, &whole), plan(&rules, &part));
            lookups += usize::from(plan.is_some());
            assert_eq!(plan, whole_plan, "{whole:?}");
        }
        assert!(lookups > 3_000, "{lookups} lookups");
    }
}

#[track_caller]
fn check(settings: &str, expected: Option<&str>) {
    let rules = Rules::read_json(settings).expect("settings");
    let read = fields_read(&rules);
    match expected {
        None => assert_eq!(read, None, "{settings}"),
        Some(names) => {
            let read = read.expect("not all fields");
            for name in names.split(' ') {
                assert!(read.contains(&name), "{settings}: {name}");
            }
        }
    }
}

#[test]
fn rules_determine_the_fields_read() {
    check(BARE, Some("accept connection if-none-match range"));
    // Under any settings that use the cache: the client's cookies may cause a pass.
    for settings in ["{}", BARE, KEYED, FORWARDED] {
        check(settings, Some("cookie"));
    }
    check(SETTINGS, Some("x-a x-b cookie cache-control pragma via"));
    check(r#"{ "profile": "django" }"#, Some("cookie"));
    // One rule that needs all fields is enough: the request's rule is not known
    // yet.
    check(
        r#"{ "rules": [{ "path": "/a", "forward_headers": ["*"] }] }"#,
        None,
    );
    check(r#"{ "rules": [{ "path": "/a", "esi": true }] }"#, None);
    let many: Vec<String> = (0..60).map(|n| format!("\"x-{n}\"")).collect();
    let many = format!(
        r#"{{ "defaults": {{ "forward_headers": [{}] }} }}"#,
        many.join(",")
    );
    check(&many, None);
}

#[test]
fn fields_read_has_no_duplicates() {
    let settings = r#"{
        "defaults": { "key_headers": ["X-A"], "forward_headers": ["X-A", "Origin", "Cookie"] },
        "rules": [{ "path": "/a", "key_headers": ["X-A", "X-B"], "request_directives": true }]
    }"#;
    let rules = Rules::read_json(settings).expect("settings");
    let mut names = fields_read(&rules).expect("not all fields");
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn fields_without_effect_are_not_read() {
    let rules = Rules::read_json(BARE).expect("settings");
    let read = fields_read(&rules).expect("not all fields");
    for name in ["cache-control", "pragma", "user-agent", "x-a", "via"] {
        assert!(!read.contains(&name), "{name}");
    }
    let never = r#"{ "defaults": { "cache": false, "key_cookies": ["c"] } }"#;
    let rules = Rules::read_json(never).expect("settings");
    assert!(
        !fields_read(&rules)
            .expect("not all fields")
            .contains(&"cookie")
    );
}
