//! What one isolate has counted since its last report.

use super::row::{Counts, NAME_BYTES_MAX, OTHER, StatsRow};
use crate::cache::config::rule::Rule;
use std::rc::Rc;

/// How many slots an isolate holds between two reports: about 60 KB, and 140 KB
/// with the longest names. A site has some twenty a minute; beyond the limit,
/// hosts and rules are not told apart.
const SLOTS_MAX: usize = 300;

/// A minute, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// An event to count.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// When it happened, in milliseconds since 1970.
    pub now_ms: u64,
    /// See [`StatsRow::host`].
    pub host: &'a str,
    /// The rule; `None` for Edgekeep's own addresses.
    pub rule: Option<&'a Rc<Rule>>,
    /// See [`StatsRow::outcome`].
    pub outcome: &'static str,
    /// See [`StatsRow::reason`].
    pub reason: &'static str,
    /// See [`StatsRow::tier`].
    pub tier: &'static str,
    /// Status code of the response.
    pub status: u16,
    /// What to add.
    pub counts: Counts,
}

/// Events that are alike.
#[derive(Clone, Debug)]
struct CountSlot {
    minute: u64,
    /// `None`: all hosts and rules for which there is no room.
    place: Option<(String, Option<Rc<Rule>>)>,
    outcome: &'static str,
    reason: &'static str,
    tier: &'static str,
    class: u16,
    counts: Counts,
}

impl CountSlot {
    /// Whether an event is of this kind, wherever it happened. A comparison of
    /// words compares their lengths first.
    fn is_like(&self, event: &Event<'_>, minute: u64) -> bool {
        self.class == event.status / 100
            && self.minute == minute
            && self.outcome == event.outcome
            && self.tier == event.tier
            && self.reason == event.reason
    }

    fn is_at(&self, event: &Event<'_>) -> bool {
        let Some((host, rule)) = &self.place else {
            return false;
        };
        let same_rule = match (rule, event.rule) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        same_rule && host == event.host
    }
}

/// The counts of an isolate since its last report.
#[derive(Debug, Default)]
pub struct Counter {
    slots: Vec<CountSlot>,
    /// When the first event after the last report was counted.
    since_ms: Option<u64>,
}

impl Counter {
    /// Counts an event.
    pub fn add(&mut self, event: &Event<'_>) {
        let minute = event.now_ms / MINUTE_MS;
        self.since_ms = self.since_ms.or(Some(event.now_ms));
        // The latest slots are the most used.
        let mut slots = self.slots.iter_mut().rev();
        let known = slots.find(|slot| slot.is_like(event, minute) && slot.is_at(event));
        if let Some(slot) = known {
            return slot.counts.add(&event.counts);
        }
        let has_room = self.slots.len() < SLOTS_MAX && event.host.len() <= NAME_BYTES_MAX;
        if !has_room && let Some(slot) = self.slot_of_others(event, minute) {
            return slot.counts.add(&event.counts);
        }
        self.slots.push(CountSlot {
            minute,
            place: has_room.then(|| (event.host.to_owned(), event.rule.cloned())),
            outcome: event.outcome,
            reason: event.reason,
            tier: event.tier,
            class: event.status / 100,
            counts: event.counts,
        });
    }

    /// The slot of other hosts and rules; any such slot if there are too many.
    fn slot_of_others(&mut self, event: &Event<'_>, minute: u64) -> Option<&mut CountSlot> {
        let is_full = self.slots.len() >= 2 * SLOTS_MAX;
        self.slots
            .iter_mut()
            .find(|slot| slot.place.is_none() && (is_full || slot.is_like(event, minute)))
    }

    /// For how many milliseconds events have waited to be reported; `None` if
    /// there are none.
    pub fn waiting_ms(&self, now_ms: u64) -> Option<u64> {
        self.since_ms.map(|since| now_ms.saturating_sub(since))
    }

    /// Takes what was counted, to report it.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The rows of a report. `name_of` gives a rule's name, and is called once
    /// for each rule.
    pub fn rows(&self, name_of: impl Fn(&Rule) -> String) -> Vec<StatsRow> {
        let mut names: Vec<(*const Rule, String)> = Vec::new();
        let mut name = |rule: &Rc<Rule>| {
            let known = names.iter().find(|(of, _)| *of == Rc::as_ptr(rule));
            if let Some((_, name)) = known {
                return name.clone();
            }
            let name = name_of(rule);
            names.push((Rc::as_ptr(rule), name.clone()));
            name
        };
        let rows = self.slots.iter().map(|slot| {
            let (host, rule) = match &slot.place {
                Some((host, rule)) => (host.clone(), rule.as_ref().map(&mut name)),
                None => (OTHER.to_owned(), Some(OTHER.to_owned())),
            };
            StatsRow {
                time: slot.minute.saturating_mul(60),
                host,
                rule: rule.unwrap_or_default(),
                outcome: slot.outcome.to_owned(),
                reason: slot.reason.to_owned(),
                tier: slot.tier.to_owned(),
                status: format!("{}xx", slot.class),
                counts: slot.counts,
            }
        });
        rows.collect()
    }
}
