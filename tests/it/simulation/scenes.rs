//! Worlds with a fixed setup: one for each fault that the simulation has found
//! and that no story or table can show.

use std::rc::Rc;
use testkit::simulation::actors::{RequestSpec, send};
use testkit::simulation::promises::{Violation, has_detail};
use testkit::simulation::setup::Setup;
use testkit::simulation::world::World;

/// Runs a scene in a world with this setup.
fn play(seed: u64, setup: Setup, scene: impl FnOnce(&Rc<World>) -> Result<(), Violation>) {
    let world = World::new(seed, setup, None, true);
    if let Err(violation) = scene(&world) {
        let trace = world.take_trace().join("\n");
        panic!("{trace}\n{:?}: {}", violation.promise, violation.text);
    }
}

/// A request that queries the ledger for all may be cancelled, and another
/// query may replace it at once. A request that waits for the first query then
/// waits for the second.
#[test]
fn waiter_follows_query_that_replaces_cancelled_one() {
    for seed in 0..40 {
        let mut setup = Setup::of(seed, None);
        setup.remove_faults();
        setup.lag_ms = 1000;
        setup.ledger.way_ms = 400;
        setup.pages.iter_mut().for_each(|page| page.head_ms = 100);
        play(seed, setup, |world| {
            let seat = world.any_seat();
            send(world, &seat, RequestSpec::plain(0));
            world.run(10_000)?;
            let cancelled = send(world, &seat, RequestSpec::plain(0));
            world.run(0)?;
            cancelled.life.end();
            world.run(210)?;
            let waiting = send(world, &seat, RequestSpec::plain(0));
            world.run(790)?;
            send(world, &seat, RequestSpec::plain(0));
            world.run(20_000)?;
            let answer = waiting.answer.borrow();
            let answer = answer.as_ref().expect("an answer");
            assert!(
                !has_detail(answer, "old-purge-index"),
                "seed {seed}: {answer:?}"
            );
            Ok(())
        });
    }
}

/// A follower that waits for a leader's entry for longer than a second sends
/// its own request (`cache::policy::collapse_leaders`).
#[test]
fn follower_fetches_alone_after_its_longest_wait() {
    let mut alone = 0;
    for seed in 0..40 {
        let mut setup = Setup::of(seed, None);
        setup.remove_faults();
        setup.origin_timeout_seconds = 1;
        let page = &mut setup.pages[0];
        (page.head_ms, page.body_ms) = (100, 4_000);
        (page.terms.max_age, page.varies, page.upstream_seconds) = (300, false, 0);
        page.long = true;
        play(seed, setup, |world| {
            let seat = world.any_seat();
            let leader = send(world, &seat, RequestSpec::plain(0));
            world.run(500)?;
            let follower = send(world, &seat, RequestSpec::plain(0));
            world.run(60_000)?;
            for exchange in [leader, follower] {
                let answer = exchange.answer.borrow();
                let status = answer.as_ref().map(|answer| answer.status);
                assert_eq!(status, Some(200), "seed {seed}: {answer:?}");
                alone += exchange.stamps.borrow().len();
            }
            Ok(())
        });
    }
    assert!((42..80).contains(&alone), "{alone} requests to the origin");
}
