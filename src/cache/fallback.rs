//! What is still done while the settings are bad: requests pass.
//!
//! Half of the settings could show one visitor's page to another, or a page
//! that was purged. So nothing is looked up and nothing stored; but readers
//! get their pages from the origin, whole, if it is certain which that is.

use super::rules::Rules;
use super::settings::Settings;
use serde_json::{Map, Value, json};

/// The fields that say where requests go.
const ORIGINS: [&str; 2] = ["origin", "origins"];

impl Rules {
    /// Rules by which every request passes to its origin, made of settings
    /// that [`Rules::read_json`] has refused. `None` if they leave doubt where
    /// that is: they are no table, or say it badly, or have a field of a name
    /// that is not known, which may have been meant to say it.
    pub fn passing(json: &str) -> Option<Self> {
        let settings: Value = serde_json::from_str(json).ok()?;
        let table = settings.as_object()?;
        if !table.keys().all(|name| is_field(name)) {
            return None;
        }
        let mut kept = Map::new();
        for name in ORIGINS {
            if let Some(value) = table.get(name) {
                kept.insert(name.to_owned(), value.clone());
            }
        }
        kept.insert("defaults".to_owned(), json!({ "cache": false }));
        let mut rules = Self::read_json(&Value::Object(kept).to_string()).ok()?;
        rules.misconfigured = true;
        Some(rules)
    }
}

fn is_field(name: &str) -> bool {
    let alone = Value::Object([(name.to_owned(), Value::Null)].into_iter().collect());
    let read: Result<Settings, _> = serde_json::from_value(alone);
    // Null is wrong for most, but a name that is not known is told first.
    read.map_or_else(
        |error| !error.to_string().contains("unknown field"),
        |_| true,
    )
}
