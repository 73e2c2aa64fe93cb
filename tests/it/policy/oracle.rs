//! Compares freshness and storability with another implementation of the RFC,
//! the crate `http-cache-semantics`, on thousands of generated responses. Each
//! known difference is a named predicate, with its reason.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::policy::freshness::Times;
use edgekeep::cache::policy::reuse::{ReuseVerdict, judge};
use edgekeep::cache::policy::storability::{Exchange, ResponseDecision, decide_response};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::request::classify::{Lookup, Plan, classify};
use edgekeep::http::cache_control::{CacheControl, age};
use edgekeep::http::date;
use edgekeep::http::head::{Method, RequestHead, ResponseHead};
use edgekeep::http::url::Url;
use http_cache_semantics::{CacheOptions, CachePolicy};
use std::time::{Duration, UNIX_EPOCH};
use testkit::random::Hostile;

const URL: &str = "http://a.test/b";
const NOW: u64 = 1_795_424_400;
const CASES: usize = 60_000;

/// A generated exchange.
#[derive(Debug)]
struct Case {
    authorized: bool,
    answer: ResponseHead,
    /// When freshness is checked, in seconds after the arrival.
    later: u64,
}

fn case(hostile: &mut Hostile) -> Case {
    let mut fields = Vec::new();
    let mut add = |name: &str, value: String| fields.push((name.to_owned(), value));
    for _ in 0..hostile.random.usize(0..2) + hostile.random.usize(0..2) {
        add("cache-control", control(hostile));
    }
    let shift = |hostile: &mut Hostile| {
        let shift = hostile.one_of(&[-100_000, -60, -5, 0, 5, 30, 60, 3600, 100_000]);
        date::print(NOW.saturating_add_signed(shift))
    };
    if hostile.random.u8(0..3) == 0 {
        let irregular = hostile
            .one_of(&["0", "", "tomorrow", "Monday, 23-Nov-26 10:00:00 GMT"])
            .to_owned();
        let value = if hostile.random.u8(0..4) == 0 {
            irregular
        } else {
            shift(hostile)
        };
        add("expires", value);
    }
    if hostile.random.bool() {
        add("date", shift(hostile));
    }
    if hostile.random.u8(0..3) == 0 {
        add(
            "age",
            hostile
                .one_of(&["0", "1", "30", "100", "x", "-1"])
                .to_owned(),
        );
    }
    for (name, values) in [
        ("etag", ["\"a\"", "W/\"b\""]),
        ("last-modified", ["Sun, 22 Nov 2026 09:00:00 GMT", "x"]),
        ("vary", ["accept", "*"]),
        ("set-cookie", ["a=1", "b=2"]),
        ("pragma", ["no-cache", "x"]),
        ("cdn-cache-control", ["max-age=7", "no-store"]),
    ] {
        if hostile.random.u8(0..8) == 0 {
            add(name, hostile.one_of(&values).to_owned());
        }
    }
    let status = [
        200, 200, 200, 200, 203, 204, 206, 300, 301, 302, 307, 308, 400, 403, 404, 405, 410, 500,
        501, 503,
    ];
    Case {
        authorized: hostile.random.u8(0..4) == 0,
        answer: ResponseHead {
            status: hostile.one_of(&status),
            fields: fields.into_iter().collect(),
        },
        later: hostile.one_of(&[0, 1, 4, 5, 6, 29, 30, 31, 59, 60, 61, 3600, 100_000]),
    }
}

/// A Cache-Control line.
fn control(hostile: &mut Hostile) -> String {
    const DIRECTIVES: [&str; 28] = [
        "max-age=0",
        "max-age=5",
        "max-age=30",
        "max-age=60",
        "max-age=3600",
        "max-age=\"60\"",
        "s-maxage=0",
        "s-maxage=5",
        "s-maxage=60",
        "public",
        "private",
        "no-store",
        "no-cache",
        "must-revalidate",
        "proxy-revalidate",
        "stale-while-revalidate=5",
        "stale-if-error=60",
        "no-transform",
        "foo=bar",
        "immutable",
        "Max-Age=60",
        "max-age",
        "max-age=x",
        "max-age=99999999999999999999",
        "foo=\"x-a, no-store, x-b\"",
        "private=true",
        "private=\"1\"",
        "",
    ];
    let count = hostile.random.usize(1..4);
    let directives: Vec<&str> = (0..count).map(|_| hostile.one_of(&DIRECTIVES)).collect();
    directives.join(hostile.one_of(&[", ", ",", " ,"]))
}

impl Case {
    fn control_lines(&self) -> String {
        self.answer
            .fields
            .joined("cache-control")
            .unwrap_or_default()
    }

    fn directives(&self) -> Vec<String> {
        let lines = self.control_lines();
        lines
            .split(',')
            .map(|d| d.trim().to_owned())
            .filter(|d| !d.is_empty())
            .collect()
    }

    fn lookup(&self) -> Lookup {
        let rules = Rules::read_json("{}").expect("good settings");
        let mut head = RequestHead {
            method: Method::Get,
            url: Url::parse(URL).expect(URL),
            fields: [("accept", "a")].into_iter().collect(),
        };
        if self.authorized {
            head.fields.add("authorization", "Basic x");
        }
        match classify(&rules, &head) {
            Plan::Lookup(lookup) => *lookup,
            other => panic!("{other:?}"),
        }
    }

    /// Edgekeep's result: whether it is stored, and whether it is fresh later.
    fn by_edgekeep(&self) -> (bool, bool) {
        let lookup = self.lookup();
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
            return (false, false);
        };
        let mut index = PurgeIndex::default();
        index.apply(&PurgeFeed::default());
        let verdict = judge(&entry, &lookup, Some(&index), (NOW + self.later) * 1000);
        (true, matches!(verdict, ReuseVerdict::Fresh(_)))
    }

    /// The oracle's result.
    fn by_oracle(&self) -> (bool, bool) {
        let mut request = http::Request::get(URL).header("accept", "a");
        if self.authorized {
            request = request.header("authorization", "Basic x");
        }
        let request = request.body(()).expect("a request");
        let mut response = http::Response::builder().status(self.answer.status);
        for (name, value) in self.answer.fields.iter() {
            response = response.header(name, value);
        }
        let response = response.body(()).expect("a response");
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let options = CacheOptions {
            shared: true,
            // What neither origin nor rule allows is not stored: no heuristics.
            cache_heuristic: 0.0,
            immutable_min_time_to_live: Duration::ZERO,
            ..CacheOptions::default()
        };
        let policy = CachePolicy::new_options(&request, &response, at(NOW), options);
        let fresh = policy
            .before_request(&request, at(NOW + self.later))
            .satisfies_without_revalidation();
        (policy.is_storable(), policy.is_storable() && fresh)
    }
}

/// RFC 9213 §2.2: a targeted field replaces the others. The oracle does not
/// support them.
fn is_targeted(case: &Case) -> bool {
    case.answer.fields.has("cdn-cache-control")
}

/// RFC 9111 §5.2: names of directives are case-insensitive. In the oracle they
/// are not.
fn has_capitals(case: &Case) -> bool {
    case.control_lines().contains("Max-Age")
}

/// RFC 9111 §5.2: an argument may be a quoted string, which may contain commas.
/// The oracle splits at them.
fn has_commas_in_quotes(case: &Case) -> bool {
    case.control_lines().contains("x-a, no-store")
}

/// RFC 9111 §5.4: Pragma in a response has no meaning. The oracle evaluates it.
fn has_only_pragma(case: &Case) -> bool {
    let fields = &case.answer.fields;
    fields.has("pragma") && !fields.has("cache-control")
}

/// RFC 9111 §1.2.2: a number that is too large is the largest one. In the
/// oracle it is 0.
fn has_overflowing_number(case: &Case) -> bool {
    case.control_lines()
        .contains("max-age=99999999999999999999")
}

/// RFC 9111 §4.2.1: with an invalid freshness directive the response is stale.
/// The oracle uses the next directive.
fn has_max_age_without_argument(case: &Case) -> bool {
    case.directives()
        .iter()
        .any(|directive| directive == "max-age")
}

/// RFC 9111 §4.2.1 lets a cache use the first of two directives, or none. We
/// use the first. The oracle does too, but adds must-revalidate, which permits
/// authorized requests.
fn has_contradicting_directives(case: &Case) -> bool {
    let directives = case.directives();
    let argument = |name: &str| {
        let mut found: Vec<&str> = directives
            .iter()
            .filter_map(|d| d.strip_prefix(name))
            .collect();
        found.dedup();
        found.len() > 1
    };
    // The oracle distinguishes a quoted argument from the unquoted one.
    let quoted = directives.iter().filter(|d| *d == "max-age=\"60\"").count() > 1;
    argument("max-age=") || argument("s-maxage=") || quoted
}

/// RFC 9111 §3 lets a cache store any final status that is explicitly fresh.
/// The oracle has a list of statuses.
fn has_status_that_the_oracle_does_not_support(case: &Case) -> bool {
    matches!(case.answer.status, 400 | 403 | 500 | 503)
}

/// Our choice: a request error, or an error for a request with credentials, is
/// for that request only.
fn is_request_or_credentials_error(case: &Case) -> bool {
    let status = case.answer.status;
    status == 405 || (case.authorized && status >= 400)
}

/// Our choice: a response without a lifetime is not stored. The oracle stores
/// it for revalidation.
fn has_no_freshness_information(case: &Case) -> bool {
    let fields = &case.answer.fields;
    let control = CacheControl::of(fields);
    let stated = control.max_age.is_some() || control.s_maxage.is_some() || fields.has("expires");
    !stated && !control.no_cache
}

/// Our choice: a response that sets a cookie is personal. The oracle stores it,
/// stale unless it is public.
fn sets_cookie(case: &Case) -> bool {
    case.answer.fields.has("set-cookie")
}

/// Our choice: a response that matches no request is not stored (RFC 9111
/// §4.1). The oracle stores it as stale.
fn has_vary_star(case: &Case) -> bool {
    case.answer.fields.get("vary") == Some("*")
}

/// Our choice: a response that is useless on arrival is not stored: stale,
/// beyond its stale windows, and without a validator, or a day beyond its
/// lifetime with one. A response that was never fresh has windows only if the
/// origin sets them. The oracle stores it nevertheless.
fn is_useless_on_arrival(case: &Case) -> bool {
    let fields = &case.answer.fields;
    let control = CacheControl::of(fields);
    if fields.has("etag") || fields.has("last-modified") {
        return age_by_date(case) > 86_400;
    }
    let by_credentials = case.authorized && !control.public;
    let strict = control.no_cache || control.must_revalidate || control.proxy_revalidate;
    let strict = strict || by_credentials;
    let named = control.stale_if_error.or(control.stale_while_revalidate);
    let windows = !strict && named.is_some();
    let aged = has_age_by_date(case) || age(fields) > 0;
    aged || (!windows && !case.is_fresh_at_once_in_oracle())
}

impl Case {
    fn is_fresh_at_once_in_oracle(&self) -> bool {
        let at_once = Case {
            authorized: self.authorized,
            answer: self.answer.clone(),
            later: 0,
        };
        at_once.by_oracle().1
    }
}

/// RFC 9111 §4.2.3: the age is by Date if that is more than Age. The oracle
/// uses Age alone.
fn has_age_by_date(case: &Case) -> bool {
    age_by_date(case) > 0
}

fn age_by_date(case: &Case) -> u64 {
    let sent = case.answer.fields.get("date").and_then(date::parse);
    sent.map_or(0, |sent| NOW.saturating_sub(sent))
}

/// RFC 9111 §5.2.2.8: proxy-revalidate concerns stale responses only. The
/// oracle treats it as no-cache.
fn has_proxy_revalidate(case: &Case) -> bool {
    CacheControl::of(&case.answer.fields).proxy_revalidate
}

/// RFC 9110 §5.6.7: recipients parse all three forms of a date. The oracle
/// parses one.
fn has_an_obsolete_date(case: &Case) -> bool {
    case.answer
        .fields
        .get("expires")
        .is_some_and(|e| e.starts_with("Monday, "))
}

type Predicate = fn(&Case) -> bool;

/// Different parsing of the same text.
const PARSING: [Predicate; 7] = [
    is_targeted,
    has_capitals,
    has_commas_in_quotes,
    has_only_pragma,
    has_overflowing_number,
    has_max_age_without_argument,
    has_contradicting_directives,
];

const STORABILITY: [Predicate; 6] = [
    is_request_or_credentials_error,
    has_status_that_the_oracle_does_not_support,
    has_no_freshness_information,
    sets_cookie,
    has_vary_star,
    is_useless_on_arrival,
];

const FRESHNESS: [Predicate; 3] = [has_age_by_date, has_proxy_revalidate, has_an_obsolete_date];

/// Compares all cases that no predicate matches. Returns their number, and the
/// number of those with positive results.
fn compare(known: &[Predicate], which: impl Fn((bool, bool)) -> bool) -> (usize, usize) {
    let mut hostile = Hostile::new();
    let (mut compared, mut yes) = (0, 0);
    for _ in 0..CASES {
        let case = case(&mut hostile);
        if known.iter().any(|differs| differs(&case)) {
            continue;
        }
        let (by_edgekeep, by_oracle) = (which(case.by_edgekeep()), which(case.by_oracle()));
        assert_eq!(
            by_edgekeep, by_oracle,
            "Edgekeep's result and the oracle's: {case:#?}"
        );
        compared += 1;
        yes += usize::from(by_edgekeep);
    }
    (compared, yes)
}

#[test]
fn storability_agrees_with_the_oracle() {
    let known = [&PARSING[..], &STORABILITY].concat();
    let (compared, yes) = compare(&known, |(stored, _)| stored);
    assert!(
        compared > 3000 && yes > 1000 && compared - yes > 1000,
        "{compared} {yes}"
    );
}

#[test]
fn freshness_agrees_with_the_oracle() {
    let known = [&PARSING[..], &STORABILITY, &FRESHNESS].concat();
    let (compared, yes) = compare(&known, |(_, fresh)| fresh);
    assert!(
        compared > 2000 && yes > 300 && compared - yes > 1000,
        "{compared} {yes}"
    );
}

#[test]
fn each_predicate_excludes_a_difference() {
    for known in [&PARSING[..], &STORABILITY, &FRESHNESS] {
        for differs in known {
            let mut hostile = Hostile::new();
            let others = PARSING.iter().chain(&STORABILITY).chain(&FRESHNESS);
            let others: Vec<&Predicate> = others
                .filter(|o| !std::ptr::fn_addr_eq(**o, *differs))
                .collect();
            let found = (0..CASES).map(|_| case(&mut hostile)).any(|case| {
                let alone = differs(&case) && !others.iter().any(|other| other(&case));
                alone && case.by_edgekeep() != case.by_oracle()
            });
            let at = PARSING.iter().chain(&STORABILITY).chain(&FRESHNESS);
            let at = at
                .into_iter()
                .position(|o| std::ptr::fn_addr_eq(*o, *differs));
            assert!(found, "predicate {at:?} excludes no difference: remove it");
        }
    }
}
