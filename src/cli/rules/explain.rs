//! `edgekeep explain`: which rule, key and variant a request has.

use crate::cache::explain::request_key::Change;
use crate::cli::args::ExplainArgs;
use crate::cli::failure::Failure;
use crate::cli::output::{self, GOOD, STRONG, WARNING, plain, styled};
use crate::cli::rules::explanation::{UrlExplanation, explain};
use crate::cli::rules::settings_file::SettingsFile;
use crate::http::fields::Fields;
use crate::http::list;
use crate::http::url::Url;
use std::io;

/// Explains a URL by the rules of a file.
pub fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let Some(file) = &args.rules else {
        let problem = "name the file with the rules: --rules wrangler.toml";
        return Err(Failure::Usage(problem.to_owned()));
    };
    let url = Url::parse(&args.url)
        .map_err(|error| Failure::Usage(format!("the URL {} {error}", args.url)))?;
    let fields = read_fields(&args.headers).map_err(Failure::Usage)?;
    let settings = SettingsFile::read(file);
    let settings = settings.map_err(|problem| Failure::Found(format!("{file}: {problem}")))?;
    let explanation = explain(&settings, &url, fields);
    if args.json {
        let value = serde_json::to_value(&explanation).map_err(io::Error::from)?;
        return Ok(output::json(&value)?);
    }
    Ok(print(&explanation)?)
}

/// Parses fields as `name: value`.
fn read_fields(headers: &[String]) -> Result<Fields, String> {
    let mut fields = Fields::new();
    for header in headers {
        let named = header
            .split_once(':')
            .filter(|(name, value)| list::is_field_name(name) && !value.contains(char::is_control));
        let Some((name, value)) = named else {
            let text = plain(header);
            return Err(format!("--header {text}: write it as name:value"));
        };
        fields.add(name, value.trim());
    }
    Ok(fields)
}

fn print(explanation: &UrlExplanation) -> io::Result<()> {
    output::line(styled(STRONG, plain(&explanation.url)))?;
    let expected = &explanation.expected;
    output::line(match (expected.result, expected.reason) {
        ("lookup", _) => format!("  {}", styled(GOOD, "may be answered from the cache")),
        ("pass", reason) => {
            let reason = reason.unwrap_or_default();
            let text = format!("does not use the cache ({reason})");
            format!("  {}", styled(WARNING, text))
        }
        ("purge", _) => "  is a purge call of another cache".to_owned(),
        _ => "  is an address of Edgekeep's own".to_owned(),
    })?;
    if let Some(key) = &explanation.key {
        let text = key.text.replace('\n', "\n    ");
        output::line(format!("{}\n    {text}", styled(STRONG, "  key:")))?;
        key.changes.iter().try_for_each(print_change)?;
        output::line(format!("    digest: {}", key.digest))?;
    }
    if let Some(selector) = &explanation.purged_by {
        output::line(format!("  {} {selector}", styled(STRONG, "purged by:")))?;
    }
    if !explanation.vary.is_empty() {
        output::line(styled(STRONG, "  the response may vary by:"))?;
        for (name, value) in &explanation.vary {
            output::line(format!("    {name}: {}", plain(value)))?;
        }
    }
    let Some(rule) = &explanation.rule else {
        return Ok(());
    };
    output::line(format!("  {} {}", styled(STRONG, "rule:"), rule.name))?;
    for setting in &rule.settings {
        let (name, value, from) = (&setting.name, &setting.value, &setting.from);
        output::line(format!("    {name} = {value}  ({from})"))?;
    }
    output::line("    all else: the defaults of docs/rules.md")
}

fn print_change(change: &Change) -> io::Result<()> {
    let from = format!("{} {}", change.part, plain(&change.from));
    let to = change.to.as_deref().map(|to| format!(" -> {}", plain(to)));
    let what = styled(WARNING, change.what);
    output::line(format!("    {what}: {from}{}", to.unwrap_or_default()))
}
