//! The selectors of a purge, from arguments and from lines of a file.

use crate::cache::config::rules::Rules;
use crate::cache::config::settings::Settings;
use crate::cache::purge::order::{ParsedPurge, PurgeKind};
use crate::cache::purge::selector::EVERYTHING;
use crate::cli::orders::split::{EVERYTHING_FIELD, Item};
use crate::cli::system;

/// How many wrong lines a message names.
const SHOWN_MAX: usize = 20;

/// A selector of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputSelector {
    /// A selector of this kind.
    Of(PurgeKind, String),
    /// Everything.
    Everything,
}

/// A part of the input and its place, such as `pages.txt:12` or `--tag`.
pub type Placed<T> = (String, T);

/// The lines of a file, each with its place. Empty lines and comments are left
/// out.
pub fn lines_of(file: &str) -> Result<Vec<Placed<String>>, String> {
    let text = system::read_text(file).map_err(|problem| format!("{file} {problem}"))?;
    let name = match file {
        "-" => "standard input",
        _ => file,
    };
    Ok(lines(name, &text))
}

/// The lines of a text, each with its place.
pub fn lines(name: &str, text: &str) -> Vec<Placed<String>> {
    // Some programs write a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().map(str::trim).zip(1_u64..);
    let kept = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    kept.map(|(line, number)| (format!("{name}:{number}"), line.to_owned()))
        .collect()
}

/// Parses a line: a URL, or the text of a selector as receipts have it.
pub fn parse_line(line: &str) -> Result<InputSelector, String> {
    if line.starts_with("http://") || line.starts_with("https://") {
        return Ok(InputSelector::Of(PurgeKind::Url, line.to_owned()));
    }
    if line == EVERYTHING {
        return Ok(InputSelector::Everything);
    }
    let (kind, text) = line.split_once(':').unwrap_or_default();
    let of = |kind| Ok(InputSelector::Of(kind, text.to_owned()));
    match kind {
        // A purge of a URL holds for both schemes, so receipts have none.
        "url" if !text.contains("://") => {
            Ok(InputSelector::Of(PurgeKind::Url, format!("https://{text}")))
        }
        "url" => of(PurgeKind::Url),
        "tag" => of(PurgeKind::Tag),
        "prefix" => of(PurgeKind::Prefix),
        "host" => of(PurgeKind::Host),
        _ => Err(
            "a line is a URL, or url:, tag:, prefix: or host: and a text, or everything".to_owned(),
        ),
    }
}

/// Checks selectors as the Worker does, but for what its settings say, and
/// returns them as items of orders, each once. The error lists what is wrong.
pub fn checked(selectors: Vec<Placed<InputSelector>>) -> Result<Vec<Item>, String> {
    let rules = Rules::check(Settings::default()).map_err(|error| error.to_string())?;
    let mut parsed = ParsedPurge::default();
    let mut items: Vec<Item> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for (place, selector) in selectors {
        let item = match selector {
            InputSelector::Everything => Item {
                list: EVERYTHING_FIELD,
                text: String::new(),
            },
            InputSelector::Of(kind, text) => {
                parsed.add(&rules, kind, place, &text, false);
                Item {
                    list: kind.list(),
                    text,
                }
            }
        };
        if known.insert(item.clone()) {
            items.push(item);
        }
    }
    match listed(&parsed.refused) {
        Some(problem) => Err(problem),
        None => Ok(items),
    }
}

/// The text of what is wrong; `None` if nothing is.
pub fn listed(wrong: &[Placed<String>]) -> Option<String> {
    let mut texts: Vec<String> = wrong
        .iter()
        .take(SHOWN_MAX)
        .map(|(place, problem)| format!("{place}: {problem}"))
        .collect();
    if let Some(more) = wrong.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        texts.push(format!("and {more} more"));
    }
    (!texts.is_empty()).then(|| format!("nothing was sent:\n  {}", texts.join("\n  ")))
}
