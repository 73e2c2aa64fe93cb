//! Where each setting of a rule comes from: the user's rule, a rule of the
//! profile, the defaults, the profile's defaults, or Edgekeep's own default
//! (`inheritance` has the order).

use super::rule::Source;
use crate::http::json_object;
use serde::Serialize;
use serde_json::Value;

/// A setting of a rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSetting {
    /// Its name.
    pub name: String,
    /// Its value, as written in the settings. `null` means that the origin
    /// decides.
    pub value: Value,
    /// The table that sets it, such as `rules[2], /shop/*`, or [`DEFAULT`].
    pub from: String,
}

/// The name of Edgekeep's own defaults in [`RuleSetting::from`].
pub const DEFAULT: &str = "default";

/// The settings by which rules match URLs, and `profile`: they are not settings
/// of a response.
const SCOPE: [&str; 4] = ["host", "path", "hashed", "profile"];

/// Edgekeep's own defaults in the form of a rule; `compile` applies them. A
/// rule with these settings is the same as a rule without any (tested).
pub const DEFAULT_SETTINGS: &str = concat!(
    r#"{"cache":true,"shadow":false,"edge_ttl":null,"browser_ttl":null,"immutable":false,"#,
    r#""stale_while_revalidate":0,"stale_if_error":86400,"#,
    r#""negative_ttl":{"404":10,"410":10},"ttl_jitter":0,"early_refresh":true,"#,
    r#""heuristic_freshness":false,"request_directives":false,"query":"all","#,
    r#""drop_tracking":true,"sort_query":true,"no_vary_search":false,"#,
    r#""key_headers":[],"key_cookies":[],"bypass_cookies":["@default"],"#,
    r#""drop_cookies":[],"csrf_cookies":[],"strip_set_cookie":[],"#,
    r#""forward_headers":[],"origin_timeout":null,"retries":1,"#,
    r#""error_statuses":[500,502,503,504,520,521,522,523,524,525,526,527,530],"#,
    r#""collapse":"data-centre","memory":true,"kv":"earned","kv_min_ttl":60,"#,
    r#""tags":[],"invalidate_on_write":true,"purge_dialects":[],"esi":false}"#,
);

/// A rule: its name and its settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSources {
    /// The table that matches the URL: the user's rule, otherwise a rule of the
    /// profile, otherwise `defaults`.
    pub name: String,
    /// Its settings, each once, in the order of precedence.
    pub settings: Vec<RuleSetting>,
}

/// Returns the settings of the rule that was compiled from `source`. `json` is
/// the text of all settings.
pub fn settings_of(json: &str, source: Source) -> RuleSources {
    let read = |json: &str| json_object::read_without_paths::<Value>(json).unwrap_or_default();
    let mut settings = read(json);
    let mut profile = source.profile.map_or(Value::Null, |p| read(p.json));
    let name = source.profile.map_or("", |profile| profile.name);
    let own = rule_of(&mut settings, source.own);
    let beneath = rule_of(&mut profile, source.beneath);
    let defaults = |table: &mut Value| table.get_mut("defaults").map(Value::take);
    let number = source.own.unwrap_or_default();
    let mut found = RuleSources {
        name: "defaults".to_owned(),
        settings: Vec::new(),
    };
    if beneath.is_some() {
        found.name = format!("profile {name}, {}", path_of(&beneath));
    }
    let of_profile = found.name.clone();
    if own.is_some() {
        found.name = format!("rules[{number}], {}", path_of(&own));
    }
    found.add(&found.name.clone(), own);
    found.add(&of_profile, beneath);
    found.add("defaults", defaults(&mut settings));
    found.add(&format!("profile {name}"), defaults(&mut profile));
    found.add(DEFAULT, Some(read(DEFAULT_SETTINGS)));
    found
}

impl RuleSources {
    /// Adds the settings of a table that no earlier table has.
    fn add(&mut self, from: &str, table: Option<Value>) {
        let Some(Value::Object(fields)) = table else {
            return;
        };
        for (name, value) in fields {
            let known = self.settings.iter().any(|setting| setting.name == name);
            if !known && !SCOPE.contains(&name.as_str()) {
                let from = from.to_owned();
                self.settings.push(RuleSetting { name, value, from });
            }
        }
    }
}

/// Takes a rule out of a table with rules.
fn rule_of(table: &mut Value, number: Option<usize>) -> Option<Value> {
    let rule = table.get_mut("rules")?.get_mut(number?)?;
    Some(rule.take())
}

/// The path pattern of a rule.
fn path_of(rule: &Option<Value>) -> &str {
    let path = rule.as_ref().and_then(|rule| rule.get("path")?.as_str());
    path.unwrap_or("*")
}
