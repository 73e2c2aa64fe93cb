//! What is still done while the settings are bad: requests pass.
//!
//! Half of the settings could show one visitor's page to another, or a page
//! that was purged. So nothing is looked up and nothing stored; but readers
//! get their pages from the origin, whole, if it is certain which that is.

use super::rules::Rules;
use super::settings::Settings;
use crate::http::json::Json;

/// The fields that say where requests go.
const ORIGINS: [&str; 2] = ["origin", "origins"];

impl Rules {
    /// Rules by which every request passes to its origin, made of settings
    /// that [`Rules::read_json`] has refused. `None` if they leave doubt where
    /// that is: they are no table, or say it badly, or have a field of a name
    /// that is not known, which may have been meant to say it.
    pub fn passing(json: &str) -> Option<Self> {
        let settings = Json::read(json).ok()?;
        let members = settings.members()?;
        let is_field = |name: &String| Settings::FIELDS.contains(&name.as_str());
        if !members.iter().all(|(name, _)| is_field(name)) {
            return None;
        }
        let origins = members.iter().cloned();
        let mut kept: Vec<_> = origins
            .filter(|(name, _)| ORIGINS.contains(&name.as_str()))
            .collect();
        let defaults = Json::table([("cache", false.into())]);
        kept.push(("defaults".to_owned(), defaults));
        let mut rules = Self::read(&Json::Table(kept)).ok()?;
        rules.misconfigured = true;
        Some(rules)
    }
}
