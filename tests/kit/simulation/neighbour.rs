//! The promise of attacks: no action of one host, key, URL or reader makes
//! another host's fresh copy unusable, nor its origin unreachable, nor reaches
//! another reader. The bounds are in README.md.

use super::ages;
use super::attack::VICTIM;
use super::exchange::Exchange;
use super::page::Bytes;
use super::promises::{has_detail, parameter, status_of};
use super::world::{Seat, World};
use edgekeep::cache::policy::collapse_leaders::ALONE_KNOWN_MS;
use edgekeep::flow::response::reply::Answer;

/// The longest wait of the victim's readers without an attack: for the ledger,
/// the slowest page and its body; twice if the first fetch of it failed.
const SLOW_MS: u64 = 3_000;

/// Checks the response to one of the victim's readers. The error names what the
/// attack has caused.
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
    world.count("response to the victim of an attack");
    let position = attack.position;
    if answer.status >= 400 {
        return Err(format!("{position:?}: the victim's reader gets an error"));
    }
    let took_ms = world.executor.now_ms() - exchange.began_ms;
    // Waits for a leader in another isolate, and for one in its own.
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
    world.count("usable entry during an attack");
    let is_hit = status_of(answer).split("; ").any(|word| word == "hit");
    let is_fresh = parameter(answer, "ttl").is_some_and(|ttl| ttl > 0);
    match is_hit && (is_fresh || has_detail(answer, "stale-while-revalidate")) {
        true => Ok(()),
        false => Err(format!(
            "{position:?}: a usable entry was not served, {copy}"
        )),
    }
}
