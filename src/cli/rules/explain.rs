//! `edgekeep explain`: which rule, key and variant a request has.

use crate::cache::explain::request_key::Change;
use crate::cli::args::{ExplainArgs, SiteArgs};
use crate::cli::failure::Failure;
use crate::cli::output::{self, GOOD, STRONG, WARNING, plain, styled};
use crate::cli::remote::client::SiteClient;
use crate::cli::rules::explanation::{UrlExplanation, explain};
use crate::cli::rules::settings_file::SettingsFile;
use crate::cli::rules::site_explanation::SiteExplanation;
use crate::cli::system;
use crate::http::fields::Fields;
use crate::http::list;
use crate::http::url::Url;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::io;

/// Explains a request: by the rules of a file, or as the site does.
pub fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let url = Url::parse(&args.url)
        .map_err(|error| Failure::Usage(format!("the URL {} {error}", args.url)))?;
    let fields = read_fields(&args.headers).map_err(Failure::Usage)?;
    match &args.rules {
        Some(file) => by_file(file, &url, fields, args.site.json),
        None if args.site.site.is_none() => Err(Failure::Usage(NO_SOURCE.to_owned())),
        None => by_site(&args.site, &url, &fields),
    }
}

const NO_SOURCE: &str = "name the site to ask (--site or the variable EDGEKEEP_SITE), or the file \
     with the rules (--rules wrangler.toml)";

fn by_file(file: &str, url: &Url, fields: Fields, is_json: bool) -> Result<(), Failure> {
    let settings = SettingsFile::read(file);
    let settings = settings.map_err(|problem| Failure::Found(format!("{file}: {problem}")))?;
    let explanation = explain(&settings, url, fields);
    if is_json {
        let value = serde_json::to_value(&explanation).map_err(io::Error::from)?;
        return Ok(output::json(&value)?);
    }
    Ok(print(&explanation)?)
}

/// Asks the site (docs/explain.md).
fn by_site(args: &SiteArgs, url: &Url, fields: &Fields) -> Result<(), Failure> {
    let client = SiteClient::new(args)?;
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut path = format!("/.edgekeep/explain?url={}", encoded(&url.to_text()));
    for (name, value) in fields.iter() {
        path.push_str("&header=");
        path.push_str(&encoded(&format!("{name}:{value}")));
    }
    let value = client.get(&path)?.json(system::now_ms())?;
    if args.json {
        return Ok(output::json(&value)?);
    }
    let explanation = SiteExplanation::read(&value).map_err(Failure::Found)?;
    Ok(explanation.print()?)
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
