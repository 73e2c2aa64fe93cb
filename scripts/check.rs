//! Says whether a file's settings are right, and what they mean for URLs, by
//! the code that the worker itself uses: `npm run check -- FILE [URL…]`.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::config::setting_sources::DEFAULT;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::request::classify::{Plan, classify};
use edgekeep::http::fields::Fields;
use edgekeep::http::head::{Method, RequestHead};
use edgekeep::http::url::Url;
use std::process::ExitCode;

const USAGE: &str = "Usage: npm run check -- FILE [URL…]   (a wrangler.toml, or a file with its [vars.EDGEKEEP] table; URLs whose rules are to be shown)";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(file) = words.next() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let rules = match check(&file) {
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
        print!("\n{}", explain(&rules, &url));
    }
    ExitCode::SUCCESS
}

fn check(file: &str) -> Result<Rules, String> {
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
    Rules::read_json(&json)
        .map_err(|error| format!("[vars.EDGEKEEP] {}: {}", error.path, error.problem))
}

/// What holds for a URL: what becomes of a plain GET, and each field with the
/// place that says it.
fn explain(rules: &Rules, url: &Url) -> String {
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
    let mut place = String::new();
    for setting in rules.settings_of(&rule).settings {
        if setting.from == DEFAULT {
            continue;
        }
        if place != setting.from {
            text += &format!("  {}:\n", setting.from);
            place = setting.from;
        }
        text += &format!("    {} = {}\n", setting.name, setting.value);
    }
    text + "  all else: the defaults of docs/rules.md\n"
}
