//! What a key may purge.

use super::selector::{EVERYTHING, Selector};
use crate::cache::config::keys::KeyPermissions;

impl KeyPermissions {
    /// Whether an order of this key may name the selector.
    pub fn allows(&self, selector: &Selector) -> bool {
        self.allows_name(&selector.to_string())
    }

    /// The same for the text of a selector.
    pub fn allows_name(&self, name: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Only { everything, .. } if name == EVERYTHING => *everything,
            Self::Only { scope, .. } => scope.holds(name),
        }
    }
}
