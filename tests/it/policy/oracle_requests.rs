//! Compares heuristic freshness and request directives with the crate
//! `http-cache-semantics`, on thousands of generated exchanges. RFC 9111 §4.2.2
//! (heuristics), §5.2.1 (request directives), §5.4 (Pragma). Each known
//! difference is a named predicate, with its reason.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::freshness::Times;
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::cache_control::{CacheControl, RequestControl, age};
use edgekeep::http::date;
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead, ResponseHead};
use edgekeep::http::url::Url;
use http_cache_semantics::{CacheOptions, CachePolicy};
use std::time::{Duration, UNIX_EPOCH};
use testkit::random::Hostile;

const URL: &str = "http://a.test/b";
const NOW: u64 = 1_795_424_400;
const CASES: usize = 40_000;

/// A response, and a request for it some time later.
#[derive(Debug)]
struct Case {
    answer: ResponseHead,
    /// The fields of the later request.
    request_fields: Fields,
    /// How much later, in seconds.
    later: u64,
}

fn case(hostile: &mut Hostile) -> Case {
    let mut fields = Fields::new();
    let seldom = |hostile: &mut Hostile| hostile.random.u8(0..4) == 0;
    let after = |shift: i64| date::print(NOW.saturating_add_signed(shift));
    let lifetime = [
        "",
        "",
        "",
        "max-age=0",
        "max-age=5",
        "max-age=60",
        "s-maxage=60",
    ];
    let more = [
        "",
        "",
        "",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "no-cache",
    ];
    let control = format!("{}, {}", hostile.one_of(&lifetime), hostile.one_of(&more));
    fields.add("cache-control", control);
    if hostile.random.u8(0..8) > 0 {
        let shifts = [
            1, 0, -9, -10, -50, -300, -600, -3000, -863_999, -864_000, -2_000_000,
        ];
        let modified = after(hostile.one_of(&shifts));
        let odd = hostile.random.u8(0..20) == 0;
        fields.add("last-modified", if odd { "x".to_owned() } else { modified });
    }
    if seldom(hostile) {
        fields.add("expires", after(hostile.one_of(&[-60, 0, 5, 60])));
    }
    if seldom(hostile) {
        fields.add("date", after(hostile.one_of(&[0, 30, 100])));
    }
    if seldom(hostile) {
        fields.add("age", hostile.one_of(&["0", "1", "30", "100"]));
    }
    let status = [
        200, 200, 200, 203, 204, 300, 301, 302, 308, 404, 405, 410, 414, 501,
    ];
    Case {
        answer: ResponseHead {
            status: hostile.one_of(&status),
            fields,
        },
        request_fields: request_fields(hostile),
        later: hostile.one_of(&[0, 1, 4, 5, 6, 10, 29, 30, 31, 59, 60, 61, 65, 300, 100_000]),
    }
}

fn request_fields(hostile: &mut Hostile) -> Fields {
    const DIRECTIVES: [&str; 20] = [
        "max-age=0",
        "max-age=5",
        "max-age=\"30\"",
        "max-age=30",
        "max-age=3600",
        "max-age=x",
        "min-fresh=1",
        "min-fresh=5",
        "min-fresh=30",
        "max-stale",
        "max-stale",
        "max-stale=1",
        "max-stale=5",
        "max-stale=60",
        "no-cache",
        "No-Cache",
        "no-store",
        "only-if-cached",
        "no-transform",
        "",
    ];
    let mut fields = Fields::new();
    for _ in 0..hostile.random.usize(0..3) {
        fields.add("cache-control", hostile.one_of(&DIRECTIVES));
    }
    if hostile.random.u8(0..10) == 0 {
        fields.add("pragma", hostile.one_of(&["no-cache", "x"]));
    }
    fields
}

impl Case {
    fn lookup(request_fields: &Fields) -> Lookup {
        let settings = r#"{"defaults": {"request_directives": true, "heuristic_freshness": true}}"#;
        let rules = Rules::read_json(settings).expect("good settings");
        let head = RequestHead {
            method: Method::Get,
            url: Url::parse(URL).expect(URL),
            fields: request_fields.clone(),
        };
        match classify(&rules, &head) {
            Plan::Lookup(lookup) => *lookup,
            other => panic!("{other:?}"),
        }
    }

    /// Edgekeep's result: whether the later request is served without the
    /// origin.
    fn by_edgekeep(&self) -> bool {
        let lookup = Self::lookup(&Fields::new());
        let exchange = Exchange {
            ranged: false,
            lookup: &lookup,
            seen: 0,
            times: Times {
                request_ms: NOW * 1000,
                response_ms: NOW * 1000,
            },
            stored: None,
            on_error: false,
        };
        let ResponseDecision::Store(entry) = decide_response(&exchange, Ok(&self.answer)) else {
            return false;
        };
        let mut index = PurgeIndex::default();
        index.apply(&PurgeFeed::default());
        let later = Self::lookup(&self.request_fields);
        let verdict = judge(&entry, &later, Some(&index), (NOW + self.later) * 1000);
        matches!(verdict, ReuseVerdict::Fresh(_))
    }

    /// The oracle's result.
    fn by_oracle(&self) -> bool {
        let request = http::Request::get(URL).body(()).expect("a request");
        let mut response = http::Response::builder().status(self.answer.status);
        for (name, value) in self.answer.fields.iter() {
            response = response.header(name, value);
        }
        let response = response.body(()).expect("a response");
        let mut later = http::Request::get(URL);
        for (name, value) in self.request_fields.iter() {
            later = later.header(name, value);
        }
        let later = later.body(()).expect("a request");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let options = CacheOptions {
            shared: true,
            cache_heuristic: 0.1,
            immutable_min_time_to_live: Duration::ZERO,
            ..CacheOptions::default()
        };
        let policy = CachePolicy::new_options(&request, &response, at(NOW), options);
        let answered = policy
            .before_request(&later, at(NOW + self.later))
            .satisfies_without_revalidation();
        policy.is_storable() && answered
    }

    fn control(&self) -> CacheControl {
        CacheControl::of(&self.answer.fields)
    }

    fn request_control(&self) -> RequestControl {
        RequestControl::of(&self.request_fields)
    }

    fn has_request_directive(&self, directive: &str) -> bool {
        self.request_fields
            .all("cache-control")
            .any(|d| d == directive)
    }

    /// Seconds between Last-Modified and Date.
    fn seconds_unchanged(&self) -> Option<u64> {
        let fields = &self.answer.fields;
        let sent = fields.get("date").and_then(date::parse).unwrap_or(NOW);
        sent.checked_sub(date::parse(fields.get("last-modified")?)?)
    }

    /// The stated or heuristic lifetime.
    fn lifetime(&self) -> u64 {
        let (fields, control) = (&self.answer.fields, self.control());
        let sent = fields.get("date").and_then(date::parse).unwrap_or(NOW);
        let expires = || {
            let until = date::parse(fields.get("expires")?)?;
            Some(until.saturating_sub(sent))
        };
        let heuristic = || self.seconds_unchanged().map(|seconds| seconds / 10);
        let lifetime = control.s_maxage.or(control.max_age).or_else(expires);
        lifetime.or_else(heuristic).unwrap_or(0)
    }

    fn is_explicit(&self) -> bool {
        let control = self.control();
        let stated = control.max_age.or(control.s_maxage).is_some();
        stated || self.answer.fields.has("expires")
    }

    fn is_heuristic(&self) -> bool {
        !self.is_explicit() && !self.control().no_cache
    }
}

/// RFC 9111 §4.2.2 sets no limit to a heuristic lifetime. Ours is a day.
fn has_heuristic_lifetime_over_a_day(case: &Case) -> bool {
    case.is_heuristic()
        && case
            .seconds_unchanged()
            .is_some_and(|seconds| seconds / 10 > 86_400)
}

/// Our choice: a response without a stated or heuristic lifetime is not stored
/// (RFC 9111 §3 would allow it). The oracle stores it as stale, and `max-stale`
/// can select it.
fn has_no_lifetime(case: &Case) -> bool {
    case.is_heuristic() && case.seconds_unchanged().is_none()
}

/// Our choice: an error without a stated lifetime is stored for a few seconds,
/// and never served stale. The oracle applies heuristics.
fn is_error_without_stated_lifetime(case: &Case) -> bool {
    case.is_heuristic() && matches!(case.answer.status, 404 | 410)
}

/// Our choice: a request error is for that request only, whatever its lifetime
/// (RFC 9111 §3 would allow storing it).
fn is_request_error(case: &Case) -> bool {
    matches!(case.answer.status, 405 | 414)
}

/// RFC 9111 §4.2.4: no-cache, proxy-revalidate and s-maxage forbid a shared
/// cache to serve stale responses, also if the client accepts them. The oracle
/// respects must-revalidate only.
fn has_max_stale_that_the_origin_forbids(case: &Case) -> bool {
    let control = case.control();
    let forbidden = control.no_cache || control.proxy_revalidate || control.s_maxage.is_some();
    forbidden && case.request_control().max_stale.is_some()
}

/// RFC 9111 §5.2.2.8: proxy-revalidate concerns stale responses only. The
/// oracle treats it as no-cache.
fn has_proxy_revalidate(case: &Case) -> bool {
    case.control().proxy_revalidate
}

/// RFC 9111 §5.2.1.2: stale by no more than this number of seconds. The oracle
/// requires less.
fn is_stale_by_exactly_max_stale(case: &Case) -> bool {
    let most = case.request_control().max_stale;
    most.is_some_and(|most| age(&case.answer.fields) + case.later == case.lifetime() + most)
}

/// Our choice: a response that was never fresh and has no validator is not
/// stored; with a stale window it is. The oracle stores it as stale, and
/// `max-stale` can select it.
fn was_never_fresh(case: &Case) -> bool {
    let (fields, control) = (&case.answer.fields, case.control());
    let has_validator = fields.has("etag") || fields.has("last-modified");
    let window = control.stale_if_error.or(control.stale_while_revalidate);
    case.lifetime() == 0 && !has_validator && window.is_none()
}

/// RFC 9111 §5.4: Pragma counts only without Cache-Control. The oracle always
/// evaluates it.
fn has_pragma_beside_cache_control(case: &Case) -> bool {
    case.request_fields.has("pragma") && case.request_fields.has("cache-control")
}

/// RFC 9111 §5.2: names of directives are case-insensitive. In the oracle they
/// are not.
fn has_capitals(case: &Case) -> bool {
    case.has_request_directive("No-Cache")
}

/// Our choice: max-age=0 requires revalidation, also within the first second;
/// and an invalid limit is 0 (RFC 9111 §1.2.2 leaves it open). The oracle
/// accepts an age of 0, and ignores an invalid limit.
fn has_max_age_of_zero(case: &Case) -> bool {
    case.request_control().max_age == Some(0)
}

type Predicate = fn(&Case) -> bool;

const DIFFERENCES: [Predicate; 11] = [
    was_never_fresh,
    is_request_error,
    has_heuristic_lifetime_over_a_day,
    has_no_lifetime,
    is_error_without_stated_lifetime,
    has_max_stale_that_the_origin_forbids,
    has_proxy_revalidate,
    is_stale_by_exactly_max_stale,
    has_pragma_beside_cache_control,
    has_capitals,
    has_max_age_of_zero,
];

/// If equal directives contradict each other, both use the first, as RFC 9111
/// §4.2.1 says for responses. No predicate is needed.
#[test]
fn reuse_agrees_with_the_oracle() {
    let mut hostile = Hostile::new();
    let (mut heuristic, mut directives, mut yes, mut no) = (0, 0, 0, 0);
    for _ in 0..CASES {
        let case = case(&mut hostile);
        if DIFFERENCES.iter().any(|differs| differs(&case)) {
            continue;
        }
        let (by_edgekeep, by_oracle) = (case.by_edgekeep(), case.by_oracle());
        assert_eq!(
            by_edgekeep, by_oracle,
            "Edgekeep's result and the oracle's: {case:#?}"
        );
        heuristic += usize::from(by_edgekeep && case.is_heuristic());
        directives += usize::from(case.request_control() != RequestControl::default());
        *(if by_edgekeep { &mut yes } else { &mut no }) += 1;
    }
    assert!(
        heuristic > 500 && directives > 5000 && yes > 3000 && no > 3000,
        "{heuristic} {directives} {yes} {no}"
    );
}

#[test]
fn each_predicate_excludes_a_difference() {
    for (at, differs) in DIFFERENCES.iter().enumerate() {
        let mut hostile = Hostile::new();
        let found = (0..CASES).map(|_| case(&mut hostile)).any(|case| {
            let others = DIFFERENCES.iter().enumerate().filter(|(n, _)| *n != at);
            let alone = differs(&case) && !others.into_iter().any(|(_, other)| other(&case));
            alone && case.by_edgekeep() != case.by_oracle()
        });
        assert!(found, "predicate {at} excludes no difference: remove it");
    }
}
