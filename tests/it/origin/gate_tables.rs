//! Tests of the concurrency limit and of retries: how many requests to an
//! origin may be in flight and queued, in which order they get permits, what
//! share one host, page or reader may have, how many requests may be retried,
//! and after which pause.

use edgekeep::cache::origin::concurrency_limit::{
    Gate, LimitKey, POLL_MS, Permit, QUEUE_MAX, Quota, RetryBudget, Ticket, pause_ms, poll_delay_ms,
};
use edgekeep::cache::origin::outcomes::digest;
use std::collections::{BTreeMap, BTreeSet};

/// Parses `NAME [host=H] [path=P] [reader=R] [upload|probing]` into the name
/// and the key; the default is a path of its own.
fn parse_key(text: &str) -> (String, LimitKey) {
    let mut words = text.split(' ');
    let name = words.next().unwrap_or_default().to_owned();
    let mut key = LimitKey {
        host: digest("h"),
        path: digest(&name),
        reader: None,
        quota: Quota::Any,
    };
    for word in words {
        match word.split_once('=') {
            Some(("host", host)) => key.host = digest(host),
            Some(("path", path)) => key.path = digest(path),
            Some(("reader", reader)) => key.reader = Some(digest(reader)),
            _ if word == "upload" => key.quota = Quota::Untimed,
            _ if word == "probing" => key.quota = Quota::Probing,
            _ => panic!("{word}"),
        }
    }
    (name, key)
}

/// Plays events at a gate with so many permits, which expire after 1000 ms:
/// `+KEY` arrives and gets a permit, `!KEY` arrives and gets none, `-NAME`
/// returns its permit; `~KEY` arrives, gets none and joins the queue for 5
/// seconds, `=NAME` polls from there and gets a permit, `.NAME` polls and gets
/// none, `xNAME` leaves the queue.
#[track_caller]
fn check_with(most: u64, events: &[(u64, &str)]) {
    let mut gate = Gate::default();
    let mut permits: Vec<(String, Permit)> = Vec::new();
    let mut queue: BTreeMap<String, (Ticket, LimitKey)> = BTreeMap::new();
    for (at, (now_ms, event)) in events.iter().enumerate() {
        let (kind, rest) = event.split_at(1);
        let (name, mut key) = parse_key(rest);
        let mut ticket = None;
        match kind {
            "-" => {
                let permit = permits.iter().rev().find(|(n, _)| *n == name);
                gate.leave(permit.expect("a permit").1);
                continue;
            }
            "x" => {
                gate.leave_queue(queue.remove(&name).expect("a ticket").0);
                continue;
            }
            "=" | "." => {
                let (held, same) = queue[&name];
                (ticket, key) = (Some(held), same);
            }
            _ => {}
        }
        let permit = gate.enter(key, ticket, most, *now_ms, 1000);
        let expected = matches!(kind, "+" | "=");
        assert_eq!(permit.is_ok(), expected, "row {at}: {event}");
        permits.extend(permit.map(|permit| (name.clone(), permit)));
        if kind == "~" {
            let waiting = gate.waiting();
            let ticket = gate.queue(key, waiting, *now_ms, now_ms + 5000);
            queue.insert(name, (ticket.expect("room in the queue"), key));
        }
    }
}

#[track_caller]
fn check(events: &[(u64, &str)]) {
    check_with(2, events);
}

#[test]
fn gate_admits_as_many_requests_as_it_has_permits() {
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "!c"),
        (5, "-a"),
        (5, "+c"),
        (5, "!d"),
    ]);
    check(&[
        (0, "+a"),
        (0, "-a"),
        (0, "+a"),
        (0, "-a"),
        (0, "+a"),
        (0, "+b"),
        (0, "!c"),
    ]);
    // A permit that is returned twice is one permit.
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "-a"),
        (0, "-a"),
        (0, "+c"),
        (0, "!d"),
    ]);
}

#[test]
fn permit_that_is_not_returned_expires() {
    check(&[
        (0, "+a"),
        (400, "+b"),
        (999, "!c"),
        (1000, "+c"),
        (1399, "!d"),
        (1400, "+d"),
    ]);
    // A request that returns an expired permit takes none from others.
    check(&[
        (0, "+a"),
        (0, "+b"),
        (1000, "+c"),
        (1000, "+d"),
        (1001, "-a"),
        (1001, "!e"),
    ]);
}

#[test]
fn permits_are_distinct() {
    let mut gate = Gate::default();
    let key_of_path = |n: u64| LimitKey {
        path: n,
        ..parse_key("a").1
    };
    let permits: BTreeSet<Permit> = (0..1000)
        .filter_map(|n| gate.enter(key_of_path(n), None, 1000, 5, 1000).ok())
        .collect();
    assert_eq!(permits.len(), 1000);
    assert!(gate.enter(key_of_path(1000), None, 1000, 5, 1000).is_err());
    for permit in permits {
        gate.leave(permit);
    }
    assert!(gate.is_empty());
}

#[test]
fn queue_is_served_in_order_of_arrival() {
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "~c"),
        (10, "~d"),
        (20, "-a"),
        // A new request does not overtake, nor does the second in the queue.
        (20, "!e"),
        (20, ".d"),
        (30, "=c"),
        (30, ".d"),
        (40, "-b"),
        (40, "=d"),
    ]);
    // Two permits are free. The second in the queue gets one before the first
    // polls, and the third gets none.
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "~c"),
        (0, "~d"),
        (0, "~e"),
        (5, "-a"),
        (5, "-b"),
        (5, ".e"),
        (5, "=d"),
        (5, ".e"),
        (5, "=c"),
    ]);
}

#[test]
fn departed_or_silent_ticket_does_not_block_queue() {
    check(&[
        (0, "+a"),
        (0, "+b"),
        (0, "~c"),
        (0, "~d"),
        (1, "xc"),
        (2, "-a"),
        (2, "=d"),
    ]);
    // c was cancelled without a signal.
    check_with(
        1,
        &[
            (0, "+a"),
            (0, "~c"),
            (0, "~d"),
            (900, ".d"),
            (2199, ".d"),
            (2200, "=d"),
        ],
    );
}

#[test]
fn reader_at_its_limit_does_not_block_queue() {
    // One reader has half of four permits; its next request does not block
    // others.
    check_with(
        4,
        &[
            (0, "+a reader=1"),
            (0, "+b reader=1"),
            (0, "~c reader=1"),
            (0, "~d reader=1"),
            (0, "+e reader=2"),
            (0, "+f reader=2"),
            (0, "~g reader=3"),
            (1, "-e"),
            (1, ".c"),
            (1, "=g"),
            (1, "-a"),
            (1, ".d"),
            (1, "=c"),
        ],
    );
}

#[test]
fn one_page_or_reader_gets_half_of_the_permits() {
    check_with(
        4,
        &[
            (0, "+a path=slow"),
            (0, "+b path=slow"),
            (0, "!c path=slow"),
            (0, "+d"),
            (0, "+e"),
            (0, "!f"),
        ],
    );
    check_with(
        4,
        &[
            (0, "+a reader=1"),
            (0, "+b reader=1"),
            (0, "!c reader=1"),
            (0, "+d reader=2"),
            // Requests without a known reader do not count as those of one
            // reader.
            (0, "+e"),
            (0, "!f"),
        ],
    );
    // One reader gets half of a page's permits.
    check_with(
        8,
        &[
            (0, "+a path=slow reader=1"),
            (0, "+b path=slow reader=1"),
            (0, "!c path=slow reader=1"),
            (0, "+d path=slow reader=2"),
            (0, "+e path=slow"),
            (0, "!f path=slow reader=3"),
            (0, "+g reader=1"),
            (0, "+h reader=1"),
            (0, "!i reader=1"),
        ],
    );
    check_with(4, &[(0, "+a"), (0, "+b"), (0, "+c"), (0, "+d"), (0, "!e")]);
    check_with(1, &[(0, "+a path=slow reader=1"), (0, "!b")]);
}

#[test]
fn reader_gets_no_more_permits_with_many_hosts() {
    let count_permits = |most: u64, kind: &str| {
        let mut gate = Gate::default();
        let mut permits = 0;
        for n in 0..400 {
            for host in 0..9 {
                let (_, key) = parse_key(&format!("{n} host={host} reader=1{kind}"));
                permits += usize::from(gate.enter(key, None, most, 0, 1000).is_ok());
            }
        }
        let (_, other) = parse_key("x host=0 reader=2");
        assert!(gate.enter(other, None, most, 0, 1000).is_ok(), "{kind}");
        permits
    };
    assert_eq!(count_permits(100, ""), 50);
    assert_eq!(count_permits(100, " upload"), 13);
    assert_eq!(count_permits(100, " probing"), 13);
}

#[test]
fn uploads_and_probes_get_a_quarter_of_the_permits_each() {
    check_with(
        8,
        &[
            (0, "+a upload"),
            (0, "+b upload"),
            (0, "!c upload"),
            (0, "+d"),
            (0, "+e"),
            (0, "+f"),
            (0, "+g"),
            (0, "+h"),
            (0, "+i"),
            (0, "!j"),
        ],
    );
    // One reader gets half of that.
    check_with(
        16,
        &[
            (0, "+a upload reader=1"),
            (0, "+b upload reader=1"),
            (0, "!c upload reader=1"),
            (0, "+d upload reader=2"),
            (0, "+e reader=1"),
        ],
    );
    // The same for requests that pass an open breaker, beside the uploads.
    check_with(
        8,
        &[
            (0, "+a upload"),
            (0, "+b upload"),
            (0, "+c probing"),
            (0, "+d probing"),
            (0, "!e probing"),
            (0, "+f"),
        ],
    );
    check_with(1, &[(0, "+a upload"), (0, "!b")]);
}

/// Counts the permits of each host if all hosts request permits in turn, as
/// many as they can get.
fn permits_of_hosts(most: u64, hosts: usize) -> Vec<usize> {
    let mut gate = Gate::default();
    let mut shares = vec![0; hosts];
    for n in 0..400 {
        for (host, share) in shares.iter_mut().enumerate() {
            let (_, key) = parse_key(&format!("{n} host={host}"));
            *share += usize::from(gate.enter(key, None, most, 0, 1000).is_ok());
        }
    }
    shares
}

#[test]
fn hosts_of_one_origin_share_its_permits() {
    assert_eq!(permits_of_hosts(100, 1), [100]);
    assert_eq!(permits_of_hosts(100, 2), [67, 67]);
    assert_eq!(permits_of_hosts(100, 9), [20; 9]);
    // All hosts together have twice as many.
    assert_eq!(permits_of_hosts(100, 300).iter().sum::<usize>(), 200);
    // A late host finds a free permit.
    let mut gate = Gate::default();
    for n in 0..400 {
        for host in 0..9 {
            let _ = gate.enter(parse_key(&format!("{n} host={host}")).1, None, 100, 0, 1000);
        }
    }
    let late = (0..400).filter(|n| {
        let (_, key) = parse_key(&format!("{n} host=late"));
        gate.enter(key, None, 100, 0, 1000).is_ok()
    });
    assert_eq!(late.count(), 10);
}

/// Counts the requests that can join the queue of a full gate.
fn count_queued(all: impl Iterator<Item = String>) -> usize {
    let mut gate = Gate::default();
    let joined = all.filter(|text| {
        let waiting = gate.waiting();
        gate.queue(parse_key(text).1, waiting, 0, 5000).is_some()
    });
    joined.count()
}

#[test]
fn queue_is_bounded_in_total_and_per_page_reader_and_host() {
    let of = |make: &dyn Fn(usize) -> String| count_queued((0..1000).map(make));
    assert_eq!(of(&|n| n.to_string()), QUEUE_MAX / 2);
    assert_eq!(of(&|n| format!("{n} path=slow")), QUEUE_MAX / 3 + 1);
    assert_eq!(of(&|n| format!("{n} reader=1")), QUEUE_MAX / 3 + 1);
    assert_eq!(of(&|n| format!("{n} path=slow reader=1")), QUEUE_MAX / 5);
    assert_eq!(of(&|n| format!("{n} host={}", n % 3)), 3 * QUEUE_MAX / 4);
    let hosts = |n| format!("{n} host={n} reader=1");
    assert_eq!(of(&hosts), QUEUE_MAX / 3 + 1);
    assert_eq!(of(&|n| format!("{n} host={n}")), QUEUE_MAX);
}

#[test]
fn requests_far_back_in_queue_poll_less_often() {
    assert_eq!(poll_delay_ms(0), POLL_MS);
    assert_eq!(poll_delay_ms(9), POLL_MS);
    assert_eq!(poll_delay_ms(10), 2 * POLL_MS);
    assert_eq!(poll_delay_ms(99), 10 * POLL_MS);
    // The polls a second in a queue of one host.
    let polls: u64 = (0..QUEUE_MAX / 2)
        .map(|ahead| 1000 / poll_delay_ms(ahead))
        .sum();
    assert!(polls <= 600, "{polls}");
    assert!(poll_delay_ms(usize::MAX) > 0);
}

/// Checks how many of `attempts` retries are allowed after so many requests.
#[track_caller]
fn check_budget(percent: u64, requests: u64, attempts: u64, expected: usize) {
    let mut budget = RetryBudget::default();
    for _ in 0..requests {
        budget.earn(percent);
    }
    let allowed = (0..attempts).filter(|_| budget.spend(percent)).count();
    assert_eq!(allowed, expected, "{percent} % of {requests}");
}

#[test]
fn retries_are_a_share_of_requests() {
    // A new budget has three.
    check_budget(10, 0, 5, 3);
    check_budget(10, 1, 5, 3);
    check_budget(10, 10, 5, 4);
    check_budget(100, 1, 5, 4);
    // Without retries at most ten are saved up.
    check_budget(10, 1_000_000, 100, 10);
    check_budget(0, 1000, 5, 0);
    // In the long run it is the share, for any number of attempts.
    let mut budget = RetryBudget::default();
    let mut allowed = 0;
    for _ in 0..1000 {
        budget.earn(10);
        allowed += usize::from(budget.spend(10));
    }
    assert!((100..=103).contains(&allowed), "{allowed}");
}

#[test]
fn retry_pauses_grow_and_have_jitter() {
    for nth in 0..5 {
        let unit_ms = 50 << nth;
        let pauses: BTreeSet<u64> = (0..200)
            .map(|n| pause_ms(&format!("http://a.test/{n}"), nth, 1000))
            .collect();
        assert!(pauses.len() > 50, "only {} pauses", pauses.len());
        let range = unit_ms..3 * unit_ms;
        assert!(pauses.iter().all(|ms| range.contains(ms)), "{pauses:?}");
    }
    // Equal times give equal pauses, and different times different ones.
    let of = |now_ms| pause_ms("http://a.test/", 0, now_ms);
    assert_eq!(of(1000), of(1000));
    let later: BTreeSet<u64> = (0..50).map(of).collect();
    assert!(later.len() > 20);
    // No overflow.
    assert!(pause_ms("", u64::MAX, u64::MAX) < 200_000);
}
