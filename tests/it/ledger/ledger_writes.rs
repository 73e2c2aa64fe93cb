//! Tests that writes do not purge pages of other hosts, for any sender and any
//! number of URLs and hosts. Each host has a budget; above it the host is
//! purged softly, and seldom.

use edgekeep::cache::ledger::sequence::PurgeState;
use edgekeep::cache::ledger::wire::{
    HOST_IDLE_MS, HOST_WRITES_MAX, HOSTS_MAX, WIDEN_MS, WRITES_MAX,
};
use edgekeep::cache::purge::feed::PurgeFeed;
use edgekeep::cache::purge::index::PurgeIndex;
use edgekeep::cache::purge::selector::mark_of;
use edgekeep::cache::purge::wide::HostBucket;
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use testkit::ledger::{Database, Fails, feed_after, fresh_index, order, state, write};

const NOW: u64 = 1_795_424_400_000;

/// Writes to `per_second` new pages of a host for so many seconds. Returns the
/// index of an isolate that queries each second, and the times at which the
/// host was purged.
fn flood<S: Sql>(
    ledger: &LedgerStore<S>,
    host: &str,
    seconds: u64,
    per_second: u64,
) -> (PurgeIndex, Vec<u64>) {
    let mut widened = Vec::new();
    let whole = mark_of(&format!("host:{host}"));
    let mut warm = fresh_index(ledger, NOW);
    for second in 0..seconds {
        let now_ms = NOW + second * 1000;
        for n in 0..per_second {
            write(ledger, &[&format!("url:{host}/{second}/{n}")], now_ms);
        }
        let after = warm.sequence();
        let feed = PurgeFeed::decode(&ledger.read_feed(after, now_ms).expect("an answer"))
            .expect("a feed");
        if feed.writes.iter().any(|(mark, _)| *mark == whole) {
            widened.push(second);
        }
        assert!(warm.apply(&feed));
    }
    (warm, widened)
}

#[test]
fn flood_of_writes_purges_only_its_host_softly_and_rarely() {
    let ledger = Database::new().open(NOW);
    let (_, before) = write(&ledger, &["url:quiet.test/form"], NOW);
    let start = before.sequence;
    // Four times as many pages as the host's budget.
    let (mut warm, widened) = flood(&ledger, "loud.test", 100, 4 * HOST_WRITES_MAX / 100);
    assert!(widened.len() >= 3, "{widened:?}");
    for pair in widened.windows(2) {
        assert!((pair[1] - pair[0]) * 1000 >= WIDEN_MS, "{widened:?}");
    }
    let now_ms = NOW + 100 * 1000 + WIDEN_MS;
    let index = fresh_index(&ledger, now_ms);
    assert!(
        index.len() as u64 <= HOST_WRITES_MAX + 10,
        "{}",
        index.len()
    );
    assert_eq!(
        feed_after(&ledger, 0).floor.hard,
        NOW,
        "the floor has risen"
    );
    // An index that has received all of it has each mark, until it is replaced
    // by a rebuilt one.
    assert!(warm.len() as u64 >= 2 * HOST_WRITES_MAX, "{}", warm.len());
    warm.replace(fresh_index(&ledger, now_ms));
    assert!(warm.len() as u64 <= HOST_WRITES_MAX + 10, "{}", warm.len());
    // Each page that was written to is at least stale.
    for second in 0..100 {
        let url = format!("https://loud.test/{second}/{}", second * 7 % 40);
        assert_ne!(state(&index, start, &url, &[]), PurgeState::Alive, "{url}");
        assert_ne!(state(&warm, start, &url, &[]), PurgeState::Alive, "{url}");
    }
    let quiet = "https://quiet.test/form";
    assert_eq!(state(&warm, start - 1, quiet, &[]), PurgeState::Hard);
    assert_eq!(state(&warm, start, quiet, &[]), PurgeState::Alive);
    // Other pages of that host are at most stale; those of other hosts are not
    // purged.
    assert_eq!(
        state(&index, start, "https://loud.test/", &[]),
        PurgeState::Soft
    );
    assert_eq!(
        state(&index, start, "https://quiet.test/", &["t"]),
        PurgeState::Alive
    );
    assert_eq!(
        state(&index, start, "https://www.loud.test/", &[]),
        PurgeState::Alive
    );
    assert_eq!(
        state(&index, start - 1, "https://quiet.test/form", &[]),
        PurgeState::Hard
    );
}

#[test]
fn last_writes_of_flood_apply_after_interval() {
    let ledger = Database::new().open(NOW);
    flood(&ledger, "loud.test", 3, 400);
    let end = NOW + 2000;
    let (last, _) = write(&ledger, &["url:loud.test/last"], end);
    let state_at = |now_ms| {
        state(
            &fresh_index(&ledger, now_ms),
            last - 1,
            "https://loud.test/last",
            &[],
        )
    };
    // It waits for its interval, and a second write does not delay it.
    assert_eq!(state_at(end), PurgeState::Alive);
    write(&ledger, &["url:loud.test/after"], end + WIDEN_MS - 1000);
    assert_eq!(state_at(end + WIDEN_MS), PurgeState::Soft);
    let idle = ledger.last().expect("a number");
    ledger.read_feed(0, end + 9 * WIDEN_MS).expect("an answer");
    assert_eq!(
        ledger.last(),
        Ok(idle),
        "a sequence number was used without an order"
    );
}

#[test]
fn repeated_writes_to_one_page_are_one_mark() {
    let ledger = Database::new().open(NOW);
    for n in 0..HOST_WRITES_MAX + 500 {
        let (sequence, feed) = write(&ledger, &["url:a.test/p"], NOW);
        assert_eq!(sequence, NOW + n + 1);
        assert_eq!(feed.writes, [(mark_of("url:a.test/p"), feed.writes[0].1)]);
        assert_eq!(feed.writes[0].1.hard, sequence);
    }
    // Entries filled before the last of them are purged.
    let last = ledger.last().expect("a number");
    let index = fresh_index(&ledger, NOW);
    assert_eq!(
        state(&index, last - 1, "https://a.test/p", &[]),
        PurgeState::Hard
    );
    assert_eq!(
        state(&index, NOW, "https://a.test/q", &[]),
        PurgeState::Alive
    );
}

#[test]
fn host_with_few_writes_keeps_its_marks() {
    let ledger = Database::new().open(NOW);
    let few = WRITES_MAX / HOSTS_MAX;
    for n in 0..few {
        write(&ledger, &[&format!("url:few.test/{n}")], NOW);
    }
    let start = ledger.last().expect("a number");
    for host in 0..40 {
        for n in (0..700).step_by(50) {
            let now_ms = NOW + (host * 700 + n) * 10;
            let names: Vec<String> = (n..n + 50)
                .map(|n| format!("url:h{host}.test/{n}"))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            write(&ledger, &names, now_ms);
        }
    }
    let now_ms = NOW + 40 * 7000 + WIDEN_MS;
    let index = fresh_index(&ledger, now_ms);
    assert!(index.len() as u64 <= WRITES_MAX + 50, "{}", index.len());
    for n in 0..few {
        let url = format!("https://few.test/{n}");
        assert_eq!(state(&index, NOW + n, &url, &[]), PurgeState::Hard, "{url}");
    }
    assert_eq!(
        state(&index, start, "https://few.test/other", &[]),
        PurgeState::Alive
    );
    // The last ones had room: their marks have not widened.
    for n in [0, 350, 699] {
        let url = format!("https://h39.test/{n}");
        assert_eq!(state(&index, start, &url, &[]), PurgeState::Hard, "{url}");
    }
    for host in 0..40 {
        for n in [0, 350, 699] {
            let url = format!("https://h{host}.test/{n}");
            assert_ne!(state(&index, start, &url, &[]), PurgeState::Alive, "{url}");
        }
    }
}

#[test]
fn hosts_beyond_limit_share_buckets() {
    let ledger = Database::new().open(NOW);
    let host = |n: u64| format!("x{n}.wild.test");
    write(&ledger, &["url:steady.test/a"], NOW);
    for n in 0..2 * HOSTS_MAX {
        write(&ledger, &[&format!("url:{}/a", host(n))], NOW);
    }
    let start = ledger.last().expect("a number");
    let owners = "SELECT COUNT(*) FROM owners";
    let held = ledger.sql().number(owners, &[]).expect("a number");
    assert!(held <= HOSTS_MAX + 1024, "{held}");
    // Each of them is purged, by its mark or with its bucket.
    let late = NOW + 2 * WIDEN_MS;
    let index = fresh_index(&ledger, late);
    for n in 0..2 * HOSTS_MAX {
        let url = format!("https://{}/a", host(n));
        let expected = if n < HOSTS_MAX - 1 {
            PurgeState::Hard
        } else {
            PurgeState::Soft
        };
        assert_eq!(state(&index, NOW, &url, &[]), expected, "{url}");
    }
    // A quiet host in none of these buckets is not purged, and the floor stays.
    assert_eq!(feed_after(&ledger, 0).floor.newest(), NOW);
    // A bucket is purged once in an interval, not for each write.
    let last = host(2 * HOSTS_MAX - 1);
    let neighbour = (0..).map(|n| format!("n{n}.quiet.test"));
    let same = |name: &String| HostBucket::of_host(name) == HostBucket::of_host(&last);
    let neighbour = neighbour.take(100_000).find(same).expect("a neighbour");
    let page = format!("https://{neighbour}/");
    let (mut alive, mut index) = (0, index);
    for second in 0..60 {
        let now_ms = late + second * 1000;
        let seen = ledger.last().expect("a number");
        let (_, feed) = write(&ledger, &[&format!("url:{last}/{second}")], now_ms);
        assert!(index.apply(&feed));
        alive += u64::from(state(&index, seen, &page, &[]) == PurgeState::Alive);
    }
    assert!((57..=59).contains(&alive), "{alive}");
    assert!(start > NOW);
}

#[test]
fn idle_host_is_replaced_by_new_host() {
    let ledger = Database::new().open(NOW);
    let (old, _) = write(&ledger, &["url:old.test/a"], NOW);
    for n in 1..HOSTS_MAX {
        write(&ledger, &[&format!("url:x{n}.test/a")], NOW + 60_000);
    }
    // An hour later another host has replaced it, and its bucket is purged
    // softly up to its last write.
    let later = NOW + HOST_IDLE_MS;
    let (_, feed) = write(&ledger, &["url:new.test/a"], later);
    assert!(
        feed.writes
            .iter()
            .any(|(mark, _)| *mark == mark_of("url:new.test/a"))
    );
    let index = fresh_index(&ledger, later);
    assert_eq!(
        state(&index, old - 1, "https://old.test/a", &[]),
        PurgeState::Soft
    );
    assert_eq!(
        state(&index, old, "https://old.test/a", &[]),
        PurgeState::Alive
    );
    let new = ledger.last().expect("a number") - 1;
    assert_eq!(
        state(&index, new, "https://new.test/a", &[]),
        PurgeState::Hard
    );
}

#[test]
fn failed_write_can_be_repeated() {
    // Each statement fails in turn: of a write with room, of one that widens,
    // of one of a host above the limit, and of one that replaces a host.
    let full = |database: &Database| {
        let ledger = database.open(NOW);
        let many: Vec<String> = (0..HOST_WRITES_MAX)
            .map(|n| format!("url:a.test/{n}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        write(&ledger, &many, NOW);
        ledger
    };
    let hosts = |database: &Database| {
        let ledger = database.open(NOW);
        for n in 0..HOSTS_MAX {
            write(&ledger, &[&format!("url:x{n}.test/a")], NOW);
        }
        ledger
    };
    let empty = |database: &Database| database.open(NOW);
    type Prepare<'a> = &'a dyn Fn(&Database) -> LedgerStore<Database>;
    let cases: [(Prepare<'_>, u64); 5] = [
        (&empty, 0),
        (&full, 0),
        (&full, WIDEN_MS),
        (&hosts, 0),
        (&hosts, HOST_IDLE_MS),
    ];
    for (prepare, later) in cases {
        let database = Database::new();
        let ledger = prepare(&database);
        for how in [Fails::Before, Fails::After] {
            for n in 0.. {
                assert!(n < 100, "the write never completes");
                let name = format!("url:a.test/{how:?}-{later}-{n}");
                let url = format!("https://{}", name.strip_prefix("url:").expect("a URL"));
                let now_ms = NOW + later;
                database.fail_at(n, how);
                let answer = ledger.append(&order("", &[&name], &[]), now_ms);
                database.heal();
                let before = ledger.last().expect("a number");
                if answer.is_ok() {
                    assert!(n > 6, "{n} statements only");
                    break;
                }
                write(&ledger, &[&name], now_ms);
                let index = fresh_index(&ledger, now_ms + WIDEN_MS);
                let found = state(&index, before, &url, &[]);
                assert_ne!(found, PurgeState::Alive, "{how:?} {n} {later}");
            }
        }
    }
}

#[test]
fn widened_host_includes_all_ports() {
    let full = Database::new().open(NOW);
    for n in 0..HOSTS_MAX {
        write(&full, &[&format!("url:x{n}.test/a")], NOW);
    }
    let (last, _) = write(&full, &["url:loud.test:8443/p"], NOW);
    let index = fresh_index(&full, NOW + WIDEN_MS);
    let page = "https://loud.test:8443/p";
    assert_eq!(state(&index, last - 1, page, &[]), PurgeState::Soft);
    for site in ["loud.test:8443", "[2001:db8::1]:8080"] {
        let ledger = Database::new().open(NOW);
        let start = ledger.last().expect("a number");
        flood(&ledger, site, 3, HOST_WRITES_MAX / 2);
        let index = fresh_index(&ledger, NOW + 2000 + WIDEN_MS);
        for second in 0..3 {
            let url = format!("https://{site}/{second}/0");
            assert_ne!(state(&index, start, &url, &[]), PurgeState::Alive, "{url}");
        }
        let url = format!("https://{site}/2/{}", HOST_WRITES_MAX / 2 - 1);
        assert_ne!(state(&index, start, &url, &[]), PurgeState::Alive, "{url}");
    }
}
