//! Settings from a file: the table `[vars.EDGEKEEP]` of a `wrangler.toml`.

use crate::cache::config::rules::Rules;
use crate::cli::system;
use serde_json::Value;

/// The settings of a file.
#[derive(Debug)]
pub struct SettingsFile {
    /// The settings as written.
    pub settings: Value,
    /// The compiled settings.
    pub rules: Rules,
}

impl SettingsFile {
    /// Reads a file. The error is a text to print.
    pub fn read(file: &str) -> Result<Self, String> {
        let text = system::read_text(file)?;
        let table: toml::Table = text
            .parse()
            .map_err(|error| format!("is not TOML: {error}"))?;
        let settings = table
            .get("vars")
            .and_then(|vars| vars.get("EDGEKEEP"))
            .ok_or("has no table [vars.EDGEKEEP]")?;
        // As the Worker gets it: TOML becomes JSON on the way.
        let json = serde_json::to_string(settings).map_err(|error| error.to_string())?;
        let rules = Rules::read_json(&json)
            .map_err(|error| format!("[vars.EDGEKEEP] {}: {}", error.path, error.problem))?;
        let settings = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        Ok(Self { settings, rules })
    }
}
