//! Looking an answer up: tier by tier, and within a tier by variant.

use super::kv;
use super::store_placement::StorePlacement;
use crate::cache::config::rule::Kv;
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::reuse::{Age, ReuseVerdict, Unusable, as_stale, judge};
use crate::cache::policy::variant_slots::{Path, Resident};
use crate::cache::policy::window::Window;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::request_log::Report;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, Tier};
use std::rc::Rc;

/// A stored answer.
#[derive(Debug)]
pub struct Hit<B> {
    /// Its head and bookkeeping.
    pub entry: Entry,
    /// Its body, not yet read.
    pub body: Option<B>,
    /// Where it was found.
    pub tier: Tier,
    /// Where it lies there.
    pub slot: Slot,
    /// Age and what is left.
    pub age: Age,
    /// Whether it is to be refreshed before it expires.
    pub early: bool,
}

/// What was found.
#[derive(Debug)]
pub enum Found<B> {
    /// Serve it; and if it is [`Hit::early`], refresh it behind the response.
    Fresh(Hit<B>),
    /// Serve it, and refresh it behind the response.
    WhileRevalidate(Hit<B>),
    /// Ask the origin first; serve it if that fails and the flag is set.
    Stale(Hit<B>, bool),
    /// Nothing of use.
    Nothing(MissReason),
}

/// Why nothing was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// No entry for this key.
    Uri,
    /// Only entries that other values of these request fields chose; in one
    /// slot, or in all of a path.
    Variant(Resident),
    /// A purged one.
    Purged,
    /// One that would be fresh, had not a write purged it.
    Written,
    /// One that authorized requests may not have.
    Unauthorized,
}

/// What is known after looking.
#[derive(Debug)]
pub struct Search<B> {
    /// What was found.
    pub found: Found<B>,
    /// Which slots are taken by other variants.
    pub taken: StorePlacement,
}

/// Looks in the Cache API, then in KV if the rule says so. An entry that is
/// fresh, or may be served while it is refreshed, ends the search; of two
/// stale ones the younger counts.
pub async fn find<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    report: &mut Report,
) -> Search<H::Body> {
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(_) | Found::WhileRevalidate(_));
    search(host, isolate, lookup, tiers_of(lookup), enough, report).await
}

/// As [`find`], but looks on until something is fresh, and came after
/// `after_ms` if that is given: another data centre may have refreshed the
/// entry, and KV have the new one.
pub async fn find_fresh<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    after_ms: Option<u64>,
    report: &mut Report,
) -> Search<H::Body> {
    let newer = |hit: &Hit<_>| after_ms.is_none_or(|ms| hit.entry.received_ms > ms);
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(hit) if newer(hit));
    search(host, isolate, lookup, tiers_of(lookup), enough, report).await
}

/// As [`find`], once more and where there may be something by now: in the
/// Cache API if time has passed since that look, in KV if that was left unread.
/// Whatever may be served is enough.
pub async fn find_at_last<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    report: &mut Report,
) -> Found<H::Body> {
    let has_waited = host.now_ms() > report.looked_ms;
    let tiers: &[Tier] = match (has_waited, report.kv_unread) {
        (true, true) => &[Tier::CacheApi, Tier::Kv],
        (true, false) => &[Tier::CacheApi],
        (false, true) => &[Tier::Kv],
        (false, false) => &[],
    };
    let enough = |found: &Found<_>| !matches!(found, Found::Stale(_, false) | Found::Nothing(_));
    report.last_look = true;
    let search = search(host, isolate, lookup, tiers, enough, report).await;
    report.last_look = false;
    report.kv_unread = false;
    search.found
}

/// Looks in KV alone: what all data centres share.
pub async fn find_in_kv<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    report: &mut Report,
) -> Search<H::Body> {
    let mut taken = StorePlacement::default();
    let found = find_in(host, isolate, lookup, Tier::Kv, &mut taken, report).await;
    Search { found, taken }
}

async fn search<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    tiers: &[Tier],
    enough: impl Fn(&Found<H::Body>) -> bool,
    report: &mut Report,
) -> Search<H::Body> {
    let mut search = Search {
        found: Found::Nothing(MissReason::Uri),
        taken: StorePlacement::default(),
    };
    for tier in tiers {
        let found = find_in(host, isolate, lookup, *tier, &mut search.taken, report).await;
        search.found = better(search.found, found);
        if enough(&search.found) {
            break;
        }
    }
    report.looked_ms = host.now_ms();
    search
}

fn tiers_of(lookup: &Lookup) -> &'static [Tier] {
    match lookup.rule.kv {
        Kv::Never => &[Tier::CacheApi],
        Kv::Earned | Kv::Always => &[Tier::CacheApi, Tier::Kv],
    }
}

fn better<B>(one: Found<B>, other: Found<B>) -> Found<B> {
    match (&one, &other) {
        (Found::Fresh(old), Found::Fresh(new)) if new.entry.received_ms > old.entry.received_ms => {
            other
        }
        (Found::Fresh(_), _) => one,
        (_, Found::Fresh(_)) => other,
        (Found::WhileRevalidate(old), Found::WhileRevalidate(new))
            if new.entry.received_ms > old.entry.received_ms =>
        {
            other
        }
        (Found::WhileRevalidate(_), _) => one,
        (_, Found::WhileRevalidate(_)) => other,
        (Found::Stale(old, _), Found::Stale(new, _))
            if new.entry.received_ms > old.entry.received_ms =>
        {
            other
        }
        (Found::Stale(..), _) | (_, Found::Nothing(MissReason::Uri)) => one,
        _ => other,
    }
}

async fn find_in<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    tier: Tier,
    taken: &mut StorePlacement,
    report: &mut Report,
) -> Found<H::Body> {
    let mut path = Path::default();
    let mut found = Found::Nothing(MissReason::Uri);
    while let Some(slot) = path.next(lookup) {
        found = find_in_slot(host, isolate, lookup, tier, &slot, report).await;
        match found {
            Found::Nothing(MissReason::Variant(resident)) => path.pass(resident),
            _ => break,
        }
        found = Found::Nothing(MissReason::Uri);
    }
    taken.seen_before |= !matches!(found, Found::Nothing(MissReason::Uri));
    taken.written |= match &found {
        Found::Nothing(missing) => *missing == MissReason::Written,
        Found::Stale(hit, _) | Found::WhileRevalidate(hit) => {
            is_written(isolate, &hit.entry, host.now_ms())
        }
        Found::Fresh(_) => false,
    };
    if !path.names().is_empty() {
        if matches!(found, Found::Nothing(MissReason::Uri)) {
            found = Found::Nothing(MissReason::Variant(Resident {
                names: path.names().to_vec(),
                is_of_use: true,
            }));
        }
        taken.add_path(tier, path, lookup.key.slot());
    }
    found
}

/// Looks into one slot of one tier.
pub async fn find_in_slot<H: Host>(
    host: &H,
    isolate: &Rc<Isolate>,
    lookup: &Lookup,
    tier: Tier,
    slot: &Slot,
    report: &mut Report,
) -> Found<H::Body> {
    let Some((entry, body)) = recall(host, isolate, tier, slot, report).await else {
        return Found::Nothing(MissReason::Uri);
    };
    // Reading took time, in which a purge may have come in force.
    let site = &lookup.key.url.host;
    let knowledge = sync::bring_up_to_date(host, isolate, site, &mut report.ledger_ms).await;
    report.set_knowledge(knowledge.word());
    let (verdict, purged) = {
        let index = isolate.index.borrow();
        let index = knowledge.counts(isolate).then_some(&*index);
        let verdict = judge(&entry, lookup, index, host.now_ms());
        let other = matches!(verdict, ReuseVerdict::OtherVariant(_));
        let purged = index
            .filter(|_| other)
            .map(|index| entry.purge_state(index));
        (verdict, purged)
    };
    let (_, stands) = as_stale(&entry, purged, host.now_ms());
    let is_of_use = stands != Window::Gone;
    let early = matches!(verdict, ReuseVerdict::Early(_));
    let is_purged = verdict == ReuseVerdict::Unusable(Unusable::Purged);
    let missing = match is_purged && is_written(isolate, &entry, host.now_ms()) {
        true => MissReason::Written,
        false => MissReason::Purged,
    };
    let hit = |age| Hit {
        entry,
        body,
        tier,
        slot: slot.clone(),
        age,
        early,
    };
    match verdict {
        ReuseVerdict::Fresh(age) | ReuseVerdict::Early(age) => Found::Fresh(hit(age)),
        ReuseVerdict::WhileRevalidate(age) => Found::WhileRevalidate(hit(age)),
        ReuseVerdict::Stale { age, on_error } => Found::Stale(hit(age), on_error),
        ReuseVerdict::OtherVariant(names) => {
            Found::Nothing(MissReason::Variant(Resident { names, is_of_use }))
        }
        ReuseVerdict::Unusable(Unusable::OtherKey) => Found::Nothing(MissReason::Uri),
        ReuseVerdict::Unusable(Unusable::Purged) => Found::Nothing(missing),
        ReuseVerdict::Unusable(Unusable::Unauthorized) => Found::Nothing(MissReason::Unauthorized),
    }
}

/// Whether an entry is not used because of a write alone: it is young enough,
/// and no order has purged it.
fn is_written(isolate: &Isolate, entry: &Entry, now_ms: u64) -> bool {
    let young = entry.age(now_ms) < entry.terms.lifetime;
    let index = isolate.index.borrow();
    young && (index.unconfirmed.kill(entry.fetched()) || index.is_of_write(entry.purgeable()))
}

/// Reads a slot. A tier that fails, or holds what is no entry, has nothing:
/// doubt is a miss.
async fn recall<H: Host>(
    host: &H,
    isolate: &Isolate,
    tier: Tier,
    slot: &Slot,
    report: &mut Report,
) -> Option<(Entry, Option<H::Body>)> {
    let held = match tier {
        Tier::CacheApi => {
            report.reads.push(tier.word());
            host.recall(tier, slot).await
        }
        Tier::Kv => boxed(kv::recall(host, isolate, slot, report)).await,
    };
    match held {
        Ok(None) => None,
        Ok(Some((text, body))) => match Entry::decode(&text) {
            Ok(entry) => Some((entry, body)),
            Err(error) => {
                report.note(format!("{}: {error}", tier.word()));
                None
            }
        },
        Err(problem) => {
            report.note(format!("{}: {problem}", tier.word()));
            None
        }
    }
}
