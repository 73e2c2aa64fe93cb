//! Tests of the rate of orders for writes: sent at once as long as their host
//! and the isolate have tokens, then in batches; of very many selectors only
//! the host is kept beside the first ones.

use edgekeep::cache::purge::selector::mark_of;
use edgekeep::cache::purge::unconfirmed_writes::{BYTES_MAX, UnconfirmedWrites, WRITES_MAX};
use edgekeep::cache::purge::write_rate::{
    FURTHER_MAX, GATHERED_MAX, HOSTS_MAX, ISOLATE_BURST, ISOLATE_PER_SECOND, InvalidationNames,
    NAMES_MAX, WRITES_BURST, WRITES_PER_SECOND, WriteRate,
};

const NOW: u64 = 1_795_424_400_000;
const LAG_MS: u64 = 5000;

fn names(list: &[&str]) -> InvalidationNames {
    InvalidationNames::new(list.iter().map(|&name| name.to_owned()).collect())
}

/// How many of so many writes may be sent at once.
fn sent_at_once(rate: &mut WriteRate, hosts: &[&str], count: u64, now_ms: u64) -> u64 {
    let hosts = hosts.iter().cycle().take(count as usize);
    hosts.map(|host| u64::from(rate.take(host, now_ms))).sum()
}

#[test]
fn host_sends_burst_and_then_five_writes_per_second() {
    let mut rate = WriteRate::default();
    assert_eq!(sent_at_once(&mut rate, &["a.test"], 200, NOW), WRITES_BURST);
    // Another host has its own tokens.
    assert_eq!(sent_at_once(&mut rate, &["b.test"], 1, NOW), 1);
    let seconds = (100..=60_000).step_by(100);
    let later: u64 = seconds
        .map(|ms| sent_at_once(&mut rate, &["a.test"], 1, NOW + ms))
        .sum();
    assert_eq!(later, 60 * WRITES_PER_SECOND);
    // After a while all its tokens are back, and no more.
    let late = NOW + 3_600_000;
    assert_eq!(
        sent_at_once(&mut rate, &["a.test"], 200, late),
        WRITES_BURST
    );
}

#[test]
fn isolate_limits_writes_over_all_hosts() {
    let mut rate = WriteRate::default();
    let hosts: Vec<String> = (0..3000).map(|n| format!("x{n}.test")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    assert_eq!(sent_at_once(&mut rate, &hosts, 3000, NOW), ISOLATE_BURST);
    let mut later = 0;
    for ms in (100..=60_000).step_by(100) {
        later += sent_at_once(&mut rate, &hosts, 100, NOW + ms);
        assert!(rate.hosts() <= HOSTS_MAX);
    }
    assert_eq!(later, 60 * ISOLATE_PER_SECOND);
    // If the isolate has no token, the host's are not used up.
    assert_eq!(
        sent_at_once(&mut rate, &["quiet.test"], 99, NOW + 60_000),
        0
    );
    let late = NOW + 120_000;
    assert_eq!(
        sent_at_once(&mut rate, &["quiet.test"], 99, late),
        WRITES_BURST
    );
}

#[test]
fn number_of_hosts_with_token_buckets_is_bounded() {
    let mut rate = WriteRate::default();
    for n in 0..4 * HOSTS_MAX as u64 {
        let now_ms = NOW + n * 1000 / ISOLATE_PER_SECOND;
        assert!(rate.take(&format!("x{n}.test"), now_ms));
        assert!(rate.hosts() <= HOSTS_MAX);
    }
}

#[test]
fn clock_set_back_does_not_delay_writes() {
    let mut rate = WriteRate::default();
    sent_at_once(
        &mut rate,
        &["a.test", "b.test", "c.test", "d.test"],
        999,
        NOW,
    );
    let earlier = NOW - 3_600_000;
    assert_eq!(
        sent_at_once(&mut rate, &["a.test"], 99, earlier),
        WRITES_BURST
    );
    // A write that is due far in the future is sent at once.
    let mut writes = UnconfirmedWrites::default();
    writes.gather("a.test", names(&["url:a.test/x"]), LAG_MS, NOW);
    assert!(!writes.is_due(NOW) && writes.is_due(earlier));
}

#[test]
fn gathered_writes_of_host_are_sent_as_one_batch() {
    let mut writes = UnconfirmedWrites::default();
    let gather = |writes: &mut UnconfirmedWrites, host: &str, page: &str, ms: u64| {
        let name = format!("url:{host}/{page}");
        writes.gather(host, names(&[&name]), LAG_MS, NOW + ms)
    };
    assert!(gather(&mut writes, "a.test", "x", 0));
    assert!(!gather(&mut writes, "a.test", "y", 10));
    assert!(gather(&mut writes, "b.test", "z", 15));
    assert!(!gather(&mut writes, "a.test", "x", 20));
    assert!(writes.next(NOW + LAG_MS - 1).is_none());
    let sent = writes.next(NOW + LAG_MS).expect("a write");
    assert_eq!(sent.site, "a.test");
    assert_eq!(sent.names, names(&["url:a.test/x", "url:a.test/y"]));
    // Later writes form a new batch: none is lost between the two.
    assert!(gather(&mut writes, "a.test", "x", LAG_MS));
    writes.confirm(sent.id);
    assert_eq!(writes.len(), 2);
    // The next request of any site sends late batches; there may be no other
    // one.
    let late = NOW + 3 * LAG_MS;
    assert!(writes.is_due(late));
    for site in ["b.test", "a.test"] {
        let sent = writes.next(late).expect("a write");
        assert_eq!(sent.site, site);
        writes.confirm(sent.id);
    }
    assert!(writes.is_empty());
}

#[test]
fn selectors_beyond_limit_are_replaced_by_host() {
    let mut writes = UnconfirmedWrites::default();
    let name = |n: usize| format!("url:a.test/{n}");
    for n in 0..=GATHERED_MAX {
        writes.gather("a.test", names(&[&name(n)]), LAG_MS, NOW);
    }
    let all = writes.next(NOW + LAG_MS).expect("a write").names;
    assert!(all.whole_host);
    let first: Vec<String> = (0..GATHERED_MAX).map(name).collect();
    assert_eq!(all.hard, first);
    assert_eq!(all.further, [mark_of(&name(GATHERED_MAX))]);
    // One write of very many selectors, too.
    let of =
        |count: usize| InvalidationNames::new((0..count).map(|n| format!("group:x {n}")).collect());
    for (count, hard, further) in [
        (NAMES_MAX, NAMES_MAX, 0),
        (NAMES_MAX + 1, NAMES_MAX, 1),
        (9_999, NAMES_MAX, FURTHER_MAX),
    ] {
        let names = of(count);
        assert_eq!((names.hard.len(), names.further.len()), (hard, further));
        assert_eq!(names.whole_host, count > NAMES_MAX);
    }
}

#[test]
fn unconfirmed_writes_are_bounded_and_losses_are_counted() {
    let mut writes = UnconfirmedWrites::default();
    let first = writes.add("quiet.test", names(&["url:quiet.test/"]), NOW);
    let long = "x".repeat(8000);
    for n in 0..30 {
        let list = (0..NAMES_MAX).map(|at| format!("url:loud.test/{n}-{at}-{long}"));
        writes.add("loud.test", InvalidationNames::new(list.collect()), NOW);
    }
    assert_eq!(writes.len(), 1 + BYTES_MAX / (NAMES_MAX * 8100));
    assert_eq!(writes.lost(), 30 - BYTES_MAX / (NAMES_MAX * 8100));
    assert_eq!(writes.lost(), 0);
    assert_eq!(writes.next(NOW).map(|write| write.id), Some(first));
    // The number is limited as well, also of batches.
    for n in 0..2 * WRITES_MAX {
        let host = format!("x{n}.test");
        writes.gather(&host, names(&[&format!("url:{host}/")]), LAG_MS, NOW);
    }
    assert!(writes.len() <= WRITES_MAX && writes.lost() >= WRITES_MAX);
    let after = NOW + edgekeep::cache::purge::unconfirmed_writes::WRITE_MS_MAX;
    let left = writes.len();
    assert!(writes.next(after).is_none());
    assert_eq!((writes.lost(), writes.len()), (left, 0));
}
