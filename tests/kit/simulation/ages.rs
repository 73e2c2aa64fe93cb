//! How old an answer may be, and when there was an old one to give instead of
//! an error: judged by the true time, and by what the origin said.

use super::exchange::Exchange;
use super::page::{Asked, Bytes};
use super::promises::{parameter, says};
use super::tiers::Copy;
use super::world::{Seat, World};
use edgekeep::cache::config::keys::DEFAULT_KEY;
use edgekeep::cache::key::cache_key::CacheKey;
use edgekeep::flow::response::reply::Answer;

/// Ages are counted in whole seconds, twice.
const ROUNDING_MS: u64 = 2_000;

/// By how much an age may be off: who stored an answer and who serves it have
/// different clocks.
fn tolerance_ms(world: &World) -> u64 {
    2 * world.setup.skew_ms + ROUNDING_MS
}

impl Asked {
    /// How old what was said is by now.
    fn age_ms(&self, world: &World) -> u64 {
        world.executor.now_ms() - self.at_ms + 1000 * self.age_seconds
    }
}

/// Whether a stored answer is as young as it must be, and says its age.
pub fn check_age(
    world: &World,
    exchange: &Exchange,
    asked: &Asked,
    answer: &Answer<Bytes>,
) -> Result<(), String> {
    let (terms, windows) = (&asked.terms, world.setup.windows);
    let fresh = parameter(answer, "ttl").is_some_and(|ttl| ttl > 0);
    let while_revalidate = terms.while_revalidate_seconds(windows);
    let (window, seconds) = if fresh {
        ("its lifetime", 0)
    } else if says(answer, "stale-while-revalidate") {
        ("stale-while-revalidate", while_revalidate)
    } else if says(answer, "stale-if-error") {
        let if_error = terms.if_error_seconds(windows);
        ("stale-if-error", if_error.max(while_revalidate))
    } else if world.setup.directives && exchange.control == Some("max-stale") {
        return Ok(());
    } else {
        return Err("it is stale, and no window applied".to_owned());
    };
    let age_ms = asked.age_ms(world);
    let limit_ms = 1000 * (terms.lifetime() + seconds) + tolerance_ms(world);
    if age_ms > limit_ms {
        return Err(format!(
            "{age_ms} ms old, and {window} ended at {limit_ms} ms: {terms:?}, {windows:?}"
        ));
    }
    let told = answer.fields.get("age").and_then(|age| age.parse().ok());
    let told_ms = told.map_or(0, |age: u64| 1000 * age);
    if told_ms + tolerance_ms(world) < age_ms {
        return Err(format!("{age_ms} ms old, and it says {told:?} s"));
    }
    Ok(())
}

/// A copy that could have been served instead of an error: it lay in a tier
/// from before the request came until now, and was no older than
/// `stale-if-error` allows.
pub fn usable_copy(world: &World, seat: &Seat, exchange: &Exchange) -> Option<String> {
    let page = &world.origin.pages[exchange.page].setup;
    // A ledger that drops marks takes more than was ordered.
    let exact = world.setup.ledger.small.is_none() && !world.ledger.inexact.get();
    let write = exchange.method == "POST";
    if !exact || write || page.privacy.is_some() || exchange.tier_failed.get() {
        return None;
    }
    // An isolate obeys a write at once, though the ledger may not have it yet.
    let exchanges = world.exchanges.borrow();
    let mut here = exchanges.iter().filter(|(_, at)| std::ptr::eq(&**at, seat));
    if here.any(|(other, _)| other.page == exchange.page && other.written.get()) {
        return None;
    }
    let own = CacheKey::of_url(page.url()).slot().clone();
    let now_ms = world.executor.now_ms();
    let cache = world.centres[seat.centre].borrow();
    let kv = world.kv.borrow();
    let in_cache = cache.lying(&own.entry_url, now_ms);
    let in_kv = kv.lying(&own.digest, seat.centre, now_ms);
    // Where the first variant is, the others are found by it; but a purged one
    // of the variant that is looked for leads no further.
    let leads = |copy: &Copy| {
        let asked = world.origin.asked.borrow();
        let asked = asked.get(&copy.stamp);
        let of_ours = asked.is_some_and(|asked| exchange.takes(&asked.language, world));
        page.varies && !(of_ours && is_purged(world, exchange, *copy, false))
    };
    let beside_in_cache = in_cache.filter(leads).map(|_| cache.all(now_ms));
    let beside_in_kv = in_kv.filter(leads);
    let beside_in_kv = beside_in_kv.map(|_| kv.all(seat.centre, now_ms));
    let all = (in_cache.into_iter().chain(in_kv))
        .chain(beside_in_cache.into_iter().flatten())
        .chain(beside_in_kv.into_iter().flatten());
    let there = |since_ms: u64| since_ms <= exchange.began_ms;
    // Whoever leads to a variant must have been there too.
    let leader = |copy: &Option<Copy>| copy.is_none_or(|copy| there(copy.since_ms));
    if page.varies && !(leader(&in_cache) && leader(&in_kv)) {
        return None;
    }
    let mut found = all.filter(|copy| there(copy.since_ms));
    found.find_map(|copy| {
        let asked = world.origin.asked.borrow().get(&copy.stamp).cloned()?;
        let ours = asked.page == exchange.page && exchange.takes(&asked.language, world);
        let usable = ours && is_usable(world, exchange, copy, &asked);
        usable.then(|| format!("stamp {} of {} ms", copy.stamp, asked.age_ms(world)))
    })
}

fn is_usable(world: &World, exchange: &Exchange, copy: Copy, asked: &Asked) -> bool {
    if copy.seen == 0 {
        // Who filled it had never heard from the ledger: to others it is dead.
        return false;
    }
    let if_error = asked.terms.if_error_seconds(world.setup.windows);
    let took_ms = world.executor.now_ms() - exchange.began_ms;
    let left_ms = 1000 * (asked.terms.lifetime() + if_error);
    if asked.age_ms(world) + took_ms + tolerance_ms(world) >= left_ms {
        return false;
    }
    if copy.withdrawn && is_replaced(world, exchange, copy, asked) {
        return false;
    }
    // A purge on its way counts as well: then an error may be the answer.
    !is_purged(world, exchange, copy, if_error == 0)
}

/// Whether another answer, or a head with another tag, has told of another page.
fn is_replaced(world: &World, exchange: &Exchange, copy: Copy, asked: &Asked) -> bool {
    let page = &world.origin.pages[exchange.page];
    let all = world.origin.asked.borrow();
    let mut later = all.range(copy.stamp + 1..).map(|(_, other)| other);
    let another = |other: &Asked| match other.head_only {
        true => page.setup.etag && other.version != asked.version,
        false => true,
    };
    later.any(|other| other.page == exchange.page && another(other))
}

/// A copy of the data centre's Cache API that has lain there since before the
/// request came, is fresh or may be served while it is refreshed, and that no
/// editor has purged.
pub fn copy_to_serve(world: &World, seat: &Seat, exchange: &Exchange) -> Option<String> {
    let page = &world.origin.pages[exchange.page];
    if exchange.method == "POST" || page.setup.privacy.is_some() {
        return None;
    }
    let own = CacheKey::of_url(page.setup.url()).slot().clone();
    let now_ms = world.executor.now_ms();
    let copy = world.centres[seat.centre]
        .borrow()
        .lying(&own.entry_url, now_ms)?;
    let asked = world.origin.asked.borrow().get(&copy.stamp).cloned()?;
    let withdrawn = copy.withdrawn && is_replaced(world, exchange, copy, &asked);
    let there = copy.since_ms < exchange.began_ms && copy.seen > 0 && !withdrawn;
    let window = asked.terms.while_revalidate_seconds(world.setup.windows);
    let fresh_ms = 1000 * (asked.terms.lifetime() + window);
    let is_fresh = asked.age_ms(world) + tolerance_ms(world) < fresh_ms;
    let names = page.names();
    let covers = |list: &[String]| list.iter().any(|name| names.contains(name));
    let orders = world.promises.orders.borrow();
    let by_editors = orders.iter().any(|order| {
        let later = order.tick > copy.stamp || order.sequence > copy.seen;
        later
            && order.key.as_deref() == Some(DEFAULT_KEY)
            && (covers(&order.hard) || covers(&order.soft))
    });
    let usable = there && is_fresh && !by_editors;
    usable.then(|| format!("stamp {} of {} ms", copy.stamp, asked.age_ms(world)))
}

/// Whether a copy is purged, hard or, if `soft`, in any way.
fn is_purged(world: &World, exchange: &Exchange, copy: Copy, soft: bool) -> bool {
    let names = world.origin.pages[exchange.page].names();
    let covers = |list: &[String]| list.iter().any(|name| names.contains(name));
    let orders = world.promises.orders.borrow();
    orders.iter().any(|order| {
        // Who filled it may not have known the order, though it came first.
        let later = order.tick > copy.stamp || order.sequence > copy.seen;
        later && (covers(&order.hard) || (soft && covers(&order.soft)))
    })
}
