//! Tests that every request, however unusual, receives a response, and never
//! the body of another URL: random methods, URLs, fields, origins and faults in
//! the simulated world. `EDGEKEEP_SEED` sets the seed; a failure prints it.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key::{Slot, digest};
use edgekeep::cache::ledger::wire::{FeedQuery, HistoryQuery, Order, PastOrder};
use edgekeep::cache::origin::failure::OriginFailure;
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::request::classify::{Lookup, Plan, classify, whole_request};
use edgekeep::cache::request::origin_request::OriginRequest;
use edgekeep::cache::stats::query::StatsQuery;
use edgekeep::flow::handle::serve;
use edgekeep::flow::isolate::credentials::Keys;
use edgekeep::flow::isolate::state::Isolate;
use edgekeep::flow::response::reply::{Answer, Content};
use edgekeep::flow::runtime::host::{
    BodyError, Host, LedgerReply, OriginTimeouts, StoreRequest, Tier, Upload,
};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead, ResponseHead};
use edgekeep::http::url::Url;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use testkit::random::Hostile;
#[allow(dead_code, reason = "stories use the rest")]
use testkit::world;
use testkit::world::filler::Filler;
use testkit::world::{Bytes, World};

const SECRET: &str = "whsec_c3Rvcmllcy1hcmUtc2lnbmVkLXdpdGgtdGhpcy1rZXk=";
const START_MS: u64 = 1_795_424_400_000;

const RULES: &str = r#"{
    "max_purge_lag": 1, "origin_timeout": 1,
    "rules": [
        { "path": "/p/*", "cache": false },
        { "path": "/k/*", "key_headers": ["X-A"], "key_cookies": ["c"], "kv": false },
        { "path": "/f/*", "forward_headers": ["*"], "bypass_cookies": [] },
        { "path": "/t/*", "edge_ttl": 5, "stale_while_revalidate": 10, "query": { "allow": ["a"] } }
    ]
}"#;

/// The URL and fields of a request to the origin, as text. The origin sends
/// this as its body.
fn target(request: &OriginRequest) -> String {
    let field = |name: &str| request.fields.joined(name);
    let (language, origin) = (field("accept-language"), field("origin"));
    format!("{}\nlanguage {language:?}\norigin {origin:?}", request.url)
}

/// The simulated world with an origin whose bodies name the request.
#[derive(Clone)]
struct Mirror {
    world: World,
    hostile: Rc<RefCell<Hostile>>,
    /// Whether the origin sends random statuses and fields.
    wild: bool,
}

impl Mirror {
    fn head(&self, request: &OriginRequest, body: &str) -> ResponseHead {
        let hostile = &mut *self.hostile.borrow_mut();
        let mut fields = Fields::new();
        let etag = format!("\"{}\"", digest(body));
        if hostile.random.bool() {
            fields.add("etag", etag.as_str());
        }
        let control = [
            "max-age=2",
            "max-age=5, stale-while-revalidate=9",
            "no-cache",
            "max-age=0",
            "private",
            "public, max-age=60",
        ];
        fields.add("cache-control", hostile.one_of(&control));
        if hostile.random.u8(0..3) == 0 {
            fields.add(
                "vary",
                hostile.one_of(&[
                    "Accept-Language",
                    "X-A, Accept-Language",
                    "Accept-Encoding, accept-language",
                ]),
            );
        }
        if hostile.random.u8(0..8) == 0 {
            fields.add("cache-tag", "t");
        }
        let mut status = hostile.one_of(&[200, 200, 200, 200, 404, 500, 301]);
        if request.fields.get("if-none-match") == Some(etag.as_str()) {
            status = 304;
            fields.set("etag", etag);
        }
        if self.wild {
            const NAMES: [&str; 12] = [
                "cache-control",
                "cdn-cache-control",
                "vary",
                "age",
                "date",
                "expires",
                "etag",
                "last-modified",
                "connection",
                "surrogate-key",
                "content-length",
                "set-cookie",
            ];
            const VALUES: [&str; 8] = [
                "max-age=60, stale-if-error=9",
                "*",
                "Accept-Language, X-A",
                "3",
                "\"a\"",
                "close, etag",
                "Mon, 23 Nov 2026 09:00:00 GMT",
                "a b,c",
            ];
            for _ in 0..hostile.random.usize(0..4) {
                fields.add(hostile.one_of(&NAMES), hostile.value(&VALUES));
            }
            status = hostile.one_of(&[status, status, 204, 206, 304, 410, 503, 599, 100, 999]);
        }
        ResponseHead { status, fields }
    }
}

impl Host for Mirror {
    type Body = Bytes;
    type Pipe = Filler;

    fn now_ms(&self) -> u64 {
        self.world.now_ms()
    }

    async fn sleep(&self, milliseconds: u64) {
        self.world.sleep(milliseconds).await;
    }

    fn later(&self, work: impl Future<Output = ()> + 'static) {
        self.world.later(work);
    }

    fn log(&self, line: &str) {
        self.world.log(line);
    }

    async fn read_slot(
        &self,
        tier: Tier,
        slot: &Slot,
    ) -> Result<Option<(String, Option<Bytes>)>, String> {
        self.world.read_slot(tier, slot).await
    }

    fn store_entry(
        &self,
        body: Option<Bytes>,
        store_request: StoreRequest,
        for_client: bool,
    ) -> Option<Bytes> {
        self.world.store_entry(body, store_request, for_client)
    }

    fn pipe(&self, body: Bytes) -> Option<(Filler, Bytes)> {
        self.world.pipe(body)
    }

    async fn join(&self, one: Bytes, other: Bytes) -> Option<Bytes> {
        self.world.join(one, other).await
    }

    async fn receive_whole(
        &self,
        body: Bytes,
        length: Option<u64>,
        timeout_ms: u64,
    ) -> Result<Bytes, OriginFailure> {
        self.world.receive_whole(body, length, timeout_ms).await
    }

    async fn send_to_origin(
        &self,
        request: &OriginRequest,
        upload: Option<Upload<Bytes>>,
        timeouts: OriginTimeouts,
    ) -> Result<(ResponseHead, Option<Bytes>), OriginFailure> {
        if let Some(upload) = upload {
            upload.is_sent.set(true);
        }
        let (fate, slow_ms, cut) = {
            let random = &mut self.hostile.borrow_mut().random;
            (random.u8(0..12), random.u64(0..800), random.u8(0..12) == 0)
        };
        match (fate, timeouts.head_ms) {
            (0, _) => return Err(OriginFailure::Unreachable),
            (1, Some(ms)) => {
                self.sleep(ms).await;
                return Err(OriginFailure::TimedOut);
            }
            (2, _) => self.sleep(slow_ms).await,
            _ => {}
        }
        let text = target(request);
        let head = self.head(request, &text);
        let body = request.method != "HEAD" && !matches!(head.status, 204 | 304);
        let whole = text.chars().count();
        let kept = if cut { whole / 2 } else { whole };
        let bytes = Bytes::new(text.chars().take(kept).collect(), cut);
        Ok((head, body.then_some(bytes)))
    }

    async fn read(&self, body: Bytes, limit: usize) -> Result<Vec<u8>, BodyError> {
        self.world.read(body, limit).await
    }

    async fn append(&self, order: &Order) -> Result<LedgerReply, String> {
        self.world.append(order).await
    }

    async fn read_feed(&self, query: &FeedQuery) -> Result<PurgeFeed, String> {
        self.world.read_feed(query).await
    }

    async fn read_stats(&self, query: &StatsQuery) -> Result<String, String> {
        self.world.read_stats(query).await
    }

    async fn history(&self, question: &HistoryQuery) -> Result<Vec<PastOrder>, String> {
        self.world.history(question).await
    }

    async fn read_note(&self, site: &str, name: &str) -> Result<Option<String>, String> {
        self.world.read_note(site, name).await
    }

    fn write_note(&self, site: &str, name: &str, text: String, seconds: u64) {
        self.world.write_note(site, name, text, seconds);
    }

    async fn purge_zone(
        &self,
        body: &str,
    ) -> Result<edgekeep::cache::purge::zone_purge::ZoneResponse, String> {
        self.world.purge_zone(body).await
    }

    async fn wait_for_background(&self) -> Result<(), String> {
        self.world.wait_for_background().await
    }

    async fn verify_ed25519(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        self.world.verify_ed25519(key, message, signature).await
    }
}

/// Makes a request for one of few pages, in one of many spellings.
fn request(hostile: &mut Hostile) -> Option<RequestHead> {
    const URLS: [&str; 8] = [
        "http://a.test/x/%61?b=1&a=2&gclid=3",
        "http://A.test:80/x/./a?a=2&b=1#f",
        "https://a.test/k/a?",
        "http://b.test:81/k//a",
        "http://b.test:81/f/%e9?a[]=1",
        "http://a.test/t/../t/é;x?a=1&z=2",
        "http://a.test/p/a%2Fb",
        "http://[::1]/.edgekeep/purge",
    ];
    const FIELDS: [(&str, &str); 14] = [
        ("accept-language", "de, en;q=0.5"),
        ("accept-language", "en"),
        ("accept-encoding", "gzip, br"),
        ("accept", "text/html"),
        ("origin", "http://c.test"),
        ("x-a", "1"),
        ("cookie", "c=1; theme=dark"),
        ("cookie", "PHPSESSID=1"),
        ("if-none-match", "\"a\", *"),
        ("if-modified-since", "Mon, 23 Nov 2026 09:00:00 GMT"),
        ("range", "bytes=0-1"),
        ("authorization", "Basic x"),
        ("x-forwarded-host", "evil.test"),
        ("connection", "close, x-a"),
    ];
    let plain = hostile.random.u8(0..4) > 0;
    let url = if plain {
        hostile.one_of(&URLS).to_owned()
    } else {
        hostile.text(&URLS)
    };
    let method = hostile.one_of(&["GET", "GET", "GET", "GET", "HEAD", "POST", "get", ""]);
    let mut fields = Fields::new();
    for _ in 0..hostile.random.usize(0..4) {
        let (name, value) = hostile.one_of(&FIELDS);
        let plain = hostile.random.u8(0..4) > 0;
        fields.add(
            name,
            if plain {
                value.to_owned()
            } else {
                hostile.value(&[value])
            },
        );
    }
    Some(RequestHead {
        method: Method::named(method),
        url: Url::parse(&url).ok()?,
        fields,
    })
}

/// Makes a purge order, with a valid signature or an almost valid one.
fn order(hostile: &mut Hostile, now_ms: u64) -> (RequestHead, Bytes) {
    let body = hostile.text(&[
        r#"{"tags":["t"]}"#,
        r#"{"files":["http://a.test/x/a?a=2&b=1"],"soft":true}"#,
        r#"{"prefixes":["a.test/x","b.test:81/k"],"hosts":["a.test"]}"#,
        r#"{"purge_everything":true,"soft":false}"#,
    ]);
    let id = hostile.value(&["one", "two", "three"]);
    let seconds = now_ms / 1000 + hostile.one_of(&[0, 0, 1000]);
    let signature = world::story::sign(SECRET, &id, seconds, &body);
    let fields = [
        ("webhook-id", id),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signature),
    ];
    let head = RequestHead {
        method: Method::named("POST"),
        url: Url::parse("http://a.test/.edgekeep/purge").expect("a URL"),
        fields: fields.into_iter().collect(),
    };
    let bytes = Bytes::new(body, hostile.random.u8(0..20) == 0);
    (head, bytes)
}

/// Checks the response to a request that may use the cache. The lines of the
/// body that name a request must name this one: as the lookup sends it, or
/// `whole`, if the responses of the URL are personal.
fn check(lookup: &Lookup, whole: &OriginRequest, answer: &Answer<Bytes>, wild: bool) {
    let Content::Body(bytes) = &answer.content else {
        return;
    };
    let is_whole = |status: &str| status.contains("detail=personal");
    let sent = match answer.fields.all("cache-status").any(is_whole) {
        true => whole,
        false => lookup.origin(),
    };
    let (found, expected) = (bytes.text.as_str(), target(sent));
    let line = |text: &str, at: usize| text.lines().nth(at).map(str::to_owned);
    // A truncated body is truncated for all followers.
    if bytes.broken {
        assert!(expected.starts_with(line(found, 0).unwrap_or_default().as_str()));
        return;
    }
    assert_eq!(line(found, 0), line(&expected, 0), "{answer:?}");
    assert_eq!(line(found, 2), line(&expected, 2), "{answer:?}");
    let varies = answer
        .fields
        .all("vary")
        .any(|v| v.to_lowercase().contains("accept-language"));
    // A wild origin's 304 may be about another body.
    if varies && !wild {
        assert_eq!(line(found, 1), line(&expected, 1), "{answer:?}");
    }
}

/// Advances the time; afterwards a part may fail.
fn pass_time(mirror: &Mirror) {
    let world = &mirror.world;
    let milliseconds = [0, 0, 100, 1100, 4000, 40_000];
    let milliseconds = mirror.hostile.borrow_mut().one_of(&milliseconds);
    world.executor.advance(milliseconds);
    let hostile = &mut *mirror.hostile.borrow_mut();
    let mut state = world.state.borrow_mut();
    state.down.clear();
    if hostile.random.u8(0..10) == 0 {
        state
            .down
            .push(hostile.one_of(&["ledger", "kv", "cache-api"]));
    }
    if hostile.random.u8(0..20) == 0 {
        state.cache_api.clear();
    }
}

/// The lookup of a request, the request to the origin if it passes whole, and
/// the response.
type RunningRequest = (
    Option<(Lookup, OriginRequest)>,
    Rc<RefCell<Option<Answer<Bytes>>>>,
);

/// Starts a request in one of the isolates.
fn start(
    mirror: &Mirror,
    isolates: &[Rc<Isolate>],
    head: RequestHead,
    body: Option<Bytes>,
) -> RunningRequest {
    let hostile = &mut *mirror.hostile.borrow_mut();
    let isolate = Rc::clone(&isolates[hostile.random.usize(0..isolates.len())]);
    let lookup = match classify(&isolate.rules, &head) {
        Plan::Lookup(lookup) => {
            let whole = whole_request(&isolate.rules, &lookup.rule, &head);
            Some((*lookup, whole))
        }
        _ => None,
    };
    let (slot, host) = (Rc::default(), mirror.clone());
    let filled: Rc<RefCell<_>> = Rc::clone(&slot);
    mirror.world.executor.spawn(async move {
        let answer = serve(&host, &isolate, head, body).await;
        *filled.borrow_mut() = Some(answer);
    });
    (lookup, slot)
}

/// Plays so many turns. Counts the responses by the start of their
/// `Cache-Status`.
fn play(hostile: Hostile, wild: bool, turns: usize) -> HashMap<&'static str, usize> {
    let mirror = Mirror {
        world: World::new(START_MS),
        hostile: Rc::new(RefCell::new(hostile)),
        wild,
    };
    let isolate = || {
        let rules = Rules::read_json(RULES).expect("good settings");
        Rc::new(Isolate::new(rules, Keys::of_default(SECRET)))
    };
    let isolates = [isolate(), isolate()];
    let mut counts = HashMap::new();
    for _ in 0..turns {
        let mut running = Vec::new();
        let together = mirror.hostile.borrow_mut().random.usize(1..4);
        for _ in 0..together {
            let hostile = &mut *mirror.hostile.borrow_mut();
            let (head, body) = if hostile.random.u8(0..20) == 0 {
                let (head, body) = order(hostile, mirror.now_ms());
                (Some(head), Some(body))
            } else {
                (request(hostile), None)
            };
            running.extend(head.map(|head| (head, body)));
        }
        let running: Vec<RunningRequest> = running
            .into_iter()
            .map(|(head, body)| start(&mirror, &isolates, head, body))
            .collect();
        let done = || running.iter().all(|(_, slot)| slot.borrow().is_some());
        mirror.world.executor.run_until(done);
        for (lookup, slot) in &running {
            let answer = slot.borrow_mut().take().expect("an answer");
            let why = answer.fields.all("cache-status").last().unwrap_or_default();
            assert!(why.starts_with("edgekeep"), "{answer:?}");
            if let Some((lookup, whole)) = lookup {
                check(lookup, whole, &answer, wild);
            }
            let words = [
                "edgekeep; hit",
                "edgekeep; fwd=stale",
                "edgekeep; fwd=uri-miss",
                "edgekeep; fwd=vary-miss",
                "edgekeep; fwd=bypass",
            ];
            let word = words.into_iter().find(|word| why.starts_with(word));
            *counts.entry(word.unwrap_or("other")).or_default() += 1;
        }
        pass_time(&mirror);
    }
    counts
}

#[test]
fn every_request_receives_the_body_of_its_own_url() {
    for wild in [false, true] {
        let counts = play(Hostile::new(), wild, 5000);
        // Each outcome occurs often.
        for word in [
            "edgekeep; hit",
            "edgekeep; fwd=stale",
            "edgekeep; fwd=uri-miss",
            "edgekeep; fwd=vary-miss",
            "edgekeep; fwd=bypass",
        ] {
            assert!(
                counts.get(word).is_some_and(|n| *n > 50),
                "{word}: {counts:?}"
            );
        }
    }
}
