//! Where a response is stored: the free slot in each tier, as the lookup found
//! them.

use crate::cache::key::cache_key::Slot;
use crate::cache::policy::entry::Entry;
use crate::cache::policy::freshness::is_request_error;
use crate::cache::policy::storability::NotStored;
use crate::cache::policy::variant_slots::Path;
use crate::cache::request::classify::Lookup;
use crate::flow::runtime::host::Tier;

/// A word of `Cache-Status`: all slots that a request reads hold other variants
/// (`cache::policy::variant_slots`).
const NO_SLOT: &str = "too-many-variants";

/// What the lookup found about where the response can be stored.
#[derive(Debug, Default)]
pub struct StorePlacement {
    /// The paths through the slots of the tiers that were read, if other
    /// variants occupy them.
    paths: Vec<(Tier, Path)>,
    /// Whether a response was found, stale or purged, so it has been fetched
    /// before (see `cache::store::kv_admission`).
    pub seen_before: bool,
    /// Whether a response was found that only a write has made unusable. A
    /// client that writes and reads in turn can cause any number of such
    /// fetches.
    pub written: bool,
}

impl StorePlacement {
    /// Adds the path through the slots of a tier, from the key's own slot on,
    /// if other variants occupy them.
    pub fn add_path(&mut self, tier: Tier, path: Path) {
        self.paths.push((tier, path));
    }

    /// Why a storable response is not stored, as a word: it would replace a
    /// response that other requests get. `None` if it can be stored.
    pub fn refusal(&self, lookup: &Lookup, entry: &Entry) -> Option<&'static str> {
        if is_request_error(entry.status) && !self.paths.is_empty() {
            return Some(NotStored::RequestError.word());
        }
        let slot = self.slot_for(Tier::CacheApi, lookup, entry);
        slot.is_none().then_some(NO_SLOT)
    }

    /// The slot for an entry in a tier (see [`Path::place`]); the key's own
    /// slot if no other variants were found there. `None` if there is no free
    /// slot.
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
