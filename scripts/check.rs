//! Says whether a file's settings are right, and what they mean for URLs, by
//! the code that the worker itself uses: `npm run check -- FILE [URL…]`.

use edgekeep::cache::config::rule::Source;
use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::request::classify::{Plan, classify};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use serde_json::Value;
use std::process::ExitCode;

const USAGE: &str = "Usage: npm run check -- FILE [URL…]   (a wrangler.toml, or a file with its [vars.EDGEKEEP] table; URLs whose rules are to be shown)";

/// Fields that say for which URLs a rule is, and no more.
const SCOPE: [&str; 4] = ["host", "path", "hashed", "profile"];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(file) = words.next() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (settings, rules) = match check(&file) {
        Ok(checked) => checked,
        Err(problem) => {
            eprintln!("{file}: {problem}");
            return ExitCode::FAILURE;
        }
    };
    println!("{file}: the settings are right ({} rules).", rules.len());
    for word in words {
        let Ok(url) = Url::parse(&word) else {
            eprintln!("{word} is no URL: write it as https://www.example.com/path");
            return ExitCode::FAILURE;
        };
        print!("\n{}", explain(&settings, &rules, &url));
    }
    ExitCode::SUCCESS
}

fn check(file: &str) -> Result<(Value, Rules), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot be read: {error}"))?;
    let file: toml::Table = text
        .parse()
        .map_err(|error| format!("is not TOML: {error}"))?;
    let settings = file
        .get("vars")
        .and_then(|vars| vars.get("EDGEKEEP"))
        .ok_or("has no table [vars.EDGEKEEP]")?;
    // As the worker gets it: TOML becomes JSON on the way.
    let json = serde_json::to_string(settings).map_err(|error| error.to_string())?;
    let rules = Rules::read_json(&json)
        .map_err(|error| format!("[vars.EDGEKEEP] {}: {}", error.path, error.problem))?;
    let settings = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    Ok((settings, rules))
}

/// What holds for a URL: what becomes of a plain GET, and each field with the
/// place that says it.
fn explain(settings: &Value, rules: &Rules, url: &Url) -> String {
    let rule = rules.rule_for(&cache_key::canonical_path(url));
    let mut text = format!("{url}\n");
    let request = RequestHead {
        method: Method::named("GET"),
        url: url.clone(),
        fields: Fields::new(),
    };
    text += &match classify(rules, &request) {
        Plan::Lookup(lookup) => format!("  may be cached, as {}\n", lookup.key.url),
        Plan::Bypass(reason, _, _) => format!("  goes through whole ({})\n", reason.word()),
        Plan::Admin => "  is Edgekeep's own\n".to_owned(),
        Plan::Purge(_) => "  is a purge\n".to_owned(),
    };
    let mut said = Vec::new();
    for (place, fields) in layers(settings, rule.source) {
        let mut title = format!("  {place}:\n");
        for (field, value) in fields {
            if !SCOPE.contains(&field.as_str()) && !said.contains(&field) {
                text += &std::mem::take(&mut title);
                text += &format!("    {field} = {value}\n");
                said.push(field);
            }
        }
    }
    text + "  all else: the defaults of docs/rules.md\n"
}

/// The tables in which a rule's fields are looked for, in order, and what to
/// call them.
fn layers(settings: &Value, source: Source) -> Vec<(String, Vec<(String, Value)>)> {
    let at = |table: &Value, number: Option<usize>| {
        number.and_then(|number| table.get("rules")?.get(number).cloned())
    };
    let profile = source.profile.map_or(Value::Null, |profile| {
        serde_json::from_str(profile.json).unwrap_or_default()
    });
    let name = source.profile.map_or("", |profile| profile.name);
    let own = at(settings, source.own);
    let beneath = at(&profile, source.beneath);
    let path = |rule: &Option<Value>| {
        let rule = rule.as_ref().and_then(|rule| rule.get("path"));
        rule.and_then(Value::as_str).unwrap_or("*").to_owned()
    };
    let number = source.own.unwrap_or_default();
    let tables = [
        (format!("rules[{number}], {}", path(&own)), own),
        (format!("profile {name}, {}", path(&beneath)), beneath),
        ("defaults".to_owned(), settings.get("defaults").cloned()),
        (format!("profile {name}"), profile.get("defaults").cloned()),
    ];
    let fields = |table: Option<Value>| match table {
        Some(Value::Object(fields)) => fields.into_iter().collect(),
        _ => Vec::new(),
    };
    tables
        .into_iter()
        .map(|(place, table)| (place, fields(table)))
        .collect()
}
