//! Looking an answer up: tier by tier, and within a tier by variant.

use super::kv::{self, Attempt};
use super::store_placement::StorePlacement;
use crate::cache::config::rule::Kv;
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::reuse::{Age, ReuseVerdict, Unusable, judge, may_serve_stale};
use crate::cache::policy::variant_slots::{Path, Resident};
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::isolate::state::Isolate;
use crate::flow::purge::sync;
use crate::flow::response::request_log::RequestLog;
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

/// What a lookup came to.
#[derive(Debug)]
pub struct Search<B> {
    /// What was found.
    pub found: Found<B>,
    /// Which slots are taken by other variants.
    pub placement: StorePlacement,
    /// Which tiers have been read, and when.
    pub tiers_read: TiersRead,
}

/// Which tiers a lookup has read, and when: [`find_again`] reads what may hold
/// more by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TiersRead {
    /// When the lookup ended, in milliseconds since 1970.
    pub ended_ms: u64,
    /// Whether KV was left unread: it failed, was slow, or is paused.
    pub kv_unread: bool,
}

/// Looks in the Cache API, then in KV if the rule says so. An entry that is
/// fresh, or may be served while it is refreshed, ends the search; of two
/// stale ones the younger counts.
pub async fn find<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Search<H::Body> {
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(_) | Found::WhileRevalidate(_));
    let mut search = TierSearch::new(cx, Attempt::First, log);
    let found = search.find(tiers_of(cx.lookup), enough).await;
    search.end(found)
}

/// As [`find`], but looks on until something is fresh, and was received after
/// `after_ms` if that is given: another data centre may have refreshed the
/// entry, and KV have the new one.
pub async fn find_fresh<H: Host>(
    cx: RequestCx<'_, H>,
    after_ms: Option<u64>,
    log: &mut RequestLog,
) -> Search<H::Body> {
    let newer = |hit: &Hit<_>| after_ms.is_none_or(|ms| hit.entry.received_ms > ms);
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(hit) if newer(hit));
    let mut search = TierSearch::new(cx, Attempt::First, log);
    let found = search.find(tiers_of(cx.lookup), enough).await;
    search.end(found)
}

/// As [`find`], after the origin has failed, where there may be something by
/// now: in the Cache API if time has passed since that lookup, in KV if that
/// was left unread. Whatever may be served is enough.
pub async fn find_again<H: Host>(
    cx: RequestCx<'_, H>,
    first: TiersRead,
    log: &mut RequestLog,
) -> Found<H::Body> {
    let has_waited = cx.now_ms() > first.ended_ms;
    let tiers: &[Tier] = match (has_waited, first.kv_unread) {
        (true, true) => &[Tier::CacheApi, Tier::Kv],
        (true, false) => &[Tier::CacheApi],
        (false, true) => &[Tier::Kv],
        (false, false) => &[],
    };
    let enough = |found: &Found<_>| !matches!(found, Found::Stale(_, false) | Found::Nothing(_));
    TierSearch::new(cx, Attempt::Last, log)
        .find(tiers, enough)
        .await
}

/// Looks in KV, which all data centres share, and if nothing is fresh there, in
/// the Cache API as well: what is fetched then goes to both, and in neither
/// takes the place of another variant.
pub async fn find_in_kv<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Search<H::Body> {
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(_));
    let mut search = TierSearch::new(cx, Attempt::First, log);
    let found = search.find(&[Tier::Kv, Tier::CacheApi], enough).await;
    search.end(found)
}

/// Where a response is stored that names its own key (`No-Vary-Search`), if that
/// is another one than was looked up: in the slots that are free there.
pub async fn placement_by_answer<H: Host>(
    cx: RequestCx<'_, H>,
    keyed: &Rc<Lookup>,
    placement: &StorePlacement,
    log: &mut RequestLog,
) -> Option<StorePlacement> {
    if keyed.key.slot() == cx.lookup.key.slot() {
        return None;
    }
    let mut search = TierSearch::new(cx.with_lookup(keyed), Attempt::First, log);
    for tier in tiers_of(keyed) {
        drop(search.find_in(*tier).await);
    }
    let mut there = search.placement;
    there.seen_before |= placement.seen_before;
    there.written |= placement.written;
    Some(there)
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

/// Looks into one slot of the Cache API.
pub async fn find_in_slot<H: Host>(
    cx: RequestCx<'_, H>,
    slot: &Slot,
    log: &mut RequestLog,
) -> Found<H::Body> {
    TierSearch::new(cx, Attempt::First, log)
        .find_in_slot(Tier::CacheApi, slot)
        .await
}

/// A lookup under way.
struct TierSearch<'a, 'l, H> {
    cx: RequestCx<'a, H>,
    attempt: Attempt,
    placement: StorePlacement,
    kv_unread: bool,
    log: &'l mut RequestLog,
}

impl<'a, 'l, H: Host> TierSearch<'a, 'l, H> {
    fn new(cx: RequestCx<'a, H>, attempt: Attempt, log: &'l mut RequestLog) -> Self {
        Self {
            cx,
            attempt,
            placement: StorePlacement::default(),
            kv_unread: false,
            log,
        }
    }

    fn end(self, found: Found<H::Body>) -> Search<H::Body> {
        Search {
            found,
            placement: self.placement,
            tiers_read: TiersRead {
                ended_ms: self.cx.now_ms(),
                kv_unread: self.kv_unread,
            },
        }
    }

    async fn find(
        &mut self,
        tiers: &[Tier],
        enough: impl Fn(&Found<H::Body>) -> bool,
    ) -> Found<H::Body> {
        let mut best = Found::Nothing(MissReason::Uri);
        for tier in tiers {
            let found = self.find_in(*tier).await;
            best = better(best, found);
            if enough(&best) {
                break;
            }
        }
        best
    }

    /// Looks into the slots of one tier.
    async fn find_in(&mut self, tier: Tier) -> Found<H::Body> {
        let RequestCx {
            isolate, lookup, ..
        } = self.cx;
        let mut path = Path::default();
        let mut found = Found::Nothing(MissReason::Uri);
        while let Some(slot) = path.next(lookup) {
            found = self.find_in_slot(tier, &slot).await;
            match found {
                Found::Nothing(MissReason::Variant(resident)) => path.pass(resident),
                _ => break,
            }
            found = Found::Nothing(MissReason::Uri);
        }
        self.placement.seen_before |= !matches!(found, Found::Nothing(MissReason::Uri));
        self.placement.written |= match &found {
            Found::Nothing(missing) => *missing == MissReason::Written,
            Found::Stale(hit, _) | Found::WhileRevalidate(hit) => {
                is_written(isolate, &hit.entry, self.cx.now_ms())
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
            self.placement.add_path(tier, path);
        }
        found
    }

    /// Looks into one slot of one tier.
    async fn find_in_slot(&mut self, tier: Tier, slot: &Slot) -> Found<H::Body> {
        let Some((entry, body)) = self.recall(tier, slot).await else {
            return Found::Nothing(MissReason::Uri);
        };
        // Reading took time, in which a purge may have come in force.
        let knowledge = sync::bring_up_to_date(self.cx).await;
        self.log.set_knowledge(knowledge.word());
        let RequestCx {
            isolate, lookup, ..
        } = self.cx;
        let now_ms = self.cx.now_ms();
        let (verdict, purged) = {
            let index = isolate.index.borrow();
            let index = knowledge.counts(isolate).then_some(&*index);
            let verdict = judge(&entry, lookup, index, now_ms);
            let other = matches!(verdict, ReuseVerdict::OtherVariant(_));
            let purged = index
                .filter(|_| other)
                .map(|index| entry.purge_state(index));
            (verdict, purged)
        };
        let is_of_use = may_serve_stale(&entry, purged, now_ms);
        let early = matches!(verdict, ReuseVerdict::Early(_));
        let is_purged = verdict == ReuseVerdict::Unusable(Unusable::Purged);
        let missing = match is_purged && is_written(isolate, &entry, now_ms) {
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
            ReuseVerdict::Unusable(Unusable::Unauthorized) => {
                Found::Nothing(MissReason::Unauthorized)
            }
        }
    }

    /// Reads a slot. A tier that fails, or holds what is no entry, has nothing:
    /// doubt is a miss.
    async fn recall(&mut self, tier: Tier, slot: &Slot) -> Option<(Entry, Option<H::Body>)> {
        let RequestCx { host, isolate, .. } = self.cx;
        let held = match tier {
            Tier::CacheApi => {
                self.log.reads.push(tier.word());
                host.recall(tier, slot).await
            }
            Tier::Kv => {
                let read = kv::recall(host, isolate, slot, self.attempt, self.log);
                let held = boxed(read).await;
                self.kv_unread |= held.is_err();
                held
            }
        };
        match held {
            Ok(None) => None,
            Ok(Some((text, body))) => match Entry::decode(&text) {
                Ok(entry) => Some((entry, body)),
                Err(error) => {
                    self.log.note(format!("{}: {error}", tier.word()));
                    None
                }
            },
            Err(problem) => {
                self.log.note(format!("{}: {problem}", tier.word()));
                None
            }
        }
    }
}

/// Whether an entry is not used because of a write alone: it is young enough,
/// and no order has purged it.
fn is_written(isolate: &Isolate, entry: &Entry, now_ms: u64) -> bool {
    let young = entry.age(now_ms) < entry.terms.lifetime;
    let index = isolate.index.borrow();
    young && (index.unconfirmed.kill(entry.fetched()) || index.is_of_write(entry.purgeable()))
}
