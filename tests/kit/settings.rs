//! Compiled rules from JSON settings.

use edgekeep::cache::config::rules::Rules;
use serde_json::Value;

/// The rules of valid settings.
pub fn rules(settings: Value) -> Rules {
    Rules::read_json(&settings.to_string()).expect("good settings")
}
