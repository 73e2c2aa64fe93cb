//! Worlds made by hand: one for each fault that the simulation has found and
//! no story or table can tell.

use std::rc::Rc;
use testkit::simulation::actors::{Wish, send};
use testkit::simulation::promises::{Violation, says};
use testkit::simulation::setup::Setup;
use testkit::simulation::world::World;

/// Plays a scene: a world made by hand, and what happens in it.
fn play(seed: u64, setup: Setup, scene: impl FnOnce(&Rc<World>) -> Result<(), Violation>) {
    let world = World::new(seed, setup, None, true);
    if let Err(violation) = scene(&world) {
        let trace = world.take_trace().join("\n");
        panic!("{trace}\n{:?}: {}", violation.promise, violation.text);
    }
}

/// Who asks the ledger for all may be gone without a word, and another may
/// take over at once. Who waits for the first one waits for the second.
#[test]
fn who_waits_waits_for_the_one_that_takes_over() {
    for seed in 0..40 {
        let mut setup = Setup::of(seed, None);
        setup.calm_down();
        setup.lag_ms = 1000;
        setup.ledger.way_ms = 400;
        setup.pages.iter_mut().for_each(|page| page.head_ms = 100);
        play(seed, setup, |world| {
            let seat = world.any_seat();
            send(world, &seat, Wish::plain(0));
            world.run(10_000)?;
            let gone = send(world, &seat, Wish::plain(0));
            world.run(0)?;
            gone.life.end();
            world.run(210)?;
            let waiting = send(world, &seat, Wish::plain(0));
            world.run(790)?;
            send(world, &seat, Wish::plain(0));
            world.run(20_000)?;
            let answer = waiting.answer.borrow();
            let answer = answer.as_ref().expect("an answer");
            assert!(!says(answer, "old-purge-index"), "seed {seed}: {answer:?}");
            Ok(())
        });
    }
}

/// A request that waits for another one's copy asks for itself when that takes
/// longer than a second (`cache::policy::collapse_leaders`).
#[test]
fn who_waits_for_a_copy_too_long_asks_for_itself() {
    let mut alone = 0;
    for seed in 0..40 {
        let mut setup = Setup::of(seed, None);
        setup.calm_down();
        setup.origin_timeout_seconds = 1;
        let page = &mut setup.pages[0];
        (page.head_ms, page.body_ms) = (100, 4_000);
        (page.terms.max_age, page.varies, page.upstream_seconds) = (300, false, 0);
        page.long = true;
        play(seed, setup, |world| {
            let seat = world.any_seat();
            let leader = send(world, &seat, Wish::plain(0));
            world.run(500)?;
            let follower = send(world, &seat, Wish::plain(0));
            world.run(60_000)?;
            for exchange in [leader, follower] {
                let answer = exchange.answer.borrow();
                let status = answer.as_ref().map(|answer| answer.status);
                assert_eq!(status, Some(200), "seed {seed}: {answer:?}");
                alone += exchange.minted.borrow().len();
            }
            Ok(())
        });
    }
    assert!((42..80).contains(&alone), "{alone} asked the origin");
}
