//! Tests that the orders of different keys are worked on in turn, and that the
//! orders of a key do not evict those of another. On the ledger's real
//! database.

use edgekeep::cache::ledger::wire::{Order, Receipt};
use edgekeep::flow::ledger::jobs::{REFRESH, WARM, ZONE};
use edgekeep::flow::ledger::ledger_store::LedgerStore;
use edgekeep::flow::ledger::sql::Sql;
use testkit::stage::{START_MS, Stage, progress, urls};
use testkit::world::sqlite::Sqlite;

/// Sends an order of a key to refresh pages.
fn refresh(stage: &Stage, key: &str, urls: Vec<String>) -> Receipt {
    stage.order(Order {
        key: Some(key.to_owned()),
        soft: vec!["tag:a".to_owned()],
        refresh: urls,
        ..Order::default()
    })
}

/// Sends an order of a key to purge tags hard.
fn purge(stage: &Stage, key: &str, tags: impl Iterator<Item = String>) -> Receipt {
    stage.order(Order {
        key: Some(key.to_owned()),
        hard: tags.map(|tag| format!("tag:{tag}")).collect(),
        ..Order::default()
    })
}

#[test]
fn key_with_many_orders_evicts_only_its_own_steps() {
    let stage = Stage::new(false);
    let few = refresh(&stage, "few", urls(700));
    let many: Vec<Receipt> = (0..13)
        .map(|_| refresh(&stage, "many", urls(1000)))
        .collect();
    assert_eq!(stage.told(&few).refresh, progress(700, 0, 0, None));
    // The oldest steps of the other key: 13,000 were ordered, and there is room
    // for 9,300.
    let failed: u64 = many.iter().map(|one| stage.told(one).refresh.failed).sum();
    assert_eq!(failed, 3_700);
    let last = many.last().expect("an order");
    assert_eq!(stage.told(last).refresh.failed, 0);
    // Pages to warm have a separate limit of the same kind.
    let warm = |key: &str| {
        stage.order(Order {
            key: Some(key.to_owned()),
            refresh: urls(1000),
            ..Order::default()
        })
    };
    let first = warm("few");
    for _ in 0..12 {
        warm("many");
    }
    assert_eq!(stage.told(&first).refresh, progress(1000, 0, 0, None));
    assert_eq!(stage.told(&few).refresh, progress(700, 0, 0, None));
    // Two keys that order the same pages share the work.
    for _ in 0..12 {
        refresh(&stage, "more", urls(1000));
    }
    let waiting = "SELECT COUNT(*) FROM work WHERE kind = 'refresh' AND owner = ?";
    let waiting = |key: &str| stage.world.database.number(waiting, &[key.into()]);
    assert_eq!(waiting("many"), Ok(4650));
    assert_eq!(waiting("more"), Ok(4650));
}

#[test]
fn keys_are_served_in_turn() {
    let stage = Stage::new(false);
    for n in 0..60 {
        stage.origin(&format!("/{n}"), 200, "max-age=60", "page");
    }
    // The first key sends its order before the others.
    let mut orders = vec![refresh(&stage, "k0", urls(60))];
    stage.world.executor.advance(1000);
    for key in 1..7 {
        orders.push(refresh(&stage, &format!("k{key}"), urls(60)));
    }
    for run in 1..=10_u64 {
        assert!(stage.run());
        let done: Vec<u64> = orders
            .iter()
            .map(|one| stage.told(one).refresh.done)
            .collect();
        let (least, most) = (done.iter().min(), done.iter().max());
        assert!(
            most.zip(least)
                .is_some_and(|(most, least)| most - least <= 1),
            "{run}: {done:?}"
        );
        assert_eq!(done.iter().sum::<u64>(), run * 8);
    }
}

#[test]
fn zone_calls_of_keys_are_made_in_turn() {
    let stage = Stage::new(true);
    let many: Vec<Receipt> = (0..40)
        .map(|order| {
            purge(
                &stage,
                "many",
                (0..1000).map(move |n| format!("{order}-{n}")),
            )
        })
        .collect();
    let few = purge(&stage, "few", std::iter::once("urgent".to_owned()));
    assert_eq!(stage.told(&few).fast_lane, progress(1, 0, 0, None));
    let failed: u64 = many
        .iter()
        .map(|one| stage.told(one).fast_lane.failed)
        .sum();
    assert_eq!(failed, 101);
    stage.run();
    let calls = stage.zone_calls();
    let urgent = |body: &serde_json::Value| body.to_string().contains("\"urgent\"");
    assert!(
        calls.iter().take(2).any(|(_, body)| urgent(body)),
        "{} calls",
        calls.len()
    );
    assert_eq!(stage.told(&few).fast_lane, progress(0, 1, 0, None));
}

#[test]
fn steps_of_an_earlier_version_stay_due() {
    let database = Sqlite::in_memory();
    let run = |statement: &str| database.run(statement, &[]).expect("done");
    run("CREATE TABLE work (
        number INTEGER PRIMARY KEY,
        sequence INTEGER NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        tries INTEGER NOT NULL)");
    for kind in ["zone", "refresh", "warm"] {
        run(&format!(
            "INSERT INTO work VALUES (NULL, 1, '{kind}', 'p', {START_MS}, {START_MS}, 0)"
        ));
    }
    for _ in 0..2 {
        LedgerStore::open(database.clone(), START_MS, true).expect("a ledger");
    }
    for kind in [&ZONE, &REFRESH, &WARM] {
        let due = kind.due(&database, START_MS, 9).expect("steps");
        assert_eq!(due.len(), 1, "{kind:?}");
        assert_eq!(due[0].payload, "p");
    }
    // An earlier version may be deployed again, and adds its own.
    run(&format!(
        "INSERT INTO work (sequence, kind, payload, since_ms, due_ms, tries)
            VALUES (2, 'refresh', 'q', {START_MS}, {START_MS}, 0)"
    ));
    assert_eq!(REFRESH.due(&database, START_MS, 9).expect("steps").len(), 2);
}
