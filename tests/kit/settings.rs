//! Rules from settings.

use edgekeep::cache::config::rules::Rules;
use serde_json::Value;

pub fn rules(settings: Value) -> Rules {
    Rules::read_json(&settings.to_string()).expect("good settings")
}
