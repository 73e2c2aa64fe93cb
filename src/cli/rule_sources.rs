//! Where the settings of a rule come from.

use crate::cache::config::rule::Source;
use serde::Serialize;
use serde_json::Value;

/// Fields that say which URLs a rule matches, and no more.
const SCOPE: [&str; 4] = ["host", "path", "hashed", "profile"];

/// A setting of a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSetting {
    /// Its name.
    pub name: String,
    /// Its value, as written.
    pub value: Value,
    /// The table that sets it, such as `rules[2], /shop/*`.
    pub from: String,
}

/// The settings of the rule that was compiled from `source`, in the order of
/// precedence. What is not among them has Edgekeep's default.
pub fn settings_of(settings: &Value, source: Source) -> Vec<RuleSetting> {
    let mut found: Vec<RuleSetting> = Vec::new();
    for (from, table) in tables(settings, source) {
        for (name, value) in table.as_object().into_iter().flatten() {
            let is_known = found.iter().any(|setting| setting.name == *name);
            if !is_known && !SCOPE.contains(&name.as_str()) {
                found.push(RuleSetting {
                    name: name.clone(),
                    value: value.clone(),
                    from: from.clone(),
                });
            }
        }
    }
    found
}

/// The name of the table that matches the URL.
pub fn name_of(settings: &Value, source: Source) -> String {
    let mut matching = tables(settings, source).into_iter().take(2);
    let found = matching.find(|(_, table)| !table.is_null());
    found.map_or_else(|| "defaults".to_owned(), |(name, _)| name)
}

/// The tables in which a field is looked for, in order, and their names: the
/// user's rule, the profile's rule, the user's defaults, the profile's defaults.
fn tables(settings: &Value, source: Source) -> [(String, Value); 4] {
    let member = |table: &Value, name: &str| table.get(name).cloned().unwrap_or_default();
    let rule = |table: &Value, number: Option<usize>| {
        let rule = number.and_then(|number| table.get("rules")?.get(number));
        rule.cloned().unwrap_or_default()
    };
    let path = |rule: &Value| {
        let path = rule.get("path").and_then(Value::as_str);
        path.unwrap_or("*").to_owned()
    };
    let profile = source.profile.map_or(Value::Null, |profile| {
        serde_json::from_str(profile.json).unwrap_or_default()
    });
    let name = source.profile.map_or("", |profile| profile.name);
    let (own, beneath) = (rule(settings, source.own), rule(&profile, source.beneath));
    let number = source.own.unwrap_or_default();
    [
        (format!("rules[{number}], {}", path(&own)), own),
        (format!("profile {name}, {}", path(&beneath)), beneath),
        ("defaults".to_owned(), member(settings, "defaults")),
        (format!("profile {name}"), member(&profile, "defaults")),
    ]
}
