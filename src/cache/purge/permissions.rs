//! What a key may purge.

use super::selector::Selector;
use crate::cache::config::keys::KeyPermissions;

impl KeyPermissions {
    /// Whether an order of this key may name the selector.
    pub fn allows(&self, selector: &Selector) -> bool {
        match self {
            Self::Anything => true,
            Self::Only { everything, .. } if *selector == Selector::Everything => *everything,
            Self::Only { scope, .. } => scope.holds(&selector.to_string()),
        }
    }
}
