//! The promise of attacks: no action of one host, key, URL or reader makes
//! another host's fresh copy unusable, nor its origin unreachable, nor reaches
//! another reader. The bounds are in README.md.

use super::ages;
use super::attack::VICTIM;
use super::exchange::Exchange;
use super::page::Bytes;
use super::promises::{parameter, says, status_of};
use super::world::{Seat, World};
use edgekeep::cache::policy::collapse_leaders::ALONE_KNOWN_MS;
use edgekeep::flow::response::reply::Answer;

/// How long the victim's readers wait without an attack, at most: for the
/// ledger, the slowest page and its body, twice if another request of it was in
/// vain.
const SLOW_MS: u64 = 3_000;

/// What the victim's reader has suffered, if anything.
pub fn check(
    world: &World,
    seat: &Seat,
    exchange: &Exchange,
    answer: &Answer<Bytes>,
) -> Result<(), String> {
    let Some(attack) = &world.setup.attack else {
        return Ok(());
    };
    if exchange.attacks || exchange.site != VICTIM {
        return Ok(());
    }
    world.count("answer beside an attack");
    let position = attack.position;
    if answer.status >= 400 {
        return Err(format!("{position:?}: the victim's reader gets an error"));
    }
    let took_ms = world.executor.now_ms() - exchange.began_ms;
    // For a request of another isolate, and one of its own.
    let others_ms = 2 * ALONE_KNOWN_MS;
    let bound_ms = 1000 * attack.guard.queue_seconds + others_ms + SLOW_MS;
    if took_ms > bound_ms {
        return Err(format!(
            "{position:?}: the victim's reader waits {took_ms} ms, of {bound_ms}"
        ));
    }
    let Some(copy) = ages::copy_to_serve(world, seat, exchange) else {
        return Ok(());
    };
    world.count("copy beside an attack");
    let is_hit = status_of(answer).split("; ").any(|word| word == "hit");
    let is_fresh = parameter(answer, "ttl").is_some_and(|ttl| ttl > 0);
    match is_hit && (is_fresh || says(answer, "stale-while-revalidate")) {
        true => Ok(()),
        false => Err(format!("{position:?}: there was a copy to serve, {copy}")),
    }
}
