//! Where the variants of one key lie (RFC 9111 §4.1).
//!
//! An origin may name other fields in `Vary` from one answer to the next: the
//! English page varies by two fields, the German one by one. What chose an
//! answer is known only once it is found. So the slots of a key form a path for
//! each request: the first is the key's own; if an answer lies there that other
//! values chose, the next is that of the request's own values for the fields
//! which chose it; and so on, by the fields of all answers on the way. An
//! answer is stored where the path of its request ends, so it takes the place
//! of no other; and where all answers vary by the same fields, the path has two
//! slots at most.
//!
//! Each step adds a field in which requests really differ. Without rules that
//! forward more, origins see three (`request::NEGOTIATION`): then four slots
//! are always enough.

use super::entry::Entry;
use crate::cache::key::cache_key::Slot;
use crate::cache::key::variant::variant_text;
use crate::cache::request::classify::Lookup;

/// How many slots of a key are looked at, in each tier: one more than the
/// fields by which requests differ if no rule forwards others. A miss reads
/// that many at most, and two where all answers vary by the same fields.
pub const PATH_SLOTS_MAX: usize = 4;

/// An answer on the way that other values chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// The request fields that chose it.
    pub names: Vec<String>,
    /// Whether it may still be served to somebody: fresh, or in one of its
    /// stale windows.
    pub is_of_use: bool,
}

/// The way of a request through the slots of its key in one tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// The answers passed.
    residents: Vec<Resident>,
    /// The fields that chose those, sorted, once each.
    names: Vec<String>,
    /// Whether the path ends because nothing new chose its last answer, which
    /// should not be: that one is replaced.
    is_odd: bool,
}

impl Path {
    /// The slot to look at next; `None` at the end of the path.
    pub fn next(&self, lookup: &Lookup) -> Option<Slot> {
        let goes_on = !self.is_odd && self.residents.len() < PATH_SLOTS_MAX;
        goes_on.then(|| slot_of(lookup, &self.names))
    }

    /// Notes an answer in the next slot that other values chose.
    pub fn pass(&mut self, resident: Resident) {
        let known = self.names.len();
        let names = merged(&self.names, &resident.names);
        self.is_odd = names.len() == known;
        if !self.is_odd {
            self.names = names;
            self.residents.push(resident);
        }
    }

    /// The fields that chose the answers passed: none if there is no variant
    /// for other requests.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where this entry goes: to the end of the path, or in place of an answer
    /// on the way that is of no use to anybody any more and varied by other
    /// fields. (By the same fields it leads to others like this one.) `None`
    /// if all slots are taken: what lies there is left alone, or two requests
    /// could take them from each other for ever.
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

/// The slot for the values that this request has for these fields.
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
    names.sort();
    names.dedup();
    names
}
