//! Checks the age of responses, and whether a stale entry could have been
//! served instead of an error: by the true time, and by the origin's responses.

use super::exchange::Exchange;
use super::page::{Bytes, OriginRecord};
use super::promises::{has_detail, parameter};
use super::tiers::Copy;
use super::world::{Seat, World};
use edgekeep::cache::config::keys::DEFAULT_KEY;
use edgekeep::cache::key::cache_key::CacheKey;
use edgekeep::flow::response::reply::Answer;

/// The rounding error of ages, which are rounded to seconds twice.
const ROUNDING_MS: u64 = 2_000;

/// The greatest error of an age: the isolates that store and serve a response
/// have different clocks.
fn tolerance_ms(world: &World) -> u64 {
    2 * world.setup.skew_ms + ROUNDING_MS
}

impl OriginRecord {
    /// The age of the response now.
    fn age_ms(&self, world: &World) -> u64 {
        world.executor.now_ms() - self.at_ms + 1000 * self.age_seconds
    }
}

/// Checks that a stored response is within its lifetime or a stale window, and
/// that its `Age` is correct.
pub fn check_age(
    world: &World,
    exchange: &Exchange,
    record: &OriginRecord,
    answer: &Answer<Bytes>,
) -> Result<(), String> {
    let (terms, windows) = (&record.terms, world.setup.windows);
    let fresh = parameter(answer, "ttl").is_some_and(|ttl| ttl > 0);
    let while_revalidate = terms.while_revalidate_seconds(windows);
    let (window, seconds) = if fresh {
        ("its lifetime", 0)
    } else if has_detail(answer, "stale-while-revalidate") {
        ("stale-while-revalidate", while_revalidate)
    } else if has_detail(answer, "stale-if-error") {
        let if_error = terms.if_error_seconds(windows);
        ("stale-if-error", if_error.max(while_revalidate))
    } else if world.setup.directives && exchange.control == Some("max-stale") {
        return Ok(());
    } else {
        return Err("it is stale, and no window applied".to_owned());
    };
    let age_ms = record.age_ms(world);
    let limit_ms = 1000 * (terms.lifetime() + seconds) + tolerance_ms(world);
    if age_ms > limit_ms {
        return Err(format!(
            "{age_ms} ms old, and {window} ended at {limit_ms} ms: {terms:?}, {windows:?}"
        ));
    }
    let sent = answer.fields.get("age").and_then(|age| age.parse().ok());
    let sent_ms = sent.map_or(0, |age: u64| 1000 * age);
    if sent_ms + tolerance_ms(world) < age_ms {
        return Err(format!("{age_ms} ms old, and its Age is {sent:?} s"));
    }
    Ok(())
}

/// An entry that could have been served instead of an error: it was in a tier
/// from before the request until now, and within `stale-if-error`.
pub fn usable_copy(world: &World, seat: &Seat, exchange: &Exchange) -> Option<String> {
    let page = &world.origin.pages[exchange.page].setup;
    // A ledger that drops marks purges more than was ordered.
    let exact = world.setup.ledger.small.is_none() && !world.ledger.inexact.get();
    let write = exchange.method == "POST";
    if !exact || write || page.privacy.is_some() || exchange.tier_failed.get() {
        return None;
    }
    // An isolate applies a write at once, possibly before the ledger has it.
    let exchanges = world.exchanges.borrow();
    let mut here = exchanges.iter().filter(|(_, at)| std::ptr::eq(&**at, seat));
    if here.any(|(other, _)| other.page == exchange.page && other.written.get()) {
        return None;
    }
    let own = CacheKey::of_url(page.url()).slot().clone();
    let now_ms = world.executor.now_ms();
    let cache = world.centres[seat.centre].borrow();
    let kv = world.kv.borrow();
    let in_cache = cache.copy_in_slot(&own.entry_url, now_ms);
    let in_kv = kv.copy_in_slot(&own.digest, seat.centre, now_ms);
    // The first variant leads to the others, except a purged one of the very
    // variant that is looked up.
    let leads = |copy: &Copy| {
        let record = world.origin.records.borrow();
        let record = record.get(&copy.stamp);
        let of_ours = record.is_some_and(|record| exchange.takes(&record.language, world));
        page.varies && !(of_ours && is_purged(world, exchange, *copy, false))
    };
    let beside_in_cache = in_cache.filter(leads).map(|_| cache.all(now_ms));
    let beside_in_kv = in_kv.filter(leads);
    let beside_in_kv = beside_in_kv.map(|_| kv.all(seat.centre, now_ms));
    let all = (in_cache.into_iter().chain(in_kv))
        .chain(beside_in_cache.into_iter().flatten())
        .chain(beside_in_kv.into_iter().flatten());
    let there = |since_ms: u64| since_ms <= exchange.began_ms;
    // The entry that leads to a variant must have been there, too.
    let leader = |copy: &Option<Copy>| copy.is_none_or(|copy| there(copy.since_ms));
    if page.varies && !(leader(&in_cache) && leader(&in_kv)) {
        return None;
    }
    let mut found = all.filter(|copy| there(copy.since_ms));
    found.find_map(|copy| {
        let record = world.origin.records.borrow().get(&copy.stamp).cloned()?;
        let ours = record.page == exchange.page && exchange.takes(&record.language, world);
        let usable = ours && is_usable(world, exchange, copy, &record);
        usable.then(|| format!("stamp {} of {} ms", copy.stamp, record.age_ms(world)))
    })
}

fn is_usable(world: &World, exchange: &Exchange, copy: Copy, record: &OriginRecord) -> bool {
    if copy.seen == 0 {
        // Its isolate had received no feed: other isolates treat it as purged.
        return false;
    }
    let if_error = record.terms.if_error_seconds(world.setup.windows);
    let took_ms = world.executor.now_ms() - exchange.began_ms;
    let left_ms = 1000 * (record.terms.lifetime() + if_error);
    if record.age_ms(world) + took_ms + tolerance_ms(world) >= left_ms {
        return false;
    }
    if copy.withdrawn && is_replaced(world, exchange, copy, record) {
        return false;
    }
    // A purge in transit counts, too: then an error is allowed.
    !is_purged(world, exchange, copy, if_error == 0)
}

/// Whether a later response, or a head with another ETag, has replaced the
/// entry.
fn is_replaced(world: &World, exchange: &Exchange, copy: Copy, record: &OriginRecord) -> bool {
    let page = &world.origin.pages[exchange.page];
    let all = world.origin.records.borrow();
    let mut later = all.range(copy.stamp + 1..).map(|(_, other)| other);
    let another = |other: &OriginRecord| match other.head_only {
        true => page.setup.etag && other.version != record.version,
        false => true,
    };
    later.any(|other| other.page == exchange.page && another(other))
}

/// An entry in the data centre's Cache API that was there before the request,
/// is fresh or within `stale-while-revalidate`, and that no editor has purged.
pub fn copy_to_serve(world: &World, seat: &Seat, exchange: &Exchange) -> Option<String> {
    let page = &world.origin.pages[exchange.page];
    if exchange.method == "POST" || page.setup.privacy.is_some() {
        return None;
    }
    let own = CacheKey::of_url(page.setup.url()).slot().clone();
    let now_ms = world.executor.now_ms();
    let copy = world.centres[seat.centre]
        .borrow()
        .copy_in_slot(&own.entry_url, now_ms)?;
    let record = world.origin.records.borrow().get(&copy.stamp).cloned()?;
    let withdrawn = copy.withdrawn && is_replaced(world, exchange, copy, &record);
    let there = copy.since_ms < exchange.began_ms && copy.seen > 0 && !withdrawn;
    let window = record.terms.while_revalidate_seconds(world.setup.windows);
    let fresh_ms = 1000 * (record.terms.lifetime() + window);
    let is_fresh = record.age_ms(world) + tolerance_ms(world) < fresh_ms;
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
    usable.then(|| format!("stamp {} of {} ms", copy.stamp, record.age_ms(world)))
}

/// Whether an entry is purged hard or, if `soft`, in any way.
fn is_purged(world: &World, exchange: &Exchange, copy: Copy, soft: bool) -> bool {
    let names = world.origin.pages[exchange.page].names();
    let covers = |list: &[String]| list.iter().any(|name| names.contains(name));
    let orders = world.promises.orders.borrow();
    orders.iter().any(|order| {
        // The isolate that filled it may not have received the order, even if
        // the order is older.
        let later = order.tick > copy.stamp || order.sequence > copy.seen;
        later && (covers(&order.hard) || (soft && covers(&order.soft)))
    })
}
