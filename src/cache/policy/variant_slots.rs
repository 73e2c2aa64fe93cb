//! The slots in which the variants of one cache key are stored (RFC 9111 §4.1).
//!
//! An origin may list different fields in `Vary` from one response to the next:
//! the English page varies by two fields, the German one by one. Which fields
//! selected a response is known only once it is found. So the slots of a key
//! form a path for each request. The first slot is the key's own. If it holds a
//! response that other values selected, the next slot is that of the request's
//! own values for the fields of that response; and so on, with the fields of
//! all responses on the path. A response is stored at the end of its request's
//! path, so it replaces no other. If all responses vary by the same fields, the
//! path has two slots at most.
//!
//! Each step adds a field in which requests really differ. Unless rules forward
//! more, origins receive three such fields (`request::NEGOTIATION`): then four
//! slots are always enough.

use super::entry::Entry;
use crate::cache::key::cache_key::Slot;
use crate::cache::key::variant::variant_text;
use crate::cache::request::classify::Lookup;

/// The largest number of slots of a key that are looked up in each tier: one
/// more than the fields by which requests differ if no rule forwards others. A
/// miss reads that many at most, and two if all responses vary by the same
/// fields.
pub const PATH_SLOTS_MAX: usize = 4;

/// A response on the path that other values selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The request fields that selected it.
    pub names: Vec<String>,
    /// Whether it may still be served to any request: it is fresh, or in a
    /// stale window.
    pub is_of_use: bool,
}

/// The path of a request through the slots of its key in one tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The responses passed.
    residents: Vec<Resident>,
    /// The fields that selected them, sorted, each once.
    names: Vec<String>,
    /// Whether the path ends because its last response adds no field. This
    /// should not happen; that response is replaced.
    is_odd: bool,
}

impl Path {
    /// Returns the slot to look up next; `None` at the end of the path.
    pub fn next(&self, lookup: &Lookup) -> Option<Slot> {
        let goes_on = !self.is_odd && self.residents.len() < PATH_SLOTS_MAX;
        goes_on.then(|| slot_of(lookup, &self.names))
    }

    /// Records that the next slot holds a response that other values selected.
    pub fn pass(&mut self, resident: Resident) {
        let known = self.names.len();
        let names = merged(&self.names, &resident.names);
        self.is_odd = names.len() == known;
        if !self.is_odd {
            self.names = names;
            self.residents.push(resident);
        }
    }

    /// The fields that selected the passed responses; empty if there are no
    /// variants for other requests.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the slot for this entry. That is the end of the path, or the
    /// slot of a passed response that is of no use any more and varied by other
    /// fields. (One that varied by the same fields leads to other variants like
    /// this one.) Returns `None` if all slots are taken: replacing one could
    /// make two requests replace each other's response forever.
    pub fn place(&self, lookup: &Lookup, entry: &Entry) -> Option<Slot> {
        let own = || entry.choices.iter().map(|(name, _)| name);
        let mut names = Vec::new();
        for resident in &self.residents {
            if !resident.is_of_use && !own().eq(resident.names.iter()) {
                return Some(slot_of(lookup, &names));
            }
            names = merged(&names, &resident.names);
        }
        let has_room = self.residents.len() < PATH_SLOTS_MAX;
        has_room.then(|| slot_of(lookup, &names))
    }
}

/// Returns the slot for the values that this request has for these fields.
fn slot_of(lookup: &Lookup, names: &[String]) -> Slot {
    match names.is_empty() {
        true => lookup.key.slot().clone(),
        false => lookup
            .key
            .variant_slot(&variant_text(&lookup.choices(names))),
    }
}

fn merged(some: &[String], others: &[String]) -> Vec<String> {
    let mut names = [some, others].concat();
    names.sort_unstable();
    names.dedup();
    names
}
