//! Tests of the limits of request collapsing: how long one client can delay
//! others that request the same page, whatever it requests, however slowly it
//! reads, and whatever response it receives.

#[allow(dead_code, reason = "other tests use the rest")]
use edgekeep::cache::policy::collapse_leaders::{ALONE_KNOWN_MS, ALONE_MS, most};
use edgekeep::flow::handle::serve;
use edgekeep::flow::response::reply::Content;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use testkit::world::place::{Place, START_MS, slow};
use testkit::world::{Plan, World};

const PAGE: &str = "/a";
/// The longest delay where neither the ledger nor a tier adds one.
const AT_ONCE_MS: u64 = 50;

/// Once it has arrived: `STATUS BODY`, and the time of its arrival in
/// milliseconds.
type PendingResponse = Rc<RefCell<Option<(String, u64)>>>;

/// Starts a request for the page.
fn start(place: &Place, fields: &[(&str, &str)]) -> PendingResponse {
    let head = RequestHead {
        method: Method::Get,
        url: Url::parse(&format!("http://a.test{PAGE}")).expect("a URL"),
        fields: fields.iter().copied().collect::<Fields>(),
    };
    let response = PendingResponse::default();
    let (place, filled) = (place.clone(), Rc::clone(&response));
    place.world.clone().executor.spawn(async move {
        let answer = serve(&place.world, &place.isolate, head, None).await;
        let text = match answer.content {
            Content::Body(body) | Content::Parts(body, _) => body.text,
            _ => String::new(),
        };
        let now_ms = place.world.executor.now_ms();
        *filled.borrow_mut() = Some((format!("{} {text}", answer.status), now_ms));
    });
    response
}

/// Starts so many equal requests.
fn start_many(place: &Place, count: usize, fields: &[(&str, &str)]) -> Vec<PendingResponse> {
    (0..count).map(|_| start(place, fields)).collect()
}

/// Returns the responses, and how long the fastest and the slowest of them
/// took, in milliseconds.
fn finish(world: &World, since_ms: u64, responses: &[PendingResponse]) -> (Vec<String>, u64, u64) {
    world
        .executor
        .run_until(|| responses.iter().all(|response| response.borrow().is_some()));
    let done: Vec<_> = responses
        .iter()
        .filter_map(|response| response.borrow_mut().take())
        .collect();
    let waited = done.iter().map(|(_, ms)| ms - since_ms);
    let (least, last) = (waited.clone().min(), waited.max());
    let texts = done.into_iter().map(|(text, _)| text).collect();
    (texts, least.unwrap_or(0), last.unwrap_or(0))
}

/// Checks that all responses are equal to this one.
#[track_caller]
fn check(texts: &[String], expected: &str) {
    let wrong: Vec<_> = texts.iter().filter(|text| *text != expected).collect();
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:?}",
        wrong.len(),
        texts.len()
    );
}

fn plan(slow_ms: u64, status: u16, fields: &[(&str, &str)], body: &str) -> Plan {
    Plan::Answer {
        slow_ms,
        cut: false,
        status,
        fields: fields.iter().copied().collect(),
        body: body.to_owned(),
    }
}

fn page(slow_ms: u64) -> Plan {
    plan(slow_ms, 200, &[("cache-control", "max-age=600")], "page")
}

/// A world whose origin sends the responses in `first`, and then always
/// `then`.
fn world(first: Vec<Plan>, then: Plan) -> (World, Place) {
    let world = World::new(START_MS);
    let place = Place::new(&world, 0);
    // The ledger responds once, so that it does not delay later requests.
    place.get("/first");
    answer(&world, first, then);
    (world, place)
}

fn answer(world: &World, first: Vec<Plan>, then: Plan) {
    let mut state = world.state.borrow_mut();
    state
        .next_plans
        .insert(PAGE.to_owned(), VecDeque::from(first));
    state.plans.insert(PAGE.to_owned(), then);
    state.asked.clear();
}

fn asked(world: &World) -> usize {
    world.state.borrow().asked.len()
}

#[test]
fn number_of_leaders_grows_with_time() {
    for alone_ms in [ALONE_MS, ALONE_KNOWN_MS] {
        assert_eq!(most(0, alone_ms), 1);
        assert_eq!(most(alone_ms - 1, alone_ms), 1);
        assert_eq!(most(alone_ms, alone_ms), 4);
        assert_eq!(most(alone_ms + 999, alone_ms), 4);
        assert_eq!(most(alone_ms + 1000, alone_ms), 8);
        assert_eq!(most(alone_ms + 10_000, alone_ms), 44);
    }
    assert_eq!(most(u64::MAX, 0), (u64::MAX / 1000 + 1) * 4);
}

#[test]
fn page_that_takes_a_second_is_fetched_once() {
    let (world, place) = world(vec![], page(ALONE_MS - 1));
    let began_ms = world.executor.now_ms();
    let responses = start_many(&place, 500, &[]);
    let (texts, _, last_ms) = finish(&world, began_ms, &responses);
    check(&texts, "200 page");
    assert_eq!(asked(&world), 1);
    assert!(last_ms <= ALONE_MS + 200, "{last_ms} ms");
}

#[test]
fn thousand_requests_for_a_slow_page_cause_few_fetches() {
    let (world, place) = world(vec![], page(3_500));
    let began_ms = world.executor.now_ms();
    let responses = start_many(&place, 1000, &[]);
    let (texts, _, last_ms) = finish(&world, began_ms, &responses);
    check(&texts, "200 page");
    assert_eq!(asked(&world) as u64, most(3_500, ALONE_MS));
    assert!(last_ms <= 3_500 + 400, "{last_ms} ms");
    // If it was stored before, there is one leader for longer.
    place.purge(&["url:a.test/a"], &[]);
    answer(&world, vec![], page(3_500));
    let responses = start_many(&place, 1000, &[]);
    let (texts, _, _) = finish(&world, began_ms, &responses);
    check(&texts, "200 page");
    assert_eq!(asked(&world), 1);
}

#[test]
fn followers_of_no_store_response_are_delayed_once_by_a_second() {
    let poll = |slow_ms| plan(slow_ms, 200, &[("cache-control", "no-store")], "news");
    for slow_ms in [2_000, 9_000] {
        let (world, place) = world(vec![], poll(slow_ms));
        let began_ms = world.executor.now_ms();
        let responses = start_many(&place, 4, &[]);
        let (texts, least_ms, last_ms) = finish(&world, began_ms, &responses);
        check(&texts, "200 news");
        assert!(least_ms <= slow_ms + AT_ONCE_MS, "{least_ms} ms");
        assert!(last_ms <= slow_ms + ALONE_MS + 200, "{last_ms} ms");
        // Later requests are not delayed, as long as it continues.
        for _ in 0..20 {
            let began_ms = world.executor.now_ms();
            let responses = start_many(&place, 4, &[]);
            let (_, _, last_ms) = finish(&world, began_ms, &responses);
            assert!(last_ms <= slow_ms + AT_ONCE_MS, "{last_ms} ms");
            world.executor.advance(8_000);
        }
    }
}

#[test]
fn client_that_reads_slowly_delays_others_by_a_second() {
    let (world, place) = world(vec![], page(100));
    // Its copy is stored only as fast as this client reads.
    slow(&world, "landing", 20_000);
    let began_ms = world.executor.now_ms();
    let first = start_many(&place, 1, &[]);
    let (texts, _, first_ms) = finish(&world, began_ms, &first);
    check(&texts, "200 page");
    assert!(first_ms <= 100 + AT_ONCE_MS, "{first_ms} ms");
    world.state.borrow_mut().slow.remove("landing");
    let began_ms = world.executor.now_ms();
    let next = start_many(&place, 100, &[]);
    let (texts, _, last_ms) = finish(&world, began_ms, &next);
    check(&texts, "200 page");
    assert!(last_ms <= ALONE_MS + 100 + 300, "{last_ms} ms");
    assert!(
        asked(&world) as u64 <= most(ALONE_MS, ALONE_MS),
        "{}",
        asked(&world)
    );
}

/// A field that makes a request unusual, so that its refusal concerns it alone.
const UNUSUAL: [(&str, &str); 1] = [("accept", "application/x-odd")];

#[test]
fn refusal_of_unusual_request_is_not_shared() {
    for refusal in [
        plan(300, 406, &[("cache-control", "max-age=600")], "no"),
        plan(300, 415, &[], "no"),
        // No error, but specific to the fields of the request.
        plan(
            300,
            200,
            &[("cache-control", "no-store"), ("vary", "accept")],
            "no",
        ),
        plan(
            300,
            200,
            &[("cache-control", "private"), ("vary", "origin, Accept")],
            "no",
        ),
    ] {
        let (world, place) = world(vec![refusal], page(300));
        let began_ms = world.executor.now_ms();
        let unusual = start(&place, &UNUSUAL);
        let others = start_many(&place, 20, &[]);
        let (texts, _, last_ms) = finish(&world, began_ms, &others);
        check(&texts, "200 page");
        assert_eq!(asked(&world), 2);
        assert!(last_ms <= 600 + 300, "{last_ms} ms");
        let (texts, _, _) = finish(&world, began_ms, &[unusual]);
        assert!(texts[0].ends_with(" no"), "{texts:?}");
    }
}

#[test]
fn key_stays_collapsed_after_refusal_of_unusual_request() {
    let unusual = || plan(100, 412, &[], "no");
    let (world, place) = world(vec![unusual()], page(500));
    let began_ms = world.executor.now_ms();
    finish(&world, began_ms, &[start(&place, &UNUSUAL)]);
    // An unusual request is not the leader a second time.
    answer(&world, vec![unusual()], page(500));
    let again = start(&place, &UNUSUAL);
    let others = start_many(&place, 50, &[]);
    let began_ms = world.executor.now_ms();
    let (texts, _, last_ms) = finish(&world, began_ms, &others);
    check(&texts, "200 page");
    assert_eq!(asked(&world), 2);
    assert!(last_ms <= 500 + 100, "{last_ms} ms");
    finish(&world, began_ms, &[again]);
}

#[test]
fn failure_of_unusual_request_is_not_shared() {
    let (world, place) = world(vec![Plan::Down], page(300));
    let began_ms = world.executor.now_ms();
    let unusual = start(&place, &UNUSUAL);
    let others = start_many(&place, 20, &[]);
    let (texts, _, _) = finish(&world, began_ms, &others);
    check(&texts, "200 page");
    assert_eq!(asked(&world), 2);
    finish(&world, began_ms, &[unusual]);
    // A response that never arrives delays no request longer than a slow page
    // does.
    let (world, place) = self::world(vec![Plan::Hang], page(300));
    let began_ms = world.executor.now_ms();
    let unusual = start(&place, &UNUSUAL);
    let others = start_many(&place, 20, &[]);
    let (texts, _, last_ms) = finish(&world, began_ms, &others);
    check(&texts, "200 page");
    assert!(last_ms <= ALONE_MS + 300 + 300, "{last_ms} ms");
    finish(&world, began_ms, &[unusual]);
}

/// The fields of a response with the first half of ten bytes.
const FIRST_HALF: [(&str, &str); 3] = [
    ("cache-control", "max-age=600"),
    ("etag", "\"1\""),
    ("content-range", "bytes 0-4/10"),
];

#[test]
fn partial_response_does_not_end_collapsing() {
    let second_half = [
        FIRST_HALF[0],
        FIRST_HALF[1],
        ("content-range", "bytes 5-9/10"),
    ];
    let first_half = plan(100, 206, &FIRST_HALF, "01234");
    let (world, place) = world(vec![first_half], plan(300, 206, &second_half, "56789"));
    let began_ms = world.executor.now_ms();
    finish(
        &world,
        began_ms,
        &[start(&place, &[("range", "bytes=0-4")])],
    );
    assert_eq!(asked(&world), 1);
    let began_ms = world.executor.now_ms();
    let responses = start_many(&place, 20, &[]);
    let (texts, _, last_ms) = finish(&world, began_ms, &responses);
    check(&texts, "200 0123456789");
    assert_eq!(asked(&world), 2);
    assert!(last_ms <= 300 + 100, "{last_ms} ms");
}

#[test]
fn requests_for_one_range_are_fetched_once() {
    let (world, place) = world(vec![], plan(300, 206, &FIRST_HALF, "01234"));
    let began_ms = world.executor.now_ms();
    let responses = start_many(&place, 20, &[("range", "bytes=0-4")]);
    let (texts, _, last_ms) = finish(&world, began_ms, &responses);
    check(&texts, "206 01234");
    assert_eq!(asked(&world), 1);
    assert!(last_ms <= 300 + 100, "{last_ms} ms");
}

#[test]
fn range_requests_follow_flight_of_whole_response() {
    let whole = plan(300, 200, &[("cache-control", "max-age=600")], "0123456789");
    let (world, place) = world(vec![], whole);
    let began_ms = world.executor.now_ms();
    let mut responses = start_many(&place, 1, &[]);
    for at in 1..20 {
        responses.push(start(&place, &[("range", &format!("bytes={at}-{at}"))]));
    }
    let (texts, _, _) = finish(&world, began_ms, &responses);
    assert_eq!(
        texts.iter().filter(|text| text.starts_with("206 ")).count(),
        9
    );
    assert_eq!(asked(&world), 1);
    // A stale stored response is revalidated once for all of them.
    world.executor.advance(601_000);
    let whole = plan(300, 200, &[("cache-control", "max-age=600")], "0123456789");
    answer(&world, vec![], whole);
    let began_ms = world.executor.now_ms();
    let responses: Vec<_> = (1..9)
        .map(|at| start(&place, &[("range", &format!("bytes={at}-{at}"))]))
        .collect();
    let (texts, _, _) = finish(&world, began_ms, &responses);
    assert!(
        texts.iter().all(|text| text.starts_with("206 ")),
        "{texts:?}"
    );
    assert_eq!(asked(&world), 1);
}
