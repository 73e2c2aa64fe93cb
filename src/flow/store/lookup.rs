//! Lookup of a stored response: tier by tier, and within a tier by variant.

use super::kv::{self, Attempt};
use super::store_placement::StorePlacement;
use crate::cache::config::rule::Kv;
use crate::cache::explain::copy::{CopyFacts, verdict_word};
use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::reuse::{Age, ReuseVerdict, Unusable, judge, may_serve_stale};
use crate::cache::policy::variant_slots::{Path, Resident};
use crate::cache::purge::index::PurgeIndex;
use crate::cache::request::classify::Lookup;
use crate::flow::isolate::request_cx::RequestCx;
use crate::flow::purge::sync;
use crate::flow::response::request_log::RequestLog;
use crate::flow::runtime::boxed::boxed;
use crate::flow::runtime::host::{Host, Tier};
use std::rc::Rc;

/// A stored response.
#[derive(Debug)]
pub struct Hit<B> {
    /// Its head and bookkeeping.
    pub entry: Entry,
    /// Its body, not yet read.
    pub body: Option<B>,
    /// The tier where it was found.
    pub tier: Tier,
    /// Its slot in that tier.
    pub slot: Slot,
    /// Its age and remaining freshness.
    pub age: Age,
    /// Whether it is to be refreshed before it expires (early refresh).
    pub early: bool,
}

/// The result of a lookup.
#[derive(Debug)]
pub enum Found<B> {
    /// Serve it. If it is [`Hit::early`], also refresh it in the background.
    Fresh(Hit<B>),
    /// Serve it, and refresh it in the background.
    WhileRevalidate(Hit<B>),
    /// Revalidate it first. Serve it if the origin fails and the flag is set.
    Stale(Hit<B>, bool),
    /// Nothing usable.
    Nothing(MissReason),
}

/// Why nothing usable was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// No entry for this key.
    Uri,
    /// Only variants for other values of these request fields; of one slot, or
    /// of all slots on the path of variants.
    Variant(Resident),
    /// A purged entry.
    Purged,
    /// An entry that would be fresh if a write had not purged it.
    Written,
    /// An entry that requests with credentials may not use.
    Unauthorized,
}

/// The result of a lookup, with what later steps need.
#[derive(Debug)]
pub struct Search<B> {
    /// What was found.
    pub found: Found<B>,
    /// Which slots are taken by other variants.
    pub placement: StorePlacement,
    /// Which tiers have been read, and when.
    pub tiers_read: TiersRead,
}

/// Which tiers a lookup has read, and when. [`find_again`] reads those that may
/// hold more by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TiersRead {
    /// When the lookup ended, in milliseconds since 1970.
    pub ended_ms: u64,
    /// Whether KV was not read: it failed, was slow, or is paused.
    pub kv_unread: bool,
}

/// Looks in the Cache API, then in KV if the rule uses it. The first entry that
/// is fresh, or may be served while it is refreshed, ends the lookup. Of two
/// stale entries, the later received one wins.
pub async fn find<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Search<H::Body> {
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(_) | Found::WhileRevalidate(_));
    let mut search = TierSearch::new(cx, Attempt::First, log);
    let found = search.find(tiers_of(cx.lookup), enough).await;
    search.end(found)
}

/// Like [`find`], but continues until an entry is fresh, and was received after
/// `after_ms` if that is given. Another data centre may have refreshed the
/// entry, and KV may hold the new one.
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

/// Like [`find`], but after an origin failure, and only where there may be more
/// by now: in the Cache API if time has passed since the first lookup, in KV if
/// that was not read. Any entry that may be served ends the lookup.
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

/// Looks in KV, which all data centres share. If nothing there is fresh, it
/// also looks in the Cache API: the fetched response will go to both, and must
/// not replace another variant in either.
pub async fn find_in_kv<H: Host>(cx: RequestCx<'_, H>, log: &mut RequestLog) -> Search<H::Body> {
    let enough = |found: &Found<_>| matches!(found, Found::Fresh(_));
    let mut search = TierSearch::new(cx, Attempt::First, log);
    let found = search.find(&[Tier::Kv, Tier::CacheApi], enough).await;
    search.end(found)
}

/// The slots for a response that names its own key (`No-Vary-Search`), if that
/// key is not the one looked up. Reads the tiers to find the free slots.
pub async fn placement_by_response<H: Host>(
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

/// Looks in one slot of the Cache API.
pub async fn find_in_slot<H: Host>(
    cx: RequestCx<'_, H>,
    slot: &Slot,
    log: &mut RequestLog,
) -> Found<H::Body> {
    TierSearch::new(cx, Attempt::First, log)
        .find_in_slot(Tier::CacheApi, slot)
        .await
}

/// A lookup in progress.
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
        let mut tiers = tiers.iter();
        for tier in tiers.by_ref() {
            let found = self.find_in(*tier).await;
            best = better(best, found);
            if enough(&best) {
                break;
            }
        }
        if self.cx.observation.is_some() {
            // The other tiers are read to be shown, and decide nothing.
            for tier in tiers {
                drop(self.find_in(*tier).await);
            }
        }
        best
    }

    /// Looks in the slots of one tier.
    async fn find_in(&mut self, tier: Tier) -> Found<H::Body> {
        let lookup = self.cx.lookup;
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
            Found::Stale(hit, _) | Found::WhileRevalidate(hit) => is_written(self.cx, &hit.entry),
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

    /// Looks in one slot of one tier.
    async fn find_in_slot(&mut self, tier: Tier, slot: &Slot) -> Found<H::Body> {
        let Some((entry, body)) = self.read_entry(tier, slot).await else {
            return Found::Nothing(MissReason::Uri);
        };
        // Reading took time; a purge may have come into force meanwhile.
        let index_state = sync::update_index(self.cx).await;
        self.log.set_index_state(index_state.word());
        let RequestCx {
            isolate, lookup, ..
        } = self.cx;
        let now_ms = self.cx.now_ms();
        let (verdict, purged) = self.cx.with_index(|index| {
            let index = index_state.may_decide(isolate).then_some(index);
            let verdict = judge(&entry, lookup, index, now_ms);
            let other = matches!(verdict, ReuseVerdict::OtherVariant(_));
            let purged = index
                .filter(|_| other)
                .map(|index| entry.purge_state(index));
            if let Some(observation) = self.cx.observation {
                let word = verdict_word(&verdict);
                let copy = CopyFacts::of(&slot.entry_url, &entry, word, index, now_ms);
                observation.add(tier, copy);
            }
            (verdict, purged)
        });
        let is_of_use = may_serve_stale(&entry, purged, now_ms);
        let early = matches!(verdict, ReuseVerdict::Early(_));
        let is_purged = verdict == ReuseVerdict::Unusable(Unusable::Purged);
        let missing = match is_purged && is_written(self.cx, &entry) {
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

    /// Reads a slot. A failing tier or an invalid entry counts as a miss.
    async fn read_entry(&mut self, tier: Tier, slot: &Slot) -> Option<(Entry, Option<H::Body>)> {
        let host = self.cx.host;
        let content = match tier {
            Tier::CacheApi => {
                self.log.reads.push(tier.word());
                host.read_slot(tier, slot).await
            }
            Tier::Kv => {
                let read = kv::read_slot(self.cx, slot, self.attempt, self.log);
                let content = boxed(read).await;
                self.kv_unread |= content.is_err();
                content
            }
        };
        match content {
            Ok(None) => None,
            Ok(Some((text, body))) => match Entry::decode(&text) {
                Ok(entry) => Some((entry, body)),
                Err(error) => {
                    self.log.add_note(format!("{}: {error}", tier.word()));
                    None
                }
            },
            Err(problem) => {
                self.log.add_note(format!("{}: {problem}", tier.word()));
                None
            }
        }
    }
}

/// Whether only a write prevents the use of an entry: it is fresh, and no order
/// has purged it.
fn is_written<H: Host>(cx: RequestCx<'_, H>, entry: &Entry) -> bool {
    let young = entry.age(cx.now_ms()) < entry.terms.lifetime;
    let by_write = |index: &PurgeIndex| {
        index.unconfirmed.purges(entry.fetched()) || index.is_of_write(entry.purgeable())
    };
    young && cx.with_index(by_write)
}
