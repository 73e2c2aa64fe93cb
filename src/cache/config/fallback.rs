//! Rules for invalid settings: every request passes to its origin.
//!
//! If only a part of the settings applied, the cache could serve one user's page
//! to another, or a purged page. So nothing is looked up or stored. Requests go
//! to the origin whole, if the settings still name it without doubt.

use super::rules::Rules;
use super::settings::{OriginSettings, RuleSettings, Settings};
use crate::http::json_object::{self, pairs};
use crate::json_object;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// The names of the fields of [`Settings`]. A test compares them with the struct.
const FIELDS: [&str; 22] = [
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
    "stats_interval",
    "analytics_sample",
    "dashboard",
    "warm",
];

/// The settings that select the origin. The others are not read.
#[derive(Default, Deserialize)]
#[serde(remote = "Self", default)]
struct OriginFields {
    origin: Option<String>,
    #[serde(with = "pairs")]
    origins: Vec<(String, OriginSettings)>,
}

json_object!(OriginFields);

impl Rules {
    /// Rules by which every request passes to its origin, from settings that
    /// [`Rules::read_json`] has refused. `None` if the origin is in doubt: the
    /// settings are not a table, `origin` or `origins` is invalid, or a field
    /// has an unknown name, which may be a misspelt `origin`.
    pub fn passing(json: &str) -> Option<Self> {
        let members: BTreeMap<String, IgnoredAny> = json_object::read_without_paths(json).ok()?;
        if !members.keys().all(|name| FIELDS.contains(&name.as_str())) {
            return None;
        }
        let OriginFields { origin, origins } = json_object::read_without_paths(json).ok()?;
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
