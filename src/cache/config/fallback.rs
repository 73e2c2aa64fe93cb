//! What is still done while the settings are bad: requests pass.
//!
//! Half of the settings could show one visitor's page to another, or a page
//! that was purged. So nothing is looked up and nothing stored; but readers
//! get their pages from the origin, whole, if it is certain which that is.

use super::rules::Rules;
use super::settings::{OriginSettings, RuleSettings, Settings};
use crate::http::json_object::{self, pairs};
use crate::json_object;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// The fields of [`Settings`]. A test compares them with the struct.
const FIELDS: [&str; 19] = [
    "max_purge_lag",
    "on_ledger_outage",
    "origin_timeout",
    "origin_deadline",
    "origin_body_timeout",
    "origin",
    "backup_origin",
    "origins",
    "profile",
    "protection",
    "defaults",
    "rules",
    "keys",
    "cascades",
    "fast_lane",
    "kv_writes_per_day",
    "memory_bytes",
    "log_hits",
    "warm",
];

/// The fields that say where requests go. The others are not read.
#[derive(Default, Deserialize)]
#[serde(remote = "Self", default)]
struct OriginFields {
    origin: Option<String>,
    #[serde(with = "pairs")]
    origins: Vec<(String, OriginSettings)>,
}

json_object!(OriginFields);

impl Rules {
    /// Rules by which every request passes to its origin, made of settings
    /// that [`Rules::read_json`] has refused. `None` if they leave doubt where
    /// that is: they are no table, or say it badly, or have a field of a name
    /// that is not known, which may have been meant to say it.
    pub fn passing(json: &str) -> Option<Self> {
        let members: BTreeMap<String, IgnoredAny> = json_object::read(json).ok()?;
        if !members.keys().all(|name| FIELDS.contains(&name.as_str())) {
            return None;
        }
        let OriginFields { origin, origins } = json_object::read(json).ok()?;
        let mut rules = Self::check(Settings {
            origin,
            origins,
            defaults: RuleSettings {
                cache: Some(false),
                ..RuleSettings::default()
            },
            ..Settings::default()
        })
        .ok()?;
        rules.misconfigured = true;
        Some(rules)
    }
}
