//! Proposals: settings for a group of URLs, and what they bring.

use super::groups::GroupScope;
use serde::Serialize;
use serde_json::{Map, Value};

/// A setting that brings hits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// What costs hits now: `no-lifetime`, `revalidated`, `parameter` or
    /// `cookie`.
    pub cause: &'static str,
    /// The rule: `rules[2]`, or host and path of a new one.
    pub rule: String,
    /// The setting.
    pub setting: &'static str,
    /// Its value.
    pub value: Value,
    /// The hits that it would have brought.
    pub hits: u64,
    /// How they were counted.
    pub counted: String,
    /// What to check first, because the log cannot show it.
    pub check: Option<String>,
}

/// A finding for which there is no setting to paste.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// `vary`, `cookie`, `withheld-field` or `withheld-cookie`.
    pub cause: &'static str,
    /// How many requests it concerns.
    pub requests: u64,
    /// What was found, and what to do.
    pub text: String,
}

/// The settings that are proposed for a group, together.
#[derive(Clone, Debug)]
pub struct RulePatch {
    /// The group.
    pub scope: GroupScope,
    /// The settings.
    pub settings: Map<String, Value>,
    /// The proposals that they are of.
    pub proposals: Vec<Proposal>,
}

/// The name of a rule for people.
pub fn name(scope: &GroupScope) -> String {
    match scope {
        GroupScope::Rule(number) => format!("rules[{number}]"),
        GroupScope::New { host, path } => format!("{}{path}", host.as_deref().unwrap_or_default()),
    }
}

/// The settings with these patches. New rules come last, so that no rule of the
/// settings loses a URL.
pub fn patched<'a>(base: &Value, patches: impl Iterator<Item = &'a RulePatch>) -> Value {
    let mut settings = base.clone();
    if !settings.is_object() {
        settings = Value::Object(Map::new());
    }
    let Some(table) = settings.as_object_mut() else {
        return settings;
    };
    let mut rules = match table.remove("rules") {
        Some(Value::Array(rules)) => rules,
        _ => Vec::new(),
    };
    for patch in patches {
        let mut rule = match &patch.scope {
            GroupScope::Rule(number) => rules.get(*number).and_then(Value::as_object).cloned(),
            GroupScope::New { host, path } => {
                let host = host
                    .iter()
                    .map(|host| ("host".to_owned(), host.as_str().into()));
                let path = ("path".to_owned(), path.as_str().into());
                Some(host.chain([path]).collect())
            }
        }
        .unwrap_or_default();
        rule.extend(patch.settings.clone());
        match patch.scope {
            GroupScope::Rule(number) => {
                if let Some(place) = rules.get_mut(number) {
                    *place = Value::Object(rule);
                }
            }
            GroupScope::New { .. } => rules.push(Value::Object(rule)),
        }
    }
    table.insert("rules".to_owned(), Value::Array(rules));
    settings
}

/// The proposed rules as TOML.
pub fn toml(patches: &[RulePatch]) -> String {
    let mut text = String::new();
    for patch in patches {
        if let GroupScope::Rule(number) = patch.scope {
            text += &format!("# Change in rules[{number}] (the first rule is rules[0]):\n");
        }
        for proposal in &patch.proposals {
            let setting = proposal.setting;
            text += &format!(
                "# {setting}: {} hits. {}\n",
                proposal.hits, proposal.counted
            );
            if let Some(check) = &proposal.check {
                text += &format!("# Check {setting}: {check}\n");
            }
        }
        if let GroupScope::New { host, path } = &patch.scope {
            text += "[[vars.EDGEKEEP.rules]]\n";
            if let Some(host) = host {
                text += &format!("host = {}\n", quoted(host));
            }
            text += &format!("path = {}\n", quoted(path));
        }
        for (name, value) in &patch.settings {
            text += &format!("{name} = {}\n", inline(value));
        }
        text.push('\n');
    }
    text
}

/// A value as TOML on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(members) => {
            let members: Vec<String> = members.iter().map(inline).collect();
            format!("[{}]", members.join(", "))
        }
        Value::Object(table) => {
            let members = table.iter();
            let members: Vec<String> = members
                .map(|(name, value)| format!("{name} = {}", inline(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// A TOML string. The escapes are those of JSON; TOML forbids U+007F, too.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}
