//! Shows how often writes ask the ledger: at once as long as their host has
//! tokens, then together, and of very many names only the host is left.

use edgekeep::cache::write_rate::{
    GATHER_MS_MAX, GATHERED_MAX, NAMES_MAX, Names, Turn, WRITES_BURST, WRITES_PER_SECOND, WriteRate,
};

const NOW: u64 = 1_795_424_400_000;
const LAG_MS: u64 = 5000;

fn names(list: &[&str]) -> Names {
    Names::new(list.iter().map(|&name| name.to_owned()).collect())
}

/// A rate of which a host has no token left.
fn spent(host: &str) -> WriteRate {
    let mut rate = WriteRate::default();
    for n in 0..WRITES_BURST {
        let one = names(&[&format!("url:{host}/{n}")]);
        assert_eq!(
            rate.take(host, one.clone(), LAG_MS, NOW),
            Turn::Now(one),
            "{n}"
        );
    }
    rate
}

#[test]
fn a_burst_asks_at_once_and_then_five_a_second() {
    let mut rate = spent("a.test");
    let one = || names(&["url:a.test/p"]);
    assert_eq!(
        rate.take("a.test", one(), LAG_MS, NOW),
        Turn::Begins(LAG_MS)
    );
    // Another host is another's.
    assert_eq!(rate.take("b.test", one(), LAG_MS, NOW), Turn::Now(one()));
    let mut asked = 0;
    for ms in (100..=60_000).step_by(100) {
        if let Turn::Now(_) = rate.take("a.test", one(), LAG_MS, NOW + ms) {
            asked += 1;
        }
    }
    assert_eq!(asked, 60 * WRITES_PER_SECOND);
    // After a while it has all its tokens again, and no more.
    let later = NOW + 3_600_000;
    let turns = (0..2 * WRITES_BURST).map(|_| rate.take("a.test", one(), LAG_MS, later));
    let now = turns.filter(|turn| matches!(turn, Turn::Now(_))).count();
    assert_eq!(now as u64, WRITES_BURST);
}

#[test]
fn what_is_too_much_goes_together() {
    let mut rate = spent("a.test");
    let take = |rate: &mut WriteRate, name: &str, ms: u64| {
        rate.take("a.test", names(&[name]), LAG_MS, NOW + ms)
    };
    assert_eq!(take(&mut rate, "url:a.test/x", 0), Turn::Begins(LAG_MS));
    assert_eq!(take(&mut rate, "url:a.test/y", 10), Turn::Joins);
    assert_eq!(take(&mut rate, "url:a.test/x", 20), Turn::Joins);
    assert_eq!(
        rate.gathered("a.test"),
        names(&["url:a.test/x", "url:a.test/y"])
    );
    assert!(rate.gathered("a.test").is_empty());
    assert!(rate.gathered("other.test").is_empty());
    // What comes after is gathered anew: none is lost between the two.
    assert_eq!(take(&mut rate, "url:a.test/x", 30), Turn::Begins(LAG_MS));
    assert_eq!(rate.gathered("a.test"), names(&["url:a.test/x"]));
}

#[test]
fn a_gathering_whose_end_never_came_is_ended_by_the_next_write() {
    // A long pause, in which no token comes: the lag is a minute.
    let mut rate = spent("a.test");
    let take = |rate: &mut WriteRate, name: &str, ms: u64| {
        let turn = rate.take("a.test", names(&[name]), 60_000, NOW + ms);
        matches!(turn, Turn::Begins(GATHER_MS_MAX))
    };
    assert!(take(&mut rate, "url:a.test/x", 0));
    // Others take the tokens that come meanwhile.
    for ms in (0..=12_000).step_by(20) {
        let begins = take(&mut rate, "url:a.test/y", ms);
        assert_eq!(begins, ms > GATHER_MS_MAX + 1000 && begins, "{ms}");
        if begins {
            let both = rate.gathered("a.test");
            assert_eq!(both, names(&["url:a.test/x", "url:a.test/y"]));
            return;
        }
    }
    panic!("nobody ends it");
}

#[test]
fn of_many_names_the_host_is_left() {
    let mut rate = spent("a.test");
    for n in 0..=GATHERED_MAX {
        let turn = rate.take("a.test", names(&[&format!("url:a.test/{n}")]), LAG_MS, NOW);
        assert_eq!(turn == Turn::Joins, n > 0);
    }
    let all = rate.gathered("a.test");
    assert!(all.whole_host && all.hard.is_empty() && !all.is_empty());
    // One write of very many, too.
    let of = |count: usize| Names::new((0..count).map(|n| format!("group:x {n}")).collect());
    assert_eq!(
        (of(NAMES_MAX).hard.len(), of(NAMES_MAX).whole_host),
        (NAMES_MAX, false)
    );
    assert_eq!(
        (of(NAMES_MAX + 1).hard.len(), of(NAMES_MAX + 1).whole_host),
        (0, true)
    );
    let mut rate = spent("a.test");
    rate.take("a.test", of(NAMES_MAX + 1), LAG_MS, NOW);
    rate.take("a.test", names(&["url:a.test/"]), LAG_MS, NOW);
    assert!(rate.gathered("a.test").whole_host);
}

#[test]
fn a_clock_that_is_set_back_stops_no_write() {
    let mut rate = spent("a.test");
    let one = names(&["url:a.test/"]);
    let earlier = NOW - 3_600_000;
    assert_eq!(
        rate.take("a.test", one.clone(), LAG_MS, earlier),
        Turn::Now(one)
    );
    let mut rate = spent("a.test");
    rate.take("a.test", names(&["url:a.test/x"]), LAG_MS, NOW);
    for _ in 0..2 * WRITES_BURST {
        rate.take("a.test", names(&["url:a.test/x"]), LAG_MS, earlier);
    }
    // What waited for a time that is far off now waits no longer than others.
    assert!(!rate.gathered("a.test").is_empty());
}

#[test]
fn many_hosts_are_forgotten_but_not_what_they_have_to_send() {
    let mut rate = spent("a.test");
    rate.take("a.test", names(&["url:a.test/x"]), LAG_MS, NOW);
    for n in 0..5000 {
        let host = format!("x{n}.test");
        rate.take(&host, names(&["url:x"]), LAG_MS, NOW);
    }
    assert_eq!(rate.gathered("a.test"), names(&["url:a.test/x"]));
    assert!(format!("{rate:?}").matches("full_ms").count() <= 1000);
}
