//! `edgekeep check`: says whether a file's settings are right, and what they
//! mean for URLs, by the code that the Worker itself uses.

use crate::cache::key::cache_key;
use crate::cache::request::classify::{Plan, classify};
use crate::cli::args::CheckArgs;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::rules::explanation::written_settings;
use crate::cli::rules::settings_file::SettingsFile;
use crate::http::fields::Fields;
use crate::http::head::{Method, RequestHead};
use crate::http::url::Url;

/// Checks a file, and prints what holds for each URL.
pub fn run(args: &CheckArgs) -> Result<(), Failure> {
    let file = &args.file;
    let read = SettingsFile::read(file);
    let settings = read.map_err(|problem| Failure::Found(format!("{file}: {problem}")))?;
    let number = settings.rules.len();
    output::line(format!("{file}: the settings are right ({number} rules)."))?;
    for word in &args.urls {
        let Ok(url) = Url::parse(word) else {
            let problem = format!("{word} is no URL: write it as https://www.example.com/path");
            return Err(Failure::Found(problem));
        };
        output::line(format!("\n{}", text_of(&settings, &url)))?;
    }
    Ok(())
}

/// What becomes of a plain GET of a URL, and each field with the table that sets
/// it.
fn text_of(file: &SettingsFile, url: &Url) -> String {
    let rule = file.rules.rule_for(&cache_key::canonical_path(url));
    let request = RequestHead {
        method: Method::Get,
        url: url.clone(),
        fields: Fields::new(),
    };
    let mut text = format!("{url}\n");
    text += &match classify(&file.rules, &request) {
        Plan::Lookup(lookup) => format!("  may be cached, as {}\n", lookup.key.url),
        Plan::Bypass(reason, _, _) => format!("  goes through whole ({})\n", reason.word()),
        Plan::Admin => "  is Edgekeep's own\n".to_owned(),
        Plan::Purge(_) => "  is a purge\n".to_owned(),
    };
    let mut place = String::new();
    for setting in written_settings(&file.rules, &rule).settings {
        if place != setting.from {
            text += &format!("  {}:\n", setting.from);
            place = setting.from;
        }
        text += &format!("    {} = {}\n", setting.name, setting.value);
    }
    text + "  all else: the defaults of docs/rules.md"
}
