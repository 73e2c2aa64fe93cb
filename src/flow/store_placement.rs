//! Where an answer is stored: the slot in each tier, as the look-up has found
//! them taken.

use super::host::Tier;
use crate::cache::entry::Entry;
use crate::cache::key::Slot;
use crate::cache::negotiation;
use crate::cache::request::Lookup;

/// What the look-up found out about where an answer is to be stored.
#[derive(Debug, Default)]
pub struct StorePlacement {
    /// The tiers in which the key's own slot is taken by another variant, and
    /// the fields that chose that one.
    others: Vec<(Tier, Vec<String>)>,
    /// Whether there was an answer, stale or purged: it has been fetched
    /// before (see `cache::admission`).
    pub seen_before: bool,
    /// Whether there was an answer that a write alone has made unusable: who
    /// writes and reads in turn has it fetched as often as they like.
    pub written: bool,
}

impl StorePlacement {
    /// Notes that another variant, which these fields chose, has taken the
    /// key's own slot in a tier.
    pub fn add_other(&mut self, tier: Tier, names: Vec<String>) {
        self.others.push((tier, names));
    }

    /// Whether there are variants for other requests.
    pub fn is_of_variants(&self) -> bool {
        !self.others.is_empty()
    }

    /// Where an entry goes in a tier: beside another variant that the same
    /// fields choose; else into the key's own slot, where it is looked for
    /// first.
    pub fn slot_for(&self, tier: Tier, lookup: &Lookup, entry: &Entry) -> Slot {
        if entry.status == 206 {
            return lookup.key.part_slot();
        }
        let names = entry.choices.iter().map(|(name, _)| name);
        let taken = self.others.iter().any(|(of, others)| {
            *of == tier && !others.is_empty() && names.clone().eq(others.iter())
        });
        if taken {
            let variant = negotiation::variant_text(&entry.choices);
            lookup.key.variant_slot(&variant)
        } else {
            lookup.key.slot().clone()
        }
    }
}
