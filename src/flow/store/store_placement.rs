//! Where an answer is stored: the slot in each tier, as the look-up has found
//! them taken.

use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::freshness::blames_request;
use crate::cache::policy::storability::NotStored;
use crate::cache::policy::variant_slots::Path;
use crate::cache::request::classify::Lookup;
use crate::flow::runtime::host::Tier;

/// A word for `Cache-Status`: all slots in which a request looks hold other
/// variants (`cache::policy::variant_slots`).
const NO_SLOT: &str = "too-many-variants";

/// What the look-up found out about where an answer is to be stored.
#[derive(Debug, Default)]
pub struct StorePlacement {
    /// The ways through the slots of the tiers that were looked at, where
    /// variants for others lie on them.
    paths: Vec<(Tier, Path)>,
    /// Whether there was an answer, stale or purged: it has been fetched
    /// before (see `cache::store::kv_admission`).
    pub seen_before: bool,
    /// Whether there was an answer that a write alone has made unusable: who
    /// writes and reads in turn has it fetched as often as they like.
    pub written: bool,
}

impl StorePlacement {
    /// Notes the way through the slots of a tier from the key's own slot on,
    /// where variants for others lie on it.
    pub fn add_path(&mut self, tier: Tier, path: Path) {
        self.paths.push((tier, path));
    }

    /// Why an answer that may be stored is not, in a word, if so: it would take
    /// the place of what other requests are given.
    pub fn refusal(&self, lookup: &Lookup, entry: &Entry) -> Option<&'static str> {
        if blames_request(entry.status) && !self.paths.is_empty() {
            return Some(NotStored::RequestError.word());
        }
        let slot = self.slot_for(Tier::CacheApi, lookup, entry);
        slot.is_none().then_some(NO_SLOT)
    }

    /// Where an entry goes in a tier (see [`Path::place`]); the key's own slot
    /// if no other variants were seen there. `None` if there is no room.
    pub fn slot_for(&self, tier: Tier, lookup: &Lookup, entry: &Entry) -> Option<Slot> {
        if entry.status == 206 {
            return Some(lookup.key.part_slot());
        }
        match self.paths.iter().find(|(of, _)| *of == tier) {
            Some((_, path)) => path.place(lookup, entry),
            None => Some(lookup.key.slot().clone()),
        }
    }
}
